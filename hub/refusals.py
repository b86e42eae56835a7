"""Writes that were refused go into the audit log; a flood of them goes in as a number."""

import asyncio
import logging

from actors.audit import Record
from actors.runtime import Ref
from paranet.errors import Forbidden, ParaNetError, TooManyRequests, Unauthenticated

log = logging.getLogger(__name__)

AT_THE_DOOR = (Unauthenticated, Forbidden, TooManyRequests)
"""refusals that anybody can cause at will, even without an account"""
WINDOW = 60.0
"""seconds in which the same refusal is written down once, and how often it came at their end"""
KINDS = 100
"""different refusals that are told apart in that time"""

CLOSES_WITHIN = 5.0

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
            self._audit.tell(_record(kind))
            if self._end is None:
                self._end = asyncio.get_running_loop().call_later(WINDOW, self.flush)

    def flush(self) -> None:
        """Write down how many there were besides; a new window begins with the next."""
        for record in self._rest():
            self._audit.tell(record)

    async def close(self) -> None:
        """Write it down and wait until it is written."""
        try:
            async with asyncio.TaskGroup() as group:
                for record in self._rest():
                    group.create_task(self._audit.ask(record, timeout=CLOSES_WITHIN))
        except* ParaNetError as errors:
            log.warning("the numbers of some refusals are lost: %s", errors.exceptions[0])

    def _rest(self) -> list[Record]:
        if self._end is not None:
            self._end.cancel()
            self._end = None
        records = [_record(kind, f" (and {more} times more)") for kind, more in self._more.items() if more]
        if self._others:
            records.append(_record(("", "", "", f"{self._others} of other kinds", "refused")))
        self._more, self._others = {}, 0
        return records


def _record(kind: Kind, more: str = "") -> Record:
    author, remote, action, target, outcome = kind
    return Record(author=author, remote=remote, action=action, target=f"{target}{more}".strip(), outcome=outcome, refused=True)
