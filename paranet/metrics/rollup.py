"""Rollups: a bucket of time keeps min, max, sum, count and last of a series. Buckets of the same time can be merged."""

import functools
from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from paranet.metrics import decoder
from paranet.metrics.chunk import Encoder
from paranet.metrics.promql.ranges import COUNT_OF_ROLLUPS
from paranet.metrics.promql.sums import reduced

Array = NDArray[Any]
MINUTE = 60_000
HOUR = 3_600_000
"""ms of buckets; only those of a minute are kept, hours are made of them when they are asked for"""
_COLUMNS = ("least", "most", "total", "count", "last")
_NO_GAPS = 1 << 62
"""in the number of the first bucket: every bucket follows the one before it"""
_NAMES = ("starts", *_COLUMNS)


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

    def part(self, span: slice) -> "Buckets":
        """Return some of them."""
        return Buckets(**{name: getattr(self, name)[span] for name in _NAMES})


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


def merged(parts: list[Buckets], width: int) -> Buckets:
    """Join buckets in the order of time to buckets of a width that is as long or longer; what shares a bucket becomes one."""
    if not parts:
        return rolled(np.empty(0, dtype=np.int64), np.empty(0), width)
    joined = {name: np.concatenate([getattr(p, name) for p in parts]) for name in _NAMES}
    starts = joined["starts"] - joined["starts"] % width
    if (np.diff(starts) < 0).any():
        order = np.argsort(starts, kind="stable")
        starts, joined = starts[order], {name: column[order] for name, column in joined.items()}
    first = np.flatnonzero(np.diff(starts, prepend=-1))
    end = np.append(first[1:], len(starts))
    return Buckets(
        starts=starts[first],
        least=reduced(np.minimum, joined["least"], first, end),
        most=reduced(np.maximum, joined["most"], first, end),
        total=reduced(np.add, joined["total"], first, end),
        count=reduced(np.add, joined["count"], first, end),
        last=joined["last"][end - 1],
    )


def encode(encoder: Encoder, buckets: Buckets, width: int) -> bytes:
    """Return buckets of a tier as bytes: the first one's number, the gaps where there are any, then all columns as one series of values."""
    ticks = buckets.starts // width
    columns = np.concatenate((buckets.least, buckets.most, _short(buckets.total), buckets.count, buckets.last))
    gaps = np.diff(ticks, prepend=ticks[0]).astype("<u4").tobytes()
    head = int(ticks[0]).to_bytes(8, "little") + gaps
    if gaps == _without_gaps(len(ticks)):
        head = (int(ticks[0]) | _NO_GAPS).to_bytes(8, "little")
    return head + encoder.encode(np.arange(len(columns), dtype=np.int64), columns)


@functools.lru_cache(maxsize=256)
def _without_gaps(n: int) -> bytes:
    return np.minimum(np.arange(n), 1).astype("<u4").tobytes()


def _short(values: Array) -> Array:
    """Return numbers with twelve digits: a sum of decimals is a decimal again."""
    return np.array([float(f"{v:.12g}") for v in values.tolist()])


def decode_many(blobs: Sequence[bytes], counts: Sequence[int], width: int) -> Buckets:
    """Return the buckets of a tier that blobs hold, one blob after the other. Raise ValueError when the bytes are none."""
    if any(len(blob) < 8 for blob in blobs):
        raise ValueError("not a rollup: cut short")
    heads = np.frombuffer(b"".join([blob[:8] for blob in blobs]), dtype="<i8")
    cuts = np.where(heads & _NO_GAPS, 8, 8 + 4 * np.asarray(counts)).tolist()
    raw = b"".join([blob[8:cut] or _without_gaps(n) for blob, cut, n in zip(blobs, cuts, counts, strict=True)])
    if len(raw) != 4 * sum(counts):
        raise ValueError("not a rollup: cut short")
    each = np.repeat(counts, counts)
    begin = np.cumsum(counts) - counts
    _, columns = decoder.decode_many([blob[cut:] for blob, cut in zip(blobs, cuts, strict=True)], [len(_COLUMNS) * n for n in counts])
    ticks = np.cumsum(np.frombuffer(raw, dtype="<u4"), dtype=np.int64)
    first = (heads & ~_NO_GAPS) - ticks[begin]
    at = np.arange(len(ticks)) + np.repeat((len(_COLUMNS) - 1) * begin, counts)
    found = {name: columns[at + i * each] for i, name in enumerate(_COLUMNS)}
    return Buckets(starts=(ticks + np.repeat(first, counts)) * width, **found)


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
