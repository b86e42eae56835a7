"""The verdict on packets that P4 switches forward, made only where some do."""

from collections.abc import Iterable, Mapping

from paranet.models.device import Row, RowKey
from paranet.models.topology import Modality, Topology
from paranet.verifier import packets
from paranet.verifier.forwarding import Links
from paranet.verifier.ip import IpPart
from paranet.verifier.part import NodeChange
from paranet.verifier.promises import Promises
from paranet.verifier.report import Findings
from paranet.verifier.switches import TABLE, Switches


class SwitchPart:
    """Reads *rows*, which whoever keeps them changes before a change is told here. Raise ValueError when a promise's prefix is not one."""

    families = (*Switches.families, packets.FAMILY)

    def __init__(
        self, topology: Topology, links: Links, promises: Promises, rows: Mapping[str, Mapping[RowKey, Row]], switches: Switches
    ) -> None:
        self._topology = topology
        self._links = links
        self._promises = promises
        self._rows = rows
        self._switches = switches
        self._promised = any(reach.modality is Modality.P4 for reach in promises.reaches)
        self._entries = {(node, row.key) for node, found in rows.items() for row in found.values() if row.family == TABLE}
        self._part: IpPart | None = None
        self._keep(())

    def change(self, changes: Iterable[NodeChange]) -> None:
        changes = list(changes)
        for node, change in changes:
            if change.id[0] == TABLE:
                place = (node, change.id[1])
                if change.after:
                    self._entries.add(place)
                else:
                    self._entries.discard(place)
        self._keep(changes)

    def _keep(self, changes: Iterable[NodeChange]) -> None:
        if not self._promised and not self._entries:
            self._part = None
        elif self._part:
            self._part.change(changes)
        else:
            rows = ((node, row) for node, found in self._rows.items() for row in found.values() if row.family in self.families)
            self._part = IpPart(self._topology, self._links, self._promises, rows, self._switches)

    def report(self, findings: Findings) -> None:
        if self._part:
            self._part.report(findings)
