"""The deploy journal: what every deployment was about to do, on disk before it does it, and how it ended."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs
import orjson

from actors.progress import Progress
from actors.storage import Database, Statement, for_each, once
from paranet.codec import structure, unstructure
from paranet.errors import NotFound
from paranet.models.device import Change, Row, RowKey, Rows
from paranet.orchestrator.plan import Plan

_BEGIN = (
    "INSERT INTO deployment (id, epoch, compile_id, rolls_back, author, started_at, plan, state, progress, token)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
    " plan = excluded.plan, state = excluded.state, progress = excluded.progress, token = excluded.token"
)


@attrs.frozen(kw_only=True)
class Recorded:
    """A deployment as the journal has it. *token* fences off those that held its devices before."""

    progress: Progress
    plan: Plan
    epoch: str
    decided: bool
    token: int = 0


@attrs.frozen(kw_only=True)
class Wanted:
    """Which deployments a history is asked for; None is any. Times are UNIX s, to the millisecond, both included."""

    limit: int
    before: str | None = None
    state: str | None = None
    author: str | None = None
    node: str | None = None
    since: float | None = None
    until: float | None = None


class Journal:
    """Reads and writes the deployments' tables; every write is on disk when it returns."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, recorded: Recorded, events: Sequence[Mapping[str, Any]]) -> None:
        """BEGIN: the plan with its inverses, before anything is sent. One that was queued gets the plan that it runs in the end."""
        progress = recorded.progress
        row = (
            progress.deploy_id,
            recorded.epoch,
            progress.compile_id,
            progress.rolls_back,
            progress.author,
            progress.started_at,
            _text(recorded.plan),
            progress.state,
            _text(progress),
            recorded.token,
        )
        await self._database.write(once(_BEGIN, row), _append(progress.deploy_id, events))

    async def note(self, progress: Progress, events: Sequence[Mapping[str, Any]], *, decide: Plan | None = None) -> None:
        """Keep the progress and its events; with *decide* that plan is to be confirmed from here on, whatever happens."""
        row = (progress.state, _text(progress), progress.ended_at, int(decide is not None), progress.deploy_id)
        await self._database.write(
            once("UPDATE deployment SET state = ?, progress = ?, ended_at = ?, decided = max(decided, ?) WHERE id = ?", row),
            _append(progress.deploy_id, events),
            *_expect({device.node: device.delta.changes for device in decide.devices} if decide else {}),
        )

    async def load(self, deploy_id: str) -> Recorded:
        """Return one deployment. Raise NotFound."""
        rows = await self._database.fetch("SELECT progress, plan, epoch, decided, token FROM deployment WHERE id = ?", (deploy_id,))
        if not rows:
            raise NotFound(f"there is no deployment {deploy_id[:60]!r}")
        progress, plan, epoch, decided, token = rows[0]
        return Recorded(
            progress=structure(orjson.loads(str(progress)), Progress),
            plan=structure(orjson.loads(str(plan)), Plan),
            epoch=str(epoch),
            decided=bool(decided),
            token=int(token or 0),
        )

    async def progress(self, deploy_id: str) -> Progress:
        """Return how far one deployment is, without its plan. Raise NotFound."""
        rows = await self._database.fetch("SELECT progress FROM deployment WHERE id = ?", (deploy_id,))
        if not rows:
            raise NotFound(f"there is no deployment {deploy_id[:60]!r}")
        return structure(orjson.loads(str(rows[0][0])), Progress)

    async def unfinished(self) -> list[str]:
        """Return the ids of deployments without an ending, oldest first."""
        rows = await self._database.fetch("SELECT id FROM deployment WHERE ended_at IS NULL ORDER BY started_at")
        return [str(deploy_id) for (deploy_id,) in rows]

    async def last_token(self) -> int:
        """Return the highest fencing token that was ever given."""
        ((token,),) = await self._database.fetch("SELECT max(token) FROM deployment")
        return int(token or 0)

    async def events(self, deploy_id: str) -> list[dict[str, Any]]:
        """Return the whole event log of a deployment, in order."""
        rows = await self._database.fetch("SELECT body FROM deploy_event WHERE deployment = ? ORDER BY seq", (deploy_id,))
        return [orjson.loads(str(body)) for (body,) in rows]

    async def history(self, wanted: Wanted) -> list[Progress]:
        """Return deployments, newest first."""
        asked = {
            "id < ?": wanted.before,
            "state = ?": wanted.state,
            "author = ?": wanted.author,
            "started_at >= ?": wanted.since,
            "started_at < ? + 0.001": wanted.until,
            "EXISTS (SELECT 1 FROM json_each(plan, '$.devices') WHERE json_extract(value, '$.node') = ?)": wanted.node,
        }
        given = {clause: value for clause, value in asked.items() if value is not None}
        where = " AND ".join(given) or "1"
        rows = await self._database.fetch(
            f"SELECT progress FROM deployment WHERE {where} ORDER BY id DESC LIMIT ?",  # noqa: S608 - clauses of our own
            (*given.values(), wanted.limit),
        )
        return [structure(orjson.loads(str(progress)), Progress) for (progress,) in rows]

    async def standing(self, limit: int) -> list[str]:
        """Return the compilations of the newest deployments that succeeded and were not rolled back, newest first."""
        rows = await self._database.fetch(
            "SELECT id, compile_id, rolls_back FROM deployment WHERE state = 'succeeded'"
            " AND (compile_id IS NOT NULL OR rolls_back IS NOT NULL) ORDER BY id DESC LIMIT ?",
            (16 * limit,),
        )
        undone: set[str] = set()
        found: dict[str, None] = {}
        for deploy_id, compile_id, rolls_back in rows:
            if str(deploy_id) not in undone:  # what a rollback of a rollback undid is there again
                undone |= {str(rolls_back)} if rolls_back else set()
                found |= {str(compile_id): None} if compile_id else {}
            if len(found) == limit:
                break
        return list(found)

    # -- keys of clients

    async def keep_key(self, author: str, key: str, request: str, deploy_id: str, at: float) -> str:
        """Remember what a client asked for under its key; return the deployment's id, that of whoever was first."""
        await self._database.write(once("INSERT OR IGNORE INTO deploy_key VALUES (?, ?, ?, ?, ?)", (author, key, request, deploy_id, at)))
        known = await self.of_key(author, key)
        return known[1] if known else deploy_id

    async def of_key(self, author: str, key: str) -> tuple[str, str] | None:
        """Return (request, deployment id) of a client's key, None for a new one."""
        rows = await self._database.fetch("SELECT request, deployment FROM deploy_key WHERE author = ? AND key = ?", (author, key))
        return (str(rows[0][0]), str(rows[0][1])) if rows else None

    # -- what the devices are expected to hold

    async def expected(self, nodes: Iterable[str] | None = None) -> dict[str, dict[RowKey, Row]]:
        """Return the rows that the hub has had installed, by node (of *nodes*, by default of all)."""
        wanted = None if nodes is None else set(nodes)
        found: dict[str, dict[RowKey, Row]] = {}
        for node, body in await self._database.fetch("SELECT node, body FROM expected"):
            if wanted is None or node in wanted:
                row = structure(orjson.loads(str(body)), Row)
                found.setdefault(str(node), {})[row.id] = row
        return found

    async def expect(self, changes: Mapping[str, Sequence[Change]]) -> None:
        """Take other rows for the expected ones, by node."""
        await self._database.write(*_expect(changes))


