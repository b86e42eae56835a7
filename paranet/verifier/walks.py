"""Follows packets over the rules of one atom, along every branch."""

from collections.abc import Iterator, Mapping
from enum import Enum

import attrs

from paranet.models.topology import Topology
from paranet.verifier.incremental import Rule
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
    """Packets on *node*: the nodes and links before, the rules followed, waypoints passed, latency (s).

    *by* are the entries that drop them all, if that is what happens.
    """

    node: str
    way: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    by: tuple[Step, ...] = ()
    packets: Packets | None = None
    passed: int = 0
    latency: float = 0.0

    @property
    def hops(self) -> tuple[str, ...]:
        return (*self.way, self.node)

    @property
    def steps(self) -> list[Step]:
        return [Step.of(rule.node, rule.row) for rule in self.rules if rule.row] + list(self.by)


@attrs.frozen(kw_only=True)
class Walk:
    """A walk over *rules* past access *lists* by node. *target* is where packets end unless a prefix longer than *length* leads on.

    Latencies count only if *timed*.
    """

    topology: Topology
    rules: Mapping[str, Rule]
    lists: Mapping[str, tuple[Entry, ...]]
    version: int
    target: str | None = None
    length: int = -1
    via: tuple[str, ...] = ()
    timed: bool = False

    def run(self, begin: State) -> Iterator[tuple[Event, State, str]]:
        """Yield what happens, with the state it happens in and words on it. A place is walked again only by slower ways."""
        seen: dict[object, float] = {}
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
            if seen.get(key, -1.0) >= state.latency:
                continue
            seen[key] = state.latency
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
        return attrs.evolve(
            state,
            node=neighbour,
            way=state.hops,
            links=(*state.links, link),
            latency=state.latency + self.topology.links[link].latency if self.timed else 0.0,
        )
