"""paranet.metrics.columns"""

import numpy as np

from paranet.metrics.columns import Columns


def test_times_in_common_are_one_array() -> None:
    """Found again by what they are, cut at the same place, or put together of the same pieces."""
    columns, times = Columns(), np.array([1, 2, 4, 8])
    assert columns.same(times) is times
    assert columns.same(times.copy()) is times
    head = columns.head(times, 2)
    assert head.tolist() == [1, 2]
    assert columns.head(times, 2) is head
    assert columns.head(times, 4) is times
    joined = columns.joined([times, head])
    assert joined.tolist() == [1, 2, 4, 8, 1, 2]
    assert columns.joined([times, head]) is joined
    assert columns.joined([head]) is head


def test_others_are_not() -> None:
    """Not even if they begin and end alike."""
    columns, times, other = Columns(), np.array([1, 2, 4, 8]), np.array([1, 3, 4, 8])
    columns.same(times)
    assert columns.same(other) is other
    assert columns.head(other, 2) is not columns.head(times, 2)
    assert columns.joined([times, other]) is not columns.joined([other, times])
