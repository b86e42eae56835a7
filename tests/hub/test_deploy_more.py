"""Deployments over REST, further: looked at beforehand, asked for twice, waited for, drifted, filtered, and the laboratory."""

from typing import Any

import pytest

from tests.hub.api import Api
from tests.hub.deployments import executed, followed, started
from tests.hub.networks import OTHER_WAY, ROUTE, compiled
from tests.hub.sockets import connected

KEY = {"Idempotency-Key": "my-first-deployment"}


async def test_validating_tells_what_would_change(square: Api) -> None:
    """Verification, no conflict, no lease, the rows by device; nothing is started."""
    compile_id = await compiled(square)
    status, body, _ = await square.call("POST", "/deploy/validate", json={"compile_id": compile_id})
    assert (status, body["ok"], body["conflicts"], body["leases"]) == (200, True, [], [])
    assert body["verification"]["ok"]
    assert [(c["node"], len(c["diff"]["add"])) for c in body["changes"]] == [("r1", 1), ("r2", 1)]
    assert (await square.call("GET", "/deploy/history"))[1]["items"] == []
    assert (await square.call("POST", "/deploy/execute", json={"compile_id": compile_id, "dry_run": True}))[:2] == (200, body)


async def test_validating_lists_every_conflict(square: Api) -> None:
    """With the rows' owners."""
    late = await compiled(square, OTHER_WAY, name="late")
    await executed(square, await compiled(square, ROUTE, name="early"))
    _, body, _ = await square.call("POST", "/deploy/validate", json={"compile_id": late})
    assert not body["ok"]
    assert [(c["node"], c["row"][0], c["owners"]) for c in body["conflicts"]] == [("r1", "ip.route", ["early/web"])]


async def test_what_was_agreed_to_must_still_be_so(square: Api) -> None:
    """409 with the fresh difference, when somebody was there in between."""
    compile_id = await compiled(square)
    _, looked, _ = await square.call("POST", "/deploy/validate", json={"compile_id": compile_id})
    await square.call("PUT", "/lab/nodes/r1/rows", json={"family": "ip.route", "key": "10.99.0.0/24", "value": {"next_hops": []}})
    order = {"compile_id": compile_id, "base": looked["base"]}
    status, body, _ = await square.call("POST", "/deploy/execute", json=order)
    assert (status, body["code"]) == (409, "plan-stale")
    assert [c["node"] for c in body["changes"]] == ["r1", "r2"]
    assert (await executed(square, compile_id, base=body["base"]))["state"] == "succeeded"


async def test_the_same_key_gives_the_same_deployment(square: Api) -> None:
    """Also when it has ended; another request under it is refused, another user has keys of their own."""
    order = {"compile_id": await compiled(square)}
    first = await square.call("POST", "/deploy/execute", json=order, headers=KEY)
    await followed(square, first[1]["deploy_id"])
    again = await square.call("POST", "/deploy/execute", json=order, headers=KEY)
    assert (first[1]["deploy_id"], again[1]["state"]) == (again[1]["deploy_id"], "succeeded")
    status, body, _ = await square.call("POST", "/deploy/execute", json={**order, "queue": False}, headers=KEY)
    assert (status, body["code"], body["ids"]) == (409, "already-exists", [first[1]["deploy_id"]])
    assert len((await square.call("GET", "/deploy/history"))[1]["items"]) == 1


async def test_what_is_installed_is_read_from_the_device(square: Api) -> None:
    """With its owners; a device that is not there is 404."""
    await executed(square, await compiled(square, ROUTE, name="early"))
    status, body, _ = await square.call("GET", "/deploy/devices/r1/rows")
    assert (status, body["node"]) == (200, "r1")
    assert [(row["family"], row["owners"]) for row in body["rows"]] == [("ip.route", ["early/web"])]
    assert (await square.call("GET", "/deploy/devices/nobody/rows"))[0] == 404


@pytest.mark.parametrize("key", ["", "x" * 201, "with space"])
async def test_a_key_that_is_none_is_refused(square: Api, key: str) -> None:
    """400."""
    order = {"compile_id": await compiled(square)}
    assert (await square.call("POST", "/deploy/execute", json=order, headers={"Idempotency-Key": key}))[0] == 400


async def test_who_prefers_to_wait_gets_the_ending(square: Api) -> None:
    """200 with the status, and what was preferred was applied (RFC 7240)."""
    order = {"compile_id": await compiled(square)}
    status, body, headers = await square.call("POST", "/deploy/execute", json=order, headers={"Prefer": "respond-async, wait=20"})
    assert (status, body["state"], headers["Preference-Applied"]) == (200, "succeeded", "wait=20")


