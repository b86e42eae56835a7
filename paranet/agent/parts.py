"""Who plays which part in a clause, once all of it is read: what no word before a name could tell."""

import itertools
from collections.abc import Sequence

import attrs

from paranet.agent.clauses import BESIDE, FIRST, HEADING, LISTING, WITH, Clause, Mention
from paranet.agent.lexicon import Concept
from paranet.agent.tags import Tag


def settle(clause: Clause, orders: Sequence[Tag], each: Sequence[Tag]) -> None:
    """Give every mention its part. *orders* are the words for an order (`then`, `first`), *each* those for every one by himself."""
    _each(clause, each)
    _also(clause)
    _agents(clause)
    _passing(clause, orders)
    _kept_out(clause)
    _kept_from(clause)
    _may_use(clause)
    _used_at(clause)
    _opened(clause)
    _restricted(clause)
    _producers(clause)
    _partner(clause)
    _in_turn(clause, orders)
    _services(clause)
    _closes(clause)
    _on_the_way(clause)
    if not clause.by_role("between"):
        _starts(clause)
        if not _pairs(clause):
            _ends(clause)
    _listed(clause, orders)


def set_aside(clause: Clause) -> None:
    """Set aside unknown words that stand where no name is missing: `kindly see that a speedily reaches b`."""
    strange = [m for m in clause.mentions if all(t.blank and not t.likely for t in m.tags)]
    sure = len(clause.mentions) - len(strange)
    if clause.does("region", "define_group") or sure + bool(clause.apps or clause.ports or clause.measures) < 2:
        return
    objects = [tag for op, tag in clause.ops if op in ("deny", "permit", "prioritize")]
    for mention in strange:
        wanted = any(0 <= mention.start - tag.end <= 1 for tag in objects) and not (clause.apps or clause.ports)
        led = mention.lead < mention.start and not (mention.role in ("at", "for") and clause.has_ends and not objects)
        if not (led or mention.carried or wanted or _listed_with(mention, clause)):
            clause.mentions.remove(mention)
            clause.strange += mention.tags


def _listed_with(mention: Mention, clause: Clause) -> bool:
    """Tell whether a name stands in a list with another: it is one too, even if nobody knows it."""
    at = clause.mentions.index(mention)
    before = clause.mentions[at - 1].joined if at else ""
    after = mention.joined if at + 1 < len(clause.mentions) else ""
    return any(joined and joined not in (*LISTING, *HEADING) for joined in (before, after))


def last_is_open(clause: Clause) -> bool:
    """Tell whether the last name has no part yet where others are passed or avoided."""
    return clause.mentions[-1].role in ("bare", "app") and bool(clause.by_role("via", "avoid"))


def _each(clause: Clause, each: Sequence[Tag]) -> None:
    """Tell whom `each` speaks of: who follows at once, else who was named before."""
    for tag in each:
        after = next((m for m in clause.mentions if 0 <= m.start - tag.end <= 1), None)
        earlier = [m for m in reversed(clause.mentions) if m.end <= tag.start]
        before = next((m for m in earlier if any(t.has("people") for t in m.tags)), next(iter(earlier), None))
        if (whom := after or before) is not None:
            whom.each = True


def _also(clause: Clause) -> None:
    """Give who does the same the part of whom the clause began with: `a can reach b, as can c`."""
    for mention in clause.by_role("also"):
        mention.role = next((m.role for m in clause.mentions if m.role != "also"), "bare")


def _agents(clause: Clause) -> None:
    """Tell who does something to traffic on its way (`be seen by c`) from who begins it (`is used by c`)."""
    on_the_way = bool(clause.by_role("between") or (clause.by_role("from") and clause.by_role("to")))
    for before, mention in itertools.pairwise(clause.mentions):
        if mention.role == "agent" and before.joined and before.role != "bare":
            mention.role = before.role  # `by a and by b`
    for mention in clause.by_role("agent"):
        reads = any(op == "publish" and 0 <= mention.lead - tag.end <= 1 for op, tag in clause.ops)  # `fetched by a`
        mention.role = "for" if reads else "via" if on_the_way else "from"


def _passing(clause: Clause, orders: Sequence[Tag]) -> None:
    """Tell what is touched on the way from what is reached: `nothing from a may touch b when heading to c`."""
    goals, verbs = clause.by_role("to"), [tag for _, tag in clause.ops if tag.has("op", "reach")]
    reached = [next((m for m in clause.mentions if m.start >= tag.end), None) for tag in verbs]
    touched, led = [m for m in goals if m in reached and not m.led], [m for m in goals if m.led]
    if not (touched and led and clause.by_role("from")) or orders or clause.apps or clause.ports:
        return
    for mention in touched:
        mention.role = "avoid" if clause.does("deny") else "via"
    clause.ops = [("connect" if op == "deny" else op, tag) for op, tag in clause.ops]


def _kept_out(clause: Clause) -> None:
    """Tell who is kept out (`keep guests out of the labs`) from what a path avoids."""
    if clause.by_role("to", "between", "from") or clause.ops or clause.middleboxes or not clause.by_role("bare"):
        return
    avoided = clause.by_role("avoid")
    for mention in avoided:
        mention.role = "to"
    for mention in clause.by_role("bare") if avoided else ():
        mention.role = "from"
    if avoided:
        clause.ops.append(("deny", avoided[0].tags[0]))


