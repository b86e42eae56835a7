"""An alert evaluator with its notifier over a telemetry collector, with the clock and the receivers in the test's hand."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs

from actors.alertbook import AlertBook
from actors.alerting import (
    GetDecisions,
    ListAlerts,
    ListRules,
    PutRule,
)
from actors.alerts import AlertEvaluator, Tick
from actors.channels import Outlets
from actors.chunks import ChunkStore
from actors.notifier import Due, Receivers
from actors.runtime import ActorSystem, Ref
from actors.runtime.inspect import describe
from actors.samples import Ingest, Line
from actors.storage import Database
from actors.telemetry import TelemetryCollector
from actors.topology import ImportTopology, TopologyStore
from paranet.interop.registry import read
from paranet.metrics.alerts.rule import Rule, read_rule
from paranet.metrics.labels import labels_of
from tests.actors.conftest import Clock

T = 10.0
"""s"""
NETWORK = {"nodes": [{"id": "a"}, {"id": "b"}], "links": [{"id": "a-b", "source": {"node": "a"}, "target": {"node": "b"}}]}


@attrs.define
class Post:
    """A receiver that keeps what it gets; *statuses* are what it answers before 200, and the address *refusing* is always answered 400."""

    bodies: list[Any] = attrs.field(factory=list)
    statuses: list[int] = attrs.field(factory=list)
    refusing: str = ""

    async def __call__(self, url: str, body: bytes) -> int:
        if url == self.refusing:
            return 400
        if self.statuses:
            return self.statuses.pop(0)
        self.bodies.append((url, json.loads(body)))
        return 200


@attrs.define
class Bench:
    """An evaluator with the means to feed it."""

    system: ActorSystem
    outlets: Outlets
    alerts: Ref
    clock: Clock
    post: Post

    async def feed(self, metric: str, value: float, **labels: str) -> None:
        """Hand in a sample of now."""
        line = Line(labels=labels_of(metric, labels), times=(int(self.clock.now * 1000),), values=(value,))
        await self.system.ref("telemetry").ask(Ingest(lines=(line,)), timeout=T)

    async def turn(self, seconds: float = 0.0, interval: float = 3600.0) -> dict[str, str]:
        """Let time pass, evaluate, and return the states by id-less key: name and labels."""
        self.clock.now += seconds
        self.alerts.tell(Tick(interval=interval))
        return await self.states()

    async def states(self) -> dict[str, str]:
        """Return the states once what is under way has ended."""
        await self.alerts.ask(ListRules(), timeout=T)
        cell = self.system.cell("alerts")
        assert cell is not None
        while cell.actor._busy:  # type: ignore[attr-defined]
            await self.alerts.ask(ListRules(), timeout=T)
        return {a["labels"].get("node", a["labels"].get("link", a["name"])): a["state"] for a in await self.shown()}

    async def shown(self) -> tuple[Any, ...]:
        return await self.alerts.ask(ListAlerts(), timeout=T)

    async def put(self, **body: Any) -> Rule:
        """Make a rule that is only evaluated when the test says so."""
        rule = read_rule({"name": "Hot", "interval": 3600, **body}, body.pop("id", "hot"))
        return await self.alerts.ask(PutRule(rule=rule, new=True), timeout=T)

    async def told(self, group: str = "Hot") -> list[Any]:
        """Let the notifier tell of a group now; return the bodies it has sent so far."""
        notifier = self.system.ref("alerts/notifier")
        await self.alerts.ask(ListRules(), timeout=T)
        cell = self.system.cell("alerts/notifier")
        assert cell is not None
        while cell.lane.queue or describe(cell).current:
            await self.alerts.ask(ListRules(), timeout=T)
        notifier.tell(Due(group=group))
        while cell.lane.queue or describe(cell).current or (cell.life is not None and len(cell.life.jobs)):
            await self.alerts.ask(ListRules(), timeout=T)
        return [body for _, body in self.post.bodies]

    async def decisions(self) -> list[tuple[str, str]]:
        rows = await self.alerts.ask(GetDecisions(alert=None, limit=100, before=1 << 62), timeout=T)
        return [(row["decision"], row["reason"]) for row in reversed(rows)]


@asynccontextmanager
async def evaluating(folder: Path, clock: Clock, *, webhook: str = "http://x/hook", alertmanager: str = "") -> AsyncIterator[Bench]:
    control = await Database.open(folder / "control.sqlite3", "control")
    telemetry = await Database.open(folder / "telemetry.sqlite3", "telemetry")
    outlets, post = Outlets(), Post()
    receivers = Receivers(post=post, webhook=webhook, alertmanager=alertmanager, group_wait=3600.0, start_delay=0.0)
    try:
        async with ActorSystem(now=clock) as system:
            limits = {"max_series": 1000}
            store = ChunkStore(telemetry)
            make = lambda: TelemetryCollector(store, outlets, clock, flush_every=3600.0, retention=7200.0, **limits)  # type: ignore[arg-type]  # noqa: E731
            await system.spawn("telemetry", make)
            topology = await system.spawn("topology", lambda: TopologyStore(control, outlets, clock, listeners=("alerts",)))
            network = read(json.dumps(NETWORK).encode(), format="json").topology
            await topology.ask(ImportTopology(author="x", topology=network, source="x"), timeout=T)
            alerts = await system.spawn("alerts", lambda: AlertEvaluator(AlertBook(control), outlets, clock, receivers))
            yield Bench(system, outlets, alerts, clock, post)
    finally:
        await telemetry.close()
        await control.close()
