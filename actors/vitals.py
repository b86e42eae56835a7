"""Vitals: the hub's own figures as samples beside all others, so that rules can be about the hub itself."""

from collections import Counter
from collections.abc import Callable, Mapping

import attrs

from actors.runtime import Actor, Message, handles
from actors.runtime.inspect import state_of
from actors.samples import Ingest, Line
from actors.storage import Database
from paranet.errors import ParaNetError, StorageFailed
from paranet.metrics.labels import labels_of

INTERVAL = 5.0
ENDINGS = ("succeeded", "failed", "rolled_back", "cancelled")
REASONS = ("duplicate", "out_of_order", "too_old", "over_limit", "in_future")
TABLES = ("series", "chunk", "rollup", "journal")


@attrs.frozen(kw_only=True)
class Beat(Message):
    """Time to take the figures."""


@attrs.frozen(kw_only=True)
class Taken(Message):
    """They are in, or not."""


class Vitals(Actor):
    """Restarts by type of actor, refused samples by reason, damaged rows by table, deployments by ending."""

    def __init__(self, control: Database, now: Callable[[], float], collector: str = "telemetry") -> None:
        self._control = control
        self._now = now
        self._collector = collector

    async def on_start(self) -> None:
        self._busy = False
        self.timers.every("beat", Beat(), interval=INTERVAL, first=0.0)

    def inspect(self) -> Mapping[str, object]:
        return {"interval": INTERVAL}

    @handles
    async def beat(self, message: Beat) -> None:
        if not self._busy:
            self._busy = True
            await self.pipe_to_self(self._take(), name="beat")

    async def _take(self) -> Message:
        figures = {("paranet_hub_actor_restarts_total", "type", name): float(n) for name, n in self._restarts().items()}
        cell = self.system.cell(self._collector)
        counts = state_of(cell) if cell is not None else {}
        for reason in REASONS:
            figures["paranet_hub_samples_rejected_total", "reason", reason] = float(str(counts.get(reason, 0)))
        damaged = counts.get("damaged")
        for table in TABLES:
            rows_of = damaged.get(table, 0) if isinstance(damaged, Mapping) else 0
            figures["paranet_hub_damaged_rows_total", "table", table] = float(rows_of)
        try:
            rows = await self._control.fetch("SELECT state, count(*) FROM deployment GROUP BY state LIMIT 100")
            endings = {str(state): n for state, n in rows}
            for state in ENDINGS:
                figures["paranet_hub_deployments_total", "state", state] = float(str(endings.get(state, 0)))
            at = int(self._now() * 1000)
            lines = tuple(Line(labels=labels_of(m, {k: v}), times=(at,), values=(value,)) for (m, k, v), value in figures.items())
            await self.system.ref(self._collector).ask(Ingest(lines=lines), timeout=INTERVAL)
        except (StorageFailed, ParaNetError):
            return Taken()  # the next beat is soon
        return Taken()

    def _restarts(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for cell in self.system.cells():
            found[type(cell.actor).__name__] += cell.restarts
        return found

    @handles
    async def taken(self, message: Taken) -> None:
        self._busy = False
