"""Links as traffic sees them: one arc for each direction, with what a port counts."""

from collections.abc import Container

import attrs

from paranet.controller.simulator.fluid import PACKET, queueing_delay
from paranet.models.topology import Endpoint, Link, Topology

End = tuple[str, str]
"""A link's id and the node at this end of it."""


@attrs.define
class PortCounters:
    """What one end of a link has counted since its device started."""

    sent_bytes: float = 0.0
    received_bytes: float = 0.0
    dropped_packets: float = 0.0


@attrs.define(kw_only=True)
class Arc:
    """One direction of a link. *index* is its place in the network's list; *utilization* is that of the last tick."""

    index: int
    link: Link
    origin: Endpoint
    end: Endpoint
    up: bool = True
    utilization: float = 0.0

    @property
    def latency(self) -> float:
        """Seconds that a packet needs now, waiting included."""
        return self.link.latency + queueing_delay(self.utilization, self.link.bandwidth)

    def carry(self, offered: float, passing: float, seconds: float, sender: PortCounters, receiver: PortCounters) -> None:
        """Count *seconds* of *offered* bit/s of which the part *passing* arrives."""
        sent, received = min(offered, self.link.bandwidth), offered * passing
        self.utilization = sent / self.link.bandwidth
        sender.sent_bytes += sent * seconds / 8
        receiver.received_bytes += received * seconds / 8
        sender.dropped_packets += (offered - received) * seconds / PACKET


def arcs_of(topology: Topology) -> list[Arc]:
    """Return the arcs of all links, in the topology's order; a directed link has one."""
    found: list[Arc] = []
    for link in topology.links.values():
        for origin, end in ((link.source, link.target), (link.target, link.source))[: 1 if link.directed else 2]:
            found.append(Arc(index=len(found), link=link, origin=origin, end=end))
    return found


def is_up(link: Link, *, cut: Container[str], dead: Container[str]) -> bool:
    """Tell whether the link carries anything."""
    return link.enabled and link.id not in cut and link.source.node not in dead and link.target.node not in dead
