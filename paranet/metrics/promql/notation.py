"""The series notation of Prometheus' tests: `up{node="a"} 0+1x5 _ stale NaN`."""

import re

from paranet.errors import InvalidInput
from paranet.metrics.labels import NAME, Labels, labels_of
from paranet.metrics.promql.values import STALE

_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "y": 31_536_000_000}
_DURATION = re.compile(r"-?(?:\d+(?:ms|[smhdwy]))+|-?\d+(?:\.\d+)?")
_PART = re.compile(r"(\d+)(ms|[smhdwy])")
_VALUE = re.compile(
    r"(?P<start>[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[iI]nf|NaN))(?P<step>[-+](?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)?(?:x(?P<n>\d+))?"
)
_REPEATED = re.compile(r"(_|stale)(?:x(\d+))?")
_METRIC = re.compile(r"[a-zA-Z_:][\w:.]*")
_NUMBER_WORD = re.compile(r"(?:[iI]nf|NaN)\b")
_LABEL = re.compile(
    r"""\s*(?:"((?:[^"\\]|\\.)*)"|([a-zA-Z_][\w.]*))\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|`([^`]*)`))?\s*,?"""
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)")
MOST = 100_000
"""values that one description may make"""


def duration(text: str) -> int:
    """Return `1h30m`, or a plain number of seconds, in ms. Raise InvalidInput."""
    text = text.strip()
    if _DURATION.fullmatch(text) is None or len(text) > 40:
        raise InvalidInput(f"{text[:60]!r} is no duration: write 30s or 1h30m")
    if text[-1].isdigit():
        return round(float(text) * 1000)
    return (-1 if text.startswith("-") else 1) * sum(int(n) * _UNITS[unit] for n, unit in _PART.findall(text))


def unescaped(text: str) -> str:
    """Return a string literal's content."""

    def one(match: "re.Match[str]") -> str:
        body = match[1]
        return chr(int(body[1:], 16)) if body[0] in "ux" and len(body) > 1 else {"n": "\n", "t": "\t"}.get(body, body)

    return _ESCAPE.sub(one, text)


def series(line: str) -> tuple[Labels, str]:
    """Split a line into the series it starts with and the rest. Raise InvalidInput."""
    line = line.strip()
    match = _METRIC.match(line)
    metric, rest = (match[0], line[match.end() :]) if match and _NUMBER_WORD.match(line) is None else ("", line)
    if not rest.lstrip().startswith("{") or rest.lstrip().startswith("{{"):
        return labels_of(metric, {}), rest
    body = rest.lstrip()[1:]
    pairs: dict[str, str] = {}
    while not body.lstrip().startswith("}"):
        found = _LABEL.match(body)
        if found is None:
            raise InvalidInput(f"{line[:80]!r}: a label is expected before {body[:20]!r}")
        body = body[found.end() :]
        value = next((v for v in found.group(3, 4, 5) if v is not None), None)
        if value is None:
            metric = unescaped(found[1] or found[2])
        else:
            pairs[unescaped(found[1]) if found[1] is not None else found[2]] = unescaped(value)
    metric = pairs.pop(NAME, metric)
    return labels_of(metric, pairs), body.lstrip()[1:]


def numbers(text: str) -> list[float | None] | None:
    """Return the values of a description, None for a gap; None for a native histogram. Raise InvalidInput."""
    if "{{" in text:
        return None
    found: list[float | None] = []
    for word in text.split():
        if repeated := _REPEATED.fullmatch(word):
            times = int(repeated[2] or 1)
            found += [None if repeated[1] == "_" else STALE] * min(times, MOST)
        else:
            found += _run(word)
        if len(found) > MOST:
            raise InvalidInput(f"a series of more than {MOST} values")
    return found


def _run(word: str) -> list[float]:
    match = _VALUE.fullmatch(word)
    if match is None:
        raise InvalidInput(f"{word[:40]!r} is no value: write 5, 0+1x10, _ or stale")
    value = float(match["start"])  # no hexadecimal here: 0x5 is six zeros
    step, times = float(match["step"] or 0), min(int(match["n"] or 0), MOST)
    found = []
    for _ in range(times + 1):
        found.append(value)
        value += step
    return found
