"""From clauses to statements about traffic: who may, how much, and who goes first."""

from collections.abc import Iterable, Sequence

from paranet.agent.clauses import Clause, Mention
from paranet.agent.drafting import Draft
from paranet.agent.lexicon import App, lexicon
from paranet.agent.measures import Measure, window
from paranet.agent.resolve import End, slug
from paranet.agent.tags import Tag
from paranet.agent.writing import Statement, rate, size, words

Match = tuple[tuple[str, str], ...]
FIRST, USUAL, LAST = 50, 100, 900
"""the places of permits, denies, and denies of all the rest"""


MOST_SINGLE = 64
"""rules that one limit for each of a group may become"""


def write_filters(clause: Clause, draft: Draft) -> None:
    """Add what is allowed or forbidden."""
    permits = [op for op, _ in clause.ops if op in ("deny", "permit")][-1:] != ["deny"]
    only, exception = clause.says("constraint", "only", "rest"), clause.says("constraint", "except")
    kinds = _kinds(clause, draft)
    if kinds is None:
        return
    pairs = _pairs(clause, draft, bool(kinds))
    if pairs is None:
        return
    when = window(clause.clocks)
    label = "-".join(dict.fromkeys(k.id for k in _apps(clause))) or (
        "port-" + "-".join(port for _, port, _ in clause.ports) if clause.ports else ""
    )
    exact = [(s, t, m) for s, t in pairs for m in (kinds or [()])]
    spared = draft.ends(clause.by_role("except"))
    if spared is None:
        return
    if spared:
        others = [(*_instead(s, t, spared), m) for s, t, m in exact]
        _filters(draft, "deny" if permits else "permit", FIRST, others, label, when)
        _filters(draft, "permit" if permits else "deny", LAST, exact, "rest" if not permits else label, when)
        return
    if exception and kinds:
        _filters(draft, "permit", FIRST, exact, label, when)
        _filters(draft, "deny", USUAL, [(s, t, ()) for s, t in pairs], "", when)
        return
    _filters(draft, "permit" if permits else "deny", FIRST if permits else USUAL, exact, label, when)
    if only and permits and clause.clocks and _only_then(clause):
        _filters(draft, "deny", LAST, exact, "rest", None)
    elif only and permits:
        _filters(draft, "deny", LAST, [_rest(_only(clause), *one) for one in exact], "rest", when)
        draft.note("only", weight=0.85)


def _filters(
    draft: Draft, action: str, seq: int, exact: Iterable[tuple[Sequence[End], Sequence[End], Match]], label: str, when: str | None
) -> None:
    word = "allow" if action == "permit" else "block"
    for sources, targets, match in exact:
        name = "-".join(p for p in (word, label, slug(sources), slug(targets)) if p) or word
        if name == word:
            name = f"{word}-all"
            draft.note("everything", weight=0.6)
        attributes = (("seq", str(seq)),) + ((("when", when),) if when else ())
        draft.statements.append(
            Statement(keyword="acl", name=name, attributes=attributes, inner=action, match=_match(sources, targets, match))
        )


def _instead(sources: tuple[End, ...], targets: tuple[End, ...], spared: tuple[End, ...]) -> tuple[tuple[End, ...], tuple[End, ...]]:
    """Return the traffic of those that a rule spares: they stand where they were part of, or where nobody stood."""
    if (targets and _holds(targets, spared)) or (sources and not targets and not _holds(sources, spared)):
        return sources, spared
    return spared, targets


def _holds(ends: tuple[End, ...], others: tuple[End, ...]) -> bool:
    return {n for e in ends for n in e.nodes} >= {n for e in others for n in e.nodes}


def _only_then(clause: Clause) -> bool:
    """Tell whether `only` is said of the time: `only from 8 to 10`, `只能在早上8点`."""
    word = next(t for t in clause.flags if t.has("constraint", "only"))
    return any(0 <= c.start - word.end <= 1 for c in clause.clocks)


def _only(clause: Clause) -> set[str]:
    """Return what `only` is said of, which is what follows it, or what ends the clause before it: who, where, or which packets."""
    places = [(m.start, m.end, "who" if m.role == "from" else "where") for m in clause.by_role("from", "to")]
    places += [(t.start, t.end, "what") for t in clause.apps]
    places += [(at, at + 1, "what") for _, _, at in clause.ports]
    found = set()
    for word in (t for t in clause.flags if t.has("constraint", "only")):
        ahead = min((p for p in places if p[0] >= word.end), default=None)
        behind = max((p for p in places if p[1] <= word.start), default=None)
        if (near := ahead or behind) is not None:
            found.add(near[2])
    return found or ({"what"} if clause.apps or clause.ports else {"who"})


def _rest(
    only: set[str], sources: tuple[End, ...], targets: tuple[End, ...], match: Match
) -> tuple[tuple[End, ...], tuple[End, ...], Match]:
    """Return the traffic beside the only one that may pass."""
    sources = () if "who" in only else sources
    targets = () if "where" in only and "who" not in only else targets
    return sources, targets, () if "what" in only else match


