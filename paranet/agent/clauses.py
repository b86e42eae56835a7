"""From tags to clauses: what is to be done, and who stands where in it."""

import itertools
from collections.abc import Sequence

import attrs

from paranet.agent.measures import Clock, Item, Measure
from paranet.agent.tags import Tag

AFTER = ("from", "to", "via", "avoid")
"""roles that a word after a name may give"""
STOPS = frozenset(".;!?。；！？\n")
LISTING = frozenset(",、，")
HEADING = frozenset(":：")
ROLES = ("from", "to", "between", "via", "avoid", "for", "at", "members", "except", "agent", "also")
WITHIN = (
    "in",
    "at",
    "of",
    "on",
    "inside",
    "within",
    "located in",
    "located at",
    "behind",
    "attached to",
    "connected to",
    "plugged into",
    "sitting behind",
    "hanging off",
)
BY = ("由", "从", "自")
"""words for `from` that also mean `by`"""
FIRST = ("first", "先", "首先")
"""of the words for an order, those that begin one"""
OR = ("or", "or else", "or otherwise", "或", "或者")
ARROWS = ("→", ">", "=>", "=", "⇒", "⟶", "➔", "➜")
DASHES = ("—", "–", "-", "~", "−")
BOTH = ("和", "与", "跟", "同")
BESIDE = "-"
"""how two names are joined that stand beside each other"""
WITH = ("与", "和", "跟", "同", "and", "with")
"""words that may join a partner"""
NEW_CLAUSE = ("deny", "permit", "remove", "prioritize", "deprioritize", "cache", "multicast", "region", "define_group")
WAYS = ("connect", "forward", "balance", "inspect", "publish", "add", "reach")
MOST_ITEMS = 150
"""words, names and amounts of a clause that are read; a longer one is not understood"""
AHEAD = 60
"""items after a joint that are looked at"""
PREDICATE = 8
"""items within which a clause of its own shows its subject and predicate"""
_JOINTS = (
    "but",
    "however",
    "while",
    "and",
    "also",
    "and also",
    "但",
    "但是",
    "并",
    "并且",
    "同时",
    "而且",
    "不过",
    "然后",
    "then",
    "and then",
    "whereas",
    "yet",
    "而",
    "却",
    "、",
)


@attrs.define(kw_only=True)
class Mention:
    """Somebody or something named. *role* is the word before it (one of ROLES), `bare` without any, `app` for traffic."""

    start: int
    end: int
    tags: tuple[Tag, ...]
    role: str
    lead: int
    """where the word that gives the role begins"""
    led: bool = False
    """a word gives the role, not the place in the sentence"""
    carried: bool = False
    """the word `traffic` follows"""
    joined: str = ""
    """the `and`, `or`, comma or colon that follows"""
    owns: bool = False
    """traffic of theirs is spoken of: `london's traffic`, `the traffic of london`"""
    each: bool = False
    """every one of them for itself"""


@attrs.define(kw_only=True)
class Clause:
    """One wish."""

    ops: list[tuple[str, Tag]] = attrs.field(factory=list)
    mentions: list[Mention] = attrs.field(factory=list)
    middleboxes: list[tuple[Tag, bool]] = attrs.field(factory=list)
    apps: list[Tag] = attrs.field(factory=list)
    measures: list[Measure] = attrs.field(factory=list)
    clocks: list[Clock] = attrs.field(factory=list)
    ports: list[tuple[str, str, int]] = attrs.field(factory=list)
    """protocol or nothing, port, and where it stands"""
    numbers: list[Tag] = attrs.field(factory=list)
    flags: list[Tag] = attrs.field(factory=list)
    """constraints, metrics, traffic and route words, periods: what is there, wherever it stands"""
    unturned: Tag | None = None
    """a negation that turned nothing"""
    strange: list[Tag] = attrs.field(factory=list)
    """words that nobody knows, where no name is missing"""

    def does(self, *ops: str) -> bool:
        return any(op in ops for op, _ in self.ops)

    def says(self, category: str, *values: str) -> bool:
        return any(t.has(category, *values) for t in self.flags)

    def by_role(self, *roles: str) -> list[Mention]:
        return [m for m in self.mentions if m.role in roles]

    @property
    def has_ends(self) -> bool:
        """Both ends of a path are named."""
        paired = self.does("connect") and len(self.by_role("bare", "between", "for")) >= 2
        return bool(paired or (self.by_role("from") and self.by_role("to")))

    def extend(self, other: "Clause") -> None:
        """Take in what another clause says."""
        for name in ("ops", "mentions", "middleboxes", "measures", "clocks", "flags", "strange"):
            getattr(self, name).extend(getattr(other, name))

    def measured(self, kind: str) -> Measure | None:
        return next((m for m in self.measures if m.kind == kind), None)


def split(items: Sequence[Item]) -> list[list[Item]]:
    """Cut a text into clauses: at full stops, and where a new deed begins after a comma, `and` or `but`."""
    found: list[list[Item]] = [[]]
    for at, item in enumerate(items):
        if isinstance(item, Tag) and item.kind == "mark" and item.text in STOPS:
            found.append([])
            continue
        joint = isinstance(item, Tag) and (item.text in LISTING or item.text in _JOINTS)
        rest = items[at + 1 : at + 1 + AHEAD]
        if joint and len(found[-1]) <= MOST_ITEMS and _parts(found[-1], rest):
            found.append([])
            continue
        found[-1].append(item)
    return [part for part in found if any(not isinstance(i, Tag) or i.kind != "mark" for i in part)]


