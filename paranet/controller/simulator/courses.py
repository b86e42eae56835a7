"""Which way the packets of a flow take now: one decision a node and flow, by the flow's way of forwarding."""

from collections.abc import Callable, Mapping, Sequence

import attrs

from paranet.controller.simulator import regions
from paranet.controller.simulator.arcs import Arc, End
from paranet.controller.simulator.filters import Packet
from paranet.controller.simulator.forwarding import Address, Course, Forward, trace
from paranet.controller.simulator.groups import Copies, spread
from paranet.controller.simulator.names import Answer, Caches, collect
from paranet.controller.simulator.switches import ports
from paranet.controller.simulator.tables import Tables
from paranet.controller.simulator.traffic import Flow
from paranet.models.topology import Modality, Topology


@attrs.define(kw_only=True)
class Classes:
    """Traffic classes as arcs of their own behind those of the links: what a class passes is limited like on a link."""

    first: int
    rates: list[float] = attrs.field(factory=list)
    owners: list[str] = attrs.field(factory=list)
    _known: dict[tuple[str, str], int] = attrs.field(factory=dict)

    def arc(self, node: str, name: str, rate: float) -> int:
        """Return the arc of a node's class."""
        if (node, name) not in self._known:
            self._known[node, name] = self.first + len(self.rates)
            self.rates.append(rate)
            self.owners.append(node)
        return self._known[node, name]


