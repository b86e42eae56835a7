"""Idempotency-Key: asked again, it is done once."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import attrs
import pytest
from aiohttp.test_utils import TestClient, TestServer

from actors.repeats import Answer, Begin, Keep
from hub.app import make_app
from hub.house import House
from hub.repeats import REPEATABLE
from hub.rest import OPERATIONS
from hub.settings import Settings
from hub.shapes import shape_of
from paranet.errors import AlreadyExists, Repeated
from tests.hub.api import Api, sign_in
from tests.hub.houses import opened
from tests.hub.networks import ROUTE
from tests.hub.sockets import connected

KEY = {"Idempotency-Key": "2b1e7a55-once"}
RULE = {"name": "busy", "expr": "paranet_node_cpu_ratio > 0.9", "severity": "warning", "labels": {}, "annotations": {}}
SILENCE = {"matchers": [{"name": "node", "value": "r1"}], "ends_at": "2126-01-01T00:00:00Z", "comment": "work"}
USER = {"username": "anna", "password": "a password of hers", "role": "viewer"}
ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "topology.nodes.add": ("/topology/nodes", {"id": "r9"}),
    "topology.links.add": ("/topology/links", {"id": "r1-r3", "source": {"node": "r1"}, "target": {"node": "r3"}}),
    "topology.import": ("/topology/import?mode=merge", {"nodes": [{"id": "r9"}], "links": []}),
    "topology.restore": ("/topology/restore/1", {}),
    "intent.compile": ("/intent/compile", {"source": ROUTE}),
    "chat.say": ("/intent/chat", {"message": "what is installed?"}),
    "alerts.rules.create": ("/monitor/alerts/rules", RULE),
    "alerts.silences.create": ("/monitor/alerts/silences", SILENCE),
    "auth.users.add": ("/auth/users", USER),
    "deploy.drift-restore": ("/deploy/drift/restore", {"nodes": ["r1"]}),
}
MEMORY_OF_ITS_OWN = frozenset({"deploy.execute", "deploy.roll-back"})
NOTHING_LASTS = frozenset({"auth.ticket", "deploy.cancel"})


def test_every_operation_that_makes_something_has_a_memory() -> None:
    """What answers 201 or 202 to a POST is in the list, or remembers keys itself, or makes nothing that lasts."""
    making = {o.name for o in OPERATIONS if o.method == "POST" and {201, 202} & set(shape_of(o).statuses)}
    assert making - MEMORY_OF_ITS_OWN - NOTHING_LASTS <= REPEATABLE
    assert {o.name for o in OPERATIONS if o.method == "POST"} >= REPEATABLE


@pytest.mark.usefixtures("square")
async def test_asking_again_is_answered_as_before(admin: Api) -> None:
    """Status, body, ETag and Location, which can be read, are the same, and nothing more has been done; the key is of this request only."""
    await admin.call("POST", "/topology/nodes", json={"id": "r8"})
    wrong: list[tuple[object, ...]] = []
    for name, (path, body) in ASKED.items():
        first = await admin.call("POST", path, json=body, headers={"Idempotency-Key": name})
        _, before, _ = await admin.call("GET", "/topology/history")
        again = await admin.call("POST", path, json=body, headers={"Idempotency-Key": name})
        _, after, _ = await admin.call("GET", "/topology/history")
        same = [(status, answer, headers.get("ETag"), headers.get("Location")) for status, answer, headers in (first, again)]
        replayed = [headers.get("Idempotency-Replayed") for _, _, headers in (first, again)]
        if same[0] != same[1] or first[0] not in (200, 201, 202) or before != after or replayed != [None, "true"]:
            wrong.append((name, first, again))
        if first[0] in (201, 202) and (await admin.call("GET", first[2]["Location"].removeprefix("/api/v1")))[0] != 200:
            wrong.append((name, first[2]["Location"]))
        status, problem, _ = await admin.call("POST", path, json={**body, "other": 1}, headers={"Idempotency-Key": name})
        if (status, problem["code"]) != (409, "already-exists"):
            wrong.append((name, status, problem))
    assert wrong == []


async def test_a_key_is_of_its_user(operator: Api, admin: Api) -> None:
    """Another's request under the same words is a request of its own."""
    assert (await operator.call("POST", "/topology/nodes", json={"id": "a"}, headers=KEY))[0] == 201
    assert (await admin.call("POST", "/topology/nodes", json={"id": "b"}, headers=KEY))[0] == 201
    assert len((await admin.call("GET", "/topology"))[1]["nodes"]) == 2


async def test_a_refusal_leaves_the_key_free(operator: Api) -> None:
    """What was not done can be put right and asked again."""
    assert (await operator.call("POST", "/topology/nodes", json={"id": ""}, headers=KEY))[0] == 400
    assert (await operator.call("POST", "/topology/nodes", json={"id": "a"}, headers=KEY))[0] == 201


@pytest.mark.parametrize("key", ["", "x" * 201, "with space"])
async def test_a_key_that_is_none_is_refused(untouched: Api, key: str) -> None:
    """400, and nothing is done."""
    assert (await untouched.call("POST", "/topology/nodes", json={"id": "a"}, headers={"Idempotency-Key": key}))[0] == 400


async def test_twice_at_once_is_done_once(operator: Api) -> None:
    """One makes it; the others get the same, or hear that it is under way and when to ask."""
    asked = [operator.call("POST", "/topology/nodes", json={"id": "a"}, headers=KEY) for _ in range(8)]
    found = await asyncio.gather(*asked)
    assert {status for status, _, _ in found} <= {201, 409}
    assert any(status == 201 for status, _, _ in found)
    for status, body, headers in found:
        if status == 409:
            assert (body["code"], headers["Retry-After"]) == ("repeated", "1")
    assert (await operator.call("GET", "/topology"))[1]["revision"] == 1


