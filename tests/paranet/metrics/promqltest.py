"""Runs Prometheus' `.test` files against our engine: `python -m tests.paranet.metrics.promqltest FILE...` prints what fails.

Native histograms are not kept by this hub: their series are not loaded, and evaluations that expect them are counted apart.
"""

import math
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs
import numpy as np

from paranet.errors import ParaNetError
from paranet.metrics.labels import Labels
from paranet.metrics.matchers import matches
from paranet.metrics.promql.ast import Selector
from paranet.metrics.promql.evaluate import Result, evaluate
from paranet.metrics.promql.notation import duration, numbers, series, unescaped
from paranet.metrics.promql.parse import parse
from paranet.metrics.promql.values import Samples, Vector

_EVAL = re.compile(
    r"eval(?:_(?P<mode>fail|ordered|warn|info))?\s+"
    r"(?:instant\s+at\s+(?P<at>\S+)|range\s+from\s+(?P<start>\S+)\s+to\s+(?P<end>\S+)\s+step\s+(?P<step>\S+))\s+(?P<expr>.+)"
)
EPSILON = 1e-6


class Storage:
    """Series by labels."""

    def __init__(self) -> None:
        self._series: dict[Labels, Samples] = {}

    def load(self, labels: Labels, step: int, values: Iterable[float | None]) -> None:
        """Add samples from time 0, one a step."""
        points = dict(self._points(labels))
        points.update({i * step: v for i, v in enumerate(values) if v is not None})
        ordered = sorted(points.items())
        times, floats = np.array([t for t, _ in ordered], dtype=np.int64), np.array([v for _, v in ordered], dtype=np.float64)
        self._series[labels] = Samples(labels, times, floats)

    def _points(self, labels: Labels) -> Iterator[tuple[int, float]]:
        if labels in self._series:
            yield from zip(self._series[labels].times.tolist(), self._series[labels].values, strict=True)

    def select(self, selector: Selector, start: int, end: int, function: str = "") -> list[Samples]:
        """As Source."""
        found = []
        for labels, samples in self._series.items():
            if matches(dict(labels), selector.alternatives):
                low, high = np.searchsorted(samples.times, start, "left"), np.searchsorted(samples.times, end, "right")
                found.append(Samples(labels, samples.times[low:high], samples.values[low:high]))
        return sorted(found, key=lambda s: s.labels)


@attrs.frozen
class Expectation:
    """What an evaluation should give."""

    start: int
    end: int
    step: int
    expr: str
    instant: bool
    lines: tuple[str, ...]
    flags: frozenset[str]
    fail: tuple[str, str] | None
    window: tuple[int, int, int] | None
    string: str | None
    place: str


def close(a: float, b: float) -> bool:
    """As Prometheus compares in these tests."""
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    if a == b:
        return True
    size = abs(a) + abs(b)
    difference = abs(a - b)
    if a == 0 or b == 0 or size < 2.2250738585072014e-308:
        return difference < EPSILON * 2.2250738585072014e-308
    return difference / min(size, sys.float_info.max) < EPSILON


def same(got: list[float | None], wanted: list[float | None]) -> bool:
    """Compare rows."""
    return len(got) == len(wanted) and all(
        a is b is None or (a is not None and b is not None and close(a, b)) for a, b in zip(got, wanted, strict=True)
    )


def check(case: Expectation, storage: Storage) -> str | None:
    """Return what is wrong, or None."""
    try:
        result = evaluate(parse(case.expr), storage, start=case.start, end=case.end, step=case.step or 1)
    except ParaNetError as error:
        if case.fail is None:
            return f"failed: {error.detail}"
        kind, text = case.fail
        right = not text or (text in error.detail if kind == "msg" else re.search(text, error.detail))
        return None if right else f"failed otherwise: {error.detail}; wanted {text}"
    if case.fail is not None:
        return "did not fail"
    for flag, found in (("warn", result.warnings), ("info", result.infos)):
        if flag in case.flags and not found:
            return f"no {flag}"
        if f"no_{flag}" in case.flags and found:
            return f"has {flag}: {found}"
    return compare(case, result)