async def test_who_waits_too_short_gets_the_state(square: Api) -> None:
    """202, as without."""
    order = {"compile_id": await compiled(square)}
    await square.call("POST", "/lab/nodes/r1/refuse", json={"step": "stage"})
    status, body, _ = await square.call("POST", "/deploy/execute", json=order, headers={"Prefer": "wait=0"})
    assert (status, body["state"]) == (202, "planned")
    assert (await followed(square, body["deploy_id"]))[-1]["state"] == "rolled_back"


# -- drift


async def drift(api: Api) -> list[tuple[str, str]]:
    """Return (node, kind) of every difference."""
    _, body, _ = await api.call("GET", "/deploy/drift")
    return [(d["node"], d["kind"]) for d in body["items"]]


async def rows_of(api: Api, compile_id: str) -> dict[str, dict[str, Any]]:
    _, body, _ = await api.call("GET", f"/intent/preview/{compile_id}")
    return {d["node"]: d["rows"][0] for d in body["devices"] if d["rows"]}


async def test_drift_is_told_by_kind_and_restored(square: Api) -> None:
    """A row gone, one changed, one of nobody: the first two come back, the third stays."""
    compile_id = await compiled(square)
    await executed(square, compile_id)
    assert await drift(square) == []
    rows = await rows_of(square, compile_id)
    one, two = rows["r1"], rows["r2"]
    await square.call("DELETE", f"/lab/nodes/r1/rows?family={one['family']}&key={one['key']}")
    await square.call("PUT", "/lab/nodes/r2/rows", json={"family": two["family"], "key": two["key"], "value": {"next_hops": []}})
    await square.call("PUT", "/lab/nodes/r3/rows", json={"family": "ip.route", "key": "10.99.0.0/24", "value": {"next_hops": []}})
    assert await drift(square) == [("r1", "missing"), ("r2", "changed"), ("r3", "foreign")]
    status, body, _ = await square.call("POST", "/deploy/drift/restore", json={})
    assert (status, body["restores"]) == (202, True)
    assert (await followed(square, body["deploy_id"]))[-1]["state"] == "succeeded"
    assert await drift(square) == [("r3", "foreign")]


async def test_what_is_on_its_way_is_no_drift(square: Api) -> None:
    """A device that a deployment holds is named instead; when that has undone itself, nothing is left to tell."""
    compile_id = await compiled(square)
    slow = {"metric": "paranet_node_cpu_ratio", "op": "<", "threshold": 1, "count": 10, "interval": 60, "failure_limit": 9}
    deploy_id = await started(square, compile_id, gates={"conditions": [slow]})
    await followed(square, deploy_id, to={"gating"})
    _, body, _ = await square.call("GET", "/deploy/drift")
    nodes = set(await rows_of(square, compile_id))
    assert (body["items"], body["unreachable"]) == ([], dict.fromkeys(nodes, f"held by deployment {deploy_id}"))
    _, one, _ = await square.call("GET", "/deploy/drift?nodes=r1")
    assert list(one["unreachable"]) == ["r1"]
    await square.call("POST", f"/deploy/cancel/{deploy_id}")
    await followed(square, deploy_id)
    _, body, _ = await square.call("GET", "/deploy/drift")
    assert (body["items"], body["unreachable"]) == ([], {})


async def test_drift_is_adopted(square: Api) -> None:
    """What the devices show is what is wanted from then on; audited."""
    compile_id = await compiled(square)
    await executed(square, compile_id)
    row = (await rows_of(square, compile_id))["r1"]
    await square.call("DELETE", f"/lab/nodes/r1/rows?family={row['family']}&key={row['key']}")
    status, body, _ = await square.call("POST", "/deploy/drift/adopt", json={"nodes": ["r1"]})
    assert (status, [d["kind"] for d in body["adopted"]]) == (200, ["missing"])
    assert await drift(square) == []
    _, log, _ = await square.call("GET", "/system/audit?limit=1")
    assert (log["items"][0]["action"], log["items"][0]["target"]) == ("deploy.drift-adopt", "r1")


async def test_a_device_that_does_not_answer_is_named(square: Api) -> None:
    """In the report, and as an error where it is to be adopted."""
    await square.call("POST", "/lab/nodes/r1/kill")
    _, body, _ = await square.call("GET", "/deploy/drift")
    assert body["unreachable"] == {"r1": "r1 is unreachable"}
    status, body, _ = await square.call("POST", "/deploy/drift/adopt", json={"nodes": ["r1"]})
    assert (status, body["devices"]) == (502, ["r1"])
    assert (await square.call("POST", "/deploy/drift/adopt", json={}))[0] == 400


