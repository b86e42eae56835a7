"""Boxes are the sets of packets they stand for."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paranet.verifier.packets import Box, Packets, boxes, entry, header, overlap, screen, windows, without
from tests.paranet.verifier.rows import acl

SMALL = 3
ranges = st.tuples(st.integers(0, SMALL), st.integers(0, SMALL)).map(lambda r: (min(r), max(r)))
small = st.tuples(ranges, ranges, st.just((0, 0)), st.just((0, 0)), ranges, st.just((0, 0)))
Packet = tuple[int, ...]


def packets(found: Packets) -> list[Packet]:
    return sorted(packet for box in found for packet in product(*(range(low, high + 1) for low, high in box)))


@given(small, st.lists(small, max_size=4))
@settings(max_examples=200, deadline=None)
def test_what_is_left(whole: Box, cuts: list[Box]) -> None:
    """Taking boxes away leaves exactly the packets in none of them, each once."""
    left = packets(without((whole,), tuple(cuts)))
    assert left == [p for p in packets((whole,)) if not any(p in packets((cut,)) for cut in cuts)]


@given(small, small)
@settings(max_examples=100, deadline=None)
def test_what_is_shared(one: Box, other: Box) -> None:
    """The overlap holds the packets of both."""
    assert packets(overlap((one,), (other,))) == [p for p in packets((one,)) if p in packets((other,))]


def test_match() -> None:
    """A match bounds the fields it names; prefixes of another IP version match nothing."""
    match = {"destination": "10.0.0.0/30", "protocol": "tcp", "destination_port": "80-90"}
    (box,) = boxes(match, 4)
    assert box[1:] == ((10 << 24, (10 << 24) + 3), (6, 6), (0, 65535), (80, 90), (0, 1439))
    assert boxes(match, 6) == ()
    assert header(box, 4) == {"dst": "10.0.0.0", "protocol": "tcp", "destination_port": "80"}


@pytest.mark.parametrize("match", [{"source": "nowhere"}, {"protocol": "pigeon"}, {"source_port": "http"}])
def test_no_match(match: dict[str, object]) -> None:
    """What is no match is refused."""
    with pytest.raises(ValueError, match=r"\w"):
        boxes(match, 4)


@pytest.mark.parametrize(
    ("when", "minutes"),
    [
        (None, ((0, 1439),)),
        ("08:00..18:00", ((480, 1079),)),
        ("22:00..06:00", ((0, 359), (1320, 1439))),
        ("22:00..00:00", ((1320, 1439),)),
        ("18:00..24:00", ((1080, 1439),)),
    ],
)
def test_windows(when: str | None, minutes: tuple[tuple[int, int], ...]) -> None:
    """A time of the day may go over midnight."""
    assert windows(when) == minutes


def test_first_match_decides() -> None:
    """Entries are asked in their order, and what none matches passes."""
    rows = [acl(1, "permit", "a", destination_port="22"), acl(2, "deny", "b", protocol="tcp"), acl(3, "permit", "c")]
    entries = [e for r in rows if (e := entry("r", r))]
    everything = boxes({}, 4)
    verdict = screen(entries, everything, 4)
    assert overlap(verdict.passed, boxes({"protocol": "tcp", "destination_port": "22"}, 4))
    assert not overlap(verdict.passed, boxes({"protocol": "tcp", "destination_port": "23"}, 4))
    assert overlap(verdict.passed, boxes({"protocol": "udp", "destination_port": "23"}, 4))
    assert [step.key for step in verdict.by] == ["00002 b"]


def test_unreadable_entries() -> None:
    """An entry that a device holds in a form of its own is none."""
    assert entry("r", acl(1, "reflect")) is None
    assert entry("r", acl(1, "deny", protocol="pigeon")) is None
