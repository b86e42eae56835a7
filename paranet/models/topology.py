"""The network as people describe it: nodes, links between them and the traffic they are expected to carry."""

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from enum import StrEnum
from ipaddress import ip_address, ip_interface
from typing import Any, TypeVar

import attrs

from paranet.errors import BadField, Fault, InvalidTopology
from paranet.models.names import check_name
from paranet.models.units import Bandwidth, Ratio, Seconds

ID = re.compile(r"\w[\w.:\-]{0,127}")
_CONTROL = re.compile("[\x00-\x1f]")
EARTH_RADIUS = 6_371_008.8  # m, mean radius (IUGG)
FIBRE_SPEED = 2.0e8  # m/s, light in glass


class Modality(StrEnum):
    """A way of forwarding."""

    IP = "ip"
    NDN = "ndn"
    GEO = "geo"
    P4 = "p4"


_BY_TYPE = {
    "router": (Modality.IP,),
    "switch": (Modality.IP,),
    "host": (Modality.IP,),
    "p4_switch": (Modality.IP, Modality.P4),
    "ndn_router": (Modality.IP, Modality.NDN),
    "ndn_cache": (Modality.IP, Modality.NDN),
    "ndn_producer": (Modality.IP, Modality.NDN),
    "ndn_consumer": (Modality.IP, Modality.NDN),
    "geo_router": (Modality.IP, Modality.GEO),
    "geo_mobile": (Modality.GEO,),
}
NODE_TYPES = tuple(_BY_TYPE)


def _check_id(_instance: object, attribute: "attrs.Attribute[str]", value: str) -> None:
    if ID.fullmatch(value) is None:
        raise BadField(attribute.name, f"{value[:60]!r} is not an id: letters, digits and . : _ - only, at most 128, no leading sign")


def _check_text(_instance: object, attribute: "attrs.Attribute[str]", value: str | None) -> None:
    if value is not None and (len(value) > 256 or _CONTROL.search(value)):
        raise BadField(attribute.name, "must be at most 256 printable characters")


def _between(low: float, high: float, *, open_low: bool = False) -> Callable[[object, Any, Any], None]:
    def check(_instance: object, attribute: "attrs.Attribute[float]", value: float | None) -> None:
        if value is None:
            return
        if not (math.isfinite(value) and low <= value <= high) or (open_low and value == low):
            least = "above" if open_low else "at least"
            raise BadField(attribute.name, f"must be {least} {low:g} and at most {high:g}, not {value!r}")

    return check


def _check_address(_instance: object, attribute: "attrs.Attribute[Any]", value: str | tuple[str, ...] | None) -> None:
    for address in (value,) if isinstance(value, str) else value or ():
        try:
            ip_interface(address)
        except ValueError:
            raise BadField(attribute.name, f"{address[:60]!r} is not an IP address") from None


def _check_group(_instance: object, attribute: "attrs.Attribute[str | None]", value: str | None) -> None:
    try:
        fits = value is None or ip_address(value).is_multicast
    except ValueError:
        fits = False
    if not fits:
        raise BadField(attribute.name, f"{str(value)[:60]!r} is not a multicast address")


def _check_words(_instance: object, attribute: "attrs.Attribute[Any]", value: tuple[str, ...]) -> None:
    for word in value:
        _check_text(None, attribute, word)


def _check_names(_instance: object, attribute: "attrs.Attribute[Any]", value: tuple[str, ...]) -> None:
    for name in value:
        try:
            check_name(name)
        except ValueError as error:
            raise BadField(attribute.name, str(error)) from None


@attrs.frozen(kw_only=True)
class Interface:
    """A port of a node; *address* is an IP address with prefix length (`10.0.1.1/24`), *secondary* are further ones of any family."""

    name: str = attrs.field(validator=_check_text)
    address: str | None = attrs.field(default=None, validator=_check_address)
    secondary: tuple[str, ...] = attrs.field(default=(), validator=_check_address)


@attrs.frozen(kw_only=True)
class Location:
    """WGS 84 degrees; altitude in metres."""

    latitude: float = attrs.field(validator=_between(-90, 90))
    longitude: float = attrs.field(validator=_between(-180, 180))
    altitude: float | None = attrs.field(default=None, validator=_between(-12_000, 1e9))

    def distance(self, other: "Location") -> float:
        """Return the great-circle distance in metres (haversine)."""
        lat1, lat2 = math.radians(self.latitude), math.radians(other.latitude)
        dlon = math.radians(other.longitude - self.longitude)
        a = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin(dlon / 2) ** 2
        return 2 * EARTH_RADIUS * math.asin(min(1.0, math.sqrt(a)))


@attrs.frozen(kw_only=True)
class Display:
    """Where a node without a location is drawn: degrees east and north among nodes that have one, else a plane of -1..1, y upwards."""

    x: float = attrs.field(validator=_between(-1e6, 1e6))
    y: float = attrs.field(validator=_between(-1e6, 1e6))


@attrs.frozen(kw_only=True)
class Management:
    """How the hub reaches the device. *credentials* names a secret; it never holds one."""

    driver: str = attrs.field(validator=_check_text)
    address: str | None = attrs.field(default=None, validator=_check_text)
    credentials: str | None = attrs.field(default=None, validator=_check_text)


