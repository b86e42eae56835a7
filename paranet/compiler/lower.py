"""Statements to operations: every name resolved, every value read, nothing decided yet about how the network does it."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from paranet.compiler import values
from paranet.compiler.ast import Attribute, Call, Directive, Item, Statement, Token, Value
from paranet.compiler.declare import Declared
from paranet.compiler.diagnostics import Log, suggestion
from paranet.compiler.ir import GlobalIR, RouteOp
from paranet.compiler.names import Names
from paranet.compiler.owners import Owners
from paranet.models.device import Span
from paranet.models.topology import ID, Modality, Topology
from paranet.models.units import parse_bandwidth, parse_seconds

KEYWORDS = ("network", "node", "link", "route")
LATER = ("qos", "acl", "cache", "region", "multicast", "group", "policy")
ROUTE_ATTRIBUTES = ("from", "to", "via", "avoid", "protocol", "bandwidth", "latency")
ROUTE_LATER = ("ecmp", "backup")
AVAILABLE = (Modality.IP,)


def check_statements(items: Iterable[Item], log: Log) -> None:
    """Report what may not stand at the top of a source."""
    for item in items:
        if isinstance(item, Attribute):
            log.error("PN215", item.name.span, f"the attribute {item.name.text!r} stands outside any statement")
        elif isinstance(item, Directive) and item.keyword.text == "import":
            log.error("PN202", item.span, "import is not available yet")
        elif item.keyword.text in LATER:
            log.error("PN202", item.keyword.span, f"the statement {item.keyword.text!r} is not available yet")
        elif isinstance(item, Directive) or item.keyword.text not in KEYWORDS:
            hint = None if log.full else suggestion(item.keyword.text, KEYWORDS) or f"there are {', '.join(KEYWORDS)}"
            log.error("PN201", item.keyword.span, f"there is no statement {item.keyword.text!r}", hint=hint)


def lower(items: Iterable[Item], topology: Topology, declared: Declared, log: Log, *, scope: str | None) -> GlobalIR:
    """Return the operations that *items* ask for; those with an error are left out and reported."""
    routes = _Routes(topology, declared, log, scope)
    found = [routes.read(i) for i in items if isinstance(i, Statement) and i.keyword.text == "route"]
    return GlobalIR(routes=tuple(op for op in found if op))


class _Routes:
    """Reads the `route` statements of one source."""

    def __init__(self, topology: Topology, declared: Declared, log: Log, scope: str | None) -> None:
        self._topology = topology
        self._names = Names(topology.nodes.values(), topology.links.keys(), log, declared=declared.nodes.keys())
        self._owners = Owners(topology)
        self._log = log
        self._scope = f"{scope}/" if scope else ""
        self._seen: dict[str, Span] = {}

    def read(self, statement: Statement) -> RouteOp | None:
        intent = self._intent(statement)
        if statement.type:
            self._log.error("PN215", statement.type.span, "a route has no type")
        what = f"route {statement.name.text!r}" if statement.name else "the route"
        found = values.attributes(statement.block, what, self._log, known=ROUTE_ATTRIBUTES, later=ROUTE_LATER)
        modality = self._protocol(found)
        if modality is None:
            return None  # what the other attributes may be depends on it
        wishes, ends = self._wishes(found), self._ends(found, statement, what)
        avoid, waypoints = self._avoid(found), self._waypoints(found)
        if intent is None or ends is None or wishes is None:
            return None
        source, target, prefix = ends
        via = self._via(found, waypoints, ends, {node for node, _ in avoid})
        if via is None:
            return None
        return RouteOp(
            intent=intent,
            modality=modality,
            source=source,
            target=target,
            prefix=prefix,
            via=via,
            avoid_nodes=tuple(n for n, _ in avoid if n),
            avoid_links=tuple(k for _, k in avoid if k),
            bandwidth=wishes["bandwidth"] or 0.0,
            latency=wishes["latency"],
            span=statement.span,
            places={name: a.value.span for name, a in found.items()},
        )

    def _intent(self, statement: Statement) -> str | None:
        """Return the intent's id, unique within the source."""
        place = (statement.name or statement.keyword).span
        if statement.name is None:
            name = f"route@{place.line}"
            name = f"{name}:{place.column}" if self._scope + name in self._seen else name
        elif ID.fullmatch(name := statement.name.text) is None:
            message = f"{name[:60]!r} cannot name a route: letters, digits and . : _ - only, at most 128, no leading sign"
            self._log.error("PN214", place, message)
            return None
        intent = self._scope + name
        if intent in self._seen:
            self._log.error("PN213", place, f"there is a route {name!r} already, in line {self._seen[intent].line}")
            return None
        self._seen[intent] = place
        return intent

    def _protocol(self, found: Mapping[str, Attribute]) -> Modality | None:
        if "protocol" not in found:
            return Modality.IP
        word = values.text(found["protocol"], self._log)
        if word is None or word in AVAILABLE:
            return Modality(word) if word else None
        known = [str(m.value) for m in Modality]
        message = f"routes are not available for protocol {word} yet" if word in known else f"there is no protocol {word!r}"
        self._log.error("PN212", found["protocol"].value.span, message, hint=f"available: {', '.join(AVAILABLE)}")
        return None

    def _wishes(self, found: Mapping[str, Attribute]) -> Mapping[str, float | None] | None:
        """Return bandwidth and latency, None for one not given; None altogether when one cannot be read."""
        parsers = {"bandwidth": parse_bandwidth, "latency": parse_seconds}
        read = {n: values.quantity(found[n], p, self._log, above_zero=True) if n in found else None for n, p in parsers.items()}
        return None if any(n in found and read[n] is None for n in parsers) else read

    def _ends(self, found: Mapping[str, Attribute], statement: Statement, what: str) -> tuple[str, str, str] | None:
        """Return source, target and the prefix that stands for it."""
        start = values.required(found, "from", statement.keyword.span, what, self._log)
        end = values.required(found, "to", statement.keyword.span, what, self._log)
        source = self._speaking(start.value, "from") if start else None
        reached = self._destination(end.value) if end else None
        if source is None or reached is None or end is None:
            return None
        target, prefix = reached
        if source == target:
            self._log.error("PN211", end.value.span, f"the route starts and ends at {source!r}")
            return None
        return source, target, str(prefix)

    def _speaking(self, value: Value, attribute: str) -> str | None:
        """Return the node that *value* names if it speaks IP."""
        node = self._names.node(value, attribute)
        if node is not None and not self._speaks(node, value):
            return None
        return node

    def _speaks(self, node: str, value: Value) -> bool:
        modalities = self._topology.nodes[node].modalities
        if Modality.IP not in modalities:
            spoken = ", ".join(modalities) or "nothing"
            self._log.error("PN219", value.span, f"node {node!r} does not speak ip, only {spoken}")
        return Modality.IP in modalities

    def _destination(self, value: Value) -> tuple[str, IPv4Network | IPv6Network] | None:
        if isinstance(value, Call) and value.function.text == "prefix":
            return self._owner(value, self._prefix(value))
        if isinstance(value, Token) and _is_ip(value.text) and not self._names.find(value.text):
            return self._owner(value, self._network(value))
        target = self._speaking(value, "to")
        return (target, ip_network(self._owners.addresses[target])) if target else None

    def _prefix(self, call: Call) -> IPv4Network | IPv6Network | None:
        if len(call.arguments) == 1 and isinstance(call.arguments[0], Token):
            return self._network(call.arguments[0])
        self._log.error("PN207", call.span, 'prefix(...) takes one prefix, such as prefix("10.2.0.0/16")')
        return None

    def _network(self, token: Token) -> IPv4Network | IPv6Network | None:
        hint = "such as 10.2.0.0/16 or 2001:db8::/32"
        if "%" not in token.text:  # scoped addresses mean something on one link only
            try:
                return ip_network(token.text)
            except ValueError:
                pass
            with suppress(ValueError):
                hint = f"did you mean {ip_network(token.text, strict=False)}?"
        self._log.error("PN216", token.span, f"{token.text!r} is not an IP prefix", hint=hint)
        return None

    def _owner(self, value: Value, prefix: IPv4Network | IPv6Network | None) -> tuple[str, IPv4Network | IPv6Network] | None:
        if prefix is None:
            return None
        owners = self._owners.of(prefix)
        if not owners:
            self._log.error("PN217", value.span, f"no node has an interface in {prefix}")
        elif len(owners) > 1:
            shown = ", ".join(owners[:5]) + (", ..." if len(owners) > 5 else "")
            hint = "write a longer prefix, or the node itself"
            self._log.error("PN218", value.span, f"{len(owners)} nodes have interfaces in {prefix}: {shown}", hint=hint)
        elif self._speaks(owners[0], value):
            return owners[0], prefix
        return None

    def _avoid(self, found: Mapping[str, Attribute]) -> list[tuple[str | None, str | None]]:
        given = values.members(found["avoid"].value) if "avoid" in found else ()
        return [self._names.node_or_link(v, "avoid") for v in given]

    def _waypoints(self, found: Mapping[str, Attribute]) -> list[tuple[str, Value]]:
        given = values.members(found["via"].value) if "via" in found else ()
        return [(node, v) for v in given if (node := self._speaking(v, "via"))]

    def _via(
        self, found: Mapping[str, Attribute], waypoints: list[tuple[str, Value]], ends: tuple[str, str, str], avoided: set[str | None]
    ) -> tuple[str, ...] | None:
        """Return the waypoints strictly between the ends; None after reporting what contradicts *avoided* or the ends."""
        source, target, _ = ends
        read = waypoints[1:] if waypoints and waypoints[0][0] == source else waypoints
        read = read[:-1] if read and read[-1][0] == target else read
        taken = {source: "is the source", target: "is the destination"}
        sound = True
        for node, value in read:
            if node in taken:
                sound = False
                self._log.error("PN220", value.span, f"the path cannot pass {node!r} here: it {taken[node]}")
            taken[node] = "was passed before"
        for node, place in [(source, "from"), (target, "to"), *((n, "via") for n, _ in read)]:
            if node in avoided:
                sound = False
                self._log.error("PN220", found["avoid"].value.span, f"the path cannot avoid {node!r}, which {place!r} names")
        return tuple(node for node, _ in read) if sound else None


def _is_ip(word: str) -> bool:
    """Tell whether *word* is meant as an address or a prefix."""
    try:
        ip_address(word)
    except ValueError:
        return "/" in word
    return True