def _append(deploy_id: str, events: Sequence[Mapping[str, Any]]) -> Statement:
    rows = [(deploy_id, event["seq"], orjson.dumps(event).decode()) for event in events]
    return for_each("INSERT INTO deploy_event (deployment, seq, body) VALUES (?, ?, ?)", rows)


def _expect(changes: Mapping[str, Sequence[Change]]) -> tuple[Statement, Statement]:
    all_of_them = [(node, change) for node, of_node in changes.items() for change in of_node]
    gone = [(node, *change.id) for node, change in all_of_them if change.after is None]
    there = [(node, *change.id, _text(change.after)) for node, change in all_of_them if change.after is not None]
    return (
        for_each("DELETE FROM expected WHERE node = ? AND family = ? AND key = ?", gone),
        for_each("INSERT OR REPLACE INTO expected (node, family, key, body) VALUES (?, ?, ?, ?)", there),
    )


def installed_rows(rows: Rows, expected: Rows) -> dict[RowKey, Row]:
    """Return what a device shows with the owners that the hub knows of: most devices cannot remember them."""
    return {
        key: attrs.evolve(row, owners=known.owners) if not row.owners and (known := expected.get(key)) and known.same_state(row) else row
        for key, row in rows.items()
    }


def _text(value: object) -> str:
    return orjson.dumps(unstructure(value)).decode()
