"""From the items of a clause to the clause: what each word says of the names around it."""

from collections.abc import Sequence

import attrs

from paranet.agent.clauses import AFTER, ARROWS, BOTH, BY, HEADING, LISTING, OR, ROLES, STOPS, WITHIN, Clause, Mention
from paranet.agent.lexicon import lexicon
from paranet.agent.measures import Item, Measure
from paranet.agent.naming import Names, kinds_only, somebody
from paranet.agent.parts import last_is_open, set_aside, settle
from paranet.agent.tags import Tag


def read(part: Sequence[Item]) -> Clause:
    """Return the clause that a row of items is."""
    return _Reader(part).read()


class _Reader(Names):
    def read(self) -> Clause:
        for at, item in enumerate(self._part):
            following = self._part[at + 1] if at + 1 < len(self._part) else None
            if isinstance(item, Tag):
                self._tag(item, following)
            else:
                self._end_name(item)
                (self._clause.measures if isinstance(item, Measure) else self._clause.clocks).append(item)  # type: ignore[arg-type]  # by its class
                self._set("bare")
        self._end_name(None)
        set_aside(self._clause)
        if self._negated is not None and self._clause.has_ends and last_is_open(self._clause):
            self._clause.mentions[-1].role, self._negated = "avoid", None  # `.. via c, and d must not`
        if self._negated is not None and not self._clause.ops:  # `guests must not ssh to the servers`
            self._clause.ops.append(("deny", self._negated))
        elif self._negated is not None:
            self._turn(self._negated)
        settle(self._clause, self._orders, self._each)
        return self._clause

    def _turn(self, negated: Tag) -> None:
        """Have a negation after the verb turn it where it is said of traffic (`may see no http`); else it stays open."""
        of_traffic = any(t.start >= negated.end for t in self._clause.apps)
        if of_traffic and all(op == "reach" for op, _ in self._clause.ops):
            self._clause.ops = [("deny", tag) for _, tag in self._clause.ops]
        else:
            self._clause.unturned = negated

    def _tag(self, tag: Tag, following: Item | None) -> None:
        if self._is_name(tag, following):
            if self._beside(tag):
                self._end_name(tag)
            self._name.append(tag)
            self._active = False
            return
        self._end_name(tag)
        if tag.kind == "number" and tag.value is not None:
            self._clause.numbers.append(tag)
            return
        if tag.kind == "ports":
            self._clause.ports += [(tag.value_of("ports") or "", port, tag.start) for port in tag.text.split(",")]
            self._set("bare")
            return
        if tag.has("each"):
            self._each.append(tag)
        self._word(tag, following)
        self._passive = tag.text in ("be", "been", "being", "is", "are", "can be", "should be", "must be", "to be", "not be")
        self._active = tag.text in ("have", "has", "had", "having")
        self._flag(tag, following)

    def _word(self, tag: Tag, following: Item | None) -> None:
        if tag.has("marker") and self._ends_name(tag, following):
            self._set("bare")
        elif tag.kind == "possessive" or (tag.has("marker", "of") and isinstance(following, Tag) and following.has("traffic")):
            self._owner(tag)
        elif tag.has("negation") and not tag.has("op"):
            doubled = self._clause.does("deny") and (self._role == "to" or tag.text in ("neither", "nor"))
            if not doubled and not (self._role == "avoid" and self._lead >= 0):  # `must not reach neither a nor b`
                self._negated = tag
        elif tag.has("marker") and not (tag.has("marker", "passive") and not somebody(following)):
            self._marker(tag)
        elif tag.has("middlebox") and (not tag.has("op") or self._role in ("via", "avoid") or self._clause.does("add", "remove")):
            self._middlebox(tag)
        elif tag.has("app"):
            self._clause.apps.append(tag)
            self._set("bare")
            if self._clause.by_role("bare") and somebody(following) and lexicon().apps[tag.value_of("app") or ""].kind == "protocol":
                self._subjects()  # `a ssh b`
                self._set("to")
        elif tag.has("op"):
            self._op(tag)
        elif tag.has("constraint", "max") and self._negated and tag.text not in ("more than", "exceed"):
            self._clause.ops.append(("remove", tag))
            self._negated = None

    def _flag(self, tag: Tag, following: Item | None) -> None:
        if any(tag.has(c) for c in ("constraint", "metric", "traffic", "route", "modality", "policy", "period", "recur", "power", "aside")):
            self._clause.flags.append(tag)
        if tag.has("constraint", "outside") and not somebody(following):
            return
        if tag.has("constraint", "except", "outside") and (tag.has("nobody") or not tag.has("op")):
            self._set("except", tag)
        if tag.has("held"):
            self._held = True
        if tag.has("traffic") and self._near is not None and self._near.has("marker", "of") and self._clause.mentions:
            self._clause.mentions[-1].owns = True
        if tag.text in HEADING and self._lead >= 0:
            self._headed = self._role
        elif tag.has("traffic") or tag.has("metric") or tag.text in HEADING:
            self._set("bare")

    def _marker(self, tag: Tag) -> None:
        last = self._clause.mentions[-1] if self._clause.mentions else None
        self._near = tag if last is not None and tag.start - last.end <= 1 else None

        if tag.has("marker", "off") and self._held:
            self._set("avoid", tag)
        elif tag.has("marker", "off") and self._clause.says("constraint", "max"):
            self._clause.ops.append(("remove", tag))  # `take the limit off a`
        elif tag.has("marker", "via", "avoid"):
            self._on_the_way(tag)
        elif tag.has("marker", "and", "then", "order") and not tag.has("marker", "to"):
            self._in_turn(tag)  # the list goes on
        elif tag.has("marker", "between_after"):
            for mention in self._clause.mentions[-2:] if self._near is tag else ():
                mention.role = "between" if mention.role in ("bare", "for", "at") else mention.role
        elif any(tag.has("marker", f"{role}_after") for role in AFTER):
            self._name_before(tag)
        elif tag.has("marker", "members") and not self._clause.does("multicast", "define_group"):
            self._part_of_path(tag)
        elif tag.has("marker", "access_to", "access_from", "passive"):
            self._access(tag)
        elif tag.has("marker", *ROLES):
            self._lead_in(next(r for r in ROLES if tag.has("marker", r)), tag)
        elif tag.has("marker", "of", "object"):
            self._set("bare")

    def _on_the_way(self, tag: Tag) -> None:
        negated, self._negated = self._negated is not None, None
        if "pass" in tag.text:
            self._clause.flags.append(tag)
        self._set("avoid" if negated or tag.has("marker", "avoid") else "via", tag)

    def _in_turn(self, tag: Tag) -> None:
        partner = tag.text in BOTH and self._clause.mentions and not self._clause.mentions[-1].joined
        if partner or (tag.text in OR and self._clause.mentions):
            self._clause.mentions[-1].joined = tag.text
        if tag.has("marker", "then", "order"):
            self._orders.append(tag)
        if tag.has("marker", "then"):
            self._clause.flags.append(tag)

    def _name_before(self, tag: Tag) -> None:
        """`c as a waypoint`, `c out of the path`; but `must have visited c`."""
        if self._active and tag.has("marker", "via_after"):
            self._set("via", tag)
            return
        negated, self._negated = self._negated is not None, None
        role = next(role for role in AFTER if tag.has("marker", f"{role}_after"))
        for mention in self._clause.mentions[-1:]:
            if role == "via" and mention.led and mention.role == "avoid":
                continue  # `keep a out of c on its way to b`
            mention.role, mention.led = "avoid" if negated and role == "via" else role, True

    def _part_of_path(self, tag: Tag) -> None:
        """`the route must include X`; without anybody yet it is the deed: `include a firewall`."""
        if self._clause.mentions:
            negated, self._negated = self._negated is not None, None
            self._set("avoid" if negated else "via", tag)
        elif tag.has("op"):
            self._op(tag)

    def _access(self, tag: Tag) -> None:
        """`access to X`, `X is reachable from Y`."""
        if tag.has("marker", "access_to"):
            self._subjects()
            self._set("to", _last_word(tag))
        else:
            for mention in self._clause.by_role("bare", "for", *(["at"] if self._clause.ports else [])):
                mention.role = "to"
            self._set("from", _last_word(tag))
        if tag.has("marker", "passive"):
            return
        negated, self._negated = self._negated is not None, None
        self._clause.ops.append(("deny" if negated else "reach", tag))

    def _lead_in(self, role: str, tag: Tag) -> None:
        if self._role == "except" and self._lead >= 0:
            return  # `except towards a`
        before = self._clause.mentions[-1] if self._clause.mentions else None
        begins = before is not None and (
            before.role == "bare" or (before.role == "at" and self._near is tag) or before.role == self._headed
        )
        if role == "to" and before and begins and not self._clause.by_role("from"):  # `a to b`, `在a到b`
            self._whole_list(before)
        if role == "at" and before and before.role == "via" and self._after_order(tag):  # `stops at a and then at b`
            role = "via"
        if role in ("to", "for") and any(t.has("denied") for _, t in self._clause.ops):
            role = "from"  # `off limits to guests`
        if tag.text in ARROWS:
            self._orders.append(tag)  # a → b → c: b is passed
        if (
            tag.text == "of"
            and self._clause.flags
            and self._clause.flags[-1].has("traffic")
            and tag.start - self._clause.flags[-1].end == 1
        ):
            role = "bare"
            self._owned = True
        if role == "agent" and self._negated is not None and self._clause.has_ends:
            role, self._negated = "avoid", None
        if role == "from" and tag.text in BY and self._clause.by_role("from") and self._clause.by_role("to"):  # `从a到b由c转发`
            role, self._negated = "avoid" if self._negated else "via", None
        self._set(role, tag)

    def _whole_list(self, last: Mention) -> None:
        """Have the traffic begin at a mention and at those that are listed before it: `a, b and c to d`."""
        last.role, last.led = "from", True
        for mention in reversed(self._clause.mentions[:-1]):
            if mention.role != "bare" or not mention.joined:
                break
            mention.role, mention.led = "from", True

    def _houses(self, tag: Tag) -> bool:
        """Read `users connected to a` as `users at a`."""
        if tag.text in WITHIN and tag.has("op") and self._clause.mentions and kinds_only(self._clause.mentions[-1].tags):
            self._near = tag
            self._set("at", tag)
            return True
        return False

    def _ends_name(self, tag: Tag, following: Item | None) -> bool:
        """Read what leads nobody in: `a is the source, b the waypoint`, `到a去，`, `are not to exchange packets`."""
        if tag.text == "to" and isinstance(following, Tag) and (following.has("op") or following.has("verb")) and not following.referents:
            return True
        if isinstance(following, Measure) and tag.has("marker", "to"):
            return True  # `limit a to 5 Mbps` is said of both ways
        last = self._clause.mentions[-1] if self._clause.mentions else None
        if last is None or not (following is None or (isinstance(following, Tag) and following.text in (*LISTING, *STOPS, "and"))):
            return False
        if tag.has("part") and last.role == "bare" and not any(last.end <= op.start < tag.start for _, op in self._clause.ops):
            last.role, last.led = next(r for r in ("from", "to", "via") if tag.has("marker", r)), True
            return True
        return tag.has("marker", "to") and last.role == "to" and last.end == tag.start

    def _after_order(self, tag: Tag) -> bool:
        return bool(self._orders) and self._orders[-1].end >= tag.start - 1

    def _middlebox(self, tag: Tag) -> None:
        if tag.has("middlebox", "any") and self._clause.middleboxes and not tag.text.startswith("all"):
            return
        self._clause.middleboxes.append((tag, self._role == "avoid"))
        if self._role not in ("via", "avoid"):
            self._set("bare")

    def _op(self, tag: Tag) -> None:
        if self._houses(tag):
            return
        op = tag.value_of("op") or ""
        negated, self._negated = self._negated, None
        self._passive = self._passive and tag.end - tag.start != len(tag.text)  # the base of `contacted` was found
        if op == "permit" and any(t.has("nobody") for _, t in self._clause.ops):
            op = "reach"  # `nobody may open ..`
        if tag.has("op", "forward") and self._clause.has_ends:
            self._set("avoid" if negated else "via", tag)
            self._clause.ops.append((op, tag))
            return
        if negated is not None:
            opposite = {"deny": "permit", "permit": "deny", "add": "remove", "prioritize": "deprioritize"}
            op = opposite.get(op, "deny" if op in ("reach", "connect", "forward", "publish") else op)
            tag = attrs.evolve(tag, start=min(negated.start, tag.start))
        op = self._act(op, tag)
        self._clause.ops.append((op, tag))

    def _act(self, op: str, tag: Tag) -> str:
        """Tell from a verb who stands before it and after it; return the deed."""
        if tag.has("denied"):
            for mention in self._clause.by_role("bare", "for", "from"):
                mention.role = "from" if mention.role == "for" else "to"
            self._set("bare")
        elif op in ("reach", "deny") and tag.has("op", "reach") and self._passive:
            for mention in self._clause.by_role("bare"):
                mention.role = "to"  # `a can never be contacted from b`
            self._set("bare")
        elif op == "reach" and self._clause.middleboxes and not self._clause.mentions:
            self._set("bare")  # `have the ids look at what a sends to b`
            op = "inspect"
        elif (
            tag.has("op", "reach")
            or tag.text.endswith("访 问")
            or (tag.has("op", "connect") and tag.text.replace(" ", "")[-1:] in "到至往")
        ):
            if self._passes(op) and not self._after_order(tag):  # who goes from a to b and visits c passes it
                self._set("via")
            else:
                self._subjects()
                self._set("to")
        elif tag.has("op", "prioritize") and tag.text.endswith((" over", " than", " before", "于")):
            self._subjects()
            self._set("except")  # who comes after is not who goes first
        else:
            self._set("bare")
        return op

    def _passes(self, op: str) -> bool:
        """Tell whether who is named next is on the way: both ends are known."""
        return op not in ("deny", "permit") and self._clause.has_ends

    def _subjects(self) -> None:
        """Who was named before is who acts."""
        others = self._clause.by_role("from", "bare", "except") or any(t.has("nobody") for _, t in self._clause.ops)
        wanted = ("bare",) if others else ("bare", "for")
        for mention in reversed(self._clause.by_role(*wanted)):
            if mention.joined in HEADING:
                break
            mention.role = "from"


def _last_word(tag: Tag) -> Tag:
    """Return the preposition that `access to` ends with."""
    return attrs.evolve(tag, start=tag.end - len(tag.text.split()[-1]))
