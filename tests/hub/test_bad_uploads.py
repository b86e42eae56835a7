"""Hostile files: too large, self-contradicting, exploding. The topology stays as it was."""

import asyncio
import gzip
import json
import tracemalloc
from io import BytesIO
from typing import Any

import aiohttp

from tests.hub.api import Api
from tests.hub.networks import link
from tests.hub.refusals import paths, refused

IMPORT = "/api/v1/topology/import"
XML = {"Content-Type": "application/xml"}
JSON = {"Content-Type": "application/json"}
MIB = 2**20
NODES = [{"id": "a"}, {"id": "b"}]
LAUGHS = b"""<?xml version="1.0"?>
<!DOCTYPE lolz [
 <!ENTITY lol "lol">
 <!ENTITY lol1 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">
 <!ENTITY lol2 "&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;">
]>
<graphml><graph><node id="&lol2;"/></graph></graphml>"""
OUTSIDE = b"""<?xml version="1.0"?>
<!DOCTYPE graphml [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<graphml><graph edgedefault="undirected"><node id="a&x;"/></graph></graphml>"""


def graphml(content: str) -> bytes:
    """Return a document with one graph."""
    keys = '<key id="lat" for="node" attr.name="Latitude" attr.type="double"/><key id="lon" for="node" attr.name="Longitude"/>'
    return f"<graphml>{keys}<graph edgedefault='undirected'>{content}</graph></graphml>".encode()


# -- what a file says


async def test_a_dtd_is_refused_before_it_does_anything(untouched: Api) -> None:
    """No entity is expanded, no file is read."""
    for document in [LAUGHS, OUTSIDE, b"<!DOCTYPE graphml><graphml/>"]:
        problem = await refused(untouched, 400, "invalid", "POST", IMPORT, data=document, headers=XML)
        assert "DTD" in problem["detail"]
        assert "root:" not in json.dumps(problem)


BROKEN = [
    (b"<graphml><graph>", "line 1, column 17"),
    (b"<html/>", "line 1"),
    (b"<graphml/>", "graphml"),
    (b'<?xml version="1.0" encoding="klingon"?><graphml/>', "line 1"),
    (graphml('<node id="a"><data key="lat">NaN</data><data key="lon">0</data></node>'), "node a"),
    (graphml('<node id="a"><data key="lat">91</data><data key="lon">0</data></node>'), "node a"),
    (graphml("<node/>"), "node"),
]


async def test_broken_graphml_is_refused_with_its_place(untouched: Api) -> None:
    """Line and column, or the file's own name for the node."""
    for document, path in BROKEN:
        problem = await refused(untouched, 400, "invalid", "POST", f"{IMPORT}?format=graphml", data=document)
        assert path in paths(problem)[0]


async def test_xml_nested_10000_deep_is_refused(untouched: Api) -> None:
    """No stack overflows."""
    document = b"<graphml>" + b"<graph>" * 10_000 + b"</graph>" * 10_000 + b"</graphml>"
    await refused(untouched, 400, "invalid", "POST", IMPORT, data=document, headers=XML)


CONTRADICTIONS: list[tuple[dict[str, Any], str]] = [
    ({"nodes": [{"id": "a"}, {"id": "a"}]}, "nodes[1].id"),
    ({"nodes": NODES, "links": [link("a", "b"), link("a", "b")]}, "links[1].id"),
    ({"nodes": NODES, "links": [link("a", "c")]}, "links[0].target.node"),
    ({"nodes": NODES, "links": [link("a", "a")]}, "links[0].target.node"),
    ({"nodes": NODES, "demands": [{"id": "d", "source": "a", "target": "x", "rate": 1}]}, "demands[0].target"),
]


async def test_a_file_that_contradicts_itself_is_refused_with_its_place(untouched: Api) -> None:
    """Ids used twice and links to nowhere: 422."""
    for body, path in CONTRADICTIONS:
        problem = await refused(untouched, 422, "invalid-topology", "POST", IMPORT, json=body)
        assert paths(problem) == [path]


async def test_graphml_that_contradicts_itself_is_refused(untouched: Api) -> None:
    """An id used twice, and an edge to a node that is not there."""
    for content, path in [('<node id="0"/><node id="0"/>', "node 0"), ('<node id="0"/><edge source="0" target="9"/>', "edge 1 (0 -> 9)")]:
        problem = await refused(untouched, 422, "invalid-topology", "POST", IMPORT, data=graphml(content), headers=XML)
        assert paths(problem) == [path]


