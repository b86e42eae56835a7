"""actors.deployment and actors.deployer, on simulated devices"""

import asyncio
from pathlib import Path

import attrs
import pytest

from actors.journal import Wanted
from actors.orders import CancelDeployment, GetDeployHistory, GetDeployment
from paranet.controller.simulator.flash import MemoryFlash
from paranet.controller.simulator.network import SimulatedNetwork
from paranet.errors import NotFound, ParaNetError, WrongState
from paranet.models.device import Rows
from paranet.orchestrator.diff import apply
from paranet.orchestrator.plan import Plan, make_plan
from paranet.orchestrator.waves import Strategy
from tests.actors.deploying import (
    AFTER,
    BEFORE,
    HOPS,
    NODES,
    Hub,
    T,
    before,
    hub,
    kept,
    live,
    orderly,
    plan,
)
from tests.actors.scripted import Script, commits, enters, house, hurry, memory, network, script
from tests.paranet.controller.simulator.networks import route

__all__ = ["house", "hurry", "memory", "network", "script"]

AT_ONCE = Strategy(kind="all-at-once")


async def test_it_succeeds(house: Hub, network: SimulatedNetwork, memory: MemoryFlash) -> None:
    """Every device has its new rows, live and over a power cycle, and the journal says so."""
    progress = await house.run(plan())
    assert (progress.state, progress.percent, progress.reason) == ("succeeded", 100, None)
    assert [[(d.node, d.state) for d in w.devices] for w in progress.waves] == [[(node, "confirmed")] for node in NODES]
    assert live(network) == await kept(memory) == AFTER
    assert (await house.recorded("d1")).decided
    assert progress.ended_at is not None
    assert house.leases() == {}


async def test_what_it_did_is_told_in_order(house: Hub) -> None:
    """The journal and a client see the same events; none is missing, the percentage never goes back."""
    deploy_id = await house.begin(plan())
    recorder = await house.follow(deploy_id)
    await house.ended(deploy_id)
    assert recorder.items == await house.journal.events(deploy_id)
    assert orderly(recorder.items)
    states = [event["state"] for event in recorder.items]
    assert list(dict.fromkeys(states)) == ["planned", "validating", "staging", "committing", "gating", "confirming", "succeeded"]
    assert [e["wave"] for e in recorder.items if e["state"] == "committing" and e["device"] is None] == [0, 1, 2]
    assert recorder.items[-1]["percent"] == 100


async def test_who_comes_late_gets_everything(tmp_path: Path, network: SimulatedNetwork) -> None:
    """After the end and after a restart, with the same positions."""
    async with hub(tmp_path, network) as house:
        await house.run(plan())
        events = await house.journal.events("d1")
        late = await house.follow("d1")
        assert late.items == events
    async with hub(tmp_path, network) as house:
        later = await house.follow("d1")
        assert later.frames == late.frames


