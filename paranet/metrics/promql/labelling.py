"""Functions that rewrite labels: label_replace, label_join, and info."""

import re
from typing import TYPE_CHECKING

import numpy as np

from paranet.errors import QueryFailed
from paranet.metrics.labels import LABEL_NAME, NAME, Labels, replaced
from paranet.metrics.matchers import Matcher, pattern
from paranet.metrics.promql.ast import Call, Selector
from paranet.metrics.promql.values import Value, Vector, merged

if TYPE_CHECKING:
    from paranet.metrics.promql.evaluate import Engine

_REFERENCE = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})")
INFO_METRIC = "target_info"
IDENTIFYING = ("instance", "job")


def _relabelled(vector: Vector, labels: list[Labels], touched: list[bool]) -> Vector:
    drop = [gone and not (new and dict(row).get(NAME)) for row, gone, new in zip(labels, vector.drop, touched, strict=True)]
    return merged(Vector(labels, vector.values, vector.present, drop))


def label_replace(engine: "Engine", node: Call) -> Value:
    """Set a label to what a pattern finds in another, where it matches whole."""
    vector = engine.vector(node.args[0])
    target, replacement, source, regex = (engine.text(arg) for arg in node.args[1:5])
    _check_name(target, "label_replace")
    compiled = pattern(f"^(?s:{regex})$")
    labels, touched = [], []
    for row in vector.labels:
        match = compiled.fullmatch(dict(row).get(source, ""))
        touched.append(match is not None and target == NAME)
        labels.append(row if match is None else replaced(row, target, _expanded(replacement, match)))
    return _relabelled(vector, labels, touched)


def _expanded(template: str, match: "re.Match[str]") -> str:
    """Fill in $1, ${1}, $name as Go's Regexp.Expand does: the longest name counts, an unknown one is empty."""

    def fill(reference: "re.Match[str]") -> str:
        name = reference[1] or reference[2]
        if name is None:
            return "$"
        if name.isdigit():
            return (match[int(name)] or "") if int(name) <= (match.re.groups or 0) else ""
        return match[name] or "" if name in match.re.groupindex else ""

    return _REFERENCE.sub(fill, template)


def label_join(engine: "Engine", node: Call) -> Value:
    """Set a label to others joined."""
    vector = engine.vector(node.args[0])
    target, separator, *sources = (engine.text(arg) for arg in node.args[1:])
    _check_name(target, "label_join")
    labels = []
    for row in vector.labels:
        values = dict(row)
        labels.append(replaced(row, target, separator.join(values.get(name, "") for name in sources)))
    return _relabelled(vector, labels, [target == NAME] * len(labels))


def _check_name(name: str, function: str) -> None:
    if not name or (LABEL_NAME.fullmatch(name) is None and not name.isprintable()):
        raise QueryFailed(f"invalid destination label name in {function}(): {name}")


def info_selector(node: Call) -> Selector:
    """Return the selector of the series that info() takes labels from."""
    chosen = node.args[1] if len(node.args) > 1 else None
    matchers = chosen.alternatives[0] if isinstance(chosen, Selector) else ()
    names = [m for m in matchers if m.name == NAME] or [Matcher(NAME, "=", INFO_METRIC)]
    return Selector(alternatives=((*names, *(m for m in matchers if m.name != NAME)),))


def info(engine: "Engine", node: Call) -> Value:
    """Add the labels of the info series that shares instance and job; a second argument chooses which."""
    base = engine.vector(node.args[0])
    selector = info_selector(node)
    names = [m for m in selector.alternatives[0] if m.name == NAME]
    conditions = [m for m in selector.alternatives[0] if m.name != NAME]
    wanted = {m.name for m in conditions}
    infos, stamps = engine.instant(selector)
    required = any(not m.test("") for m in conditions)
    out: list[tuple[Labels, int, np.ndarray]] = []
    for i, row in enumerate(base.labels):
        mine = dict(row)
        if any(m.test(mine.get(NAME, "")) for m in names):
            out.append((row, i, base.present[i]))
            continue
        left = base.present[i].copy()
        fitting = [j for j, other in enumerate(infos.labels) if all(dict(other).get(k, "") == mine.get(k, "") for k in IDENTIFYING)]
        fitting.sort(key=lambda j: -float(stamps[j].max()))
        for j in fitting:
            here = left & infos.present[j]
            if here.any():
                extra = {k: v for k, v in infos.labels[j] if k != NAME and k not in mine and (not wanted or k in wanted)}
                out.append((tuple(sorted({**mine, **extra}.items())), i, here))
                left &= ~here
        if left.any() and not required:
            out.append((row, i, left))
    rows = [i for _, i, _ in out]
    present = np.array([here for _, _, here in out], dtype=np.bool_).reshape(len(out), engine.steps)
    return merged(Vector([labels for labels, _, _ in out], base.values[rows], present, [base.drop[i] for i in rows]))


FUNCTIONS = {"label_replace": label_replace, "label_join": label_join, "info": info}
