"""The deploy journal: what every deployment was about to do, on disk before it does it, and how it ended."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import orjson

from actors.storage import Database, Transaction
from paranet.codec import structure, unstructure
from paranet.errors import NotFound
from paranet.orchestrator.plan import Plan

ENDINGS = frozenset({"succeeded", "rolled_back", "cancelled", "failed"})


@attrs.frozen(kw_only=True)
class DeviceState:
    """How far one device is."""

    node: str
    state: str
    message: str = ""


@attrs.frozen(kw_only=True)
class Wave:
    """Devices that are changed together."""

    index: int
    devices: tuple[DeviceState, ...]


@attrs.frozen(kw_only=True)
class Progress:
    """A deployment as operators see it. Times are UNIX s, *percent* never goes back, *reason* says why it did not succeed."""

    deploy_id: str
    compile_id: str | None
    rolls_back: str | None
    author: str
    state: str
    percent: int
    waves: tuple[Wave, ...]
    started_at: float
    ended_at: float | None = None
    reason: str | None = None
    inconsistent_devices: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Recorded:
    """A deployment as the journal has it."""

    progress: Progress
    plan: Plan
    epoch: str
    decided: bool


class Journal:
    """Reads and writes the tables `deployment` and `deploy_event`; every write is on disk when it returns."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, plan: Plan, progress: Progress, epoch: str, events: Sequence[Mapping[str, Any]]) -> None:
        """BEGIN: the plan with its inverses, before anything is sent."""
        async with self._database.transaction() as tx:
            await tx.execute(
                "INSERT INTO deployment (id, epoch, compile_id, rolls_back, author, started_at, plan, state, progress)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    progress.deploy_id,
                    epoch,
                    progress.compile_id,
                    progress.rolls_back,
                    progress.author,
                    progress.started_at,
                    orjson.dumps(unstructure(plan)).decode(),
                    progress.state,
                    orjson.dumps(unstructure(progress)).decode(),
                ),
            )
            await _append(tx, progress.deploy_id, events)

    async def note(self, progress: Progress, events: Sequence[Mapping[str, Any]], *, decide: bool = False) -> None:
        """Keep the progress and its events; with *decide* the deployment is to be confirmed from here on, whatever happens."""
        async with self._database.transaction() as tx:
            await tx.execute(
                "UPDATE deployment SET state = ?, progress = ?, ended_at = ?, decided = max(decided, ?) WHERE id = ?",
                (
                    progress.state,
                    orjson.dumps(unstructure(progress)).decode(),
                    progress.ended_at,
                    int(decide),
                    progress.deploy_id,
                ),
            )
            await _append(tx, progress.deploy_id, events)

    async def load(self, deploy_id: str) -> Recorded:
        """Return one deployment. Raise NotFound."""
        rows = await self._database.fetch("SELECT progress, plan, epoch, decided FROM deployment WHERE id = ?", (deploy_id,))
        if not rows:
            raise NotFound(f"there is no deployment {deploy_id[:60]!r}")
        progress, plan, epoch, decided = rows[0]
        return Recorded(
            progress=structure(orjson.loads(str(progress)), Progress),
            plan=structure(orjson.loads(str(plan)), Plan),
            epoch=str(epoch),
            decided=bool(decided),
        )

    async def unfinished(self) -> list[str]:
        """Return the ids of deployments without an ending, oldest first."""
        rows = await self._database.fetch("SELECT id FROM deployment WHERE ended_at IS NULL ORDER BY started_at")
        return [str(deploy_id) for (deploy_id,) in rows]

    async def events(self, deploy_id: str) -> list[dict[str, Any]]:
        """Return the whole event log of a deployment, in order."""
        rows = await self._database.fetch("SELECT body FROM deploy_event WHERE deployment = ? ORDER BY seq", (deploy_id,))
        return [orjson.loads(str(body)) for (body,) in rows]

    async def history(self, limit: int, before: str | None) -> list[Progress]:
        """Return deployments older than *before* (an id), newest first."""
        rows = await self._database.fetch("SELECT progress FROM deployment WHERE id < ? ORDER BY id DESC LIMIT ?", (before or "~", limit))
        return [structure(orjson.loads(str(progress)), Progress) for (progress,) in rows]


async def _append(tx: Transaction, deploy_id: str, events: Sequence[Mapping[str, Any]]) -> None:
    await tx.execute_many(
        "INSERT INTO deploy_event (deployment, seq, body) VALUES (?, ?, ?)",
        [(deploy_id, event["seq"], orjson.dumps(event).decode()) for event in events],
    )
