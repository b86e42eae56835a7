"""Routes in the kernel as rows, and back. They carry the hub's own protocol number; others are not looked at."""

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any

import attrs

from paranet.models.device import Row
from paranet.models.topology import Topology

ROUTE = "ip.route"
PROTOCOL = 0x50
"""protocol number of the hub's routes (rtnetlink(7): above 4 is for routing daemons, this one is nobody's)"""
PRIMARY, BACKUP = 20, 200
"""metrics: a backup is taken when every way of the primary route is gone"""
BLACKHOLE = 6
_ONLINK = 4
_ANY = {2: "0.0.0.0/0", 10: "::/0"}
"""the default route, by address family"""


@attrs.frozen(kw_only=True)
class Port:
    """A device's end of a link, with what is at the other."""

    link: str
    interface: str
    neighbour: str


def ports(topology: Topology, node_id: str) -> dict[str, Port]:
    """Return a node's ports by interface; ends of links without an interface are none."""
    found = {}
    for link in topology.links_of(node_id):
        near, far = (link.source, link.target) if link.source.node == node_id else (link.target, link.source)
        if near.interface:
            found[near.interface] = Port(link=link.id, interface=near.interface, neighbour=far.node)
    return found


def check(row: Row, known: Mapping[str, Port]) -> None:
    """Raise ValueError with the reason when the row cannot be a route that reads back as the same."""
    net = ip_network(row.key)
    if str(net) != row.key:
        raise ValueError(f"write the prefix as {net}")
    if not row.value.keys() <= {"next_hops", "backup"} or "next_hops" not in row.value:
        raise ValueError("a route has next_hops and perhaps backup")
    for hops in row.value.values():
        if not isinstance(hops, (list, tuple)) or len(hops) > 64:
            raise ValueError("next hops must be a list of at most 64")
    if "backup" in row.value and not row.value["backup"]:
        raise ValueError("leave an empty backup out")
    for hops in row.value.values():
        assert isinstance(hops, (list, tuple))
        for hop in hops:
            _check_hop(hop, known, net.version)
        if len(hops) == 1 and hops[0]["weight"] != 1:
            raise ValueError("a next hop without others has weight 1")


def _check_hop(hop: Any, known: Mapping[str, Port], version: int) -> None:
    if not isinstance(hop, Mapping) or hop.keys() != {"node", "link", "interface", "address", "weight"}:
        raise ValueError("a next hop has node, link, interface, address and weight")
    port = known.get(str(hop["interface"]))
    if port is None or (port.link, port.neighbour) != (hop["link"], hop["node"]):
        raise ValueError(f"there is no interface {hop['interface']!r} on link {hop['link']!r} to {hop['node']!r} here")
    if ip_address(hop["address"]).version != version:
        raise ValueError("a next hop's address must be of the prefix's IP version")
    if type(hop["weight"]) is not int or not 1 <= hop["weight"] <= 256:
        raise ValueError("a next hop's weight must be a whole number from 1 to 256")


def specs(row: Row, indices: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return the arguments of the kernel's routes for a row."""
    value: Mapping[str, Any] = row.value
    found = [_spec(row.key, value["next_hops"], PRIMARY, indices)]
    if value.get("backup"):
        found.append(_spec(row.key, value["backup"], BACKUP, indices))
    return found


def _spec(prefix: str, hops: Any, metric: int, indices: Mapping[str, int]) -> dict[str, Any]:
    spec: dict[str, Any] = {"dst": prefix, "proto": PROTOCOL, "priority": metric}
    if not hops:
        return {**spec, "type": "blackhole"}
    if len(hops) == 1 and hops[0]["weight"] == 1:
        return {**spec, "gateway": hops[0]["address"], "oif": indices[hops[0]["interface"]], "flags": _ONLINK}
    ways = [{"gateway": h["address"], "oif": indices[h["interface"]], "hops": h["weight"] - 1, "flags": _ONLINK} for h in hops]
    return {**spec, "multipath": ways}


def rows_of(messages: list[Any], names: Mapping[int, str], known: Mapping[str, Port]) -> dict[tuple[str, str], Row]:
    """Return the rows of a dump of the hub's routes; *names* are the interfaces by index."""
    values: dict[str, dict[str, Any]] = {}
    for message in messages:
        prefix = f"{message.get('dst') or ip_network(_ANY[message['family']]).network_address}/{message['dst_len']}"
        what = "backup" if message.get("priority") == BACKUP else "next_hops"
        values.setdefault(prefix, {})[what] = [] if message["type"] == BLACKHOLE else _hops(message, names, known)
    return {(ROUTE, prefix): Row(family=ROUTE, key=prefix, value=value) for prefix, value in values.items()}


def _hops(message: Any, names: Mapping[int, str], known: Mapping[str, Port]) -> list[dict[str, Any]]:
    ways = message.get("multipath")
    if not ways:
        return [_hop(message.get("oif"), message.get("gateway"), 1, names, known)]
    return [_hop(way["oif"], way.get("gateway"), way["hops"] + 1, names, known) for way in ways]


def _hop(index: int | None, gateway: str | None, weight: int, names: Mapping[int, str], known: Mapping[str, Port]) -> dict[str, Any]:
    interface = names.get(index or 0, "")
    port = known.get(interface)
    return {
        "node": port.neighbour if port else "",
        "link": port.link if port else "",
        "interface": interface,
        "address": gateway or "",
        "weight": weight,
    }
