"""The names in a clause as they are read: which tags make one, where it ends, and the part that the word before gives it."""

from collections.abc import Sequence

from paranet.agent.clauses import BESIDE, DASHES, HEADING, LISTING, WITHIN, Clause, Mention
from paranet.agent.measures import Item
from paranet.agent.tags import Tag


class Names:
    """What has been read of a clause so far, and the name that is being read."""

    def __init__(self, part: Sequence[Item]) -> None:
        self._part = part
        self._clause = Clause()
        self._role = "bare"
        self._lead = -1
        self._negated: Tag | None = None
        self._active = False
        """`have` came last: a participle after it is active"""
        self._passive = False
        """a form of `be` came last: the participle after it is passive"""
        self._near: Tag | None = None
        """the marker that followed the last mention at once"""
        self._name: list[Tag] = []
        self._orders: list[Tag] = []
        self._each: list[Tag] = []
        self._owned = False
        """`traffic of` came last"""
        self._headed = ""
        """the role that a heading gives (`waypoint: c`)"""
        self._held = False
        """`keep` was said: what follows `out of` is not to be touched"""

    def _set(self, role: str, tag: Tag | None = None) -> None:
        self._role, self._lead = role, tag.start if tag else -1

    def _is_name(self, tag: Tag, following: Item | None) -> bool:
        if tag.referents and self._lead >= 0 and self._role in ("from", "to", "between", "via", "avoid", "at", "members"):
            return not (self._role in ("via", "avoid") and tag.has("middlebox"))
        if tag.referents:
            return not tag.has("middlebox") and not tag.has("app")
        if tag.kind in ("address", "name"):
            return True
        if tag.has("people") or tag.has("place"):
            return not (tag.has("constraint", "outside") and somebody(following))
        if tag.has("noun"):
            return bool(self._name) or tag.has("noun", "any_node") or self._role != "bare" or not tag.has("noun", "location")
        if tag.blank:
            return True
        if tag.kind == "number" and tag.value is not None:
            return bool(self._name) and not tag.has("marker") and not (isinstance(following, Tag) and following.has("route", "paths"))
        return tag.has("filler") and bool(self._name) and tag.kind == "word" and isinstance(following, Tag) and following.has("place")

    def _end_name(self, following: Item | None) -> None:
        tags, self._name = self._named()
        if not tags:
            return
        role = self._role
        unknown = all(t.blank for t in tags)
        if role == "bare" and unknown and isinstance(following, Tag) and following.has("traffic"):
            role = "app"
        if role in ("via", "bare") and self._negated is not None and self._clause.has_ends and self._negated.end == tags[0].start - 1:
            role, self._negated = "avoid", None  # `via a, not b`
        led = (self._lead >= 0 or role == "avoid") and role not in ("bare", "app")
        lead = self._lead if led and self._lead >= 0 else tags[0].start
        carried = isinstance(following, Tag) and following.has("traffic")
        if self._same_thing(tags, role):
            return
        if role == "bare" and carried and self._clause.by_role("to") and not self._clause.by_role("from"):
            role = "from"  # `the traffic to a of b`, `去往a的b流量`
        joins = isinstance(following, Tag) and (following.has("marker", "and", "then") or following.text in (*LISTING, *HEADING))
        joined = following.text if joins and isinstance(following, Tag) else ""
        if isinstance(following, Tag) and ((following.referents and tags[-1].kind != "address") or following.text in DASHES):
            joined = BESIDE
        start, end, more = tags[0].start, tags[-1].end, {"led": led, "carried": carried, "owns": self._owned}
        self._clause.mentions.append(Mention(start=start, end=end, lead=lead, tags=tuple(tags), role=role, joined=joined, **more))
        self._lead, self._owned = -1, False
        if joined in HEADING or (not joined and not (isinstance(following, Tag) and following.has("marker"))):
            self._set(role if role in ("via", "avoid") and following is not None else "bare")

    def _beside(self, tag: Tag) -> bool:
        """Tell whether another node's name stands beside one: `oslo - rome: 2 paths`."""
        if self._name and self._name[-1].kind == "address" and tag.referents:
            return True
        nodes = [[r.label for r in t.referents if r.kind == "node"] for t in (*self._name[-1:], tag)]
        return (
            self._role in ("bare", "for")
            and len(nodes) == 2
            and all(nodes)
            and nodes[0] != nodes[1]
            and not tag.has("place")
            and not self._name[-1].has("place")
        )

    def _named(self) -> tuple[list[Tag], list[Tag]]:
        """Return the tags of the name that ends here, without unknown words around names of the network; and an empty row."""
        if any(t.referents or t.kind == "address" for t in self._name):
            self._clause.strange += [t for t in self._name if t.blank and not t.likely]
            return [t for t in self._name if not t.blank or t.likely], []
        return self._name, []

    def _same_thing(self, tags: list[Tag], role: str) -> bool:
        """Join `hosts in paris`, `巴黎的主机`: a kind of thing that the network does not know by itself, and where it is."""
        before = self._clause.mentions[-1] if self._clause.mentions else None
        if before is None or self._near is None or before.end > self._near.start:
            return False
        if (self._near.has("marker", "of") or self._near.kind == "possessive") and kinds_only(tags):
            self._set("bare")
            return True
        if self._near.text in WITHIN and kinds_only(before.tags) and not kinds_only(tags):
            before.tags, before.start, before.end = tuple(tags), tags[0].start, tags[-1].end
            self._set("bare")
            return True
        return False

    def _owner(self, tag: Tag) -> None:
        """Read `for london's traffic to paris`: it is london's, whatever it is for."""
        for mention in self._clause.mentions[-1:]:
            if mention.end == tag.start:
                self._near, mention.owns = tag, True
                listed = len(self._clause.mentions) > 1 and self._clause.mentions[-2].joined not in ("", *LISTING)
                begins = mention.role == "for" or (mention.role == "to" and not mention.led and not listed)
                mention.role = "bare" if begins else mention.role


def kinds_only(tags: Sequence[Tag]) -> bool:
    return all(not t.referents and (t.has("people") or t.has("place") or t.has("noun")) for t in tags)


def somebody(item: Item | None) -> bool:
    return isinstance(item, Tag) and (bool(item.referents) or item.has("people") or item.has("place") or item.blank)
