"""P4 switches in the simulator: `p4.table` entries that match a packet's destination and send it out of a port or of several."""

import contextlib
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any

import attrs

from paranet.controller.simulator.forwarding import Address
from paranet.models.device import Row
from paranet.models.topology import Topology

PIPELINE, TABLE, GROUP = "p4.pipeline", "p4.table", "p4.mcast"
_PORTS = ("port", "egress_port", "egress_spec")


def check(row: Row) -> None:
    """Raise ValueError with the reason when an entry cannot be read."""
    value = row.value
    if not isinstance(value.get("table"), str) or not isinstance(value.get("action"), str):
        raise ValueError("an entry names its table and its action")
    if not isinstance(value.get("match"), Mapping) or not isinstance(value.get("params", {}), Mapping):
        raise ValueError("match and params must be objects")


def replicas(row: Row) -> tuple[int, tuple[int, ...]]:
    """Return a group's number and the ports that get a copy. Raise ValueError with the reason when the row cannot be read."""
    listed = row.value.get("replicas")
    if not row.key.isdigit() or not isinstance(listed, (list, tuple)):
        raise ValueError("a group has a number and a list of replicas")
    found = [port for replica in listed if isinstance(replica, Mapping) and isinstance(port := replica.get("egress_port"), int)]
    if len(found) != len(listed):
        raise ValueError("a replica names its egress_port")
    return int(row.key), tuple(found)


@attrs.frozen(kw_only=True)
class Entry:
    """What is done with packets whose first *length* bits are those of *address*: they leave by *port*, or by those of *group*."""

    length: int
    address: Address
    action: str
    port: int | None
    group: int | None

    def fits(self, address: Address) -> bool:
        """Tell whether the entry is about packets to *address*."""
        rest = address.max_prefixlen - self.length
        return address.version == self.address.version and int(address) >> rest == int(self.address) >> rest


class Switch:
    """One device's pipeline. Entries of tables that match a destination address by longest prefix are understood."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.programmed = False
        self._longest: list[Entry] = []
        self._groups: dict[int, tuple[int, ...]] = {}
        for row in rows:
            if row.family == PIPELINE:
                self.programmed = True
            elif row.family == TABLE and (read := _read(row.value)) is not None:
                self._longest.append(read)
            elif row.family == GROUP:
                with contextlib.suppress(ValueError):
                    number, out = replicas(row)
                    self._groups[number] = out
        self._longest.sort(key=lambda entry: (entry.length, int(entry.address), entry.action), reverse=True)

    def lookup(self, address: Address) -> int | str:
        """Return the port that packets to *address* leave by, or why they are dropped."""
        entry = self._entry(address)
        if entry is None:
            return "no_route"
        return entry.port if entry.port is not None else "denied" if "drop" in entry.action.lower() else "no_route"

    def copies(self, group: Address) -> tuple[int, ...]:
        """Return the ports that get a copy of packets to *group*."""
        entry = self._entry(group)
        return self._groups.get(entry.group, ()) if entry is not None and entry.group is not None else ()

    def _entry(self, address: Address) -> Entry | None:
        return next((entry for entry in self._longest if entry.fits(address)), None)


def _read(value: Mapping[str, Any]) -> Entry | None:
    """Return what an entry says, None for one of some other kind of table."""
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
        group = params["group"] if isinstance(params.get("group"), int) else None
        return Entry(length=bits, address=address, action=str(value.get("action")), port=port, group=group)
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
