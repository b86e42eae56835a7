"""The network itself: what is installed on its devices, and the traffic that follows it through simulated time."""

import math
from collections.abc import Mapping
from ipaddress import ip_network

import attrs

from paranet.controller.driver import Sample
from paranet.controller.simulator.arcs import Arc, End, PortCounters, arcs_of, is_up
from paranet.controller.simulator.courses import Courses
from paranet.controller.simulator.datastore import Datastore
from paranet.controller.simulator.flash import Flash
from paranet.controller.simulator.fluid import PACKET, settle
from paranet.controller.simulator.forwarding import TTL, Address, Course
from paranet.controller.simulator.lab import Lab
from paranet.controller.simulator.names import Caches
from paranet.controller.simulator.readings import FlowCounters, Port, Readings
from paranet.controller.simulator.regions import moves, out_of_range
from paranet.controller.simulator.tables import Tables
from paranet.controller.simulator.traffic import Flow, flows, rates
from paranet.errors import DeviceError
from paranet.models.addressing import router_addresses
from paranet.models.device import Row
from paranet.models.topology import Link, Modality, Node, Topology


@attrs.define(kw_only=True)
class Device:
    """One node's box: its configuration and its counters. *traced* is the version of the rows that traffic follows."""

    node: Node
    store: Datastore
    tables: Tables = attrs.field(factory=lambda: Tables(()))
    traced: int = -1
    dropped_packets: dict[str, float] = attrs.field(factory=dict)


