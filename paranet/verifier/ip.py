"""IP: every route's packets arrive, pass what they must, avoid what they must, and nothing circles.

Addresses that no row tells apart are treated alike, so one packet stands for all of them; every branch of a row with
several next hops is walked.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

import attrs

from paranet.models.device import Rows
from paranet.models.intent import Reach, Report
from paranet.models.topology import Topology
from paranet.verifier.forwarding import Destination, Forwarding, Match, Prefix, representative
from paranet.verifier.report import Findings, Step

CHECKS = ("reachability", "waypoint", "avoidance", "loop")


def verify(topology: Topology, rows_by_node: Mapping[str, Rows], reaches: Sequence[Reach]) -> Report:
    """Check *reaches* and freedom from loops on the `ip.route` rows of every node. The intents' own paths are not consulted.

    Violations are of check `blackhole`, `loop`, `wrong-end`, `waypoint` or `avoidance`. A part of a reach's prefix that another
    reach promises to somebody else, by a longer prefix, is left to that one. Raise ValueError when a reach's prefix is not one.
    """
    findings = Findings(CHECKS)
    forwarding = Forwarding(topology, rows_by_node)
    inside = _Inside(sorted(forwarding.holders))
    promised = [Prefix.of(reach.prefix) for reach in reaches]
    claims = _Inside(sorted(set(promised)))
    for reach, prefix in zip(reaches, promised, strict=True):
        _count(reach, findings)
        for destination in _destinations(prefix, inside.of(prefix), claims.of(prefix)):
            _Walk(forwarding, findings, destination, reach, prefix).run()
    for prefix, holders in forwarding.holders.items():
        findings.count("loop")
        destination = representative(prefix, inside.of(prefix))
        walk = _Walk(forwarding, findings, destination)
        for node in holders:
            walk.run(node)
    return findings.report()


def _count(reach: Reach, findings: Findings) -> None:
    findings.count("reachability")
    if reach.via:
        findings.count("waypoint")
    if reach.avoid:
        findings.count("avoidance")


class _Inside:
    """Finds the prefixes strictly inside another."""

    def __init__(self, prefixes: Sequence[Prefix]) -> None:
        self._prefixes = prefixes

    def of(self, prefix: Prefix) -> list[Prefix]:
        first = bisect_left(self._prefixes, (prefix.version, prefix.low), key=lambda p: (p.version, p.low))
        last = bisect_left(self._prefixes, (prefix.version, prefix.high + 1), key=lambda p: (p.version, p.low))
        return [p for p in self._prefixes[first:last] if p.length > prefix.length]


def _destinations(prefix: Prefix, inner: list[Prefix], claimed: list[Prefix]) -> Iterator[Destination]:
    """Return one address for each part of *prefix* that the rows tell apart and nobody else claims."""
    bounds = {prefix.low} | {p.low for p in inner} | {p.high + 1 for p in (*inner, *claimed)}
    for value in sorted(b for b in bounds if b <= prefix.high):
        destination = Destination(prefix.version, value)
        if not any(destination in claim for claim in claimed):
            yield destination


@attrs.frozen
class _State:
    """A packet on *node* after it passed *passed* waypoints; *way* are the nodes before, *steps* the rows it met."""

    node: str
    passed: int
    way: tuple[str, ...]
    steps: tuple[Step, ...]


class _Walk:
    """Follows packets to one destination: for a reach from its source to its end, else for loops alone."""

    def __init__(
        self, forwarding: Forwarding, findings: Findings, destination: Destination, reach: Reach | None = None, prefix: Prefix | None = None
    ) -> None:
        self._forwarding = forwarding
        self._findings = findings
        self._destination = destination
        self._reach = reach
        self._length = prefix.length if prefix else -1
        self._seen: set[tuple[str, int]] = set()

    def run(self, start: str | None = None) -> None:
        """Walk all branches from *start*, by default the reach's source. Places seen before are not walked again."""
        begin = start if start is not None else self._reach.source if self._reach else ""
        open_ = [_State(begin, 0, (), ())]
        while open_:
            state = open_.pop()
            if state.node in state.way:
                self._loop(state)
                continue
            state = self._pass(state)
            if (state.node, state.passed) not in self._seen:
                self._seen.add((state.node, state.passed))
                open_ += reversed(self._onward(state))

    def _pass(self, state: _State) -> _State:
        """Note what the node means to the reach: an avoided one, or the next waypoint."""
        reach = self._reach
        if reach is None:
            return state
        if state.node in reach.avoid:
            self._violate("avoidance", f"packets of {reach.intent!r} pass {state.node!r}, which they must avoid", state)
        if state.passed < len(reach.via) and reach.via[state.passed] == state.node:
            return attrs.evolve(state, passed=state.passed + 1)
        return state

    def _onward(self, state: _State) -> list[_State]:
        reach, node = self._reach, state.node
        at_end = reach is not None and node == reach.target
        # Connected routes come before static ones of the same prefix, so at its end only a longer prefix leads a packet on.
        match = self._forwarding.match(node, self._destination, longer_than=self._length if at_end else -1)
        if match is None:
            self._end(state, at_end=at_end)
            return []
        state = attrs.evolve(state, steps=(*state.steps, match.step))
        if not match.next_hops:
            self._blackhole(state, f"the row for {match.step.prefix} on {node!r} has no next hop")
        return [following for neighbour, link in match.next_hops if (following := self._hand_over(state, match, neighbour, link))]

    def _hand_over(self, state: _State, match: Match, neighbour: str, link: str) -> _State | None:
        if obstacle := self._forwarding.obstacle(state.node, neighbour, link):
            self._blackhole(state, f"{state.node!r} sends {match.step.prefix} to {neighbour!r}, but {obstacle}")
            return None
        return _State(neighbour, state.passed, (*state.way, state.node), state.steps)

    def _end(self, state: _State, *, at_end: bool) -> None:
        """Judge a packet that no row leads on."""
        reach = self._reach
        if reach is None:
            return
        if not at_end:
            if self._forwarding.owns(state.node, self._destination):
                message = f"packets of {reach.intent!r} to {reach.prefix} end at {state.node!r}, not at {reach.target!r}"
                self._violate("wrong-end", message, state)
            else:
                self._blackhole(state, f"{state.node!r} has no row for {self._destination}")
        elif state.passed < len(reach.via):
            missed = reach.via[state.passed]
            message = f"packets of {reach.intent!r} reach {reach.target!r} without passing {missed!r} in its turn"
            self._violate("waypoint", message, state)

    def _loop(self, state: _State) -> None:
        first = state.way.index(state.node)
        ring = state.way[first:]
        turn = min(range(len(ring)), key=lambda i: ring[i:] + ring[:i])
        ring = ring[turn:] + ring[:turn]
        steps = sorted(state.steps[first:], key=lambda s: s.row)
        message = f"packets to {self._destination} circle: {' > '.join((*ring, ring[0]))}"
        hops = (*state.way, state.node)
        intent = self._reach.intent if self._reach else None
        self._findings.violate("loop", message, str(self._destination), hops, steps, intent=intent)

    def _blackhole(self, state: _State, message: str) -> None:
        if self._reach:  # without a reach nobody is promised anything but that packets do not circle
            self._violate("blackhole", message, state)

    def _violate(self, check: str, message: str, state: _State) -> None:
        intent = self._reach.intent if self._reach else None
        self._findings.violate(check, message, str(self._destination), (*state.way, state.node), state.steps, intent=intent)
