"""What compiling yields: diagnostics, rows per device, the paths taken and the verifier's report."""

from collections.abc import Mapping

import attrs

from paranet.models.device import Row, Span
from paranet.models.topology import Modality


@attrs.frozen(kw_only=True)
class Diagnostic:
    """A finding in a source. *code* (`PN101`) is stable; *severity* is `error`, `warning` or `info`."""

    code: str
    message: str
    span: Span
    severity: str = "error"
    hint: str | None = None


@attrs.frozen(kw_only=True)
class Path:
    """A way of an intent's traffic. *hops* are node ids, *links* the link ids between them; latency in s, bandwidth in bit/s.

    A *backup* is taken only when the others fail.
    """

    intent: str
    modality: Modality
    hops: tuple[str, ...]
    links: tuple[str, ...]
    latency: float
    bandwidth: float
    backup: bool = False


@attrs.frozen(kw_only=True)
class Witness:
    """A packet that shows the violation: its header and the nodes it passes."""

    header: Mapping[str, str]
    hops: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Violation:
    """What would go wrong, for whom, and through which rows (`node family key`)."""

    check: str
    message: str
    witness: Witness
    intents: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Report:
    """The verifier's word. *checked* counts what was looked at, by name of check."""

    ok: bool
    checked: Mapping[str, int]
    violations: tuple[Violation, ...] = ()


@attrs.frozen(kw_only=True)
class Reach:
    """What a route promised: packets from node *source* to *prefix* end at node *target*, passing *via* in order and none of *avoid*.

    They have at least *width* different ways to the target (ECMP), and none of these takes longer than *latency* (s); with *backup* there
    is one more that shares no link with them. Over *modality* p4 nodes that speak it forward them by their tables.
    """

    intent: str
    source: str
    target: str
    prefix: str
    via: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    width: int = 1
    backup: bool = False
    latency: float | None = None
    modality: Modality = Modality.IP


@attrs.frozen(kw_only=True)
class Isolation:
    """What a deny promised: no packet from one of *source_nodes* that *match* fits is forwarded on to its destination.

    *source_prefix* and *destination_prefix* bound the packets meant, None for any; *match* is the match of the `ip.acl` row, whole;
    *when* the time of the day (`08:00..18:00`) it is meant for, None for always.
    """

    intent: str
    source_nodes: tuple[str, ...]
    source_prefix: str | None = None
    destination_prefix: str | None = None
    match: Mapping[str, object] = attrs.field(factory=dict)
    when: str | None = None


@attrs.frozen(kw_only=True)
class NamePromise:
    """What an NDN route promised: an Interest in *name* from node *consumer* reaches one of the nodes *producers*.

    There are at least *width* different ways to them; with *backup* a second one that shares no link with the first. Each passes *via* in
    order and none of *avoid*, and takes no longer than *latency* (s).
    """

    intent: str
    consumer: str
    name: str
    producers: tuple[str, ...]
    width: int = 1
    backup: bool = False
    via: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    latency: float | None = None


@attrs.frozen(kw_only=True)
class RegionPromise:
    """What a GEO route promised: packets from node *source* to *region* are delivered inside it, passing none of *avoid*."""

    intent: str
    source: str
    region: str
    avoid: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class GroupPromise:
    """What a multicast promised: packets from node *source* to the address *group* reach all *members*, passing none of *avoid*."""

    intent: str
    source: str
    group: str
    members: tuple[str, ...]
    avoid: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Reservation:
    """Bandwidth (bit/s) that an intent takes of *link*, out of node *source* (of either direction where it is None)."""

    intent: str
    link: str
    bandwidth: float
    source: str | None = None


@attrs.frozen(kw_only=True)
class Compiled:
    """The compiler's answer for one source on one topology. *rows* holds only devices that get any; ids of intents are their owners."""

    ok: bool
    diagnostics: tuple[Diagnostic, ...]
    intents: tuple[str, ...] = ()
    rows: Mapping[str, tuple[Row, ...]] = attrs.field(factory=dict)
    paths: tuple[Path, ...] = ()
    reaches: tuple[Reach, ...] = ()
    isolations: tuple[Isolation, ...] = ()
    names: tuple[NamePromise, ...] = ()
    regions: tuple[RegionPromise, ...] = ()
    groups: tuple[GroupPromise, ...] = ()
    reservations: tuple[Reservation, ...] = ()
