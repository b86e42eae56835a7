"""Named, ordered event streams with one writing actor each. A position is `epoch:offset`; the offset counts up by one an item."""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
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


class Audience:
    """Who is attached to a channel, by filter, and up to which position they have been served. It outlives the channel's writer."""

    __slots__ = ("epoch", "groups", "offset")

    def __init__(self) -> None:
        self.groups: dict[Filter, dict[str, None]] = {}
        self.epoch = ""
        self.offset = 0


class Outlets:
    """The outlets of this process by subscriber path, and what they are attached to.

    A message names its subscriber; only here the name becomes a live object.
    """

    def __init__(self) -> None:
        self._by_path: dict[str, Outlet] = {}
        self.audiences: dict[str, Audience] = {}

    def add(self, path: str, outlet: Outlet) -> None:
        """Make *outlet* reachable as *path*."""
        self._by_path[path] = outlet

    def remove(self, path: str) -> None:
        """Forget it, on every channel."""
        self._by_path.pop(path, None)
        for channel in list(self.audiences):
            self.detach(channel, path)

    def detach(self, channel: str, path: str) -> None:
        """Take it off one channel; an audience without anybody is forgotten."""
        audience = self.audiences.get(channel)
        if audience is None:
            return
        for wanted, group in list(audience.groups.items()):
            if path in group:
                del group[path]
                if not group:
                    del audience.groups[wanted]
        if not audience.groups:
            del self.audiences[channel]

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

    @property
    def subscribers(self) -> int:
        """How many outlets are attached."""
        audience = self._outlets.audiences.get(self.name)
        return sum(len(group) for group in audience.groups.values()) if audience else 0

    def publish(self, items: Sequence[Any]) -> None:
        """Append the items (plain JSON) and push them to every subscriber, encoded once for each distinct filter."""
        if items:
            first = self.offset + 1
            self.load(items)
            self._serve(items, first)

    def load(self, items: Sequence[Any]) -> None:
        """Append items without pushing them: what a new instance of the writer knows from its store."""
        self.offset += len(items)
        now = self._clock()
        for item in items:
            size = len(orjson.dumps(item))
            self._ring.append((now, size, item))
            self._ring_bytes += size
        self._trim(now)

    def reopen(self, snapshot: Callable[[], Any] | None) -> None:
        """Serve subscribers whom an earlier instance of the writer left: with what they miss, or with `resync` and everything."""
        audience = self._outlets.audiences.get(self.name)
        if audience is None:
            return
        start = self.offset - len(self._ring)
        if audience.epoch == self.epoch and start <= audience.offset <= self.offset:
            self._serve([item for _, _, item in list(self._ring)[audience.offset - start :]], audience.offset + 1)
            return
        audience.epoch, audience.offset = self.epoch, self.offset
        resync = orjson.dumps({"type": "resync", "ch": self.name, "reason": "restarted"})
        for wanted, group in list(audience.groups.items()):
            frames = self._snapshot(snapshot(), wanted) if snapshot else [self._events([i for _, _, i in self._ring], start + 1, wanted)]
            for frame in (resync, *frames):
                self._push(group, frame)

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
        audience = self._outlets.audiences.setdefault(self.name, Audience())
        audience.epoch, audience.offset = self.epoch, self.offset
        audience.groups.setdefault(request.filter, {})[request.subscriber] = None
        return result

    def detach(self, subscriber: str) -> None:
        """Push nothing more to the subscriber."""
        self._outlets.detach(self.name, subscriber)

    def _serve(self, items: Sequence[Any], first: int) -> None:
        audience = self._outlets.audiences.get(self.name)
        if audience is None or not items:
            return
        audience.epoch, audience.offset = self.epoch, self.offset
        for wanted, group in list(audience.groups.items()):
            self._push(group, self._events(items, first, wanted))

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

    def _push(self, group: Mapping[str, None], frame: bytes | None) -> None:
        if frame is None:
            return
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
