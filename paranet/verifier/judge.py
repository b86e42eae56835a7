"""Judges what becomes of the packets of one reach."""

from collections.abc import Mapping

import attrs

from paranet.models.intent import Reach
from paranet.verifier.forwarding import named_hops
from paranet.verifier.incremental import Rule
from paranet.verifier.network import Network, Outcome, Piece, gaps
from paranet.verifier.packets import BITS, DAY, Packets, example
from paranet.verifier.prefixes import Prefix, text
from paranet.verifier.report import Step
from paranet.verifier.rings import ring_of
from paranet.verifier.walks import Event, State, Walk

SLACK = 1 + 1e-9  # sums of floats may differ from their bound in the last digits


class Judge:
    """Walks every branch that packets of *reach* take, piece by piece of its prefix in their order, and notes what is not as promised."""

    def __init__(self, reach: Reach, prefix: Prefix, network: Network, outcome: Outcome) -> None:
        self._reach = reach
        self._prefix = prefix
        self._network = network
        self._outcome = outcome
        self._dropped: dict[tuple[str, ...], tuple[Piece, State, dict[Step, None]]] = {}
        self._passed: set[tuple[str, ...]] = set()

    def judge(self, piece: Piece) -> None:
        """Judge the packets to one piece."""
        reach, network = self._reach, self._network
        walk = Walk(
            rules=piece.atom.rules,
            lists=network.lists,
            version=piece.version,
            target=reach.target,
            length=self._prefix.length,
            via=reach.via,
        )
        links: set[str] = set()
        for event, state, words in walk.run(State(reach.source, packets=self._packets(piece))):
            self._outcome.visited.add(state.node)
            links.update(state.links)
            self._event(event, state, words, piece)
        self._spread(walk, piece)
        self._haste(walk, piece)
        self._backup(walk, links, piece)

    def _packets(self, piece: Piece) -> Packets:
        """Return what the source sends to the addresses, in any protocol at any time."""
        own = sorted(set(self._network.ownership.addresses(self._reach.source, piece.version)))
        sources = [(address, address) for address in own] or [(0, (1 << BITS[piece.version]) - 1)]
        return tuple((source, (piece.low, piece.high - 1), (0, 255), (0, 65535), (0, 65535), (0, DAY - 1)) for source in sources)

    def _event(self, event: Event, state: State, words: str, piece: Piece) -> None:
        match event:
            case Event.AT:
                self._passed.add(state.hops)
                if state.node in self._reach.avoid:
                    message = f"packets of {self._reach.intent!r} pass {state.node!r}, which they must avoid"
                    self._violate("avoidance", message, state, piece)
            case Event.DROPPED:
                self._dropped.setdefault(state.hops, (piece, state, {}))[2].update(dict.fromkeys(state.by))
            case Event.LOST:
                self._violate("blackhole", words, state, piece)
            case Event.LOOP:
                first = state.way.index(state.node)
                self._outcome.circle(ring_of(piece.version, state.rules[first:]), _addresses(state, piece)[0][0])
            case Event.END if state.node == self._reach.target:
                self._arrived(state, piece)
            case Event.END:
                self._astray(state, piece)

    def _arrived(self, state: State, piece: Piece) -> None:
        reach = self._reach
        if state.passed < len(reach.via):
            missed = reach.via[state.passed]
            message = f"packets of {reach.intent!r} reach {reach.target!r} without passing {missed!r} in its turn"
            self._violate("waypoint", message, state, piece)

    def _astray(self, state: State, piece: Piece) -> None:
        """Judge packets that no rule leads on from a node that is not their end: it takes some for its own, others vanish."""
        reach = self._reach
        local = [p for p in self._network.ownership.local(state.node) if p.version == piece.version]
        for low, high in _addresses(state, piece):
            for prefix in local:
                if prefix.low <= high and low <= prefix.high:
                    message = f"packets of {reach.intent!r} to {reach.prefix} end at {state.node!r}, not at {reach.target!r}"
                    self._violate("wrong-end", message, state, piece, max(low, prefix.low))
            for start, _ in gaps(low, high + 1, local):
                message = f"{state.node!r} has no row for packets of {reach.intent!r} to {reach.prefix}"
                self._violate("blackhole", message, state, piece, start)

    def blocked(self) -> None:
        """Judge, after the last piece, where access lists let nothing pass; that they take a part away is what they are for."""
        for hops, (piece, first, by) in self._dropped.items():
            if hops not in self._passed:
                state = attrs.evolve(first, rules=(), by=tuple(sorted(by, key=lambda step: step.row)))
                message = f"an access list drops all packets of {self._reach.intent!r} to {self._reach.prefix} at {state.node!r}"
                self._violate("blocked", message, state, piece)

    def _spread(self, walk: Walk, piece: Piece) -> None:
        """Judge over how many ways packets are spread."""
        reach = self._reach
        if reach.width > 1 and (ways := walk.ways(reach.source)) < reach.width:
            message = f"packets of {reach.intent!r} are spread over {ways} ways, not {reach.width}"
            rule = walk.rule(reach.source)
            self._violate("width", message, State(reach.source, rules=(rule,) if rule else ()), piece)

    def _haste(self, walk: Walk, piece: Piece) -> None:
        """Judge how long packets take at most."""
        reach = self._reach
        if reach.latency is not None:
            latency, state = walk.slowest(reach.source, self._network.links.topology.links)
            if latency > reach.latency * SLACK:
                message = f"packets of {reach.intent!r} take {1e3 * latency:.6g} ms, more than {1e3 * reach.latency:.6g} ms"
                self._violate("latency", message, state, piece)

    def _backup(self, walk: Walk, links: set[str], piece: Piece) -> None:
        """Judge the way that packets take when every node that has a backup uses it: it arrives, without the links of the usual way."""
        reach, source = self._reach, walk.rule(self._reach.source)
        if source is None or not _backs_up(source):
            if reach.backup:
                state = State(reach.source, rules=(source,) if source else ())
                self._violate("backup", f"packets of {reach.intent!r} have no backup at {reach.source!r}", state, piece)
            return
        rules = {node: self._backed_up(rule) for node, rule in walk.rules.items()}
        for event, state, words in attrs.evolve(walk, rules=rules, lists={}).run(State(reach.source)):
            self._outcome.visited.add(state.node)
            shared = sorted(links.intersection(state.links))
            if event is Event.END and state.node == reach.target and shared:
                self._violate("backup", f"the backup of {reach.intent!r} takes link {shared[0]!r}, as packets usually do", state, piece)
            elif event is Event.LOST:
                self._violate("backup", f"the backup of {reach.intent!r} is cut: {words}", state, piece)
            elif event is Event.LOOP or (event is Event.END and state.node != reach.target):
                self._violate("backup", f"the backup of {reach.intent!r} gets no further than {state.node!r}", state, piece)

    def _backed_up(self, rule: Rule) -> Rule:
        """Return the rule when all of its next hops fail."""
        if not _backs_up(rule) or rule.row is None:
            return rule
        links, hops, faults = self._network.links, [], []
        for neighbour, link in named_hops(rule.row.value, "backup"):
            if hop := links.hops.get((rule.node, neighbour, link)):
                hops.append(hop)
            else:
                faults.append(f"{rule.node!r} would send to {neighbour!r}, but {links.obstacle(rule.node, neighbour, link)}")
        return attrs.evolve(rule, hops=tuple(hops), faults=tuple(faults))

    def _violate(self, check: str, message: str, state: State, piece: Piece, address: int | None = None) -> None:
        if state.packets:
            boxes = [b for b in state.packets if address is None or b[1][0] <= address <= b[1][1]]
            chosen = tuple((b[0], b[1] if address is None else (address, address), *b[2:]) for b in boxes)
            header: Mapping[str, str] = example(chosen, piece.version)
        else:
            header = {"dst": text(piece.version, piece.low if address is None else address)}
        intents = (self._reach.intent,)
        self._outcome.found().violate(check, message, header=header, hops=state.hops, steps=state.steps, intents=intents)


def _addresses(state: State, piece: Piece) -> list[tuple[int, int]]:
    """Return the ranges that the packets are meant for, by rising addresses."""
    return sorted({box[1] for box in state.packets}) if state.packets else [(piece.low, piece.high - 1)]


def _backs_up(rule: Rule) -> bool:
    return rule.row is not None and bool(named_hops(rule.row.value, "backup"))
