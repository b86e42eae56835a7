"""The statements `group`, `region`, `cache` and `multicast`."""

from collections.abc import Mapping
from ipaddress import ip_address

from paranet.compiler import values
from paranet.compiler.ast import Attribute, Sequence, Statement, Token, Value
from paranet.compiler.context import Context
from paranet.compiler.diagnostics import Log
from paranet.compiler.flows import parse_size
from paranet.compiler.ir import CacheOp, MulticastOp, RegionOp
from paranet.errors import BadField
from paranet.models.geometry import simple
from paranet.models.topology import Location, Modality
from paranet.models.units import parse_bandwidth, parse_seconds

GROUP_ATTRIBUTES = ("nodes",)
REGION_ATTRIBUTES = ("polygon",)
CACHE_ATTRIBUTES = ("at", "prefix", "capacity", "policy", "ttl")
MULTICAST_ATTRIBUTES = ("group", "from", "members", "protocol", "avoid", "bandwidth")
POLICIES = ("lru", "lfu", "fifo", "priority-fifo")
MAX_CORNERS = 200


def read_group(statement: Statement, context: Context) -> None:
    """Take note of the group."""
    found = _attributes(statement, context, GROUP_ATTRIBUTES)
    nodes = values.required(found, "nodes", statement.keyword.span, statement.title, context.log)
    members = context.nodes(nodes) if nodes else None
    if statement.name is None:
        context.log.error("PN206", statement.keyword.span, "a group needs a name", hint="group guests { nodes: [h1, h2] }")
    elif statement.name.text in context.groups:
        context.log.error("PN213", statement.name.span, f"there is a group {statement.name.text!r} already")
    elif context.names.find(statement.name.text):
        context.log.error("PN213", statement.name.span, f"{statement.name.text!r} is a node already")
    else:
        context.groups[statement.name.text] = members or ()


def read_region(statement: Statement, context: Context) -> tuple[RegionOp, ...]:
    """Take note of the region, and return that devices should know it."""
    log = context.log
    found = _attributes(statement, context, REGION_ATTRIBUTES)
    if statement.name is None:
        log.error("PN206", statement.keyword.span, "a region needs a name", hint="region midtown { polygon: [[40.7, -74.0], ...] }")
        return ()
    intent = context.intent(statement)
    attribute = values.required(found, "polygon", statement.keyword.span, statement.title, log)
    polygon = _polygon(attribute, log) if attribute else None
    if intent is None or polygon is None:
        return ()
    context.add_region(statement.name.text, polygon)
    return (RegionOp(intent=intent, region=statement.name.text, polygon=polygon, span=statement.span),)


def _polygon(attribute: Attribute, log: Log) -> tuple[tuple[float, float], ...] | None:
    if not isinstance(attribute.value, Sequence):
        log.error("PN207", attribute.value.span, f"'polygon' must be a list of [latitude, longitude], not {values.kind(attribute.value)}")
        return None
    corners = [_corner(v, log) for v in attribute.value.items[: MAX_CORNERS + 1]]
    read = tuple(c for c in corners if c)
    if len(read) < len(corners):
        return None
    if len(read) > 1 and read[0] == read[-1]:
        read = read[:-1]  # closed as GeoJSON closes its rings
    if len(read) > MAX_CORNERS or not simple(read):
        reason = "its sides cross or it has no area" if 3 <= len(read) <= MAX_CORNERS else f"it has {len(attribute.value.items)} corners"
        log.error(
            "PN229", attribute.value.span, f"this is not a polygon: {reason}", hint=f"write 3 to {MAX_CORNERS} corners in order around it"
        )
        return None
    return read