class SimulatedNetwork:
    """Devices, links and traffic, driven by `tick`. The same seed and the same calls give the same counters.

    The state is plain and synchronous; it belongs to one event loop. *background_load* is what each node of a topology
    without demands offers, relative to its attached capacity.
    """

    def __init__(self, topology: Topology, *, seed: int, flash: Flash, background_load: float = 0.05) -> None:
        self.flash = flash
        self.lab = Lab(self)
        self._seed = seed
        self._background_load = background_load
        self._startup: dict[str, tuple[Row, ...]] = {}
        self._devices: dict[str, Device] = {}
        self._ports: dict[End, PortCounters] = {}
        self._flow_counters: dict[str, FlowCounters] = {}
        self._courses: list[Course] | None = None
        self._caches = Caches()
        self._far: frozenset[str] = frozenset()
        self._at = 0.0
        self._state = 0
        self.set_topology(topology)

    @property
    def topology(self) -> Topology:
        """The network that is simulated."""
        return self._topology

    @property
    def state(self) -> int | None:
        """The same number only while every device would show the same rows; None while some are broken on purpose and may show none."""
        return None if self.lab.meddles else self._state

    async def boot(self) -> None:
        """Start all devices with the rows that flash holds. Raise StorageFailed when it cannot be read."""
        self._startup = await self.flash.load()
        for device in self._devices.values():
            device.store = self._new_store(device.node.id)
        self._changed()
        self.disturb()

    async def save(self, node_id: str) -> None:
        """Write a device's running rows to flash, as its startup configuration. Raise StorageFailed when that fails."""
        store = self.device(node_id).store
        saved = dict(store.running)
        rows = tuple(saved[key] for key in sorted(saved))
        await self.flash.save(node_id, rows)
        self._startup[node_id] = rows
        store.startup = saved

    def set_topology(self, topology: Topology) -> None:
        """Adopt a changed topology. Devices that stay keep rows and counters; one that comes back has what its flash holds."""
        self._topology = topology
        self._devices = {node.id: self._device_for(node) for node in topology.nodes.values()}
        self._addresses: Mapping[str, Address] = router_addresses(topology)
        self._adopt_links(topology)
        self._flows: list[Flow] = flows(topology, seed=self._seed, background_load=self._background_load)
        self._counted_at: dict[str, list[str]] = {node: [] for node in topology.nodes}
        for flow in self._flows:
            if flow.counted:
                self._counted_at[flow.source].append(flow.id)
        self._named = [i for i, flow in enumerate(self._flows) if flow.modality is Modality.NDN]
        self._mobile = any(moves(node) for node in topology.nodes.values())
        counted = [flow.id for flow in self._flows if flow.counted]
        self._flow_counters = {flow: self._flow_counters.get(flow) or FlowCounters() for flow in counted}
        self.lab.forget(topology)
        self._changed()
        self.disturb()

    def device(self, node_id: str) -> Device:
        """Return a node's device. Raise DeviceError when the topology has no such node."""
        try:
            return self._devices[node_id]
        except KeyError:
            raise DeviceError(f"{node_id} is not there", node=node_id) from None

    def disturb(self) -> None:
        """Have the ways of all traffic found anew at the next tick: a link, a node or the topology changed."""
        self._courses = None

    def restart(self, node_id: str) -> None:
        """Power-cycle a device: startup rows, counters from zero."""
        device = self.device(node_id)
        device.store.restart()
        device.dropped_packets.clear()
        self._caches.forget(node_id)
        for link in self._links_at[node_id]:
            self._ports[link.id, node_id] = PortCounters()
        for flow in self._counted_at[node_id]:
            self._flow_counters[flow] = FlowCounters()

    def tick(self, dt: float, at: float) -> None:
        """Let *dt* seconds pass, up to the time *at* (s). Only what changed since the last tick is traced again."""
        for device in self._devices.values():
            device.store.elapse(dt)
        self._move(at)
        if self._refresh() or self._courses is None:
            self._courses = self._trace()
        elif self._named:
            self._trace_names(self._courses)
        offered = rates(self._flows, seed=self._seed, at=at)
        dead = self.lab.dead
        if dead:
            offered = [0.0 if flow.source in dead else rate for flow, rate in zip(self._flows, offered, strict=True)]
        self._carry(self._courses, offered, dt)
        self._fill(self._courses, offered, dt)

    def probe(self, source: str, prefix: str, target: str) -> str | None:
        """Send a packet from *source* to the first address of *prefix* now; return what becomes of it when it does not reach *target*."""
        address = ip_network(prefix, strict=False)[0]
        self._refresh()
        at, seen, ahead = source, 0, self._ahead()
        while at != target:
            ways = ahead.step(at, address)
            if isinstance(ways, str) or seen == TTL:
                return f"to {prefix} are dropped at {at}: {ways if isinstance(ways, str) else 'ttl_exceeded'}"
            at, seen = ways[0][2], seen + 1
        return None

    def counters(self, node_id: str) -> list[Sample]:
        """Return what a device's counters show. Raise DeviceError when the topology has no such node."""
        device = self.device(node_id)
        readings = Readings(node_id)
        readings.node(device.dropped_packets)
        for link in self._links_at[node_id]:
            here = link.source if link.source.node == node_id else link.target
            readings.port(
                Port(
                    link=link.id,
                    interface=here.interface or "",
                    counters=self._ports[link.id, node_id],
                    outward=self._by_end.get((link.id, node_id)),
                    inward=self._by_end.get((link.id, link.target.node if here is link.source else link.source.node)),
                )
            )
        for flow in self._counted_at[node_id]:
            readings.flow(flow, self._flow_counters[flow])
        return readings.samples()

    def _adopt_links(self, topology: Topology) -> None:
        self._arcs = arcs_of(topology)
        self._by_end: dict[End, Arc] = {(arc.link.id, arc.origin.node): arc for arc in self._arcs}
        self._passing = [1.0] * len(self._arcs)
        self._links_at: dict[str, list[Link]] = {node: [] for node in topology.nodes}
        for link in topology.links.values():
            self._links_at[link.source.node].append(link)
            self._links_at[link.target.node].append(link)
        ends = [(link.id, node) for node, links in self._links_at.items() for link in links]
        self._ports = {end: self._ports.get(end) or PortCounters() for end in ends}

    def _device_for(self, node: Node) -> Device:
        old = self._devices.get(node.id)
        if old is None:
            return Device(node=node, store=self._new_store(node.id))
        old.node = node
        return old

    def _new_store(self, node_id: str) -> Datastore:
        return Datastore(node_id, {row.id: row for row in self._startup.get(node_id, ())}, self._changed)

    def _changed(self) -> None:
        self._state += 1

    def _refresh(self) -> bool:
        """Follow what changed since the last time; tell whether anything did."""
        for arc in self._arcs:
            arc.up = is_up(arc.link, cut=self.lab.cut | self._far, dead=self.lab.dead)
        changed = [d for d in self._devices.values() if d.traced != d.store.version]
        for device in changed:
            device.tables = Tables(device.store.running.values())
            device.traced = device.store.version
        if changed:
            self._courses = None
        return bool(changed)

    def _move(self, at: float) -> None:
        """Go on to a time: mobile nodes have moved, and at a full minute rules may begin or end to count."""
        far = out_of_range(self._topology, at, self._seed) if self._mobile else self._far
        timed = int(at // 60) != int(self._at // 60) and any(d.tables.filters.timed for d in self._devices.values())
        if far != self._far or timed or self._mobile:
            self.disturb()
        self._far, self._at = far, at

    def _ahead(self) -> Courses:
        tables = {node: device.tables for node, device in self._devices.items()}
        inside = len(self._arcs)
        return Courses(self._topology, tables, self._by_end, self._addresses, inside=inside, at=self._at, seed=self._seed)

    def _trace(self) -> list[Course]:
        ahead = self._ahead()
        found = [ahead.of(flow, self._caches) for flow in self._flows]
        self._classes = ahead.classes
        self._passing = [*self._passing[: len(self._arcs)], 1.0, *(1.0 for _ in ahead.classes.rates)]
        return found

    def _trace_names(self, courses: list[Course]) -> None:
        """Content stores fill with every tick, so that the ways of names are never quite the same."""
        ahead = self._ahead()
        for i in self._named:
            courses[i] = ahead.of(self._flows[i], self._caches)

    def _fill(self, courses: list[Course], offered: list[float], dt: float) -> None:
        """Have the stores on the way of each name keep what passed them."""
        for i in self._named:
            flow = self._flows[i]
            names = self._devices[flow.target].tables.names.produced
            name = names[0] if names else f"/{flow.target}"
            course, amount = courses[i], {0: offered[i] * dt / 8}
            passed: dict[str, float] = {}
            for origin, arc, share, target in zip(course.origins, course.arcs, course.shares, course.targets, strict=True):
                moved = amount.get(origin, 0.0) * share
                amount[target] = amount.get(target, 0.0) + moved
                if arc < len(self._arcs):
                    node = self._arcs[arc].end.node
                    passed[node] = passed.get(node, 0.0) + moved
            for node, moved in passed.items():
                store = self._devices[node].tables.names.store(name)
                if store is not None:
                    self._caches.fill(node, flow.id, store, moved, flow.rate, dt)

    def _carry(self, courses: list[Course], offered: list[float], dt: float) -> None:
        rates = self._classes.rates
        capacity = [*(arc.link.bandwidth for arc in self._arcs), math.inf, *rates]
        loss = [*(arc.link.loss for arc in self._arcs), 0.0, *(0.0 for _ in rates)]
        flood = settle(courses, offered, capacity=capacity, loss=loss, passing=self._passing)
        self._passing = flood.passing
        for arc in self._arcs:
            sender, receiver = self._ports[arc.link.id, arc.origin.node], self._ports[arc.link.id, arc.end.node]
            arc.carry(flood.offered[arc.index], flood.passing[arc.index], dt, sender, receiver)
        for flow, rate, delivered in zip(self._flows, offered, flood.delivered, strict=True):
            if flow.counted:
                self._flow_counters[flow.id].add(rate, delivered, dt)
        shaped = zip(self._classes.owners, flood.offered[len(self._arcs) + 1 :], flood.passing[len(self._arcs) + 1 :], strict=True)
        lost = [(node, "shaped", rate * (1 - passing)) for node, rate, passing in shaped]
        for node, reason, rate in (*lost, *((node, reason, rate) for (node, reason), rate in flood.lost.items())):
            dropped = self._devices[node].dropped_packets
            dropped[reason] = dropped.get(reason, 0.0) + rate * dt / PACKET
