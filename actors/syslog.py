"""Syslog: keeps what the hub logs, in a ring that clients follow on channel `log` and in a table that is searched."""

import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import orjson

from actors.channels import Channel, Outlets, Subscribe, Subscribed, Unsubscribe
from actors.ids import epoch
from actors.runtime import Actor, Mailbox, Message, Overflow, Request, handles
from actors.runtime.frames import current
from actors.storage import Database, for_each, once
from actors.times import rfc3339
from paranet.errors import StorageFailed

FLUSH = 1.0
"""seconds between two writes to the table"""
KEEP = 100_000
"""entries of the table"""
RING = 2000
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}


@attrs.frozen(kw_only=True)
class Entry:
    """One line of the log; *at* in UNIX s, *fields* are what was passed beside the message."""

    at: float
    level: str
    logger: str
    message: str
    actor: str | None = None
    node: str | None = None
    deployment: str | None = None
    fields: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Logged(Message):
    """The hub has said something."""

    entry: Entry


@attrs.frozen(kw_only=True)
class Flush(Message):
    """Write to the table what has come."""


@attrs.frozen(kw_only=True)
class Wanted:
    """Which entries are meant: from *level* up, of an actor and those below it, about a node or deployment, with a text, in a time."""

    level: str = "debug"
    actor: str | None = None
    node: str | None = None
    deployment: str | None = None
    text: str | None = None
    start: float = 0.0
    end: float = 1e12

    def takes(self, item: Mapping[str, Any]) -> bool:
        """Tell whether an entry as it is published is meant."""
        actor = item["actor"] or ""
        return (
            LEVELS[item["level"]] >= LEVELS[self.level]
            and (self.actor is None or actor == self.actor or actor.startswith(f"{self.actor}/"))
            and self.node in (None, item["node"])
            and self.deployment in (None, item["deployment"])
            and (self.text is None or self.text.lower() in item["message"].lower())
        )


@attrs.frozen(kw_only=True)
class ReadLog(Request[tuple[Any, ...]]):
    """Return entries, newest first, older than the row *before*."""

    wanted: Wanted
    limit: int
    before: int


class Syslog(Actor):
    """What the log itself cannot write is lost and counted; nothing here logs, or it would never end."""

    mailbox = Mailbox(capacity=4096, lossy={Logged: Overflow.DROP_OLDEST})

    def __init__(self, database: Database, outlets: Outlets) -> None:
        self._database = database
        self._outlets = outlets

    async def on_start(self) -> None:
        self._waiting: deque[Entry] = deque(maxlen=10 * RING)
        self._lost = 0
        self._channel = Channel("log", self._outlets, epoch=epoch(), ring_items=RING)
        self._channel.reopen(None)
        self.timers.every("flush", Flush(), interval=FLUSH)

    async def on_stop(self) -> None:
        await self._flush()

    def inspect(self) -> Mapping[str, object]:
        return {"waiting": len(self._waiting), "lost": self._lost, "subscribers": self._channel.subscribers}

    @handles
    async def logged(self, message: Logged) -> None:
        self._waiting.append(message.entry)
        self._channel.publish([shown(message.entry)])

    @handles
    async def flush(self, message: Flush) -> None:
        await self._flush()

    async def _flush(self) -> None:
        rows = [
            (e.at, LEVELS[e.level], e.logger, e.message, e.actor, e.node, e.deployment, orjson.dumps(e.fields, default=str).decode())
            for e in self._waiting
        ]
        if not rows:
            return
        self._waiting.clear()
        try:
            await self._database.write(
                for_each(
                    "INSERT INTO log (at, level, logger, message, actor, node, deployment, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows
                ),
                once("DELETE FROM log WHERE id <= (SELECT max(id) FROM log) - ?", (KEEP,)),
            )
        except StorageFailed:
            self._lost += len(rows)

    @handles
    async def read(self, message: ReadLog) -> tuple[Any, ...]:
        await self._flush()
        wanted = message.wanted
        rows = await self._database.fetch(
            "SELECT id, at, level, logger, message, actor, node, deployment, body FROM log"
            " WHERE id < ?1 AND level >= ?2 AND at BETWEEN ?3 AND ?4"
            " AND (?5 IS NULL OR actor = ?5 OR substr(actor, 1, length(?5) + 1) = ?5 || '/')"
            " AND (?6 IS NULL OR node = ?6) AND (?7 IS NULL OR deployment = ?7) AND (?8 IS NULL OR instr(lower(message), lower(?8)) > 0)"
            " ORDER BY id DESC LIMIT ?9",
            (
                message.before,
                LEVELS[wanted.level],
                wanted.start,
                wanted.end,
                wanted.actor,
                wanted.node,
                wanted.deployment,
                wanted.text,
                message.limit,
            ),
        )
        names = {number: name for name, number in LEVELS.items()}
        return tuple(
            {
                "id": str(row),
                "at": rfc3339(float(str(at))),
                "level": names[int(str(level))],
                "logger": logger,
                "message": text,
                "actor": actor,
                "node": node,
                "deployment": deployment,
                "fields": orjson.loads(str(body)),
            }
            for row, at, level, logger, text, actor, node, deployment, body in rows
        )

    @handles
    async def subscribe(self, message: Subscribe) -> Subscribed:
        return self._channel.attach(message, None)

    @handles
    async def unsubscribe(self, message: Unsubscribe) -> None:
        self._channel.detach(message.subscriber)


def shown(entry: Entry) -> dict[str, Any]:
    """Return an entry as it is published: plain JSON."""
    item: dict[str, Any] = attrs.asdict(entry)
    item["at"] = rfc3339(entry.at)
    item["fields"] = orjson.loads(orjson.dumps(entry.fields, default=str, option=orjson.OPT_NON_STR_KEYS))
    return item


def speaking() -> str | None:
    """Return the path of the actor whose handler or job runs here, if one does."""
    frame = current.get(None)
    return frame.path if frame is not None else None


class Tap(logging.Handler):
    """A handler that hands records on; *tell* may be called from any thread."""

    def __init__(self, tell: Callable[[Entry], None], standard: frozenset[str]) -> None:
        super().__init__(logging.INFO)
        self._tell = tell
        self._standard = standard

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a record on."""
        fields = {name: value for name, value in vars(record).items() if name not in self._standard}
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"] = repr(record.exc_info[1])
        about = {name: str(fields.pop(name)) if name in fields else None for name in ("node", "deployment", "actor")}
        about["actor"] = about["actor"] or speaking()
        level = record.levelname.lower()
        self._tell(
            Entry(
                at=record.created,
                level=level if level in LEVELS else "info",
                logger=record.name,
                message=record.getMessage()[:4000],
                fields=fields,
                **about,
            )
        )