@pytest.mark.parametrize("what", ["adopt", "restore"])
async def test_a_device_that_is_none_is_not_found(square: Api, what: str) -> None:
    """Who misspells a name did wrong, no device did."""
    status, body, _ = await square.call("POST", f"/deploy/drift/{what}", json={"nodes": ["r1", "r9"]})
    assert (status, body["code"], body["detail"]) == (404, "not-found", "there is no device 'r9'")


# -- history and channel


async def test_the_history_is_filtered(square: Api) -> None:
    """By state, author, device and time."""
    done = await executed(square, await compiled(square))
    await square.call("POST", "/lab/nodes/r1/refuse", json={"step": "stage"})
    failed = await executed(square, await compiled(square, OTHER_WAY))
    asked = {
        "state=succeeded": [done],
        "state=rolled_back": [failed],
        "author=nobody": [],
        "author=operator": [failed, done],
        "node=r2": [failed, done],
        "node=r4": [failed],
        f"since={failed['started_at']}": [failed],
        f"until={done['started_at']}": [done],
        "until=0": [],
    }
    for query, expected in asked.items():
        _, body, _ = await square.call("GET", f"/deploy/history?{query}")
        assert [p["deploy_id"] for p in body["items"]] == [p["deploy_id"] for p in expected], query
    assert (await square.call("GET", "/deploy/history?since=yesterday"))[0] == 400


async def test_all_deployments_are_on_one_channel(square: Api) -> None:
    """First those there are, then each as often as it comes further."""
    first = await executed(square, await compiled(square))
    async with connected(square, "/ws") as socket:
        await socket.subscribe("deployments")
        snapshot = (await socket.hear("snapshot"))["data"]
        assert [(d["deploy_id"], d["state"], d["devices"]) for d in snapshot] == [(first["deploy_id"], "succeeded", 2)]
        second = await started(square, await compiled(square, "route back { from: r3; to: r1; via: r2 }", name="second"))
        seen: list[dict[str, Any]] = []
        while not seen or seen[-1]["state"] != "succeeded":
            seen += (await socket.hear("events"))["items"]
    assert {d["deploy_id"] for d in seen} == {second}
    assert [d["percent"] for d in seen] == sorted(d["percent"] for d in seen)


# -- laboratory


async def test_the_laboratory_breaks_and_mends(square: Api) -> None:
    """Every fault is shown while it is there, and written down."""
    breaks = [
        ("links/r1-r2/cut", "cut", ["r1-r2"]),
        ("nodes/r3/kill", "dead", ["r3"]),
        ("nodes/r4/hang", "hung", ["r4"]),
        ("nodes/r2/lose", "faults", [{"node": "r2", "step": "commit", "what": "lose"}]),
    ]
    for path, what, expected in breaks:
        status, body, _ = await square.call("POST", f"/lab/{path}")
        assert (status, body[what]) == (200, expected)
    for path in ("links/r1-r2/restore", "nodes/r3/revive", "nodes/r4/release", "nodes/r1/reboot"):
        assert (await square.call("POST", f"/lab/{path}"))[0] == 200
    _, body, _ = await square.call("GET", "/lab")
    assert (body["cut"], body["dead"], body["hung"]) == ([], [], [])
    _, log, _ = await square.call("GET", "/system/audit")
    assert [e["action"] for e in log["items"] if e["action"].startswith("lab.")][-1] == "lab.cut-link"


async def test_what_is_not_there_cannot_be_broken(square: Api) -> None:
    """404; a step that there is not, too."""
    for path in ("links/none/cut", "nodes/none/kill"):
        assert (await square.call("POST", f"/lab/{path}"))[0] == 404
    assert (await square.call("POST", "/lab/nodes/r1/refuse", json={"step": "dance"}))[0] == 404
    assert (await square.call("DELETE", "/lab/nodes/r1/rows"))[0] == 400


async def test_real_devices_are_not_for_the_laboratory(square: Api) -> None:
    """409 wrong-state."""
    await square.call("PUT", "/topology/nodes/r1", json={"id": "r1", "management": {"driver": "linux", "address": "none"}})
    status, body, _ = await square.call("POST", "/lab/nodes/r1/kill")
    assert (status, body["code"]) == (409, "wrong-state")
