"""A device's running, candidate and startup configuration, and the confirmed commit between them (RFC 6241, 8.3 and 8.4)."""

from collections.abc import Callable

from paranet.errors import DeviceError
from paranet.models.device import Change, Delta, Row, RowKey, Rows, fingerprint


class Datastore:
    """The rows of one device. Time is told to it (`elapse`); writing the startup rows to flash is the caller's work.

    *changed* is called with every change of the running rows.
    """

    def __init__(self, node_id: str, startup: Rows, changed: Callable[[], None] = lambda: None) -> None:
        self._changed = changed
        self.startup: Rows = dict(startup)
        self.version = 0
        """Raised with every change of the running rows."""
        self._node_id = node_id
        self._running: dict[RowKey, Row] = dict(startup)
        self._candidate: Delta | None = None
        self._committed: Delta | None = None
        self._left: float | None = None
        self._undone = False

    @property
    def running(self) -> Rows:
        """The rows that forward traffic now."""
        return self._running

    @property
    def awaits_confirm(self) -> bool:
        """Tell whether a commit reverts by itself unless it is confirmed."""
        return self._left is not None

    @property
    def unsaved(self) -> bool:
        """Tell whether a power cycle would change the running rows."""
        return self._running != self.startup

    def stage(self, delta: Delta, *, base: str) -> None:
        """Hold *delta* ready. Raise DeviceError when it was made for other rows than these."""
        if self.awaits_confirm:
            why = "an earlier commit still waits to be confirmed"
            raise DeviceError(f"{self._node_id}: {why}", node=self._node_id, unconfirmed=True)
        if base != fingerprint(self._running):
            raise self._refusal("the rows are not those the change was made for")
        for change in delta.changes:
            self._check_before(change)
        self._candidate = delta
        self._committed = None

    def commit(self, *, confirm_within: float | None) -> None:
        """Make the candidate live. Repeating it changes nothing but starts the time to confirm again."""
        if self._candidate is not None:
            self._apply(self._candidate)
            self._committed, self._candidate = self._candidate, None
            self._undone = False
        elif self._committed is None:
            raise self._refusal("the commit was not confirmed in time and is undone" if self._undone else "nothing is staged")
        elif self._left is None:
            return  # it is kept already
        self._left = confirm_within

    def confirm(self) -> None:
        """Keep what was committed; nothing to confirm is fine, but a commit that was undone meanwhile is a DeviceError."""
        if self._undone:
            raise self._refusal("the commit was not confirmed in time and is undone")
        self._left = None

    def discard(self) -> None:
        """Forget the candidate."""
        self._candidate = None

    def revert(self, inverse: Delta) -> None:
        """Make the rows of *inverse* as they were, whatever happened since."""
        self._apply(inverse)
        self._candidate = self._committed = self._left = None
        self._undone = False

    def change(self, key: RowKey, row: Row | None) -> None:
        """Change a row past all checks, as somebody on the device's own console does."""
        self._apply(Delta(changes=(Change(before=self._running.get(key), after=row),)))

    def elapse(self, seconds: float) -> None:
        """Let time pass; a commit that was not confirmed in it is undone."""
        if self._left is None:
            return
        self._left -= seconds
        if self._left <= 0:
            self._undo()

    def restart(self) -> None:
        """Come back with the startup rows, as after a power cycle."""
        undone = self._undone or self.awaits_confirm
        self._running = dict(self.startup)
        self._candidate = self._committed = self._left = None
        self._undone = undone
        self._moved()

    def _undo(self) -> None:
        if self._committed is not None:
            self._apply(self._committed.inverse())
        self._committed = self._left = None
        self._undone = True

    def _apply(self, delta: Delta) -> None:
        for change in delta.changes:
            if change.after is None:
                self._running.pop(change.id, None)
            else:
                self._running[change.id] = change.after
        self._moved()

    def _moved(self) -> None:
        self.version += 1
        self._changed()

    def _check_before(self, change: Change) -> None:
        installed, expected = self._running.get(change.id), change.before
        if installed is expected or (installed and expected and expected.same_state(installed)):
            return
        family, key = change.id
        message = f"{self._node_id}: {family} {key}: the installed row is not the one the change expects"
        raise DeviceError(message, node=self._node_id, row=[family, key])

    def _refusal(self, message: str) -> DeviceError:
        return DeviceError(f"{self._node_id}: {message}", node=self._node_id)
