"""Prometheus' remote-write 1.0: snappy-compressed protobuf. Only what is needed of protobuf is read, by hand."""

import struct
from collections.abc import Iterator

import cramjam

from actors.samples import Ingest, Line
from hub.operations import Call, Reply
from paranet.errors import InvalidInput, TooLarge
from paranet.metrics.labels import Labels

ASK = 30.0
MOST = 64 * 2**20
"""bytes that a body may have once it is unpacked"""


async def write(call: Call) -> Reply:
    """Take a WriteRequest. What is not accepted is counted in headers; Prometheus is told 204, so that it does not repeat it."""
    if call.headers.get("content-encoding", "snappy") != "snappy":
        raise InvalidInput("remote-write is compressed with snappy")
    verdicts = await call.house.system.ref("telemetry").ask(Ingest(lines=list(lines(_unpacked(call.body)))), timeout=ASK)
    rejected = ",".join(f"{reason}={n}" for reason, n in sorted(verdicts.rejected.items()))
    return Reply(
        status=204,
        headers={"X-Prometheus-Remote-Write-Samples-Written": str(verdicts.accepted), "X-Rejected": rejected or "none"},
    )


def _unpacked(body: bytes) -> bytes:
    try:
        size, _ = _varint(body, 0)
        if size > MOST:
            raise TooLarge("the body is larger than this hub accepts once it is unpacked")
        return bytes(cramjam.snappy.decompress_raw(body))
    except (cramjam.DecompressionError, IndexError):
        raise InvalidInput("the body is not snappy's block format") from None


def lines(plain: bytes) -> Iterator[Line]:
    """Yield the series of a WriteRequest. Raise InvalidInput."""
    try:
        for number, value in _fields(plain, 0, len(plain)):
            if number == 1 and isinstance(value, tuple):
                yield _series(plain, *value)
    except (IndexError, struct.error, UnicodeDecodeError, ValueError):
        raise InvalidInput("the body is not a remote-write WriteRequest") from None


def _series(plain: bytes, start: int, end: int) -> Line:
    pairs: list[tuple[str, str]] = []
    samples: list[tuple[int, float]] = []
    for number, value in _fields(plain, start, end):
        if not isinstance(value, tuple):
            continue
        if number == 1:
            texts = {n: plain[v[0] : v[1]].decode() for n, v in _fields(plain, *value) if isinstance(v, tuple)}
            pairs.append((texts.get(1, ""), texts.get(2, "")))
        elif number == 2:
            samples.append(_sample(plain, *value))
    samples.sort(key=lambda sample: sample[0])
    labels: Labels = tuple(sorted(pair for pair in pairs if pair[1]))
    if not labels or len({name for name, _ in labels}) != len(labels):
        raise ValueError("labels")
    return Line(labels=labels, times=[t for t, _ in samples], values=[v for _, v in samples])


def _sample(plain: bytes, start: int, end: int) -> tuple[int, float]:
    value, at = 0.0, 0
    for number, field in _fields(plain, start, end):
        if number == 1 and isinstance(field, tuple):
            (value,) = struct.unpack_from("<d", plain, field[0])
        elif number == 2 and isinstance(field, int):
            at = field - (1 << 64) if field >> 63 else field
    return at, value


def _fields(plain: bytes, at: int, end: int) -> Iterator[tuple[int, int | tuple[int, int]]]:
    """Yield (field, varint) or (field, (start, end)) of a message."""
    while at < end:
        key, at = _varint(plain, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(plain, at)
            yield key >> 3, value
            continue
        if kind == 2:
            size, at = _varint(plain, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError("wire type")
        if at + size > end:
            raise IndexError("cut short")
        yield key >> 3, (at, at + size)
        at += size


def _varint(plain: bytes, at: int) -> tuple[int, int]:
    found = shift = 0
    while True:
        byte = plain[at]
        at += 1
        found |= (byte & 0x7F) << shift
        if byte < 0x80:
            return found, at
        shift += 7
        if shift > 63:
            raise ValueError("varint")
