"""The statements `acl` and `qos`: which packets are meant, and what becomes of them."""

import re
from collections.abc import Callable, Mapping
from typing import Literal

from paranet.compiler import values
from paranet.compiler.ast import Attribute, Statement
from paranet.compiler.context import Context
from paranet.compiler.diagnostics import Log, suggestion
from paranet.compiler.ir import ClassOp, FilterOp, Flow
from paranet.models.topology import Modality
from paranet.models.units import SIZE, parse_bandwidth, parse_quantity

ACL_ATTRIBUTES = ("seq", "deny", "permit", "at", "when")
QOS_ATTRIBUTES = ("match", "rate", "burst", "dscp", "priority", "when", "at")
MATCH_ATTRIBUTES = ("from", "to", "protocol", "port", "source_port", "app")
PROTOCOLS = ("tcp", "udp", "icmp", "icmpv6", "sctp", "gre", "esp", "ospf")
APPS: Mapping[str, tuple[str, str]] = {
    "bgp": ("tcp", "179"),
    "database": ("tcp", "5432"),
    "dns": ("udp", "53"),
    "ftp": ("tcp", "20-21"),
    "http": ("tcp", "80"),
    "https": ("tcp", "443"),
    "mail": ("tcp", "25"),
    "mqtt": ("tcp", "1883"),
    "ntp": ("udp", "123"),
    "quic": ("udp", "443"),
    "rdp": ("tcp", "3389"),
    "smb": ("tcp", "445"),
    "snmp": ("udp", "161"),
    "ssh": ("tcp", "22"),
    "telnet": ("tcp", "23"),
    "video": ("udp", "5004-5005"),
    "voice": ("udp", "16384-32767"),
}
"""What an application's packets look like (IANA's ports; RTP's for video, the usual range for voice)."""

_PORT = re.compile(r"(\d{1,5})(?:(?:-|\.\.)(\d{1,5}))?")
_WINDOW = re.compile(r"([01]\d|2[0-3]):[0-5]\d\.\.(([01]\d|2[0-3]):[0-5]\d|24:00)")
DEFAULT_SEQ = 100
MAX_PAIRS = 2_000
"""pairs of addresses that one match may mean: each is a row of its own"""


def read_acl(statement: Statement, context: Context) -> tuple[FilterOp, ...]:
    """Return what an `acl` asks for; nothing after an error."""
    log, what = context.log, statement.title
    intent = context.intent(statement)
    if statement.type:
        log.error("PN215", statement.type.span, "an acl has no type")
    found = values.attributes(statement.block, what, log, known=ACL_ATTRIBUTES)
    actions = [a for a in ("deny", "permit") if a in found]
    if len(actions) != 1:
        message = f"{what} has both 'deny' and 'permit'" if actions else f"{what} has neither 'deny' nor 'permit'"
        log.error("PN206", statement.keyword.span, message, hint="write one: deny: { from: ...; to: ... }")
        return ()
    flow = read_flow(found[actions[0]], context)
    seq = _whole(found, "seq", log, 1, 99_999) if "seq" in found else DEFAULT_SEQ
    when = _when(found, log)
    at = _at(found, context)
    if intent is None or flow is None or seq is None or at is False or when is False:
        return ()
    name = _name(statement, intent)
    op = FilterOp(intent=intent, name=name, seq=seq, action=actions[0], flow=flow, when=when, at=at, span=statement.span)
    return (op,)


def read_qos(statement: Statement, context: Context) -> tuple[ClassOp, ...]:
    """Return what a `qos` asks for; nothing after an error."""
    log, what = context.log, statement.title
    intent = context.intent(statement)
    if statement.type:
        log.error("PN215", statement.type.span, "a qos has no type")
    found = values.attributes(statement.block, what, log, known=QOS_ATTRIBUTES)
    match = values.required(found, "match", statement.keyword.span, what, log)
    rate = values.required(found, "rate", statement.keyword.span, what, log)
    flow = read_flow(match, context) if match else None
    readers: Mapping[str, Callable[[], object]] = {
        "rate": lambda: values.quantity(found["rate"], parse_bandwidth, log, above_zero=True),
        "burst": lambda: values.quantity(found["burst"], parse_size, log, above_zero=True),
        "dscp": lambda: _whole(found, "dscp", log, 0, 63),
        "priority": lambda: _whole(found, "priority", log, 0, 7),
        "when": lambda: _when(found, log) or None,
    }
    read = {name: read() for name, read in readers.items() if name in found}
    at = _at(found, context)
    if intent is None or flow is None or rate is None or at is False or None in read.values():
        return ()
    rate_read = read["rate"]
    assert isinstance(rate_read, float)
    # one millisecond of the rate and never less than ten large packets, which is what shapers need to reach the rate
    read["burst"] = int(float(str(read["burst"]))) if "burst" in read else max(15_000, int(rate_read / 8 / 1000))
    name = _name(statement, intent)
    return (ClassOp(intent=intent, name=name, flow=flow, values=read, at=at, span=statement.span),)


