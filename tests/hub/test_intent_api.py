"""Intents over REST: compiled with the place of every fault, previewed row by row."""

import asyncio
import json
from asyncio.subprocess import Process
from typing import Any

import pytest

from actors import workshop
from actors.workshop import Workshop
from tests.hub.api import Api, Client
from tests.hub.networks import OTHER_WAY, ROUTE, compiled

BROKEN = 'route web { from: r1; to: r3 }\nroute lost { from: "Atlantis"; to: r3 }\n'


async def preview(api: Api, compile_id: str) -> dict[str, Any]:
    """Return a preview."""
    status, body, _ = await api.call("GET", f"/intent/preview/{compile_id}")
    assert status == 200, body
    assert isinstance(body, dict)
    return body


async def test_a_source_that_compiles_is_created(square: Api) -> None:
    """201 with the id, and Location leads to its preview."""
    status, body, headers = await square.call("POST", "/intent/compile", json={"source": ROUTE, "name": "work"})
    assert status == 201
    assert headers["Location"] == f"/api/v1/intent/preview/{body['id']}"
    assert (body["ok"], body["name"], body["author"], body["topology_revision"]) == (True, "work", "operator", 1)
    assert body["diagnostics"] == []


async def test_compiling_yields_rows_for_every_device_on_the_way(square: Api) -> None:
    """r1 sends to r2, r2 to r3; r3 is there and needs no row."""
    _, body, _ = await square.call("POST", "/intent/compile", json={"source": ROUTE})
    assert [(d["node"], [r["key"] for r in d["rows"]]) for d in body["devices"]] == [
        ("r1", ["10.255.0.3/32"]),
        ("r2", ["10.255.0.3/32"]),
    ]


async def test_what_compiles_is_proven(square: Api) -> None:
    """The report says what was looked at."""
    _, body, _ = await square.call("POST", "/intent/compile", json={"source": ROUTE})
    report = body["verification"]
    assert (report["ok"], report["violations"]) == (True, [])
    assert sum(report["checked"].values()) > 0


async def test_a_source_that_does_not_compile_names_every_place(square: Api) -> None:
    """422; each error has code, severity and a span from line and column to line and column."""
    status, body, headers = await square.call("POST", "/intent/compile", json={"source": BROKEN})
    assert (status, body["code"], headers["Content-Type"].partition(";")[0]) == (422, "compile-failed", "application/problem+json")
    (fault,) = body["errors"]
    assert fault["span"] == {"line": 2, "column": 20, "end_line": 2, "end_column": 30}
    assert (fault["severity"], fault["code"][:2]) == ("error", "PN")
    assert "Atlantis" in fault["message"]


async def test_every_refused_source_has_places(square: Api) -> None:
    """Syntax or sense: lines and columns that lie within the source."""
    for source in ["route {", "route web { from: r1 }", "}", "\0", "route web { from: r1; to: r3; via: [r2 }"]:
        status, body, _ = await square.call("POST", "/intent/compile", json={"source": source})
        assert status == 422
        assert body["errors"]
        assert all(fault["span"]["line"] >= 1 and fault["span"]["column"] >= 1 for fault in body["errors"])


async def test_a_source_without_statements_compiles_to_nothing(square: Api) -> None:
    """A comment is a source: no rows, no errors."""
    status, body, _ = await square.call("POST", "/intent/compile", json={"source": "// nothing yet"})
    assert (status, body["devices"], body["ok"]) == (201, [], True)


async def test_a_failed_compilation_is_kept(square: Api) -> None:
    """The problem names its id; its preview shows the diagnostics again."""
    _, body, _ = await square.call("POST", "/intent/compile", json={"source": BROKEN})
    shown = await preview(square, body["id"])
    assert (shown["ok"], shown["diagnostics"]) == (False, body["errors"])


async def test_a_name_is_an_id(square: Api) -> None:
    """400 naming the field."""
    for name in ["with blank", "", "-x", "a" * 200, "a/b"]:
        status, body, _ = await square.call("POST", "/intent/compile", json={"source": ROUTE, "name": name})
        assert (status, body["code"]) == (400, "invalid")
        assert body["detail"].startswith("name:")


async def test_on_an_empty_topology_nothing_can_be_routed(operator: Api) -> None:
    """A 422 with a place, like any other error of the source."""
    status, body, _ = await operator.call("POST", "/intent/compile", json={"source": ROUTE})
    assert (status, body["code"]) == (422, "compile-failed")


# -- preview


