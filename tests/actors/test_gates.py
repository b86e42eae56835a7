"""Gates between the waves of a deployment: what is looked at, and what closes them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest

from actors.chunks import ChunkStore
from actors.device import Readings
from actors.leases import TTL
from actors.orders import CancelDeployment, GetLeases
from actors.storage import Database
from actors.telemetry import TelemetryCollector
from actors.topology import GetTopology, ImportTopology
from paranet.controller.driver import Sample
from paranet.controller.simulator.flash import MemoryFlash
from paranet.controller.simulator.network import SimulatedNetwork
from paranet.errors import DevicesBusy
from paranet.models.topology import Demand
from paranet.models.units import Bandwidth
from paranet.orchestrator.gates import Condition, Gates
from paranet.orchestrator.waves import Strategy
from tests.actors.deploying import AFTER, BEFORE, Hub, T, flash, hub, live, plan, powered
from tests.actors.recorder import WITHIN

AT_ONCE = Strategy(kind="all-at-once")
QUIET = Gates(keep_throughput=0.0)


@pytest.fixture
def memory() -> MemoryFlash:
    return flash()


@pytest.fixture
async def network(memory: MemoryFlash) -> SimulatedNetwork:
    return await powered(memory)


@pytest.fixture
async def house(tmp_path: Path, network: SimulatedNetwork, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    """A hub with telemetry, to which tests hand the readings; a gate looks often."""
    monkeypatch.setattr("actors.gates.LOOK_EVERY", 0.005)
    database = await Database.open(tmp_path / "telemetry.sqlite3", "telemetry")
    async with hub(tmp_path, network, interval=0.05) as opened:
        make = partial(
            TelemetryCollector,
            ChunkStore(database),
            opened.outlets,
            opened.now,
            flush_every=3600.0,
            retention=3600.0,
            max_series=100,
            max_bytes=2**30,
        )
        await opened.system.spawn("telemetry", make)
        yield opened
    await database.close()


def condition(**given: Any) -> Condition:
    return Condition(**{"metric": "load", "op": "<", "threshold": 0.8, "count": 2, "interval": 0.001, **given})


class Meter:
    """Hands readings in, one a millisecond."""

    def __init__(self, house: Hub) -> None:
        self._house = house
        self._sent = dict.fromkeys(("one", "two"), 0.0)
        self._came = dict(self._sent)

    def load(self, value: float, node: str = "a") -> None:
        self._tell(node, [Sample(metric="load", labels={"node": node}, value=value)])

    def flows(self, **delivered: float) -> None:
        """Each flow offers 100 more bytes, of which a part arrives."""
        samples = []
        for flow, part in delivered.items():
            self._sent[flow] += 100
            self._came[flow] += 100 * part
            labels = {"node": "a", "flow": flow}
            samples.append(Sample(metric="paranet_flow_offered_bytes_total", labels=labels, value=self._sent[flow]))
            samples.append(Sample(metric="paranet_flow_delivered_bytes_total", labels=labels, value=self._came[flow]))
        self._tell("a", samples)

    def _tell(self, node: str, samples: Sequence[Sample]) -> None:
        self._house.now.now += 0.01
        at = int(self._house.now() * 1000)
        self._house.system.ref("telemetry").tell(Readings(node=node, at=at, samples=tuple(samples)))


@pytest.fixture
def meter(house: Hub) -> Meter:
    return Meter(house)


async def test_a_figure_that_is_good_lets_the_next_wave_through(house: Hub, meter: Meter, network: SimulatedNetwork) -> None:
    """One look after each wave at least."""
    meter.load(0.5)
    assert (await house.run(plan(), gates=attrs.evolve(QUIET, conditions=(condition(),)))).state == "succeeded"
    assert live(network) == AFTER


@pytest.mark.parametrize("strategy", [Strategy(), AT_ONCE], ids=["canary", "at-once"])
async def test_a_figure_that_is_bad_takes_everything_back(house: Hub, meter: Meter, network: SimulatedNetwork, strategy: Strategy) -> None:
    """With the condition and the figure in the reason; later waves have not begun."""
    meter.load(0.9)
    progress = await house.run(plan(), strategy, gates=attrs.evolve(QUIET, conditions=(condition(node="a"),)))
    assert progress.state == "rolled_back"
    assert progress.reason == "gate load on a < 0.8 does not hold: it was 0.9"
    assert live(network) == BEFORE
    events = await house.journal.events("d1")
    assert {e["wave"] for e in events if e["state"] == "committing" and e["device"] is None} == {0}


@pytest.mark.parametrize(
    ("query", "state"),
    [
        ('max(load{node="a"})', "succeeded"),
        ("avg(load) * 2", "rolled_back"),
        ("max(unheard_of)", "rolled_back"),
        ("1 / 4", "succeeded"),
        ("max(", "rolled_back"),
    ],
)
async def test_a_condition_may_be_an_expression(house: Hub, meter: Meter, query: str, state: str) -> None:
    """In PromQL; one that yields nothing, or cannot be read, is inconclusive."""
    meter.load(0.5)
    gates = attrs.evolve(QUIET, conditions=(condition(metric=None, query=query),))
    assert (await house.run(plan(), AT_ONCE, gates=gates)).state == state


async def test_without_data_nothing_passes(house: Hub, network: SimulatedNetwork) -> None:
    """Inconclusive, until its limit is reached."""
    progress = await house.run(plan(), gates=attrs.evolve(QUIET, conditions=(condition(metric="unheard_of"),)))
    assert progress.state == "rolled_back"
    assert "inconclusive" in (progress.reason or "")
    assert live(network) == BEFORE


async def test_old_data_is_no_data(house: Hub, meter: Meter) -> None:
    """What was measured long before says nothing."""
    meter.load(0.5)
    house.now.now += 60
    assert (await house.run(plan(), gates=attrs.evolve(QUIET, conditions=(condition(),)))).state == "rolled_back"


async def judged(house: Hub, meter: Meter, **after: float) -> str | None:
    """Run a deployment after which flows deliver that part of what they offer; return its reason."""
    for _ in range(3):
        meter.flows(one=1.0, two=0.9)
    deploy_id = await house.begin(plan(), AT_ONCE, gates=Gates())
    recorder = await house.follow(deploy_id)
    await recorder.until(lambda r: any(i["state"] == "gating" for i in r.items))
    for _ in range(3):
        meter.flows(**after)
    return (await house.ended(deploy_id)).reason


async def test_halved_throughput_is_undone(house: Hub, meter: Meter, network: SimulatedNetwork) -> None:
    """The flow is named with what it delivered before."""
    reason = await judged(house, meter, one=0.5, two=0.9)
    assert reason == "throughput fell: flow one delivers 50% of what it offers, it was 100%"
    assert live(network) == BEFORE


async def test_throughput_that_stays_is_no_reason(house: Hub, meter: Meter, network: SimulatedNetwork) -> None:
    """A little less is no evidence."""
    assert await judged(house, meter, one=0.8, two=0.9) is None
    assert live(network) == AFTER


async def test_flows_that_are_not_seen_any_more_are_inconclusive(house: Hub, meter: Meter, network: SimulatedNetwork) -> None:
    """They were there before, so silence is no pass."""
    assert await judged(house, meter, one=1.0) == "throughput is inconclusive: no figures of flow two"
    assert live(network) == BEFORE


async def test_flows_of_demands_that_somebody_took_out_are_not_missed(house: Hub, meter: Meter, network: SimulatedNetwork) -> None:
    """A demand that left the network before the deployment is silent for a reason."""
    topology = house.system.ref("topology")
    state = await topology.ask(GetTopology(), timeout=T)
    ends = sorted(state.topology.nodes)[:2]
    for demands in ({"two": Demand(id="two", source=ends[0], target=ends[1], rate=Bandwidth(1e6))}, {}):
        await topology.ask(ImportTopology(author="t", topology=attrs.evolve(state.topology, demands=demands)), timeout=T)
    assert await judged(house, meter, one=1.0) is None
    assert live(network) == AFTER


async def test_devices_do_not_go_back_while_a_gate_looks(house: Hub, meter: Meter, network: SimulatedNetwork) -> None:
    """The time in which they want to be confirmed is longer than all gates."""
    meter.load(0.5)
    deploy_id = await house.begin(plan(), gates=attrs.evolve(QUIET, conditions=(condition(count=10, interval=60),)))
    recorder = await house.follow(deploy_id)
    await recorder.until(lambda r: any(i["state"] == "gating" for i in r.items))
    network.tick(1800.0, 0.0)
    assert live(network)["a"] == AFTER["a"]
    await house.deployer.ask(CancelDeployment(deploy_id=deploy_id), timeout=T)
    assert (await house.ended(deploy_id)).state == "cancelled"


async def test_a_gate_that_looks_long_keeps_its_devices(
    house: Hub, meter: Meter, network: SimulatedNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking is progress: the leases do not lapse under it."""
    monkeypatch.setattr("actors.deployment.ALIVE_EVERY", 0.005)
    meter.load(0.5)
    deploy_id = await house.begin(plan(), gates=attrs.evolve(QUIET, conditions=(condition(count=10, interval=60),)))
    recorder = await house.follow(deploy_id)
    await recorder.until(lambda r: any(i["state"] == "gating" for i in r.items))
    house.now.advance(TTL + 1)
    async with asyncio.timeout(WITHIN):
        while (await house.deployer.ask(GetLeases(), timeout=T))[0].expires_at < house.now():
            pass  # asking lets the others go on
    with pytest.raises(DevicesBusy):
        await house.begin(plan("d2"))
    await house.deployer.ask(CancelDeployment(deploy_id=deploy_id), timeout=T)
    assert (await house.ended(deploy_id)).state == "cancelled"


async def test_a_gate_can_be_cancelled(house: Hub, meter: Meter, network: SimulatedNetwork) -> None:
    """It ends as cancelled, at once: nobody waits for the ten minutes that the gate would look."""
    meter.load(0.5)
    gates = attrs.evolve(QUIET, conditions=(condition(count=10, interval=60),))
    deploy_id = await house.begin(plan(), gates=gates)
    recorder = await house.follow(deploy_id)
    await recorder.until(lambda r: any(i["state"] == "gating" for i in r.items))
    await house.deployer.ask(CancelDeployment(deploy_id=deploy_id), timeout=T)
    assert (await house.ended(deploy_id)).state == "cancelled"
    assert live(network) == BEFORE