def _corner(value: Value, log: Log) -> tuple[float, float] | None:
    items = value.items if isinstance(value, Sequence) else ()
    words = [i.text for i in items if isinstance(i, Token)]
    if len(items) != 2 or len(words) != 2:
        log.error("PN207", value.span, f"a corner is [latitude, longitude], not {values.kind(value)}")
        return None
    try:
        place = Location(latitude=values.number(words[0]), longitude=values.number(words[1]))
    except (BadField, ValueError) as error:
        log.error("PN208", value.span, str(error))
        return None
    return place.latitude, place.longitude


def read_cache(statement: Statement, context: Context) -> tuple[CacheOp, ...]:
    """Return what a `cache` asks for; nothing after an error."""
    log = context.log
    found = _attributes(statement, context, CACHE_ATTRIBUTES)
    intent = context.intent(statement)
    needed = {n: values.required(found, n, statement.keyword.span, statement.title, log) for n in ("at", "prefix", "capacity")}
    nodes = context.nodes(needed["at"], Modality.NDN) if needed["at"] else None
    prefix = context.name(needed["prefix"].value) if needed["prefix"] else None
    capacity = values.quantity(needed["capacity"], parse_size, log, above_zero=True) if needed["capacity"] else None
    read: dict[str, object] = {"policy": values.choice(found["policy"], POLICIES, log) if "policy" in found else POLICIES[0]}
    if "ttl" in found:
        read["ttl"] = values.quantity(found["ttl"], parse_seconds, log, above_zero=True)
    if intent is None or nodes is None or prefix is None or capacity is None or None in read.values():
        return ()
    return (CacheOp(intent=intent, nodes=nodes, prefix=prefix, values={"capacity": int(capacity), **read}, span=statement.span),)


def read_multicast(statement: Statement, context: Context) -> tuple[MulticastOp, ...]:
    """Return what a `multicast` asks for; nothing after an error."""
    log, what = context.log, statement.title
    found = _attributes(statement, context, MULTICAST_ATTRIBUTES)
    intent = context.intent(statement)
    protocol = values.choice(found["protocol"], ("ip", "p4"), log) if "protocol" in found else "ip"
    needed = {n: values.required(found, n, statement.keyword.span, what, log) for n in ("group", "from", "members")}
    group = _group(needed["group"], log) if needed["group"] else None
    source = context.speaking(needed["from"].value, "from", Modality.IP) if needed["from"] else None
    members = context.nodes(needed["members"], Modality.IP) if needed["members"] else None
    avoid_nodes, avoid_links = context.avoided(found)
    bandwidth = values.quantity(found["bandwidth"], parse_bandwidth, log, above_zero=True) if "bandwidth" in found else 0.0
    if intent is None or group is None or source is None or members is None or bandwidth is None:
        return ()
    members = tuple(m for m in members if m != source)
    if not members:
        log.error("PN211", statement.span, f"the only member of {what} is its source")
        return ()
    if both := {source, *members} & set(avoid_nodes):
        log.error("PN220", found["avoid"].value.span, f"the tree cannot avoid {min(both)!r}, which it connects")
        return ()
    op = MulticastOp(
        intent=intent,
        modality=Modality(protocol),
        group=group,
        source=source,
        members=members,
        avoid_nodes=avoid_nodes,
        avoid_links=avoid_links,
        bandwidth=bandwidth,
        span=statement.span,
        given=found,
    )
    return (op,)


def _group(attribute: Attribute, log: Log) -> str | None:
    word = values.text(attribute, log)
    if word is None:
        return None
    try:
        address = ip_address(word)
    except ValueError:
        address = None
    if address is None or not address.is_multicast or "%" in word:
        hint = "such as 232.1.1.1 or ff3e::1"
        log.error("PN231", attribute.value.span, f"{word!r} is not a multicast address", hint=hint)
        return None
    return str(address)


def _attributes(statement: Statement, context: Context, known: tuple[str, ...]) -> Mapping[str, Attribute]:
    if statement.type:
        context.log.error("PN215", statement.type.span, f"a {statement.keyword.text} has no type")
    return values.attributes(statement.block, statement.title, context.log, known=known)
