"""Series in memory: the newest samples of each, and how far they are on their way to disk."""

from array import array
from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np

from paranet.metrics.labels import NAME, Labels, series_name
from paranet.metrics.promql.values import Samples

SEAL = 600
"""samples that make a chunk"""
KEEP = 240
"""samples that stay in memory once they are sealed"""
MAX_SPAN = 2 * 3_600_000
"""ms that one chunk covers at most"""
_REACH = (1 << 32) - 1


class HotSeries:
    """One series' newest samples: times as 32-bit ms from *base*, values as float64. The last *unsealed* of them are in no chunk."""

    __slots__ = ("_base", "_offsets", "_values", "id", "labels", "last", "saved", "unsealed")

    def __init__(self, series_id: int, labels: Labels, last: int) -> None:
        self.id = series_id
        self.labels = labels
        self.last = last
        """time of the newest sample there ever was, ms"""
        self.unsealed = 0
        self.saved = 0
        """how many of the unsealed are in the journal"""
        self._base = 0
        self._offsets = array("I")
        self._values = array("d")

    @property
    def metric(self) -> str:
        """The metric's name."""
        return dict(self.labels).get(NAME, "")

    @property
    def node(self) -> str:
        """The node it is about, or nothing."""
        return dict(self.labels).get("node", "")

    @property
    def since(self) -> int:
        """The time of the oldest sample in memory; far ahead where there is none."""
        return self._base + self._offsets[0] if self._offsets else 1 << 62

    @property
    def began(self) -> int:
        """The time of the oldest unsealed sample; far ahead where there is none."""
        return self._base + self._offsets[-self.unsealed] if self.unsealed else 1 << 62

    @property
    def is_full(self) -> bool:
        """Tell whether a chunk is due."""
        n = self.unsealed
        return n >= SEAL or (n > 1 and self.last - self._base - self._offsets[-n] > MAX_SPAN)

    def fits(self, at: int) -> bool:
        """Tell whether a sample of that time can follow without sealing first."""
        return not self._offsets or at - self._base <= _REACH

    def add(self, at: int, value: float) -> None:
        """Append one sample; it must be newer than the last and fit."""
        self._values.append(value)  # first: what is no number changes nothing
        if not self._offsets:
            self._base = at
        self._offsets.append(at - self._base)
        self.last = at
        self.unsealed += 1

    def extend(self, times: Sequence[int], values: Sequence[float]) -> None:
        """Append samples in order, all newer than the last and fitting."""
        if not self._offsets:
            self._base = times[0]
        base = self._base
        self._offsets.extend([t - base for t in times])
        self._values.extend(values)
        self.last = times[-1]
        self.unsealed += len(times)

    def newest(self) -> float:
        """Return the newest value in memory."""
        return self._values[-1]

    def __len__(self) -> int:
        return len(self._offsets)

    def tail(self, n: int) -> tuple[Any, Any]:
        """Return the newest *n* samples as arrays of their own."""
        if n == 0:
            return np.empty(0, dtype=np.int64), np.empty(0)
        times = np.frombuffer(self._offsets, dtype=np.uint32)[-n:].astype(np.int64) + self._base
        return times, np.frombuffer(self._values, dtype=np.float64)[-n:].copy()

    def samples(self, start: int, end: int) -> Samples:
        """Return what is in memory from *start* to *end*, both included."""
        times, values = self.tail(len(self._offsets))
        low, high = np.searchsorted(times, start, side="left"), np.searchsorted(times, end, side="right")
        return Samples(self.labels, times[low:high], values[low:high])

    def seal(self) -> tuple[Any, Any, int]:
        """Return times and values of the unsealed samples, sealed from now on, and how many the journal has; forget older ones."""
        sealed = (*self.tail(self.unsealed), self.saved)
        self.unsealed = self.saved = 0
        if len(self._offsets) > KEEP:
            kept = self.tail(KEEP)
            self._base = int(kept[0][0])
            self._offsets = array("I", (kept[0] - self._base).astype(np.uint32).tobytes())
            self._values = array("d", kept[1].tobytes())
        return sealed

    def fresh_into(self, times: Any, values: Any) -> None:
        """Fill in the samples that are not in the journal (*unsealed* less *saved*), which count as in it from now on."""
        new = self.unsealed - self.saved
        times[:] = np.frombuffer(self._offsets, dtype=np.uint32)[-new:]
        times += self._base
        values[:] = np.frombuffer(self._values, dtype=np.float64)[-new:]
        self.saved = self.unsealed

    def clear(self) -> None:
        """Forget all, unsealed samples too."""
        self.unsealed = self.saved = 0
        self.cool()

    def cool(self) -> None:
        """Forget all but unsealed samples."""
        kept = self.tail(self.unsealed)
        self._offsets, self._values = array("I"), array("d")
        if self.unsealed:
            self._base = int(kept[0][0])
            self._offsets = array("I", (kept[0] - self._base).astype(np.uint32).tobytes())
            self._values = array("d", kept[1].tobytes())


@attrs.frozen(kw_only=True, eq=False)
class Run:
    """Samples of many series, one series after the other: *counts* of each of *ids*."""

    ids: Any
    counts: Any
    times: Any
    values: Any

    @classmethod
    def fresh(cls, series: Sequence[HotSeries]) -> "Run":
        """Return what of these series is not in the journal."""
        counts = np.array([s.unsealed - s.saved for s in series], dtype=np.int64)
        ends = np.cumsum(counts)
        times, values = np.empty(ends[-1], dtype=np.int64), np.empty(ends[-1])
        for one, start, end in zip(series, (ends - counts).tolist(), ends.tolist(), strict=True):
            one.fresh_into(times[start:end], values[start:end])
        return cls(ids=np.array([s.id for s in series], dtype=np.int64), counts=counts, times=times, values=values)

    @classmethod
    def joined(cls, pieces: Sequence[tuple[int, tuple[Any, Any]]]) -> "Run":
        """Return pieces (a series' id, its times and values) as one."""
        return cls(
            ids=np.array([series for series, _ in pieces], dtype=np.int64),
            counts=np.array([len(times) for _, (times, _) in pieces], dtype=np.int64),
            times=np.concatenate([times for _, (times, _) in pieces]),
            values=np.concatenate([values for _, (_, values) in pieces]),
        )


def shown_name(labels: Labels) -> str:
    """Return the name under which a node's reading is shown: the metric with its labels but the node's."""
    return series_name(dict(labels).get(NAME, ""), [pair for pair in labels if pair[0] not in (NAME, "node")])
