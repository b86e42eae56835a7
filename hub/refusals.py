"""Writes that were refused go into the audit log; a flood of them goes in as a number."""

import asyncio

from actors.audit import Record
from actors.runtime import Ref
from paranet.errors import Forbidden, ParaNetError, TooManyRequests, Unauthenticated

AT_THE_DOOR = (Unauthenticated, Forbidden, TooManyRequests)
"""refusals that anybody can cause at will, even without an account"""
WINDOW = 60.0
"""seconds in which the same refusal is written down once, and how often it came at their end"""
KINDS = 100
"""different refusals that are told apart in that time"""

Kind = tuple[str, str, str, str, str]


class Refusals:
    """Tells *audit* what was refused: at most twice KINDS entries and one a window."""

    def __init__(self, audit: Ref) -> None:
        self._audit = audit
        self._more: dict[Kind, int] = {}
        self._others = 0
        self._end: asyncio.TimerHandle | None = None

    def note(self, author: str, remote: str, action: str, target: str, error: ParaNetError) -> None:
        """Count one; the first of its kind is written down at once."""
        kind = author, remote, action, target[:200], error.code
        if kind in self._more:
            self._more[kind] += 1
        elif len(self._more) >= KINDS:
            self._others += 1
        else:
            self._more[kind] = 0
            self._write(kind)
            if self._end is None:
                self._end = asyncio.get_running_loop().call_later(WINDOW, self.flush)

    def flush(self) -> None:
        """Write down how many there were besides; a new window begins with the next."""
        if self._end is not None:
            self._end.cancel()
            self._end = None
        for kind, more in self._more.items():
            if more:
                self._write(kind, f" (and {more} times more)")
        if self._others:
            self._write(("", "", "", f"{self._others} of other kinds", "refused"))
        self._more, self._others = {}, 0

    def _write(self, kind: Kind, more: str = "") -> None:
        author, remote, action, target, outcome = kind
        self._audit.tell(
            Record(author=author, remote=remote, action=action, target=f"{target}{more}".strip(), outcome=outcome, refused=True)
        )