def _parts(part: Sequence[Item], rest: Sequence[Item]) -> bool:
    """Tell whether a clause ends here, between *part* and *rest*."""
    if not _has_deed(part):
        may = any(isinstance(i, Tag) and i.has("power") for i in part)
        return _another_way(part, rest) or (may and _another(part, rest))
    if any(isinstance(i, Tag) and i.has("op", "cache") for i in part) and not any(isinstance(i, Measure) for i in part):
        rest = [i for i in rest if not (isinstance(i, Tag) and i.has("constraint", "max"))]  # `cache .., at most 5 GB`
    return _begins(rest) or _another_amount(part, rest) or _another(part, rest)


def _has_deed(part: Sequence[Item]) -> bool:
    return any(isinstance(i, Measure) and i.kind in ("rate", "size", "paths") for i in part) or any(
        isinstance(i, Tag) and (i.has("op") or i.has("constraint", "max") or i.has("middlebox")) for i in part
    )


def _another_amount(part: Sequence[Item], rest: Sequence[Item]) -> bool:
    """Tell whether *rest* gives an amount of its own to somebody or something else: `video to 5 Mbps and torrent to 1 Mbps`."""
    amounts = [i.kind for i in part if isinstance(i, Measure) and i.kind in ("rate", "size", "paths", "time")]
    first = next((n for n, i in enumerate(rest) if isinstance(i, Measure)), None)
    if not amounts or first is None or rest[first].kind not in amounts:  # type: ignore[union-attr]  # a Measure
        return False
    ways = {t.value_of("metric") for t in part if isinstance(t, Tag) and t.has("metric", "download", "upload")}
    turned = {t.value_of("metric") for t in rest[: first + 2] if isinstance(t, Tag) and t.has("metric", "download", "upload")} - ways
    return any(_is_somebody(i) or (isinstance(i, Tag) and i.has("app")) for i in rest[:first]) or bool(ways and turned)


def _another(part: Sequence[Item], rest: Sequence[Item]) -> bool:
    """Tell whether *rest* has its own subject and predicate, after a whole wish: `.., and c should be able to reach d`, `.., c may`."""
    if _names(part) < 2:
        return False
    if _another_way(part, rest):
        return True
    named = False
    for item in rest[:PREDICATE]:
        if not isinstance(item, Tag) or item.text in STOPS:
            return False
        if _is_somebody(item):
            named = True
        elif named and (item.has("duty") or item.has("negation") or item.has("power") or item.has("op", *WAYS)):
            return _passes_nobody(part, rest)
        elif not (item.has("filler") or item.has("marker", "and") or (item.has("traffic") and named) or item.kind == "possessive"):
            return False
    return False


def _another_way(part: Sequence[Item], rest: Sequence[Item]) -> bool:
    """Tell whether *rest* gives another goal a way of its own: `a to b through c, and to d through e`."""
    ahead = [i for i in rest[: 2 * PREDICATE] if not (isinstance(i, Tag) and i.has("filler"))]
    to = isinstance(ahead[0], Tag) and ahead[0].has("marker", "to") if ahead else False
    return to and _names(ahead) >= 2 and all(any(isinstance(i, Tag) and i.has("marker", "via") for i in side) for side in (part, ahead))


def _passes_nobody(part: Sequence[Item], rest: Sequence[Item]) -> bool:
    """Tell that *rest* does not only say who is passed or avoided: `.., c must be visited`, `.., c must not be touched`."""
    ahead = list(itertools.takewhile(lambda i: not (isinstance(i, Tag) and i.text in STOPS), rest))
    after = any(isinstance(i, Tag) and i.has("marker", "via_after", "avoid_after") for i in ahead)
    verb = any(isinstance(i, Tag) and (i.has("op") or i.has("marker", "via", "avoid")) for i in ahead)
    return not after and (_names(ahead) >= 2 or not verb)


def _begins(rest: Sequence[Item]) -> bool:
    """Tell whether *rest* begins with a deed of its own."""
    for at, item in enumerate(rest[:6]):
        if not isinstance(item, Tag):
            return False
        if item.has("op", *NEW_CLAUSE) or (item.has("constraint", "max") and not item.has("op")):
            return True
        if item.has("app") and at + 1 < len(rest) and _orders(rest[at + 1]):
            return True
        if item.has("op", *WAYS, "set"):
            return _names(rest[at:]) >= 2 or (item.has("op", "set") and _names(rest[at:]) == 0)
        if item.has("negation") and at + 1 < len(rest):
            following = rest[at + 1]
            return isinstance(following, Tag) and (following.has("op") and not following.has("op", "forward"))
        if not (item.has("filler") or item.text in _JOINTS or item.has("constraint", "rest")):
            ahead = [i for i in rest[:12] if isinstance(i, Tag)]
            return item.has("marker", "from", "between") and any(t.has("marker", "to", "and") for t in ahead) and _has_deed(ahead[:10])
    return False


def _orders(item: Item) -> bool:
    return isinstance(item, Tag) and item.has("op", "prioritize", "deprioritize")


def _names(rest: Sequence[Item]) -> int:
    count = 0
    for item in rest:
        if isinstance(item, Tag):
            if item.kind == "mark" and item.text in STOPS:
                break
            count += _is_somebody(item)
    return count


def _is_somebody(item: Item) -> bool:
    return isinstance(item, Tag) and (
        bool(item.referents) or item.has("place") or item.has("people") or item.has("noun", "any_node") or item.kind in ("address", "name")
    )
