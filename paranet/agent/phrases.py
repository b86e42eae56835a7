"""Sentences in English and Chinese to the intent language, without any model: pure, some hundred microseconds a sentence."""

import itertools

import attrs

from paranet.agent import drafting, filtering
from paranet.agent.bounds import bounded
from paranet.agent.clauses import MOST_ITEMS, Clause, split
from paranet.agent.drafting import Draft
from paranet.agent.entities import Entity, entities
from paranet.agent.known import Known
from paranet.agent.leftovers import name_leftovers
from paranet.agent.measures import measure
from paranet.agent.ports import with_ports
from paranet.agent.questions import Question, question
from paranet.agent.reading import read
from paranet.agent.resolve import Need, Resolver, Unknown
from paranet.agent.tags import Tag, tag
from paranet.agent.telling import language_of, say, tell
from paranet.agent.writing import source

MAX_TEXT = 4000
"""characters of a request that are read"""
SOURCED = 0.5
"""the confidence of a source at least"""
MULTICAST = frozenset(str(n) for n in range(224, 240))
"""first numbers of multicast addresses"""
ROUTE_OPS = ("connect", "reach", "forward", "balance")


@attrs.frozen(kw_only=True)
class Understanding:
    """What a sentence was understood as. *source* is empty while a need must be answered first; *name* is the set to compile it under.

    *removes* tells that the set *name* is to go. *question* is set when the sentence asks instead of wishing.
    """

    source: str
    explanation: str
    confidence: float
    needs: tuple[Need, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    entities: tuple[Entity, ...] = ()
    language: str = "en"
    name: str | None = None
    removes: bool = False
    question: Question | None = None
    looks_back: bool = False
    """it speaks of what is installed: understand it again with `Known.installed`"""


def understand(text: str, known: Known, *, language: str | None = None) -> Understanding:
    """Return what *text* wants of the network *known*. Never raises; *language* is that of the answer, else the text's own."""
    text = text[:MAX_TEXT]
    language = language if language in ("en", "zh") else language_of(text)
    tags = tag(text, known)
    asked = question(text, tags, known)
    if asked is not None:
        return Understanding(
            source="", explanation=say(language)["say"]["question"], confidence=asked.confidence, language=language, question=asked
        )
    parts = split(bounded(measure(with_ports(tags))))
    clauses = _inherit([read(part[:MOST_ITEMS]) for part in parts])
    found = tuple(dict.fromkeys(e for clause in clauses for e in entities(clause, text)))
    resolver = Resolver(text=text, known=known)
    resolver.correct(tags)
    draft = Draft(resolver=resolver)
    if (long := next((p for p in parts if len(p) > MOST_ITEMS), None)) is not None:
        draft.ask("unclear", text[long[0].start : long[0].start + 60])
    for clause in clauses:
        _check_times(clause, draft)
        _write(clause, draft)
    if not draft.statements and draft.removes is None and not draft.resolver.asks:
        draft.ask("what")
    return _answer(draft, found, language)


def kind(clause: Clause) -> str:
    """Return which kind of wish a clause is; empty for none."""
    rated = clause.measured("rate") is not None
    limiting = clause.says("constraint", "max") or clause.says("metric", "quota", "download", "upload")
    sized = clause.measured("size") is not None
    names = any(t.kind == "name" for m in clause.mentions for t in m.tags)
    has_ends = bool(clause.by_role("from", "to", "between", "via"))
    routing = clause.does(*ROUTE_OPS) or bool(clause.by_role("via", "avoid"))
    ways = clause.measured("time") or clause.measured("paths") or clause.measured("disjoint")
    rules = (
        ("cache", clause.does("cache") and sized and names),
        ("remove", clause.does("remove") and not (clause.middleboxes and has_ends) and not clause.does("permit", "deny")),
        ("multicast", clause.does("multicast") or any(_is_multicast(t) for m in clause.mentions for t in m.tags)),
        ("region", clause.does("region")),
        ("group", clause.does("define_group") and not clause.does("multicast")),
        ("cache", clause.does("cache")),
        ("limit", sized and not names and (limiting or (clause.measured("size") or _NOTHING).period is not None)),
        ("limit", rated and limiting and not clause.says("constraint", "min")),
        ("limit", rated and any(m.each for m in clause.mentions) and not clause.by_role("via") and not clause.says("constraint", "min")),
        ("limit", rated and clause.does("set", "permit", "deny") and not routing),
        ("route", clause.does("permit") and not clause.does("deny") and not clause.apps and bool(clause.by_role("via", "avoid"))),
        ("route", clause.does("permit") and clause.does("balance") and not clause.does("deny")),
        ("route", bool(clause.middleboxes) and clause.does("add") and not clause.apps and not clause.ports),
        (
            "route",
            clause.does("permit")
            and (routing or has_ends)
            and (rated or ways)
            and not (clause.apps or clause.ports or clause.does("deny")),
        ),
        ("filter", clause.does("deny", "permit") and not clause.says("constraint", "max")),
        ("filter", clause.does("reach") and clause.says("constraint", "only") and not clause.by_role("via")),
        ("filter", clause.does("reach") and clause.apps and clause.says("power") and not (clause.by_role("via") or ways or rated)),
        ("filter", clause.does("reach") and bool(clause.by_role("except")) and not clause.by_role("via")),
        ("priority", clause.does("prioritize", "deprioritize")),
        ("priority", bool(clause.apps) and not clause.ops and clause.says("marker", "then") and not clause.by_role("via")),
        ("limit", rated and not routing and not has_ends and not clause.middleboxes),
        ("content", names),
        ("geo", clause.says("modality", "geo")),
        (
            "route",
            bool(clause.middleboxes) or routing or (has_ends and bool(rated or ways)),
        ),
        ("route", clause.says("route", "backup") or bool(clause.by_role("between"))),
        ("box", clause.does("inspect")),
        ("route", bool(clause.measured("time")) and not (rated or sized) and len(clause.mentions) >= 2),
        ("limit", rated or clause.says("constraint", "max")),
        ("filter", bool(clause.apps) and bool(clause.mentions)),
        ("route", len(clause.by_role("from")) + len(clause.by_role("to")) >= 2),
    )
    return next((name for name, holds in rules if holds), "")


def _is_multicast(tag: Tag) -> bool:
    return tag.kind == "address" and "/" not in tag.text and tag.text.partition(".")[0] in MULTICAST


@attrs.frozen
class _Nothing:
    period: None = None


_NOTHING = _Nothing()
_WRITERS: dict[str, drafting.Writer] = {
    "multicast": drafting.write_multicast,
    "region": drafting.write_region,
    "group": drafting.write_group,
    "cache": drafting.write_cache,
    "limit": filtering.write_limits,
    "filter": filtering.write_filters,
    "priority": filtering.write_priority,
    "content": drafting.write_routes,
    "geo": drafting.write_geo,
    "route": drafting.write_routes,
}


def _write(clause: Clause, draft: Draft) -> None:
    what = kind(clause)
    if what == "remove":
        _remove(clause, draft)
    elif what == "box":
        draft.ask(
            "which-box", next(draft.resolver.text[t.start : t.end] for op, t in clause.ops if op == "inspect"), draft.known.labels[:8]
        )
    elif what:
        before = len(draft.statements)
        _WRITERS[what](clause, draft)
        name_leftovers(clause, what, draft, source(draft.statements[before:]))
    elif clause.ops or clause.mentions or clause.apps:
        draft.ask("what")


def _check_times(clause: Clause, draft: Draft) -> None:
    """Ask about days, and about hours that everybody has his own of; a window that was said outright stands."""
    for said in clause.flags:
        about = draft.resolver.text[said.start : said.end]
        if said.has("recur", "weekday"):
            draft.ask("which-days", about, ("every day",))
        elif said.has("recur", "hours") and not clause.clocks:
            draft.ask("which-hours", about, ("22:00-06:00", "08:00-18:00"))


def _remove(clause: Clause, draft: Draft) -> None:
    """Name the set of intents that the words fit: by the ends, applications and boxes in its name."""
    text = draft.resolver.text
    said = [t for m in clause.mentions for t in m.tags]
    words = {part for t in said for part in text[t.start : t.end].lower().replace("-", " ").split()}
    words |= {part for t in said for r in t.referents for part in r.label.lower().split("-")}
    words |= {t.value_of("app") or "" for t in clause.apps} | {t.value_of("middlebox") or "" for t, _ in clause.middleboxes}
    kinds = {"limit": "limit", "quota": "quota"} if clause.says("metric") or clause.says("constraint", "max") else {}
    sets = tuple(dict.fromkeys(owner.partition("/")[0] for owner in draft.known.installed))
    fitting = [s for s in sets if s.lower() in words or s in text or (words and words <= {*s.lower().split("-"), *kinds})]
    fitting = fitting or [s for s in sets if words & {*s.lower().split("-")} and (not kinds or s.split("-")[0] in kinds)]
    if len(fitting) == 1:
        draft.removes = fitting[0]
        draft.note("removes", fitting[0], 0.9)
    else:
        draft.ask("remove-which" if sets else "remove-nothing", options=(fitting or list(sets))[:8])


def _inherit(clauses: list[Clause]) -> list[Clause]:
    """Let a clause without anybody in it speak of those of its neighbour: `block it for guests, limit to 10 Mbps`."""
    clauses = _with_afterthoughts(clauses)
    for before, clause in itertools.pairwise(clauses):
        if clause.says("constraint", "rest") and kind(before) == "filter" and not before.does("deny"):
            before.flags += [t for t in clause.flags if t.has("constraint", "rest")]
            clause.ops, clause.mentions = [], []  # `allow .., deny everything else`
            continue
        if clause.says("constraint", "rest") and kind(before) == "priority":
            clause.ops, clause.mentions, clause.apps = [], [], []  # `video first, the rest last`
            continue
        _short(before, clause)
        if _wishes(clause) and not clause.mentions and not clause.middleboxes:
            clause.mentions = [m for m in before.mentions if m.role not in ("via", "avoid")]
            if not clause.apps and not clause.says("constraint", "only"):
                clause.apps = list(before.apps)
        elif _wishes(before) and clause.mentions and not before.mentions and not before.middleboxes and kind(before) == kind(clause):
            before.mentions = [m for m in clause.mentions if m.role in ("for", "at")]
        if kind(before) == kind(clause) == "route" and clause.by_role("to") and not clause.by_role("from", "between", "bare"):
            clause.mentions += before.by_role("from")
        if not clause.clocks and before.clocks and kind(before) == kind(clause) and not clause.mentions:
            clause.clocks = list(before.clocks)
    return [c for c in clauses if _wishes(c) or len(clauses) == 1]


def _short(before: Clause, clause: Clause) -> None:
    """Finish a clause that only says who: `students must not reach the labs, professors may`."""
    denied = [op for op, _ in clause.ops]
    if kind(before) != "filter" or clause.apps or clause.ports or clause.measures:
        return
    turned = {"permit", "deny"} == {op for c in (before, clause) for op, _ in c.ops} - {"reach"} and not clause.by_role(
        "to", "between", "at"
    )
    if turned and clause.by_role("from") and before.by_role("to") and clause.does("permit") != before.does("permit"):
        clause.mentions += before.by_role("to")
        clause.apps, clause.ports = list(before.apps), list(before.ports)
    if denied not in ([], ["deny"]) or not (denied or clause.says("power")):
        return
    if not clause.mentions or any(m.role != "bare" for m in clause.mentions):
        return
    for mention in clause.mentions:
        mention.role = "from"
    clause.ops = clause.ops or [("permit", next(t for t in clause.flags if t.has("power")))]
    clause.mentions += [m for m in before.mentions if m.role != "from"]
    clause.apps, clause.ports = list(before.apps), list(before.ports)


def _with_afterthoughts(clauses: list[Clause]) -> list[Clause]:
    """Join what only says more about the path before it: `connect a to b. Avoid c, at least 1 Gbps.`"""
    found: list[Clause] = []
    for clause in clauses:
        other = ("deny", "permit", "remove", "cache", "multicast", "prioritize")
        parts = {m.role for m in clause.mentions if m.led}
        plain = clause.mentions and all(m.led for m in clause.mentions) and not (clause.ops or clause.measures or clause.middleboxes)
        if found and plain and parts <= {"from", "to", "via", "avoid"} and not found[-1].by_role(*(parts & {"from", "to"}), "between"):
            found[-1].extend(clause)
            continue
        path = found and kind(found[-1]) == "route"
        if path and not clause.apps:
            _touch(clause)
        ways = clause.by_role("via", "avoid")
        more = ways or clause.measured("time") or clause.measured("paths") or clause.says("route", "backup")
        path = path and len(ways) == len(clause.mentions) and not clause.does(*other)
        makes = found and clause.does("produce") and len(clause.mentions) == 1 and kind(found[-1]) == "content"
        if (more and path) or makes:
            found[-1].extend(clause)
            continue
        found.append(clause)
    return found


def _touch(clause: Clause) -> None:
    """Read what follows a path and only touches somebody as a way: `connect a to b, do not touch c, visit d`."""
    touches = clause.ops and all(tag.has("touches") and op in ("deny", "reach") for op, tag in clause.ops)
    if touches and all(m.role == "to" and not m.led for m in clause.mentions):
        for mention in clause.mentions:
            mention.role = "avoid" if clause.does("deny") else "via"
        clause.ops = []


def _wishes(clause: Clause) -> bool:
    return bool(clause.ops or clause.mentions or clause.middleboxes or clause.apps or clause.measures)


def _completes(ask: str, about: str, text: str, language: str) -> str | None:
    """Return how the answer to a question is put into the sentence."""
    words = say(language)
    if "{" in text:
        return None
    if ask in words["append"]:
        return text.rstrip(" .。") + words["append"][ask]
    if ask in words["replace"] and about and about in text:
        return text.replace(about, words["replace"][ask], 1)
    return None


def _answer(draft: Draft, found: tuple[Entity, ...], language: str) -> Understanding:
    resolver, words = draft.resolver, say(language)
    failed = draft.failed or bool(resolver.asks)
    needs = [
        Need(question=words["ask"][ask].format(about=about), options=options, completes=_completes(ask, about, resolver.text, language))
        for ask, about, options in dict.fromkeys(resolver.asks)
    ]
    open_notes = [(n, about) for n, about in draft.notes if n in words["ask"]]
    needs += [Need(question=words["ask"][n].format(about=about)) for n, about in open_notes if not failed]
    for said, meant in resolver.guessed:
        draft.note("guessed", f"{said} → {meant}")
    written = "" if failed else source(draft.statements)
    notes = [n for n in draft.notes if n not in open_notes]
    explanation = words["say"]["sorry"] if failed else tell(draft.statements, notes, language)
    confidence = draft.weight * resolver.likeness * (0.4 if failed else 1.0) * (0.9 ** len(resolver.unknown))
    confidence = max(confidence, SOURCED) if written else confidence
    named = [s.name for s in draft.statements if s.keyword != "group"]
    return Understanding(
        source=written,
        explanation=explanation,
        confidence=round(confidence, 3),
        needs=tuple(needs),
        unknown=tuple(dict.fromkeys(resolver.unknown)),
        entities=found,
        language=language,
        name=None if failed else draft.removes or (named[0] if named else None),
        removes=draft.removes is not None and not failed,
        looks_back=any(ask.startswith("remove-") for ask, _, _ in resolver.asks),
    )
