"""Traffic as a fluid: how much of it each arc carries, drops and delays. Only arithmetic over courses traced before."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import repeat

import attrs

from paranet.controller.simulator.forwarding import Course

PACKET = 8000.0  # bit, the mean packet (1,000 bytes)
BURST = 64.0  # packets that arrive together
BUFFER = 0.05  # s, what a port holds before it drops
_ROUNDS = 4
_CLOSE = 1e-3


@attrs.frozen(kw_only=True)
class Flood:
    """The state of all arcs and flows in bit/s. *offered* and *passing* go by arc, *delivered* by flow, *lost* by (node, reason).

    Nothing gets lost uncounted: what the flows offer is what they deliver, plus *lost*, plus offered x (1 - passing). Packets to a
    group are the exception: there are more of them with every copy.
    """

    offered: list[float]
    passing: list[float]
    delivered: list[float]
    lost: dict[tuple[str, str], float]


def settle(
    courses: Sequence[Course], rates: Sequence[float], *, capacity: Sequence[float], loss: Sequence[float], passing: Sequence[float]
) -> Flood:
    """Return what the network carries when flows offer *rates*.

    An arc that is offered more than its capacity passes the same part of every flow. What is dropped here is not offered
    downstream, so the parts are found by rounds, beginning with those of the last tick (*passing*): one round where nothing
    is congested, four at most.
    """
    flood = _pour(courses, rates, list(passing))
    for _ in range(_ROUNDS - 1):
        wanted = [_passed(*arc) for arc in zip(flood.offered, capacity, loss, strict=True)]
        if all(abs(a - b) < _CLOSE for a, b in zip(wanted, flood.passing, strict=True)):
            break
        flood = _pour(courses, rates, wanted)
    return flood


def _passed(offered: float, capacity: float, loss: float) -> float:
    return (1.0 - loss) * (1.0 if offered <= capacity else capacity / offered)


def _pour(courses: Sequence[Course], rates: Sequence[float], passing: list[float]) -> Flood:
    offered = [0.0] * len(passing)
    delivered: list[float] = []
    lost: defaultdict[tuple[str, str], float] = defaultdict(float)
    for course, rate in zip(courses, rates, strict=True):
        amount = [rate, *repeat(0.0, course.slots - 1)]
        for origin, arc, share, target in zip(course.origins, course.arcs, course.shares, course.targets, strict=True):
            moved = amount[origin] * share
            if not course.shared:
                offered[arc] += moved
            amount[target] += moved * passing[arc]
        delivered.append(amount[course.sink])
        for slot, node, reason in course.lost if not course.shared else ():
            lost[node, reason] += amount[slot]
    return Flood(offered=offered, passing=passing, delivered=delivered, lost=dict(lost))


def queueing_delay(utilization: float, bandwidth: float) -> float:
    """Return the mean seconds a packet waits before a link of *bandwidth* bit/s that is busy *utilization* (0..1) of the time.

    The wait of an M/M/1 queue, S x rho / (1 - rho) with S the time on the wire, for bursts of 64 packets, bounded by a
    buffer of 50 ms. Source: Kleinrock, "Queueing Systems" I, 1975, section 3.2.
    """
    if utilization >= 1:
        return BUFFER
    return min(BUFFER, BURST * PACKET / bandwidth * utilization / (1 - utilization))
