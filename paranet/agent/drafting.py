"""From clauses to statements: which kind of wish it is, and how the language says it. Paths here, traffic in filtering.py."""

from collections.abc import Callable, Sequence
from ipaddress import ip_address

import attrs

from paranet.agent.clauses import OR, Clause, Mention
from paranet.agent.known import Known
from paranet.agent.measures import PERIODS, window
from paranet.agent.resolve import ANY, End, Resolver, slug
from paranet.agent.writing import Statement, rate, seconds, size, word, words
from paranet.models.topology import Modality

GATES = ("internet", "gateway")
DEFAULT_GROUP = "232.1.1.1"


@attrs.define(kw_only=True)
class Draft:
    """What the clauses of one text come to. *notes* are (sentence of the tables, about what): what a reader must know.

    *removes* names the set of intents that goes away.
    """

    resolver: Resolver
    statements: list[Statement] = attrs.field(factory=list)
    notes: list[tuple[str, str]] = attrs.field(factory=list)
    removes: str | None = None
    failed: bool = False
    weight: float = 1.0

    @property
    def known(self) -> Known:
        return self.resolver.known

    def ask(self, question: str, about: str = "", options: Sequence[str] = ()) -> None:
        """Ask back: without the answer there is nothing to propose."""
        self.resolver.asks.append((question, about, tuple(options)))
        self.failed = True

    def note(self, sentence: str, about: str = "", weight: float = 0.95) -> None:
        """Tell the reader something that was taken for granted."""
        if (sentence, about) not in self.notes:
            self.notes.append((sentence, about))
        self.weight = min(self.weight, weight)

    def ends(self, mentions: Sequence[Mention]) -> tuple[End, ...] | None:
        """Return what the mentions stand for, groups declared; None when a question was asked."""
        ends = self.resolver.ends(mentions)
        if ends is None:
            self.failed = True
            return None
        for end in ends:
            if end.kind == "group":
                self.declare(end)
        return tuple(self._renamed(e) for e in ends)

    def nodes(self, mentions: Sequence[Mention]) -> tuple[End, ...] | None:
        """Return the nodes, groups and regions that the mentions stand for: what may be on a path. None when a question was asked."""
        ends = self.ends([m for m in mentions if not _is_name(m)])
        strange = next((e for e in ends or () if e.kind in ("prefix", "name")), None)
        if strange is not None:
            self.ask("who", strange.label, self.known.labels[:8])
            return None
        return None if ends is None else tuple(e for e in ends if e.kind != "any")

    def declare(self, end: End) -> None:
        """Write the group that *end* is, once."""
        statement = Statement(
            keyword="group", name=self._renamed(end).label, attributes=(("nodes", f"[{', '.join(map(word, end.nodes))}]"),)
        )
        if statement not in self.statements:
            self.statements.insert(sum(s.keyword == "group" for s in self.statements), statement)

    def _renamed(self, end: End) -> End:
        """A group must not be called like a node."""
        clash = end.kind == "group" and end.label in self.known.topology.nodes
        return attrs.evolve(end, label=f"{end.label}-group") if clash else end


def write_routes(clause: Clause, draft: Draft) -> None:
    """Add the routes of a clause: from, to, via, avoid, bandwidth, latency, spreading, backup."""
    if names := [m for m in clause.mentions if _is_name(m)]:
        _content_routes(clause, draft, names)
        return
    ends = _route_ends(clause, draft)
    via, avoid = _ways(clause, draft)
    if ends is None or via is None or avoid is None:
        return
    pairs, both = ends
    wishes = _wishes(clause, draft)
    for sources, target in pairs:
        _route(draft, sources, target, via, avoid, wishes)
        if both and len(sources) == 1 and target.kind == "node":
            _route(draft, (target,), sources[0], via[::-1], avoid, wishes)
    if clause.apps and pairs:
        draft.note("all-traffic", draft.resolver.text[clause.apps[0].start : clause.apps[0].end], 0.8)
    if clause.clocks and pairs:
        draft.note("no-window", window(clause.clocks) or "", 0.7)


def _route(
    draft: Draft, sources: tuple[End, ...], target: End, via: tuple[End, ...], avoid: tuple[End, ...], wishes: tuple[tuple[str, str], ...]
) -> None:
    sources = tuple(s for s in sources if s != target)
    via = tuple(v for v in via if v not in (*sources, target))
    if not sources:
        return draft.ask("same-ends", target.label)
    if {*via} & {*avoid}:
        return draft.ask("via-and-avoid", next(v.label for v in via if v in avoid))
    attributes = [("from", words(s.written for s in sources)), ("to", target.written)]
    if via:
        attributes.append(("via", words(v.written for v in via)))
    if avoid:
        attributes.append(("avoid", words(a.written for a in avoid)))
    draft.statements.append(Statement(keyword="route", name=f"{slug(sources)}-{slug([target])}", attributes=(*attributes, *wishes)))
    return None


