"""The IP network as checks see it, and what they find."""

from collections.abc import Iterable, Iterator, Mapping

import attrs

from paranet.verifier.forwarding import Links, Ownership
from paranet.verifier.incremental import Atom, Atoms
from paranet.verifier.packets import Entry
from paranet.verifier.prefixes import Prefix
from paranet.verifier.report import Findings
from paranet.verifier.rings import Ring


@attrs.frozen
class Piece:
    """Addresses from *low* up to *high*, exclusive, that no rule tells apart."""

    version: int
    low: int
    high: int
    atom: Atom


@attrs.frozen
class Network:
    """What checks need to know: atoms by IP version, access lists by node."""

    links: Links
    ownership: Ownership
    atoms: Mapping[int, Atoms]
    lists: dict[str, tuple[Entry, ...]]

    def pieces(self, version: int, low: int, high: int) -> Iterator[Piece]:
        """Yield what rules tell apart of the addresses from *low* up to *high*, exclusive."""
        before: tuple[int, Atom] | None = None
        for start, atom in self.atoms[version].pieces(low, high):
            if before:
                yield Piece(version, before[0], start, before[1])
            before = start, atom
        if before:
            yield Piece(version, before[0], high, before[1])


@attrs.define
class Outcome:
    """What came of one promise: the nodes it depends on, findings, circles met."""

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


def gaps(low: int, high: int, taken: Iterable[Prefix]) -> Iterator[tuple[int, int]]:
    """Yield the ranges from *low* up to *high*, exclusive, that no prefix of *taken* holds. They are ordered by their first address."""
    for prefix in taken:
        if prefix.low >= high:
            break
        if low < prefix.low:
            yield low, prefix.low
        low = max(low, prefix.high + 1)
    if low < high:
        yield low, high
