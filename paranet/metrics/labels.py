"""A series' identity: its labels as sorted pairs, the metric's name among them as `__name__`."""

import re
from collections.abc import Iterable, Mapping

NAME = "__name__"
Labels = tuple[tuple[str, str], ...]
"""sorted by name, no empty values"""

LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


def labels_of(metric: str, labels: Mapping[str, str]) -> Labels:
    """Return the identity of *metric* with *labels*; an empty value is no label."""
    pairs = [(name, value) for name, value in labels.items() if value]
    if metric:
        pairs.append((NAME, metric))
    pairs.sort()
    return tuple(pairs)


def quoted(value: str) -> str:
    """Return a label's value as PromQL writes it."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


_ESCAPED = re.compile(r"\\(.)")


def unquoted(text: str) -> str:
    """Return the value that `quoted` wrote."""
    return _ESCAPED.sub(lambda found: "\n" if found[1] == "n" else found[1], text[1:-1])


def series_name(metric: str, pairs: Iterable[tuple[str, str]]) -> str:
    """Return `metric{a="b"}`, or the bare name where no label is left."""
    inner = ",".join(f"{name}={quoted(value)}" for name, value in pairs)
    return f"{metric}{{{inner}}}" if inner else metric


def shown(labels: Labels) -> str:
    """Return all labels as Prometheus shows them in messages: `{__name__="up", node="r1"}`."""
    return "{" + ", ".join(f"{name}={quoted(value)}" for name, value in labels) + "}"


def without(labels: Labels, names: Iterable[str]) -> Labels:
    """Return the labels but those named."""
    gone = frozenset(names)
    return tuple(pair for pair in labels if pair[0] not in gone)


def only(labels: Labels, names: Iterable[str]) -> Labels:
    """Return the labels named."""
    kept = frozenset(names)
    return tuple(pair for pair in labels if pair[0] in kept)


def replaced(labels: Labels, name: str, value: str) -> Labels:
    """Return the labels with one set anew; an empty value takes it away."""
    rest = [pair for pair in labels if pair[0] != name]
    if value:
        rest.append((name, value))
        rest.sort()
    return tuple(rest)
