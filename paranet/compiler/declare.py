"""The statements `network`, `node` and `link`: a topology in the source."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import attrs

from paranet.compiler import values
from paranet.compiler.ast import Attribute, Item, Statement, Token, Value
from paranet.compiler.diagnostics import Log, suggestion
from paranet.compiler.names import Names
from paranet.errors import BadField
from paranet.models.topology import Endpoint, Interface, Link, Location, Management, Modality, Node
from paranet.models.units import parse_bandwidth, parse_ratio, parse_seconds

T = TypeVar("T")
LINK_ATTRIBUTES = ("endpoints", "bandwidth", "latency", "loss", "mtu", "cost", "enabled", "directed")

_QUANTITIES: Mapping[str, Callable[[str], float]] = {
    "bandwidth": parse_bandwidth,
    "latency": parse_seconds,
    "loss": parse_ratio,
    "mtu": values.whole,
    "cost": values.number,
}


@attrs.frozen(kw_only=True)
class DeclaredNode:
    node: Node
    statement: Statement
    given: frozenset[str]


@attrs.frozen(kw_only=True)
class DeclaredLink:
    link: Link
    statement: Statement
    given: frozenset[str]


@attrs.frozen(kw_only=True)
class Declared:
    """What a source declares; *given* are the attributes it says something about, all else is a default."""

    nodes: Mapping[str, DeclaredNode] = attrs.field(factory=dict)
    links: tuple[DeclaredLink, ...] = ()


def declare(items: Iterable[Item], live: Iterable[Node], log: Log) -> Declared:
    """Return the nodes and links declared in *items*; links may end at nodes of *live* as well."""
    statements = [s for s in _flatten(items, log) if s.keyword.text in ("node", "link")]
    nodes: dict[str, DeclaredNode] = {}
    for statement in statements:
        if statement.keyword.text == "node" and (declared := _node(statement, log)):
            first = nodes.setdefault(declared.node.id, declared)
            if first is not declared and statement.name:
                message = f"node {declared.node.id!r} is declared twice, first in line {first.statement.keyword.line}"
                log.error("PN213", statement.name.span, message)
    known = {n.id: n for n in live} | {i: d.node for i, d in nodes.items()}
    names = Names(known.values(), (), log)
    links: dict[str, DeclaredLink] = {}
    for statement in statements:
        if statement.keyword.text == "link" and (link := _link(statement, names, links, log)):
            links[link.link.id] = link
    return Declared(nodes=_with_ports(nodes, links.values()), links=tuple(links.values()))


def _flatten(items: Iterable[Item], log: Log) -> Iterable[Statement]:
    """Return the statements of *items* with those inside `network { }` in its place."""
    for item in items:
        if not isinstance(item, Statement):
            continue
        if item.keyword.text != "network":
            yield item
            continue
        if item.type:
            log.error("PN215", item.type.span, "a network has no type")
        values.attributes(item.block, "a network", log, known=(), nested=("node", "link"))
        yield from (i for i in item.block.items if isinstance(i, Statement))


def _node(statement: Statement, log: Log) -> DeclaredNode | None:
    if statement.name is None:
        log.error("PN206", statement.keyword.span, "a node needs an id", hint="node r1 :router { ... }")
        return None
    found = dict(values.attributes(statement.block, f"node {statement.name.text!r}", log, known=None))
    given = frozenset(found) | ({"type"} if statement.type else set())
    kind = found.pop("type", None)
    if kind and statement.type:
        log.error("PN205", kind.name.span, f"node {statement.name.text!r} has its type twice")
    read: dict[str, Any] = {"type": statement.type.text} if statement.type else {"type": values.text(kind, log)} if kind else {}
    places = {"id": statement.name, "type": statement.type or (kind.value if kind else statement.name)}
    for name, reader in _NODE_READERS.items():
        if name in found:
            places[name] = found[name].value
            read[name] = reader(found.pop(name), log)
    read["interfaces"] = (read.pop("address", None) or ()) + (read.get("interfaces") or ())
    properties = {name: values.plain(a.value, log) for name, a in found.items()}
    read = {name: value for name, value in read.items() if value is not None}
    try:
        node = Node(id=statement.name.text, properties=properties, **read)
    except BadField as error:
        log.error("PN214" if error.field == "id" else "PN208", places.get(error.field, statement.name).span, str(error))
        if error.field == "id":
            return None
        node = Node(id=statement.name.text)  # so that what refers to it finds it
    return DeclaredNode(node=node, statement=statement, given=given)


def _interface(name: str, attribute: Attribute, log: Log) -> Interface | None:
    address = values.text(attribute, log)
    if address is None:
        return None
    try:
        return Interface(name=name, address=None if address == "none" else address)
    except BadField as error:
        log.error("PN208", attribute.value.span, str(error))
        return None


def _address(attribute: Attribute, log: Log) -> tuple[Interface, ...]:
    interface = _interface("lo", attribute, log)
    return (interface,) if interface else ()


def _interfaces(attribute: Attribute, log: Log) -> tuple[Interface, ...]:
    found = values.fields(attribute, log, known=None) or {}
    return tuple(i for name, a in found.items() if (i := _interface(name, a, log)))


def _modalities(attribute: Attribute, log: Log) -> tuple[Modality, ...]:
    known = [str(m.value) for m in Modality]
    read: list[Modality] = []
    for value in values.members(attribute.value):
        if isinstance(value, Token) and value.text in known:
            read.append(Modality(value.text))
        else:
            hint = suggestion(value.text, known) if isinstance(value, Token) else None
            log.error("PN207", value.span, f"{values.kind(value)} is no modality: use {', '.join(known)}", hint=hint)
    return tuple(dict.fromkeys(read))


def _degrees(attribute: Attribute, log: Log) -> float | None:
    return values.quantity(attribute, values.number, log)


def _location(attribute: Attribute, log: Log) -> Location | None:
    readers = {"latitude": _degrees, "longitude": _degrees, "altitude": _degrees}
    return _structured(Location, attribute, log, readers, ("latitude", "longitude"))


def _management(attribute: Attribute, log: Log) -> Management | None:
    readers = {"driver": values.text, "address": values.text, "credentials": values.text}
    return _structured(Management, attribute, log, readers, ("driver",))


def _structured(
    cls: Callable[..., T], attribute: Attribute, log: Log, readers: Mapping[str, Callable[[Attribute, Log], object]], needed: Iterable[str]
) -> T | None:
    """Return the object that *attribute* holds as *cls*, each of its attributes read by its reader."""
    found = values.fields(attribute, log, known=tuple(readers))
    if found is None:
        return None
    missing = [n for n in needed if not values.required(found, n, attribute.value.span, f"the object {attribute.name.text!r}", log)]
    read = {name: readers[name](a, log) for name, a in found.items()}
    if missing or None in read.values():
        return None
    try:
        return cls(**read)
    except BadField as error:
        log.error("PN208", found[error.field].value.span, str(error))
        return None


_NODE_READERS: Mapping[str, Callable[[Attribute, Log], object]] = {
    "name": values.text,
    "region": values.text,
    "address": _address,
    "interfaces": _interfaces,
    "modalities": _modalities,
    "location": _location,
    "management": _management,
}
NODE_ATTRIBUTES = ("type", *_NODE_READERS)


def _link(statement: Statement, names: Names, taken: Mapping[str, object], log: Log) -> DeclaredLink | None:
    if statement.type:
        log.error("PN215", statement.type.span, "a link has no type")
    found = values.attributes(statement.block, "a link", log, known=LINK_ATTRIBUTES)
    ends = _endpoints(statement, found, names, log)
    read: dict[str, Any] = {n: values.quantity(found[n], parse, log) for n, parse in _QUANTITIES.items() if n in found}
    read |= {n: values.truth(found[n], log) for n in ("enabled", "directed") if n in found}
    if ends is None:
        return None
    given = {n: v for n, v in read.items() if v is not None}
    places = {"id": statement.name or statement.keyword} | {n: a.value for n, a in found.items()}
    try:
        link = Link(id=_link_id(statement, ends, taken), source=ends[0], target=ends[1], **given)
    except BadField as error:
        log.error("PN214" if error.field == "id" else "PN208", places.get(error.field, statement.keyword).span, str(error))
        return None
    if statement.name and link.id in taken:
        log.error("PN213", statement.name.span, f"link {link.id!r} is declared twice")
        return None
    return DeclaredLink(link=link, statement=statement, given=frozenset(given))


def _link_id(statement: Statement, ends: tuple[Endpoint, Endpoint], taken: Mapping[str, object]) -> str:
    if statement.name:
        return statement.name.text
    base = f"{ends[0].node}--{ends[1].node}"
    return next(i for i in (base, *(f"{base}.{n}" for n in range(2, len(taken) + 3))) if i not in taken)


def _endpoints(statement: Statement, found: Mapping[str, Attribute], names: Names, log: Log) -> tuple[Endpoint, Endpoint] | None:
    attribute = values.required(found, "endpoints", statement.keyword.span, "a link", log)
    if attribute is None:
        return None
    ends = values.members(attribute.value)
    if len(ends) != 2:
        log.error("PN224", attribute.value.span, f"a link has two endpoints, not {len(ends)}")
        return None
    source, target = (_endpoint(end, names, log) for end in ends)
    if source is None or target is None:
        return None
    if source.node == target.node:
        log.error("PN224", ends[1].span, f"both endpoints are node {target.node!r}")
        return None
    return source, target


def _endpoint(value: Value, names: Names, log: Log) -> Endpoint | None:
    """Return the end that `node` or `"node:interface"` names; ids may hold colons too, so the whole is tried first."""
    if isinstance(value, Token) and not names.find(value.text):
        parts = value.text.split(":")
        for cut in range(1, len(parts)):
            node, interface = names.find(":".join(parts[:cut])), ":".join(parts[cut:])
            if len(node) == 1 and interface:
                return _port(node[0], interface, value, log)
    found = names.node(value, "endpoints")
    return Endpoint(node=found) if found else None


def _port(node: str, interface: str, value: Token, log: Log) -> Endpoint | None:
    try:
        return Endpoint(node=node, interface=interface)
    except BadField as error:
        log.error("PN208", value.span, str(error))
        return None


def _with_ports(nodes: Mapping[str, DeclaredNode], links: Iterable[DeclaredLink]) -> Mapping[str, DeclaredNode]:
    """Give the nodes the interfaces that only their links mention."""
    ports = {i: {p.name: p for p in d.node.interfaces} for i, d in nodes.items()}
    for end in (e for d in links for e in (d.link.source, d.link.target)):
        if end.interface and end.node in ports:
            ports[end.node].setdefault(end.interface, Interface(name=end.interface))
    return {i: attrs.evolve(d, node=attrs.evolve(d.node, interfaces=tuple(ports[i].values()))) for i, d in nodes.items()}