def _route_ends(clause: Clause, draft: Draft) -> tuple[list[tuple[tuple[End, ...], End]], bool] | None:
    """Return the pairs (sources, destination) and whether the way back is meant too."""
    between = clause.by_role("between")
    if len(between) >= 2:
        return _both_ends(between, draft)
    starts, goals, others = clause.by_role("from"), clause.by_role("to", "members"), clause.by_role("for", "at", "bare", "app")
    if not (starts or goals or others):
        draft.ask("from-where", options=draft.known.labels[:8])
        return None
    if others and not (starts or goals) and any(t.has("app", "web") for t in clause.apps):
        starts, others = others, []  # `students browse through the firewall`: towards the internet
    elif not goals and others and (starts or clause.middleboxes):
        goals, others = others, []
    elif not starts and others:
        starts, others = others, []
    elif not goals and starts and others and not clause.middleboxes:
        goals, others = others, []
    others = [m for m in others if not all(t.has("noun", "network", "any_node") for t in m.tags)]
    if others and starts and goals:
        unclear = others[0]
        draft.ask("part", draft.resolver.text[unclear.start : unclear.end], ("pass", "avoid"))
        return None
    sources = draft.ends(starts) if starts else _gate(draft, "from", goals)
    targets = draft.ends(goals) if goals else _gate(draft, "to", starts)
    if sources is None or targets is None:
        return None
    if strange := next((s for s in sources if s.kind == "prefix"), None):
        draft.ask("who", strange.label, draft.known.labels[:8])
        return None
    sources = tuple(s for s in _as_nodes(sources, keep_groups=True) if s.kind != "any")
    found = [t for t in _as_nodes(targets) if t.kind != "any"]
    if not sources or not found:
        draft.ask("from-where" if not sources else "to-where", options=draft.known.labels[:8])
        return None
    return [(sources, target) for target in found], clause.says("route", "both")


def _both_ends(between: list[Mention], draft: Draft) -> tuple[list[tuple[tuple[End, ...], End]], bool] | None:
    ends = draft.ends(between)
    if ends is None:
        return None
    places = [e for e in ends if e.kind == "prefix"]
    flat = _as_nodes([e for e in ends if e.kind not in ("prefix", "any")])
    if len(places) == 1 and flat:  # nothing can be sent from a prefix
        return [((start,), places[0]) for start in flat], False
    if len(flat) < 2:
        draft.ask("from-where", options=draft.known.labels[:8])
        return None
    return [((flat[0],), other) for other in flat[1:]], True


def _gate(draft: Draft, side: str, others: list[Mention]) -> tuple[End, ...] | None:
    """Return where traffic from or to nowhere in particular comes in or goes out; ask when no node is called so."""
    taken = draft.resolver.ends(others) if others else ()
    if others and taken is None:
        draft.failed = True
        return None
    for name in GATES:
        found = draft.known.find(name)
        if len(found) == 1 and found[0].nodes and found[0].nodes not in [e.nodes for e in taken or ()]:
            draft.note(f"gate-{side}", found[0].label, 0.85)
            return (End(kind=found[0].kind, label=found[0].label, nodes=found[0].nodes),)
    draft.ask(f"{side}-where", options=draft.known.labels[:8])
    return None


def _as_nodes(ends: Sequence[End], *, keep_groups: bool = False) -> list[End]:
    """Return ends that a route can have: groups and regions taken apart."""
    found: list[End] = []
    for end in ends:
        if end.kind == "region" or (end.kind == "group" and not keep_groups):
            found += [End(kind="node", label=n, nodes=(n,)) for n in end.nodes]
        else:
            found.append(end)
    return list(dict.fromkeys(found))


def _ways(clause: Clause, draft: Draft) -> tuple[tuple[End, ...] | None, tuple[End, ...] | None]:
    """Return what the path must pass, in the order of the sentence, and what it must not touch."""
    removing = clause.does("remove") and not clause.does("add")
    found: dict[bool, list[tuple[int, tuple[End, ...] | None]]] = {False: [], True: []}
    if either := next((m for m in clause.by_role("via") if m.joined in OR), None):
        draft.ask("either", draft.resolver.text[either.start : either.end])
    for mention in clause.by_role("via", "avoid"):
        found[mention.role == "avoid"].append((mention.start, draft.nodes([mention])))
    for tag, avoided in clause.middleboxes:
        if tag.has("middlebox", "any"):
            continue
        if tag.has("op", "balance") and not draft.known.find(draft.resolver.text[tag.start : tag.end]):
            clause.ops.append(("balance", tag))  # no box does it: the paths do
            continue
        ends = draft.resolver.middlebox(tag)
        draft.failed = draft.failed or ends is None
        found[avoided or removing].append((tag.start, ends))
    return _in_order(found[False], draft), _in_order(found[True], draft, keep_groups=True)


