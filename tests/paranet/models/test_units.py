"""paranet.models.units"""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paranet.models.units import (
    BANDWIDTH,
    DISTANCE,
    SIZE,
    TIME,
    format_bandwidth,
    format_seconds,
    parse_bandwidth,
    parse_quantity,
    parse_ratio,
    parse_seconds,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [("10Gbps", 1e10), ("10 Gbit/s", 1e10), (" 1.5e3 Mb/s ", 1.5e9), ("1MBps", 8e6), ("42", 42), (".5kbps", 500)],
)
def test_bandwidths(text: str, value: float) -> None:
    """Bits with b, bytes with B, SI without a unit."""
    assert parse_bandwidth(text) == value


@pytest.mark.parametrize(("text", "value"), [("5ms", 0.005), ("3 µs", 3e-6), ("2min", 120), ("1d", 86400), ("0", 0)])
def test_times(text: str, value: float) -> None:
    """From nanoseconds to days."""
    assert parse_seconds(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "fast", "10 Gbps per month", "1e999Gbps", "NaN", "inf", "10 parsec", "1,5Mbps", "--1"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    """The message is for people."""
    with pytest.raises(ValueError, match=r"is not|too large"):
        parse_bandwidth(text)


def test_percent() -> None:
    """Ratios are written both ways."""
    assert parse_ratio("1%") == parse_ratio("0.01") == 0.01


@given(st.sampled_from([*BANDWIDTH.items(), *TIME.items(), *SIZE.items(), *DISTANCE.items()]), st.integers(0, 10**6))
def test_every_unit_multiplies(unit: tuple[str, float], number: int) -> None:
    """A number with a unit is the number times the unit."""
    assert parse_quantity(f"{number} {unit[0]}", dict([unit]), what="quantity") == number * unit[1]


@given(st.integers(0, 999_999), st.sampled_from([1, 1e3, 1e6, 1e9, 1e12]))
def test_bandwidths_survive_their_text(number: int, factor: float) -> None:
    """Up to six digits nothing is lost."""
    assert parse_bandwidth(format_bandwidth(number * factor)) == pytest.approx(number * factor)


@given(st.floats(1e-9, 1e6))
def test_times_survive_their_text_roughly(value: float) -> None:
    """Four digits are shown."""
    assert parse_seconds(format_seconds(value)) == pytest.approx(value, rel=1e-3)


@given(st.text())
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """Nothing but ValueError comes out."""
    with suppress(ValueError):
        parse_seconds(text)
