"""Flows that a plan cuts on purpose, and which nobody need miss."""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import attrs

from paranet.models.addressing import router_addresses
from paranet.models.device import Change, Row
from paranet.models.topology import Demand, Modality, Topology
from paranet.orchestrator.plan import DevicePlan

_Address = IPv4Address | IPv6Address
_Net = IPv4Network | IPv6Network
_WAYS = {"ip.route": Modality.IP, "p4.table": Modality.P4, "ndn.rib": Modality.NDN, "geo.forward": Modality.GEO}
"""families whose rows lead packets on, and by what"""


@attrs.frozen(kw_only=True)
class Cuts:
    """What a plan takes away: *ways* to addresses, *modalities* of which a way goes, members that leave groups, and what it denies."""

    ways: tuple[_Net, ...]
    modalities: frozenset[Modality]
    left: frozenset[tuple[str, str]]
    denied: tuple[tuple[_Net | None, _Net | None], ...]

    def meets(self, demand: Demand, source: _Address, target: _Address) -> bool:
        """Tell whether the packets of a demand are among it."""
        return (
            (demand.target, demand.group) in self.left
            or demand.modality in self.modalities
            or any(target in net for net in self.ways)
            or any((s is None or source in s) and (t is None or target in t) for s, t in self.denied)
        )


def meant_to_fall(topology: Topology, devices: Iterable[DevicePlan]) -> frozenset[str]:
    """Return the demands that a plan cuts on purpose: their way goes without another, a new row denies them, a member leaves its group.

    Ways by name and by place are not told apart: where one goes, every demand of its kind may.
    """
    changes = [(device.node, change) for device in devices for change in device.delta.changes]
    gone = _ways([change for _, change in changes])
    cuts = Cuts(
        ways=tuple(net for row in gone if (net := _destination(row)) is not None),
        modalities=frozenset(_WAYS[row.family] for row in gone) & {Modality.NDN, Modality.GEO},
        left=frozenset(
            (node, str(c.before.value.get("group"))) for node, c in changes if c.before and _receives(c.before) and not _receives(c.after)
        ),
        denied=tuple(
            _matched(c.after) for _, c in changes if c.after and c.after.family == "ip.acl" and c.after.value.get("action") == "deny"
        ),
    )
    at = router_addresses(topology)
    return frozenset(
        d.id for d in topology.demands.values() if cuts.meets(d, at[d.source], ip_address(d.group) if d.group else at[d.target])
    )


def _ways(changes: Iterable[Change]) -> list[Row]:
    """Return the ways that go; what is led another way is not meant to be lost."""
    of_ways = [change for change in changes if change.id[0] in _WAYS]
    led = {change.id for change in of_ways if change.after is not None}
    return [change.before for change in of_ways if change.after is None and change.before is not None and change.id not in led]


def _receives(row: Row | None) -> bool:
    return row is not None and row.family == "ip.mcast" and row.value.get("local") is True


def _destination(row: Row) -> _Net | None:
    """Return where a way leads, None where that is no address."""
    if row.family == "ip.route":
        return ip_network(row.key)
    match = row.value.get("match")
    for field, wanted in match.items() if row.family == "p4.table" and isinstance(match, Mapping) else ():
        if str(field).endswith("dstAddr"):
            address, length = wanted if isinstance(wanted, (list, tuple)) else (wanted, None)
            try:
                return ip_network(str(address) if length is None else f"{address}/{length}", strict=False)
            except ValueError:
                return None  # a MAC address, say
    return None


def _matched(row: Row) -> tuple[_Net | None, _Net | None]:
    match = row.value.get("match")
    given = match if isinstance(match, Mapping) else {}
    source, target = (given.get(end) for end in ("source", "destination"))
    return (ip_network(str(source), strict=False) if source else None, ip_network(str(target), strict=False) if target else None)
