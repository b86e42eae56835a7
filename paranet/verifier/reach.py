"""One route's promise: its packets arrive, pass what they must, avoid what they must, in time and over enough ways."""

from collections.abc import Iterable, Iterator, Mapping

import attrs

from paranet.models.intent import Reach
from paranet.verifier.forwarding import Links, Ownership, named_hops
from paranet.verifier.incremental import Atom, Atoms
from paranet.verifier.packets import BITS, DAY, Entry, Packets
from paranet.verifier.prefixes import Prefix, text
from paranet.verifier.report import Findings
from paranet.verifier.rings import Ring, ring_of
from paranet.verifier.walks import Event, State, Walk

_SLACK = 1 + 1e-9  # sums of floats may differ from their bound in the last digits


@attrs.frozen
class Network:
    """What walks need to know of the network: atoms by IP version, access lists by node."""

    links: Links
    ownership: Ownership
    atoms: Mapping[int, Atoms]
    lists: dict[str, tuple[Entry, ...]]


@attrs.define
class Outcome:
    """What came of one promise: findings, circles met, and the nodes it depends on."""

    visited: set[str] = attrs.field(factory=set)
    findings: Findings | None = None
    rings: dict[Ring, int] | None = None

    def found(self) -> Findings:
        """Return the findings to add to; most promises have none, and there are many promises."""
        self.findings = self.findings or Findings()
        return self.findings

    def circle(self, ring: Ring, address: int) -> None:
        self.rings = self.rings or {}
        self.rings.setdefault(ring, address)


def gaps(prefix: Prefix, claims: Iterable[Prefix]) -> Iterator[tuple[int, int]]:
    """Yield the ranges [low, high) of *prefix* outside *claims*, which are inside it and sorted."""
    at = prefix.low
    for claim in claims:
        if claim.low > at:
            yield at, claim.low
        at = max(at, claim.high + 1)
    if at <= prefix.high:
        yield at, prefix.high + 1


class ReachCheck:
    """Checks one reach. A part of its prefix that a reach of a longer prefix promises to somebody else is left to that one."""

    def __init__(self, reach: Reach, prefix: Prefix, claims: Iterable[Prefix], network: Network) -> None:
        self.prefix = prefix
        self._reach = reach
        self._gaps = tuple(gaps(prefix, claims))
        self._network = network

    @property
    def intent(self) -> str:
        return self._reach.intent

    def names(self) -> Iterator[str]:
        """Yield what is checked."""
        reach = self._reach
        yield "reachability"
        for name, wanted in (("waypoint", reach.via), ("avoidance", reach.avoid), ("width", reach.width > 1)):
            if wanted:
                yield name
        if reach.latency is not None:
            yield "latency"

    def run(self) -> Outcome:
        outcome = Outcome()
        done: set[int] = set()
        for low, high in self._gaps:
            for address, atom in self._network.atoms[self.prefix.version].pieces(low, high):
                if id(atom) not in done:  # an atom may be in several gaps
                    done.add(id(atom))
                    if not self._arrives(atom, outcome):
                        self._walk(address, atom, outcome)
        return outcome

    def _arrives(self, atom: Atom, outcome: Outcome) -> bool:
        """Tell whether all is well on a single way without access lists: by far the most frequent case, so it comes first."""
        reach, lists, rules = self._reach, self._network.lists, atom.rules
        node, way, links = reach.source, [reach.source], []
        while node not in lists:
            rule = rules.get(node)
            if node == reach.target and (rule is None or rule.length <= self.prefix.length):
                break
            if rule is None or len(rule.hops) != 1 or rule.faults or len(way) > len(rules):
                return False
            link, (node, _) = rule.hops[0]
            way.append(node)
            links.append(str(link))
        else:
            return False
        if reach.width > 1 or (reach.via and not _in_order(reach.via, way)) or not set(reach.avoid).isdisjoint(way):
            return False
        if reach.latency is not None and self._network.links.latency(tuple(links)) > reach.latency * _SLACK:
            return False
        first = rules.get(reach.source)
        if first is not None and first.row is not None and "backup" in first.row.value:
            return False
        outcome.visited.update(way)
        return True

    def _walk(self, address: int, atom: Atom, outcome: Outcome) -> None:
        reach, network = self._reach, self._network
        walk = Walk(
            topology=network.links.topology,
            rules=atom.rules,
            lists=network.lists,
            version=self.prefix.version,
            target=reach.target,
            length=self.prefix.length,
            via=reach.via,
            timed=reach.latency is not None,
        )
        judge = _Judge(self, walk, address, outcome)
        for event, state, words in walk.run(State(reach.source, packets=self._packets(address) if network.lists else None)):
            outcome.visited.add(state.node)
            judge.event(event, state, words)
        judge.spread()
        judge.backups()

    def _packets(self, address: int) -> Packets:
        """Return what the source sends to the address, in any protocol at any time."""
        version = self.prefix.version
        whole = (0, (1 << BITS[version]) - 1)
        sources = [(own, own) for own in sorted(set(self._network.ownership.addresses(self._reach.source, version)))] or [whole]
        return tuple((source, (address, address), (0, 255), (0, 65535), (0, 65535), (0, DAY - 1)) for source in sources)

    @property
    def reach(self) -> Reach:
        return self._reach

    @property
    def network(self) -> Network:
        return self._network


