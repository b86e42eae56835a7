"""The verdict on a network, whole or kept while rows change."""

from collections.abc import Hashable, Iterable, Mapping

import attrs

from paranet.models.device import Change, Delta, Row, RowKey, Rows
from paranet.models.intent import GroupPromise, Isolation, NamePromise, Reach, RegionPromise, Report, Reservation, Violation
from paranet.models.topology import Topology
from paranet.verifier import across, geo, multicast, ndn, p4, packets
from paranet.verifier.forwarding import Links, Routes
from paranet.verifier.ip import IpPart
from paranet.verifier.part import Check, NodeRow, Part, WholePart
from paranet.verifier.promises import Promises
from paranet.verifier.report import Findings
from paranet.verifier.switches import Switches
from paranet.verifier.switching import SwitchPart


class Verifier:
    """Judges the rows of every node, by what intents promised and by what nobody wants. Rows alone count, never the intents' paths.

    Raise ValueError when a promise's prefix or match is none.
    """

    def __init__(self, topology: Topology, rows_by_node: Mapping[str, Rows], promises: Promises | None = None) -> None:
        promises = promises or Promises()
        self._rows: dict[str, dict[RowKey, Row]] = {node: dict(rows) for node, rows in rows_by_node.items()}
        links = Links(topology)
        switches = Switches(topology, links)
        by_family: dict[str, list[NodeRow]] = {}
        for node, rows in self._rows.items():
            for row in rows.values():
                by_family.setdefault(row.family, []).append((node, row))

        def of(families: Iterable[str]) -> Iterable[NodeRow]:
            return (found for family in families for found in by_family.get(family, ()))

        def whole(families: tuple[str, ...], check: Check) -> Part:
            return WholePart(families, check, of(families))

        self._parts: list[Part] = [
            IpPart(topology, links, promises, of((*Routes.families, packets.FAMILY)), Routes(links)),
            SwitchPart(topology, links, promises, self._rows, switches),
            whole(multicast.FAMILIES, multicast.MulticastCheck(topology, links, switches, promises)),
            whole(ndn.FAMILIES, ndn.NdnCheck(topology, links, promises.names)),
            whole(geo.FAMILIES, geo.GeoCheck(topology, links, promises.regions)),
            whole(p4.FAMILIES, p4.P4Check(switches)),
            whole(across.POLICIES, across.PolicyCheck()),
            across.ModalityPart(topology, of(across.ModalityPart.families)),
            across.PromisesPart(topology, promises),
        ]

    def apply(self, delta_by_node: Mapping[str, Delta]) -> Report:
        """Change the rows. Return the verdict on all rows then, as a new verifier would give it."""
        changes: dict[str, list[tuple[str, Change]]] = {}
        for node, delta in delta_by_node.items():
            rows = self._rows.setdefault(node, {})
            for wanted in delta.changes:
                before = rows.get(wanted.id)
                if wanted.after is None:
                    rows.pop(wanted.id, None)
                else:
                    rows[wanted.id] = wanted.after
                if before != wanted.after:
                    changes.setdefault(wanted.id[0], []).append((node, attrs.evolve(wanted, before=before)))
        for part in self._parts:
            concerned = [change for family in part.families for change in changes.get(family, ())]
            if concerned:
                part.change(concerned)
        return self.report()

    def report(self) -> Report:
        """Return the verdict on the rows as they are."""
        findings = Findings()
        for part in self._parts:
            part.report(findings)
        return Report(ok=not findings.violations, checked=dict(findings.checked), violations=findings.violations)


def verify(
    topology: Topology,
    rows_by_node: Mapping[str, Rows],
    reaches: Iterable[Reach] = (),
    *,
    isolations: Iterable[Isolation] = (),
    names: Iterable[NamePromise] = (),
    regions: Iterable[RegionPromise] = (),
    groups: Iterable[GroupPromise] = (),
    reservations: Iterable[Reservation] = (),
) -> Report:
    """Return the verdict on the rows of every node. docs/verifier.md lists the checks. Raise ValueError like `Verifier`."""
    promises = Promises(
        reaches=tuple(reaches),
        isolations=tuple(isolations),
        names=tuple(names),
        regions=tuple(regions),
        groups=tuple(groups),
        reservations=tuple(reservations),
    )
    return Verifier(topology, rows_by_node, promises).report()


def introduced(before: Report, after: Report) -> tuple[Violation, ...]:
    """Return the violations that a change brought: those of *after* that *before* has not, whatever their witnesses' headers."""
    known = set(map(_what, before.violations))
    return tuple(violation for violation in after.violations if _what(violation) not in known)


def _what(violation: Violation) -> Hashable:
    return violation.check, violation.message, violation.witness.hops, violation.rows, violation.intents
