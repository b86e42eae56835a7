"""What is wanted, before anybody asks how the network does it: names resolved, units in SI, every wish with its place in the source."""

from collections.abc import Mapping

import attrs

from paranet.compiler.ast import Attribute
from paranet.models.device import Span
from paranet.models.topology import Modality


@attrs.frozen(kw_only=True)
class RouteOp:
    """Carry traffic from node *source* to node *target* under the name *prefix*: an IP prefix, or an NDN name.

    *bandwidth* in bit/s, 0 for none; *latency* in s, the upper bound, or None; *ecmp* is how many equal ways are wanted.
    NDN may choose among the nodes *targets*, of which *target* is the first, by *strategy*. *given* holds
    the attributes by name.
    """

    intent: str
    modality: Modality
    source: str
    target: str
    prefix: str
    targets: tuple[str, ...] = ()
    via: tuple[str, ...] = ()
    avoid_nodes: tuple[str, ...] = ()
    avoid_links: tuple[str, ...] = ()
    bandwidth: float = 0.0
    latency: float | None = None
    ecmp: int = 1
    backup: bool = False
    strategy: str = "best-route"
    span: Span
    given: Mapping[str, Attribute] = attrs.field(factory=dict)

    def place(self, attribute: str) -> Span:
        """Return where *attribute* stands, or the whole statement."""
        return self.given[attribute].value.span if attribute in self.given else self.span


@attrs.frozen(kw_only=True)
class GeoOp:
    """Carry packets from the nodes *sources* into *region*, over none of the nodes and links to avoid."""

    intent: str
    sources: tuple[str, ...]
    region: str
    avoid_nodes: tuple[str, ...] = ()
    avoid_links: tuple[str, ...] = ()
    span: Span
    given: Mapping[str, Attribute] = attrs.field(factory=dict)

    def place(self, attribute: str) -> Span:
        """Return where *attribute* stands, or the whole statement."""
        return self.given[attribute].value.span if attribute in self.given else self.span


@attrs.frozen(kw_only=True)
class RegionOp:
    """A place on Earth: [latitude, longitude] in degrees, in order around it."""

    intent: str
    region: str
    polygon: tuple[tuple[float, float], ...]
    span: Span


@attrs.frozen(kw_only=True)
class End:
    """One end of a flow: the *prefixes* of its packets, and the *nodes* that these are known to be behind."""

    nodes: tuple[str, ...]
    prefixes: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Flow:
    """Which packets are meant. No ends on a side mean all."""

    sources: tuple[End, ...] = ()
    destinations: tuple[End, ...] = ()
    rest: Mapping[str, str] = attrs.field(factory=dict)
    """protocol, source_port, destination_port as a row holds them"""


@attrs.frozen(kw_only=True)
class FilterOp:
    """Let the packets of *flow* pass or not, on the nodes *at*, or where they come in when that is None."""

    intent: str
    name: str
    seq: int
    action: str
    flow: Flow
    when: str | None
    at: tuple[str, ...] | None
    span: Span


@attrs.frozen(kw_only=True)
class ClassOp:
    """Treat the packets of *flow* in a class of their own: *values* are what the row holds beside the match."""

    intent: str
    name: str
    flow: Flow
    values: Mapping[str, object]
    at: tuple[str, ...] | None
    span: Span


@attrs.frozen(kw_only=True)
class CacheOp:
    """Keep content under the name *prefix* on *nodes*."""

    intent: str
    nodes: tuple[str, ...]
    prefix: str
    values: Mapping[str, object]
    span: Span


@attrs.frozen(kw_only=True)
class MulticastOp:
    """Carry packets to *group* from node *source* to each of *members*; *bandwidth* in bit/s once a link."""

    intent: str
    modality: Modality
    group: str
    source: str
    members: tuple[str, ...]
    avoid_nodes: tuple[str, ...] = ()
    avoid_links: tuple[str, ...] = ()
    bandwidth: float = 0.0
    span: Span
    given: Mapping[str, Attribute] = attrs.field(factory=dict)

    def route(self, member: str) -> RouteOp:
        """Return what carries packets to one member alone."""
        given = {**self.given, "to": self.given["members"]} if "members" in self.given else self.given
        return RouteOp(
            intent=self.intent,
            modality=self.modality,
            source=self.source,
            target=member,
            prefix=self.group,
            avoid_nodes=self.avoid_nodes,
            avoid_links=self.avoid_links,
            bandwidth=self.bandwidth,
            span=self.span,
            given=given,
        )


Operation = RouteOp | GeoOp | RegionOp | FilterOp | ClassOp | CacheOp | MulticastOp


@attrs.frozen(kw_only=True)
class GlobalIR:
    """All operations of one source, in its order."""

    operations: tuple[Operation, ...] = ()

    @property
    def intents(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(op.intent for op in self.operations))
