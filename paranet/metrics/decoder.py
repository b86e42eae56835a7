"""Reads sealed chunks, many at once: chunks of one shape are unpacked together. `paranet.metrics.chunk` says how they are written."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import zstandard

from paranet.metrics.chunk import BITS, GRID, HEAD, NONE, PLAIN, POWERS, SCALED, TWICE, WIDTHS, Array

_HEADS = np.dtype(
    [
        *(("flags", "u1"), ("times", "u1"), ("values", "u1"), ("places", "i1")),
        *(("odd", "<u2"), ("first", "<i8"), ("step", "<u4"), ("begin", "<i8")),
    ]
)
_TOGETHER = 64
"""chunks that are unpacked at once: few enough to stay near the processor"""
_SLACK = bytes(8)
"""a number of bits is read as the eight bytes that it begins in"""

Shape = tuple[int, int, int, int, int]
"""samples, flags, width of times, width of values, decimals: what chunks unpacked together have in common"""


def decode(blob: bytes, n: int) -> tuple[Array, Array]:
    """Return times (int64 ms) and values (float64) of a chunk of *n* samples. Raise ValueError when the bytes are no chunk."""
    return decode_many([blob], [n])


def decode_many(blobs: Sequence[bytes], counts: Sequence[int]) -> tuple[Array, Array]:
    """Return times and values of chunks, one after the other. Raise ValueError where one is no chunk."""
    if any(len(blob) < HEAD.size for blob in blobs):
        raise ValueError("not a chunk: cut short")
    heads = np.frombuffer(b"".join([blob[: HEAD.size] for blob in blobs]), _HEADS)
    unpacker = zstandard.ZstdDecompressor()
    bodies = [_body(unpacker, blob, n, odd) for blob, n, odd in zip(blobs, counts, heads["odd"].tolist(), strict=True)]
    ends = np.cumsum(counts)
    times, values = np.empty(ends[-1], dtype=np.int64), np.empty(ends[-1])
    starts = (ends - counts).tolist()
    groups: dict[Shape, list[int]] = defaultdict(list)
    for i, shape in enumerate(zip(counts, *(heads[name].tolist() for name in ("flags", "times", "values", "places")), strict=True)):
        groups[shape].append(i)
    for shape, members in groups.items():
        n = shape[0]
        for some in (members[i : i + _TOGETHER] for i in range(0, len(members), _TOGETHER)):
            for i, at, value in zip(some, *_unpacked(shape, heads[some], [bodies[i] for i in some]), strict=True):
                times[starts[i] : starts[i] + n], values[starts[i] : starts[i] + n] = at, value
    for i in np.flatnonzero(heads["odd"]).tolist():
        _put_back(values[starts[i] : starts[i] + counts[i]], bodies[i], int(heads["odd"][i]))
    return times, values


def _body(unpacker: zstandard.ZstdDecompressor, blob: bytes, n: int, odd: int) -> bytes:
    try:
        return unpacker.decompress(blob[HEAD.size :], max_output_size=17 * n + 16 * odd + 64)
    except zstandard.ZstdError as error:
        raise ValueError(f"not a chunk: {error}") from None


def _unpacked(shape: Shape, heads: Array, bodies: list[bytes]) -> tuple[Array, Array]:
    """Return times and values of chunks of one shape, a row each."""
    n, flags, time_width, value_width, places = shape
    cut, end = _length(time_width, n), _length(time_width, n) + _length(value_width, n)
    if any(len(body) < end for body in bodies) or not -1 < places < len(POWERS):
        raise ValueError("not a chunk: cut short")
    raw = b"".join([body[:end] for body in bodies]) + _SLACK
    times = _times(_numbers(raw, (len(bodies), end, 0), time_width, n), flags, heads)
    numbers = _numbers(raw, (len(bodies), end, cut), value_width, n)
    for _ in range(0 if flags & PLAIN else 2 if flags & TWICE else 1):
        np.cumsum(numbers, axis=1, out=numbers)
    numbers += heads["begin"][:, np.newaxis]
    if not flags & SCALED:
        return times, numbers.view(np.float64)
    return times, numbers / POWERS[places]


def _times(gaps: Array, flags: int, heads: Array) -> Array:
    step: Array = heads["step"].astype(np.int64)[:, np.newaxis]
    if flags & GRID:
        gaps += 1
    gaps[:, 0] = 0
    np.cumsum(gaps, axis=1, out=gaps)
    if flags & GRID:
        gaps *= step
    gaps += heads["first"][:, np.newaxis]
    return gaps


def _put_back(values: Array, body: bytes, odd: int) -> None:
    """Set the values that are no decimals; they are the last of the body, after where they stand."""
    if len(body) < 12 * odd:
        raise ValueError("not a chunk: cut short")
    where = np.frombuffer(body, dtype="<u4", count=odd, offset=len(body) - 12 * odd)
    if where.max() >= len(values):
        raise ValueError("not a chunk: an odd value beyond its end")
    values[where] = np.frombuffer(body, dtype="<f8", count=odd, offset=len(body) - 8 * odd)


def _length(width: int, n: int) -> int:
    """Return the bytes that n numbers of a width take."""
    if width == NONE:
        return 0
    if width >= BITS:
        return 8 + (n * (width - BITS) + 7) // 8
    if width >= len(WIDTHS):
        raise ValueError("not a chunk: no such width")
    return n << width


def _numbers(raw: bytes, place: tuple[int, int, int], width: int, n: int) -> Array:
    """Return numbers as int64, a row for each chunk. *place*: how many rows, how many bytes from one to the next, where in a row."""
    rows, stride, offset = place
    if width == NONE:
        return np.zeros((rows, n), dtype=np.int64)
    if width >= BITS:
        return _of_bits(raw, place, width - BITS, n)
    size = 1 << width
    planes = np.ndarray((rows, n, size), np.uint8, raw, offset, (stride, 1, n))
    return np.ascontiguousarray(planes).view(WIDTHS[width])[..., 0].astype(np.int64)


def _of_bits(raw: bytes, place: tuple[int, int, int], bits: int, n: int) -> Array:
    """Return numbers of so many bits above the least, which comes first. Eight of them take as many bytes as one takes bits."""
    rows, stride, offset = place
    if not 0 < bits <= 56:
        raise ValueError("not a chunk: no such width")
    eights = -(-n // 8)
    padded = raw + bytes(8 * bits)  # the last eight may be less than eight
    found = np.empty((rows, eights, 8), dtype=np.int64)
    for i in range(8):
        start, shift = divmod(i * bits, 8)
        words = np.ndarray((rows, eights), "<i8", padded, offset + 8 + start, (stride, bits))
        np.right_shift(words, shift, out=found[..., i])
    found &= (1 << bits) - 1
    found += np.ndarray((rows, 1, 1), "<i8", padded, offset, (stride, 8, 8))
    return found.reshape(rows, 8 * eights)[:, :n]
