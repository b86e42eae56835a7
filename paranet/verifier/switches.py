"""P4 switches as forwarders of IP packets: table entries of the program `l3` read as rules.

Packets of a route over P4 follow the entries on nodes that speak P4, and `ip.route` rows on those that do not. This is the same question
as over IP, so the same engine answers it, on rules from other rows.
"""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import Any

import attrs

from paranet.models.addressing import port_mac
from paranet.models.device import Row
from paranet.models.topology import Modality, Topology
from paranet.verifier import forwarding
from paranet.verifier.forwarding import Links
from paranet.verifier.incremental import Rule
from paranet.verifier.prefixes import Prefix

TABLE, GROUP = "p4.table", "p4.mcast"
PORTS = ("port", "egress_port", "egress_spec")
"""parameters of actions that are egress ports"""
GROUPS = ("group", "mcast_grp", "multicast_group")
"""parameters of actions that are multicast groups"""
_FIELDS: Mapping[str, tuple[str, int]] = {
    "MyIngress.ipv4_lpm": ("hdr.ipv4.dstAddr", 4),
    "MyIngress.ipv6_lpm": ("hdr.ipv6.dstAddr", 6),
}
_COPYING = {"MyIngress.ipv4_mcast": "hdr.ipv4.dstAddr", "MyIngress.ipv6_mcast": "hdr.ipv6.dstAddr"}
"""tables of the program `l3` whose entries copy packets, and the field that they match"""


@attrs.frozen
class Way:
    """Where a port leads."""

    neighbour: str
    link: str
    mac: str


class Switches:
    """Reads the rows by which packets are forwarded where switches are among the nodes."""

    families = (forwarding.FAMILY, TABLE)
    modality = Modality.P4

    def __init__(self, topology: Topology, links: Links) -> None:
        self._topology = topology
        self._links = links
        self._nodes = frozenset(n.id for n in topology.nodes.values() if Modality.P4 in n.modalities)
        self._ways: dict[str, Mapping[int, list[Way]]] = {}

    def read(self, node: str, row: Row) -> tuple[int, Rule] | None:
        """Return the IP version and the rule that a row means, None where it forwards nothing."""
        if node in self._nodes:
            return self._entry(node, row) if row.family == TABLE else None
        return forwarding.route(node, row, self._links) if row.family == forwarding.FAMILY else None

    def _entry(self, node: str, row: Row) -> tuple[int, Rule] | None:
        prefix = _prefix(row)
        if prefix is None:
            return None
        params = row.value.get("params")
        given: Mapping[str, Any] = params if isinstance(params, Mapping) else {}
        hops, faults = [], []
        ways, fault = self._out(node, given)
        faults += [f"{node!r} {fault}: {prefix.text}"] if fault else []
        for way in ways:
            if hop := self._links.hops.get((node, way.neighbour, way.link)):
                hops.append(hop)
            else:
                obstacle = self._links.obstacle(node, way.neighbour, way.link)
                faults.append(f"{node!r} sends {prefix.text} to {way.neighbour!r}, but {obstacle}")
        return prefix.version, Rule(node, prefix.low, prefix.high + 1, prefix.length, tuple(hops), tuple(faults), row)

    def _out(self, node: str, params: Mapping[str, Any]) -> tuple[list[Way], str | None]:
        """Return the ways out of the port that an action names, to the MAC address it names; or why there are none."""
        port = next((params[name] for name in PORTS if name in params), None)
        if port is None:
            return [], "drops what it has no port for"
        ways = self.ways(node).get(port, []) if isinstance(port, int) else []
        if not ways:
            return [], f"sends out of port {port}, which leads nowhere"
        mac = str(params.get("dstAddr", "")).lower()
        fitting = [way for way in ways if mac in ("", way.mac)]
        return fitting, None if fitting else f"sends out of port {port} to {mac}, which is nobody's address there"

    def copies(self, node: str, rows: Iterable[Row]) -> Iterator[tuple[str, tuple[Row, ...], tuple[tuple[str, str], ...]]]:
        """Yield each group whose packets *rows* of the switch copy, by which of them, and to which (neighbour, link)."""
        if node not in self._nodes:
            return
        held = list(rows)
        groups = {row.key: row for row in held if row.family == GROUP}
        for row in held:
            if row.family == TABLE and (address := _copied(row)):
                params: Any = row.value.get("params")
                number = next((params[name] for name in GROUPS if name in params), None) if isinstance(params, Mapping) else None
                group = groups.get(str(number))
                ways = [way for port in _ports(group) for way in self.ways(node).get(port, [])] if group else []
                yield address, (row, group) if group else (row,), tuple((way.neighbour, way.link) for way in ways)

    def ways(self, node: str) -> Mapping[int, list[Way]]:
        """Return where the node's ports lead, by number: named interfaces but loopbacks first, then links that end at none of these."""
        if node not in self._ways:
            self._ways[node] = _ways(self._topology, node)
        return self._ways[node]


def _ways(topology: Topology, node: str) -> Mapping[int, list[Way]]:
    described = topology.nodes.get(node)
    if described is None:
        return {}
    named = [i.name for i in described.interfaces if not i.name.lower().startswith("lo")]
    found: dict[int, list[Way]] = {number: [] for number in range(1, len(named) + 1)}
    for link in topology.links_of(node):
        near, far = (link.source, link.target) if link.source.node == node else (link.target, link.source)
        number = named.index(near.interface) + 1 if near.interface in named else len(found) + 1
        found.setdefault(number, []).append(Way(far.node, link.id, port_mac(far.node, far.interface)))
    return found


def _copied(row: Row) -> str | None:
    """Return the address whose packets an entry copies."""
    match, field = row.value.get("match"), _COPYING.get(str(row.value.get("table")))
    if not isinstance(match, Mapping) or list(match) != [field]:
        return None
    try:
        return str(ip_address(str(match[field])))
    except ValueError:
        return None


def _ports(group: Row) -> list[int]:
    replicas: Any = group.value.get("replicas")
    found = [r.get("egress_port") for r in replicas if isinstance(r, Mapping)] if isinstance(replicas, (list, tuple)) else []
    return [port for port in found if isinstance(port, int)]


def _prefix(row: Row) -> Prefix | None:
    """Return the prefix that an entry of a routing table matches; its key has to say the same, so that there is one entry a prefix."""
    table, match = str(row.value.get("table")), row.value.get("match")
    if table not in _FIELDS or not isinstance(match, Mapping):
        return None
    field, version = _FIELDS[table]
    wanted = match.get(field)
    if len(match) != 1 or not isinstance(wanted, (list, tuple)) or row.key != f"{table} {field}={'/'.join(map(str, wanted))}":
        return None
    try:
        prefix = Prefix.of("/".join(map(str, wanted)))
    except ValueError:
        return None
    return prefix if prefix.version == version and row.key == f"{table} {field}={prefix.text}" else None
