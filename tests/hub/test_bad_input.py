"""Broken and hostile bodies: a problem document that names the place, and nothing is changed."""

import json
from typing import Any

import pytest

from tests.hub.api import Api, Client
from tests.hub.networks import link
from tests.hub.refusals import paths, refused

JSON = {"Content-Type": "application/json"}
DEEP = b"[" * 10_000 + b"]" * 10_000
DEEP_OBJECTS = b'{"a":' * 10_000 + b"1" + b"}" * 10_000
WRITES = [
    ("POST", "/api/v1/auth/login"),
    ("POST", "/api/v1/topology/nodes"),
    ("PUT", "/api/v1/topology/nodes/r1"),
    ("POST", "/api/v1/topology/links"),
    ("POST", "/api/v1/topology/import"),
    ("POST", "/api/v1/intent/compile"),
    ("POST", "/api/v1/deploy/execute"),
]


async def test_a_missing_body_is_refused(untouched: Api) -> None:
    """400."""
    for method, path in WRITES:
        await refused(untouched, 400, "invalid", method, path)


async def test_broken_json_is_refused_with_line_and_column(untouched: Api) -> None:
    """The place where it broke."""
    for body in [b"{", b'{"id": "r9",}', b'{"id": "r9"} x', b"\xff\xfe", b'{"a": "\\ud800"}']:
        for method, path in WRITES:
            problem = await refused(untouched, 400, "invalid", method, path, data=body, headers=JSON)
            assert "line 1" in problem["detail"]


async def test_a_body_of_the_wrong_kind_is_refused(untouched: Api) -> None:
    """JSON, but not what was asked for."""
    for body in [b"null", b"7", b'"text"', b"true", b"[[]]", b"[7]"]:
        for method, path in WRITES:
            await refused(untouched, 400, "invalid", method, path, data=body, headers=JSON)


async def test_numbers_that_are_none_are_refused(untouched: Api) -> None:
    """NaN and infinity are no JSON."""
    for body in [b'{"cost": NaN}', b'{"cost": Infinity}', b'{"cost": -Infinity}', b'{"cost": 1e999}']:
        for method, path in WRITES:
            await refused(untouched, 400, "invalid", method, path, data=body, headers=JSON)


async def test_a_body_nested_10000_deep_is_refused(untouched: Api) -> None:
    """No stack overflows."""
    for body in [DEEP, DEEP_OBJECTS]:
        for method, path in WRITES:
            await refused(untouched, 400, "invalid", method, path, data=body, headers=JSON)


async def test_a_field_that_does_not_exist_is_refused(untouched: Api) -> None:
    """Nothing is ignored silently; the path names it."""
    for method, path in WRITES:
        problem = await refused(untouched, 400, "invalid", method, path, json={"colour": "blue"})
        assert "colour" in paths(problem)


BAD_NODES: list[tuple[dict[str, Any], str, str]] = [
    ({"id": 7}, "id", "must be a string, not a number"),
    ({"id": "r9", "location": {"latitude": "1", "longitude": 2}}, "location.latitude", "must be a number, not a string"),
    ({"id": "r9", "location": {"latitude": 1}}, "location.longitude", "is required"),
    ({"id": "r9", "interfaces": [{"name": "a"}, {"name": "b", "address": "10.0.0.300"}]}, "interfaces[1].address", "not an IP address"),
    ({"id": "r9", "interfaces": "eth0"}, "interfaces", "must be a list, not a string"),
    ({"id": "r9", "modalities": ["ip", "ipx"]}, "modalities[1]", "must be one of ip, ndn, geo, p4"),
    ({"id": "r9", "properties": []}, "properties", "must be an object, not a list"),
    ({"id": "r9", "management": {"driver": True}}, "management.driver", "must be a string, not a boolean"),
    ({"id": "-r9"}, "id", "is not an id"),
    ({"id": "../etc"}, "id", "is not an id"),
    ({"id": ""}, "id", "is not an id"),
    ({"id": None}, "id", "must be a string, not null"),
    ({"id": "r9", "name": "a\nb"}, "name", "printable"),
]


async def test_a_field_of_a_node_is_refused_with_its_path(untouched: Api) -> None:
    """Nothing is coerced."""
    for body, path, message in BAD_NODES:
        problem = await refused(untouched, 400, "invalid", "POST", "/api/v1/topology/nodes", json=body)
        assert paths(problem) == [path]
        assert message in problem["errors"][0]["message"]


BAD_LINKS: list[tuple[dict[str, Any], str]] = [
    ({"bandwidth": 0}, "bandwidth"),
    ({"bandwidth": "10 parsecs"}, "bandwidth"),
    ({"latency": -1}, "latency"),
    ({"loss": 1.5}, "loss"),
    ({"mtu": 1500.0}, "mtu"),
    ({"mtu": True}, "mtu"),
    ({"enabled": "false"}, "enabled"),
    ({"source": "r1"}, "source"),
    ({"source": {"node": "r1", "port": 1}}, "source.port"),
]


async def test_a_field_of_a_link_is_refused_with_its_path(untouched: Api) -> None:
    """Nothing is coerced: 1500.0 is no MTU and "false" is not false."""
    for more, path in BAD_LINKS:
        problem = await refused(untouched, 400, "invalid", "POST", "/api/v1/topology/links", json={**link("r1", "r3"), **more})
        assert paths(problem) == [path]


async def test_every_fault_is_named_at_once(untouched: Api) -> None:
    """Nobody has to try again for the next."""
    body = {"id": 7, "type": 8, "colour": "blue", "location": {"latitude": 100, "longitude": 0}}
    problem = await refused(untouched, 400, "invalid", "POST", "/api/v1/topology/nodes", json=body)
    assert set(paths(problem)) == {"id", "type", "colour", "location.latitude"}


async def test_huge_numbers_are_refused(untouched: Api) -> None:
    """Integers beyond 64 bit are not what anybody means."""
    body = b'{"id": "r9", "location": {"latitude": ' + b"9" * 400 + b', "longitude": 0}}'
    await refused(untouched, 400, "invalid", "POST", "/api/v1/topology/nodes", data=body, headers=JSON)


async def test_the_words_of_the_caller_are_not_repeated_at_length(untouched: Api) -> None:
    """A megabyte in does not make a megabyte out."""
    problem = await refused(untouched, 400, "invalid", "POST", "/api/v1/topology/nodes", json={"id": "x" * 500_000})
    assert len(problem["detail"]) < 500


async def test_an_unforeseen_error_is_told_without_its_trace(
    anonymous: Client, operator: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """500 `internal`; the trace is in the log."""

    def explode(*_: object) -> None:
        raise RuntimeError("the secret of /hub/house.py")

    monkeypatch.setattr("hub.rest.topology.etag", explode)
    problem = await refused(operator, 500, "internal", "GET", "/api/v1/topology")
    assert "secret" not in json.dumps(problem)
    assert "the secret of" in caplog.text
