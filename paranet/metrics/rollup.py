"""Rollups: a bucket of time keeps min, max, sum, count and last of a series. Buckets of the same time can be merged."""

from typing import Any

import attrs
import numpy as np
import zstandard
from numpy.typing import NDArray

from paranet.metrics.promql.ranges import COUNT_OF_ROLLUPS
from paranet.metrics.promql.sums import reduced

Array = NDArray[Any]
MINUTE = 60_000
HOUR = 3_600_000
TIERS = (MINUTE, HOUR)
"""widths of the buckets in ms"""
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


def encode(buckets: Buckets) -> bytes:
    """Return buckets as bytes."""
    columns = (buckets.least, buckets.most, buckets.total, buckets.count, buckets.last)
    body = np.diff(buckets.starts, prepend=0).astype("<i8").tobytes() + np.stack(columns).astype("<f8").tobytes()
    shuffled = np.frombuffer(body, dtype=np.uint8).reshape(-1, 8).T.tobytes()
    packed: bytes = zstandard.ZstdCompressor(level=3).compress(shuffled)
    return packed


def decode(blob: bytes, n: int) -> Buckets:
    """Return n buckets. Raise ValueError when the bytes are none."""
    try:
        body = zstandard.ZstdDecompressor().decompress(blob, max_output_size=8 * n * (_COLUMNS + 1))
        plain = np.frombuffer(body, dtype=np.uint8).reshape(8, -1).T.tobytes()
        starts = np.cumsum(np.frombuffer(plain, dtype="<i8", count=n))
        least, most, total, count, last = np.frombuffer(plain, dtype="<f8", offset=8 * n).reshape(_COLUMNS, n)
    except zstandard.ZstdError as error:
        raise ValueError(f"not a rollup: {error}") from None
    return Buckets(starts=starts, least=least, most=most, total=total, count=count, last=last)


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
