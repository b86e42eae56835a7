"""Linux: `ip` for routes, `nft` for filters and classes, `smcroutectl` for multicast, one command a line."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

from paranet.models.device import Row
from paranet.models.topology import Node, Topology

PROTOCOL = 155
"""The routing protocol number that marks our routes in a Linux kernel (free in /etc/iproute2/rt_protos)."""
BACKUP = 200
"""The metric of backup routes."""


def iproute2(node: Node, rows: Sequence[Row], topology: Topology) -> str:
    lines: list[str] = []
    for row in rows:
        if row.family == "ip.route":
            value: Mapping[str, Any] = row.value
            lines.append(_route(node, row.key, value["next_hops"], ""))
            lines += [_route(node, row.key, value["backup"], f" metric {BACKUP}")] if value.get("backup") else []
    lines += _nft(rows)
    for row in rows:
        if row.family == "ip.mcast":
            lines += _multicast(row.value)
    return "".join(f"{line}\n" for line in lines)


def _route(node: Node, prefix: str, hops: Sequence[Mapping[str, Any]], metric: str) -> str:
    version = ip_network(prefix).version
    command = f"ip route replace {prefix}" if version == 4 else f"ip -6 route replace {prefix}"
    ways = [_via(node, hop, version) for hop in hops]
    if len(hops) == 1:
        return f"{command} {ways[0]} proto {PROTOCOL}{metric}"
    several = " ".join(f"nexthop {way} weight {hop['weight']}" for way, hop in zip(ways, hops, strict=True))
    return f"{command} proto {PROTOCOL}{metric} {several}"


def _via(node: Node, hop: Mapping[str, Any], version: int) -> str:
    address = ip_address(hop["address"])
    family = "" if address.version == version else f"inet{'6' if address.version == 6 else ''} "
    way = f"via {family}{address}"
    if hop["interface"]:
        way += f" dev {hop['interface']}"
        way += "" if connected(node, hop) else " onlink"
    return way


def connected(node: Node, hop: Mapping[str, Any]) -> bool:
    """Tell whether the next hop's address lies in the subnet of the interface that leads to it; else `onlink` is needed."""
    own = [ip_interface(i.address).network for i in node.interfaces if i.name == hop["interface"] and i.address]
    return any(ip_address(hop["address"]) in network for network in own)


def _nft(rows: Sequence[Row]) -> Iterator[str]:
    """Write a table of our own: packets that are forwarded or received meet the filters in order, then the classes."""
    filters = [r for r in rows if r.family == "ip.acl"]
    classes = [r for r in rows if r.family == "ip.qos"]
    if not filters and not classes:
        return
    yield "nft add table inet paranet"
    yield "nft flush table inet paranet"
    yield "nft add chain inet paranet rules"
    for hook in ("input", "forward"):
        yield f"nft 'add chain inet paranet {hook} {{ type filter hook {hook} priority filter; policy accept; }}'"
        yield f"nft add rule inet paranet {hook} jump rules"
    for row in filters:
        verdict = "drop" if row.value["action"] == "deny" else "accept"
        yield _rule("rules", row, verdict)
    if classes:
        yield "nft 'add chain inet paranet classes { type filter hook postrouting priority mangle; policy accept; }'"
    for row in classes:
        value: Mapping[str, Any] = row.value
        if value.get("dscp") is not None:
            family = "ip6" if any(":" in str(v) for v in value["match"].values()) else "ip"
            yield _rule("classes", row, f"{family} dscp set {value['dscp']}")
        if value.get("priority") is not None:
            yield _rule("classes", row, f"meta priority set 1:{value['priority']}")
        rate = max(1, int(value["rate"] / 8))
        yield _rule("classes", row, f"limit rate over {rate} bytes/second burst {int(value['burst'])} bytes drop")


def _rule(chain: str, row: Row, verdict: str) -> str:
    match: Mapping[str, str] = row.value["match"]  # type: ignore[assignment]  # the shape of these rows
    words = []
    for end, word in (("source", "saddr"), ("destination", "daddr")):
        if end in match:
            words.append(f"{'ip6' if ':' in match[end] else 'ip'} {word} {match[end]}")
    protocol = match.get("protocol")
    for end, word in (("source_port", "sport"), ("destination_port", "dport")):
        if end in match:
            words.append(f"{protocol} {word} {match[end]}")
    if protocol and not any(e in match for e in ("source_port", "destination_port")):
        words.append(f"meta l4proto {protocol}")
    if window := row.value.get("when"):
        begin, _, end = str(window).partition("..")
        words.append(f'meta hour "{begin}"-"{end}"')
    comment = f'comment "{row.key}"'
    return f"nft {shlex.quote(' '.join(('add rule inet paranet', chain, *words, verdict, comment)))}"


def _multicast(value: Mapping[str, Any]) -> Iterator[str]:
    incoming = value["incoming"]
    if incoming and incoming["interface"]:
        ways = [h["interface"] for h in value["outgoing"] if h["interface"]]
        source = value.get("source") or ""
        if ways:
            yield " ".join(filter(None, ("smcroutectl add", incoming["interface"], source, value["group"], *ways)))
        if value["local"]:
            yield " ".join(filter(None, ("smcroutectl join", incoming["interface"], source, value["group"])))