def _match(sources: Sequence[End], targets: Sequence[End], rest: Match) -> Match:
    found = [("from", words(e.written for e in sources))] if sources else []
    sites = [value for name, value in rest if name == "to"]
    if targets or sites:
        found.append(("to", words([*(e.written for e in targets), *sites])))
    return (*found, *((n, v) for n, v in rest if n != "to"))


def _pairs(clause: Clause, draft: Draft, narrow: bool) -> list[tuple[tuple[End, ...], tuple[End, ...]]] | None:
    """Return (from, to) of the traffic meant; either may be empty for any."""
    between = clause.by_role("between")
    if len(between) >= 2:
        one, other = draft.ends(between[:1]), draft.ends(between[1:])
        return None if one is None or other is None else [(_real(one), _real(other)), (_real(other), _real(one))]
    starts, goals = clause.by_role("from"), clause.by_role("to")
    others = clause.by_role("for", "at", "bare", "members", "via")
    sources, targets, rest = draft.ends(starts), draft.ends(goals), draft.ends(others)
    if sources is None or targets is None or rest is None:
        return None
    sources, targets, rest = _real(sources), _real(targets), _within(_real(rest), others, draft)
    if narrow and not sources and targets and all(_people(m) for m in goals):
        sources, targets = targets, ()  # `grant SSH access to students`
    if not rest:
        return [(sources, targets)]
    if sources and not targets and not any(m.led for m in starts) and all(m.role == "at" for m in others):
        return [(_within((*sources, *rest), [*starts, *others], draft), ())]
    if sources and targets:
        return [(tuple(dict.fromkeys((*sources, *rest))), targets)]
    if sources or targets:
        pair = (sources, rest) if sources else (rest, targets)
        return [pair, pair[::-1]] if clause.says("route", "both") else [pair]
    if clause.says("metric", "download"):
        return [((), rest)]
    if narrow or clause.says("metric", "upload"):
        return [(rest, ())]
    return [(rest, ()), ((), rest)]


def _within(ends: tuple[End, ...], mentions: Sequence[Mention], draft: Draft) -> tuple[End, ...]:
    """Return `students in the dorms`: who is in both if anybody is, else both, and say so."""
    inside = {m.role == "at" for m in mentions}
    if len(ends) != 2 or len(inside) != 2:
        return ends
    shared = tuple(n for n in ends[0].nodes if n in ends[1].nodes)
    if shared:
        return tuple(End(kind="node", label=n, nodes=(n,)) for n in shared)
    draft.note("both", f"{ends[0].label}, {ends[1].label}", 0.7)
    return ends


def _real(ends: Iterable[End]) -> tuple[End, ...]:
    return tuple(e for e in ends if e.kind != "any")


def _people(mention: Mention) -> bool:
    return any(t.has("people") or t.has("noun", "any_node") or t.has("place", "hosts") for t in mention.tags)


def _apps(clause: Clause) -> list[App]:
    return [lexicon().apps[t.value_of("app") or ""] for t in clause.apps]


def _kinds(clause: Clause, draft: Draft) -> list[Match] | None:
    """Return the packets meant, apart from their ends; empty for all; None when an application cannot be told."""
    found: list[Match] = []
    for app in _apps(clause):
        found += [(("protocol", p), *((("port", ports),) if ports and ports != "None" else ())) for p, ports in app.flows]
        if app.sites:
            found.append(tuple(("to", f'prefix("{s}")') for s in app.sites))
    protocol = next((p for p in ("udp", "tcp") if any(t.text == p for t in clause.apps)), "tcp")
    if clause.ports:
        found = [m for m in found if len(m) > 1]
        found += [(("protocol", said if said in ("tcp", "udp") else protocol), ("port", port)) for said, port, _ in clause.ports]
    for mention in clause.by_role("app"):
        ends = service(mention, draft)
        if ends is None:
            return None
        found.append(tuple(("to", e.written) for e in ends))
    return list(dict.fromkeys(found))


def service(mention: Mention, draft: Draft) -> tuple[End, ...] | None:
    """Return where an application that is not in the tables lives: a node may be called like it."""
    text = draft.resolver.text[mention.start : mention.end]
    found = draft.known.find(text)
    if len(found) == 1:
        end = End(kind=found[0].kind, label=found[0].label, nodes=found[0].nodes)
        if end.kind == "group":
            draft.declare(end)
        return (end,)
    draft.ask("which-service", text)
    return None


