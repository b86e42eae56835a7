"""What is wanted, before anybody asks of which protocol: names resolved, units in SI, every wish with its place in the source."""

from collections.abc import Mapping

import attrs

from paranet.models.device import Span
from paranet.models.topology import Modality


@attrs.frozen(kw_only=True)
class RouteOp:
    """Carry traffic from node *source* to node *target* under the name *prefix*.

    *bandwidth* in bit/s, 0 for none; *latency* in s, the upper bound, or None. *places* holds the span of each attribute
    given, by name.
    """

    intent: str
    modality: Modality
    source: str
    target: str
    prefix: str
    via: tuple[str, ...] = ()
    avoid_nodes: tuple[str, ...] = ()
    avoid_links: tuple[str, ...] = ()
    bandwidth: float = 0.0
    latency: float | None = None
    span: Span
    places: Mapping[str, Span] = attrs.field(factory=dict)

    def place(self, attribute: str) -> Span:
        """Return where *attribute* stands, or the whole statement."""
        return self.places.get(attribute, self.span)


@attrs.frozen(kw_only=True)
class GlobalIR:
    """All operations of one source, in its order."""

    routes: tuple[RouteOp, ...] = ()
