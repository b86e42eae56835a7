"""Topologies as files: taken in by any door a client has, given out, and the same afterwards."""

import json
from typing import Any

import aiohttp
import pytest

from tests.hub.api import Api
from tests.hub.networks import NODES, build_square, square

GRAPHML = """<?xml version="1.0" encoding="utf-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
  <key attr.name="label" attr.type="string" for="node" id="d0"/>
  <key attr.name="Latitude" attr.type="double" for="node" id="d1"/>
  <key attr.name="Longitude" attr.type="double" for="node" id="d2"/>
  <key attr.name="LinkSpeedRaw" attr.type="double" for="edge" id="d3"/>
  <graph edgedefault="undirected">
    <node id="0"><data key="d0">Paris</data><data key="d1">48.85</data><data key="d2">2.35</data></node>
    <node id="1"><data key="d0">London</data><data key="d1">51.5</data><data key="d2">-0.12</data></node>
    <edge source="0" target="1"><data key="d3">10000000000.0</data></edge>
  </graph>
</graphml>
"""


async def topology(api: Api) -> dict[str, Any]:
    """Return the topology as it is."""
    _, body, _ = await api.call("GET", "/topology")
    assert isinstance(body, dict)
    return body


async def test_native_json_is_taken_in(operator: Api) -> None:
    """The answer counts by kind what came, changed and went."""
    status, body, headers = await operator.call("POST", "/topology/import", json=square())
    assert (status, headers["ETag"]) == (200, '"1"')
    assert (body["revision"], body["format"], body["dry_run"], body["warnings"]) == (1, "json", False, [])
    assert body["added"] == {"nodes": list(NODES), "links": ["r1-r2", "r2-r3", "r3-r4", "r4-r1"], "demands": []}
    assert body["changed"] == body["removed"] == {"nodes": [], "links": [], "demands": []}


@pytest.mark.parametrize(
    ("query", "content_type"),
    [("?format=graphml", "application/octet-stream"), ("", "application/graphml+xml"), ("", "text/xml"), ("", "application/octet-stream")],
)
async def test_graphml_is_known_by_name_type_or_content(operator: Api, query: str, content_type: str) -> None:
    """?format=, the content type, and the content where neither tells."""
    status, body, _ = await operator.call("POST", f"/topology/import{query}", data=GRAPHML, headers={"Content-Type": content_type})
    assert (status, body["format"]) == (200, "graphml")
    nodes = (await topology(operator))["nodes"]
    assert [n["id"] for n in nodes] == ["paris", "london"]


async def test_a_file_comes_as_multipart_too(operator: Api) -> None:
    """As a browser's form sends it; the file's name tells the format."""
    form = aiohttp.FormData()
    form.add_field("comment", "the way to London")
    form.add_field("file", GRAPHML.encode(), filename="two.graphml", content_type="application/octet-stream")
    status, body, _ = await operator.call("POST", "/topology/import", data=form)
    assert (status, body["format"], body["added"]["nodes"]) == (200, "graphml", ["paris", "london"])


async def test_what_was_assumed_comes_back_as_warnings(operator: Api) -> None:
    """Each with its place."""
    _, body, _ = await operator.call("POST", "/topology/import", data=GRAPHML, headers={"Content-Type": "text/xml"})
    assert [warning["path"] for warning in body["warnings"]] == ["edges"]
    assert "latency" in body["warnings"][0]["message"]


async def test_a_dry_run_shows_the_difference_and_writes_nothing(operator: Api) -> None:
    """The revision stays."""
    await build_square(operator)
    before = await topology(operator)
    status, body, headers = await operator.call("POST", "/topology/import?dry_run=true", data=GRAPHML, headers={"Content-Type": "text/xml"})
    assert (status, body["revision"], body["dry_run"], headers["ETag"]) == (200, 1, True, '"1"')
    assert (body["added"]["nodes"], body["removed"]["nodes"]) == (["paris", "london"], list(NODES))
    assert await topology(operator) == before


async def test_replace_is_the_default(operator: Api) -> None:
    """What was there is gone."""
    await build_square(operator)
    await operator.call("POST", "/topology/import", json={"nodes": [{"id": "x"}]})
    after = await topology(operator)
    assert ([n["id"] for n in after["nodes"]], after["links"], after["revision"]) == (["x"], [], 2)


async def test_merge_keeps_what_the_file_does_not_name(operator: Api) -> None:
    """New parts come, named ones change, the rest stays."""
    await build_square(operator)
    status, body, _ = await operator.call(
        "POST", "/topology/import?mode=merge", json={"nodes": [{"id": "x"}, {"id": "r1", "name": "Paris"}]}
    )
    assert (status, body["added"]["nodes"], body["changed"]["nodes"], body["removed"]["nodes"]) == (200, ["x"], ["r1"], [])
    assert {n["id"] for n in (await topology(operator))["nodes"]} == {*NODES, "x"}


