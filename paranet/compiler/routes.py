"""The statement `route`."""

from collections.abc import Mapping

from paranet.compiler import values
from paranet.compiler.ast import Attribute, Call, Statement, Token, Value
from paranet.compiler.context import Context
from paranet.compiler.diagnostics import suggestion
from paranet.compiler.ir import GeoOp, RouteOp
from paranet.models.producers import producers
from paranet.models.topology import Modality
from paranet.models.units import parse_bandwidth, parse_seconds

ATTRIBUTES = ("from", "to", "via", "avoid", "protocol", "bandwidth", "latency", "ecmp", "backup", "strategy", "producer")
STRATEGIES = ("best-route", "multicast", "asf", "random")
_SPREADING = ("random", "asf")
"""the strategies that divide Interests among next hops"""
_SAVING = ("best-route", "asf")
"""the strategies that turn to a dearer next hop when the cheapest fails"""
MAX_ECMP = 64

_ALWAYS = frozenset(("from", "to", "avoid", "protocol"))
_WISHES = _ALWAYS | {"via", "bandwidth", "latency"}
_BY_PROTOCOL: Mapping[Modality, frozenset[str]] = {
    Modality.IP: _WISHES | {"ecmp", "backup"},
    Modality.NDN: _WISHES | {"ecmp", "backup", "strategy", "producer"},
    Modality.P4: _WISHES,
    Modality.GEO: _ALWAYS,
}
_SINGLE = "; a table of the program l3 has one way out an entry"
"""why P4 switches neither spread packets nor have a second way at hand: that takes an action selector"""
_PARSERS = {"bandwidth": parse_bandwidth, "latency": parse_seconds}


def read_route(statement: Statement, context: Context) -> tuple[RouteOp | GeoOp, ...]:
    """Return the operations that a route asks for, one a source; none after an error."""
    return _Reader(statement, context).read()