def _in_order(found: list[tuple[int, tuple[End, ...] | None]], draft: Draft, *, keep_groups: bool = False) -> tuple[End, ...] | None:
    if any(ends is None for _, ends in found):
        draft.failed = True
        return None
    ordered = [e for _, ends in sorted(found, key=lambda f: f[0]) for e in ends or () if e != ANY]
    return tuple(_as_nodes(ordered, keep_groups=keep_groups))


def _wishes(clause: Clause, draft: Draft) -> tuple[tuple[str, str], ...]:
    wishes: list[tuple[str, str]] = []
    bandwidth, latency = clause.measured("rate"), clause.measured("time")
    loose = clause.measured("size")
    if bandwidth:
        wishes.append(("bandwidth", rate(bandwidth.value)))
    elif loose and loose.loose:
        wishes.append(("bandwidth", rate(loose.value)))
        draft.note("rate-assumed", rate(loose.value), 0.8)
    if latency:
        wishes.append(("latency", seconds(latency.value)))
    paths = clause.measured("paths")
    if clause.does("balance") or (paths and paths.value > 1):
        wishes.append(("ecmp", f"{paths.value:.0f}" if paths else "2"))
    elif clause.says("route", "backup") or clause.measured("disjoint"):
        wishes.append(("backup", "disjoint"))
    return tuple(wishes)


def _is_name(mention: Mention) -> bool:
    return len(mention.tags) == 1 and mention.tags[0].kind == "name"


def _content_routes(clause: Clause, draft: Draft, names: list[Mention]) -> None:
    """Content has a name, who wants it (`from`) and perhaps who produces it."""
    others = [m for m in clause.mentions if not _is_name(m) and m.role not in ("via", "avoid")]
    starts = [m for m in others if m.role == "from"]
    goals = [m for m in others if m.role == "to"]
    rest = [m for m in others if m.role not in ("from", "to")]
    named_goal = any(m.role == "to" for m in names)
    consumers, producers = (starts + rest, goals) if named_goal or clause.does("reach") else (goals + rest, starts)
    if not consumers:
        consumers, producers = producers, []
    if not consumers:
        return draft.ask("who-wants", draft.resolver.text[names[0].start : names[0].end], draft.known.speak(Modality.NDN)[:8])
    read, made = draft.nodes(consumers), draft.nodes(producers)
    via, avoid = _ways(clause, draft)
    if read is None or made is None or via is None or avoid is None:
        return None
    if not read:
        return draft.ask("who-wants", draft.resolver.text[names[0].start : names[0].end], draft.known.speak(Modality.NDN)[:8])
    for mention in names:
        name = draft.resolver.text[mention.start : mention.end]
        attributes = [("from", words(e.written for e in read)), ("to", f'prefix("{name}")')]
        attributes += [("via", words(e.written for e in via))] if via else []
        attributes += [("avoid", words(e.written for e in avoid))] if avoid else []
        attributes += [("protocol", "ndn")]
        attributes += [("producer", words(e.written for e in made))] if made else []
        end = End(kind="name", label=name)
        draft.statements.append(Statement(keyword="route", name=f"{slug(read)}-{slug([end])}", attributes=tuple(attributes)))
    return None


def write_geo(clause: Clause, draft: Draft) -> None:
    """Add a route to a region by geography."""
    starts, goals = clause.by_role("from", "bare", "for"), clause.by_role("to", "at")
    sources, targets = draft.nodes(starts), draft.nodes(goals)
    if sources is None or targets is None:
        return None
    regions: list[End | None] = [t if t.kind == "region" else _region_of(t, draft) for t in targets]
    if not sources or not regions or None in regions:
        return draft.ask("which-region", options=sorted({n.region for n in draft.known.topology.nodes.values() if n.region})[:8])
    for region in regions:
        assert region is not None
        attributes = (("from", words(s.written for s in sources)), ("to", region.written), ("protocol", "geo"))
        draft.statements.append(Statement(keyword="route", name=f"{slug(sources)}-{slug([region])}", attributes=attributes))
    return None


def _region_of(end: End, draft: Draft) -> End | None:
    node = draft.known.topology.nodes.get(end.nodes[0]) if len(end.nodes) == 1 else None
    return End(kind="region", label=node.region) if node and node.region else None