MERGED = {
    "json": b'{"nodes": [{"id": "x"}], "links": [{"id": "l", "source": {"node": "x"}, "target": {"node": "r1"}}]}',
    "yaml": b"nodes: [{id: x}]\nlinks: [{id: l, source: {node: x}, target: {node: r1}}]\n",
    "node-link": b'{"nodes": [{"id": "x"}], "edges": [{"source": "x", "target": "r1"}]}',
    "graphml": b'<graphml><graph><node id="x"/><edge source="x" target="r1"/></graph></graphml>',
    "minindn": b"[nodes]\nx: _\n[links]\nx:r1 delay=10ms\n",
    "containerlab": b"name: more\ntopology: {nodes: {x: {kind: linux}}, links: [{endpoints: [{node: x, interface: e1}, {node: r1}]}]}\n",
    "paranet": b"node x { }\nlink { endpoints: [x, r1] }\n",
}


@pytest.mark.parametrize("name", MERGED)
async def test_a_file_to_merge_may_lead_to_nodes_of_the_hub(operator: Api, name: str) -> None:
    """A link in it to a node that only the hub has joins the two; merging the same again changes nothing; replacing is refused."""
    await build_square(operator)
    headers = {"Content-Type": "application/octet-stream"}
    status, body, _ = await operator.call("POST", "/topology/import?mode=merge", data=MERGED[name], headers=headers)
    assert (status, body["format"], body["added"]["nodes"], body["revision"]) == (200, name, ["x"], 2)
    (link,) = [link for link in (await topology(operator))["links"] if link["source"]["node"] == "x"]
    assert link["target"]["node"] == "r1"
    status, body, _ = await operator.call("POST", "/topology/import?mode=merge", data=MERGED[name], headers=headers)
    assert (status, body["revision"]) == (200, 2)
    status, body, _ = await operator.call("POST", "/topology/import", data=MERGED[name], headers=headers)
    assert body["code"] in ("invalid-topology", "invalid")


async def test_a_file_to_merge_that_leads_nowhere_is_refused(operator: Api) -> None:
    """With the place of the link."""
    await build_square(operator)
    body = {"nodes": [], "links": [{"id": "x-r1", "source": {"node": "x"}, "target": {"node": "r1"}}]}
    status, problem, _ = await operator.call("POST", "/topology/import?mode=merge", json=body)
    assert (status, problem["errors"][0]["path"]) == (422, "links[0].source.node")


async def test_an_import_on_an_old_topology_is_refused(operator: Api) -> None:
    """If-Match guards an import as it guards any write."""
    await build_square(operator)
    status, body, _ = await operator.call("POST", "/topology/import", json={"nodes": []}, headers={"If-Match": '"0"'})
    assert (status, body["code"], body["revision"]) == (412, "stale-revision", 1)
    assert len((await topology(operator))["nodes"]) == 4


async def test_importing_what_is_there_makes_no_revision(operator: Api) -> None:
    """No change, no revision."""
    assert [await build_square(operator), await build_square(operator)] == [1, 1]


async def test_what_is_exported_is_a_file(operator: Api) -> None:
    """With a name that tells the revision, and the ETag."""
    await build_square(operator)
    _, body, headers = await operator.call("GET", "/topology/export")
    assert headers["Content-Disposition"] == 'attachment; filename="topology-1.json"'
    assert (headers["Content-Type"].partition(";")[0], headers["ETag"]) == ("application/json", '"1"')
    assert set(body) == {"nodes", "links", "demands"}


async def test_an_export_the_caller_has_is_not_written_again(operator: Api) -> None:
    """If-None-Match with the ETag of the export: 304, whatever the format."""
    await build_square(operator)
    status, body, headers = await operator.call("GET", "/topology/export?format=graphml", headers={"If-None-Match": '"1"'})
    assert (status, body, headers["ETag"]) == (304, None, '"1"')
    assert (await operator.call("GET", "/topology/export?format=json", headers={"If-None-Match": '"0"'}))[0] == 200


async def test_an_export_imports_as_the_same_topology(operator: Api) -> None:
    """Export, empty the hub, import: nothing differs but the revision; exporting again gives the same bytes."""
    body = square() | {"demands": [{"id": "d", "source": "r1", "target": "r3", "rate": "1Gbps"}]}
    await operator.call("POST", "/topology/import", json=body)
    before = await topology(operator)
    _, exported, _ = await operator.call("GET", "/topology/export?format=json")
    await operator.call("POST", "/topology/import", json={"nodes": []})
    status, _, _ = await operator.call("POST", "/topology/import", data=json.dumps(exported), headers={"Content-Type": "application/json"})
    assert status == 200
    assert await topology(operator) | {"revision": 1} == before
    assert (await operator.call("GET", "/topology/export"))[1] == exported


async def test_an_answer_of_get_topology_can_be_sent_back(operator: Api) -> None:
    """`revision` is read and forgotten."""
    await build_square(operator)
    status, body, _ = await operator.call("POST", "/topology/import", json=await topology(operator))
    assert (status, body["revision"]) == (200, 1)


async def test_an_unknown_format_is_not_written(operator: Api) -> None:
    """415 names those that are known."""
    status, body, _ = await operator.call("GET", "/topology/export?format=visio")
    assert (status, body["code"]) == (415, "unknown-format")
    assert "json" in body["detail"]
