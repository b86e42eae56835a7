"""Who listens to which channel. An outlet is where frames for one client go; clients with the same wish share what is sent."""

import sys
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import attrs

from actors.frames import Frame

TURN = 500
"""outlets that are served in one turn of the loop: however many there are, others wait for a few ms at most"""

Hook = Callable[[Callable[[], object]], object]
"""run something when the current turn of the loop is over"""
Seen = dict[Any, Any]
"""what a subscriber knows already, for filters that want changes only"""
Delay = Callable[[float, Callable[[], object]], object]
"""run something after so many seconds"""


@attrs.frozen(kw_only=True)
class Filter:
    """Which part of a channel's items a subscriber wants; equal filters share one encoding. Empty means all.

    *interval* in s: at most one frame in that time, with the newest value of each series. *changes*: only values that are
    others than before.
    """

    nodes: frozenset[str] = frozenset()
    metrics: frozenset[str] = frozenset()
    labels: frozenset[str] = frozenset()
    """`name=value`; of one name any value will do, of several names all must be there"""
    interval: float = 0.0
    changes: bool = False

    @property
    def selects(self) -> bool:
        """Whether some items are left out."""
        return bool(self.nodes or self.metrics or self.labels or self.changes)


EVERYTHING = Filter()


class Outlet(Protocol):
    """Where frames for one subscriber go. push never blocks and never raises."""

    def push(self, frame: Frame) -> bool:
        """Take a frame, or return False: then this and all later frames of its channel are not for it, until it subscribes again."""


class Group:
    """Subscribers of one channel with the same filter, and what is about to be sent to all of them."""

    __slots__ = ("_frame", "_left", "audience", "emit", "first", "held", "last", "members", "seen", "waiting")

    def __init__(self, audience: "Audience") -> None:
        self.audience = audience
        self.members: dict[str, Outlet] = {}
        self.waiting: list[bytes] = []
        self._frame: Frame
        self._left: list[str] = []
        """who has not got the frame yet"""
        self.first = self.last = 0
        self.held: list[Any] = []
        self.seen: Seen = {}
        self.emit: Callable[[], None] | None = None

    def add(self, payload: bytes, first: int, last: int) -> None:
        """Append a message about the items *first* to *last*."""
        if not self.waiting:
            self.first = first
        self.waiting.append(payload)
        self.last = last

    @property
    def pending(self) -> bool:
        """Whether somebody has not got what waits."""
        return bool(self.waiting or self._left)

    def flush(self, most: int) -> int:
        """Hand what waits to the members, to so many at most; return to how many. Who refuses is a member no more."""
        handed = 0
        while self.pending and handed < most:
            if not self._left:
                self._begin_round()
                continue
            handed += 1
            path = self._left.pop()
            outlet = self.members.get(path)
            if outlet is not None and not outlet.push(self._frame):
                del self.members[path]
        return handed

    def _begin_round(self) -> None:
        """Make one frame of what waits, for all who are members now."""
        audience = self.audience
        self._frame = Frame(*self.waiting, channel=audience.name, epoch=audience.epoch, first=self.first, last=self.last)
        self.waiting.clear()
        self._left = [*self.members]


class Audience:
    """Who is attached to a channel, by filter, and up to which position they have been served. It outlives the channel's writer."""

    __slots__ = ("epoch", "groups", "name", "offset")

    def __init__(self, name: str) -> None:
        self.name = name
        self.groups: dict[Filter, Group] = {}
        self.epoch = ""
        self.offset = 0

    def settle(self) -> None:
        """Send now what waits for its moment, so that who comes next does not get it too."""
        for group in list(self.groups.values()):
            if group.emit is not None:
                group.emit()
            group.flush(sys.maxsize)


class Outlets:
    """The outlets of this process by subscriber path, and what they are attached to.

    A message names its subscriber; only here the name becomes a live object. What is published in one turn of the loop goes out
    together at its end, when *soon* runs it, to many in several turns; without one it goes out at once.
    """

    def __init__(self, soon: Hook = lambda run: run(), later: Delay | None = None) -> None:
        self._by_path: dict[str, Outlet] = {}
        self._channels: dict[str, set[str]] = {}  # by path
        self._dirty: dict[Group, None] = {}
        self._soon = soon
        self.later = later
        self.audiences: dict[str, Audience] = {}

    def __len__(self) -> int:
        return len(self._by_path)

    def add(self, path: str, outlet: Outlet) -> None:
        """Make *outlet* reachable as *path*."""
        self._by_path[path] = outlet

    def remove(self, path: str) -> None:
        """Forget it, on every channel."""
        self._by_path.pop(path, None)
        for channel in list(self._channels.pop(path, ())):
            self.detach(channel, path)

    def get(self, path: str) -> Outlet | None:
        """Return the outlet while its client is there."""
        return self._by_path.get(path)

    def subscriptions(self, path: str) -> tuple[str, ...]:
        """Return the channels it is on."""
        return tuple(self._channels.get(path, ()))

    def attach(self, channel: str, path: str, wanted: Filter) -> Audience:
        """Put an outlet that is there on a channel, instead of where it was on it before."""
        self.detach(channel, path)
        audience = self.audiences.setdefault(channel, Audience(channel))
        group = audience.groups.setdefault(wanted, Group(audience))
        group.members[path] = self._by_path[path]
        self._channels.setdefault(path, set()).add(channel)
        return audience

    def detach(self, channel: str, path: str) -> None:
        """Take it off one channel; an audience without anybody is forgotten."""
        if path in self._channels:
            self._channels[path].discard(channel)
        audience = self.audiences.get(channel)
        if audience is None:
            return
        for wanted, group in list(audience.groups.items()):
            group.members.pop(path, None)
            if not group.members:
                del audience.groups[wanted]
        if not audience.groups:
            del self.audiences[channel]

    def send(self, group: Group, payload: bytes, first: int, last: int) -> None:
        """Have the group's members get a message, with whatever else this turn brings them."""
        group.add(payload, first, last)
        if not self._dirty:
            self._dirty[group] = None
            self._soon(self._flush)
        else:
            self._dirty[group] = None

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, {}
        left = TURN
        for group in dirty:
            if left > 0:
                left -= group.flush(left)
            if group.pending:
                self._dirty[group] = None
        if self._dirty:
            self._soon(self._flush)


def newest(items: Sequence[Any], key: Callable[[Any], object]) -> list[Any]:
    """Return the last item of each key, in the order of their coming."""
    kept: dict[object, Any] = {}
    for item in items:
        name = key(item)
        kept.pop(name, None)
        kept[name] = item
    return list(kept.values())
