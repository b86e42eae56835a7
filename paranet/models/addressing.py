"""Which address a node answers to, given or derived."""

import hashlib
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_interface

from paranet.models.topology import Topology

DERIVED = IPv4Network("100.64.0.0/10")
"""Nodes without an address of their own get one from here (RFC 6598 shared space, which collides with no site's plan)."""


def router_addresses(topology: Topology) -> Mapping[str, IPv4Address | IPv6Address]:
    """Return one address a node: its `lo`, else its first interface address, else one derived from the id.

    The derived address depends on the id alone, so it survives edits of the topology; where two ids meet on
    one address the later id (in sorted order) takes the next free one.
    """
    found: dict[str, IPv4Address | IPv6Address] = {}
    for node in topology.nodes.values():
        own = [i for i in node.interfaces if i.address]
        own.sort(key=lambda i: not i.name.lower().startswith("lo"))
        if own and own[0].address:
            found[node.id] = ip_interface(own[0].address).ip
    taken = set(found.values())
    for node_id in sorted(topology.nodes.keys() - found.keys()):
        slot = int.from_bytes(hashlib.sha256(node_id.encode()).digest()[:8], "big") % (DERIVED.num_addresses - 2)
        while (address := DERIVED[slot + 1]) in taken:
            slot = (slot + 1) % (DERIVED.num_addresses - 2)
        taken.add(address)
        found[node_id] = address
    return found


def port_mac(node: str, interface: str | None) -> str:
    """Return the locally administered MAC address that stands for a port, the same wherever it is asked for."""
    digest = hashlib.sha256(f"{node}:{interface or ''}".encode()).digest()
    return ":".join(f"{b:02x}" for b in (0x02, *digest[:5]))
