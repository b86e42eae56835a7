"""actors.devices and actors.device"""

from collections.abc import AsyncIterator

import attrs
import pytest

from actors.channels import Outlets
from actors.device import Readings
from actors.devices import Devices, Installed, ReadInstalled, Tick
from actors.frames import Frame
from actors.runtime import Actor, ActorSystem, handles
from actors.runtime.inspect import tree
from actors.storage import Database
from actors.topology import AddParts, ImportTopology, RemovePart, ReplacePart, TopologyStore
from paranet.controller.driver import Driver, NoDriver
from paranet.controller.simulator.device import SimulatorDriver
from paranet.controller.simulator.flash import MemoryFlash
from paranet.controller.simulator.network import SimulatedNetwork
from paranet.models.topology import Management, Node, Topology
from tests.actors.conftest import Clock
from tests.actors.recorder import Recorder
from tests.paranet.controller.simulator.networks import line, link, node, route

T = 10.0
INTERVAL = 3600.0
"""s, so long that only the test makes ticks"""
ROUTE = route("10.0.0.99/32", ("c", "b-c"))


class Collector(Actor):
    """Stands where telemetry does, and writes down whose readings came."""

    def __init__(self, heard: list[Readings], bell: Recorder) -> None:
        self._heard = heard
        self._bell = bell

    @handles
    async def readings(self, message: Readings) -> None:
        self._heard.append(message)
        self._bell.push(Frame(b"{}"))


class Bench:
    """Three simulated devices a - b - c under their actor."""

    def __init__(self, system: ActorSystem, network: SimulatedNetwork, clock: Clock) -> None:
        self.system, self.network, self.lab, self.clock = system, network, network.lab, clock
        self.topology, self.devices = system.ref("topology"), system.ref("device")
        self.heard: list[Readings] = []
        self.bell = Recorder()

    async def tick(self, *expected: str) -> dict[str, dict[str, float]]:
        """Let an interval pass; return values by node and metric once the *expected* nodes have answered this tick."""
        self.clock.now += INTERVAL
        at = int(self.clock.now / INTERVAL) * int(INTERVAL) * 1000
        self.devices.tell(Tick())
        await self.bell.until(lambda _: {r.node for r in self.heard if r.at == at} >= set(expected))
        return {r.node: {s.metric: s.value for s in r.samples} for r in self.heard if r.at == at}

    async def installed(self) -> Installed:
        return await self.devices.ask(ReadInstalled(), timeout=T)

    def sessions(self) -> set[str]:
        return {actor.path for actor in tree(self.system) if actor.path.startswith("device/")}

    def driver(self, node: Node) -> Driver:
        wish = node.management.driver if node.management else "simulator"
        return SimulatorDriver(self.network, node.id) if wish == "simulator" else NoDriver(f"no driver {wish!r}")


@pytest.fixture
async def bench(house: ActorSystem, control: Database, outlets: Outlets, clock: Clock) -> AsyncIterator[Bench]:
    """The line a - b - c, whose ticks the test makes."""
    network = SimulatedNetwork(Topology(), seed=1, flash=MemoryFlash({"b": (ROUTE,)}))
    made = Bench(house, network, clock)
    await house.spawn("telemetry", lambda: Collector(made.heard, made.bell))
    await house.spawn("topology", lambda: TopologyStore(control, outlets, clock, ("device",)))
    await made.topology.ask(ImportTopology(author="t", topology=line("a", "b", "c")), timeout=T)
    await house.spawn("device", lambda: Devices(made.driver, network, INTERVAL, clock))
    yield made
    for hanging in network.lab.hung:
        network.lab.release(hanging)


async def test_every_node_has_a_session(bench: Bench) -> None:
    """From the start, with the rows its device has."""
    assert bench.sessions() == {"device/a", "device/b", "device/c"}
    installed = await bench.installed()
    assert {node: list(rows.values()) for node, rows in installed.rows.items()} == {"a": [], "b": [ROUTE], "c": []}
    assert not installed.unreachable


async def test_sessions_follow_the_topology(bench: Bench) -> None:
    """A node that comes gets one, one that goes loses it, the others keep theirs."""
    kept = bench.system.cell("device/b")
    await bench.topology.ask(AddParts(author="t", nodes=(node("d"),), links=(link("c", "d"),)), timeout=T)
    assert set((await bench.installed()).rows) == {"a", "b", "c", "d"}
    await bench.topology.ask(RemovePart(author="t", kind="nodes", id="a", cascade=True), timeout=T)
    assert set((await bench.installed()).rows) == {"b", "c", "d"}
    assert bench.sessions() == {"device/b", "device/c", "device/d"}
    assert bench.system.cell("device/b") is kept