async def test_a_format_that_nobody_knows_is_refused(untouched: Api) -> None:
    """415 with the known ones."""
    for query in ["?format=visio", "?format=", "?format=JSON5", "?format=" + "x" * 500]:
        problem = await refused(untouched, 415, "unknown-format", "POST", f"{IMPORT}{query}", json={"nodes": []})
        assert "known are netjson, rfc8345, node-link, json" in problem["detail"]
        assert len(problem["detail"]) < 300


async def test_content_that_nobody_knows_is_refused(untouched: Api) -> None:
    """415 when neither the type, the name nor the content tells the format."""
    for body in [b"\x89PNG\r\n\x1a\n", b"nodes, links", b"\0" * 100, b" "]:
        await refused(untouched, 415, "unknown-format", "POST", IMPORT, data=body, headers={"Content-Type": "application/octet-stream"})


async def test_a_format_named_wrongly_is_read_as_named(untouched: Api) -> None:
    """JSON said to be GraphML is broken GraphML."""
    await refused(untouched, 400, "invalid", "POST", f"{IMPORT}?format=graphml", json={"nodes": []})


# -- size (the fixture's hub takes 1 MiB)


async def test_a_body_that_says_it_is_too_large_is_refused(untouched: Api) -> None:
    """413."""
    await refused(untouched, 413, "too-large", "POST", IMPORT, data=BytesIO(b" " * (MIB + 1)), headers=JSON)


async def test_the_largest_body_is_taken(untouched: Api) -> None:
    """The limit itself is within the limit."""
    body = b'{"nodes": []}'.ljust(MIB)
    status, _, _ = await untouched.call("POST", "/topology/import?dry_run=true", data=BytesIO(body), headers=JSON)
    assert status == 200


async def test_a_file_in_a_form_is_bounded_too(untouched: Api) -> None:
    """413 for multipart as well."""
    form = aiohttp.FormData()
    form.add_field("file", BytesIO(b" " * (MIB + 1)), filename="big.json", content_type="application/json")
    await refused(untouched, 413, "too-large", "POST", IMPORT, data=form)


async def test_a_field_before_the_file_is_bounded_too(untouched: Api) -> None:
    """What is skipped counts as well: the body is larger than the hub accepts."""
    form = aiohttp.FormData()
    for name in ("one", "two", "three"):
        form.add_field(name, " " * (MIB // 2))
    form.add_field("file", BytesIO(b'{"nodes": []}'), filename="small.json", content_type="application/json")
    await refused(untouched, 413, "too-large", "POST", IMPORT, data=form)


async def test_a_body_that_swells_is_bounded_too(untouched: Api) -> None:
    """50 MB of zeros are 50 kB of gzip: 413, and they are never in memory together."""
    bomb = gzip.compress(b"\0" * 50 * MIB)
    tracemalloc.start()
    try:
        await refused(untouched, 413, "too-large", "POST", IMPORT, data=BytesIO(bomb), headers={**JSON, "Content-Encoding": "gzip"})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * MIB


async def test_an_endless_upload_is_refused_without_being_kept(untouched: Api) -> None:
    """50 MB in chunks, without a length: 413 while it is still coming, and memory grows by the limit at most."""
    sent = 0
    tracemalloc.start()
    try:
        async with asyncio.timeout(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", untouched.http.port)
            head = f"POST {IMPORT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {untouched.token}\r\nTransfer-Encoding: chunked\r\n\r\n"
            writer.write(head.encode())
            answer = asyncio.ensure_future(reader.readuntil(b"\r\n\r\n"))
            try:
                while sent < 50 * MIB and not answer.done():
                    writer.write(b"10000\r\n" + b" " * 2**16 + b"\r\n")
                    sent += 2**16
                    await writer.drain()
            except ConnectionError:
                pass  # the hub has hung up: it has said why before
            received = await answer
            writer.close()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert received.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in received
    assert peak < 10 * MIB


async def test_a_megabyte_of_braces_does_not_compile(untouched: Api) -> None:
    """A source that only opens blocks ends as a diagnostic."""
    status, body, _ = await untouched.call("POST", "/intent/compile", json={"source": "{" * (MIB - 100)})
    assert (status, body["code"]) == (422, "compile-failed")
