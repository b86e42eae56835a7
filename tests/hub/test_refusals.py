"""Refused writes are in the audit log, and no flood of them fills it."""

from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest

from actors.audit import GetAudit, Record
from actors.storage import Database
from hub import settings as s
from hub.house import House
from hub.refusals import KINDS
from hub.settings import Settings
from paranet.errors import Forbidden
from tests.hub.api import Api, Client, sign_in
from tests.hub.houses import opened
from tests.hub.sockets import connected
from tests.hub.staff import PASSWORD

Found = list[tuple[str, str, str, str]]


async def refusals(admin: Api) -> Found:
    """Return author, action, target and outcome of what was refused at the door, oldest first; each says from where."""
    _, body, _ = await admin.call("GET", "/system/audit?limit=500")
    found = [entry for entry in reversed(body["items"]) if entry["refused"]]
    assert all(entry["remote"] or entry["action"] == "" for entry in found)
    return [(e["author"], e["action"], e["target"], e["outcome"]) for e in found]


async def test_a_write_that_the_door_refuses_is_written_down(admin: Api, viewer: Api, anonymous: Client) -> None:
    """Without a token, with a wrong one, below the role, outside a machine's scopes; over a socket too. Reads are not writes."""
    await Api(anonymous, "nonsense").call("DELETE", "/topology/nodes/r1")
    async with anonymous.post("/api/v1/topology/nodes", json={"id": "r1"}) as response:
        assert response.status == 401
    await viewer.call("POST", "/deploy/rollback/17")
    _, body, _ = await admin.call("POST", "/auth/tokens", json={"name": "probe", "scopes": ["monitor"]})
    await Api(anonymous, body["token"]).call("PUT", "/topology/links/l1", json={})
    async with connected(viewer) as socket:
        await socket.say(type="ask", id=1, method="topology.nodes.remove", params={"id": "r7"})
        assert (await socket.hear("error"))["error"]["code"] == "forbidden"
    await viewer.call("GET", "/system/audit")
    await Api(anonymous, "nonsense").call("GET", "/topology")
    assert await refusals(admin) == [
        ("", "topology.nodes.remove", "r1", "unauthenticated"),
        ("", "topology.nodes.add", "", "unauthenticated"),
        ("viewer", "deploy.roll-back", "17", "forbidden"),
        ("admin", "topology.links.replace", "l1", "forbidden"),
        ("viewer", "topology.nodes.remove", "r7", "forbidden"),
    ]


async def test_a_page_of_another_site_is_written_down(admin: Api, browser: aiohttp.ClientSession) -> None:
    """Somebody's browser was made to ask."""
    await (await browser.post("/api/v1/auth/login", json={"username": "operator", "password": PASSWORD})).read()
    async with browser.post("/api/v1/topology/nodes", json={"id": "r1"}, headers={"Origin": "http://evil.example"}) as response:
        assert response.status == 403
    assert await refusals(admin) == [("", "topology.nodes.add", "", "forbidden")]


async def test_too_many_writes_are_one_entry_and_a_number(settings: Settings) -> None:
    """429: the first is written down at once, the rest as their number."""
    tight = attrs.evolve(settings, limits=s.Limits(expensive="2/hour"))
    async with opened(tight, now=lambda: 1_800_001_800.0) as (house, client):  # no hour ends meanwhile
        operator, admin = await sign_in(client, "operator"), await sign_in(client, "admin")
        for _ in range(7):
            await operator.call("POST", "/intent/format", json={"source": ""})
        assert await refusals(admin) == [("operator", "intent.format", "", "too-many-requests")]
        house.refusals.flush()
        assert (await refusals(admin))[1:] == [("operator", "intent.format", "(and 4 times more)", "too-many-requests")]


async def test_guessing_passwords_fills_nothing(admin: Api, anonymous: Client, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each name once in a window, and how often."""
    monkeypatch.setattr("actors.people.Failures.LONGEST", 0.0)
    for name in ("operator", "nobody") * 10:
        async with anonymous.post("/api/v1/auth/login", json={"username": name, "password": "a guess"}) as response:
            assert response.status == 401
    house.refusals.flush()
    found = [(target, outcome) for _, _, target, outcome in await refusals(admin)]
    assert found == [(f"{name}{more}", "unauthenticated") for more in ("", " (and 9 times more)") for name in ("operator", "nobody")]


async def test_a_flood_from_everywhere_is_bounded(house: House, admin: Api) -> None:
    """However many addresses and targets: so many kinds, each twice at most, and a number for the rest."""
    for i in range(10_000):
        house.refusals.note("", f"10.0.{i >> 8}.{i & 255}", "topology.nodes.remove", f"r{i}", Forbidden("no"))
    house.refusals.flush()
    found = await refusals(admin)
    assert len(found) == KINDS + 1
    assert found[-1] == ("", "", f"{10_000 - KINDS} of other kinds", "refused")


async def test_only_the_newest_refusals_are_kept(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was done is never pushed out by what was refused."""
    monkeypatch.setattr("actors.audit.REFUSED", 5)
    audit = house.system.ref("audit")
    wanted: dict[str, Any] = {"author": "a", "remote": "r", "action": "deed", "outcome": "ok"}
    await audit.ask(Record(target="done", **wanted), timeout=5)
    for i in range(20):
        await audit.ask(Record(target=str(i), refused=True, **wanted), timeout=5)
    entries = await audit.ask(GetAudit(limit=100, before=1 << 60), timeout=5)
    assert [entry.target for entry in entries] == ["19", "18", "17", "16", "15", "done"]


async def test_the_rest_is_written_down_before_the_end(settings: Settings) -> None:
    """A hub that stops leaves no number in memory."""
    async with opened(settings) as (house, client):
        viewer = await sign_in(client, "viewer")
        for _ in range(3):
            await viewer.call("DELETE", "/topology/nodes/r1")
        database = house.control.path
    found = await _targets(database)
    assert found == ["r1", "r1 (and 2 times more)"]


async def _targets(path: Path) -> list[str]:
    database = await Database.open(path, "control")
    try:
        return [str(target) for (target,) in await database.fetch("SELECT target FROM audit WHERE refused ORDER BY id")]
    finally:
        await database.close()
