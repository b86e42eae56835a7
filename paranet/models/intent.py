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
    """The way an intent's traffic takes. *hops* are node ids, *links* the link ids between them; latency in s, bandwidth in bit/s."""

    intent: str
    modality: Modality
    hops: tuple[str, ...]
    links: tuple[str, ...]
    latency: float
    bandwidth: float


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
    """What a route promised: packets from node *source* to *prefix* end at node *target*, passing *via* in order and none of *avoid*."""

    intent: str
    source: str
    target: str
    prefix: str
    via: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Compiled:
    """The compiler's answer for one source on one topology. *rows* holds only devices that get any; ids of intents are their owners."""

    ok: bool
    diagnostics: tuple[Diagnostic, ...]
    intents: tuple[str, ...] = ()
    rows: Mapping[str, tuple[Row, ...]] = attrs.field(factory=dict)
    paths: tuple[Path, ...] = ()
    reaches: tuple[Reach, ...] = ()
