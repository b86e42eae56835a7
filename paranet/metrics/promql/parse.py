"""From text to our tree, by way of the promql-parser package. What it cannot parse is refused with its position."""

import functools
import re
from typing import Any

import promql_parser as p

from paranet.errors import BadQuery, Fault, InvalidInput
from paranet.metrics.labels import NAME
from paranet.metrics.matchers import Matcher, Operator, pattern
from paranet.metrics.promql.ast import (
    Aggregate,
    At,
    Binary,
    Call,
    Matching,
    Negate,
    Node,
    Number,
    Range,
    Selector,
    Subquery,
    Text,
)

MAX_LENGTH = 16_384
MAX_DEPTH = 100
_OPERATORS: dict[str, Operator] = {"MatchOp.Equal": "=", "MatchOp.NotEqual": "!=", "MatchOp.Re": "=~", "MatchOp.NotRe": "!~"}
_CARDS: dict[str, Any] = {
    "VectorMatchCardinality.OneToOne": "one-to-one",
    "VectorMatchCardinality.ManyToOne": "many-to-one",
    "VectorMatchCardinality.OneToMany": "one-to-many",
    "VectorMatchCardinality.ManyToMany": "many-to-many",
}
_TOKEN = re.compile(
    r"""#[^\n]*|\s+|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`|[0-9.][\w.]*(?:(?<=[eE])[+-]\d+)?|[a-zA-Z_:][\w:.]*|=~|!~|==|!=|<=|>=|.""",
    re.DOTALL,
)
_DIGIT_GROUPS = re.compile(r"(?<![\w.])(\d+(?:_\d+)+)(?=[\w.]*)")
_CLOSERS = {"(": ")", "{": "}", "[": "]"}
_ENDINGS = ("", "x", " x", "1", "(x)", "x)", "5m]", '="x"', '"x"', "=1", "[5m]", "([5m])", "x[5m]", '"x",x', "1,x", "(1,x)", "m]", "()")


def parse(text: str) -> Node:
    """Return the tree of an expression. Raise BadQuery with the position of the fault."""
    if len(text) > MAX_LENGTH:
        raise BadQuery(f"the expression is longer than {MAX_LENGTH} characters")
    return _parse(text)


@functools.lru_cache(maxsize=8192)
def _parse(text: str) -> Node:
    parsed, fault = _attempt(text)
    if parsed is None:
        at = _position(text)
        line, column = text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1
        place = f"line {line}, column {column}"
        raise BadQuery(f"{place}: {fault}", errors=[Fault(path=place, message=fault)], position=at)
    try:
        return _node(parsed, MAX_DEPTH)
    except InvalidInput as error:
        raise BadQuery(error.detail, errors=[Fault(path="line 1, column 1", message=error.detail)], position=0) from None


def _attempt(text: str) -> tuple[Any, str]:
    """Return the parser's tree, or None and what it said. Its panics are BaseExceptions of their own class."""
    try:
        return p.parse(_without_digit_groups(text)), ""
    except ValueError as error:
        return None, str(error)
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        return None, "the parser cannot take this"


def _without_digit_groups(text: str) -> str:
    """Write 1_000 as 1000: the parser does not know the separator. Strings are left alone."""
    if "_" not in text:
        return text
    return "".join(t.replace("_", "") if t[0].isdigit() else t for t in _TOKEN.findall(text))


def _position(text: str) -> int:
    """Return where the longest beginning ends that some ending would make whole: there the fault begins."""
    tokens = [m for m in _TOKEN.finditer(text) if not m[0].isspace() and not m[0].startswith("#")]
    for count in range(len(tokens), 0, -1):
        start = text[: tokens[count - 1].end()]
        closers = _unclosed([m[0] for m in tokens[:count]])
        if closers is None:
            continue
        if any(_attempt(start + ending + closers[skip:])[0] is not None for ending in _ENDINGS for skip in ((0, 1) if closers else (0,))):
            return tokens[count].start() if count < len(tokens) else len(text)
    return tokens[0].start() if tokens else 0


