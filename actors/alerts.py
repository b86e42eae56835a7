"""AlertEvaluator: owns the rules and the states of their alerts; evaluates, flags, publishes, and tells the notifier."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any

import attrs

from actors.alertbook import AlertBook
from actors.alerting import (
    Acknowledge,
    DeleteRule,
    EndSilence,
    GetAlert,
    GetChanges,
    GetDecisions,
    ListAlerts,
    ListRules,
    ListSilences,
    Notice,
    PutRule,
    PutSilence,
    Silence,
)
from actors.channels import Channel, Outlets, Subscribe, Subscribed, Unsubscribe, keyed
from actors.ids import epoch
from actors.inhibition import Graph, silenced_by
from actors.notifier import Notifier, Receivers
from actors.runtime import Actor, Mailbox, Message, Overflow, handles
from actors.samples import AssessRules, Touched, Watch
from actors.times import rfc3339
from actors.topology import GetTopology, TopologyChanged
from paranet.errors import AlreadyExists, NotFound, ParaNetError, StorageFailed, WrongState
from paranet.metrics.alerts.alert import Acknowledgement, Alert, Assessment, Change, Machine, shown_alert
from paranet.metrics.alerts.rule import Rule
from paranet.metrics.labels import NAME
from paranet.metrics.plan import needs

log = logging.getLogger(__name__)

ASK = 10.0
BATCH = 100
"""rules that are evaluated in one turn of the collector"""
LOOK_EVERY = 10
"""evaluations between two looks whether a quiet rule has data at all"""
FORGET = 900.0
"""seconds after which a resolved alert leaves the list"""
FLAGS = 5.0
"""seconds between two looks whether silences and acknowledgements still hold"""


@attrs.frozen(kw_only=True)
class Tick(Message):
    """Time to evaluate the rules of an interval."""

    interval: float


@attrs.frozen(kw_only=True)
class Assessed(Message):
    """What rules gave at a time (UNIX s); *results* are Assessments or errors, in the order of *rules*."""

    lane: str
    rules: tuple[str, ...]
    at: float
    results: tuple[Any, ...]


@attrs.frozen(kw_only=True)
class Reflag(Message):
    """Time to see which flags still hold."""


class AlertEvaluator(Actor):
    """Rules of one interval are evaluated together; those with `trigger: sample` whenever their metrics have come."""

    mailbox = Mailbox(capacity=4096, lossy={Touched: Overflow.DROP_OLDEST})

    def __init__(self, book: AlertBook, outlets: Outlets, now: Callable[[], float], receivers: Receivers) -> None:
        self._book = book
        self._outlets = outlets
        self._now = now
        self._receivers = receivers

    async def on_start(self) -> None:
        self._graph = Graph()
        self._busy: set[str] = set()
        self._again: set[str] = set()
        self._turn = 0
        self._intervals: set[float] = set()
        self._missed = 0
        self._silences = {s.id: s for s in await self._book.silences(self._now())}
        self._machines = {rule.id: Machine(rule) for rule in await self._book.rules()}
        self._by_id: dict[str, Alert] = {}
        for alert in await self._book.alerts():
            machine = self._machines.get(alert.rule)
            if machine is not None:
                machine.alerts[alert.key] = self._by_id[alert.id] = alert
        self._channel = Channel("alerts", self._outlets, epoch=epoch(), conflate=keyed(itemgetter("id")))
        self._channel.reopen(self._snapshot)
        await self.spawn("notifier", partial(Notifier, self._book, self._now, self._receivers))
        state = await self.system.ref("topology").ask(GetTopology(), timeout=ASK)
        self._graph.follow(state.topology)
        self.timers.every("flags", Reflag(), interval=FLAGS)
        for alert in self._by_id.values():
            if alert.is_loud:
                self._tell(alert)  # the notifier knows whether that has been said before
        self._plan()

    async def on_stop(self) -> None:
        self.system.ref("telemetry").tell(Watch(path=self.ref.path, metrics=frozenset()))

    def inspect(self) -> Mapping[str, object]:
        burning = sum(alert.is_loud for alert in self._by_id.values())
        return {"rules": len(self._machines), "alerts": len(self._by_id), "burning": burning, "missed": self._missed}

    def _plan(self) -> None:
        """Start a timer for each interval in use, and ask to be told of the metrics that others are about."""
        enabled = [m.rule for m in self._machines.values() if m.rule.enabled]
        wanted = {rule.interval for rule in enabled}
        for interval in self._intervals - wanted:
            self.timers.cancel(f"interval:{interval}")
        for interval in wanted - self._intervals:
            self.timers.every(f"interval:{interval}", Tick(interval=interval), interval=max(interval, 0.1))
        self._intervals = wanted
        self._watched: dict[str, list[str]] = {}
        for rule in enabled:
            if rule.trigger == "sample":
                for metric in metrics_of(rule):
                    self._watched.setdefault(metric, []).append(rule.id)
        self.system.ref("telemetry").tell(Watch(path=self.ref.path, metrics=frozenset(self._watched)))

    # Evaluation.

    @handles
    async def tick(self, message: Tick) -> None:
        self._turn += 1
        rules = [m.rule.id for m in self._machines.values() if m.rule.enabled and m.rule.interval == message.interval]
        await self._evaluate(f"interval:{message.interval}", rules)

    @handles
    async def touched(self, message: Touched) -> None:
        rules = {rule: None for metric in message.metrics for rule in self._watched.get(metric, ())}
        await self._evaluate("sample", list(rules))

    async def _evaluate(self, lane: str, rules: Sequence[str]) -> None:
        if not rules:
            return
        if lane in self._busy:
            if lane == "sample":
                self._again.update(rules)
            else:
                self._missed += 1
            return
        self._busy.add(lane)
        items = []
        for rule_id in rules:
            machine = self._machines[rule_id]
            look = bool(machine.alerts) or machine.rule.on_missing == "fire" or self._turn % LOOK_EVERY == 0
            items.append((machine.rule.node, machine.rule.clear_node, look))
        await self.pipe_to_self(self._assess(lane, tuple(rules), items), name=lane)

    async def _assess(self, lane: str, rules: tuple[str, ...], items: list[Any]) -> Message:
        at = self._now()
        found: list[Any] = []
        telemetry = self.system.ref("telemetry")
        for start in range(0, len(items), BATCH):
            batch = tuple(items[start : start + BATCH])
            try:
                found += await telemetry.ask(AssessRules(items=batch, at=int(at * 1000)), timeout=ASK)
            except ParaNetError as error:
                found += [error] * len(batch)
            await asyncio.sleep(0)
        return Assessed(lane=lane, rules=rules, at=at, results=tuple(found))

    @handles
    async def assessed(self, message: Assessed) -> None:
        self._busy.discard(message.lane)
        changes: list[Change] = []
        for rule_id, result in zip(message.rules, message.results, strict=True):
            machine = self._machines.get(rule_id)
            if machine is None or not machine.rule.enabled:
                continue
            if isinstance(result, Assessment):
                changes += machine.advance(result, message.at)
            else:
                machine.failed(result.detail)
        await self._take(changes)
        if message.lane == "sample" and self._again:
            again, self._again = [r for r in self._again if r in self._machines], set()
            await self._evaluate("sample", again)

    async def _take(self, changes: Sequence[Change]) -> None:
        """Keep, flag, publish and notify."""
        if not changes:
            return
        for change in changes:
            self._by_id[change.alert.id] = change.alert
        changed = {change.alert.id: change.alert for change in changes} | self._flagged()
        await self._keep(list(changed.values()), changes)
        self._channel.publish([self._shown(alert) for alert in changed.values()])
        told = {c.alert.id for c in changes if c.after in ("firing", "resolved")}
        for alert in changed.values():
            if alert.id in told or alert.is_loud:
                self._tell(alert)

    def _tell(self, alert: Alert) -> None:
        notifier = self.child("notifier")
        if notifier is not None:
            notifier.tell(Notice(alert=self._shown(alert), quiet=alert.quiet_because))

    async def _keep(self, alerts: Sequence[Alert], changes: Sequence[Change], gone: Sequence[str] = ()) -> None:
        try:
            await self._book.note(alerts, changes, gone)
        except StorageFailed as error:
            log.error("alerts are not on disk: %s", error.detail)  # the detail is what there is to say

    # Flags.

    def _flagged(self) -> dict[str, Alert]:
        """Set flags as they are now; return the alerts whose flags are others than before."""
        now, found = self._now(), {}
        loud = [a for a in self._by_id.values() if a.is_loud]
        sources = [a for a in loud if a.state == "firing" and a.labels.get("scope") in ("node", "link")]
        for alert in self._by_id.values():
            before = alert.silenced, alert.inhibited, alert.acknowledged
            alert.silenced = tuple(s.id for s in self._silences.values() if silenced_by(alert, s, now))
            explains = next((s for s in sources if s.id != alert.id and self._graph.explains(s, alert)), None)
            alert.inhibited = f"{explains.name} {explains.id}" if explains is not None else None
            if alert.acknowledged and alert.acknowledged.until is not None and alert.acknowledged.until <= now:
                alert.acknowledged = None
            if (alert.silenced, alert.inhibited, alert.acknowledged) != before:
                found[alert.id] = alert
        return found

    @handles
    async def reflag(self, message: Reflag) -> None:
        now = self._now()
        self._silences = {i: s for i, s in self._silences.items() if s.ends_at > now}
        gone = [alert for machine in self._machines.values() for alert in machine.forget(now, FORGET)]
        for alert in gone:
            self._by_id.pop(alert.id, None)
        await self._reflag(gone)

    async def _reflag(self, gone: Sequence[Alert] = ()) -> None:
        changed = self._flagged()
        if changed or gone:
            await self._keep(list(changed.values()), (), [a.id for a in gone])
            self._channel.publish([*map(self._shown, changed.values()), *({"id": a.id, "gone": True} for a in gone)])
        for alert in changed.values():
            if alert.is_loud:
                self._tell(alert)

    @handles
    async def topology_changed(self, message: TopologyChanged) -> None:
        self._graph.follow(message.state.topology)

    # Questions and orders.

    @handles
    async def list_alerts(self, message: ListAlerts) -> tuple[Any, ...]:
        alerts = [a for a in self._by_id.values() if a.state != "inactive"]
        alerts.sort(key=lambda a: (a.active_at or 0, a.id), reverse=True)
        return tuple(map(self._shown, alerts))

    @handles
    async def get_alert(self, message: GetAlert) -> Any:
        return self._shown(self._alert(message.id))

    @handles
    async def acknowledge(self, message: Acknowledge) -> Any:
        alert = self._alert(message.id)
        if alert.state not in ("pending", "firing", "recovering"):
            raise WrongState(f"alert {alert.id} is {alert.state}")
        told = Acknowledgement(by=message.by, at=self._now(), until=message.until, comment=message.comment)
        alert.acknowledged = None if message.withdraw else told
        await self._keep([alert], ())
        self._channel.publish([self._shown(alert)])
        self._tell(alert)
        return self._shown(alert)

    def _alert(self, alert_id: str) -> Alert:
        alert = self._by_id.get(alert_id)
        if alert is None:
            raise NotFound(f"there is no alert {alert_id[:60]!r}")
        return alert

    @handles
    async def list_rules(self, message: ListRules) -> tuple[Any, ...]:
        return tuple((m.rule, m.health, m.error, sum(a.is_loud for a in m.alerts.values())) for _, m in sorted(self._machines.items()))

    @handles
    async def put_rule(self, message: PutRule) -> Rule:
        rule = message.rule
        known = self._machines.get(rule.id)
        if message.new and known is not None:
            raise AlreadyExists(f"there is a rule {rule.id!r} already")
        if not message.new and known is None:
            raise NotFound(f"there is no rule {rule.id[:60]!r}")
        await self._book.put_rule(rule)
        same = known is not None and (known.rule.expr, known.rule.enabled) == (rule.expr, rule.enabled)
        if known is not None and not same:
            await self._end(known)
        self._machines[rule.id] = Machine(rule, known.alerts.values() if known is not None and same else ())
        self._plan()
        return rule

    @handles
    async def delete_rule(self, message: DeleteRule) -> None:
        machine = self._machines.get(message.id)
        if machine is None:
            raise NotFound(f"there is no rule {message.id[:60]!r}")
        await self._end(machine)
        await self._book.delete_rule(message.id)
        del self._machines[message.id]
        self._plan()

    async def _end(self, machine: Machine) -> None:
        """Let a rule's alerts be over: it is gone, off, or about something else."""
        now, changes = self._now(), []
        for alert in machine.alerts.values():
            before = alert.state
            if before in ("pending", "firing", "recovering"):
                alert.state = "inactive" if before == "pending" else "resolved"
                alert.resolved_at = now
                changes.append(Change(alert=alert, before=before, after=alert.state, at=now))
        await self._take(changes)
        for alert in machine.alerts.values():
            self._by_id.pop(alert.id, None)
        self._channel.publish([{"id": alert.id, "gone": True} for alert in machine.alerts.values()])

    @handles
    async def list_silences(self, message: ListSilences) -> tuple[Silence, ...]:
        return tuple(self._silences.values())

    @handles
    async def put_silence(self, message: PutSilence) -> Silence:
        await self._book.put_silence(message.silence)
        self._silences[message.silence.id] = message.silence
        await self._reflag()
        return message.silence

    @handles
    async def end_silence(self, message: EndSilence) -> None:
        silence = self._silences.pop(message.id, None)
        if silence is None:
            raise NotFound(f"there is no silence {message.id[:60]!r}")
        await self._book.put_silence(attrs.evolve(silence, ends_at=self._now()))
        await self._reflag()

    @handles
    async def get_changes(self, message: GetChanges) -> tuple[Any, ...]:
        return tuple(await self._book.changes(message.alert, message.limit, message.before))

    @handles
    async def get_decisions(self, message: GetDecisions) -> tuple[Any, ...]:
        return tuple(await self._book.decisions(message.alert, message.limit, message.before))

    def _shown(self, alert: Alert) -> dict[str, Any]:
        return shown_alert(alert, rfc3339)

    def _snapshot(self) -> list[dict[str, Any]]:
        return [self._shown(alert) for alert in self._by_id.values() if alert.state != "inactive"]

    @handles
    async def subscribe(self, message: Subscribe) -> Subscribed:
        return self._channel.attach(message, self._snapshot)

    @handles
    async def unsubscribe(self, message: Unsubscribe) -> None:
        self._channel.detach(message.subscriber)


def metrics_of(rule: Rule) -> set[str]:
    """Return the names of metrics that a rule looks at."""
    return {
        matcher.value
        for need in needs(rule.node, 0, 0)
        for matchers in need.selector.alternatives
        for matcher in matchers
        if matcher.name == NAME and matcher.operator == "="
    }
