"""What a query will need: which selectors, from when to when, and what for."""

from collections.abc import Iterator

import attrs

from paranet.metrics.promql.ast import Aggregate, At, Binary, Call, Matching, Negate, Node, Range, Selector, Subquery, children
from paranet.metrics.promql.evaluate import LOOKBACK, SUBQUERY_STEP
from paranet.metrics.promql.labelling import info_selector
from paranet.metrics.promql.ranges import COUNT_OF_ROLLUPS


@attrs.frozen(kw_only=True)
class Need:
    """Samples of a selector with *start* <= time <= *end* (ms), for *function*."""

    selector: Selector
    start: int
    end: int
    function: str = ""


def needs(node: Node, start: int, end: int, lookback: int = LOOKBACK) -> list[Need]:
    """Return what evaluating *node* from *start* to *end* will ask of its source."""
    return list(_needs(node, (start, end), (start, end), "", lookback))


def _shifted(at: At, offset: int, span: tuple[int, int], query: tuple[int, int]) -> tuple[int, int]:
    if at is None:
        return span[0] - offset, span[1] - offset
    fixed = {"start": query[0], "end": query[1]}[at] if isinstance(at, str) else at
    return fixed - offset, fixed - offset


def _needs(node: Node, span: tuple[int, int], query: tuple[int, int], function: str, lookback: int) -> Iterator[Need]:
    match node:
        case Selector():
            low, high = _shifted(node.at, node.offset, span, query)
            yield Need(selector=node, start=low - lookback, end=high, function="")
        case Range():
            low, high = _shifted(node.selector.at, node.selector.offset, span, query)
            yield Need(selector=node.selector, start=low - node.window, end=high, function=function)
        case Subquery():
            low, high = _shifted(node.at, node.offset, span, query)
            step = node.step or SUBQUERY_STEP
            yield from _needs(node.inner, (low - node.window - step, high), query, "", lookback)
        case _:
            name = node.name if isinstance(node, Call) else ""
            if isinstance(node, Call) and node.name == "info":
                yield from _needs(info_selector(node), span, query, "", lookback)
                yield from _needs(node.args[0], span, query, "", lookback)
                return
            for child in children(node):
                yield from _needs(child, span, query, name, lookback)


def on_rollups(node: Node) -> Node:
    """Return the expression as it has to be asked of rollups: a count is a sum of counts, an average a sum by a count."""
    match node:
        case Call():
            args = tuple(on_rollups(arg) for arg in node.args)
            counted = Call(name=COUNT_OF_ROLLUPS, args=args)
            if args and isinstance(args[0], Range) and node.name == "count_over_time":
                return counted
            if args and isinstance(args[0], Range) and node.name == "avg_over_time":
                return Binary(op="/", left=Call(name="sum_over_time", args=args), right=counted, matching=Matching())
            return attrs.evolve(node, args=args)
        case Aggregate():
            return attrs.evolve(node, inner=on_rollups(node.inner), param=on_rollups(node.param) if node.param else None)
        case Binary():
            return attrs.evolve(node, left=on_rollups(node.left), right=on_rollups(node.right))
        case Negate() | Subquery():
            return attrs.evolve(node, inner=on_rollups(node.inner))
        case _:
            return node
