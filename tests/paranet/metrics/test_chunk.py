"""paranet.metrics.chunk and rollup"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paranet.metrics import rollup
from paranet.metrics.chunk import MOST, Encoder, checksum
from paranet.metrics.decoder import decode, decode_many
from paranet.metrics.promql.values import STALE

ENCODER = Encoder()
values = st.one_of(
    st.floats(),
    st.just(STALE),
    st.just(-0.0),
    st.integers(-(2**53), 2**53).map(float),
    st.integers(-(10**6), 10**6).map(lambda n: n / 1000),
)
gaps = st.one_of(st.just(1000), st.integers(1, 5000), st.integers(990, 1010), st.integers(1, 10**11))


@settings(max_examples=150)
@given(st.lists(st.tuples(gaps, values), min_size=1, max_size=120), st.integers(0, 2**45))
def test_what_is_encoded_comes_back(samples: list[tuple[int, float]], first: int) -> None:
    """Values bit by bit; times in order and within the tolerance, the first exactly."""
    times = first + np.cumsum([gap for gap, _ in samples])
    floats = np.array([value for _, value in samples])
    back_times, back = decode(ENCODER.encode(times, floats), len(times))
    assert back.view(np.int64).tolist() == floats.view(np.int64).tolist()
    assert np.abs(back_times - times).max() <= MOST
    assert back_times[0] == times[0]
    assert (np.diff(back_times) > 0).all()


@pytest.mark.parametrize(
    ("kind", "most"),
    [("idle counter", 0.2), ("busy counter", 2.4), ("gauge", 1.5), ("gaps", 1.0)],
)
def test_it_is_small(kind: str, most: float) -> None:
    """Bytes a sample of 600, with times that tremble by a few ms."""
    dice = np.random.default_rng(1)
    floats = {
        "idle counter": np.full(600, 123_456_789.0),
        "busy counter": np.cumsum(dice.integers(0, 150_000, 600)).astype(np.float64),
        "gauge": np.round(dice.normal(0.5, 0.05, 600), 3),
        "gaps": np.where(dice.random(600) < 0.1, math.nan, 5.0),
    }[kind]
    times = 1_750_000_000_000 + 1000 * np.arange(600) + dice.integers(-3, 4, 600)
    times[0] = 1_750_000_000_000
    assert len(ENCODER.encode(times, floats)) / 600 < most


@settings(max_examples=60)
@given(st.lists(st.lists(st.tuples(gaps, values), min_size=1, max_size=40), min_size=1, max_size=90))
def test_many_are_read_as_one_by_one(lines: list[list[tuple[int, float]]]) -> None:
    """Whatever their shapes, in order."""
    chunks = [(np.cumsum([gap for gap, _ in line]), np.array([value for _, value in line])) for line in lines]
    blobs = [ENCODER.encode(*samples) for samples in chunks]
    times, floats = decode_many(blobs, [len(line) for line in lines])
    apart = [decode(blob, len(line)) for blob, line in zip(blobs, lines, strict=True)]
    assert [part.tolist() for part in times] == [part.tolist() for part, _ in apart]
    assert floats.view(np.int64).tolist() == [v for samples in chunks for v in samples[1].view(np.int64).tolist()]


def test_chunks_of_the_same_times_share_them() -> None:
    """Whatever their values are; nobody can write to what others read."""
    trembling = np.array([0, 700, 2100, 2900])
    columns = [trembling, trembling + 5000, trembling, np.arange(4) * 1000, np.arange(4) * 1000]
    blobs = [ENCODER.encode(times, np.arange(4) * 1.5**i) for i, times in enumerate(columns)]
    times, _ = decode_many(blobs, [4] * len(blobs))
    assert [part.tolist() for part in times] == [part.tolist() for part in columns]
    assert (times[0] is times[2], times[3] is times[4], len(set(map(id, times)))) == (True, True, 3)
    assert not any(part.flags.writeable for part in times)


@given(st.binary(max_size=80), st.integers(1, 50))
def test_what_is_no_chunk_is_refused(blob: bytes, n: int) -> None:
    """With ValueError, whatever it is; a flipped bit is seen by the checksum."""
    with pytest.raises(ValueError):  # noqa: PT011  # the message says what zstd says
        decode(blob, n)
    if blob:
        assert checksum(blob) != checksum(bytes([blob[0] ^ 1]) + blob[1:])


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 100_000), st.floats(-1e6, 1e6)), min_size=1, max_size=60), st.integers(1, 59))
def test_rollups_of_parts_make_the_rollup_of_the_whole(samples: list[tuple[int, float]], cut: int) -> None:
    """Also where a bucket is cut in two; and they come back from bytes."""
    times = np.cumsum([gap for gap, _ in samples])
    floats = np.array([value for _, value in samples])
    whole = rollup.rolled(times, floats, rollup.MINUTE)
    parts = [rollup.rolled(t, v, rollup.MINUTE) for t, v in ((times[:cut], floats[:cut]), (times[cut:], floats[cut:])) if len(t)]
    blobs = [rollup.encode(ENCODER, part, rollup.MINUTE) for part in parts]
    joined = rollup.merged([rollup.decode_many(blobs, [len(part) for part in parts], rollup.MINUTE)], rollup.MINUTE)
    for name in ("starts", "least", "most", "count", "last"):
        assert getattr(joined, name).tolist() == getattr(whole, name).tolist()
    assert np.allclose(joined.total, whole.total)
    assert whole.count.sum() == len(samples)
    for i, start in enumerate(whole.starts):
        inside = [v for t, v in zip(times, floats, strict=True) if start <= t < start + rollup.MINUTE]
        assert (whole.least[i], whole.most[i], whole.last[i]) == (min(inside), max(inside), inside[-1])
