"""Rollups: a bucket of time keeps min, max, sum, count and last of a series. Buckets of the same time can be merged."""

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from paranet.metrics.chunk import Codec
from paranet.metrics.promql.ranges import COUNT_OF_ROLLUPS
from paranet.metrics.promql.sums import reduced

Array = NDArray[Any]
MINUTE = 60_000
HOUR = 3_600_000
"""ms of buckets; only those of a minute are kept, hours are made of them when they are asked for"""
_COLUMNS = 5


@attrs.frozen(kw_only=True)
class Buckets:
    """Rollups of one series: *starts* in ms, ascending, multiples of the tier's width."""

    starts: Array
    least: Array
    most: Array
    total: Array
    count: Array
    last: Array

    def __len__(self) -> int:
        return len(self.starts)


def rolled(times: Array, values: Array, width: int) -> Buckets:
    """Return the buckets of samples in order; stale markers and NaN count for nothing."""
    real = ~np.isnan(values)
    times, values = times[real], values[real]
    if not len(times):
        nothing = np.empty(0)
        return Buckets(starts=np.empty(0, dtype=np.int64), least=nothing, most=nothing, total=nothing, count=nothing, last=nothing)
    starts = times - times % width
    first = np.flatnonzero(np.diff(starts, prepend=starts[0] - 1))
    end = np.append(first[1:], len(times))
    return Buckets(
        starts=starts[first],
        least=reduced(np.minimum, values, first, end),
        most=reduced(np.maximum, values, first, end),
        total=reduced(np.add, values, first, end),
        count=(end - first).astype(np.float64),
        last=values[end - 1],
    )


def merged(parts: list[Buckets]) -> Buckets:
    """Join buckets in the order of time; where two parts share a bucket they become one."""
    joined = {name: np.concatenate([getattr(p, name) for p in parts]) for name in ("starts", "least", "most", "total", "count", "last")}
    order = np.argsort(joined["starts"], kind="stable")
    joined = {name: column[order] for name, column in joined.items()}
    starts = joined["starts"]
    if not len(starts):
        return Buckets(**joined)
    first = np.flatnonzero(np.diff(starts, prepend=starts[0] - 1))
    end = np.append(first[1:], len(starts))
    return Buckets(
        starts=starts[first],
        least=reduced(np.minimum, joined["least"], first, end),
        most=reduced(np.maximum, joined["most"], first, end),
        total=reduced(np.add, joined["total"], first, end),
        count=reduced(np.add, joined["count"], first, end),
        last=joined["last"][end - 1],
    )


def encode(buckets: Buckets, width: int) -> bytes:
    """Return buckets of a tier as bytes: their numbers, then all columns as one series of values."""
    ticks = buckets.starts // width
    columns = np.concatenate((buckets.least, buckets.most, _short(buckets.total), buckets.count, buckets.last))
    gaps = np.diff(ticks, prepend=ticks[0]).astype("<u4").tobytes()
    return int(ticks[0]).to_bytes(8, "little") + gaps + Codec().encode(np.arange(len(columns), dtype=np.int64), columns)


def _short(values: Array) -> Array:
    """Return numbers with twelve digits: a sum of decimals is a decimal again."""
    return np.array([float(f"{v:.12g}") for v in values.tolist()])


def decode(blob: bytes, n: int, width: int) -> Buckets:
    """Return n buckets of a tier. Raise ValueError when the bytes are none."""
    if len(blob) < 8 + 4 * n:
        raise ValueError("not a rollup: cut short")
    starts = (int.from_bytes(blob[:8], "little") + np.cumsum(np.frombuffer(blob, dtype="<u4", count=n, offset=8).astype(np.int64))) * width
    _, columns = Codec().decode(blob[8 + 4 * n :], _COLUMNS * n)
    least, most, total, count, last = columns.reshape(_COLUMNS, n)
    return Buckets(starts=starts, least=least, most=most, total=total, count=count, last=last)


def coarser(buckets: Buckets, width: int) -> Buckets:
    """Return the buckets joined into wider ones."""
    return merged([attrs.evolve(buckets, starts=buckets.starts - buckets.starts % width)])


_OF_FUNCTION = {"min_over_time": "least", "max_over_time": "most", "sum_over_time": "total", COUNT_OF_ROLLUPS: "count"}


def column(buckets: Buckets, width: int, function: str) -> tuple[Array, Array]:
    """Return times (the last ms of each bucket) and the values that stand for its samples in a function."""
    times = buckets.starts + (width - 1)
    found: Array = getattr(buckets, _OF_FUNCTION.get(function, "last"))
    return times, found


def tier_for(start: int, end: int, step: int, raw_since: int) -> int:
    """Return the tier that answers a query best: 0 for raw samples, else a width in ms. *raw_since* is how far raw samples reach back."""
    span = end - start
    if step >= HOUR and span > 14 * 24 * HOUR:
        return HOUR
    if start < raw_since or (step >= 5 * MINUTE and span > 24 * HOUR):
        return MINUTE if step >= MINUTE else 0
    return 0
