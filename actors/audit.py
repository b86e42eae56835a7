"""Audit: owns the log of who did what to the hub. An entry is on disk before its writer goes on."""

from collections.abc import Callable, Mapping

import attrs

from actors.runtime import Actor, Request, handles
from actors.storage import Database, once
from paranet.codec import structure

REFUSED = 10_000
"""refusals that are kept"""
_FORGET_REFUSED = "DELETE FROM audit WHERE refused AND id <= (SELECT id FROM audit WHERE refused ORDER BY id DESC LIMIT 1 OFFSET ?)"


@attrs.frozen(kw_only=True)
class AuditEntry:
    """*at* is UNIX time in s, *outcome* is `ok` or the code of the error, *refused* tells that the door did not let it in."""

    id: int
    at: float
    author: str
    remote: str
    action: str
    target: str
    outcome: str
    refused: bool


@attrs.frozen(kw_only=True)
class Record(Request[None]):
    """Write one entry."""

    author: str
    remote: str
    action: str
    target: str
    outcome: str
    refused: bool = False


@attrs.frozen(kw_only=True)
class GetAudit(Request[tuple[AuditEntry, ...]]):
    """Return entries older than *before* (an id), newest first."""

    limit: int
    before: int


class Audit(Actor):
    """Append only, but for what was refused at the door: of that the newest REFUSED stay, since strangers make it."""

    def __init__(self, database: Database, now: Callable[[], float]) -> None:
        self._database = database
        self._now = now
        self._written = 0

    def inspect(self) -> Mapping[str, object]:
        return {"written": self._written}

    @handles
    async def record(self, message: Record) -> None:
        row = (self._now(), message.author, message.remote, message.action, message.target, message.outcome, message.refused)
        statements = [once("INSERT INTO audit (at, author, remote, action, target, outcome, refused) VALUES (?, ?, ?, ?, ?, ?, ?)", row)]
        if message.refused:
            statements.append(once(_FORGET_REFUSED, (REFUSED,)))
        await self._database.write(*statements)
        self._written += 1

    @handles
    async def get(self, message: GetAudit) -> tuple[AuditEntry, ...]:
        rows = await self._database.fetch(
            "SELECT id, at, author, remote, action, target, outcome, refused FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?",
            (message.before, message.limit),
        )
        names = ("id", "at", "author", "remote", "action", "target", "outcome", "refused")
        return tuple(structure(dict(zip(names, (*row[:-1], bool(row[-1])), strict=True)), AuditEntry) for row in rows)