class Courses:
    """Traces flows over the tables of all devices, as they are at one moment (*minute* of the day, *at* in s)."""

    def __init__(
        self,
        topology: Topology,
        tables: Mapping[str, Tables],
        by_end: Mapping[End, Arc],
        addresses: Mapping[str, Address],
        *,
        inside: int,
        at: float,
        seed: int,
    ) -> None:
        self._topology = topology
        self._tables = tables
        self._by_end = by_end
        self._addresses = addresses
        self._inside = inside
        self._minute = int(at // 60) % 1440
        self._at = at
        self._seed = seed
        self._decided: dict[tuple[str, Address], Forward] = {}
        self._ports: dict[str, dict[int, str]] = {}
        self._sent: set[tuple[str, Address]] = set()
        self.classes = Classes(first=inside + 1)

    def of(self, flow: Flow, caches: Caches) -> Course:
        """Return the course of a flow."""
        if flow.modality is Modality.NDN:
            return self._of_name(flow, caches)
        if flow.group is not None:
            return self._of_group(flow, flow.group)
        if flow.modality is Modality.GEO:
            return trace(flow.source, flow.target, lambda node: self._by_place(node, flow.target))
        packet = Packet(source=self._addresses[flow.source], destination=self._addresses[flow.target])
        course = trace(flow.source, flow.target, self._forward(flow.source, packet), self._limit(packet))
        return course.turned_away(flow.target, "denied") if self._denies(flow.target, packet) else course

    def step(self, node: str, address: Address) -> Forward:
        """Return what an IP packet meets on a node."""
        key = node, address
        if key not in self._decided:
            tables = self._tables[node]
            if tables.switch.programmed:
                self._decided[key] = self._out_of_port(node, tables.switch.lookup(address))
            else:
                hops = tables.routes.lookup(address)
                self._decided[key] = self.ways(node, [(h.node, h.link, h.weight) for h in hops]) if hops else "no_route"
        return self._decided[key]

    def ways(self, node: str, hops: list[tuple[str, str, float]]) -> Forward:
        """Return the ways over links that are up; traffic of a next hop that is gone goes to the others."""
        found = []
        for neighbour, link, weight in hops:
            arc = self._by_end.get((link, node))
            if arc is not None and arc.up and arc.end.node == neighbour:
                found.append((arc.index, weight, neighbour))
        total = sum(weight for _, weight, _ in found)
        return tuple((arc, weight / total, to) for arc, weight, to in found) or "link_down"

    def _out_of_port(self, node: str, port: int | str) -> Forward:
        if isinstance(port, str):
            return port
        arc = self._behind(node, port)
        return self.ways(node, [(arc.end.node, arc.link.id, 1.0)]) if arc else "no_route"

    def _behind(self, node: str, port: int) -> Arc | None:
        if node not in self._ports:
            self._ports[node] = ports(self._topology, node)
        return self._by_end.get((self._ports[node].get(port, ""), node))

    def _of_group(self, flow: Flow, group: Address) -> Course:
        """Return the course of a member's packets; the first member that is asked for is the one whose course carries them all."""
        shared = (flow.source, group) in self._sent
        self._sent.add((flow.source, group))
        packet = Packet(source=self._addresses[flow.source], destination=group)

        def copies(node: str, came: tuple[str, str] | None) -> Copies:
            tables = self._tables[node]
            if came is not None and self._denies(node, packet):
                return Copies(lost=("denied",))
            if tables.switch.programmed:
                arcs = [self._behind(node, port) for port in tables.switch.copies(group)]
                return self._copied(node, [(arc.end.node, arc.link.id) for arc in arcs if arc], received=True)
            branch = tables.groups.lookup(packet.source, group)
            if branch is None:
                return Copies(lost=("no_route",))
            if came is not None and branch.incoming != came:
                return Copies(lost=("wrong_link",))  # the check of the reverse path (RFC 7761, 4.2)
            return self._copied(node, branch.outgoing, received=branch.local)

        return spread(flow.source, flow.target, copies, self._limit(packet), shared=shared)

    def _copied(self, node: str, outgoing: Sequence[tuple[str, str]], *, received: bool) -> Copies:
        ways, lost = [], []
        for neighbour, link in outgoing:
            arc = self._by_end.get((link, node))
            if arc is not None and arc.up and arc.end.node == neighbour:
                ways.append((arc.index, link, neighbour))
            else:
                lost.append("link_down")
        return Copies(ways=tuple(ways), lost=tuple(lost), received=received)

    def _forward(self, source: str, packet: Packet) -> Callable[[str], Forward]:
        def forward(node: str) -> Forward:
            return "denied" if node != source and self._denies(node, packet) else self.step(node, packet.destination)

        return forward

    def _denies(self, node: str, packet: Packet) -> bool:
        """Tell whether a node drops a packet that comes to it; what it sends itself it does not ask."""
        filters = self._tables[node].filters
        return bool(filters) and filters.denies(packet, self._minute)

    def _limit(self, packet: Packet) -> Callable[[str], int | None]:
        def limit(node: str) -> int | None:
            filters = self._tables[node].filters
            found = filters.limit(packet, self._minute) if filters else None
            return self.classes.arc(node, *found) if found else None

        return limit

    def _by_place(self, node: str, target: str) -> Forward:
        place = regions.position(self._topology.nodes[target], self._at, self._seed)
        found = self._tables[node].regions.lookup(place) if place else None
        if found is None:
            return "no_region"
        mode, hops = found
        if mode == "deliver":  # in the region itself everybody hears whom it is for
            hops = tuple((target, link.id) for link in self._topology.links_of(node) if target in (link.source.node, link.target.node))
        return self.ways(node, [(neighbour, link, 1.0) for neighbour, link in hops]) if hops else "no_route"

    def _of_name(self, flow: Flow, caches: Caches) -> Course:
        """Return the course of Data towards the source: each node on the Interest's way answers what its store holds."""
        produced = self._tables[flow.target].names.produced
        name = produced[0] if produced else f"/{flow.target}"
        return collect(flow.source, lambda node: self._answer(node, name, flow, caches), self._inside)

    def _answer(self, node: str, name: str, flow: Flow, caches: Caches) -> Answer:
        names = self._tables[node].names
        found = names.lookup(name)
        if found is not None and found.producer:
            return Answer(answered=1.0)
        hits = caches.hits(node, flow.id, names.store(name), flow.rate)
        ways = [way for way in found.ways if self._up(way.link, node)] if found else []
        if not ways:
            return Answer(answered=hits, lost="link_down" if found and found.ways else "no_name")
        chosen = names.choose(name, ways)
        back = [self._by_end.get((way.link, way.node)) or self._by_end[way.link, node] for way in chosen]
        return Answer(answered=hits, ways=tuple((arc.index, 1.0 / len(chosen), way.node) for arc, way in zip(back, chosen, strict=True)))

    def _up(self, link: str, node: str) -> bool:
        arc = self._by_end.get((link, node))
        return arc is not None and arc.up