class _Reader:
    """Reads one statement."""

    def __init__(self, statement: Statement, context: Context) -> None:
        self._statement = statement
        self._context = context
        self._log = context.log
        self._what = statement.title
        self._found: Mapping[str, Attribute] = {}

    def read(self) -> tuple[RouteOp | GeoOp, ...]:
        statement, log = self._statement, self._log
        intent = self._context.intent(statement)
        if statement.type:
            log.error("PN215", statement.type.span, "a route has no type")
        self._found = values.attributes(statement.block, self._what, log, known=ATTRIBUTES)
        modality = self._protocol()
        if modality is None:
            return ()  # what the other attributes may be depends on it
        for name, attribute in self._found.items():
            if name not in _BY_PROTOCOL[modality]:
                fitting = ", ".join(p for p, known in _BY_PROTOCOL.items() if name in known)
                why = _SINGLE if modality is Modality.P4 and name in ("ecmp", "backup") else ""
                hint = f"routes over {fitting} have it{why}"
                log.error("PN225", attribute.name.span, f"a route over {modality} has no {name!r}", hint=hint)
        self._found = {name: a for name, a in self._found.items() if name in _BY_PROTOCOL[modality]}
        return self._geo(intent) if modality is Modality.GEO else self._routes(intent, modality)

    def _protocol(self) -> Modality | None:
        """Return the protocol that is written, else the one that the destination shows."""
        if "protocol" not in self._found:
            return _shown(self._found["to"].value) if "to" in self._found else Modality.IP
        word = values.text(self._found["protocol"], self._log)
        known = [str(m.value) for m in Modality]
        if word is None or word in known:
            return Modality(word) if word else None
        hint = suggestion(word, known) or f"there are {', '.join(known)}"
        self._log.error("PN212", self._found["protocol"].value.span, f"there is no protocol {word!r}", hint=hint)
        return None

    def _required(self, name: str) -> Attribute | None:
        return self._found.get(name) or values.required(self._found, name, self._statement.keyword.span, self._what, self._log)

    def _geo(self, intent: str | None) -> tuple[GeoOp, ...]:
        context = self._context
        start, end = self._required("from"), self._required("to")
        region = context.region(end.value) if end else None
        nodes, links = context.avoided(self._found)
        sources: tuple[str, ...] | None = None
        if start and isinstance(start.value, Call) and start.value.function.text == "region":
            area = context.region(start.value)
            speaking = (n for n in (context.areas[area].nodes if area else ()))
            sources = tuple(n for n in speaking if Modality.GEO in context.topology.nodes[n].modalities)
            if area and not sources:
                self._log.error("PN230", start.value.span, f"no node that speaks geo lies in region {area!r}")
        elif start:
            sources = context.nodes(start, Modality.GEO)
        if intent is None or region is None or not sources:
            return ()
        if both := set(sources) & set(nodes):
            self._log.error("PN220", self._found["avoid"].value.span, f"the path cannot avoid {min(both)!r}, which 'from' names")
            return ()
        span = self._statement.span
        return (GeoOp(intent=intent, sources=sources, region=region, avoid_nodes=nodes, avoid_links=links, span=span, given=self._found),)

    def _routes(self, intent: str | None, modality: Modality) -> tuple[RouteOp, ...]:
        context, found = self._context, self._found
        wishes = self._wishes()
        ecmp, backup = self._ecmp(), self._backup()
        strategy = self._strategy(ecmp, backup)
        start, end = self._required("from"), self._required("to")
        ends = Modality.IP if modality is Modality.P4 else modality
        sources = context.nodes(start, ends) if start else None
        reached = self._named(end) if modality is Modality.NDN else self._addressed(end, ends)
        avoid_nodes, avoid_links = context.avoided(found)
        waypoints = self._waypoints(ends)
        if intent is None or wishes is None or not sources or reached is None or end is None or ecmp is None or strategy is None:
            return ()
        targets, prefix = reached
        if set(sources) <= set(targets):  # of several some may be ends: the others go there
            self._log.error("PN211", end.value.span, f"the route starts and ends at {sources[0]!r}")
            return ()
        span = self._statement.span
        made: list[RouteOp] = []
        for source in sources:
            if source in targets:
                continue
            via = self._via(waypoints, source, targets, {*avoid_nodes})
            if via is None:
                return ()
            made.append(
                RouteOp(
                    intent=intent,
                    modality=modality,
                    source=source,
                    target=targets[0],
                    prefix=prefix,
                    targets=targets,
                    via=via,
                    avoid_nodes=avoid_nodes,
                    avoid_links=avoid_links,
                    bandwidth=wishes["bandwidth"] or 0.0,
                    latency=wishes["latency"],
                    ecmp=ecmp,
                    backup=backup,
                    strategy=strategy,
                    span=span,
                    given=found,
                )
            )
        return tuple(made)

    def _wishes(self) -> Mapping[str, float | None] | None:
        """Return bandwidth and latency, None for one not given; None altogether when one cannot be read."""
        found = self._found
        read = {n: values.quantity(found[n], p, self._log, above_zero=True) if n in found else None for n, p in _PARSERS.items()}
        return None if any(n in found and read[n] is None for n in _PARSERS) else read

    def _ecmp(self) -> int | None:
        if "ecmp" not in self._found:
            return 1
        attribute = self._found["ecmp"]
        read = values.quantity(attribute, values.whole, self._log, above_zero=True)
        if read is not None and read > MAX_ECMP:
            self._log.error("PN208", attribute.value.span, f"'ecmp' must be at most {MAX_ECMP}, not {int(read)}")
            return None
        return None if read is None else int(read)

    def _backup(self) -> bool:
        if "backup" not in self._found:
            return False
        word = values.text(self._found["backup"], self._log)
        if word not in (None, "disjoint", "none"):
            self._log.error("PN207", self._found["backup"].value.span, f"'backup' must be disjoint or none, not {word!r}")
        return word == "disjoint"

    def _strategy(self, ecmp: int | None, backup: bool) -> str | None:
        """Return the strategy given, else the one that serves the other wishes; None after reporting one that does not."""
        spread = ecmp is not None and ecmp > 1
        fitting = [s for s in (_SPREADING if spread else STRATEGIES) if s in _SAVING or not backup]
        if "strategy" not in self._found:
            return fitting[0]
        attribute = self._found["strategy"]
        strategy = values.choice(attribute, STRATEGIES, self._log)
        if strategy in fitting:
            return strategy
        wish = " and ".join(repr(w) for w, given in (("ecmp", spread), ("backup", backup)) if given)
        message = f"'strategy' {strategy} does not go with {wish}"
        self._log.error("PN220", attribute.value.span, message, hint=f"{' and '.join(fitting)} {'do' if len(fitting) > 1 else 'does'}")
        return None

    def _addressed(self, end: Attribute | None, modality: Modality) -> tuple[tuple[str, ...], str] | None:
        found = self._context.destination(end.value, modality) if end else None
        return ((found[0],), self._context.text(found[1])) if found else None

    def _named(self, end: Attribute | None) -> tuple[tuple[str, ...], str] | None:
        """Return the producers of a name, and the name."""
        context = self._context
        given = context.nodes(self._found["producer"], Modality.NDN) if "producer" in self._found else ()
        name = context.name(end.value) if end else None
        if name is None or end is None or given is None:
            return None
        if made := given or producers(context.topology, name):
            return made, name
        hint = "give a node the property `prefix`, or the route a `producer`"
        self._log.error("PN217", end.value.span, f"no node produces {name}", hint=hint)
        return None

    def _waypoints(self, modality: Modality) -> list[tuple[str, Value]]:
        given = values.members(self._found["via"].value) if "via" in self._found else ()
        return [(node, v) for v in given if (node := self._context.speaking(v, "via", modality))]

    def _via(self, waypoints: list[tuple[str, Value]], source: str, targets: tuple[str, ...], avoided: set[str]) -> tuple[str, ...] | None:
        """Return the waypoints strictly between the ends; None after reporting what contradicts *avoided* or the ends."""
        if not waypoints and not avoided:
            return ()
        target = targets[0]
        read = waypoints[1:] if waypoints and waypoints[0][0] == source else waypoints
        read = read[:-1] if read and read[-1][0] == target else read
        taken = {source: "is the source", target: "is the destination"}
        sound = True
        for node, value in read:
            if node in taken:
                sound = False
                self._log.error("PN220", value.span, f"the path cannot pass {node!r} here: it {taken[node]}")
            taken[node] = "was passed before"
        for node, place in [(source, "from"), *((t, "to") for t in targets), *((n, "via") for n, _ in read)]:
            if node in avoided:
                sound = False
                self._log.error("PN220", self._found["avoid"].value.span, f"the path cannot avoid {node!r}, which {place!r} names")
        return tuple(node for node, _ in read) if sound else None


def _shown(value: Value) -> Modality:
    """Return the protocol that a destination shows when none is written."""
    token: Value = value
    if isinstance(value, Call) and value.function.text == "region":
        return Modality.GEO
    if isinstance(value, Call) and value.function.text == "prefix" and value.arguments:
        token = value.arguments[0]
    return Modality.NDN if isinstance(token, Token) and token.text.startswith("/") else Modality.IP
