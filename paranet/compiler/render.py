"""Rows as the commands that a router's administrator would type. A preview: drivers speak for themselves."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

from paranet.errors import InvalidInput
from paranet.models.device import Row
from paranet.models.topology import Node, Topology

PLATFORMS = ("frr", "iproute2")
PROTOCOL = 155
"""The routing protocol number that marks our routes in a Linux kernel (free in /etc/iproute2/rt_protos)."""


def render(platform: str, node: Node, rows: Iterable[Row], topology: Topology) -> str:
    """Return the `ip.route` rows of *node* as text for *platform*, one command a line, in the order of their keys.

    Raise InvalidInput for a platform that is not one of PLATFORMS.
    """
    if platform not in PLATFORMS:
        raise InvalidInput(f"there is no platform {platform!r}: use {' or '.join(PLATFORMS)}")
    lines: list[str] = []
    for row in sorted((r for r in rows if r.family == "ip.route"), key=lambda r: r.id):
        hops: Any = row.value["next_hops"]
        lines += _frr(node, row.key, hops) if platform == "frr" else [_iproute2(node, row.key, hops)]
    return "".join(f"{line}\n" for line in lines)


def _frr(node: Node, prefix: str, hops: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return one line a next hop: staticd takes several as equal-cost paths and knows no weights."""
    word = "ip" if ip_network(prefix).version == 4 else "ipv6"
    lines = []
    for hop in hops:
        parts = [word, "route", prefix, hop["address"]]
        parts += [hop["interface"]] if hop["interface"] else []
        parts += ["onlink"] if hop["interface"] and not _connected(node, hop) else []
        lines.append(" ".join(parts))
    return lines


def _iproute2(node: Node, prefix: str, hops: list[Mapping[str, Any]]) -> str:
    version = ip_network(prefix).version
    command = f"ip route replace {prefix}" if version == 4 else f"ip -6 route replace {prefix}"
    ways = [_via(node, hop, version) for hop in hops]
    if len(hops) == 1:
        return f"{command} {ways[0]} proto {PROTOCOL}"
    several = " ".join(f"nexthop {way} weight {hop['weight']}" for way, hop in zip(ways, hops, strict=True))
    return f"{command} proto {PROTOCOL} {several}"


def _via(node: Node, hop: Mapping[str, Any], version: int) -> str:
    address = ip_address(hop["address"])
    family = "" if address.version == version else f"inet{'6' if address.version == 6 else ''} "
    way = f"via {family}{address}"
    if hop["interface"]:
        way += f" dev {hop['interface']}"
        way += "" if _connected(node, hop) else " onlink"
    return way


def _connected(node: Node, hop: Mapping[str, Any]) -> bool:
    """Tell whether the next hop's address lies in the subnet of the interface that leads to it; else `onlink` is needed."""
    own = [ip_interface(i.address).network for i in node.interfaces if i.name == hop["interface"] and i.address]
    return any(ip_address(hop["address"]) in network for network in own)
