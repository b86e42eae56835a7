"""Everything that a simulated device's rows make it do, ready for lookups; and what rows it takes."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from paranet.controller.simulator import filters, groups, names, regions, switches
from paranet.controller.simulator.filters import Filters
from paranet.controller.simulator.forwarding import ROUTE, Table, next_hops
from paranet.controller.simulator.groups import Groups
from paranet.controller.simulator.names import Names
from paranet.controller.simulator.regions import Regions
from paranet.controller.simulator.switches import Switch
from paranet.models.device import Row
from paranet.models.topology import Topology

_READERS: Mapping[str, Callable[[Row], object]] = {
    ROUTE: next_hops,
    filters.ACL: filters.rule,
    filters.QOS: filters.rule,
    names.RIB: names.entry,
    regions.REGION: regions.polygon,
    switches.TABLE: switches.check,
    switches.GROUP: switches.replicas,
    groups.MCAST: groups.branch,
}
_HOPS = ("next_hops", "backup", "outgoing")
FAMILIES = frozenset({*_READERS, names.STORE, names.STRATEGY, "ndn.face", regions.FORWARD, regions.POSITION, switches.PIPELINE})


class Tables:
    """One device's rows, read once after every change."""

    def __init__(self, rows: Iterable[Row]) -> None:
        held = list(rows)
        self.routes = Table(held)
        self.filters = Filters(held)
        self.names = Names(held)
        self.regions = Regions(held)
        self.switch = Switch(held)
        self.groups = Groups(held)


def check(row: Row, node_id: str, topology: Topology) -> None:
    """Raise ValueError with the reason when a device cannot install the row: it cannot be read, or names a neighbour that is none."""
    if row.family not in FAMILIES:
        raise ValueError("no device here knows such rows")
    if row.family in _READERS:
        _READERS[row.family](row)
    for name in _HOPS:
        listed: Any = row.value.get(name) or ()
        for hop in listed if isinstance(listed, (list, tuple)) else ():
            _check_hop(hop, node_id, topology)


def _check_hop(hop: Any, node_id: str, topology: Topology) -> None:
    node, name = (hop.get("node"), hop.get("link")) if isinstance(hop, Mapping) else (None, None)
    link = topology.links.get(str(name))
    ends = [] if link is None else [(link.source.node, link.target.node), (link.target.node, link.source.node)]
    if link is None or (node_id, node) not in ends[: 1 if link.directed else 2]:
        raise ValueError(f"there is no link {name!r} to {node!r} here")
