"""Named, ordered event streams with one writing actor each. A position is `epoch:offset`; the offset counts up by one an item."""

import logging
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import attrs
import orjson

from actors.runtime import Request
from paranet.errors import InvalidInput

log = logging.getLogger(__name__)

RING_ITEMS = 10_000
RING_BYTES = 4 * 2**20
RING_AGE = 3600.0
SNAPSHOT_PART = 500
"""items of a list snapshot that go into one frame"""


@attrs.frozen(kw_only=True)
class Position:
    """A place in a channel, written `epoch:offset`: everything up to and including *offset* has been seen."""

    epoch: str
    offset: int

    @classmethod
    def parse(cls, text: str) -> "Position":
        """Read `epoch:offset`. Raise InvalidInput."""
        epoch, _, offset = text.partition(":")
        if not epoch or not offset.isascii() or not offset.isdigit() or len(offset) > 18:
            raise InvalidInput(f"{text[:60]!r} is not a position: write epoch:offset")
        return cls(epoch=epoch, offset=int(offset))


@attrs.frozen(kw_only=True)
class Filter:
    """Which part of a channel's items a subscriber wants; equal filters share one encoding. Empty means all."""

    nodes: frozenset[str] = frozenset()
    metrics: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.nodes or self.metrics)


@attrs.frozen(kw_only=True)
class Subscribed:
    """How the channel took a subscriber in. *recovered* tells whether everything since the given position was replayed."""

    epoch: str
    offset: int
    recovered: bool


@attrs.frozen(kw_only=True)
class Subscribe(Request[Subscribed]):
    """Attach the outlet at *subscriber*; the answer, snapshot or replay and all later events are pushed into it in order.

    *reply_to* is echoed in the `ok` frame that comes first.
    """

    channel: str
    subscriber: str
    reply_to: int | str
    since: Position | None = None
    filter: Filter = Filter()


@attrs.frozen(kw_only=True)
class Unsubscribe(Request[None]):
    """Detach the outlet at *subscriber*; nothing of the channel is pushed into it after the answer."""

    channel: str
    subscriber: str


class Outlet(Protocol):
    """Where frames for one subscriber go. push never blocks and never raises."""

    def push(self, frame: bytes) -> None:
        """Take one encoded frame."""


class Outlets:
    """The outlets of this process by subscriber path: a message names its subscriber, only here the name becomes a live object."""

    def __init__(self) -> None:
        self._by_path: dict[str, Outlet] = {}

    def add(self, path: str, outlet: Outlet) -> None:
        """Make *outlet* reachable as *path*."""
        self._by_path[path] = outlet

    def remove(self, path: str) -> None:
        """Forget it; channels drop it with their next publication."""
        self._by_path.pop(path, None)

    def get(self, path: str) -> Outlet | None:
        """Return the outlet while its client is there."""
        return self._by_path.get(path)

    def __len__(self) -> int:
        return len(self._by_path)


Select = Callable[[Any, Filter], Any]
"""Return the part of an item that a filter wants, or None for nothing."""


def _everything(item: Any, _filter: Filter) -> Any:
    return item


class Channel:
    """One stream. Only its writing actor calls it, from its own loop; that is what makes snapshot + offset atomic."""

    def __init__(
        self,
        name: str,
        outlets: Outlets,
        *,
        epoch: str,
        offset: int = 0,
        select: Select = _everything,
        clock: Callable[[], float] = time.monotonic,
        ring_items: int = RING_ITEMS,
    ) -> None:
        self.name = name
        self.epoch = epoch
        self.offset = offset
        self._outlets = outlets
        self._select = select
        self._clock = clock
        self._ring: deque[tuple[float, int, Any]] = deque()  # (when, bytes, item)
        self._ring_items = ring_items
        self._ring_bytes = 0
        self._groups: dict[Hashable, dict[str, None]] = {}

    @property
    def subscribers(self) -> int:
        """How many outlets are attached."""
        return sum(len(group) for group in self._groups.values())

    def publish(self, items: Sequence[Any]) -> None:
        """Append the items (plain JSON) and push them to every subscriber, encoded once for each distinct filter."""
        if not items:
            return
        first = self.offset + 1
        self.offset += len(items)
        for wanted, group in list(self._groups.items()):
            assert isinstance(wanted, Filter)
            frame = self._events(items, first, wanted)
            if frame is not None:
                self._push(group, frame)
        now = self._clock()
        for item in items:
            size = len(orjson.dumps(item))
            self._ring.append((now, size, item))
            self._ring_bytes += size
        self._trim(now)

    def attach(self, request: Subscribe, snapshot: Callable[[], Any] | None) -> Subscribed:
        """Push `ok`, then the replay since the given position or the snapshot, and from now on every event.

        *snapshot* returns the channel's state now, plain JSON; a log has none and replays its whole ring.
        """
        outlet = self._outlets.get(request.subscriber)
        since = request.since
        start = self.offset - len(self._ring)  # the position before the ring's first item
        recovered = since is not None and since.epoch == self.epoch and start <= since.offset <= self.offset
        result = Subscribed(epoch=self.epoch, offset=self.offset, recovered=recovered)
        if outlet is None:
            return result
        ok = {"type": "ok", "id": request.reply_to, "ch": self.name, "epoch": self.epoch, "offset": self.offset, "recovered": recovered}
        outlet.push(orjson.dumps(ok))
        if recovered or snapshot is None:
            begin = since.offset if recovered and since is not None else start
            missing = [item for _, _, item in list(self._ring)[begin - start :]]
            frame = self._events(missing, begin + 1, request.filter) if missing else None
            if frame is not None:
                outlet.push(frame)
        else:
            for frame in self._snapshot(snapshot(), request.filter):
                outlet.push(frame)
        self.detach(request.subscriber)
        self._groups.setdefault(request.filter, {})[request.subscriber] = None
        return result

    def detach(self, subscriber: str) -> None:
        """Push nothing more to the subscriber."""
        for wanted, group in list(self._groups.items()):
            if subscriber in group:
                del group[subscriber]
                if not group:
                    del self._groups[wanted]

    def _events(self, items: Iterable[Any], first: int, wanted: Filter) -> bytes | None:
        chosen = list(items)
        last = first + len(chosen) - 1
        if wanted:
            chosen = [part for item in chosen if (part := self._select(item, wanted)) is not None]
            if not chosen:
                return None
        return orjson.dumps({"type": "events", "ch": self.name, "epoch": self.epoch, "from": first, "to": last, "items": chosen})

    def _snapshot(self, state: Any, wanted: Filter) -> Iterable[bytes]:
        if wanted and isinstance(state, list):
            state = [part for item in state if (part := self._select(item, wanted)) is not None]
        parts = [state]
        if isinstance(state, list) and len(state) > SNAPSHOT_PART:
            parts = [state[i : i + SNAPSHOT_PART] for i in range(0, len(state), SNAPSHOT_PART)]
        for i, part in enumerate(parts):
            head = {"type": "snapshot", "ch": self.name, "epoch": self.epoch, "offset": self.offset}
            yield orjson.dumps({**head, "part": i, "last": i == len(parts) - 1, "data": part})

    def _push(self, group: Mapping[str, None], frame: bytes) -> None:
        for path in list(group):
            outlet = self._outlets.get(path)
            if outlet is None:
                self.detach(path)
            else:
                outlet.push(frame)

    def _trim(self, now: float) -> None:
        ring = self._ring
        while ring and (len(ring) > self._ring_items or self._ring_bytes > RING_BYTES or now - ring[0][0] > RING_AGE):
            self._ring_bytes -= ring.popleft()[1]
