"""Pushed samples as JSON: columnar, or a flat list of labelled samples. Strict, and fast where they are many."""

import functools
from collections.abc import Mapping
from typing import Any

from actors.samples import Line
from hub.codec import decode
from paranet.errors import Fault, InvalidInput
from paranet.metrics.labels import LABEL_NAME, METRIC_NAME, NAME, Labels

MAX_LABELS = 64
MAX_TEXT = 2048
"""characters of a label's value"""
_COLUMNAR = frozenset({"series", "ts", "values"})
_SERIES = frozenset({"metric", "labels"})
_FLAT = frozenset({"metric", "labels", "ts", "value"})
_NUMBERS = frozenset({int, float})


def lines(body: bytes) -> list[Line]:
    """Return what a push holds. Raise InvalidInput with the path of the first fault."""
    plain = decode(body)
    if isinstance(plain, dict):
        return _columnar(plain)
    if isinstance(plain, list):
        return _flat(plain)
    raise InvalidInput("the body must be an object with series, ts and values, or a list of samples")


def _refuse(path: str, message: str) -> InvalidInput:
    return InvalidInput(f"{path}: {message}" if path else message, errors=[Fault(path=path, message=message)])


def _columnar(plain: dict[str, Any]) -> list[Line]:
    for name in sorted(plain.keys() ^ _COLUMNAR):
        raise _refuse(name, "there is no such field" if name in plain else "is required")
    for name in sorted(_COLUMNAR):
        if not isinstance(plain[name], list):
            raise _refuse(name, "must be a list")
    series, ts, values = plain["series"], plain["ts"], plain["values"]
    _check_times(ts)
    if len(values) != len(series):
        raise _refuse("values", f"must have a row for each of the {len(series)} series, not {len(values)}")
    found = []
    for i, (item, row) in enumerate(zip(series, values, strict=True)):
        labels = _at_once(item) or _identity(item, f"series[{i}]", _SERIES)
        if not isinstance(row, list) or len(row) != len(ts):
            raise _refuse(f"values[{i}]", f"must be a list of {len(ts)} numbers, one for each of ts")
        kinds = set(map(type, row))
        if not kinds <= _NUMBERS:
            if not kinds <= {int, float, type(None)}:
                raise _refuse(f"values[{i}]", "must hold numbers, or null where there is no sample")
            pairs = [(t, v) for t, v in zip(ts, row, strict=True) if v is not None]
            found.append(Line(labels=labels, times=[t for t, _ in pairs], values=_floats([v for _, v in pairs], i)))
        else:
            found.append(Line(labels=labels, times=ts, values=_floats(row, i)))
    return found


def _at_once(item: Any) -> Labels | None:
    """Return the labels of a series that is as it should be, or None: `_identity` says why."""
    try:
        return _known(item["metric"], tuple(item["labels"].items())) if len(item) == len(_SERIES) else None
    except (KeyError, TypeError, AttributeError, InvalidInput):
        return None


def _floats(row: list[Any], i: int) -> list[float]:
    try:
        return list(map(float, row))
    except OverflowError:
        raise _refuse(f"values[{i}]", "a number is too large") from None


def _check_times(ts: list[Any]) -> None:
    if not set(map(type, ts)) <= {int}:
        raise _refuse("ts", "must hold whole numbers, UNIX ms")
    if ts and not (min(ts) >= 0 and max(ts) < 1 << 53):
        raise _refuse("ts", "must hold UNIX ms")


def _flat(plain: list[Any]) -> list[Line]:
    found: dict[Labels, tuple[list[int], list[float]]] = {}
    for i, item in enumerate(plain):
        try:
            ts, value, metric, labels = item["ts"], item["value"], item["metric"], item.get("labels", {})
            if len(item) > 3 + ("labels" in item) or type(ts) is not int or type(value) not in _NUMBERS or not 0 <= ts < 1 << 53:
                raise _fault(item, i)
            identity = _known(metric, tuple(labels.items()))
            times, values = found.setdefault(identity, ([], []))
            times.append(ts)
            values.append(float(value))
        except (KeyError, TypeError, AttributeError, OverflowError, InvalidInput):
            raise _fault(item, i) from None
    return [Line(labels=labels, times=times, values=values) for labels, (times, values) in found.items()]


def _fault(item: Any, i: int) -> InvalidInput:
    """Say what is wrong with a sample."""
    if not isinstance(item, dict):
        return _refuse(f"[{i}]", "must be an object")
    for name in sorted(item.keys() - _FLAT):
        return _refuse(f"[{i}].{name[:60]}", "there is no such field")
    for name in ("metric", "ts", "value"):
        if name not in item:
            return _refuse(f"[{i}].{name}", "is required")
    if type(item["ts"]) is not int or not 0 <= item["ts"] < 1 << 53:
        return _refuse(f"[{i}].ts", "must be a whole number, UNIX ms")
    if type(item["value"]) not in _NUMBERS:
        return _refuse(f"[{i}].value", "must be a number")
    _identity(item, f"[{i}]", _FLAT)
    return _refuse(f"[{i}].value", "is too large")


def _identity(item: Any, path: str, fields: frozenset[str]) -> Labels:
    """Return a series' labels, checked."""
    if not isinstance(item, dict):
        raise _refuse(path, "must be an object with metric and labels")
    for name in sorted(item.keys() - fields):
        raise _refuse(f"{path}.{name[:60]}", "there is no such field")
    metric, labels = item.get("metric"), item.get("labels", {})
    if not isinstance(metric, str) or METRIC_NAME.fullmatch(metric) is None:
        raise _refuse(f"{path}.metric", "must be a metric's name")
    if not isinstance(labels, dict):
        raise _refuse(f"{path}.labels", "must be an object")
    try:
        return _known(metric, tuple(labels.items()))
    except (InvalidInput, TypeError):
        check_labels(labels, f"{path}.labels")
        raise


@functools.lru_cache(maxsize=100_000)
def _known(metric: str, pairs: tuple[tuple[str, str], ...]) -> Labels:
    """Return an identity, checked once: the same series come again and again. Raise InvalidInput or TypeError."""
    if METRIC_NAME.fullmatch(metric) is None:
        raise TypeError
    check_labels(dict(pairs), "labels")
    return tuple(sorted([*(pair for pair in pairs if pair[1]), (NAME, metric)]))  # the very pairs that the cache keeps anyway


def check_labels(labels: Any, path: str) -> Mapping[str, str]:
    """Return labels that are labels. Raise InvalidInput."""
    if not isinstance(labels, dict):
        raise _refuse(path, "must be an object")
    if len(labels) > MAX_LABELS:
        raise _refuse(path, f"must be {MAX_LABELS} labels at most")
    for name, value in labels.items():
        if LABEL_NAME.fullmatch(name) is None or name == NAME:
            raise _refuse(f"{path}.{name[:60]}", "is not the name of a label")
        if not isinstance(value, str) or len(value) > MAX_TEXT:
            raise _refuse(f"{path}.{name}", f"must be a string of {MAX_TEXT} characters at most")
    return labels
