"""What can be told of an expression by looking at it, and how numbers are written."""

import math
from decimal import Decimal

import orjson

from paranet.metrics.labels import NAME, Labels
from paranet.metrics.promql.ast import Node, Range, Selector
from paranet.metrics.promql.values import Floats


def equal_labels(node: Node) -> Labels:
    """Return the labels that an absent series of the selector would have: those asked for by one equality each."""
    if isinstance(node, Range):
        node = node.selector
    if not isinstance(node, Selector) or len(node.alternatives) != 1:
        return ()
    found: dict[str, str | None] = {}
    for matcher in node.alternatives[0]:
        if matcher.name == NAME:
            continue
        found[matcher.name] = matcher.value if matcher.operator == "=" and matcher.name not in found else None
    return tuple(sorted((name, value) for name, value in found.items() if value))


def number_text(value: float) -> str:
    """Return a number as Prometheus writes it: shortest form that reads back, no exponent, `+Inf`, `-Inf`, `NaN`."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    if "e" in text:
        text = format(Decimal(text), "f")
    return text.removesuffix(".0")


def number_texts(values: Floats) -> list[str]:
    """Return numbers as `number_text` does, many at once."""
    numbers = values.tolist()
    text = orjson.dumps(numbers).decode()
    if not numbers or "e" in text or "n" in text:  # an exponent, or null for what is not finite
        return [number_text(v) for v in numbers]
    return text[1:-1].replace(".0,", ",").removesuffix(".0").split(",")
