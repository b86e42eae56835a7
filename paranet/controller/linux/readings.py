"""What a Linux router's interfaces have counted, as samples (proc_net_dev in proc(5))."""

from collections.abc import Mapping
from pathlib import Path

import attrs

from paranet.controller.driver import Sample
from paranet.controller.linux.routes import Port
from paranet.models.topology import Topology


@attrs.frozen(kw_only=True)
class Counted:
    """Bytes and drops by interface: (received, sent, dropped)."""

    interfaces: Mapping[str, tuple[int, int, int]]

    def of(
        self, node_id: str, known: Mapping[str, Port], topology: Topology, last: dict[str, tuple[float, int]], now: float
    ) -> list[Sample]:
        """Return the node's samples; *last* keeps what was sent when, for the next reading's utilization."""
        found = [Sample(metric="paranet_node_up", labels={"node": node_id}, value=1.0)]
        for name, port in known.items():
            if name not in self.interfaces:
                continue
            received, sent, dropped = self.interfaces[name]
            labels = {"node": node_id, "link": port.link, "interface": name}
            figures = {
                "paranet_link_receive_bytes_total": received,
                "paranet_link_transmit_bytes_total": sent,
                "paranet_link_dropped_packets_total": dropped,
            }
            found += [Sample(metric=metric, labels=labels, value=float(value)) for metric, value in figures.items()]
            when, before = last.get(name, (now, sent))
            last[name] = now, sent
            if now > when and sent >= before:
                ratio = min(1.0, (sent - before) * 8 / (now - when) / topology.links[port.link].bandwidth)
                found.append(Sample(metric="paranet_link_utilization_ratio", labels=labels, value=ratio))
        return found


def samples() -> Counted:
    """Read the counters of the calling thread's network namespace."""
    found = {}
    for line in Path("/proc/thread-self/net/dev").read_text(encoding="ascii").splitlines()[2:]:
        name, _, figures = line.partition(":")
        numbers = [int(figure) for figure in figures.split()]
        found[name.strip()] = numbers[0], numbers[8], numbers[3] + numbers[11]
    return Counted(interfaces=found)