def read_flow(attribute: Attribute, context: Context) -> Flow | None:
    """Return the packets that `{ from, to, protocol, port, source_port, app }` means."""
    log = context.log
    found = values.fields(attribute, log, known=MATCH_ATTRIBUTES)
    if found is None:
        return None
    sources = context.end(found["from"]) if "from" in found else ()
    destinations = context.end(found["to"]) if "to" in found else ()
    rest = _rest(found, log)
    if sources is None or destinations is None or rest is None:
        return None
    pairs = max(1, sum(len(e.prefixes) for e in sources)) * max(1, sum(len(e.prefixes) for e in destinations))
    if pairs > MAX_PAIRS:
        message = f"the match means {pairs} pairs of addresses; at most {MAX_PAIRS} can be told apart"
        log.error("PN234", attribute.value.span, message, hint="write prefixes that hold the nodes")
        return None
    return Flow(sources=sources, destinations=destinations, rest=rest)


def _rest(found: Mapping[str, Attribute], log: Log) -> Mapping[str, str] | None:
    rest: dict[str, str] = {}
    sound = True
    if "app" in found:
        word = values.text(found["app"], log)
        if word is not None and word in APPS:
            rest["protocol"], rest["destination_port"] = APPS[word]
        elif word is not None:
            hint = suggestion(word, APPS) or f"there are {', '.join(APPS)}; or write protocol and port"
            log.error("PN207", found["app"].value.span, f"there is no application {word!r}", hint=hint)
        sound = word in APPS
    if "protocol" in found:
        before = len(log.errors)
        rest["protocol"] = values.choice(found["protocol"], PROTOCOLS, log)
        sound = sound and len(log.errors) == before
    for name, field in (("port", "destination_port"), ("source_port", "source_port")):
        if name in found:
            port = _ports(found[name], log)
            rest[field] = port or ""
            sound = sound and port is not None
    if sound and any(f in rest for f in ("destination_port", "source_port")):
        rest.setdefault("protocol", "tcp")
        if rest["protocol"] not in ("tcp", "udp", "sctp"):
            place = found.get("port") or found.get("source_port") or found["app"]
            log.error("PN220", place.value.span, f"{rest['protocol']} has no ports")
            sound = False
    return rest if sound else None


def _ports(attribute: Attribute, log: Log) -> str | None:
    word = values.text(attribute, log)
    if word is None:
        return None
    match = _PORT.fullmatch(word)
    low, high = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= low <= high <= 65535:
        log.error("PN208", attribute.value.span, f"{attribute.name.text!r} must be a port or a range such as 80-90, not {word!r}")
        return None
    return str(low) if low == high else f"{low}-{high}"


def _whole(found: Mapping[str, Attribute], name: str, log: Log, low: int, high: int) -> int | None:
    read = values.quantity(found[name], values.whole, log)
    if read is not None and not low <= read <= high:
        log.error("PN208", found[name].value.span, f"{name!r} must be between {low} and {high}, not {int(read)}")
        return None
    return None if read is None else int(read)


def _when(found: Mapping[str, Attribute], log: Log) -> str | Literal[False] | None:
    """Return the window, False after an error and None for none."""
    if "when" not in found:
        return None
    word = values.text(found["when"], log)
    if word is not None and _WINDOW.fullmatch(word):
        return word
    if word is not None:
        log.error("PN208", found["when"].value.span, f"'when' must be a time of day such as 08:00..18:00, not {word!r}")
    return False


def _at(found: Mapping[str, Attribute], context: Context) -> tuple[str, ...] | Literal[False] | None:
    """Return the nodes, False after an error and None for none."""
    if "at" not in found:
        return None
    nodes = context.nodes(found["at"], Modality.IP)
    return False if nodes is None else nodes


def _name(statement: Statement, intent: str) -> str:
    return statement.name.text if statement.name else intent.rpartition("/")[2]


def parse_size(text: str) -> float:
    """Return bytes. Raise ValueError with a readable message."""
    return parse_quantity(text, SIZE, what="size")
