"""Named, ordered event streams with one writing actor each. A position is `epoch:offset`; the offset counts up by one an item."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

import attrs
import orjson

from actors.audience import EVERYTHING, Filter, Group, Outlet, Outlets, Seen, newest
from actors.frames import Frame
from actors.runtime import Request
from paranet.errors import InvalidInput

__all__ = ["EVERYTHING", "Channel", "Filter", "Outlet", "Outlets", "Position", "Subscribe", "Subscribed", "Unsubscribe", "keyed"]

RING_ITEMS = 10_000
RING_BYTES = 4 * 2**20
RING_AGE = 3600.0
SNAPSHOT_PART = 500
"""items of a list snapshot that go into one frame"""
REPLAY_PART = 64 * 2**10
"""bytes of a replay that go into one frame"""
REPLAY_MOST = 256 * 2**10
"""bytes that a client which lagged gets replayed of a channel with a state; for more it gets the state"""


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
class Subscribed:
    """How the channel took a subscriber in. *recovered*: everything since the given position was replayed; *conflated*: items spared it."""

    epoch: str
    offset: int
    recovered: bool
    conflated: int = 0


@attrs.frozen(kw_only=True)
class Subscribe(Request[Subscribed]):
    """Attach the outlet at *subscriber*; the answer, snapshot or replay and all later events are pushed into it in order.

    *reply_to* is echoed in the `ok` frame that comes first. None is a subscriber that refused a frame and goes on after *since*: it gets
    no `ok`, of each key only the newest where the channel knows keys, and `resync` where it cannot go on.
    *reader* is the id of the user who will read it; channels that belong to somebody are there for nobody else.
    """

    channel: str
    subscriber: str
    reply_to: int | str | None
    since: Position | None = None
    filter: Filter = EVERYTHING
    reader: str = ""


@attrs.frozen(kw_only=True)
class Unsubscribe(Request[None]):
    """Detach the outlet at *subscriber*; nothing of the channel is pushed into it after the answer."""

    channel: str
    subscriber: str


Select = Callable[[Any, Filter, Seen], Any]
"""Return the part of an item that a filter wants, or None for nothing. What is seen thereby is noted where the filter wants changes."""
Conflate = Callable[[Sequence[Any]], list[Any]]
"""Return fewer items that lead to the same state."""
Snapshot = Callable[[], Any]


def keyed(key: Callable[[Any], object]) -> Conflate:
    """Conflate to the newest item of each key."""
    return partial(newest, key=key)


class Channel:
    """One stream. Only its writing actor calls it, from its own loop; that is what makes snapshot + offset atomic."""

    def __init__(
        self,
        name: str,
        outlets: Outlets,
        *,
        epoch: str,
        offset: int = 0,
        select: Select | None = None,
        conflate: Conflate | None = None,
        clock: Callable[[], float] = time.monotonic,
        ring_items: int = RING_ITEMS,
        whole: bool = False,
    ) -> None:
        """A *whole* channel keeps all of its items: a log whose length its writer bounds."""
        self.name = name
        self.epoch = epoch
        self.offset = offset
        self._outlets = outlets
        self._select = select
        self._conflate = conflate
        self._clock = clock
        self._ring: deque[tuple[float, bytes]] = deque()  # when, the encoded item
        self._ring_items = ring_items
        self._whole = whole
        self._ring_bytes = 0

    @property
    def subscribers(self) -> int:
        """How many outlets are attached."""
        audience = self._outlets.audiences.get(self.name)
        return sum(len(group.members) for group in audience.groups.values()) if audience else 0

    @property
    def _start(self) -> int:
        """The position before the ring's first item."""
        return self.offset - len(self._ring)

    def publish(self, items: Sequence[Any]) -> None:
        """Append the items (plain JSON) and push them to every subscriber, encoded once for each distinct filter."""
        if items:
            first = self.offset + 1
            encoded = self.load(items)
            self._serve(items, encoded, first)

    def load(self, items: Sequence[Any]) -> list[bytes]:
        """Append items without pushing them: what a new instance of the writer knows from its store."""
        encoded = [orjson.dumps(item) for item in items]
        now = self._clock()
        self.offset += len(items)
        self._ring.extend((now, raw) for raw in encoded)
        self._ring_bytes += sum(map(len, encoded))
        self._trim(now)
        return encoded

    def reopen(self, snapshot: Snapshot | None) -> None:
        """Serve subscribers whom an earlier instance of the writer left: with what they miss, or with `resync` and everything."""
        audience = self._outlets.audiences.get(self.name)
        if audience is None:
            return
        audience.settle()
        if audience.epoch == self.epoch and self._start <= audience.offset <= self.offset:
            missing = self._since(audience.offset)
            if missing:
                self._serve([orjson.loads(raw) for raw in missing], missing, audience.offset + 1)
            return
        audience.epoch, audience.offset = self.epoch, self.offset
        for wanted, group in list(audience.groups.items()):
            group.seen = {}
            frames = self._snapshot(snapshot(), wanted, group.seen) if snapshot else self._replay(self._start, wanted, group.seen)
            for frame in (self._resync("restarted"), *frames):
                for outlet in list(group.members.values()):
                    outlet.push(frame)

    def attach(self, request: Subscribe, snapshot: Snapshot | None) -> Subscribed:
        """Push `ok`, then the replay since the given position or the snapshot, and from now on every event.

        *snapshot* returns the channel's state now, plain JSON; a log has none and replays its whole ring.
        """
        outlet = self._outlets.get(request.subscriber)
        since, wanted = request.since, request.filter if self._select else EVERYTHING
        recovered = self._holds(since, with_state=snapshot is not None and request.reply_to is None)
        if outlet is None:
            return Subscribed(epoch=self.epoch, offset=self.offset, recovered=recovered)
        audience = self._outlets.audiences.get(self.name)
        if audience is not None:
            audience.settle()
        if request.reply_to is not None:
            ok = {"type": "ok", "id": request.reply_to, "ch": self.name, "epoch": self.epoch, "offset": self.offset, "recovered": recovered}
            outlet.push(Frame.of(ok))
        elif not recovered:
            outlet.push(self._resync("overrun"))
        begin = since.offset if recovered and since is not None else self._start
        conflated = 0
        seen: Seen = {}
        frames: Iterator[Frame]
        if snapshot is not None and not recovered:
            frames = self._snapshot(snapshot(), wanted, seen)
        elif request.reply_to is None and self._conflate is not None:
            items, conflated = self._conflated(begin, wanted, seen)
            frames = iter(self._lagged(items, conflated, begin))
        else:
            frames = self._replay(begin, wanted, seen)
        self.detach(request.subscriber)
        if all(outlet.push(frame) for frame in frames):  # who refuses comes back for the rest
            joined = self._outlets.attach(self.name, request.subscriber, wanted)
            joined.epoch, joined.offset = self.epoch, self.offset
            group = joined.groups[wanted]
            group.seen = group.seen or seen  # whoever is there has seen everything up to now, as the newcomer has
        return Subscribed(epoch=self.epoch, offset=self.offset, recovered=recovered, conflated=conflated)

    def detach(self, subscriber: str) -> None:
        """Push nothing more to the subscriber."""
        self._outlets.detach(self.name, subscriber)

    # -- live

    def _serve(self, items: Sequence[Any], encoded: Sequence[bytes], first: int) -> None:
        audience = self._outlets.audiences.get(self.name)
        if audience is None:
            return
        audience.epoch, audience.offset = self.epoch, self.offset
        for wanted, group in list(audience.groups.items()):
            chosen = self._chosen(items, wanted, group.seen) if wanted.selects else items
            if wanted.interval and self._outlets.later is not None:
                self._hold(group, chosen, first, wanted.interval)
            elif chosen:
                parts = encoded if chosen is items else [orjson.dumps(item) for item in chosen]
                last = first + len(items) - 1
                self._outlets.send(group, self._events(parts, first, last), first, last)

    def _hold(self, group: Group, items: Sequence[Any], first: int, interval: float) -> None:
        """Send at once what comes after a pause; during the interval that follows keep back, of each key the newest."""
        if not group.held:
            group.first = first
        group.held += items
        if group.emit is None:
            group.emit = partial(self._emit, group)
            self._beat(group, interval)
        elif len(group.held) > 1 and self._conflate is not None:
            group.held = self._conflate(group.held)

    def _beat(self, group: Group, interval: float) -> None:
        if not group.held or group.emit is None:
            group.emit = None
            return
        group.emit()
        assert self._outlets.later is not None
        self._outlets.later(interval, partial(self._beat, group, interval))

    def _emit(self, group: Group) -> None:
        held, group.held = group.held, []
        if held:
            last = group.audience.offset
            self._outlets.send(group, self._events([orjson.dumps(item) for item in held], group.first, last), group.first, last)

    # -- from the ring

    def _holds(self, since: Position | None, *, with_state: bool) -> bool:
        """Tell whether everything since then is there to be replayed; where the state is shorter, it need not be."""
        if since is None or since.epoch != self.epoch or not self._start <= since.offset <= self.offset:
            return False
        return not with_state or self._conflate is not None or sum(map(len, self._since(since.offset))) <= REPLAY_MOST

    def _since(self, offset: int) -> list[bytes]:
        return [raw for _, raw in islice(self._ring, offset - self._start, None)]

    def _replay(self, offset: int, wanted: Filter, seen: Seen) -> Iterator[Frame]:
        """Yield everything after *offset* in frames of a bounded size."""
        part: list[bytes] = []
        size, first = 0, offset + 1
        for last, raw in enumerate(self._since(offset), start=offset + 1):
            kept = self._pick(raw, wanted, seen)
            if kept is not None:
                part.append(kept)
                size += len(kept)
            if size >= REPLAY_PART or (last == self.offset and part):
                yield self._framed(part, first, last)
                part, size, first = [], 0, last + 1

    def _pick(self, raw: bytes, wanted: Filter, seen: Seen) -> bytes | None:
        if not wanted.selects:
            return raw
        chosen = self._chosen([orjson.loads(raw)], wanted, seen)
        return orjson.dumps(chosen[0]) if chosen else None

    def _conflated(self, offset: int, wanted: Filter, seen: Seen) -> tuple[list[Any], int]:
        """Return the newest of what came after *offset*, and how many items that spares."""
        assert self._conflate is not None
        items = self._chosen([orjson.loads(raw) for raw in self._since(offset)], wanted, seen)
        kept = self._conflate(items)
        return kept, len(items) - len(kept)

    def _lagged(self, items: Sequence[Any], conflated: int, offset: int) -> list[Frame]:
        frames = [Frame.of({"type": "lag", "ch": self.name, "conflated": conflated})] if conflated else []
        if items:
            frames.append(self._framed([orjson.dumps(item) for item in items], offset + 1, self.offset))
        return frames

    def _chosen(self, items: Sequence[Any], wanted: Filter, seen: Seen) -> list[Any]:
        if not wanted.selects or self._select is None:
            return list(items)
        return [part for item in items if (part := self._select(item, wanted, seen)) is not None]

    # -- frames

    def _events(self, parts: Sequence[bytes], first: int, last: int) -> bytes:
        head = orjson.dumps({"type": "events", "ch": self.name, "epoch": self.epoch, "from": first, "to": last})
        return b'%b,"items":[%b]}' % (head[:-1], b",".join(parts))

    def _framed(self, parts: Sequence[bytes], first: int, last: int) -> Frame:
        return Frame(self._events(parts, first, last), channel=self.name, epoch=self.epoch, first=first, last=last)

    def _resync(self, reason: str) -> Frame:
        return Frame.of({"type": "resync", "ch": self.name, "reason": reason})

    def _snapshot(self, state: Any, wanted: Filter, seen: Seen) -> Iterator[Frame]:
        if wanted.selects and isinstance(state, list):
            state = self._chosen(state, wanted, seen)
        parts = [state]
        if isinstance(state, list) and len(state) > SNAPSHOT_PART:
            parts = [state[i : i + SNAPSHOT_PART] for i in range(0, len(state), SNAPSHOT_PART)]
        head: Mapping[str, Any] = {"type": "snapshot", "ch": self.name, "epoch": self.epoch, "offset": self.offset}
        for i, part in enumerate(parts):
            yield Frame.of({**head, "part": i, "last": i == len(parts) - 1, "data": part})

    def _trim(self, now: float) -> None:
        ring = self._ring
        while ring and not self._whole and (len(ring) > self._ring_items or self._ring_bytes > RING_BYTES or now - ring[0][0] > RING_AGE):
            self._ring_bytes -= len(ring.popleft()[1])
