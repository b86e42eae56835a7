"""Questions about the network, told from wishes: what is asked, about whom, since when."""

import itertools
import re
from collections.abc import Sequence

import attrs

from paranet.agent.known import Known
from paranet.agent.measures import Clock, Item, Measure, measure
from paranet.agent.tags import Tag

_POLITE = re.compile(
    r"^\s*(((can|could|would|will|may|do) (you|we|i)|(is|would|could) it (be )?(possible|ok|okay|fine))\b"
    r"|(请问)?(能不能|能否|可否|可不可以|可以)(请|帮我)*(让|把|将|给))",
    re.IGNORECASE,
)
"""wishes that are put as questions"""
_WISHES = ("deny", "permit", "add", "remove", "cache", "multicast", "prioritize")
RATES = ("bandwidth", "download", "upload", "quota")
"""metrics that are asked about as the share of a link that is used"""
_OPENING = ("which", "how", "why", "can", "count", "help", "alerts", "status", "changed", "path", "intents", "slow", "down")
"""meanings of the words that a question without its mark may begin with"""


@attrs.frozen(kw_only=True)
class Question:
    """*kind* is slow, links, nodes, changes, path, status, intents, alerts or help; *nodes* whom it is about.

    *threshold* is a share, 0..1, or seconds for latency; *metric* one of the lexicon; *since* minutes of the day, *ago* seconds back
    from now; *below* turns the comparison round; *down* asks for what is out of order only.
    """

    kind: str
    nodes: tuple[str, ...] = ()
    metric: str = "utilization"
    threshold: float | None = None
    since: int | None = None
    ago: float | None = None
    below: bool = False
    count: bool = False
    down: bool = False
    confidence: float = 0.95


def question(text: str, tags: Sequence[Tag], known: Known) -> Question | None:
    """Return what *text* asks, None when it is a wish."""
    if not tags or _POLITE.match(text) or _begs(tags) or not _asks(text, tags):
        return None
    items = measure(tags)
    ago = _ago(items)
    amount = next(
        (i for i in items if isinstance(i, Measure) and i.kind in ("percent", "time", "rate") and not (ago and i.kind == "time")), None
    )
    metric = next((t.value_of("metric") for t in tags if t.has("metric")), None)
    kind = _kind(tags, ago is not None or any(isinstance(i, Clock) for i in items))
    named = tuple(dict.fromkeys(n for t in tags for r in t.referents for n in r.nodes))
    return Question(
        kind=kind,
        nodes=named,
        metric=metric if metric and metric not in RATES else ("latency" if amount and amount.kind == "time" else "utilization"),
        threshold=amount.value if amount else None,
        since=next((i.minutes for i in items if isinstance(i, Clock)), 0 if any(t.has("ago", "today") for t in tags) else None),
        ago=ago,
        below=any(t.has("constraint", "below") for t in tags),
        count=any(t.has("ask", "count") for t in tags),
        down=kind in ("links", "nodes") and any(t.has("ask", "down") for t in tags),
    )


def _begs(tags: Sequence[Tag]) -> bool:
    """Tell a wish that is put as a question in the passive: `could traffic from a to b be sent through c?`"""
    deeds = ("connect", "balance", "deny", "permit", "inspect", "prioritize", "cache")
    done = (b for a, b in itertools.pairwise(tags) if a.text in ("be", "be made to"))
    return tags[0].text in ("can", "could") and any(t.has("op", *deeds) or t.has("constraint", "max") or t.text == "made" for t in done)


def _asks(text: str, tags: Sequence[Tag]) -> bool:
    """Tell whether a text asks: by its mark, by the word that it begins with, or by a word that only questions have."""
    spoken = [t for t in tags if not t.has("filler") or t.has("ask")] or list(tags)
    first = spoken[0]
    marked = text.rstrip().endswith(("?", "？")) or text.rstrip("。 .").endswith(("吗", "呢", "么"))
    turned = tags[0].has("ask", "whether") and len(tags) > 1 and (bool(tags[1].referents) or tags[1].has("filler"))
    asking = any(t.has("ask", "why", "changed", "path", "can") or (t.has("ask", "which", "how") and t.text > "~") for t in tags)
    if not (marked or turned or asking or first.has("ask", *_OPENING)):
        return False
    if marked:
        return True
    if any(t.has("op", *_WISHES) for t in tags[:3]):
        return False
    duty = any(t.has("duty") for t in tags) and first.text == "what"  # `what goes from a to b must avoid c`
    wishes = any(t.has("op") or t.has("constraint", "max") for t in tags)
    return turned or (asking and first.has("ask")) or not ((duty or not first.has("ask", "which", "can")) and wishes)


def _ago(items: Sequence[Item]) -> float | None:
    """Return the seconds that a question looks back: `in the last 30 minutes`, `two hours ago`, `过去半小时`, `since yesterday`."""
    for at, item in enumerate(items):
        if isinstance(item, Tag) and (value := item.value_of("ago")) is not None and value != "today":
            if value not in ("before", "after"):
                return float(value)
            near = items[at + 1 : at + 3] if value == "before" else items[max(at - 1, 0) : at]
            span = next((i.value for i in near if isinstance(i, Measure) and i.kind == "time"), None)
            if span is not None:
                return span
    return None


def _kind(tags: Sequence[Tag], looking_back: bool) -> str:
    def says(*values: str) -> bool:
        return any(t.has("ask", *values) for t in tags)

    named = len({n for t in tags for r in t.referents for n in r.nodes})
    measured = any(t.has("metric") for t in tags)
    moves = any(t.has("op", "reach", "connect", "forward") or t.has("route", "paths") or t.has("marker", "via") for t in tags)
    places = any(t.has("noun", "location") for t in tags)
    computers = any(t.has("metric", "cpu", "memory") for t in tags)
    ends = any(t.has("marker", "from", "to") for t in tags)
    rules = (
        ("alerts", says("alerts")),
        ("changes", says("changed")),
        ("changes", looking_back and not measured and not says("links", "nodes", "path") and not named),
        ("links", bool(named) and says("how") and any(t.has("traffic") for t in tags) and not says("path") and not (moves or ends)),
        ("path", says("path") or (says("how") and ends and not measured)),
        (
            "path",
            named >= 2
            and (moves or says("can") or (ends and any(t.has("power") for t in tags)))
            and not says("why", "links", "slow")
            and not measured,
        ),
        ("intents", says("intents")),
        ("links", says("down") and not named and not says("why") and says("links")),
        ("nodes", says("down") and not named and not says("why") and (says("nodes") or places)),
        ("slow", says("why") or (says("slow", "down") and not says("links"))),
        ("links", says("links") or any(t.has("route", "paths") for t in tags)),
        ("nodes", measured and (computers or says("nodes"))),
        ("links", measured),
        ("nodes", (says("nodes") or places) and not says("count")),
        ("help", says("help") and not says("nodes") and not places),
    )
    return next((kind for kind, holds in rules if holds), "status")