@attrs.frozen(kw_only=True)
class Node:
    """A device. *type* is one of NODE_TYPES or a word of the user's own; *modalities* follow from it unless given.

    *capabilities* are the user's own words for what it can do, *prefixes* the NDN name prefixes that it serves.
    """

    id: str = attrs.field(validator=_check_id)
    name: str = attrs.field(default=attrs.Factory(lambda self: self.id, takes_self=True), validator=_check_text)
    type: str = attrs.field(default="router", validator=_check_id)
    interfaces: tuple[Interface, ...] = ()
    modalities: tuple[Modality, ...] = attrs.field(
        default=attrs.Factory(lambda self: _BY_TYPE.get(self.type, (Modality.IP,)), takes_self=True)
    )
    capabilities: tuple[str, ...] = attrs.field(default=(), validator=_check_words)
    prefixes: tuple[str, ...] = attrs.field(default=(), validator=_check_names)
    location: Location | None = None
    display: Display | None = None
    region: str | None = attrs.field(default=None, validator=_check_text)
    management: Management | None = None
    properties: Mapping[str, object] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Endpoint:
    """One end of a link."""

    node: str = attrs.field(validator=_check_id)
    interface: str | None = attrs.field(default=None, validator=_check_text)


@attrs.frozen(kw_only=True)
class Link:
    """A connection. bandwidth in bit/s, latency in s one way, loss 0..1, mtu in bytes, cost without unit (as in OSPF)."""

    id: str = attrs.field(validator=_check_id)
    source: Endpoint
    target: Endpoint
    bandwidth: Bandwidth = attrs.field(default=Bandwidth(1e9), validator=_between(0, 1e18, open_low=True))
    latency: Seconds = attrs.field(default=Seconds(0.001), validator=_between(0, 3600))
    loss: Ratio = attrs.field(default=Ratio(0.0), validator=_between(0, 1))
    mtu: int = attrs.field(default=1500, validator=_between(68, 65536))
    cost: float = attrs.field(default=1.0, validator=_between(0, 1e9))
    enabled: bool = True
    directed: bool = False
    properties: Mapping[str, object] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Demand:
    """Traffic that somebody offers: *rate* bit/s from *source* to *target*, whatever the network then does with it.

    With *group*, a multicast address, *target* is one of its members: the demands of one source and group share their packets.
    """

    id: str = attrs.field(validator=_check_id)
    source: str = attrs.field(validator=_check_id)
    target: str = attrs.field(validator=_check_id)
    rate: Bandwidth = attrs.field(validator=_between(0, 1e18))
    modality: Modality = Modality.IP
    group: str | None = attrs.field(default=None, validator=_check_group)


@attrs.frozen(kw_only=True)
class Topology:
    """A consistent network: ids are unique, links and demands end at nodes that exist. Build it with `Topology.of`.

    *properties* are what is said of the network as a whole.
    """

    nodes: Mapping[str, Node] = attrs.field(factory=dict)
    links: Mapping[str, Link] = attrs.field(factory=dict)
    demands: Mapping[str, Demand] = attrs.field(factory=dict)
    properties: Mapping[str, object] = attrs.field(factory=dict)

    @classmethod
    def of(
        cls,
        nodes: Iterable[Node],
        links: Iterable[Link] = (),
        demands: Iterable[Demand] = (),
        *,
        properties: Mapping[str, object] | None = None,
        beyond: Collection[str] = (),
    ) -> "Topology":
        """Check the parts against each other. Raise InvalidTopology with every fault, each with its JSON path.

        Links and demands may also end at nodes *beyond*: the result is then a piece of a larger topology.
        """
        faults: list[Fault] = []
        by_node = _unique("nodes", nodes, faults)
        by_link = _unique("links", links, faults)
        by_demand = _unique("demands", demands, faults)
        for i, link in enumerate(by_link.values()):
            faults += _link_faults(f"links[{i}]", link, by_node, beyond)
        for i, demand in enumerate(by_demand.values()):
            for end in ("source", "target"):
                if getattr(demand, end) not in by_node and getattr(demand, end) not in beyond:
                    faults.append(Fault(path=f"demands[{i}].{end}", message=f"there is no node {getattr(demand, end)!r}"))
        if faults:
            raise InvalidTopology(f"{faults[0].path}: {faults[0].message}", errors=faults[:100])
        return cls(nodes=by_node, links=by_link, demands=by_demand, properties=properties or {})

    def merged(self, other: "Topology") -> "Topology":
        """Return this network with *other*, which may lead to its nodes, on top: what has the same id is replaced. Raise as `of`."""
        return Topology.of(
            {**self.nodes, **other.nodes}.values(),
            {**self.links, **other.links}.values(),
            {**self.demands, **other.demands}.values(),
            properties={**self.properties, **other.properties},
        )

    def links_of(self, node_id: str) -> list[Link]:
        """Return the links that end at the node, in the topology's order."""
        return [link for link in self.links.values() if node_id in (link.source.node, link.target.node)]


_Part = TypeVar("_Part", Node, Link, Demand)


def _unique(what: str, items: Iterable[_Part], faults: list[Fault]) -> dict[str, _Part]:
    found: dict[str, _Part] = {}
    for i, item in enumerate(items):
        if item.id in found:
            faults.append(Fault(path=f"{what}[{i}].id", message=f"the id {item.id!r} is used twice"))
        found.setdefault(item.id, item)
    return found


def _link_faults(path: str, link: Link, nodes: Mapping[str, Node], beyond: Collection[str]) -> list[Fault]:
    faults = []
    for end, point in (("source", link.source), ("target", link.target)):
        node = nodes.get(point.node)
        if node is None:
            if point.node not in beyond:
                faults.append(Fault(path=f"{path}.{end}.node", message=f"there is no node {point.node!r}"))
        elif point.interface and node.interfaces and point.interface not in {i.name for i in node.interfaces}:
            faults.append(Fault(path=f"{path}.{end}.interface", message=f"{point.node!r} has no interface {point.interface!r}"))
    if link.source.node == link.target.node:
        faults.append(Fault(path=f"{path}.target.node", message="a link needs two different nodes"))
    return faults