async def test_over_a_socket_too(operator: Api) -> None:
    """As the member `idempotency_key`, and one key for both doors."""
    async with connected(operator) as socket:
        params = {"body": {"id": "a"}, "idempotency_key": KEY["Idempotency-Key"]}
        await socket.say(type="ask", id=1, method="topology.nodes.add", params=params)
        first = await socket.hear("ok")
    as_json = {**KEY, "Content-Type": "application/json"}
    status, body, _ = await operator.call("POST", "/topology/nodes", data=b'{"id":"a"}', headers=as_json)
    assert (status, body) == (201, first["body"])


async def test_a_secret_is_written_down_nowhere(house: House, operator: Api) -> None:
    """A token is not made twice, nor shown again: 409 says where it is. No body of a request is kept, nor a digest to guess it by."""
    wanted = {"name": "probe", "scopes": ["*"]}
    status, body, headers = await operator.call("POST", "/auth/tokens", json=wanted, headers=KEY)
    assert status == 201
    status, again, _ = await operator.call("POST", "/auth/tokens", json=wanted, headers=KEY)
    assert (status, again["code"], again["location"]) == (409, "repeated", headers["Location"])
    rows = await house.control.fetch("SELECT * FROM answer")
    assert body["token"] not in str(rows)
    assert len((await operator.call("GET", "/auth/tokens"))[1]["items"]) == 1


@attrs.define
class Clock:
    """A clock that tests set."""

    at: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.at


async def test_keys_outlive_the_hub_for_a_day(settings: Settings) -> None:
    """An answer from before a restart is given again; after a day the key is a new one."""
    clock = Clock()
    async with opened(settings, now=clock) as (_, client):
        operator = await sign_in(client, "operator")
        _, first, _ = await operator.call("POST", "/topology/nodes", json={"id": "a"}, headers=KEY)
    async for operator in _again(settings, clock):
        status, body, headers = await operator.call("POST", "/topology/nodes", json={"id": "a"}, headers=KEY)
        assert (status, body, headers["Idempotency-Replayed"]) == (201, first, "true")
        clock.at += 86_401
    async for operator in _again(settings, clock):
        status, body, _ = await operator.call("POST", "/topology/nodes", json={"id": "a"}, headers=KEY)
        assert (status, body["code"], body["ids"]) == (409, "already-exists", ["a"])


async def _again(settings: Settings, clock: Clock) -> AsyncIterator[Api]:
    async with (
        House(settings, show_first_password=lambda _: None, now=clock) as house,
        TestClient(TestServer(make_app(house)), cookie_jar=aiohttp.DummyCookieJar()) as client,
    ):
        yield await sign_in(client, "operator")


# -- what is kept


async def keep(house: House, key: str, body: bytes) -> None:
    repeats = house.system.ref("repeats")
    assert await repeats.ask(Begin(user="u", key=key, request="r"), timeout=5) is None
    answer = Answer(status=201, head={"content_type": "application/json", "location": "/there"}, body=body)
    await repeats.ask(Keep(user="u", key=key, answer=answer), timeout=5)


async def known(house: House, key: str, request: str = "r") -> Answer | None:
    return await house.system.ref("repeats").ask(Begin(user="u", key=key, request=request), timeout=5)


async def test_what_a_hub_died_on_is_not_done_again(house: House, admin: Api) -> None:
    """The key was on disk before; what came of it nobody knows, and it says so."""
    assert await known(house, "k") is None
    with pytest.raises(Repeated, match="under way"):
        await known(house, "k")
    assert (await admin.call("POST", "/system/actors/repeats/restart"))[0] == 200
    with pytest.raises(Repeated, match="nobody knows"):
        await known(house, "k")
    with pytest.raises(AlreadyExists):
        await known(house, "k", request="another")


async def test_a_crash_on_the_way_leaves_it_open(operator: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """500, and then 409: whether it was done is to be looked at first."""

    async def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("actors.topology.TopologyStore.add", broken)
    assert (await operator.call("POST", "/topology/nodes", json={"id": "a"}, headers=KEY))[0] == 500
    status, body, _ = await operator.call("POST", "/topology/nodes", json={"id": "a"}, headers=KEY)
    assert (status, body["code"]) == (409, "repeated")


async def test_so_many_of_a_user_are_remembered(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest."""
    monkeypatch.setattr("actors.repeats.OF_USER", 3)
    for i in range(5):
        await keep(house, str(i), b"{}")
    rows = await house.control.fetch("SELECT key FROM answer ORDER BY id")
    assert rows == [("2",), ("3",), ("4",)]


async def test_answers_take_so_much_room(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The older half goes when it is full; of one that is too large only the place is kept."""
    monkeypatch.setattr("actors.repeats.ROOM", 1000)
    monkeypatch.setattr("actors.repeats.LARGEST", 500)
    await keep(house, "large", b"x" * 501)
    with pytest.raises(Repeated) as caught:
        await known(house, "large")
    assert caught.value.extra["location"] == "/there"
    for i in range(10):
        await keep(house, str(i), json.dumps("x" * 300).encode())
        ((size,),) = await house.control.fetch("SELECT sum(length(body)) FROM answer")
        assert isinstance(size, int)
        assert size <= 1000
    assert (await known(house, "9")) is not None
