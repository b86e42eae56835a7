"""NDN: Interests in every prefix reach a producer and never circle, faces and strategies exist, caches fit their nodes."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs

from paranet.models.device import Row
from paranet.models.intent import NamePromise
from paranet.models.topology import Topology
from paranet.models.units import SIZE, parse_quantity
from paranet.verifier.circles import circles, turned
from paranet.verifier.forwarding import Links, named_hops
from paranet.verifier.judge import SLACK
from paranet.verifier.report import Findings, Step

RIB, FACE, STRATEGY, STORE = "ndn.rib", "ndn.face", "ndn.strategy", "ndn.cs"
FAMILIES = (RIB, FACE, STRATEGY, STORE)
STRATEGIES = ("best-route", "multicast", "asf", "random", "access", "self-learning")
"""those of NFD, the first is what it does unless told otherwise"""
COPYING = "multicast"
NFD = "/localhost/nfd/strategy/"

Name = tuple[str, ...]


def components(name: str) -> Name:
    return tuple(part for part in name.split("/") if part)


@attrs.frozen
class Entry:
    """A row of a node's RIB: next hops over links that are there by rising cost, and why others are not. *equal* of them cost the least."""

    step: Step
    hops: tuple[str, ...]
    links: tuple[str, ...]
    equal: int
    faults: tuple[str, ...]
    producer: bool


def _entry(node: str, row: Row, links: Links) -> Entry:
    found: list[tuple[float, str, str]] = []
    faults = []
    costs = [hop.get("cost", 0) for hop in _hops(row)]
    for cost, (neighbour, link) in zip(costs, named_hops(row.value), strict=True):
        if obstacle := links.obstacle(node, neighbour, link):
            faults.append(f"{node!r} sends Interests in {row.key} to {neighbour!r}, but {obstacle}")
        else:
            found.append((float(cost) if isinstance(cost, (int, float)) else 0.0, neighbour, link))
    found.sort(key=lambda hop: hop[0])
    hops, over = tuple(h[1] for h in found), tuple(h[2] for h in found)
    equal = sum(cost == found[0][0] for cost, _, _ in found)
    return Entry(Step.of(node, row), hops, over, equal, tuple(faults), row.value.get("producer") is True)


def _hops(row: Row) -> list[Mapping[str, object]]:
    hops = row.value.get("next_hops")
    return [hop for hop in hops if isinstance(hop, Mapping)] if isinstance(hops, (list, tuple)) else []