def write_cache(clause: Clause, draft: Draft) -> None:
    """Add a content store."""
    names = [m for m in clause.mentions if _is_name(m)]
    places = [m for m in clause.mentions if not _is_name(m)]
    at = draft.nodes(places)
    if at is None:
        return None
    capacity, kept = clause.measured("size"), clause.measured("time")
    period = next((t.value_of("period") for t in clause.flags if t.has("period")), None)
    ttl = kept.value if kept else PERIODS[period] if period else None
    if not names:
        return draft.ask("which-content", options=("/video",))
    if not at:
        return draft.ask("cache-where", draft.resolver.text[names[0].start : names[0].end], draft.known.speak(Modality.NDN)[:8])
    if capacity is None:
        return draft.ask("cache-size", options=("1GB", "10GB", "100GB"))
    policy = next((t.value_of("policy") for t in clause.flags if t.has("policy")), None)
    for mention in names:
        name = draft.resolver.text[mention.start : mention.end]
        attributes = [("at", f"[{', '.join(e.written for e in at)}]"), ("prefix", f'"{name}"'), ("capacity", size(capacity.value))]
        attributes += [("policy", policy)] if policy else []
        attributes += [("ttl", seconds(ttl))] if ttl else []
        end = End(kind="name", label=name)
        draft.statements.append(Statement(keyword="cache", name=f"cache-{slug([end])}", attributes=tuple(attributes)))
    return None


def write_multicast(clause: Clause, draft: Draft) -> None:
    """Add a multicast tree."""
    groups = [m for m in clause.mentions if _is_group_address(m, draft)]
    mentions = [m for m in clause.mentions if m not in groups]
    starts = [m for m in mentions if m.role == "from"] or [m for m in mentions if m.role in ("bare", "at") and mentions.index(m) == 0]
    goals = [m for m in mentions if m not in starts and m.role not in ("via", "avoid")]
    source, members = draft.nodes(starts), draft.nodes(goals)
    avoid = draft.nodes(clause.by_role("avoid"))
    if source is None or members is None or avoid is None:
        return None
    if len(source) != 1 or source[0].kind != "node":
        return draft.ask("multicast-from", options=draft.known.labels[:8])
    if not members:
        return draft.ask("multicast-to", options=draft.known.labels[:8])
    address = draft.resolver.text[groups[0].start : groups[0].end] if groups else DEFAULT_GROUP
    if not groups:
        draft.note("group-assumed", address, 0.85)
    attributes = [("group", address), ("from", source[0].written), ("members", f"[{', '.join(m.written for m in _as_nodes(members))}]")]
    attributes += [("avoid", words(a.written for a in avoid))] if avoid else []
    bandwidth = clause.measured("rate")
    attributes += [("bandwidth", rate(bandwidth.value))] if bandwidth else []
    draft.statements.append(Statement(keyword="multicast", name=f"multicast-{slug(source)}", attributes=tuple(attributes)))
    return None


def _is_group_address(mention: Mention, draft: Draft) -> bool:
    core = mention.tags
    if len(core) != 1 or core[0].kind != "address":
        return False
    try:
        return ip_address(draft.resolver.text[core[0].start : core[0].end]).is_multicast
    except ValueError:
        return False


def write_region(clause: Clause, draft: Draft) -> None:
    """Add a region from its corners."""
    numbers = [tag.value or 0.0 for tag in clause.numbers]
    named = clause.mentions[:1]
    name = draft.resolver.text[named[0].start : named[0].end] if named else ""
    corners = list(zip(numbers[::2], numbers[1::2], strict=False))
    if not name or len(corners) < 3:
        return draft.ask("corners", name)
    polygon = ", ".join(f"[{a:g}, {b:g}]" for a, b in corners)
    draft.statements.append(Statement(keyword="region", name=name, attributes=(("polygon", f"[{polygon}]"),)))
    return None


def write_group(clause: Clause, draft: Draft) -> None:
    """Add a group from its name and its members."""
    unknown = [m for m in clause.mentions if all(t.blank or t.has("people") or t.has("place") for t in m.tags)]
    members = draft.nodes([m for m in clause.mentions if m not in unknown[:1]])
    if members is None:
        return None
    if not unknown or not members:
        return draft.ask("group-members", options=draft.known.labels[:8])
    name = draft.resolver.text[unknown[0].start : unknown[0].end]
    nodes = ", ".join(word(n) for end in members for n in end.nodes)
    draft.statements.append(Statement(keyword="group", name=name, attributes=(("nodes", f"[{nodes}]"),)))
    return None


Writer = Callable[[Clause, Draft], None]