def _in_order(wanted: Iterable[str], way: Iterable[str]) -> bool:
    ahead = iter(way)
    return all(node in ahead for node in wanted)


class _Judge:
    """Judges what happens to the packets of one reach to one address."""

    def __init__(self, check: ReachCheck, walk: Walk, address: int, outcome: Outcome) -> None:
        self._reach = check.reach
        self._version = check.prefix.version
        self._network = check.network
        self._walk = walk
        self._address = address
        self._outcome = outcome
        self._links: set[str] = set()

    def event(self, event: Event, state: State, words: str) -> None:
        self._links.update(state.links)
        match event:
            case Event.AT if state.node in self._reach.avoid:
                self._violate("avoidance", f"packets of {self._reach.intent!r} pass {state.node!r}, which they must avoid", state)
            case Event.DROPPED:
                message = f"an access list drops all packets of {self._reach.intent!r} to {self._reach.prefix} at {state.node!r}"
                self._violate("blocked", message, state)
            case Event.LOST:
                self._violate("blackhole", words, state)
            case Event.LOOP:
                first = state.way.index(state.node)
                self._outcome.circle(ring_of(self._version, state.rules[first:]), self._address)
            case Event.END:
                self._end(state)

    def _end(self, state: State) -> None:
        """Judge packets that no rule leads on."""
        reach = self._reach
        if state.node != reach.target:
            if self._network.ownership.owns(state.node, self._version, self._address):
                message = f"packets of {reach.intent!r} to {reach.prefix} end at {state.node!r}, not at {reach.target!r}"
                self._violate("wrong-end", message, state)
            else:
                self._violate("blackhole", f"{state.node!r} has no row for packets of {reach.intent!r} to {reach.prefix}", state)
            return
        if state.passed < len(reach.via):
            missed = reach.via[state.passed]
            message = f"packets of {reach.intent!r} reach {reach.target!r} without passing {missed!r} in its turn"
            self._violate("waypoint", message, state)
        if reach.latency is not None and state.latency > reach.latency * _SLACK:
            message = f"packets of {reach.intent!r} take {1e3 * state.latency:.6g} ms, more than {1e3 * reach.latency:.6g} ms"
            self._violate("latency", message, state)

    def spread(self) -> None:
        """Judge the width of the way out of the source."""
        reach = self._reach
        rule = self._walk.rule(reach.source)
        if rule is not None and reach.width > max(1, len(set(rule.hops))):
            message = f"{reach.source!r} spreads packets of {reach.intent!r} over {len(set(rule.hops))} next hops, not {reach.width}"
            self._violate("width", message, State(reach.source, rules=(rule,)))

    def backups(self) -> None:
        """Judge the backups of the source's row: each has to arrive, over none of the links that packets take otherwise."""
        source = self._reach.source
        rule = self._walk.rule(source)
        if rule is None or rule.row is None:
            return
        for neighbour, link in named_hops(rule.row.value, "backup"):
            first = State(source, rules=(rule,))
            if obstacle := self._network.links.obstacle(source, neighbour, link):
                self._violate("backup", f"{source!r} backs {self._reach.prefix} up by {neighbour!r}, but {obstacle}", first)
                continue
            begin = State(neighbour, way=(source,), links=(link,), rules=(rule,))
            for event, state, _ in attrs.evolve(self._walk, lists={}, timed=False).run(begin):
                self._outcome.visited.add(state.node)
                self._backup(event, state)

    def _backup(self, event: Event, state: State) -> None:
        reach = self._reach
        shared = sorted(self._links.intersection(state.links))
        if event is Event.END and state.node == reach.target and shared:
            message = f"the backup of {reach.intent!r} takes link {shared[0]!r}, which it has to do without"
        elif event in (Event.LOST, Event.LOOP) or (event is Event.END and state.node != reach.target):
            message = f"the backup of {reach.intent!r} gets no further than {state.node!r}"
        else:
            return
        self._violate("backup", message, state)

    def _violate(self, check: str, message: str, state: State) -> None:
        head: Mapping[str, str] = {"dst": text(self._version, self._address)}
        if check == "blocked":
            head = {**head, **self._denied(state)}
        intents = (self._reach.intent,)
        self._outcome.found().violate(check, message, header=head, hops=state.hops, steps=state.steps, intents=intents)

    def _denied(self, state: State) -> Mapping[str, str]:
        sources = self._network.ownership.addresses(self._reach.source, self._version)
        return {"src": text(self._version, min(sources))} if sources else {}
