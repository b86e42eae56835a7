"""The statement `policy`, the general form: match and action pairs that mean one of the other statements."""

from collections.abc import Mapping

import attrs

from paranet.compiler.ast import Attribute, Block, Item, Statement, Token
from paranet.compiler.context import Context
from paranet.compiler.diagnostics import suggestion
from paranet.compiler.flows import ACL_ATTRIBUTES, QOS_ATTRIBUTES
from paranet.compiler.places import CACHE_ATTRIBUTES
from paranet.compiler.routes import ATTRIBUTES as ROUTE_ATTRIBUTES

POLICY_ATTRIBUTES = ("match", "action", "seq", "at", "when")
_SETS = {
    "acl": frozenset(("deny", "permit", "allow")),
    "qos": frozenset(("rate", "burst", "dscp", "priority")),
    "cache": frozenset(("capacity", "policy", "ttl")),
    "route": frozenset(ROUTE_ATTRIBUTES) - {"from", "to"},
}
ACTIONS = tuple(sorted(frozenset().union(*_SETS.values())))


def specific(statement: Statement, context: Context) -> Statement | None:
    """Return the statement that a policy means, with the places of what it is made from; None after a report."""
    log = context.log
    parts: dict[str, Attribute] = {}
    for item in statement.block.items:
        name, attribute = _part(item)
        if attribute is None or name not in POLICY_ATTRIBUTES:
            hint = suggestion(name, POLICY_ATTRIBUTES) or f"there are {', '.join(POLICY_ATTRIBUTES)}"
            log.error("PN203", item.span, f"a policy has no {name!r}", hint=hint)
        elif name in parts:
            log.error("PN205", attribute.name.span, f"the policy has {name!r} twice, first in line {parts[name].name.line}")
        else:
            parts[name] = attribute
    match, action = (_block(statement, parts, name, context) for name in ("match", "action"))
    return _lowered(statement, match, action, parts, context) if match and action else None


def _block(statement: Statement, parts: Mapping[str, Attribute], name: str, context: Context) -> Block | None:
    found = parts[name].value if name in parts else None
    if isinstance(found, Block):
        return found
    place = found.span if found else statement.keyword.span
    context.log.error("PN206", place, f"a policy needs {name!r} as an object", hint=f"write {name}: {{ ... }}")
    return None


def _part(item: Item) -> tuple[str, Attribute | None]:
    """Return name and attribute of an item; `match { }` is `match: { }`."""
    if isinstance(item, Attribute):
        return item.name.text, item
    if isinstance(item, Statement) and item.name is None and item.type is None:
        return item.keyword.text, Attribute(name=item.keyword, value=item.block)
    return item.keyword.text, None


def _lowered(statement: Statement, match: Block, action: Block, parts: Mapping[str, Attribute], context: Context) -> Statement | None:
    wanted = {a.name.text for a in action.attributes}
    unknown = wanted - set(ACTIONS)
    if unknown or not wanted:
        name = min(unknown, default="")
        hint = suggestion(name, ACTIONS) or f"there are {', '.join(ACTIONS)}"
        place = next((a.name.span for a in action.attributes if a.name.text == name), action.span)
        context.log.error("PN232", place, f"there is no action {name!r}" if name else "the policy has no action", hint=hint)
        return None
    kinds = [kind for kind, names in _SETS.items() if wanted <= names]
    if not kinds:
        shown = ", ".join(sorted(wanted))
        hint = "write a policy for each"
        context.log.error("PN232", action.span, f"no statement does all of {shown}", hint=hint)
        return None
    kind = kinds[0]
    rest = tuple(parts[n] for n in ("seq", "at", "when") if n in parts and n in _KNOWN[kind])
    for name in ("seq", "at", "when"):
        if name in parts and name not in _KNOWN[kind]:
            context.log.error("PN203", parts[name].name.span, f"a policy that means {kind} has no {name!r}")
    items = _ITEMS[kind](match, action, parts["match"])
    block = attrs.evolve(statement.block, items=(*items, *rest))
    return attrs.evolve(statement, keyword=statement.keyword._replace(text=kind), block=block)


def _as_acl(match: Block, action: Block, place: Attribute) -> tuple[Item, ...]:
    found: dict[str, Attribute] = {}
    for a in action.attributes:
        said = a.value.text if isinstance(a.value, Token) else ""
        denies = (a.name.text == "deny") == (said not in ("false", "no"))
        name = "deny" if denies else "permit"
        found[name] = Attribute(name=a.name._replace(text=name), value=match)
    return tuple(found.values())


def _as_qos(match: Block, action: Block, place: Attribute) -> tuple[Item, ...]:
    return (attrs.evolve(place, value=match), *action.items)


def _as_others(match: Block, action: Block, place: Attribute) -> tuple[Item, ...]:
    return (*match.items, *action.items)


_ITEMS = {"acl": _as_acl, "qos": _as_qos, "route": _as_others, "cache": _as_others}
_KNOWN = {"acl": ACL_ATTRIBUTES, "qos": QOS_ATTRIBUTES, "route": ROUTE_ATTRIBUTES, "cache": CACHE_ATTRIBUTES}
