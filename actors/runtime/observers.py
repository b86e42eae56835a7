"""Looking over one actor's shoulder for a while: a trace of its messages, a window on its state. Both leave by themselves."""

from collections import deque
from collections.abc import Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

import attrs

if TYPE_CHECKING:
    from actors.runtime.cell import Cell
    from actors.runtime.envelope import Envelope

MOST_MESSAGES = 10_000
MOST_SECONDS = 3600.0
MOST_CHANGES = 1000
MOST_KEYS = 500
"""values of a state that a window compares; a larger state is cut"""
LOOK_EVERY = 0.01
"""seconds between two looks at a state, however many messages there are"""
WINDOW_OPEN = 60.0
"""seconds a window stays open after it was last read"""
MISSING = None


class Observer(Protocol):
    """Somebody who is shown every message a cell has dealt with."""

    def saw(self, cell: "Cell", envelope: "Envelope", waited: float, handled: float, outcome: str) -> bool:
        """Take note; False: has seen enough."""


@attrs.frozen(kw_only=True)
class Traced:
    """One message: *at* is UNIX time, *wait* and *handle* are seconds.

    *outcome*: ok, deferred, stashed, late, expired, unhandled, crashed or `refused: <code>`.
    """

    at: float
    sender: str
    type: str
    wait: float
    handle: float
    outcome: str


class Trace:
    """The messages of one actor from now on: at most so many, for at most so long."""

    def __init__(self, cell: "Cell", *, messages: int, seconds: float) -> None:
        self.entries: list[Traced] = []
        self._system = cell.system
        self._messages = max(1, min(messages, MOST_MESSAGES))
        self._until = cell.system.clock() + min(seconds, MOST_SECONDS)

    @property
    def running(self) -> bool:
        """Whether more may come."""
        return len(self.entries) < self._messages and self._system.clock() < self._until

    def stop(self) -> None:
        """Take nothing more."""
        self._until = 0.0

    def saw(self, cell: "Cell", envelope: "Envelope", waited: float, handled: float, outcome: str) -> bool:
        """Record the message."""
        if self.running:
            at, kind = cell.system.now(), type(envelope.message).__name__
            self.entries.append(Traced(at=at, sender=envelope.sender_path, type=kind, wait=waited, handle=handled, outcome=outcome))
        return self.running


@attrs.frozen(kw_only=True)
class Change:
    """A value of the state that is not what it was: *key* is its path, *cause* the newest message handled before that was seen."""

    at: float
    key: str
    before: object
    after: object
    cause: str


class Window:
    """What changes in one actor's inspect() state. It opens when it is first read and closes when nobody reads it for a while."""

    def __init__(self, cell: "Cell") -> None:
        self._cell = cell
        self._changes: deque[Change] = deque(maxlen=MOST_CHANGES)
        self._state = flat(state_of(cell))
        self._looked = perf_counter()
        self._until = 0.0
        self._cause = ""
        self.read(0.0)

    @property
    def open(self) -> bool:
        """Whether it still looks."""
        return self._cell.system.clock() < self._until

    def read(self, seconds: float) -> list[Change]:
        """Return what changed in the last *seconds*, oldest first, and stay open."""
        self._until = self._cell.system.clock() + WINDOW_OPEN
        self._look()
        since = self._cell.system.now() - seconds
        return [change for change in self._changes if change.at >= since]

    def saw(self, cell: "Cell", envelope: "Envelope", _waited: float, _handled: float, _outcome: str) -> bool:
        """Compare the state with what it was, unless that was done just now."""
        self._cause = type(envelope.message).__name__
        if perf_counter() - self._looked >= LOOK_EVERY:
            self._look()
        return self.open

    def _look(self) -> None:
        before, after, at = self._state, flat(state_of(self._cell)), self._cell.system.now()
        for key in {**before, **after}:
            old, new = before.get(key, MISSING), after.get(key, MISSING)
            if old != new:
                self._changes.append(Change(at=at, key=key, before=old, after=new, cause=self._cause))
        self._state = after
        self._looked = perf_counter()


def state_of(cell: "Cell") -> dict[str, object]:
    """Return what the actor shows of its state; a failing inspect is shown, not raised."""
    try:
        return dict(cell.actor.inspect())
    except Exception as error:
        return {"inspect_failed": repr(error)}


def flat(state: Mapping[str, object]) -> dict[str, object]:
    """Return the state's values by their path, as text where they are no plain values."""
    found: dict[str, object] = {}
    left: list[tuple[str, object]] = [("", state)]
    while left and len(found) < MOST_KEYS:
        path, value = left.pop()
        if isinstance(value, Mapping):
            left.extend((f"{path}.{key}" if path else str(key), inner) for key, inner in reversed(list(value.items())))
        elif value is None or isinstance(value, bool | int | float | str):
            found[path] = value
        else:
            found[path] = repr(value)[:500]
    return found
