"""Follows packets over the rules of one atom, along every branch."""

import math
from collections.abc import Iterator, Mapping
from enum import Enum

import attrs

from paranet.models.topology import Link
from paranet.verifier.incremental import Hop, Rule
from paranet.verifier.packets import Entry, Packets, Verdict, screen
from paranet.verifier.report import Step


class Event(Enum):
    """What happens to a packet."""

    AT = "is at a node"
    DROPPED = "an access list drops all that came"
    END = "no rule leads on"
    LOST = "a rule leads nowhere"
    LOOP = "is where it was before"


@attrs.frozen
class State:
    """Packets on *node*: the nodes and links before, the rules followed, waypoints passed.

    *by* are the entries that drop them all, if that is what happens.
    """

    node: str
    way: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    by: tuple[Step, ...] = ()
    packets: Packets | None = None
    passed: int = 0

    @property
    def hops(self) -> tuple[str, ...]:
        return (*self.way, self.node)

    @property
    def steps(self) -> list[Step]:
        return [Step.of(rule.node, rule.row) for rule in self.rules if rule.row] + list(self.by)


@attrs.frozen(kw_only=True)
class Walk:
    """A walk over *rules* past access *lists* by node. *target* is where packets end unless a prefix longer than *length* leads on."""

    rules: Mapping[str, Rule]
    lists: Mapping[str, tuple[Entry, ...]]
    version: int
    target: str | None = None
    length: int = -1
    via: tuple[str, ...] = ()

    def run(self, begin: State) -> Iterator[tuple[Event, State, str]]:
        """Yield what happens, with the state it happens in and words on it. No place is walked twice."""
        seen: set[object] = set()
        open_ = [begin]
        while open_:
            state = open_.pop()
            if state.node in state.way:
                yield Event.LOOP, state, ""
                continue
            verdict = self._screen(state)
            if verdict and not verdict.passed:
                yield Event.DROPPED, attrs.evolve(state, by=verdict.by), ""
                continue
            state = self._arrive(state, verdict)
            yield Event.AT, state, ""
            key = (state.node, state.passed, state.packets)
            if key in seen:
                continue
            seen.add(key)
            rule = self.rule(state.node)
            if rule is None:
                yield Event.END, state, ""
                continue
            state = attrs.evolve(state, rules=(*state.rules, rule))
            for fault in rule.faults:
                yield Event.LOST, state, fault
            open_ += [self._over(state, str(link), neighbour) for link, (neighbour, _) in reversed(rule.hops)]

    def rule(self, node: str) -> Rule | None:
        """Return the rule that *node* follows. Its connected routes come before others of the same prefix, so at its end only
        a longer prefix leads a packet on."""
        rule = self.rules.get(node)
        return None if rule is not None and node == self.target and rule.length <= self.length else rule

    def _arrive(self, state: State, verdict: Verdict | None) -> State:
        if state.passed < len(self.via) and self.via[state.passed] == state.node:
            state = attrs.evolve(state, passed=state.passed + 1)
        return attrs.evolve(state, packets=verdict.passed) if verdict else state

    def _screen(self, state: State) -> Verdict | None:
        """Return what the node's access list does, None without one."""
        entries = self.lists.get(state.node)
        return screen(entries, state.packets, self.version) if entries and state.packets is not None else None

    def _over(self, state: State, link: str, neighbour: str) -> State:
        return attrs.evolve(state, node=neighbour, way=state.hops, links=(*state.links, link))

    def inner_first(self, start: str) -> list[str]:
        """Return the nodes that packets from *start* come to, each after those it sends them to (where they do not circle)."""
        found: list[str] = []
        seen = {start}
        open_ = [(start, iter(self._neighbours(start)))]
        while open_:
            node, ahead = open_[-1]
            neighbour = next(ahead, None)
            if neighbour is None:
                found.append(node)
                open_.pop()
            elif neighbour not in seen:
                seen.add(neighbour)
                open_.append((neighbour, iter(self._neighbours(neighbour))))
        return found

    def _neighbours(self, node: str) -> list[str]:
        rule = self.rule(node)
        return [neighbour for _, (neighbour, _) in rule.hops] if rule else []

    def ways(self, start: str) -> int:
        """Return over how many ways packets get from *start* to the target."""
        count: dict[str, int] = {}
        for node in self.inner_first(start):
            rule = self.rule(node)
            hops = dict.fromkeys(rule.hops) if rule else ()
            count[node] = sum(count.get(neighbour, 0) for _, (neighbour, _) in hops) if rule else int(node == self.target)
        return count[start]

    def slowest(self, start: str, links: Mapping[str, Link]) -> tuple[float, State]:
        """Return the slowest way from *start* to the target and its latency (s); below 0 if there is no way."""
        best: dict[str, tuple[float, Hop | None]] = {}
        for node in self.inner_first(start):
            rule = self.rule(node)
            found = [(best.get(h[1][0], (-math.inf, None))[0] + links[str(h[0])].latency, h) for h in (rule.hops if rule else ())]
            end = 0.0 if rule is None and node == self.target else -math.inf
            best[node] = max(found, key=lambda f: f[0], default=(end, None))
        state = State(start)
        while hop := best[state.node][1]:
            rule = self.rule(state.node)
            if rule is None or hop[1][0] in state.hops:
                break
            state = self._over(attrs.evolve(state, rules=(*state.rules, rule)), str(hop[0]), hop[1][0])
        return best[start][0], state
