"""The codec of sealed chunks: samples of one series as few bytes.

Times are snapped to a grid within a tolerance, values scaled to whole numbers where they are decimals; both are kept as differences,
their bytes shuffled and compressed with zstd. Values come back bit by bit, NaN, infinities and stale markers included; times
within the tolerance.
"""

import struct
import zlib
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

Array = NDArray[Any]
ZSTD = 2
"""codec 2: this one; 1 was zlib over the plain arrays"""
TOLERANCE = 0.01
"""of the grid's step that a time may be moved by"""
MOST = 20
"""ms that a time may be moved by at most"""

_HEAD = struct.Struct("<BBBbHqIq")  # flags, width of times, width of values, decimals, odd values, first time, grid step, first number
_GRID, _SCALED, _TWICE = 1, 2, 4
_BITS = 128
"""in the width of values: so many bits each above the least, which comes first"""
_WIDTHS = (np.int8, np.int16, np.int32, np.int64)
_POWERS = tuple(10.0**i for i in range(13))
_EXACT = 2.0**53


class Codec:
    """Encodes and decodes. Its compressor is for one thread at a time."""

    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor(level=3, write_checksum=False, write_content_size=True)
        self._decompressor = zstandard.ZstdDecompressor()

    def encode(self, times: Array, values: Array) -> bytes:
        """Return the samples (int64 ms strictly ascending, float64; at least one) as bytes."""
        step, ticks = _snapped(times)
        flags = _GRID if step else 0
        odd, places, whole = _scaled(values)
        scaled = whole is not None
        numbers = whole if whole is not None else values.view(np.int64)
        flags |= _SCALED if scaled else 0
        body = np.diff(numbers, prepend=numbers[0])
        twice = np.diff(body, prepend=0)
        if scaled and len(values) > 2 and 2 * np.abs(twice[2:]).sum() < np.abs(body[1:]).sum():
            flags |= _TWICE
            body = twice
        time_width, time_bytes = _packed(ticks)
        value_width, value_bytes = _packed(body)
        exceptions = odd.astype("<u4").tobytes() + values[odd].tobytes() if scaled else b""
        packed: bytes = self._compressor.compress(time_bytes + value_bytes + exceptions)
        bits = _bits(body)
        if value_width != 255 and _bit_bytes(len(body), bits) < len(packed):  # differences without a pattern: bits say it shorter
            again: bytes = self._compressor.compress(time_bytes + _bit_packed(body, bits) + exceptions)
            if len(again) < len(packed):
                packed, value_width = again, _BITS | bits
        count = len(odd) if scaled else 0
        head = _HEAD.pack(flags, time_width, value_width, places, count, int(times[0]), step, int(numbers[0]))
        return head + packed

    def decode(self, blob: bytes, n: int) -> tuple[Array, Array]:
        """Return times and values of *n* samples. Raise ValueError when the bytes are no chunk."""
        try:
            flags, time_width, value_width, places, count, first, step, begin = _HEAD.unpack_from(blob)
            body = self._decompressor.decompress(blob[_HEAD.size :], max_output_size=17 * n + 16 * count + 64)
            cut = n * _size(time_width)
            end = cut + _length(value_width, n)
            ticks, numbers = _unpacked(body[:cut], time_width, n), _unpacked(body[cut:end], value_width, n)
        except (struct.error, zstandard.ZstdError, IndexError) as error:
            raise ValueError(f"not a chunk: {error}") from None
        deltas = ticks if not flags & _GRID else ticks + 1
        deltas[0] = 0
        times = first + np.cumsum(deltas) * (step if flags & _GRID else 1)
        if flags & _TWICE:
            numbers = np.cumsum(numbers)
        numbers = np.cumsum(numbers) + begin
        if not flags & _SCALED:
            return times, numbers.view(np.float64)
        values = numbers / _POWERS[places] if places else numbers.astype(np.float64)
        if count:
            where = np.frombuffer(body, dtype="<u4", count=count, offset=end)
            values[where] = np.frombuffer(body, dtype=np.float64, count=count, offset=end + 4 * count)
        return times, values


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
    for places, power in enumerate(_POWERS):
        if largest * power >= _EXACT:
            break
        whole = np.rint(plain * power)
        if np.array_equal(whole / power, plain):
            return odd, places, whole.astype(np.int64)
    return odd, 0, None


def _packed(numbers: Array) -> tuple[int, bytes]:
    """Return the width's index and the bytes of whole numbers, shuffled: all lowest bytes first. All zeros are no bytes."""
    low, high = int(numbers.min()), int(numbers.max())
    if low == high == 0:
        return 255, b""
    for index, width in enumerate(_WIDTHS):
        if -(1 << (8 << index) - 1) <= low and high < 1 << (8 << index) - 1:
            size = 1 << index
            return index, numbers.astype(width).view(np.uint8).reshape(-1, size).T.tobytes()
    raise ValueError("beyond 64 bits")


def _bits(numbers: Array) -> int:
    """Return how many bits the differences to the least number take; 64 where bits are no use."""
    reach = int(numbers.max()) - int(numbers.min())
    return max(reach.bit_length(), 1) if reach < 1 << 40 else 64


def _bit_packed(numbers: Array, bits: int) -> bytes:
    """Return the least number, then the differences to it, *bits* each."""
    least = numbers.min()
    columns = ((numbers - least)[:, np.newaxis] >> np.arange(bits)) & 1
    return int(least).to_bytes(8, "little", signed=True) + np.packbits(columns.astype(np.uint8).reshape(-1), bitorder="little").tobytes()


def _bit_unpacked(raw: bytes, bits: int, n: int) -> Array:
    columns = np.unpackbits(np.frombuffer(raw, dtype=np.uint8, offset=8), count=n * bits, bitorder="little").reshape(n, bits)
    return columns.astype(np.int64) @ (np.int64(1) << np.arange(bits)) + int.from_bytes(raw[:8], "little", signed=True)


def _bit_bytes(n: int, bits: int) -> int:
    """Return the bytes of n bit-packed numbers."""
    return 8 + (n * bits + 7) // 8


def _length(width: int, n: int) -> int:
    """Return the bytes that n numbers of a width take."""
    return _bit_bytes(n, width - _BITS) if _BITS <= width < 255 else n * _size(width)


def _size(width: int) -> int:
    return 0 if width == 255 else 1 << width


def _unpacked(raw: bytes, width: int, n: int) -> Array:
    if width == 255:
        return np.zeros(n, dtype=np.int64)
    if len(raw) != _length(width, n) or _length(width, n) > 8 * n + 8:
        raise IndexError("cut short")
    if width >= _BITS:
        return _bit_unpacked(raw, width - _BITS, n)
    size = 1 << width
    return np.frombuffer(raw, dtype=np.uint8).reshape(size, n).T.copy().view(_WIDTHS[width]).reshape(n).astype(np.int64)