async def test_a_change_of_the_node_alone_keeps_the_session(bench: Bench) -> None:
    """Only another management makes another session."""
    kept = bench.system.cell("device/b")
    await bench.topology.ask(ReplacePart(author="t", part=attrs.evolve(node("b"), region="x")), timeout=T)
    assert set((await bench.installed()).rows) == {"a", "b", "c"}
    assert bench.system.cell("device/b") is kept


async def test_an_unknown_driver_is_a_reason(bench: Bench) -> None:
    """The node is unreachable and says why; it comes back when its management is put right."""
    strange = attrs.evolve(node("b"), management=Management(driver="telnet"))
    await bench.topology.ask(ReplacePart(author="t", part=strange), timeout=T)
    installed = await bench.installed()
    assert installed.unreachable == {"b": "no driver 'telnet'"}
    assert set(installed.rows) == {"a", "c"}
    await bench.topology.ask(ReplacePart(author="t", part=node("b")), timeout=T)
    assert set((await bench.installed()).rows) == {"a", "b", "c"}


async def test_every_tick_reads_every_device(bench: Bench) -> None:
    """The simulated time moves with it, and readings are filed under the tick's time."""
    first = await bench.tick("a", "b", "c")
    second = await bench.tick("a", "b", "c")
    assert all(values["paranet_node_up"] == 1.0 for values in (*first.values(), *second.values()))
    offered = "paranet_flow_offered_bytes_total"
    assert second["a"][offered] > first["a"][offered] > 0


async def test_a_dead_device_has_no_counters(bench: Bench) -> None:
    """It is down, the others go on, and it is back when its power is."""
    await bench.tick("a", "b", "c")
    bench.lab.kill_node("b")
    seen = await bench.tick("a", "b", "c")
    assert seen["b"] == {"paranet_node_up": 0.0}
    assert seen["a"]["paranet_node_up"] == 1.0
    assert (await bench.installed()).unreachable == {"b": "b is unreachable"}
    bench.lab.revive_node("b")
    assert (await bench.tick("a", "b", "c"))["b"]["paranet_node_up"] == 1.0


async def test_a_hanging_device_stops_nobody_else(bench: Bench) -> None:
    """Others are polled every tick; the hanging one has one poll under way and answers when it comes back."""
    bench.lab.hang("b")
    for _ in range(5):
        seen = await bench.tick("a", "c")
        assert "b" not in seen
    assert next(actor.jobs for actor in tree(bench.system) if actor.path == "device/b") == 1
    bench.lab.release("b")
    await bench.bell.until(lambda _: any(r.node == "b" for r in bench.heard))
    assert "b" in await bench.tick("a", "b", "c")


async def test_reading_rows_does_not_wait_for_a_hanging_device(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not longer than its time, and only itself is left out."""
    monkeypatch.setattr("actors.devices.READ_TIMEOUT", 0.5)
    bench.lab.hang("b")
    installed = await bench.installed()
    assert set(installed.rows) == {"a", "c"}
    assert set(installed.unreachable) == {"b"}


async def test_a_device_that_was_away_is_connected_later(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it answers the session goes on trying."""
    monkeypatch.setattr("actors.device.RECONNECT", 0.2)
    bench.lab.refuse_next("c", "connect")
    await bench.topology.ask(ReplacePart(author="t", part=attrs.evolve(node("c"), management=Management(driver="simulator"))), timeout=T)
    assert "c" in (await bench.installed()).unreachable
    while "paranet_node_cpu_ratio" not in (await bench.tick("a", "b", "c"))["c"]:
        pass
    assert set((await bench.installed()).rows) == {"a", "b", "c"}


async def test_a_node_may_go_while_its_device_hangs(bench: Bench) -> None:
    """Its session is stopped all the same."""
    bench.lab.hang("c")
    await bench.tick("a", "b")
    await bench.topology.ask(RemovePart(author="t", kind="nodes", id="c", cascade=True), timeout=T)
    assert set((await bench.installed()).rows) == {"a", "b"}


class Broken(SimulatorDriver):
    """A driver with a mistake in it."""

    async def counters(self) -> list[object]:  # type: ignore[override]  # it is broken
        raise ZeroDivisionError


async def test_a_mistake_in_a_driver_is_only_its_devices_own(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session crashes and is started again; the others are polled as before."""
    monkeypatch.setattr(bench, "driver", lambda node: Broken(bench.network, node.id))
    await bench.topology.ask(ReplacePart(author="t", part=attrs.evolve(node("b"), management=Management(driver="x"))), timeout=T)
    await bench.installed()
    for _ in range(3):
        await bench.tick("a", "c")
    assert bench.sessions() == {"device/a", "device/b", "device/c"}
