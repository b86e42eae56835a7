"""Reads sealed chunks, many at once: chunks of one shape are unpacked together. `paranet.metrics.chunk` says how they are written."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

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
_SLACK = 8
"""bytes: a number of bits is read as the eight bytes that it begins in"""

Shape = tuple[int, ...]
"""what chunks unpacked together have in common: samples, flags, width, and of values the decimals"""


def decode(blob: bytes, n: int) -> tuple[Array, Array]:
    """Return times (int64 ms) and values (float64) of a chunk of *n* samples. Raise ValueError when the bytes are no chunk."""
    (times,), values = decode_many([blob], [n])
    return times, values


def decode_many(blobs: Sequence[bytes], counts: Sequence[int]) -> tuple[list[Array], Array]:
    """Return the times of each chunk and the values of all, one chunk after the other. Raise ValueError where one is no chunk.

    Series that are measured together have their times in common: chunks of the same times share one array, which cannot be written to.
    """
    if any(len(blob) < HEAD.size for blob in blobs):
        raise ValueError("not a chunk: cut short")
    heads = np.frombuffer(b"".join([blob[: HEAD.size] for blob in blobs]), _HEADS)
    unpacker = zstandard.ZstdDecompressor()
    bodies = [_body(unpacker, blob, n, odd) for blob, n, odd in zip(blobs, counts, heads["odd"].tolist(), strict=True)]
    cuts = [_length(width, n) for width, n in zip(heads["times"].tolist(), counts, strict=True)]
    times = _times(heads, counts, [body[:cut] for body, cut in zip(bodies, cuts, strict=True)])
    return times, _values(heads, counts, [body[cut:] for body, cut in zip(bodies, cuts, strict=True)])


def _body(unpacker: zstandard.ZstdDecompressor, blob: bytes, n: int, odd: int) -> bytes:
    try:
        return unpacker.decompress(blob[HEAD.size :], max_output_size=17 * n + 16 * odd + 64)
    except zstandard.ZstdError as error:
        raise ValueError(f"not a chunk: {error}") from None


def _alike(shapes: Iterable[tuple[int, Shape]]) -> Iterator[tuple[Shape, list[int]]]:
    """Yield which chunks can be unpacked at once, and their shape."""
    groups: dict[Shape, list[int]] = defaultdict(list)
    for i, shape in shapes:
        groups[shape].append(i)
    for shape, members in groups.items():
        for start in range(0, len(members), _TOGETHER):
            yield shape, members[start : start + _TOGETHER]


def _times(heads: Array, counts: Sequence[int], bodies: Sequence[bytes]) -> list[Array]:
    """Return the times of each chunk, unpacked once where several have the same."""
    known: dict[tuple[object, ...], int] = {}
    keys = zip(counts, *(heads[name].tolist() for name in ("flags", "times", "step", "first")), bodies, strict=True)
    same = [known.setdefault(key, i) for i, key in enumerate(keys)]
    shapes = list(zip(counts, (heads["flags"] & GRID).tolist(), heads["times"].tolist(), strict=True))
    found: dict[int, Array] = {}
    for (n, grid, width), some in _alike((i, shapes[i]) for i in known.values()):
        times = _numbers([bodies[i] for i in some], width, n)
        times += grid
        times[:, 0] = 0
        np.cumsum(times, axis=1, out=times)
        if grid:
            times *= heads["step"][some].astype(np.int64)[:, np.newaxis]
        times += heads["first"][some][:, np.newaxis]
        times.flags.writeable = False
        found.update(zip(some, times, strict=True))
    return [found[i] for i in same]


def _values(heads: Array, counts: Sequence[int], bodies: Sequence[bytes]) -> Array:
    """Return the values of all chunks, one after the other."""
    ends = np.cumsum(counts)
    values, starts = np.empty(ends[-1]), (ends - counts).tolist()
    shapes = zip(counts, *(heads[name].tolist() for name in ("flags", "values", "places")), strict=True)
    for (n, flags, width, places), some in _alike(enumerate(shapes)):
        if not -1 < places < len(POWERS):
            raise ValueError("not a chunk: so many decimals")
        numbers = _numbers([bodies[i] for i in some], width, n)
        for _ in range(0 if flags & PLAIN else 2 if flags & TWICE else 1):
            np.cumsum(numbers, axis=1, out=numbers)
        numbers += heads["begin"][some][:, np.newaxis]
        floats = numbers / POWERS[places] if flags & SCALED else numbers.view(np.float64)
        for i, row in zip(some, floats, strict=True):
            values[starts[i] : starts[i] + n] = row
    for i in np.flatnonzero(heads["odd"]).tolist():
        _put_back(values[starts[i] : starts[i] + counts[i]], bodies[i], int(heads["odd"][i]))
    return values


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


def _numbers(bodies: Sequence[bytes], width: int, n: int) -> Array:
    """Return the *n* numbers of a width that each body begins with as int64, a row for each."""
    rows, size = len(bodies), _length(width, n)
    if any(len(body) < size for body in bodies):
        raise ValueError("not a chunk: cut short")
    if width == NONE:
        return np.zeros((rows, n), dtype=np.int64)
    raw = b"".join([body[:size] for body in bodies])
    if width >= BITS:
        return _of_bits(raw, (rows, size), width - BITS, n)
    planes = np.frombuffer(raw, np.uint8).reshape(rows, 1 << width, n)
    return np.ascontiguousarray(planes.swapaxes(1, 2)).view(WIDTHS[width])[..., 0].astype(np.int64)


def _of_bits(raw: bytes, place: tuple[int, int], bits: int, n: int) -> Array:
    """Return numbers of so many bits above the least, which comes first. Eight of them take as many bytes as one takes bits."""
    rows, stride = place
    if not 0 < bits <= 56:
        raise ValueError("not a chunk: no such width")
    eights = -(-n // 8)
    padded = raw + bytes(8 * bits + _SLACK)  # the last eight may be less than eight
    found = np.empty((rows, eights, 8), dtype=np.int64)
    for i in range(8):
        start, shift = divmod(i * bits, 8)
        words = np.ndarray((rows, eights), "<i8", padded, 8 + start, (stride, bits))
        np.right_shift(words, shift, out=found[..., i])
    found &= (1 << bits) - 1
    found += np.ndarray((rows, 1, 1), "<i8", padded, 0, (stride, 8, 8))
    return found.reshape(rows, 8 * eights)[:, :n]
