"""Free Range Routing: static routes and multicast routes, as `vtysh` takes them. What filters or shapes is not FRR's (see linux)."""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_network
from typing import Any

from paranet.compiler.render.linux import connected
from paranet.models.device import Row
from paranet.models.topology import Node, Topology

BACKUP = 200
"""The administrative distance of backup routes: above every routing protocol's."""


def frr(node: Node, rows: Sequence[Row], topology: Topology) -> str:
    lines: list[str] = []
    for row in rows:
        value: Mapping[str, Any] = row.value
        if row.family == "ip.route":
            lines += _routes(node, row.key, value["next_hops"], "")
            lines += _routes(node, row.key, value.get("backup", ()), f" {BACKUP}")
    for row in rows:
        if row.family == "ip.mcast":
            lines += _multicast(row.value)
    return "".join(f"{line}\n" for line in lines)


def _routes(node: Node, prefix: str, hops: Iterable[Mapping[str, Any]], distance: str) -> list[str]:
    """Return one line a next hop: staticd takes several as equal-cost paths and knows no weights."""
    word = "ip" if ip_network(prefix).version == 4 else "ipv6"
    lines = []
    for hop in hops:
        parts = [word, "route", prefix, hop["address"]]
        parts += [hop["interface"]] if hop["interface"] else []
        parts += ["onlink"] if hop["interface"] and not connected(node, hop) else []
        lines.append(" ".join(parts) + distance)
    return lines


def _multicast(value: Mapping[str, Any]) -> list[str]:
    """Return a static multicast route, which FRR keeps at the interface that the packets come in by."""
    incoming = value["incoming"]
    if not incoming or not incoming["interface"]:
        return []
    word = "ip" if ":" not in value["group"] else "ipv6"
    source = f" {value['source']}" if value.get("source") else ""
    ways = [h["interface"] for h in value["outgoing"] if h["interface"]]
    lines = [f" {word} mroute {way} {value['group']}{source}" for way in ways]
    return [f"interface {incoming['interface']}", *lines, "exit"] if lines else []
