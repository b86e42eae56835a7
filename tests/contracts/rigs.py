"""Devices with a bench around them: rows that they take and refuse, and ways to make them fail."""

import asyncio
import subprocess
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

import attrs

from paranet.controller.driver import Capabilities, Driver, Sample
from paranet.controller.linux.device import LinuxDriver
from paranet.controller.linux.lab import namespace_of
from paranet.controller.simulator.device import SimulatorDriver
from paranet.controller.simulator.flash import FileFlash
from paranet.controller.simulator.network import SimulatedNetwork
from paranet.errors import DeviceError
from paranet.models.device import Delta, Row, Rows
from paranet.models.topology import Topology
from tests import namespaces
from tests.paranet.controller.simulator.networks import line, route


class Rig(Protocol):
    """*confirms*: an unconfirmed commit goes by itself. *keeps*: what was kept survives a power cycle."""

    good: tuple[Row, Row]
    bad: Row
    confirms: bool
    keeps: bool

    async def open(self) -> None: ...
    def session(self) -> Driver: ...
    def refuse_next(self, step: str) -> None: ...
    def lose_next(self, step: str) -> None: ...
    def hang(self) -> None: ...
    def release(self) -> None: ...
    def kill(self) -> None: ...
    def revive(self) -> None: ...
    def change_row(self, row: Row) -> None: ...
    def wait(self, seconds: float) -> None: ...
    async def close(self) -> None: ...


class SimulatorRig:
    """Node b of the network a - b - c, with its flash in a file."""

    good = (route("10.0.0.97/32", ("a", "a-b")), route("10.0.0.99/32", ("c", "b-c")))
    bad = route("10.0.0.98/32", ("z", "b-z"))
    confirms = True
    keeps = True

    def __init__(self, folder: Path) -> None:
        self._flash = FileFlash(folder / "flash.sqlite")
        self._network = SimulatedNetwork(self.topology(), seed=1, flash=self._flash)
        self._now = 0.0

    def topology(self) -> Topology:
        """Return the network."""
        return line("a", "b", "c")

    async def open(self) -> None:
        """It is there."""

    def session(self) -> Driver:
        return SimulatorDriver(self._network, "b")

    def refuse_next(self, step: str) -> None:
        self._network.lab.refuse_next("b", step)

    def lose_next(self, step: str) -> None:
        self._network.lab.lose_next("b", step)

    def hang(self) -> None:
        self._network.lab.hang("b")

    def release(self) -> None:
        self._network.lab.release("b")

    def kill(self) -> None:
        self._network.lab.kill_node("b")

    def revive(self) -> None:
        self._network.lab.revive_node("b")

    def change_row(self, row: Row) -> None:
        self._network.lab.change_row("b", row)

    def wait(self, seconds: float) -> None:
        self._now += seconds
        self._network.tick(seconds, self._now)

    async def close(self) -> None:
        await self._flash.close()


class PlainRig(SimulatorRig):
    """The same with a device that has no candidate store and no timer."""

    confirms = False

    def topology(self) -> Topology:
        found = line("a", "b", "c")
        nodes = [attrs.evolve(n, properties={"candidate": False}) for n in found.nodes.values()]
        return Topology.of(nodes, found.links.values(), found.demands.values())


class Faults:
    """What the next call of a step meets on its way to a real device."""

    def __init__(self) -> None:
        self.refusals: set[str] = set()
        self.losses: set[str] = set()
        self.going = asyncio.Event()
        self.going.set()


class Faulty:
    """A session with a real device through a line that has faults."""

    def __init__(self, driver: Driver, faults: Faults) -> None:
        self._driver, self._faults = driver, faults

    async def connect(self) -> Capabilities:
        return await self._driver.connect()

    async def read_rows(self) -> Rows:
        await self._faults.going.wait()
        return await self._driver.read_rows()

    async def transaction_id(self) -> str:
        return await self._driver.transaction_id()

    async def stage(self, delta: Delta, *, base: str) -> None:
        await self._before("stage")
        await self._driver.stage(delta, base=base)
        self._after("stage")

    async def commit(self, *, confirm_within: float | None) -> None:
        await self._before("commit")
        await self._driver.commit(confirm_within=confirm_within)
        self._after("commit")

    async def confirm(self) -> None:
        await self._before("confirm")
        await self._driver.confirm()
        self._after("confirm")

    async def discard(self) -> None:
        await self._driver.discard()

    async def revert(self, inverse: Delta) -> None:
        await self._before("revert")
        await self._driver.revert(inverse)
        self._after("revert")

    async def counters(self) -> Sequence[Sample]:
        return await self._driver.counters()

    async def close(self) -> None:
        await self._driver.close()

    async def _before(self, step: str) -> None:
        await self._faults.going.wait()
        if step in self._faults.refusals:
            self._faults.refusals.discard(step)
            raise DeviceError(f"refused to {step}")

    def _after(self, step: str) -> None:
        if step in self._faults.losses:
            self._faults.losses.discard(step)
            raise DeviceError(f"did not answer {step}")


class LinuxRig:
    """Router b between two others, in network namespaces of this machine."""

    confirms = False
    keeps = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._faults = Faults()
        self._stack = AsyncExitStack()

    async def open(self) -> None:
        self._topology = await self._stack.enter_async_context(namespaces.built(line("a", "b", "c"), self._folder))
        self.good = (
            namespaces.route(self._topology, "b", "10.0.0.97/32", "a-b"),
            namespaces.route(self._topology, "b", "10.0.0.99/32", "b-c"),
        )
        self.bad = route("10.0.0.98/32", ("z", "b-z"))

    def session(self) -> Driver:
        return Faulty(LinuxDriver("b", namespace_of("b"), lambda: self._topology), self._faults)

    def refuse_next(self, step: str) -> None:
        self._faults.refusals.add(step)

    def lose_next(self, step: str) -> None:
        self._faults.losses.add(step)

    def hang(self) -> None:
        self._faults.going.clear()

    def release(self) -> None:
        self._faults.going.set()

    def kill(self) -> None:
        subprocess.run(["ip", "netns", "del", namespace_of("b")], check=True)

    def revive(self) -> None:
        """A namespace that is gone is gone."""

    def change_row(self, row: Row) -> None:
        hop = next(iter(_hops(row)))
        way = ("via", hop["address"], "dev", hop["interface"])
        namespaces.execute("b", "ip", "route", "replace", row.key, *way, "proto", "80", "metric", "20").check_returncode()

    def wait(self, seconds: float) -> None:
        """Nobody can turn a real clock."""

    async def close(self) -> None:
        await self._stack.aclose()


def _hops(row: Row) -> list[dict[str, str]]:
    found: object = row.value["next_hops"]
    assert isinstance(found, list)
    return found


FACTORIES: dict[str, Callable[[Path], Rig]] = {"simulator": SimulatorRig, "plain": PlainRig, "linux": LinuxRig}