async def test_a_preview_shows_rows_with_the_line_each_came_from(square: Api) -> None:
    """Family, key, value, owners and span."""
    source = f"// the web\n{ROUTE}\n"
    shown = await preview(square, await compiled(square, source))
    row = shown["devices"][0]["rows"][0]
    assert (row["family"], row["key"], row["owners"]) == ("ip.route", "10.255.0.3/32", ["work/web"])
    assert row["value"]["next_hops"]
    assert row["span"]["line"] == 2


async def test_a_preview_shows_the_difference_to_what_is_installed(square: Api) -> None:
    """On bare devices everything is to be added."""
    shown = await preview(square, await compiled(square))
    assert [d["node"] for d in shown["devices"]] == ["r1", "r2"]
    for device in shown["devices"]:
        assert len(device["diff"]["add"]) == 1
        assert device["diff"]["change"] == device["diff"]["remove"] == []


async def test_a_preview_shows_commands_for_administrators(square: Api) -> None:
    """The same rows as FRR and iproute2 would have them."""
    shown = await preview(square, await compiled(square))
    text = shown["devices"][0]["text"]
    assert set(text) == {"frr", "iproute2", "json"}
    assert text["frr"].startswith("ip route 10.255.0.3/32 ")
    assert text["iproute2"].startswith("ip route replace 10.255.0.3/32 via ")


async def test_a_preview_shows_the_way(square: Api) -> None:
    """Hops, latency in s and bandwidth in bit/s."""
    shown = await preview(square, await compiled(square, "route web { from: r1; to: r3; via: r2; bandwidth: 200Mbps }"))
    (path,) = shown["paths"]
    assert (path["intent"], path["modality"], path["hops"]) == ("work/web", "ip", ["r1", "r2", "r3"])
    assert path["latency"] == pytest.approx(0.004)
    assert path["bandwidth"] == 2e8


async def test_a_preview_says_that_the_topology_moved(square: Api) -> None:
    """It was compiled on another revision than there is now."""
    compile_id = await compiled(square)
    assert (await preview(square, compile_id))["topology_moved"] is False
    await square.call("POST", "/topology/nodes", json={"id": "r9"})
    assert (await preview(square, compile_id))["topology_moved"] is True


async def test_a_preview_stays_readable_when_its_devices_are_gone(square: Api) -> None:
    """A node that went is shown without commands."""
    compile_id = await compiled(square)
    await square.call("DELETE", "/topology/nodes/r2?cascade=true")
    shown = await preview(square, compile_id)
    assert {d["node"]: bool(d["text"]) for d in shown["devices"]} == {"r1": True, "r2": False}


async def test_a_preview_that_is_not_there_is_not_found(viewer: Api) -> None:
    """404."""
    status, body, _ = await viewer.call("GET", "/intent/preview/nothing")
    assert (status, body["code"]) == (404, "not-found")


async def test_a_preview_changes_no_device(square: Api) -> None:
    """Looked at twice it says the same."""
    compile_id = await compiled(square)
    assert await preview(square, compile_id) == await preview(square, compile_id)


# -- history


async def test_the_history_lists_what_was_compiled(square: Api) -> None:
    """Newest first, failed ones too, with source, author and RFC 3339 time."""
    await compiled(square, ROUTE)
    await square.call("POST", "/intent/compile", json={"source": BROKEN})
    _, body, _ = await square.call("GET", "/intent/history")
    assert [(e["source"], e["ok"], e["author"]) for e in body["items"]] == [(BROKEN, False, "operator"), (ROUTE, True, "operator")]
    assert all(e["at"].endswith("Z") for e in body["items"])


async def test_the_history_is_read_page_by_page(square: Api) -> None:
    """Each compilation is on one page, the last has no next."""
    made = [await compiled(square, source) for source in (ROUTE, OTHER_WAY, ROUTE)]
    _, first, _ = await square.call("GET", "/intent/history?limit=2")
    _, second, _ = await square.call("GET", f"/intent/history?limit=2&cursor={first['next']}")
    assert sorted(e["id"] for e in first["items"] + second["items"]) == sorted(made)
    assert second["next"] is None


async def test_a_draft_is_diagnosed_and_not_kept(square: Api) -> None:
    """Syntax and meaning alike; a source without fault has nothing to say, and the history stays as it is."""
    status, body, _ = await square.call("POST", "/intent/diagnose", json={"source": "route a { from: r1; to: nobody }"})
    assert (status, [found["code"] for found in body["diagnostics"]]) == (200, ["PN209"])
    assert (await square.call("POST", "/intent/diagnose", json={"source": "route a { from: r1; to: r3 }"}))[1] == {"diagnostics": []}
    assert (await square.call("GET", "/intent/history"))[1]["items"] == []


