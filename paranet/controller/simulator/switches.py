"""P4 switches in the simulator: `p4.table` entries that match a packet's destination and send it out of a port."""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from paranet.models.device import Row
from paranet.models.topology import Topology

PIPELINE, TABLE = "p4.pipeline", "p4.table"
_PORTS = ("port", "egress_port", "egress_spec")


def check(row: Row) -> None:
    """Raise ValueError with the reason when an entry cannot be read."""
    value = row.value
    if not isinstance(value.get("table"), str) or not isinstance(value.get("action"), str):
        raise ValueError("an entry names its table and its action")
    if not isinstance(value.get("match"), Mapping) or not isinstance(value.get("params", {}), Mapping):
        raise ValueError("match and params must be objects")


class Switch:
    """One device's pipeline. Entries of tables that match a destination address by longest prefix are understood."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.programmed = False
        self._longest: list[tuple[int, int, int, str, int | None]] = []
        for row in rows:
            if row.family == PIPELINE:
                self.programmed = True
            elif row.family == TABLE and (read := _read(row.value)) is not None:
                self._longest.append(read)
        self._longest.sort(reverse=True)

    def lookup(self, address: IPv4Address | IPv6Address) -> int | str:
        """Return the port that packets to *address* leave by, or why they are dropped."""
        number, bits = int(address), address.max_prefixlen
        for length, version, value, action, port in self._longest:
            if version == address.version and number >> (bits - length) == value >> (bits - length):
                return port if port is not None else "denied" if "drop" in action.lower() else "no_route"
        return "no_route"


def _read(value: Mapping[str, Any]) -> tuple[int, int, int, str, int | None] | None:
    """Return (length, version, network, action, port), None for an entry of some other kind of table."""
    match = value.get("match")
    if not isinstance(match, Mapping):
        return None
    for field, wanted in match.items():
        if not str(field).lower().endswith("dstaddr"):
            continue
        text, length = (wanted[0], wanted[1]) if isinstance(wanted, (list, tuple)) and len(wanted) == 2 else (wanted, None)
        try:
            base, _, after = str(text).partition("/")
            address = ip_address(base)
            bits = int(after or (address.max_prefixlen if length is None else length))
        except (ValueError, TypeError):
            return None
        params = value.get("params") or {}
        port = next((params[name] for name in _PORTS if isinstance(params.get(name), int)), None)
        return bits, address.version, int(address), str(value.get("action")), port
    return None


def ports(topology: Topology, node_id: str) -> dict[int, str]:
    """Return a node's links by port number, from 1: named interfaces first, as they stand, without loopbacks."""
    named = [i.name for i in topology.nodes[node_id].interfaces if not i.name.lower().startswith("lo")]
    found: dict[int, str] = {}
    for link in topology.links_of(node_id):
        near = link.source if link.source.node == node_id else link.target
        number = named.index(near.interface) + 1 if near.interface in named else max(len(named), *found, 0) + 1
        found[number] = link.id
    return found