def _unclosed(tokens: list[str]) -> str | None:
    """Return what would close all brackets, innermost first; None where they do not match."""
    stack: list[str] = []
    for token in tokens:
        if token in _CLOSERS:
            stack.append(_CLOSERS[token])
        elif token in _CLOSERS.values() and (not stack or stack.pop() != token):
            return None
    return "".join(reversed(stack))


def _ms(duration: Any) -> int:
    """Return a timedelta in ms, none as 0."""
    return 0 if duration is None else round(duration.total_seconds() * 1000)


def _at(modifier: Any) -> At:
    if modifier is None:
        return None
    if modifier.type == p.AtModifierType.Start:
        return "start"
    if modifier.type == p.AtModifierType.End:
        return "end"
    try:
        return round(modifier.at.timestamp() * 1000)
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise InvalidInput("a time before 1970 after @ cannot be read") from None


def _matcher(found: Any) -> Matcher:
    matcher = Matcher(found.name, _OPERATORS[str(found.op)], found.value)
    if matcher.operator in ("=~", "!~"):
        pattern(f"(?s:{matcher.value})")
    return matcher


def _selector(found: Any) -> Selector:
    common = [_matcher(m) for m in found.matchers.matchers]
    if found.name:
        common.insert(0, Matcher(NAME, "=", found.name))
    alternatives = tuple((*common, *(_matcher(m) for m in group)) for group in found.matchers.or_matchers)
    return Selector(alternatives=alternatives or (tuple(common),), offset=_ms(found.offset), at=_at(found.at))


def _matching(found: Any) -> Matching:
    if found is None:
        return Matching()
    on = found.matching is not None and found.matching.type == p.LabelModifierType.Include
    fill = found.fill_values
    return Matching(
        on=on,
        labels=tuple(found.matching.labels) if found.matching is not None else (),
        card=_CARDS[str(found.card)],
        include=tuple(found.group_labels or ()),
        fill=(fill.lhs, fill.rhs) if fill is not None else (None, None),
    )


def _node(found: Any, depth: int) -> Node:
    if depth == 0:
        raise InvalidInput(f"the expression is nested deeper than {MAX_DEPTH} levels")
    convert = _CONVERSIONS.get(type(found))
    if convert is None:
        raise InvalidInput(f"{type(found).__name__} cannot be evaluated")
    converted: Node = convert(found, depth - 1)
    return converted


def _aggregate(found: Any, depth: int) -> Node:
    modifier = found.modifier
    keep = modifier is None or modifier.type == p.AggModifierType.By
    param = found.param
    if param is not None and not isinstance(param, p.Expr):
        param = None
    return Aggregate(
        op=str(found.op),
        inner=_node(found.expr, depth),
        param=_node(param, depth) if param is not None else None,
        keep=keep,
        labels=tuple(modifier.labels) if modifier is not None else (),
    )


def _binary(found: Any, depth: int) -> Node:
    modifier = found.modifier
    return Binary(
        op=str(found.op),
        left=_node(found.lhs, depth),
        right=_node(found.rhs, depth),
        matching=_matching(modifier),
        bool=modifier is not None and modifier.return_bool,
    )


def _subquery(found: Any, depth: int) -> Node:
    return Subquery(
        inner=_node(found.expr, depth),
        window=_ms(found.range),
        step=_ms(found.step) or None,
        offset=_ms(found.offset),
        at=_at(found.at),
    )


_CONVERSIONS: dict[type, Any] = {
    p.NumberLiteral: lambda found, _: Number(value=found.val),
    p.StringLiteral: lambda found, _: Text(value=found.val),
    p.ParenExpr: lambda found, depth: _node(found.expr, depth),
    p.UnaryExpr: lambda found, depth: Negate(inner=_node(found.expr, depth)),
    p.VectorSelector: lambda found, _: _selector(found),
    p.MatrixSelector: lambda found, _: Range(selector=_selector(found.vector_selector), window=_ms(found.range)),
    p.SubqueryExpr: _subquery,
    p.Call: lambda found, depth: Call(name=found.func.name, args=tuple(_node(a, depth) for a in found.args)),
    p.AggregateExpr: _aggregate,
    p.BinaryExpr: _binary,
}