def write_limits(clause: Clause, draft: Draft) -> None:
    """Add a rate limit or a quota. A quota is a bucket of its size that fills again over its period."""
    measure, quota = clause.measured("rate"), clause.measured("size")
    kinds = _kinds(clause, draft)
    pairs = _limited(clause, draft, bool(kinds)) if kinds is not None else None
    if kinds is None or pairs is None:
        return None
    if measure is None and quota is None:
        return draft.ask("how-much", options=("10Mbps", "100Mbps", "1Gbps"))
    wishes = _rates(clause, measure, quota, draft)
    if wishes is None:
        return None
    when = window(clause.clocks)
    label = "-".join(dict.fromkeys(k.id for k in _apps(clause)))
    word = "quota" if quota and not measure and not quota.loose else "limit"
    if not any(s or t for s, t in pairs) and not kinds:
        draft.note("everything", weight=0.7)
    if any(m.each for m in clause.mentions):
        pairs = _singly(pairs)
        if len(pairs) > MOST_SINGLE:
            return draft.ask("too-many", str(len(pairs)))
    for sources, targets in pairs:
        for match in kinds or [()]:
            ends = [slug(e) for e in (sources, targets) if e]
            side = ["to"] if targets and not sources else []
            name = "-".join(p for p in (word, label, *side, *ends) if p)
            attributes = (*wishes, *((("when", when),) if when else ()))
            statement = Statement(keyword="qos", name=name, attributes=attributes, inner="match", match=_match(sources, targets, match))
            draft.statements.append(statement)
    return None


def _singly(pairs: Sequence[tuple[tuple[End, ...], tuple[End, ...]]]) -> list[tuple[tuple[End, ...], tuple[End, ...]]]:
    """Return the traffic of everybody for himself: each has a limit of his own."""
    return [((s,) if s else (), (t,) if t else ()) for ss, ts in pairs for s in ss or (None,) for t in ts or (None,)]


def _limited(clause: Clause, draft: Draft, narrow: bool) -> list[tuple[tuple[End, ...], tuple[End, ...]]] | None:
    """Return the traffic of a limit: down to somebody, up from them, or both ways."""
    pairs = _pairs(clause, draft, narrow)
    if pairs is None:
        return None
    if clause.says("metric", "both_ways"):
        return [*pairs, *((t, s) for s, t in pairs if (t, s) not in pairs)]
    if clause.says("metric", "download") and len(pairs) == 1 and not pairs[0][1] and pairs[0][0] and not clause.by_role("from"):
        return [((), pairs[0][0])]
    if clause.says("metric", "upload") and len(pairs) == 1 and not pairs[0][0]:
        return [(pairs[0][1], ())]
    return pairs


def _rates(clause: Clause, measure: Measure | None, quota: Measure | None, draft: Draft) -> tuple[tuple[str, str], ...] | None:
    if measure is not None:
        burst = next((m for m in clause.measures if m.kind == "size" and m.period is None), None)
        return (("rate", rate(measure.value)), *((("burst", size(burst.value)),) if burst and clause.says("metric", "burst") else ()))
    assert quota is not None
    if quota.period is None:
        if quota.loose and not clause.says("metric", "quota", "download", "upload"):
            draft.note("rate-assumed", rate(quota.value), 0.8)
            return (("rate", rate(quota.value)),)
        draft.ask("which-period", size(quota.value), ("day", "week", "month"))
        return None
    draft.note("quota", f"{size(quota.value)}, {rate(quota.value * 8 / quota.period)}", 0.9)
    return (("rate", rate(quota.value * 8 / quota.period)), ("burst", size(quota.value)))


def write_priority(clause: Clause, draft: Draft) -> None:
    """Add a class that goes before the rest, or after it."""
    low = clause.does("deprioritize")
    if low and (clause.does("prioritize") or any(t.text == "first" for t in clause.flags)):
        return draft.ask("what-first", options=tuple(a.id for a in _apps(clause)))
    kinds = _kinds(clause, draft)
    pairs = _pairs(clause, draft, True) if kinds is not None else None
    if kinds is None or pairs is None:
        return None
    if not kinds and not any(s or t for s, t in pairs):
        return draft.ask("what-first", options=("voip", "video"))
    apps = _apps(clause)
    dscp = 8 if low else next((a.dscp for a in apps if a.dscp), 26)
    measure = clause.measured("rate")
    wishes = [("rate", rate(measure.value if measure else draft.known.widest)), ("dscp", str(dscp)), ("priority", "1" if low else "6")]
    when = window(clause.clocks)
    wishes += [("when", when)] if when else []
    label = "-".join(dict.fromkeys(a.id for a in apps))
    for sources, targets in pairs:
        for match in kinds or [()]:
            ends = [slug(e) for e in (sources, targets) if e]
            name = "-".join(p for p in ("background" if low else "priority", label, *ends) if p)
            statement = Statement(keyword="qos", name=name, attributes=tuple(wishes), inner="match", match=_match(sources, targets, match))
            draft.statements.append(statement)
    return None


def is_traffic(tags: Iterable[Tag]) -> bool:
    """Tell whether something is said about traffic itself."""
    return any(t.has("traffic") or t.has("app") for t in tags)
