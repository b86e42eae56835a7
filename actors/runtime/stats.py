"""Counting and timing what an actor does, cheaply enough to be always on.

For every actor, at any moment, `sent = processed + queued + dropped + dead`:

- sent: messages offered to it, whoever sent them: told, asked, its own timers and jobs, Terminated. An unstashed message counts once.
- processed: handled to the end. A refusal (ParaNetError) and a deferred answer are processed; so is an answer nobody waits for any more.
- queued: in the mailbox, in line for room (`BLOCK`), set aside by stash, or in the handler's hands.
- dropped, by reason: let go without having been handled, as was declared. `full` and `stopped`: refused at the door;
  `oldest` and `conflated`: lossy types; `expired`: its asker has gone, its timer, watch or generation has ended.
- dead: taken in and then lost: `poison`, `unhandled`, and what a stop or drain left behind (`stopped`, `drained`).
"""

from collections.abc import Mapping, Sequence
from time import perf_counter_ns

import attrs

BUCKETS = 64
"""bucket n of a histogram holds 2^(n-1) <= ns < 2^n; 64 of them outlast any process, so no index needs a bound"""


def seconds_since(moment: int) -> float:
    """Return the age of a perf_counter_ns."""
    return (perf_counter_ns() - moment) * 1e-9


def histogram() -> list[int]:
    """Return empty buckets. A duration in ns is counted by `buckets[ns.bit_length()] += 1`."""
    return [0] * BUCKETS


def quantile(buckets: Sequence[int], q: float) -> float:
    """Return the q-quantile in seconds, interpolated within its bucket: off by less than a factor of two."""
    rank = q * sum(buckets)
    seen = 0
    for n, inside in enumerate(buckets):
        if inside and seen + inside >= rank:
            low = 2.0 ** (n - 1) if n else 0.0
            return (low + (2.0**n - low) * (rank - seen) / inside) * 1e-9
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
    def of(cls, buckets: Sequence[int]) -> "Latency":
        """Read a histogram."""
        return cls(count=sum(buckets), p50=quantile(buckets, 0.5), p95=quantile(buckets, 0.95), p99=quantile(buckets, 0.99))


class Times:
    """Waiting and handling of one message type."""

    __slots__ = ("handle", "wait")

    def __init__(self) -> None:
        self.wait = histogram()
        self.handle = histogram()


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
    """What operators see of one actor. Times in seconds, *rate* in messages a second over the last few seconds."""

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
    queued: int
    dead: int
    rate: float
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
    tracing: bool
    times: Mapping[str, Mapping[str, Latency]]


@attrs.frozen(kw_only=True)
class Waiting:
    """An edge of the wait-for graph: *asker* waits for *target* to answer *message* since *age* seconds.

    *job* names the asker's job when it waits beside its mailbox; *answering* the job that the target has charged with the answer.
    """

    asker: str
    job: str
    target: str
    answering: str
    message: str
    age: float
    left: float | None
    """seconds until it times out"""


@attrs.frozen(kw_only=True)
class Lag:
    """How late the event loop ran its callbacks during the last minute, in seconds."""

    samples: int
    p50: float
    p99: float
    max: float


@attrs.frozen(kw_only=True)
class Blocked:
    """Once when something held the event loop: *at* is UNIX time, *actor* and *message* who did it as far as is known."""

    at: float
    seconds: float
    actor: str
    message: str
    stack: tuple[str, ...]


@attrs.frozen(kw_only=True)
class DeadLetterInfo:
    """A dead letter as operators see it; *message* is its text, cut short. Fields that are secret do not show there."""

    id: int
    at: float
    to: str
    sender: str
    reason: str
    type: str
    message: str
    error: str | None
    replayable: bool
