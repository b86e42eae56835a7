"""The entities of a clause as operators' sentences are marked: operation, origin, destination, target, middlebox, quantity, time."""

from collections.abc import Iterator

import attrs

from paranet.agent.clauses import Clause, Mention
from paranet.agent.lexicon import lexicon
from paranet.agent.tags import Tag

_KINDS = ("server", "middlebox", "appliance", "device")
_OPERATIONS = ("deny", "permit", "add", "set", "remove", "connect", "forward", "reach", "cache", "multicast")


@attrs.frozen(kw_only=True)
class Entity:
    """A part of the sentence: *type*, the words, and where they stand (characters)."""

    type: str
    text: str
    start: int
    end: int


def entities(clause: Clause, text: str) -> tuple[Entity, ...]:
    """Return the entities of *clause* in the order of the sentence."""
    found = [*_people(clause), *_deeds(clause), *_things(clause, text), *_amounts(clause)]
    spans = sorted({(start, end, kind) for kind, start, end in found})
    return tuple(Entity(type=kind, text=text[start:end], start=start, end=end) for start, end, kind in spans)


def _people(clause: Clause) -> Iterator[tuple[str, int, int]]:
    far = bool(clause.by_role("to", "between"))
    between = clause.by_role("between")
    for mention in clause.mentions:
        yield _role(mention, clause, far, between), mention.lead, mention.end


def _role(mention: Mention, clause: Clause, far: bool, between: list[Mention]) -> str:
    if mention.role == "app":
        return "service"
    if mention.role == "between":
        return "origin" if mention is between[0] else "destination"
    if mention.role == "via":
        return "middlebox"
    if mention.role == "from":
        outside = any(t.has("place", "internet", "gateway") for t in mention.tags)
        return "origin" if mention.led and (far or outside) else "target"
    if mention.role == "to":
        person = any(t.has("people") for t in mention.tags)
        equipped = clause.does("add") and any(tag.end + 1 == mention.lead for tag, _ in clause.middleboxes)
        return "target" if (person or equipped) and not clause.by_role("from") else "destination"
    down = mention.role == "for" and clause.says("metric", "download") and clause.by_role("from")
    return "destination" if down else "target"


def _deeds(clause: Clause) -> Iterator[tuple[str, int, int]]:
    for op, tag in clause.ops:
        if op == "reach" and clause.does("deny", "permit") and not tag.text.startswith("run"):
            continue
        if op in _OPERATIONS and (not tag.has("marker") or tag.has("marker", "members")):
            yield "operation", tag.start, tag.end
        elif op in ("inspect", "prioritize", "balance"):
            yield "middlebox", tag.start, tag.end


def _things(clause: Clause, text: str) -> Iterator[tuple[str, int, int]]:
    named = any(not tag.has("middlebox", "any") for tag, _ in clause.middleboxes)
    for tag, _ in clause.middleboxes:
        if not (named and tag.has("middlebox", "any")):
            yield "middlebox", tag.start, _without_kind(tag)
    for tag in clause.apps:
        yield lexicon().apps[tag.value_of("app") or ""].kind, tag.start, tag.end
    for tag in clause.flags:
        kind = _flag(tag)
        if kind and not _is_part(kind, tag, clause, text[: tag.start]):
            yield kind, tag.start, tag.end


def _without_kind(tag: Tag) -> int:
    """Return where a middlebox's own name ends: `dpi` in `dpi server`."""
    last = tag.text.split()[-1]
    return tag.end - len(last) - 1 if last in _KINDS and last != tag.text else tag.end


def _is_part(kind: str, tag: Tag, clause: Clause, before: str) -> bool:
    """Tell whether a word only goes with what is an entity already: the traffic of somebody, the second word for one limit."""
    if kind == "traffic":
        apps = (*(t.end for t in clause.apps), *(m.end for m in clause.mentions if m.role == "app"))
        whose = any(m.end + 1 == tag.start and not before[: m.start].endswith("all ") for m in clause.mentions)
        whence = any(m.lead == tag.end + 1 for m in clause.by_role("from", "to"))
        return tag.start - 1 in apps or ((whose or whence) and "all" not in tag.text)
    if tag.has("metric", "download", "upload"):
        return not clause.measures and not clause.says("constraint", "max")
    if tag.has("metric"):
        return any(t.has("metric", tag.value_of("metric") or "") and t.start == tag.end + 1 for t in clause.flags)
    return (
        tag.has("constraint", "max") and any(t.has("constraint", "max") and t.start < tag.start for t in clause.flags) and " " in tag.text
    )


def _flag(tag: Tag) -> str:
    if tag.has("marker", "via"):
        return "operation"
    if tag.text == "up to":
        return ""
    if tag.has("traffic"):
        return "traffic"
    if tag.has("constraint", "max"):
        return "qos_metric" if tag.text in ("no more than", "may use", "should not use more than") else "qos_constraint"
    if tag.has("metric", "download", "upload"):
        return "qos_metric" if " " in tag.text else "qos_constraint"
    return "qos_metric" if tag.has("metric") else ""


def _amounts(clause: Clause) -> Iterator[tuple[str, int, int]]:
    for measure in clause.measures:
        if measure.kind in ("rate", "size"):
            yield ("qos_value", *measure.number)
            unit_end = max(measure.unit[1], measure.end)
            yield "qos_unit", measure.unit[0], unit_end
    for clock in clause.clocks:
        yield clock.marked or "start", clock.start, clock.end