def _kept_from(clause: Clause) -> None:
    """Tell who is kept from what: `cut a off from b`, `block a from b`; but `block traffic from b`."""
    bare, starts = clause.by_role("bare"), clause.by_role("from")
    if clause.says("route", "both") or clause.by_role("to", "for", "at") or len(bare) != 1 or len(starts) != 1:
        return
    what, end = bare[0], starts[0]
    first = any(op == "deny" and 0 <= what.start - tag.end <= len(" the ") for op, tag in clause.ops)
    if first and end.led and what.start < end.start and not what.carried and not all(t.blank for t in what.tags):
        what.role, end.role = "from", "to"


def _may_use(clause: Clause) -> None:
    """Read `guests may use the network` as a right, where no amount is said."""
    bound = next((t for t in clause.flags if t.has("constraint", "max") and t.text == "may use"), None)
    if bound is not None and not clause.measures and not clause.ops:
        clause.flags.remove(bound)
        clause.ops.append(("reach", bound))
        for mention in clause.by_role("bare"):
            mention.role = "from" if mention.end <= bound.start else mention.role


def _used_at(clause: Clause) -> None:
    """Tell where a service is used: `nobody may use rdp on a`, `不得对a使用远程桌面`."""
    used = clause.apps and any(tag.has("op", "reach") for _, tag in clause.ops) and not clause.by_role("to", "between")
    places = clause.by_role("at", "for") if used and clause.by_role("from", "except") else []
    if len(places) == 1 and (places[0].role == "for" or places[0].start > clause.apps[0].end):
        places[0].role = "to"


def _opened(clause: Clause) -> None:
    """Tell what is open to whom when all is said before: `a不对b开放`."""
    whom, what = clause.by_role("for"), clause.by_role("bare")
    last = next((tag for op, tag in clause.ops if op in ("deny", "permit") and tag.has("opened")), None)
    if last is None or not whom or not what or clause.by_role("from", "to") or any(m.start > last.end for m in clause.mentions):
        return
    for mention in clause.mentions:
        mention.role = {"for": "from", "bare": "to"}.get(mention.role, mention.role)


def _restricted(clause: Clause) -> None:
    """Read `restrict access to a to b` as who alone may: a limit without any amount is one of people."""
    bound = next((t for t in clause.flags if t.has("constraint", "max")), None)
    goals, starts = clause.by_role("to"), clause.by_role("from")
    reaches = clause.apps or clause.does("reach")
    if bound is None or clause.measures or clause.numbers or not reaches or clause.does("deny", "permit", "remove"):
        return
    if len(goals) == 2 and not starts:
        goals[1].role = "from"
    elif not (len(goals) == 1 and starts):
        return
    clause.ops.append(("permit", bound))
    who = next(m for m in clause.mentions if m.role == "from")
    clause.flags.append(attrs.evolve(bound, start=who.lead, end=who.lead, concepts=(Concept("constraint", "only"),)))
    clause.flags.remove(bound)


def _producers(clause: Clause) -> None:
    """Tell who makes content: `a wants /news, which b produces`."""
    for tag in (tag for op, tag in clause.ops if op == "produce"):
        made = next((m for m in reversed(clause.mentions) if m.end <= tag.start and m.tags[0].kind != "name"), None)
        if made is not None and made.role == "bare":
            made.role = "from"


def _partner(clause: Clause) -> None:
    """Tell the partner from what is passed: `a通过c与b通信`."""
    via = clause.by_role("via")
    ends = clause.by_role("bare", "from", "to", "between", "for")
    if len(via) > 1 and len(ends) == 1 and via[-2].joined in WITH and any(0 <= tag.start - via[-1].end <= 1 for _, tag in clause.ops):
        ends[0].role, via[-1].role = "from", "to"


def _listed(clause: Clause, orders: Sequence[Tag]) -> None:
    """Take who stands in an order, without any other word, for those on the way: `first a, then b: that is how c gets to d`."""
    if not orders or not (clause.by_role("between") or (clause.by_role("from") and clause.by_role("to"))):
        return
    if clause.does("deny", "permit", "multicast", "cache", "prioritize", "define_group"):
        return
    for mention in clause.by_role("bare"):
        if any(t.referents for t in mention.tags):
            mention.role = "via"


def _in_turn(clause: Clause, orders: Sequence[Tag]) -> None:
    """Read `to a, then to b`: the last is where it goes; after `to c, first to a` all that follows is on the way."""
    goal: Mention | None = None
    towards = False
    for mention in clause.by_role("to"):
        order = next((t for t in orders if goal is not None and goal.end <= t.start < mention.start), None)
        if goal is not None and [t.text for t in goal.tags] == [t.text for t in mention.tags]:
            continue
        if goal is not None and (towards or (order is not None and order.text in FIRST)):
            towards, mention.role = True, "via"
            continue
        if goal is not None and order is not None:
            goal.role = "via"
        goal = mention


