"""Reading attributes as what they need to be. Every reader reports what does not fit and then returns None."""

import math
from collections.abc import Callable, Collection, Mapping

from paranet.compiler.ast import Attribute, Block, Call, Sequence, Statement, Token, Value
from paranet.compiler.diagnostics import Log, suggestion
from paranet.models.device import Span


def attributes(
    block: Block, what: str, log: Log, *, known: Collection[str] | None, nested: Collection[str] = ()
) -> Mapping[str, Attribute]:
    """Return the attributes of *block* by name, the first of each; report items that do not belong there.

    *known* None allows every name; statements with a keyword in *nested* are left to the caller.
    """
    found: dict[str, Attribute] = {}
    for item in block.items:
        if isinstance(item, Attribute):
            _add(item, found, what, log, known)
        elif not isinstance(item, Statement):
            log.error("PN101", item.span, f"expected ':' after {item.keyword.text!r}")
            _add(Attribute(name=item.keyword, value=item.argument), found, what, log, known)
        elif item.keyword.text not in nested:
            hint = f"write '{item.keyword.text}: {{ ... }}'" if known and item.keyword.text in known else None
            log.error("PN215", item.keyword.span, f"no {item.keyword.text!r} statement is allowed inside {what}", hint=hint)
    return found


def _add(item: Attribute, found: dict[str, Attribute], what: str, log: Log, known: Collection[str] | None) -> None:
    name = item.name.text
    if name in found:
        log.error("PN205", item.name.span, f"{what} has {name!r} twice, first in line {found[name].name.line}")
    elif known is not None and name not in known:
        hint = None if log.full else suggestion(name, known) or (f"there are {', '.join(known)}" if known else "it has none")
        log.error("PN203", item.name.span, f"{what} has no attribute {name!r}", hint=hint)
    else:
        found[name] = item


def kind(value: Value) -> str:
    """Return what *value* is, in the words of a message."""
    match value:
        case Token():
            return repr(value.text)
        case Sequence():
            return "a list"
        case Call():
            return f"{value.function.text}(...)"
        case Block():
            return "an object"


def text(attribute: Attribute, log: Log) -> str | None:
    value = attribute.value
    if isinstance(value, Token):
        return value.text
    log.error("PN207", value.span, f"{attribute.name.text!r} must be a word or a string, not {kind(value)}")
    return None


def quantity(attribute: Attribute, parse: Callable[[str], float], log: Log, *, above_zero: bool = False) -> float | None:
    """Return the SI value that *parse* makes of the attribute; with *above_zero* it must be positive."""
    word = text(attribute, log)
    if word is None:
        return None
    try:
        number = parse(word)
    except ValueError as error:
        log.error("PN207", attribute.value.span, f"{attribute.name.text!r}: {error}")
        return None
    if above_zero and number <= 0:
        log.error("PN208", attribute.value.span, f"{attribute.name.text!r} must be above zero, not {word}")
        return None
    return number


def number(word: str) -> float:
    """Return *word* as a finite number. Raise ValueError with a readable message."""
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or "_" in word:
        raise ValueError(f"{word!r} is not a number")
    return value


def whole(word: str) -> int:
    """Return *word* as an integer. Raise ValueError with a readable message."""
    if not number(word).is_integer():
        raise ValueError(f"{word!r} is not a whole number")
    return int(number(word))


def truth(attribute: Attribute, log: Log) -> bool | None:
    word = attribute.value.text if isinstance(attribute.value, Token) else None
    if word in ("true", "false"):
        return word == "true"
    log.error("PN207", attribute.value.span, f"{attribute.name.text!r} must be true or false, not {kind(attribute.value)}")
    return None


def members(value: Value) -> tuple[Value, ...]:
    """Return the items of a list, or the one value that stands for a list of one."""
    return value.items if isinstance(value, Sequence) else (value,)


def fields(attribute: Attribute, log: Log, *, known: Collection[str] | None) -> Mapping[str, Attribute] | None:
    """Return the attributes of an object."""
    if isinstance(attribute.value, Block):
        return attributes(attribute.value, f"the object {attribute.name.text!r}", log, known=known)
    log.error("PN207", attribute.value.span, f"{attribute.name.text!r} must be an object, not {kind(attribute.value)}")
    return None


def plain(value: Value, log: Log) -> object:
    """Return *value* as JSON: a bare word that is a number, true, false or null becomes that; a call becomes {name: arguments}."""
    match value:
        case Token("STRING"):
            return value.text
        case Token():
            return _literal(value.text)
        case Sequence():
            return [plain(item, log) for item in value.items]
        case Call():
            return {value.function.text: [plain(item, log) for item in value.arguments]}
        case Block():
            return {name: plain(a.value, log) for name, a in attributes(value, "the object", log, known=None).items()}


def _literal(word: str) -> object:
    constants: Mapping[str, object] = {"true": True, "false": False, "null": None}
    if word in constants:
        return constants[word]
    try:
        value = number(word)
    except ValueError:
        return word
    if not word.lstrip("+-").isdigit():
        return value
    return int(word) if abs(value) < 2**53 else word  # larger ones do not survive every reader of JSON


def required(found: Mapping[str, Attribute], name: str, place: Span, what: str, log: Log) -> Attribute | None:
    if name not in found:
        log.error("PN206", place, f"{what} has no {name!r}")
    return found.get(name)


def choice(attribute: Attribute, known: Collection[str], log: Log) -> str:
    """Return the word of *known* that the attribute holds, the first of them after a report."""
    word = text(attribute, log)
    if word is not None and word not in known:
        hint = suggestion(word, known)
        log.error("PN207", attribute.value.span, f"{attribute.name.text!r} must be one of {', '.join(known)}, not {word!r}", hint=hint)
    return word if word is not None and word in known else next(iter(known))