async def test_a_log_is_told_whole_however_long(house: Hub, script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it runs and later: other channels would have forgotten their beginning."""
    monkeypatch.setattr("actors.channels.RING_BYTES", 1000)
    held, go_on = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        held.set()
        await go_on.wait()

    script.at(enters("confirming"), hold)
    await house.begin(plan())
    await held.wait()
    early = asyncio.create_task(house.follow("d1"), name="early")
    go_on.set()
    await house.ended("d1")
    events = await house.journal.events("d1")
    assert (await early).items == (await house.follow("d1", "ws/2")).items == events


async def test_a_plan_without_changes_succeeds(house: Hub) -> None:
    """There is nothing to do, and that is done."""
    progress = await house.run(make_plan(plan_id="empty", topology_revision=1, installed={}, desired={}))
    assert (progress.state, progress.waves) == ("succeeded", ())


async def test_a_foreign_change_before_it_is_kept(house: Hub, network: SimulatedNetwork) -> None:
    """What the plan was made on has moved: nothing is sent, and the other's row stays."""
    planned = plan()
    house.lab.change_row("b", route("10.8.0.0/24", (*HOPS["b"], 7)))
    version = network.device("b").store.version
    progress = await house.run(planned)
    assert progress.state == "rolled_back"
    assert "b" in (progress.reason or "")
    assert network.device("b").store.version == version
    assert live(network)["a"] == BEFORE["a"]


@pytest.mark.parametrize("fault", ["refuse", "lose", "dead"])
async def test_a_failure_at_staging_leaves_nothing(house: Hub, network: SimulatedNetwork, script: Script, fault: str) -> None:
    """No row was live on any device at any time; the next deployment finds them free."""
    versions = {node: network.device(node).store.version for node in NODES}
    if fault == "dead":
        script.at(enters("staging"), lambda: house.lab.kill_node("b"))
        script.at(lambda p: p.state == "rolling_back", lambda: house.lab.revive_node("b"))
        versions["b"] += 1  # the power cycle
    else:
        {"refuse": house.lab.refuse_next, "lose": house.lab.lose_next}[fault]("b", "stage")
    progress = await house.run(plan())
    assert progress.state == "rolled_back"
    assert progress.reason is not None
    assert progress.reason.startswith("stage failed on b")
    assert {node: network.device(node).store.version for node in NODES} == versions
    assert live(network) == BEFORE
    assert (await house.run(plan("d2"))).state == "succeeded"


@pytest.mark.parametrize("fault", ["refuse", "lose"])
@pytest.mark.parametrize("wave", [0, 1, 2])
async def test_a_failure_at_a_commit_takes_earlier_waves_back(
    house: Hub, network: SimulatedNetwork, memory: MemoryFlash, fault: str, wave: int
) -> None:
    """Also where only the answer was lost and the rows are live."""
    {"refuse": house.lab.refuse_next, "lose": house.lab.lose_next}[fault](NODES[wave], "commit")
    progress = await house.run(plan())
    assert progress.state == "rolled_back"
    assert f"commit failed on {NODES[wave]}" in (progress.reason or "")
    assert {d.state for w in progress.waves for d in w.devices} == {"restored"}
    assert live(network) == await kept(memory) == BEFORE
    assert orderly(await house.journal.events("d1"))


async def test_owners_are_taken_back_and_nothing_waits(house: Hub, network: SimulatedNetwork) -> None:
    """A change of owners alone, which no device would notice, is undone whole: the owner is gone, and so is the device's timer."""
    house.lab.refuse_next("b", "commit")
    progress = await house.run(_shared("a", "b"))
    assert progress.state == "rolled_back"
    assert [network.device(node).store.running for node in ("a", "b")] == [before("a"), before("b")]
    assert not network.device("a").store.awaits_confirm
    assert (await house.run(plan("d2"))).state == "succeeded"


@pytest.mark.parametrize(("fault", "step"), [("", ""), ("refuse", "commit"), ("lose", "stage"), ("lose", "commit")])
async def test_owners_are_brought_forward_again(house: Hub, network: SimulatedNetwork, script: Script, fault: str, step: str) -> None:
    """A device that fell back before it was to keep new owners has the rows, and not the owners: it is decided that it has both.

    Whatever goes wrong on the way is tried again.
    """

    def fall_back() -> None:
        network.device("a").store.elapse(1000.0)
        if fault:
            {"refuse": house.lab.refuse_next, "lose": house.lab.lose_next}[fault]("a", step)

    script.at(enters("confirming"), fall_back)
    shared = _shared("a")
    assert (await house.run(shared)).state == "succeeded"
    assert network.device("a").store.running == apply(before("a"), shared.devices[0].delta)
    assert not network.device("a").store.awaits_confirm


def _shared(*nodes: str) -> Plan:
    """A plan that changes nothing but owners."""
    installed: dict[str, Rows] = {node: before(node) for node in nodes}
    desired = {node: {key: attrs.evolve(row, owners=("web/web",)) for key, row in rows.items()} for node, rows in installed.items()}
    return make_plan(plan_id="d1", topology_revision=1, installed=installed, desired=desired)


async def test_a_device_that_dies_at_its_commit_is_restored(house: Hub, network: SimulatedNetwork, script: Script) -> None:
    """It comes back while the others are being restored, and is looked at again."""
    script.at(commits(1), lambda: house.lab.kill_node("b"))
    script.at(
        lambda p: (
            p.state == "rolling_back" and any(d.state == "failed" for d in p.waves[1].devices) and p.waves[0].devices[0].state == "restored"
        ),
        lambda: house.lab.revive_node("b"),
    )
    assert (await house.run(plan())).state == "rolled_back"
    assert live(network) == BEFORE


async def test_a_device_that_hangs_at_its_commit_is_restored(
    house: Hub, network: SimulatedNetwork, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it goes on, so does the commit it was told; the undo sees it."""
    monkeypatch.setattr("actors.steps.STEP_TIMEOUT", 0.1)
    script.at(commits(1), lambda: house.lab.hang("b"))
    script.at(lambda p: p.state == "rolling_back" and p.waves[0].devices[0].state == "restored", lambda: house.lab.release("b"))
    assert (await house.run(plan())).state == "rolled_back"
    assert live(network) == BEFORE


@pytest.mark.parametrize("wave", [0, 1, 2])
async def test_a_device_that_never_comes_back_is_named(house: Hub, network: SimulatedNetwork, script: Script, wave: int) -> None:
    """The deployment has failed and says which device is uncertain; the others are restored, all are free, a later one succeeds."""
    node = NODES[wave]
    script.at(commits(wave), lambda: house.lab.kill_node(node))
    progress = await house.run(plan())
    assert (progress.state, progress.inconsistent_devices, progress.percent) == ("failed", (node,), 100)
    assert node in (progress.reason or "")
    others = {n: rows for n, rows in live(network).items() if n != node}
    assert others == {n: rows for n, rows in BEFORE.items() if n != node}
    assert house.leases() == {}
    house.lab.revive_node(node)
    assert (await house.run(plan("d2"))).state == "succeeded"
    assert live(network) == AFTER


async def test_a_lost_answer_to_confirm_is_asked_again(house: Hub, network: SimulatedNetwork, memory: MemoryFlash) -> None:
    """Once it is decided nothing goes back."""
    house.lab.lose_next("b", "confirm")
    house.lab.refuse_next("c", "confirm")
    assert (await house.run(plan())).state == "succeeded"
    assert live(network) == await kept(memory) == AFTER


async def test_a_device_that_dies_before_its_confirm_has_the_rows_again(
    house: Hub, network: SimulatedNetwork, memory: MemoryFlash, script: Script
) -> None:
    """It has lost its unconfirmed commit with the power; what is decided is done all the same, or said not to be."""

    def power_cycle() -> None:
        house.lab.kill_node("b")
        house.lab.revive_node("b")

    script.at(enters("confirming"), power_cycle)
    progress = await house.run(plan())
    assert progress.state == "succeeded"
    assert live(network) == await kept(memory) == AFTER


@pytest.mark.parametrize("state", ["validating", "staging", "committing"])
@pytest.mark.parametrize("strategy", [Strategy(), AT_ONCE], ids=["canary", "at-once"])
async def test_cancelling_restores_everything(
    house: Hub, network: SimulatedNetwork, memory: MemoryFlash, script: Script, state: str, strategy: Strategy
) -> None:
    """Whatever it is doing: it ends as cancelled, with the rows there were."""
    held = asyncio.Event()

    def hold() -> None:
        house.lab.hang("b")
        held.set()

    moment = commits(1) if state == "committing" and strategy is not AT_ONCE else enters(state)
    script.at(moment, hold)
    deploy_id = await house.begin(plan(), strategy)
    recorder = await house.follow(deploy_id)
    await held.wait()
    progress = await house.deployer.ask(CancelDeployment(deploy_id=deploy_id), timeout=T)
    assert progress.state == "cancelling"
    assert await house.deployer.ask(CancelDeployment(deploy_id=deploy_id), timeout=T) == progress
    house.lab.release("b")
    ended = await house.ended(deploy_id)
    assert (ended.state, ended.reason) == ("cancelled", "cancelled")
    assert live(network) == await kept(memory) == BEFORE
    assert orderly(recorder.items)
    assert recorder.items == await house.journal.events(deploy_id)


async def test_cancelling_what_undoes_itself_changes_nothing(house: Hub, network: SimulatedNetwork, script: Script) -> None:
    """It goes on, and the history says what was wrong, not that somebody was in a hurry."""
    held = asyncio.Event()

    def hold() -> None:
        house.lab.hang("b")
        held.set()

    house.lab.refuse_next("b", "commit")
    script.at(enters("rolling_back"), hold)
    deploy_id = await house.begin(plan())
    await held.wait()
    assert (await house.deployer.ask(CancelDeployment(deploy_id=deploy_id), timeout=T)).state == "rolling_back"
    house.lab.release("b")
    ended = await house.ended(deploy_id)
    assert (ended.state, ended.reason) == ("rolled_back", "commit failed on b: b refused to commit")
    assert live(network) == BEFORE


async def test_when_it_will_have_ended(house: Hub, script: Script) -> None:
    """From what the steps that are done took: 8 of 12 in 10 s leave 5 s; an ending leaves nothing."""
    script.at(commits(1), lambda: house.now.advance(10.0))
    await house.run(plan())
    events = await house.journal.events("d1")
    (told,) = [event for event in events if (event["device"], event["step"]) == ("b", "committed")]
    assert told["eta"] == told["at"] + 5.0
    assert events[-1]["eta"] is None


async def test_what_is_decided_cannot_be_cancelled(house: Hub, network: SimulatedNetwork, script: Script) -> None:
    """Neither while devices confirm nor later: it is rolled back instead."""
    decided = asyncio.Event()

    def hold() -> None:
        house.lab.hang("b")
        decided.set()

    script.at(enters("confirming"), hold)
    deploy_id = await house.begin(plan())
    await decided.wait()
    for _ in range(2):
        with pytest.raises(WrongState):
            await house.deployer.ask(CancelDeployment(deploy_id=deploy_id), timeout=T)
        house.lab.release("b")
        assert (await house.ended(deploy_id)).state == "succeeded"
    assert live(network) == AFTER


async def test_a_journal_that_cannot_be_written_starts_nothing(house: Hub, network: SimulatedNetwork) -> None:
    """The refusal is for people to read, no device has heard of it, and all are free."""
    await house.database._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(ParaNetError) as caught:
        await house.begin(plan())
    await house.database._connection.execute("PRAGMA query_only = OFF")
    assert "Traceback" not in caught.value.detail
    assert house.leases() == {}
    assert live(network) == BEFORE
    assert (await house.run(plan("d2"))).state == "succeeded"


async def test_a_deployment_that_crashes_is_undone(house: Hub, network: SimulatedNetwork, script: Script) -> None:
    """Its supervisor takes it up again as after a restart."""

    def mistake() -> None:
        raise ZeroDivisionError

    script.at(commits(1), mistake)
    progress = await house.run(plan())
    assert progress.state == "rolled_back"
    assert live(network) == BEFORE
    assert house.leases() == {}
    assert orderly(await house.journal.events("d1"))


async def test_the_history_is_newest_first(house: Hub) -> None:
    """With every deployment's ending; one that never was is not found."""
    house.lab.refuse_next("a", "stage")
    for name in ("d1", "d2", "d3"):
        await house.run(plan(name, ["a"]) if name != "d3" else make_plan(plan_id="d3", topology_revision=1, installed={}, desired={}))
    found = await house.deployer.ask(GetDeployHistory(wanted=Wanted(limit=2)), timeout=T)
    assert [(p.deploy_id, p.state) for p in found] == [("d3", "succeeded"), ("d2", "succeeded")]
    (oldest,) = await house.deployer.ask(GetDeployHistory(wanted=Wanted(limit=2, before="d2")), timeout=T)
    assert oldest == await house.deployer.ask(GetDeployment(deploy_id="d1"), timeout=T)
    assert oldest.state == "rolled_back"
    with pytest.raises(NotFound):
        await house.deployer.ask(GetDeployment(deploy_id="d9"), timeout=T)
    with pytest.raises(NotFound):
        await house.follow("d9")
