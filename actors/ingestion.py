"""Ingestion: takes samples into the hot window one by one or in runs, and says of each that is not taken why."""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

from actors.samples import Line, Offender, Verdicts
from paranet.metrics.hot import SEAL, HotSeries, shown_name
from paranet.metrics.index import Index
from paranet.metrics.labels import Labels

FIRST = 10
"""offenders that are named"""
AHEAD = 600_000
"""ms that a sample may be ahead of our clock: a later one would lock its series until then"""

Seal = Callable[[HotSeries], None]


class Intake:
    """Looks up or makes the series and appends. *seal* is called for a series that is full."""

    def __init__(self, index: Index, *, next_id: int, max_series: int, retention: int, seal: Seal) -> None:
        self.index = index
        self.counts: Counter[str] = Counter(accepted=0)
        self.unwritten: list[tuple[int, Labels]] = []
        """series that are not on disk yet"""
        self._next_id = next_id
        self._max_series = max_series
        self._retention = retention
        self._seal = seal

    def series(self, labels: Labels) -> HotSeries | None:
        """Return the series of these labels, made if there is room; None where there is none."""
        found = self.index.get(labels)
        if found is None and len(self.index) < self._max_series:
            found = HotSeries(self._next_id, labels, 0)
            self._next_id += 1
            self.index.add(found)
            self.unwritten.append((found.id, labels))
        return found

    def take(self, labels: Labels, at: int, value: float, now: int) -> str:
        """Keep one sample; return the verdict."""
        series = self.series(labels)
        verdict = "over_limit" if series is None else self._verdict(series, at, now)
        if verdict == "accepted" and series is not None:
            if not series.fits(at):
                self._seal(series)
                series.cool()
            series.add(at, value)
            if series.is_full:
                self._seal(series)
        self.counts[verdict] += 1
        return verdict

    def _verdict(self, series: HotSeries, at: int, now: int) -> str:
        if at > series.last:
            if now - self._retention < at <= now + AHEAD:
                return "accepted"
            return "in_future" if at > now else "too_old"
        if at == series.last:
            return "duplicate"
        if at <= now - self._retention:
            return "too_old"
        known = series.samples(at, at).times if at >= series.since else ()
        return "duplicate" if len(known) else "out_of_order"

    def batch(self, lines: "tuple[Line, ...] | list[Line]", now: int) -> Verdicts:
        """Keep all that can be kept."""
        before = self.counts.copy()
        first: list[Offender] = []
        for line in lines:
            if self._run(line, now):
                continue
            for at, value in zip(line.times, line.values, strict=True):
                verdict = self.take(line.labels, at, value, now)
                if verdict != "accepted" and len(first) < FIRST:
                    first.append(Offender(series=shown_name(line.labels), ts=at, reason=verdict))
        counts = self.counts - before
        accepted = counts.pop("accepted", 0)
        return Verdicts(accepted=accepted, rejected=dict(counts), first=tuple(first))

    def _run(self, line: Line, now: int) -> bool:
        """Append a whole line at once where every sample of it is good."""
        times = line.times
        if len(times) < 2:
            return False
        series = self.series(line.labels)
        good = series is not None and series.last < times[0] and times[-1] <= now + AHEAD and times[0] > now - self._retention
        if series is None or not good or not series.fits(times[-1]) or times[-1] - times[0] > 1 << 31:
            return False
        if any(b <= a for a, b in pairwise(times)):
            return False
        at = 0
        while at < len(times):
            room = max(SEAL - series.unsealed, 1)
            series.extend(times[at : at + room], line.values[at : at + room])
            at += room
            if series.is_full:
                self._seal(series)
        self.counts["accepted"] += len(times)
        return True
