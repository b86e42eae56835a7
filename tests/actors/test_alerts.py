"""actors.alerts, actors.notifier: whole stories over a collector, with the clock in the test's hand."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from actors.alertbook import AlertBook
from actors.alerting import (
    Acknowledge,
    EndSilence,
    GetChanges,
    GetDecisions,
    ListAlerts,
    ListRules,
    Pair,
    PutRule,
    PutSilence,
    Silence,
)
from actors.alerts import AlertEvaluator, Reflag, Tick
from actors.channels import Outlets, Subscribe
from actors.chunks import ChunkStore
from actors.notifier import EXPIRES, Again, Due, Receivers, Refresh
from actors.runtime import ActorSystem, Ref
from actors.runtime.inspect import describe
from actors.samples import Ingest, Line
from actors.storage import Database
from actors.telemetry import TelemetryCollector
from actors.times import rfc3339
from actors.topology import ImportTopology, TopologyStore
from paranet.errors import AlreadyExists, WrongState
from paranet.interop.registry import read
from paranet.metrics.alerts.rule import Rule, read_rule
from paranet.metrics.labels import labels_of
from tests.actors.conftest import Clock
from tests.actors.recorder import Recorder

T = 10.0
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


@pytest.fixture
async def bench(tmp_path: Path, clock: Clock) -> AsyncIterator[Bench]:
    async with evaluating(tmp_path, clock) as started:
        yield started


async def test_an_alert_lives_its_life(bench: Bench) -> None:
    """Pending until `for` has passed, firing, recovering for `keep_firing_for`, resolved; every step is in the history."""
    await bench.put(expr="heat > 5", **{"for": "10s"}, keep_firing_for="10s", annotations={"summary": "{{ $labels.node }} at {{ $value }}"})
    await bench.feed("heat", 9, node="a")
    assert await bench.turn() == {"a": "pending"}
    assert await bench.turn(9) == {"a": "pending"}
    assert await bench.turn(1) == {"a": "firing"}
    (alert,) = await bench.shown()
    assert (alert["annotations"], alert["value"]) == ({"summary": "a at 9"}, 9)
    bench.clock.now += 1
    await bench.feed("heat", 1, node="a")
    assert await bench.turn() == {"a": "recovering"}
    bench.clock.now += 1
    await bench.feed("heat", 9, node="a")
    assert await bench.turn() == {"a": "firing"}
    bench.clock.now += 1
    await bench.feed("heat", 1, node="a")
    await bench.turn()
    assert await bench.turn(10) == {"a": "resolved"}
    rows = await bench.alerts.ask(GetChanges(alert=alert["id"], limit=100, before=1 << 62), timeout=T)
    assert [row["after"] for row in reversed(rows)] == ["pending", "firing", "recovering", "firing", "recovering", "resolved"]


async def test_hysteresis(bench: Bench) -> None:
    """A firing alert with `clear_expr` goes when that holds, not before."""
    await bench.put(expr="heat > 5", clear_expr="heat < 3")
    for value, state in ((9, "firing"), (4, "firing"), (5, "firing"), (2, "resolved"), (4, None), (6, "firing")):
        await bench.feed("heat", value, node="a")
        states = await bench.turn()
        assert states["a"] == (state or "resolved")
        bench.clock.now += 1


@pytest.mark.parametrize(("policy", "state"), [("hold", "firing"), ("resolve", "resolved"), ("fire", "firing")])
async def test_missing_data(bench: Bench, policy: str, state: str) -> None:
    """When the series is gone the rule says so itself, and the alert does what its policy says."""
    await bench.put(expr="heat > 5", on_missing=policy)
    await bench.feed("heat", 9, node="a")
    assert await bench.turn() == {"a": "firing"}
    assert await bench.turn(301) == {"a": state}
    rules = {rule.id: health for rule, health, *_ in await bench.alerts.ask(ListRules(), timeout=T)}
    assert rules["hot"] == "nodata"


async def test_a_rule_that_fails_says_so(bench: Bench) -> None:
    """Its alerts stay as they are."""
    await bench.put(expr="heat + on() cold > 5")
    await bench.feed("heat", 9, node="a")
    await bench.feed("cold", 1, node="a")
    assert await bench.turn() == {"Hot": "firing"}
    await bench.feed("cold", 1, node="b")
    await bench.turn()
    rules = {rule.id: (health, error) for rule, health, error, _ in await bench.alerts.ask(ListRules(), timeout=T)}
    assert rules["hot"][0] == "error"
    assert "duplicate series" in rules["hot"][1]
    assert await bench.states() == {"Hot": "firing"}


async def test_state_survives_a_restart(tmp_path: Path, clock: Clock) -> None:
    """Since when it fires, and who has taken notice."""
    async with evaluating(tmp_path, clock) as bench:
        await bench.put(expr="heat > 5")
        await bench.feed("heat", 9, node="a")
        await bench.turn()
        (alert,) = await bench.shown()
        await bench.alerts.ask(Acknowledge(id=alert["id"], by="ann", comment="mine"), timeout=T)
        (before,) = await bench.shown()
    clock.now += 60
    async with evaluating(tmp_path, clock) as bench:
        (after,) = await bench.shown()
    assert after == before
    assert after["acknowledged"]["by"] == "ann"


async def test_a_dead_device_silences_its_links_and_a_dead_link_its_losses(bench: Bench) -> None:
    """The hub knows the graph; evaluation goes on, and when the cause is over the flag is too."""
    await bench.put(id="node", name="Node", expr="up == 0", labels={"scope": "node"})
    await bench.put(id="link", name="Link", expr="link == 0", labels={"scope": "link"})
    await bench.put(id="loss", name="Loss", expr="loss > 0", labels={"scope": "flow"})
    await bench.feed("link", 0, link="a-b")
    await bench.feed("loss", 1, flow="f")
    await bench.turn()
    flags = {a["name"]: a["inhibited"] for a in await bench.shown()}
    assert flags["Link"] is None
    assert flags["Loss"].startswith("Link ")
    await bench.feed("up", 0, node="a")
    await bench.turn()
    assert {a["name"] for a in await bench.shown() if a["inhibited"]} == {"Link", "Loss"}
    bench.clock.now += 1
    await bench.feed("up", 1, node="a")
    await bench.turn()
    assert {a["name"]: bool(a["inhibited"]) for a in await bench.shown()} == {"Node": False, "Link": False, "Loss": True}


async def test_notices_are_grouped_sent_once_and_explained(bench: Bench) -> None:
    """One body a group; what was told is not told again; every decision is in the log."""
    await bench.put(expr="heat > 5", severity="critical")
    for node in "ab":
        await bench.feed("heat", 9, node=node)
    await bench.turn()
    (body,) = await bench.told()
    assert (body["version"], body["status"], len(body["alerts"])) == ("4", "firing", 2)
    assert body["groupLabels"] == {"alertname": "Hot"}
    assert body["commonLabels"] == {"alertname": "Hot", "severity": "critical"}
    assert len(await bench.told()) == 1
    bench.clock.now += 1
    for node in "ab":
        await bench.feed("heat", 1, node=node)
    await bench.turn()
    bodies = await bench.told()
    assert [b["status"] for b in bodies] == ["firing", "resolved"]
    assert await bench.decisions() == [("sent", "attempt 1")] * 2 + [("not-sent", "told already")] * 2 + [("sent", "attempt 1")] * 2


async def test_a_restart_remembers_what_was_told(tmp_path: Path, clock: Clock) -> None:
    """What fires still is not told again, and who was told that it fires is told that it is over."""
    async with evaluating(tmp_path, clock) as bench:
        await bench.put(expr="heat > 5")
        await bench.feed("heat", 9, node="a")
        await bench.turn()
        assert [body["status"] for body in await bench.told()] == ["firing"]
    clock.now += 60
    async with evaluating(tmp_path, clock) as bench:
        assert await bench.told() == []
        assert await bench.decisions() == [("sent", "attempt 1"), ("not-sent", "told already")]
        await bench.feed("heat", 1, node="a")
        await bench.turn()
        assert [body["status"] for body in await bench.told()] == ["resolved"]
    clock.now += 1
    async with evaluating(tmp_path, clock) as bench:
        await bench.feed("heat", 9, node="a")
        await bench.turn()
        assert [body["status"] for body in await bench.told()] == ["firing"]


async def test_a_group_that_is_gone_is_not_missed(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """The timer that would repeat it may still run: nothing is told, nothing crashes."""
    await bench.put(expr="heat > 5")
    await bench.feed("heat", 9, node="a")
    now = bench.clock.now
    silence = Silence(id="s1", matchers=(Pair(name="node", value="a"),), starts_at=now, ends_at=now + 60, by="ann")
    await bench.alerts.ask(PutSilence(silence=silence), timeout=T)
    await bench.turn()
    assert await bench.told() == []
    bench.clock.now += 1
    await bench.feed("heat", 1, node="a")
    await bench.turn()
    assert await bench.told() == []
    assert await bench.told() == []
    assert "crashed" not in caplog.text


async def test_an_alertmanager_hears_again_of_what_fires(tmp_path: Path, clock: Clock) -> None:
    """Each minute, with a time until which to believe it: it takes for over what is not repeated."""
    async with evaluating(tmp_path, clock, webhook="", alertmanager="http://am/") as bench:
        await bench.put(expr="heat > 5")
        for node in "ab":
            await bench.feed("heat", 9, node=node)
        await bench.turn()
        clock.now += 1
        await bench.feed("heat", 1, node="b")
        assert len(await bench.told()) == 1
        await bench.turn()
        await bench.told()
        clock.now += 60
        bench.system.ref("alerts/notifier").tell(Refresh())
        *_, refreshed = await bench.told()
    assert {url for url, _ in bench.post.bodies} == {"http://am/api/v2/alerts"}
    assert [(alert["labels"]["node"], alert["endsAt"]) for alert in refreshed] == [("a", rfc3339(clock.now + EXPIRES))]


async def test_what_is_quiet_is_not_told(bench: Bench) -> None:
    """Acknowledged or silenced: the log says which; a silence that ends lets the notice go."""
    await bench.put(expr="heat > 5")
    await bench.feed("heat", 9, node="a")
    now = bench.clock.now
    silence = Silence(id="s1", matchers=(Pair(name="node", value="a|b", regex=True),), starts_at=now, ends_at=now + 60, by="ann")
    await bench.alerts.ask(PutSilence(silence=silence), timeout=T)
    await bench.turn()
    assert await bench.told() == []
    assert await bench.decisions() == [("not-sent", "silenced by s1")]
    await bench.alerts.ask(EndSilence(id="s1"), timeout=T)
    assert len(await bench.told()) == 1
    (alert,) = await bench.shown()
    acknowledged = await bench.alerts.ask(Acknowledge(id=alert["id"], by="ann", until=now + 5), timeout=T)
    assert acknowledged["acknowledged"]["by"] == "ann"
    bench.clock.now += 6
    bench.alerts.tell(Reflag())
    (alert,) = await bench.shown()
    assert alert["acknowledged"] is None
    await bench.feed("heat", 1, node="a")
    await bench.turn()
    with pytest.raises(WrongState):
        await bench.alerts.ask(Acknowledge(id=alert["id"], by="ann"), timeout=T)


async def test_a_receiver_that_fails_is_tried_again(bench: Bench) -> None:
    """503 is worth another attempt, 400 is not."""
    await bench.put(expr="heat > 5")
    await bench.feed("heat", 9, node="a")
    bench.post.statuses = [503]
    await bench.turn()
    await bench.told()
    first, *later = await bench.decisions()
    assert first == ("retry", "HTTP 503: again in 1 s")
    assert later in ([], [("sent", "attempt 2")])  # on a slow machine the next attempt is over as well
    bench.clock.now += 1
    bench.post.statuses = [400]
    await bench.feed("heat", 1, node="a")
    await bench.turn()
    await bench.told()
    assert ("failed", "HTTP 400: not tried again") in await bench.decisions()


async def test_each_receiver_is_told_what_it_has_not_heard(tmp_path: Path, clock: Clock) -> None:
    """Who refused a notice gets it again with the next; that it is over hears who heard that it fires, also after a restart."""
    hook, manager = "http://x/hook", "http://am"
    async with evaluating(tmp_path, clock, webhook=hook, alertmanager=manager) as bench:
        await bench.put(expr="heat > 5")
        await bench.feed("heat", 9, node="a")
        await bench.turn()
        bench.post.refusing = hook
        await bench.told()
        assert sorted(await bench.decisions()) == [("failed", "HTTP 400: not tried again"), ("sent", "attempt 1")]
        bench.post.refusing = manager
        await bench.told()
        assert [url for url, _ in bench.post.bodies] == [f"{manager}/api/v2/alerts", hook]
        assert sorted((await bench.decisions())[2:]) == [("not-sent", "told already"), ("sent", "attempt 1")]
        await bench.feed("heat", 9, node="b")
        bench.post.refusing = hook
        await bench.turn(1)
        await bench.told()
        assert [[alert["labels"]["node"] for alert in body] for _, body in bench.post.bodies[2:]] == [["b"]]
    clock.now += 60
    async with evaluating(tmp_path, clock, webhook=hook, alertmanager=manager) as bench:
        for node in "ab":
            await bench.feed("heat", 1, node=node)
        await bench.turn()
        await bench.told()
        bodies = dict(bench.post.bodies)
        assert [alert["labels"]["node"] for alert in bodies[hook]["alerts"]] == ["a"]
        assert sorted(alert["labels"]["node"] for alert in bodies[f"{manager}/api/v2/alerts"]) == ["a", "b"]
        assert ("not-sent", "it was not told that it fired") in await bench.decisions()


async def test_a_late_attempt_does_not_undo_what_is_newer(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """That an alert fires is not told after the word that it is over."""
    monkeypatch.setattr("actors.notifier.BACKOFF", (3600.0,))
    await bench.put(expr="heat > 5")
    await bench.feed("heat", 9, node="a")
    bench.post.statuses = [503]
    await bench.turn()
    assert await bench.told() == []
    late = Again(group="Hot", receiver="webhook", alerts=await bench.shown(), attempt=1)
    bench.clock.now += 1
    await bench.feed("heat", 1, node="a")
    await bench.turn()
    await bench.told()
    bench.system.ref("alerts/notifier").tell(late)
    assert [body["status"] for body in await bench.told()] == ["resolved"]
    assert (await bench.decisions())[-1] == ("not-sent", "overtaken by what came of it since")


async def test_one_busy_receiver_makes_no_other_forget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was told is remembered for each receiver apart, however many decisions the log has seen since."""
    monkeypatch.setattr("actors.alertbook.KEEP", 1)
    monkeypatch.setattr("actors.alertbook.KEEP_TOLD", 2)
    control = await Database.open(tmp_path / "control.sqlite3", "control")
    book = AlertBook(control)

    async def sent(receiver: str, alert: str, at: float, state: str = "firing") -> None:
        await book.decide([(at, alert, {"decision": "sent", "state": state, "receiver": receiver, "reason": "attempt 1"})])

    await sent("webhook", "x", 1.0)
    for at in (2.0, 3.0, 4.0):
        await sent("alertmanager", f"y{at:g}", at)
    assert await book.told() == {("webhook", "x"): 1.0, ("alertmanager", "y3"): 3.0, ("alertmanager", "y4"): 4.0}
    await sent("alertmanager", "y4", 5.0, "resolved")
    assert await book.told() == {("webhook", "x"): 1.0, ("alertmanager", "y3"): 3.0}
    assert len(await book.decisions(None, 10, 1 << 62)) == 1
    await control.close()


