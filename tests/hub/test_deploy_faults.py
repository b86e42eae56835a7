"""Deployments among devices that hang, refuse and die: what the API says then."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import attrs
import pytest

import hub.house
from hub.house import House
from hub.settings import Settings
from paranet.controller.simulator.lab import Lab
from paranet.controller.simulator.network import SimulatedNetwork
from paranet.models.device import Row
from tests.hub.api import Api
from tests.hub.deployments import differences, executed, followed, started, status_of
from tests.hub.networks import OTHER_WAY, ROUTE, compiled
from tests.hub.staff import hire

networks: pytest.StashKey[SimulatedNetwork] = pytest.StashKey()


@pytest.fixture
async def house(settings: Settings, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    """An open house whose simulated network is kept for the test to break."""

    def make(*arguments: Any, **options: Any) -> SimulatedNetwork:
        network = SimulatedNetwork(*arguments, **options)
        request.node.stash[networks] = network
        return network

    monkeypatch.setattr(hub.house, "SimulatedNetwork", make)
    await hire(settings.server.data_dir)
    async with House(settings, show_first_password=lambda _: None) as opened:
        yield opened


@pytest.fixture
def lab(square: Api, request: pytest.FixtureRequest) -> Lab:
    """The faults of the square."""
    found: Lab = request.node.stash[networks].lab
    return found


@attrs.frozen
class Gate:
    """Stops r2 when it is to stage."""

    opened: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def before(self, passed: Callable[[str, str], Awaitable[None]], node: str, step: str) -> None:
        """Take the place of Lab.before."""
        if (node, step) == ("r2", "stage"):
            await self.opened.wait()
        await passed(node, step)


@pytest.fixture
async def gate(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gate]:
    """A gate before r2, closed until the test opens it."""
    made = Gate()
    monkeypatch.setattr(lab, "before", partial(made.before, lab.before))
    yield made
    made.opened.set()


async def test_a_device_that_refuses_has_the_deployment_undone(square: Api, lab: Lab) -> None:
    """`rolled_back` with the reason, and no difference is left behind."""
    compile_id = await compiled(square)
    before = await differences(square, compile_id)
    lab.refuse_next("r2", "commit")
    status = await executed(square, compile_id)
    assert (status["state"], status["inconsistent_devices"]) == ("rolled_back", [])
    assert "r2" in status["reason"]
    assert await differences(square, compile_id) == before


async def test_what_did_not_succeed_is_not_rolled_back(square: Api, lab: Lab) -> None:
    """409 wrong-state."""
    lab.refuse_next("r2", "stage")
    done = await executed(square, await compiled(square))
    status, body, _ = await square.call("POST", f"/deploy/rollback/{done['deploy_id']}")
    assert (status, body["code"]) == (409, "wrong-state")


async def test_devices_that_a_deployment_holds_are_busy(square: Api, gate: Gate) -> None:
    """For who does not want to wait: 409 naming the holder of each; when it has ended they are free."""
    first, second = await compiled(square, name="one"), await compiled(square, name="two")
    holder = await started(square, first)
    status, body, _ = await square.call("POST", "/deploy/execute", json={"compile_id": second, "queue": False})
    assert (status, body["code"]) == (409, "devices-busy")
    assert body["leases"] == {"r1": holder, "r2": holder}
    gate.opened.set()
    await followed(square, holder)
    assert (await executed(square, second))["state"] == "succeeded"


async def test_overlapping_deployments_queue(square: Api, gate: Gate) -> None:
    """The second says behind whom it waits, begins when its turn has come, and finds nothing left to change."""
    first, second = await compiled(square, name="one"), await compiled(square, name="two")
    holder = await started(square, first)
    queued = await started(square, second)
    status = await status_of(square, queued)
    assert (status["state"], status["behind"]) == ("queued", [holder])
    gate.opened.set()
    events = await followed(square, queued)
    assert [e["state"] for e in events][:2] == ["queued", "planned"]
    assert events[-1]["state"] == "succeeded"
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
    assert await followed(square, queued) == events


async def test_a_queued_deployment_is_cancelled(square: Api, gate: Gate) -> None:
    """It never begins; the one before it is not disturbed."""
    first, second = await compiled(square, name="one"), await compiled(square, name="two")
    holder, queued = await started(square, first), await started(square, second)
    status, body, _ = await square.call("POST", f"/deploy/cancel/{queued}")
    assert (status, body["state"]) == (202, "cancelled")
    gate.opened.set()
    assert (await followed(square, holder))[-1]["state"] == "succeeded"


async def test_a_queued_deployment_that_cannot_be_planned_any_more_ends(square: Api, gate: Gate) -> None:
    """It says why: what it waited for has taken its rows."""
    holder = await started(square, await compiled(square, ROUTE, name="one"))
    queued = await started(square, await compiled(square, OTHER_WAY, name="two"))
    gate.opened.set()
    await followed(square, holder)
    await followed(square, queued)
    status = await status_of(square, queued)
    assert status["state"] == "rolled_back"
    assert "its turn came" in status["reason"]


async def test_leases_are_listed_and_taken_away(square: Api, gate: Gate) -> None:
    """An operator frees a device; the deployment that held it can do nothing more to it, and says so."""
    deploy_id = await started(square, await compiled(square))
    await followed(square, deploy_id, to={"staging"})
    _, listed, _ = await square.call("GET", "/deploy/leases")
    assert [(lease["node"], lease["deploy_id"]) for lease in listed["items"]] == [("r1", deploy_id), ("r2", deploy_id)]
    status, lease, _ = await square.call("DELETE", "/deploy/leases/r2")
    assert (status, lease["node"]) == (200, "r2")
    assert (await square.call("DELETE", "/deploy/leases/r2"))[0] == 404
    gate.opened.set()
    assert (await followed(square, deploy_id))[-1]["state"] == "rolled_back"
    assert "no longer leased" in (await status_of(square, deploy_id))["reason"]
    assert (await executed(square, await compiled(square)))["state"] == "succeeded"


async def test_a_change_between_staging_and_commit_is_seen(square: Api, lab: Lab, gate: Gate) -> None:
    """Somebody else's row stays, ours are not installed."""
    deploy_id = await started(square, await compiled(square))
    await followed(square, deploy_id, to={"staging"})
    foreign = Row(family="ip.route", key="10.99.0.0/24", value={"next_hops": []})
    original = lab.before

    async def sneak(node: str, step: str) -> None:
        if (node, step) == ("r1", "read_rows"):
            lab.change_row("r1", foreign)
        await original(node, step)

    lab.before = sneak  # type: ignore[method-assign]  # a fault of this moment
    gate.opened.set()
    await followed(square, deploy_id)
    status = await status_of(square, deploy_id)
    assert status["state"] == "rolled_back"
    assert "somebody else" in status["reason"]
    _, drift, _ = await square.call("GET", "/deploy/drift")
    assert [(d["node"], d["key"], d["kind"]) for d in drift["items"]] == [("r1", "10.99.0.0/24", "foreign")]