async def test_format(square: Api) -> None:
    """The canonical form, and whether it is another; a source that cannot be read is refused with the places."""
    status, body, _ = await square.call("POST", "/intent/format", json={"source": "route  a{from:r1;to:r3}"})
    assert (status, body) == (200, {"source": "route a { from: r1; to: r3 }\n", "changed": True})
    status, body, _ = await square.call("POST", "/intent/format", json={"source": "route {"})
    assert (status, body["code"], body["errors"][0]["code"]) == (422, "compile-failed", "PN107")


async def test_a_stored_source_is_compiled_again(square: Api) -> None:
    """By its id: the same source and name on the topology of now."""
    first = await compiled(square)
    status, body, _ = await square.call("POST", "/intent/compile", json={"id": first})
    assert (status, body["name"]) == (201, "work")
    assert body["id"] != first
    assert [d["node"] for d in body["devices"]] == ["r1", "r2"]


async def test_either_source_or_id(square: Api) -> None:
    """400 for both and for neither; 404 for an id that nobody gave."""
    for wrong in ({}, {"source": ROUTE, "id": "x"}):
        assert (await square.call("POST", "/intent/compile", json=wrong))[0] == 400
    assert (await square.call("POST", "/intent/compile", json={"id": "x"}))[0] == 404


async def test_a_revision_may_be_insisted_on(square: Api) -> None:
    """412 when the topology is at another revision than the caller means."""
    assert (await square.call("POST", "/intent/compile", json={"source": ROUTE, "topology_revision": 1}))[0] == 201
    status, body, _ = await square.call("POST", "/intent/compile", json={"source": ROUTE, "topology_revision": 7})
    assert (status, body["code"], body["revision"]) == (412, "stale-revision", 1)


async def test_two_compilations_are_compared(square: Api) -> None:
    """Lines of the source, and rows by device."""
    a, b = await compiled(square), await compiled(square, OTHER_WAY)
    status, body, _ = await square.call("GET", f"/intent/compare?a={a}&b={b}")
    assert status == 200
    assert (body["a"]["id"], body["b"]["id"]) == (a, b)
    assert [line for line in body["source"] if line[:2] in ("-r", "+r")] == [f"-{ROUTE}", f"+{OTHER_WAY}"]
    changes = {d["node"]: [kind for kind, rows in d["diff"].items() if rows] for d in body["devices"]}
    assert changes == {"r1": ["change"], "r2": ["remove"], "r4": ["add"]}
    assert (await square.call("GET", f"/intent/compare?a={a}"))[0] == 400


async def test_a_preview_has_the_paths_for_the_map(square: Api) -> None:
    """GeoJSON; nodes without a location make no line."""
    shown = await preview(square, await compiled(square))
    assert shown["geojson"] == {"type": "FeatureCollection", "features": []}


async def test_a_compilation_ends_with_the_client_that_waits_for_it(
    square: Api, anonymous: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody will read is not computed to the end."""
    begun, ended = asyncio.Event(), asyncio.Event()

    async def long(_self: Workshop, _job: object) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    monkeypatch.setattr(Workshop, "build", long)
    writer = await asked_and_left(anonymous, square, "")
    async with asyncio.timeout(10):
        await begun.wait()
        writer.close()
        await ended.wait()


async def asked_and_left(client: Client, api: Api, source: str) -> asyncio.StreamWriter:
    """Send a source to be compiled over a socket of its own, and read no answer."""
    body = json.dumps({"source": source}).encode()
    _, writer = await asyncio.open_connection("127.0.0.1", client.port or 0)
    head = f"POST /api/v1/intent/compile HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.token}\r\nContent-Type: application/json\r\n"
    writer.write(head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return writer


async def test_the_process_that_compiles_ends_with_the_client(square: Api, anonymous: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source of thousands of routes is in the process when the socket is closed: the process is gone, and the next source is compiled."""
    begun: asyncio.Future[Process] = asyncio.get_running_loop().create_future()
    asked = workshop.ask

    async def ask(process: Process, question: bytes) -> bytes:
        begun.set_result(process)
        return await asked(process, question)

    monkeypatch.setattr(workshop, "ask", ask)
    writer = await asked_and_left(
        anonymous, square, "\n".join(f"route r{i} {{ from: r1; to: r3; via: [r2]; latency: 9ms }}" for i in range(9_000))
    )
    async with asyncio.timeout(30):
        process = await begun
        writer.close()
        assert await process.wait() < 0
    monkeypatch.undo()
    assert await compiled(square)