class NdnCheck:
    """Checks the NDN rows of all nodes against *promises*."""

    def __init__(self, topology: Topology, links: Links, promises: Sequence[NamePromise]) -> None:
        self._topology = topology
        self._links = links
        self._promises = promises

    def __call__(self, rows: Mapping[str, list[Row]], findings: Findings) -> None:
        ribs = {n: {components(r.key): _entry(n, r, self._links) for r in found if r.family == RIB} for n, found in rows.items()}
        self._strategies = {n: {components(r.key): r for r in found if r.family == STRATEGY} for n, found in rows.items()}
        self._ribs = ribs
        names = sorted({name for rib in ribs.values() for name in rib})
        for name in names:
            self._loops(name, findings)
            self._producers(name, findings)
        for promise in self._promises:
            self._promise(promise, findings)
        for node, found in rows.items():
            self._faces(node, found, findings)
            self._known(node, found, findings)
            self._store(node, found, findings)

    def lookup(self, node: str, name: Name) -> Entry | None:
        """Return the entry of the longest prefix of *name*."""
        rib = self._ribs.get(node, {})
        return next((rib[name[:k]] for k in range(len(name), -1, -1) if name[:k] in rib), None)

    def _strategy(self, node: str, name: Name) -> str:
        held = self._strategies.get(node, {})
        row = next((held[name[:k]] for k in range(len(name), -1, -1) if name[:k] in held), None)
        return _short(row) if row else STRATEGIES[0]

    def _loops(self, name: Name, findings: Findings) -> None:
        """Find Interests that come back to where they were, whichever of the next hops they took."""
        findings.count("loop")

        def following(node: str) -> tuple[str, ...]:
            entry = self.lookup(node, name)
            return () if entry is None or entry.producer else entry.hops

        for ring in circles(sorted(self._ribs), following):
            if all((entry := self.lookup(node, name)) and entry.step.key != _text(name) for node in ring):
                continue  # told for the shorter prefix
            nodes = turned(ring)
            message = f"Interests in {_text(name)} circle: {' > '.join((*nodes, nodes[0]))}"
            steps = [entry.step for node in nodes if (entry := self.lookup(node, name))]
            findings.violate("loop", message, header={"name": _text(name)}, hops=(*nodes, nodes[0]), steps=steps)

    def _producers(self, name: Name, findings: Findings) -> None:
        for node, rib in self._ribs.items():
            if name in rib:
                findings.count("producer")
                found, end = self._reached(node, name)
                if not found:
                    message = f"Interests in {_text(name)} reach no producer from {node!r}"
                    self._lost("producer", message, name, end, findings, ())

    def _promise(self, promise: NamePromise, findings: Findings) -> None:
        findings.count("name")
        name = components(promise.name)
        found, end = self._reached(promise.consumer, name)
        self._wishes(promise, name, findings)
        if found.isdisjoint(promise.producers):
            where = f"end at {', '.join(sorted(found))}" if found else "reach no producer"
            message = f"Interests of {promise.intent!r} in {promise.name} {where}, not at {' or '.join(promise.producers)}"
            self._lost("name", message, name, end, findings, (promise.intent,))

    def _wishes(self, promise: NamePromise, name: Name, findings: Findings) -> None:
        """Judge over how many ways Interests go, and whether there is a way when the usual one fails."""
        if promise.width > 1:
            findings.count("width")
            if (ways := self._ways(promise, name)) < promise.width:
                message = f"Interests of {promise.intent!r} in {promise.name} are spread over {ways} ways, not {promise.width}"
                self._unmet("width", message, promise, name, findings, (promise.consumer,))
        if promise.backup:
            findings.count("backup")
            usual = self._usual_links(promise.consumer, name)
            second, way = self._dearest(promise.consumer, name)
            if way[-1] not in promise.producers:
                message = f"the backup of {promise.intent!r} gets no further than {way[-1]!r}"
                self._unmet("backup", message, promise, name, findings, way)
            elif shared := sorted(usual & second):
                message = f"the backup of {promise.intent!r} takes link {shared[0]!r}, as Interests usually do"
                self._unmet("backup", message, promise, name, findings, way)
        self._course(promise, name, findings)

    def _course(self, promise: NamePromise, name: Name, findings: Findings) -> None:
        """Judge what Interests pass on the ways they usually go, and how long these take; every copy of a `multicast` may go its own."""
        copied = self._strategy(promise.consumer, name) == COPYING
        for check, wanted in (("avoidance", promise.avoid), ("waypoint", promise.via), ("latency", promise.latency)):
            if wanted:
                findings.count(check)
        ways: dict[tuple[str, int], tuple[str, ...]] = {(promise.consumer, 0): (promise.consumer,)}
        open_ = list(ways)
        while open_ and (promise.avoid or promise.via):
            node, passed = open_.pop()
            way = ways[node, passed]
            if node in promise.avoid:
                message = f"Interests of {promise.intent!r} in {promise.name} pass {node!r}, which they must avoid"
                self._unmet("avoidance", message, promise, name, findings, way)
            entry = self.lookup(node, name)
            if entry and entry.producer and passed < len(promise.via) and not copied:
                message = f"Interests of {promise.intent!r} reach {node!r} without passing {promise.via[passed]!r} in its turn"
                self._unmet("waypoint", message, promise, name, findings, way)
            for neighbour in self._usual(node, name)[0]:
                state = neighbour, passed + (passed < len(promise.via) and promise.via[passed] == neighbour)
                if state not in ways:
                    ways[state] = (*way, neighbour)
                    open_.append(state)
        if promise.latency is not None and not copied:
            latency, way = self._slowest(promise, name)
            if latency > promise.latency * SLACK:
                message = f"Interests of {promise.intent!r} take {1e3 * latency:.6g} ms, more than {1e3 * promise.latency:.6g} ms"
                self._unmet("latency", message, promise, name, findings, way)

    def _usual(self, node: str, name: Name) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the next hops, and the links to them, that Interests take unless these fail."""
        entry = self.lookup(node, name)
        if entry is None or entry.producer:
            return (), ()
        strategy = self._strategy(node, name)
        count = 1 if strategy == STRATEGIES[0] else entry.equal if strategy == "asf" else len(entry.hops)
        return entry.hops[:count], entry.links[:count]

    def _slowest(self, promise: NamePromise, name: Name) -> tuple[float, tuple[str, ...]]:
        """Return the latency (s) and the nodes of the slowest usual way to a producer (where they do not circle)."""
        best: dict[str, tuple[float, tuple[str, ...]]] = {}
        for node in self._backwards(promise.consumer, name):
            hops = zip(*self._usual(node, name), strict=True)
            ahead = [(best[n][0] + self._links.latency((link,)), (node, *best[n][1])) for n, link in hops if n in best]
            end = 0.0 if node in promise.producers else -math.inf
            best[node] = max(ahead, default=(end, (node,)))
        return best[promise.consumer]

    def _backwards(self, start: str, name: Name) -> Iterator[str]:
        """Yield the nodes on the usual ways from *start*, each after its next hops (where they do not circle)."""
        begun: set[str] = set()
        done: set[str] = set()
        open_ = [start]
        while open_:
            node = open_[-1]
            if node not in begun:
                begun.add(node)
                open_ += [n for n in self._usual(node, name)[0] if n not in begun]
                continue
            open_.pop()
            if node not in done:
                done.add(node)
                yield node

    def _unmet(self, check: str, words: str, promise: NamePromise, name: Name, findings: Findings, way: tuple[str, ...]) -> None:
        steps = [entry.step for node in way if (entry := self.lookup(node, name))]
        findings.violate(check, words, header={"name": promise.name}, hops=way, steps=steps, intents=(promise.intent,))

    def _usual_links(self, consumer: str, name: Name) -> set[str]:
        """Return the links of all ways that Interests take unless these fail."""
        found: set[str] = set()
        seen = {consumer}
        open_ = [consumer]
        while open_:
            hops, links = self._usual(open_.pop(), name)
            found.update(links)
            open_ += [n for n in dict.fromkeys(hops) if n not in seen]
            seen.update(hops)
        return found

    def _dearest(self, node: str, name: Name) -> tuple[set[str], tuple[str, ...]]:
        """Return links and nodes of the way by every node's dearest next hop."""
        links: set[str] = set()
        way = [node]
        while (entry := self.lookup(way[-1], name)) and entry.hops and not entry.producer and entry.hops[-1] not in way:
            links.add(entry.links[-1])
            way.append(entry.hops[-1])
        return links, tuple(way)

    def _ways(self, promise: NamePromise, name: Name) -> int:
        """Return over how many ways Interests usually get to a producer, by the strategies of the nodes (where they do not circle)."""
        count: dict[str, int] = {}
        for node in self._backwards(promise.consumer, name):
            entry = self.lookup(node, name)
            own = int(entry is not None and entry.producer and node in promise.producers)
            count[node] = own + sum(count.get(n, 0) for n in self._usual(node, name)[0])
        return count[promise.consumer]

    def _followed(self, node: str, name: Name) -> tuple[str, ...]:
        """Return the next hops that the node's strategy may send an Interest to, none at a producer."""
        entry = self.lookup(node, name)
        if entry is None or entry.producer:
            return ()
        return entry.hops[:1] if self._strategy(node, name) == STRATEGIES[0] else entry.hops

    def _reached(self, start: str, name: Name) -> tuple[set[str], tuple[str, ...]]:
        """Return the producers that Interests from *start* reach by the strategies on their way, and the longest way to anywhere."""
        ways: dict[str, tuple[str, ...]] = {start: (start,)}
        open_, producers = [start], set()
        while open_:
            node = open_.pop()
            entry = self.lookup(node, name)
            if entry is None:
                continue
            if entry.producer:
                producers.add(node)
                continue
            for neighbour in self._followed(node, name):
                if neighbour not in ways:
                    ways[neighbour] = (*ways[node], neighbour)
                    open_.append(neighbour)
        return producers, max(ways.values(), key=lambda way: (len(way), way))

    def _lost(self, check: str, message: str, name: Name, way: tuple[str, ...], findings: Findings, intents: Iterable[str]) -> None:
        entries = [entry for node in way if (entry := self.lookup(node, name))]
        faults = [fault for entry in entries for fault in entry.faults]
        words = f"{message}: {faults[0]}" if faults else f"{message}: they get no further than {way[-1]!r}"
        findings.violate(check, words, header={"name": _text(name)}, hops=way, steps=[e.step for e in entries], intents=intents)

    def _faces(self, node: str, rows: list[Row], findings: Findings) -> None:
        """Every next hop needs a face over its link."""
        faces = {row.key for row in rows if row.family == FACE}
        for name, entry in self._ribs[node].items():
            findings.count("face", len(entry.links))
            for neighbour, link in zip(entry.hops, entry.links, strict=True):
                if link not in faces:
                    message = f"{node!r} has no face over link {link!r} to send Interests in {_text(name)} to {neighbour!r}"
                    findings.violate("face", message, header={"name": _text(name)}, hops=(node, neighbour), steps=[entry.step])

    def _known(self, node: str, rows: list[Row], findings: Findings) -> None:
        for row in rows:
            if row.family == STRATEGY:
                findings.count("strategy")
                if _short(row) not in STRATEGIES:
                    message = f"{node!r} has no strategy {row.value.get('strategy')!r}, only {', '.join(STRATEGIES)}"
                    findings.violate("strategy", message, header={"name": row.key}, hops=(node,), steps=[Step.of(node, row)])

    def _store(self, node: str, rows: list[Row], findings: Findings) -> None:
        stores = [row for row in rows if row.family == STORE]
        described = self._topology.nodes.get(node)
        size = _bytes(described.properties.get("cache_size")) if described else None
        if not stores or size is None:
            return
        findings.count("cache")
        wanted = sum(_bytes(row.value.get("capacity")) or 0.0 for row in stores)
        if wanted > size:
            message = f"content stores on {node!r} take {wanted:.0f} bytes, but it has {size:.0f}"
            findings.violate("cache", message, header={"name": stores[0].key}, hops=(node,), steps=[Step.of(node, r) for r in stores])


def _text(name: Name) -> str:
    return "/" + "/".join(name)


def _short(row: Row) -> str:
    return str(row.value.get("strategy")).removeprefix(NFD).partition("/")[0]


def _bytes(value: object) -> float | None:
    """Return a size in bytes, None where there is none to read."""
    if isinstance(value, str):
        try:
            return parse_quantity(value, SIZE, what="size")
        except ValueError:
            return None
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
