"""One source for all that the language says, through a running hub on the demo network; and sources that are wrong."""

import json

import pytest

from paranet.compiler.render import PLATFORMS
from paranet.examples import demo
from tests.hub.api import Api
from tests.paranet.compiler.test_demo import EVERYTHING, REFUTED, WRONG


@pytest.fixture
async def cities(operator: Api) -> Api:
    """The API of a hub that has the demo network."""
    status, body, _ = await operator.call("POST", "/topology/import", json=json.loads(demo()))
    assert status == 200, body
    return operator


async def test_one_source_for_everything(cities: Api) -> None:
    """A route, a class, a deny, a name with a cache, a region and a P4 table: compiled, proven, shown on every platform and on the map."""
    status, body, _ = await cities.call("POST", "/intent/compile", json={"source": EVERYTHING, "name": "all"})
    assert (status, body["diagnostics"]) == (201, [])
    assert (body["verification"]["ok"], body["verification"]["violations"]) == (True, [])
    _, shown, _ = await cities.call("GET", f"/intent/preview/{body['id']}")
    assert {platform for device in shown["devices"] for platform in device["text"]} == set(PLATFORMS)
    families = {row["family"] for device in shown["devices"] for row in device["diff"]["add"]}
    assert families >= {"ip.route", "ip.qos", "ip.acl", "ip.mcast", "ndn.rib", "ndn.cs", "geo.region", "geo.forward", "p4.table"}
    assert {f["properties"]["modality"] for f in shown["geojson"]["features"]} == {"ip", "ndn", "geo", "p4"}
    assert shown["conflict"] is None


async def test_ten_wrong_sources(cities: Api) -> None:
    """422 with the one diagnostic that says what is wrong, and where."""
    assert len(WRONG) == 10
    for code, source in WRONG.items():
        status, body, _ = await cities.call("POST", "/intent/compile", json={"source": source})
        assert (status, body["code"]) == (422, "compile-failed")
        assert [fault["code"] for fault in body["errors"] if fault["severity"] == "error"] == [code]
        assert all(fault["span"]["line"] >= 1 for fault in body["errors"])


async def test_what_compiles_and_does_not_hold(cities: Api) -> None:
    """201, but the report names the check, the intents and a witness."""
    for check, source in REFUTED.items():
        status, body, _ = await cities.call("POST", "/intent/compile", json={"source": source})
        assert (status, body["verification"]["ok"]) == (201, False)
        found = [v for v in body["verification"]["violations"] if v["check"] == check]
        assert found
        assert all(v["intents"] and v["rows"] and v["witness"]["hops"] and v["witness"]["header"] for v in found)
