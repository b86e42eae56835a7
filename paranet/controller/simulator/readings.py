"""What a device shows to who asks: its counters as samples."""

import math
from collections.abc import Mapping

import attrs

from paranet.controller.driver import Sample
from paranet.controller.simulator.arcs import Arc, PortCounters

_IDLE = 0.03
_BUSY = 0.7


@attrs.define
class FlowCounters:
    """What a flow's source has offered, and what of it has arrived."""

    offered_bytes: float = 0.0
    delivered_bytes: float = 0.0

    def add(self, offered: float, delivered: float, seconds: float) -> None:
        """Count *seconds* of bit/s."""
        self.offered_bytes += offered * seconds / 8
        self.delivered_bytes += delivered * seconds / 8


@attrs.frozen(kw_only=True)
class Port:
    """One end of a link. A directed link has no *outward* arc at its target and no *inward* one at its source."""

    link: str
    interface: str
    counters: PortCounters
    outward: Arc | None
    inward: Arc | None


class Readings:
    """The samples of one node, collected part by part."""

    def __init__(self, node_id: str) -> None:
        self._node_id = node_id
        self._samples: list[Sample] = []
        self._busy = 0.0
        self._capacity = 0.0
        self._add("paranet_node_up", 1.0)

    def node(self, dropped_packets: Mapping[str, float]) -> None:
        """Add what the node itself dropped, by reason; `no_route` is there from the start."""
        for reason, packets in {"no_route": 0.0, **dropped_packets}.items():
            self._add("paranet_node_dropped_packets_total", math.floor(packets), reason=reason)

    def port(self, port: Port) -> None:
        """Add one end of a link. A link that is down has no latency."""
        labels = {"link": port.link, "interface": port.interface}
        self._add("paranet_link_transmit_bytes_total", math.floor(port.counters.sent_bytes), **labels)
        self._add("paranet_link_receive_bytes_total", math.floor(port.counters.received_bytes), **labels)
        for arc in (port.outward, port.inward):
            if arc is not None:
                self._busy += arc.utilization * arc.link.bandwidth
                self._capacity += arc.link.bandwidth
        arcs = [arc for arc in (port.outward, port.inward) if arc is not None]
        if arcs:
            self._add("paranet_link_up", float(all(arc.up for arc in arcs)), **labels)
        if port.outward is not None:
            self._add("paranet_link_utilization_ratio", port.outward.utilization, **labels)
            self._add("paranet_link_dropped_packets_total", math.floor(port.counters.dropped_packets), **labels)
            if port.outward.up:
                self._add("paranet_link_latency_seconds", port.outward.latency, **labels)

    def flow(self, flow_id: str, counters: FlowCounters) -> None:
        """Add a flow that starts at the node."""
        self._add("paranet_flow_offered_bytes_total", math.floor(counters.offered_bytes), flow=flow_id)
        self._add("paranet_flow_delivered_bytes_total", math.floor(counters.delivered_bytes), flow=flow_id)

    def samples(self) -> list[Sample]:
        """Return all of them. The processor is busy in proportion to what passes the ports."""
        load = self._busy / self._capacity if self._capacity else 0.0
        self._add("paranet_node_cpu_ratio", _IDLE + _BUSY * load)
        return self._samples

    def _add(self, metric: str, value: float, **labels: str) -> None:
        self._samples.append(Sample(metric=metric, labels={"node": self._node_id, **labels}, value=float(value)))