def compare(case: Expectation, result: Result) -> str | None:
    """Return how the result differs from what is expected, or None."""
    if case.string is not None:
        return None if result.value == case.string else f"got {result.value!r}"
    rows = [(labels, numbers(rest)) for labels, rest in map(series, case.lines)]
    if result.kind == "scalar":
        got: dict[Labels, list[float | None]] = {(): list(result.value)}  # type: ignore[arg-type]
    elif result.kind == "matrix":
        assert case.window is not None
        start, end, step = case.window
        got = {}
        for row in result.samples:
            samples = dict(zip(row.times[row.low[0] : row.high[0]].tolist(), row.values[row.low[0] : row.high[0]], strict=True))
            got[row.labels] = [samples.get(t) for t in range(start, end + 1, step)]
        rows = [(labels, [*(values or []), *[None] * 99][: (end - start) // step + 1]) for labels, values in rows]
    else:
        vector = result.value
        assert isinstance(vector, Vector)
        got = {
            labels: [float(v) if p else None for v, p in zip(vector.values[i], vector.present[i], strict=True)]
            for i, labels in enumerate(vector.labels)
            if vector.present[i].any()
        }
    if not case.instant:
        rows = [(labels, [*(values or []), *[None] * len(result.times)][: len(result.times)]) for labels, values in rows]
    wanted = dict(rows)
    if got.keys() != wanted.keys():
        return f"series {sorted(got)} instead of {sorted(wanted)}"
    for labels, values in rows:
        if not same(got[labels], values or []):
            return f"{labels}: {got[labels]} instead of {values}"
    if "ordered" in case.flags and list(got) != [labels for labels, _ in rows]:
        return f"order {list(got)}"
    return None


def cases(path: Path) -> Iterator[tuple[Expectation, Storage]]:
    """Read a file; yield each evaluation with the samples it is made on."""
    storage = Storage()
    lines = path.read_text(encoding="utf-8").split("\n")
    i = 0
    while i < len(lines):
        number, line = i + 1, lines[i].strip()
        i += 1
        if line == "clear":
            storage = Storage()
        if not re.match(r"(load|eval)", line):
            continue
        block = []
        while i < len(lines) and lines[i].strip() and not re.match(r"(load|eval|clear)", lines[i].strip()):
            if not lines[i].strip().startswith("#"):
                block.append(lines[i].strip())
            i += 1
        if line.startswith("load"):
            for text in block:
                labels, rest = series(text)
                values = numbers(rest.split("@")[0])
                if values is not None:
                    storage.load(labels, duration(line.split()[1]), values)
        else:
            yield expectation(line, block, f"{path.name}:{number}"), storage


def expectation(line: str, block: list[str], place: str) -> Expectation:
    """Read one `eval`."""
    head = _EVAL.fullmatch(line)
    assert head, line
    flags = {head["mode"]} if head["mode"] in ("ordered", "warn", "info") else set()
    fail = ("msg", "") if head["mode"] == "fail" else None
    window = string = None
    rest = []
    for text in block:
        if match := re.fullmatch(r"expect(?:ed)?[ _](fail)(?:_message|_regexp)?(?:\s+(msg|regex):)?\s*(.*)", text):
            fail = ("regex" if "regexp" in text.split()[0] or match[2] == "regex" else "msg", match[3])
        elif match := re.fullmatch(r"expect range vector from (\S+) to (\S+) step (\S+)", text):
            window = (duration(match[1]), duration(match[2]), duration(match[3]))
        elif match := re.fullmatch(r"expect string\s+(.*)", text):
            string = match[1][1:-1] if match[1][0] == "`" else unescaped(match[1][1:-1])
        elif match := re.match(r"expect (\w+)", text):
            flags.add(match[1])
        else:
            rest.append(text)
    instant = head["at"] is not None
    start, end = (duration(head["at"]),) * 2 if instant else (duration(head["start"]), duration(head["end"]))
    step = 1 if instant else duration(head["step"])
    return Expectation(start, end, step, head["expr"], instant, tuple(rest), frozenset(flags), fail, window, string, place)


def is_native(case: Expectation) -> bool:
    """Tell whether native histograms are involved."""
    return ("histogram" in case.expr and "_bucket" not in case.expr) or any("{{" in text for text in case.lines)


def main(files: list[str]) -> int:
    """Print what fails and the totals."""
    failures = 0
    for file in files:
        passed = failed = native = 0
        for case, storage in cases(Path(file)):
            try:
                wrong = check(case, storage)
            except Exception as error:  # a fault of the engine: to be seen with its place
                wrong = f"CRASH {type(error).__name__}: {error}"
            passed += wrong is None
            if wrong is not None and is_native(case):
                native += 1
            elif wrong is not None:
                failed += 1
                print(f"{case.place}: {case.expr}\n    {wrong[:600]}")  # noqa: T201
        print(f"{Path(file).name}: {passed} pass, {failed} fail, {native} need native histograms")  # noqa: T201
        failures += failed
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
