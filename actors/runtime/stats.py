"""Counting and timing what an actor does, cheaply enough to be always on."""

from collections.abc import Mapping

import attrs


class Histogram:
    """Durations in buckets of powers of two microseconds (bucket n holds 2^(n-1) <= us < 2^n); 32 of them reach 35 minutes."""

    __slots__ = ("buckets", "count")

    def __init__(self) -> None:
        self.buckets = [0] * 32
        self.count = 0

    def add(self, seconds: float) -> None:
        """Count one duration in seconds."""
        self.buckets[min(int(seconds * 1e6).bit_length(), 31)] += 1
        self.count += 1

    def quantile(self, q: float) -> float:
        """Return the q-quantile in seconds, interpolated within its bucket: off by less than a factor of two."""
        rank = q * self.count
        seen = 0
        for n, inside in enumerate(self.buckets):
            if inside and seen + inside >= rank:
                low = 2.0 ** (n - 1) if n else 0.0
                return (low + (2.0**n - low) * (rank - seen) / inside) * 1e-6
            seen += inside
        return 0.0


@attrs.frozen(kw_only=True)
class Latency:
    """Quantiles in seconds."""

    count: int
    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, histogram: Histogram) -> "Latency":
        """Read a histogram."""
        return cls(count=histogram.count, p50=histogram.quantile(0.5), p95=histogram.quantile(0.95), p99=histogram.quantile(0.99))


class Times:
    """Waiting and handling of one message type."""

    __slots__ = ("handle", "wait")

    def __init__(self) -> None:
        self.wait = Histogram()
        self.handle = Histogram()


@attrs.frozen(kw_only=True)
class MailboxInfo:
    """The user lane now and since the actor was made; *oldest* is the age of its first message in s."""

    length: int
    capacity: int
    overflow: str
    high_water: int
    oldest: float
    stashed: int
    dropped: Mapping[str, int]


@attrs.frozen(kw_only=True)
class ActorInfo:
    """What operators see of one actor. Times in seconds."""

    path: str
    type: str
    parent: str | None
    children: tuple[str, ...]
    status: str
    generation: int
    uptime: float
    mailbox: MailboxInfo
    sent: int
    processed: int
    dead: int
    current: str | None
    current_age: float
    stuck: bool
    stack: tuple[str, ...]
    restarts: int
    restarts_in_window: int
    backoff_for: float
    last_error: str | None
    ask_timeouts: int
    late_replies: int
    poison: int
    waiting_for: tuple[str, ...]
    timers: tuple[str, ...]
    jobs: int
    times: Mapping[str, Mapping[str, Latency]]
