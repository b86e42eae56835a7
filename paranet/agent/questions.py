"""Questions about the network, told from wishes: what is asked, about whom."""

import re
from collections.abc import Sequence

import attrs

from paranet.agent.known import Known
from paranet.agent.measures import Clock, Measure, measure
from paranet.agent.tags import Tag

_POLITE = re.compile(
    r"^\s*(((can|could|would|will) (you|we)|(is|would) it (be )?possible to)\b"
    r"|(请问)?(能不能|能否|可否|可不可以|可以)(请|帮我)*(让|把|将|给))",
    re.IGNORECASE,
)
"""wishes that are put as questions"""


@attrs.frozen(kw_only=True)
class Question:
    """*kind* is slow, links, nodes, changes, path, status, intents, alerts or help; *nodes* whom it is about.

    *threshold* is a share, 0..1; *metric* one of the lexicon; *since* minutes of the day; *below* turns the comparison round.
    """

    kind: str
    nodes: tuple[str, ...] = ()
    metric: str = "utilization"
    threshold: float | None = None
    since: int | None = None
    below: bool = False
    count: bool = False
    confidence: float = 0.95


def question(text: str, tags: Sequence[Tag], known: Known) -> Question | None:
    """Return what *text* asks, None when it is a wish."""
    if not tags or _POLITE.match(text):
        return None
    items = measure(tags)
    first = next((t for t in tags if not t.has("filler", "x") or t.has("ask")), tags[0])
    marked = text.rstrip().endswith(("?", "？")) or text.rstrip("。 ").endswith(("吗", "呢"))
    asks = first.has("ask") or any(t.has("ask", "why", "changed", "path") for t in tags) or marked
    if not asks or (
        any(t.has("op", "deny", "permit", "add", "remove", "cache", "multicast", "prioritize") for t in tags[:3]) and not marked
    ):
        return None
    duty = any(t.has("duty") for t in tags) and first.text == "what"  # `what goes from a to b must avoid c`
    if not marked and (duty or not first.has("ask")) and any(t.has("op") or t.has("constraint", "max") for t in tags):
        return None
    nodes = tuple(dict.fromkeys(n for t in tags for r in t.referents for n in r.nodes))
    percent = next((i for i in items if isinstance(i, Measure) and i.kind in ("percent", "time", "rate")), None)
    metric = next((t.value_of("metric") for t in tags if t.has("metric")), None)
    return Question(
        kind=_kind(tags),
        nodes=nodes,
        metric=metric or ("latency" if percent and percent.kind == "time" else "utilization"),
        threshold=percent.value if percent else None,
        since=next((i.minutes for i in items if isinstance(i, Clock)), None),
        below=any(t.has("constraint", "below") for t in tags),
        count=any(t.has("ask", "count") for t in tags),
    )


def _kind(tags: Sequence[Tag]) -> str:
    def says(*values: str) -> bool:
        return any(t.has("ask", *values) for t in tags)

    if says("path") or (says("how") and any(t.has("marker", "from", "to") for t in tags) and not any(t.has("metric") for t in tags)):
        return "path"
    if says("alerts"):
        return "alerts"
    if says("changed"):
        return "changes"
    if says("why") or says("slow"):
        return "slow"
    if says("intents"):
        return "intents"
    if any(t.has("ask", "links") or t.has("route", "paths") for t in tags):
        return "links"
    if any(t.has("metric") for t in tags):
        return "nodes" if any(t.has("metric", "cpu", "memory") for t in tags) else "links"
    if says("nodes") or any(t.has("noun", "location") for t in tags):
        return "nodes"
    return "help" if says("help") else "status"