async def test_flapping_is_seen_and_quiet(bench: Bench) -> None:
    """More changes than `high` within ten minutes; below `low` it is over."""
    await bench.put(expr="heat > 5", flap={"high": 3, "low": 2})
    for i in range(5):
        await bench.feed("heat", 9 if i % 2 == 0 else 1, node="a")
        await bench.turn()
        bench.clock.now += 10
    (alert,) = await bench.shown()
    assert alert["flapping"] is True
    bench.clock.now += 600
    await bench.feed("heat", 9, node="a")
    await bench.turn()
    (alert,) = await bench.shown()
    assert alert["flapping"] is False


async def test_the_channel_shows_states(bench: Bench) -> None:
    """A snapshot, then each alert as it changes, keyed by id."""
    recorder = Recorder()
    bench.outlets.add("ws/1", recorder)
    await bench.alerts.ask(Subscribe(channel="alerts", subscriber="ws/1", reply_to=0), timeout=T)
    await bench.put(expr="heat > 5")
    await bench.feed("heat", 9, node="a")
    await bench.turn()
    assert [(item["state"], item["labels"]["node"]) for item in recorder.items] == [("firing", "a")]


async def test_rules_that_are_triggered_by_samples(bench: Bench) -> None:
    """Evaluated as soon as a sample of their metrics has come."""
    recorder = Recorder()
    bench.outlets.add("ws/1", recorder)
    await bench.alerts.ask(Subscribe(channel="alerts", subscriber="ws/1", reply_to=0), timeout=T)
    await bench.put(expr="heat > 5", trigger="sample")
    await bench.feed("heat", 9, node="a")
    await recorder.until(lambda r: r.items)
    assert recorder.items[0]["state"] == "firing"


async def test_rules_are_kept_and_the_first_ones_come_once(tmp_path: Path, clock: Clock) -> None:
    """A default rule that was changed or deleted does not come back."""
    async with evaluating(tmp_path, clock) as bench:
        ids = [rule.id for rule, *_ in await bench.alerts.ask(ListRules(), timeout=T)]
        assert {"device-unreachable", "link-down", "link-busy", "packet-loss", "deployment-failed", "deployment-rolled-back"} <= set(ids)
        rules = {rule.id: rule for rule, *_ in await bench.alerts.ask(ListRules(), timeout=T)}
        with pytest.raises(AlreadyExists):
            await bench.alerts.ask(PutRule(rule=rules["link-down"], new=True), timeout=T)
        await bench.alerts.ask(PutRule(rule=attrs.evolve(rules["link-down"], enabled=False), new=False), timeout=T)
    async with evaluating(tmp_path, clock) as bench:
        rules = {rule.id: rule for rule, *_ in await bench.alerts.ask(ListRules(), timeout=T)}
        assert list(rules) == ids
        assert rules["link-down"].enabled is False
