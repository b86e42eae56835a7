"""Sealed chunks: samples of one series as few bytes. `paranet.metrics.decoder` reads them.

Times are snapped to a grid within a tolerance, values scaled to whole numbers where they are decimals; both are kept as differences,
their bytes shuffled and compressed with zstd, or as bits where that is shorter. Values come back bit by bit, NaN, infinities and
stale markers included; times within the tolerance.
"""

import struct
import zlib
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

Array = NDArray[Any]
CODEC = 3
"""what this file writes; codec 2 knows no PLAIN, 1 was zlib over the plain arrays"""
TOLERANCE = 0.01
"""of the grid's step that a time may be moved by"""
MOST = 20
"""ms that a time may be moved by at most"""

HEAD = struct.Struct("<BBBbHqIq")
"""flags, width of times, width of values, decimals, odd values, first time, grid step, first number; zstd over all the rest follows"""
GRID, SCALED, TWICE, PLAIN = 1, 2, 4, 8
"""flags: times are ticks of a grid; values are whole numbers; differences of differences; no differences at all"""
NONE = 255
"""a width: all zeros, which take no bytes"""
BITS = 128
"""in a width: so many bits each above the least, which comes first"""
WIDTHS = (np.int8, np.int16, np.int32, np.int64)
POWERS = tuple(10.0**i for i in range(13))
_EXACT = 2.0**53
_MOST_BITS = 40


class Encoder:
    """Its compressor is for one thread at a time."""

    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor(level=3, write_checksum=False, write_content_size=True)

    def encode(self, times: Array, values: Array) -> bytes:
        """Return the samples (int64 ms strictly ascending, float64; at least one) as bytes, in the shortest of the forms that there are."""
        step, ticks = _snapped(times)
        time_width, time_bytes = _packed(ticks)
        odd, places, whole = _scaled(values)
        if whole is None:
            odd, numbers, flags = odd[:0], values.view(np.int64), 0
            forms = [(PLAIN, *_packed(numbers)), (0, *_packed(np.diff(numbers, prepend=numbers[0])))]
        else:
            numbers, flags = whole, SCALED
            forms = _differences(whole)
        rest = odd.astype("<u4").tobytes() + values[odd].tobytes()
        packed = [(self._compressor.compress(time_bytes + body + rest), form, width) for form, width, body in forms]
        shortest, form, width = min(packed, key=lambda found: len(found[0]))
        flags |= form | (GRID if step else 0)
        begin = 0 if form & PLAIN else int(numbers[0])
        return HEAD.pack(flags, time_width, width, places, len(odd), int(times[0]), step, begin) + shortest


def checksum(blob: bytes) -> int:
    """Return the CRC that is kept beside a blob."""
    return zlib.crc32(blob)


def _snapped(times: Array) -> tuple[int, Array]:
    """Return the grid's step and the number of ticks skipped before each sample, or 0 and plain differences."""
    if len(times) == 1:
        return 0, np.zeros(1, dtype=np.int64)
    deltas = np.diff(times)
    step = int(np.median(deltas))
    tolerance = min(step * TOLERANCE, MOST)
    offset = times - times[0]
    ticks = (offset + step // 2) // step
    if step < 1 << 32 and (np.abs(ticks * step - offset) <= tolerance).all() and (np.diff(ticks) > 0).all():
        return step, np.diff(ticks, prepend=0) - 1
    return 0, np.diff(offset, prepend=0)


def _scaled(values: Array) -> tuple[Array, int, Array | None]:
    """Return where values are odd (not finite, or minus zero), decimals, and the values as whole numbers; None if they are no decimals."""
    strange = ~np.isfinite(values) | ((values == 0) & np.signbit(values))
    odd = np.flatnonzero(strange)
    if len(odd) == len(values) or len(odd) > 0xFFFF:
        return odd, 0, np.zeros(len(values), dtype=np.int64) if len(odd) <= 0xFFFF else None
    plain = values
    if len(odd):  # an odd value repeats the one before it, which costs nothing
        last = np.maximum.accumulate(np.where(strange, 0, np.arange(len(values))))
        plain = values[last]
        if strange[0]:
            head = int(np.flatnonzero(~strange)[0])
            plain = np.where(last < head, values[head], plain)
    largest = float(np.abs(plain).max())
    for places, power in enumerate(POWERS):
        if largest * power >= _EXACT:
            break
        whole = np.rint(plain * power)
        if np.array_equal(whole / power, plain):
            return odd, places, whole.astype(np.int64)
    return odd, 0, None


def _differences(whole: Array) -> list[tuple[int, int, bytes]]:
    """Return the forms that whole numbers may be kept in: flag, width, bytes."""
    body = np.diff(whole, prepend=whole[0])
    twice = np.diff(body, prepend=0)
    flag = TWICE if len(whole) > 2 and 2 * np.abs(twice[2:]).sum() < np.abs(body[1:]).sum() else 0
    body = twice if flag else body
    width, packed = _packed(body)
    forms = [(flag, width, packed)]
    bits = (int(body.max()) - int(body.min())).bit_length()
    if width != NONE and bits <= _MOST_BITS:
        forms.append((flag, BITS | max(bits, 1), _bit_packed(body, max(bits, 1))))
    return forms


def _packed(numbers: Array) -> tuple[int, bytes]:
    """Return the width's index and the bytes of whole numbers, shuffled: all lowest bytes first. All zeros are no bytes."""
    low, high = int(numbers.min()), int(numbers.max())
    if low == high == 0:
        return NONE, b""
    for index, width in enumerate(WIDTHS):
        if -(1 << (8 << index) - 1) <= low and high < 1 << (8 << index) - 1:
            size = 1 << index
            return index, numbers.astype(width).view(np.uint8).reshape(-1, size).T.tobytes()
    raise ValueError("beyond 64 bits")


def _bit_packed(numbers: Array, bits: int) -> bytes:
    """Return the least number, then the differences to it, *bits* each."""
    least = numbers.min()
    columns = ((numbers - least)[:, np.newaxis] >> np.arange(bits)) & 1
    return int(least).to_bytes(8, "little", signed=True) + np.packbits(columns.astype(np.uint8).reshape(-1), bitorder="little").tobytes()