def _services(clause: Clause) -> None:
    """Tell what is forbidden from whom it is forbidden to: `block f2movies for guests`."""
    if not clause.does("deny", "permit") or clause.apps:
        return
    bare, others = clause.by_role("bare"), [m for m in clause.mentions if m.role not in ("bare", "app")]
    for mention in bare:
        person = any(t.has("people") or t.has("place") or t.has("noun") for t in mention.tags)
        unknown = all(t.blank for t in mention.tags)
        both = clause.by_role("from") and clause.by_role("to")
        if not person and ((mention.carried and others) or both or (unknown and (others or len(bare) > 1 or len(clause.mentions) == 1))):
            mention.role = "app"


def _closes(clause: Clause) -> None:
    """Tell `close port 23 on a` from `close the route to a`."""
    blocks = (clause.apps or clause.ports) and not clause.middleboxes and not clause.does("deny", "permit")
    if blocks and clause.does("close") and clause.ports and not clause.by_role("from", "to"):
        for mention in clause.by_role("bare", "at", "for"):
            mention.role = "to"
    whom, what = clause.by_role("for"), clause.by_role("bare")
    if clause.ports and clause.does("permit", "deny") and len(whom) == len(what) == 1 and not clause.by_role("from", "to"):
        whom[0].role, what[0].role = "from", "to"  # `open b's port 80 for a`
    clause.ops = [(("deny" if blocks else "remove") if op == "close" else op, tag) for op, tag in clause.ops]


def _on_the_way(clause: Clause) -> None:
    """Tell what is passed: `inspected at c`, `any way except through c`, `do not route a to b over c`."""
    far = clause.by_role("between") or (clause.by_role("from") and clause.by_role("to"))
    if clause.does("inspect") and far and not clause.middleboxes:
        for mention in clause.by_role("at"):
            mention.role = "via"
    if not clause.does("deny", "permit", "prioritize") and far:
        for mention in clause.by_role("except"):
            mention.role = "avoid"
    if clause.does("deny") and far and clause.by_role("via") and not (clause.apps or clause.ports or clause.does("permit")):
        clause.ops = [("connect" if op == "deny" else op, tag) for op, tag in clause.ops]
        for mention in clause.by_role("via"):
            mention.role = "avoid"


def _starts(clause: Clause) -> None:
    """Tell those that only seem to begin: a prefix sends nothing, and `a can from b be reached` ends at a."""
    starts = clause.by_role("from")
    if clause.by_role("to"):
        return
    for mention in starts[1:]:
        if mention.tags[0].kind == "address" and "/" in mention.tags[0].text and not clause.does("deny"):
            mention.role = "to"
    if clause.does("connect", "reach", "balance") and not clause.by_role("to"):
        led = any(m.led for m in starts)
        mutual = clause.says("route", "both") and len(starts) > 1 and not clause.by_role("bare")
        for before, mention in zip((None, *starts), starts, strict=False):
            listed = before is not None and before.joined not in ("", *LISTING)
            if mutual:
                mention.role = "between"
            elif led and not mention.led and not listed and clause.does("reach"):
                mention.role = "to"


def _pairs(clause: Clause) -> bool:
    """Tell two that are named without a word for either end: `connect a and b`, `route a's traffic for b`."""
    if clause.by_role("from", "to", "between"):
        return False
    bare, beside = clause.by_role("bare"), clause.by_role("for")
    apart = clause.does("deny") and clause.says("route", "both") and len(bare) == 2
    joined = clause.does("connect", "balance") or (clause.says("route", "both") and bool(clause.by_role("via")))
    if clause.does("connect", "forward", "balance") and len(bare) == 1 and len(beside) == 1:
        first, second = sorted((*bare, *beside), key=lambda m: m.start)
        first.role, second.role = "from", "to"
        return True
    beside_each = len(bare) == 2 and bare[0].joined == BESIDE
    exchange = clause.does("deny") and len(bare) == 2 and bool(bare[0].joined) and any(t.has("op", "connect") for _, t in clause.ops)
    both = (
        bare
        if apart or exchange or beside_each or ((joined or clause.does("reach")) and len(bare) >= 2)
        else beside
        if joined and not bare and len(beside) == 2
        else []
    )
    for mention in both:
        mention.role = "between"
    return bool(both)


def _ends(clause: Clause) -> None:
    bare, goals = clause.by_role("bare"), clause.by_role("to")
    if not (goals or clause.by_role("from", "for")) and len(bare) == 1 and bare[0].owns and (clause.middleboxes or clause.by_role("via")):
        bare[0].role = "from"
    via = clause.middleboxes or clause.by_role("via")
    if via and len(bare) == 2 and not bare[0].joined and not (goals or clause.by_role("from", "at", "for")):
        bare[0].role, bare[1].role = "from", "to"  # `guests who want the internet go through the ids`
    bare = clause.by_role("bare")
    if goals and bare and not clause.by_role("from") and clause.does("connect", "reach", "forward", "balance"):
        bare[0].role = "from"
    if clause.by_role("from") and not goals and bare and clause.does("connect", "reach"):
        bare[-1].role = "to"
