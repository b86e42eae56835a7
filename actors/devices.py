"""Devices: follows the topology, keeps one DeviceSession for each node and makes them read their counters."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping

import attrs

from actors.device import DeviceSession, Poll, ReadRows
from actors.journal import Journal, installed_rows
from actors.runtime import Actor, Backoff, Message, Request, Supervision, handles
from actors.topology import GetTopology, TopologyChanged
from paranet.controller.driver import Driver
from paranet.controller.simulator.network import SimulatedNetwork
from paranet.errors import DeviceError, NotFound, ParaNetError
from paranet.models.device import Rows
from paranet.models.intent import Reach
from paranet.models.topology import Node, Topology

log = logging.getLogger(__name__)

READ_TIMEOUT = 5.0
MAKE_DRIVER = Callable[[Node], Driver]
ANSWER_FIRST = 4
"""turns of the loop that whoever changed the topology has to get its answer out, before a large network is made anew"""


@attrs.frozen(kw_only=True)
class Tick(Message):
    """Time to read all counters."""


@attrs.frozen(kw_only=True)
class Installed:
    """What the devices hold: rows by node; devices that did not answer are in *unreachable* with the reason.

    *state* names it where that can be told (see `GetState`).
    """

    rows: Mapping[str, Rows]
    unreachable: Mapping[str, str]
    state: int | None = None

    def check(self, nodes: Iterable[str]) -> None:
        """Raise NotFound for one of *nodes* that is no device, DeviceError for those that did not answer."""
        missing = [node for node in nodes if node not in self.rows]
        for node in missing:
            if node not in self.unreachable:
                raise NotFound(f"there is no device {node[:60]!r}")
        if missing:
            raise DeviceError(f"{missing[0]}: {self.unreachable[missing[0]]}", devices=missing)


@attrs.frozen(kw_only=True)
class ReadInstalled(Request[Installed]):
    """Read the rows of *nodes*, of all devices when none is named."""

    nodes: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class GetState(Request[int | None]):
    """Return a number that is that of an `Installed` only while reading all devices again would yield the same; None when nobody can tell.

    The simulated network can. Somebody else may have changed a device that is elsewhere.
    """


@attrs.frozen(kw_only=True)
class Probe(Request[Mapping[str, str]]):
    """Send a packet along each reach where the network is simulated; return what became of those that did not arrive, by intent."""

    reaches: tuple[Reach, ...]


class Devices(Actor):
    """Parent of the device sessions. With the simulated network it also moves that network's time."""

    supervision = Supervision(intensity=100, period=10.0, backoff=Backoff(first=0.1))
    jobs_limit = 8

    def __init__(
        self,
        make_driver: Callable[[Node], Driver],
        network: SimulatedNetwork | None,
        interval: float,
        now: Callable[[], float],
        collector: str = "telemetry",
        *,
        journal: Journal | None = None,
    ) -> None:
        self._make_driver = make_driver
        self._network = network
        self._interval = interval
        self._now = now
        self._collector = collector
        self._journal = journal

    async def on_start(self) -> None:
        self._sessions: dict[str, Node] = {}
        self._elsewhere = False
        """whether some device is none of the simulated network's"""
        state = await self.system.ref("topology").ask(GetTopology(), timeout=READ_TIMEOUT)
        if self._network is not None:
            self._network.set_topology(state.topology)
            await self._network.boot()
        await self._follow(state.topology)
        self.timers.every("tick", Tick(), interval=self._interval)

    def inspect(self) -> Mapping[str, object]:
        return {"devices": len(self._sessions), "interval": self._interval, "simulated": self._network is not None}

    @handles
    async def topology_changed(self, message: TopologyChanged) -> None:
        for _ in range(ANSWER_FIRST):
            await asyncio.sleep(0)
        if self._network is not None:
            self._network.set_topology(message.state.topology)
        await self._follow(message.state.topology)

    async def _follow(self, topology: Topology) -> None:
        """Stop the sessions of nodes that went or are managed otherwise now, start those of new ones."""
        for node_id, known in list(self._sessions.items()):
            node = topology.nodes.get(node_id)
            if node is None or node.management != known.management:
                await self.stop_child(node_id)
                del self._sessions[node_id]
        for node in topology.nodes.values():
            if node.id not in self._sessions:
                await self.spawn(node.id, lambda node=node: self._session(node))  # type: ignore[misc]
                self._sessions[node.id] = node
        self._elsewhere = any(node.management is not None and node.management.driver != "simulator" for node in self._sessions.values())

    def _session(self, node: Node) -> DeviceSession:
        return DeviceSession(node.id, self._make_driver(node), self._collector)

    @handles
    async def tick(self, message: Tick) -> None:
        now = self._now()
        if self._network is not None:
            self._network.tick(self._interval, now)
        poll = Poll(at=int(now / self._interval) * int(self._interval * 1000))
        for node_id in self._sessions:
            self.system.ref(f"device/{node_id}").tell(poll)

    @handles
    async def read_installed(self, message: ReadInstalled) -> Installed:
        return await self.defer(
            self._read_all(tuple(node for node in message.nodes if node in self._sessions) if message.nodes else tuple(self._sessions))
        )

    async def _read_all(self, nodes: tuple[str, ...]) -> Installed:
        state = self._state() if len(nodes) == len(self._sessions) else None
        answers = await asyncio.gather(*(self._read_one(node) for node in nodes))
        found = {node: rows for node, rows in zip(nodes, answers, strict=True) if not isinstance(rows, str)}
        rows = await self._owned(found)
        told = rows is found and len(found) == len(nodes) and state == self._state()  # owners are in the journal, which changes by itself
        return Installed(
            rows=rows,
            unreachable={node: reason for node, reason in zip(nodes, answers, strict=True) if isinstance(reason, str)},
            state=state if told else None,
        )

    @handles
    async def get_state(self, message: GetState) -> int | None:
        return self._state()

    def _state(self) -> int | None:
        return self._network.state if self._network is not None and not self._elsewhere else None

    async def _owned(self, found: Mapping[str, Rows]) -> Mapping[str, Rows]:
        """Return the rows with the owners that the journal knows; a device need not remember them."""
        nameless = {node for node, rows in found.items() if any(not row.owners for row in rows.values())}
        if not nameless or self._journal is None:
            return found
        expected = await self._journal.expected(nameless)
        return {node: installed_rows(rows, expected[node]) if node in expected else rows for node, rows in found.items()}

    @handles
    async def probe(self, message: Probe) -> Mapping[str, str]:
        network = self._network
        if network is None or self._elsewhere:
            return {}  # packets would leave the simulation
        return {r.intent: lost for r in message.reaches if (lost := network.probe(r.source, r.prefix, r.target))}

    async def _read_one(self, node: str) -> Rows | str:
        try:
            return await self.system.ref(f"device/{node}").ask(ReadRows(), timeout=READ_TIMEOUT)
        except ParaNetError as error:
            return error.detail