async def test_a_running_deployment_is_cancelled(square: Api, gate: Gate) -> None:
    """202, and it ends as `cancelled` with nothing changed."""
    compile_id = await compiled(square)
    before = await differences(square, compile_id)
    deploy_id = await started(square, compile_id)
    await followed(square, deploy_id, to={"staging"})
    status, body, _ = await square.call("POST", f"/deploy/cancel/{deploy_id}")
    assert (status, body["state"]) == (202, "cancelling")
    gate.opened.set()
    assert (await followed(square, deploy_id))[-1]["state"] == "cancelled"
    assert await differences(square, compile_id) == before


async def test_a_device_without_power_is_named(square: Api, lab: Lab) -> None:
    """502 device-error before anything is started."""
    compile_id = await compiled(square)
    lab.kill_node("r2")
    status, body, _ = await square.call("POST", "/deploy/execute", json={"compile_id": compile_id})
    assert (status, body["code"], body["devices"]) == (502, "device-error", ["r2"])
    assert (await square.call("GET", "/deploy/history"))[1]["items"] == []


async def test_a_status_while_it_runs_has_no_ending(square: Api, gate: Gate) -> None:
    """`ended_at` is null until it is over."""
    deploy_id = await started(square, await compiled(square))
    await followed(square, deploy_id, to={"staging"})
    status = await status_of(square, deploy_id)
    assert (status["state"], status["ended_at"]) == ("staging", None)
    gate.opened.set()
    await followed(square, deploy_id)
