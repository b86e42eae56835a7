"""One route's promise: its packets arrive, pass what they must, avoid what they must, in time and over enough ways."""

from collections.abc import Iterable, Iterator

from paranet.models.intent import Reach
from paranet.verifier.incremental import Atom
from paranet.verifier.judge import SLACK, Judge
from paranet.verifier.network import Network, Outcome, gaps
from paranet.verifier.prefixes import Prefix


class ReachCheck:
    """Checks one reach. A part of its prefix that a reach of a longer prefix promises to somebody else is left to that one."""

    def __init__(self, reach: Reach, prefix: Prefix, claims: Iterable[Prefix], network: Network) -> None:
        self.prefix = prefix
        self._reach = reach
        self._gaps = tuple(gaps(prefix.low, prefix.high + 1, claims))
        self._network = network

    @property
    def intent(self) -> str:
        return self._reach.intent

    def names(self) -> Iterator[str]:
        """Yield what is checked."""
        reach = self._reach
        yield "reachability"
        for name, wanted in (("waypoint", reach.via), ("avoidance", reach.avoid), ("width", reach.width > 1), ("backup", reach.backup)):
            if wanted:
                yield name
        if reach.latency is not None:
            yield "latency"

    def run(self) -> Outcome:
        outcome = Outcome()
        judge: Judge | None = None
        for low, high in self._gaps:
            for piece in self._network.pieces(self.prefix.version, low, high):
                if not self._arrives(piece.atom, outcome):
                    judge = judge or Judge(self._reach, self.prefix, self._network, outcome)
                    judge.judge(piece)
        if judge:
            judge.blocked()
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
        if reach.width > 1 or reach.backup or (reach.via and not _in_order(reach.via, way)) or not set(reach.avoid).isdisjoint(way):
            return False
        if reach.latency is not None and self._network.links.latency(tuple(links)) > reach.latency * SLACK:
            return False
        first = rules.get(reach.source)
        if first is not None and first.row is not None and "backup" in first.row.value:
            return False
        outcome.visited.update(way)
        return True


def _in_order(wanted: Iterable[str], way: Iterable[str]) -> bool:
    ahead = iter(way)
    return all(node in ahead for node in wanted)
