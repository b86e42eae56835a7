"""paranet.controller.simulator.fluid"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paranet.controller.simulator.fluid import BUFFER, Flood, queueing_delay, settle
from paranet.controller.simulator.forwarding import Course, Forward, trace


def straight(first: int, count: int) -> Course:
    """Return a course over the arcs first, first + 1, ..."""
    ways: dict[str, Forward] = {str(i): ((first + i, 1.0, str(i + 1)),) for i in range(count)}
    return trace("0", str(count), ways.__getitem__)


def run(courses: list[Course], rates: list[float], capacity: list[float], loss: list[float] | None = None) -> Flood:
    return settle(courses, rates, capacity=capacity, loss=loss or [0.0] * len(capacity), passing=[1.0] * len(capacity))


def test_what_fits_arrives() -> None:
    """Without congestion every arc carries the sum of its flows."""
    flood = run([straight(0, 2), straight(1, 1)], [3.0, 4.0], [10.0, 10.0])
    assert (flood.offered, flood.delivered, flood.lost) == ([3.0, 7.0], [3.0, 4.0], {})


def test_excess_is_dropped_in_proportion() -> None:
    """Two flows over one arc of half their sum both lose half."""
    flood = run([straight(0, 1), straight(0, 1)], [15.0, 5.0], [10.0])
    assert flood.delivered == [7.5, 2.5]


def test_what_is_dropped_here_is_not_offered_there() -> None:
    """The second arc sees only what the first one passed."""
    flood = run([straight(0, 2)], [20.0], [10.0, 8.0])
    assert flood.offered == [20.0, 10.0]
    assert flood.delivered == [pytest.approx(8.0)]


def test_lossy_links_lose() -> None:
    """A link's own loss comes on top."""
    assert run([straight(0, 1)], [20.0], [10.0], [0.1]).delivered == [9.0]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(0, 100)), min_size=1, max_size=5),
    st.lists(st.floats(1, 100), min_size=6, max_size=6),
    st.lists(st.floats(0, 1), min_size=6, max_size=6),
)
def test_nothing_is_lost_uncounted(flows: list[tuple[int, float]], capacity: list[float], loss: list[float]) -> None:
    """Offered is delivered plus dropped, congested or not."""
    courses = [straight(first, 2) for first, _ in flows]
    flood = run(courses, [rate for _, rate in flows], capacity, loss)
    dropped = sum(a * (1 - b) for a, b in zip(flood.offered, flood.passing, strict=True))
    assert sum(flood.delivered) + dropped == pytest.approx(sum(rate for _, rate in flows))


def test_queues_grow_with_load_and_are_bounded() -> None:
    """As an M/M/1 queue, up to the buffer."""
    waits = [queueing_delay(load, 1e9) for load in (0, 0.5, 0.9, 0.999, 1.0)]
    assert waits == sorted(waits)
    assert waits[0] == 0
    assert waits[1] == pytest.approx(64 * 8e-6)
    assert waits[-1] == BUFFER
