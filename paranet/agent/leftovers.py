"""Nothing is dropped: what a kind of wish cannot say, and words that nobody understood, are named to the reader."""

from collections.abc import Iterator

from paranet.agent.clauses import Clause
from paranet.agent.drafting import Draft
from paranet.agent.resolve import Unknown

MOST_STRANGE = 3
"""words of a clause that may stay unknown; with more of them it is not understood"""
_PATH = frozenset({"rate", "time", "size", "paths", "disjoint", "via", "avoid", "box", "balance", "backup", "app", "clock"})
SAYS = {
    "route": _PATH,
    "content": _PATH - {"size"},
    "filter": frozenset({"clock", "app", "port"}),
    "limit": frozenset({"rate", "size", "clock", "app", "port"}),
    "priority": frozenset({"rate", "clock", "app", "port"}),
    "cache": frozenset({"size", "time"}),
    "multicast": frozenset({"rate", "avoid", "app"}),
    "geo": frozenset(),
    "region": frozenset(),
    "group": frozenset(),
}
"""the parts that the statements of each kind carry; those of a path it cannot carry are noted where it is written"""


def name_leftovers(clause: Clause, what: str, draft: Draft, written: str) -> None:
    """Ask about what the statements of kind *what* that were *written* do not carry, and name the words that were not understood."""
    text = draft.resolver.text
    for tag in (t for m in clause.mentions for t in m.tags if t.referents and not t.has("noun") and written and not draft.failed):
        if what == "priority" and any(m.role == "except" and tag in m.tags for m in clause.mentions):
            continue  # who comes after
        if not any(name in written for r in tag.referents for name in (r.label, *r.nodes)):
            draft.ask("unsaid", text[tag.start : tag.end])
    for part, start, end in _parts(clause):
        if part not in SAYS[what] and not (what == "multicast" and part == "balance"):
            draft.ask("unsaid", text[start:end])
    for measure in clause.measures:
        if any(m.kind == measure.kind and m.value != measure.value and m.start < measure.start for m in clause.measures):
            draft.ask("unsaid", text[measure.start : measure.end])
    if (apart := next((t for t in clause.flags if t.has("aside")), None)) is not None and not clause.says("route", "backup"):
        draft.ask("unsaid", text[apart.start :].split(".")[0][:60])
    if clause.unturned is not None and what != "limit":
        draft.ask("unsaid", text[clause.unturned.start :].split(",")[0][:60])
    odd = [*clause.strange, *(clause.numbers if what != "region" else ())]
    strange = [text[t.start : t.end] for t in odd]
    draft.resolver.unknown += [Unknown(text=text[t.start : t.end], start=t.start, end=t.end) for t in odd]
    if len(strange) > MOST_STRANGE:
        draft.ask("unclear", ", ".join(strange))
    elif strange:
        draft.note("left-out", ", ".join(strange), 0.6)


def _parts(clause: Clause) -> Iterator[tuple[str, int, int]]:
    """Yield the parts of a wish beside who it is about: which, and where it stands."""
    yield from ((m.kind, m.start, m.end) for m in clause.measures)
    yield from (("clock", c.start, c.end) for c in clause.clocks)
    yield from ((m.role, m.start, m.end) for m in clause.by_role("via", "avoid"))
    yield from (("box", tag.start, tag.end) for tag, _ in clause.middleboxes)
    yield from (("app", tag.start, tag.end) for tag in clause.apps)
    yield from (("balance", tag.start, tag.end) for op, tag in clause.ops if op == "balance")
    yield from (("backup", tag.start, tag.end) for tag in clause.flags if tag.has("route", "backup") and not tag.has("route", "both"))
