"""Notifier: groups alerts, sends each group once it has settled, retries, and writes down why each notice was or was not sent."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import attrs
import orjson

from actors.alertbook import AlertBook
from actors.alerting import Notice
from actors.runtime import Actor, Mailbox, Message, handles
from actors.times import rfc3339
from paranet.errors import StorageFailed

log = logging.getLogger(__name__)

GROUP_INTERVAL = 30.0
"""seconds between two notices about one group"""
REPEAT = 4 * 3600.0
"""seconds after which a group that still burns is told again"""
BACKOFF = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""seconds between attempts"""

REFRESH = 60.0
"""seconds after which an Alertmanager, which forgets what is not repeated, hears again of all that fires"""
EXPIRES = 4 * REFRESH
"""seconds after which it may take for over what it hears no more of"""

Decision = tuple[float, str, dict[str, Any]]
"""when, about which alert, what"""
Post = Callable[[str, bytes], Awaitable[int]]
"""send a JSON body to a URL, return the HTTP status; raise OSError or TimeoutError when nobody answers"""


@attrs.frozen(kw_only=True)
class Receivers:
    """Whom to tell: a webhook, an Alertmanager, both or nobody (empty). Seconds a new group waits, and the hub itself after its start."""

    post: Post
    webhook: str = ""
    alertmanager: str = ""
    group_wait: float = 3.0
    start_delay: float = 10.0
    external_url: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The receivers there are."""
        return tuple(name for name in ("webhook", "alertmanager") if getattr(self, name))


@attrs.frozen(kw_only=True)
class Due(Message):
    """Time to tell of a group."""

    group: str


@attrs.frozen(kw_only=True)
class Sent(Message):
    """A notice has gone to a receiver, or *error* says why not."""

    group: str
    receiver: str
    alerts: tuple[Any, ...]
    attempt: int
    error: str | None = None


@attrs.frozen(kw_only=True)
class Again(Message):
    """Time for another attempt."""

    group: str
    receiver: str
    alerts: tuple[Any, ...]
    attempt: int


@attrs.frozen(kw_only=True)
class Refresh(Message):
    """Time to repeat what fires to an Alertmanager."""


@attrs.frozen(kw_only=True)
class Refreshed(Message):
    """It has been repeated, or *error* says why not."""

    error: str | None


@attrs.define(kw_only=True)
class Group:
    """Alerts of one name. *told* is the state in which each was last told, by (receiver, alert)."""

    alerts: dict[str, Notice] = attrs.field(factory=dict)
    told: dict[tuple[str, str], str] = attrs.field(factory=dict)
    waiting: bool = False
    last: float = 0.0


class Notifier(Actor):
    """One group an alert's name. What is quiet when the group is due is not told; the next change of its flags may tell it."""

    mailbox = Mailbox(capacity=4096)
    jobs_limit = 4

    def __init__(self, book: AlertBook, now: Callable[[], float], receivers: Receivers) -> None:
        self._book = book
        self._now = now
        self._receivers = receivers

    async def on_start(self) -> None:
        self._groups: dict[str, Group] = {}
        self._told_before = await self._book.told()
        if self._receivers.alertmanager:
            self.timers.every("refresh", Refresh(), interval=REFRESH)
        self._quiet_until = self._now() + self._receivers.start_delay
        self._counts = {"sent": 0, "failed": 0, "suppressed": 0}

    def inspect(self) -> Mapping[str, object]:
        return {"receivers": list(self._receivers.names), "groups": len(self._groups), **self._counts}

    @handles
    async def notice(self, message: Notice) -> None:
        name = message.alert["name"]
        group = self._groups.setdefault(name, Group())
        group.alerts[message.alert["id"]] = message
        for key in [(receiver, message.alert["id"]) for receiver in self._receivers.names]:
            told_at = self._told_before.pop(key, None)
            if told_at is not None:  # in a former life of the hub
                group.told[key] = "firing"
                group.last = max(group.last, told_at)
        if not group.waiting:
            now = self._now()
            wait = max(self._receivers.group_wait, self._quiet_until - now, group.last + GROUP_INTERVAL - now if group.last else 0.0)
            if message.alert["state"] == "resolved":
                wait = max(self._receivers.group_wait, self._quiet_until - now)
            group.waiting = True
            self.timers.once(name, Due(group=name), after=wait)

    @handles
    async def due(self, message: Due) -> None:
        group = self._groups.get(message.group)
        if group is None:
            return  # it was over before the time to repeat it came
        group.waiting = False
        now = self._now()
        chosen: dict[str, list[Any]] = {}
        decisions: list[Decision] = []
        for alert_id, notice in list(group.alerts.items()):
            state = _state(notice.alert)
            against = {receiver: self._reason_against(group, notice, receiver, now) for receiver in self._receivers.names or ("",)}
            for receiver in [receiver for receiver, reason in against.items() if reason is None]:
                chosen.setdefault(receiver, []).append(notice.alert)
            decisions += [(now, alert_id, {"decision": "not-sent", "state": state, **why}) for why in _reasons(against)]
            if state == "resolved":
                del group.alerts[alert_id]
        self._counts["suppressed"] += len(decisions)
        for receiver, alerts in chosen.items():
            group.last = now
            group.told |= {(receiver, alert["id"]): _state(alert) for alert in alerts}
            await self.pipe_to_self(self._send(message.group, receiver, tuple(alerts), 0), name=f"send:{receiver}")
        group.told = {key: state for key, state in group.told.items() if key[1] in group.alerts}
        if group.alerts:
            self.timers.once((message.group, "repeat"), Due(group=message.group), after=REPEAT)
        elif not chosen:
            del self._groups[message.group]
        await self._decide(decisions)

    def _reason_against(self, group: Group, notice: Notice, receiver: str, now: float) -> str | None:
        """Return why a receiver is not to be told of an alert, or None."""
        alert, state = notice.alert["id"], _state(notice.alert)
        told = group.told.get((receiver, alert))
        if state == "resolved" and told is None:
            others = any((other, alert) in group.told for other in self._receivers.names)
            who = "it was not told that it fired" if others else "nobody was told that it fired"
            return who + (f" ({notice.quiet})" if notice.quiet else "")
        if state == "firing" and notice.quiet:
            return notice.quiet
        if told == state and now - group.last < REPEAT:
            return "told already"
        if not self._receivers.names:
            return "no receiver is set up"
        return None

    async def _send(self, group: str, receiver: str, alerts: tuple[Any, ...], attempt: int) -> Message:
        if receiver == "webhook":
            error = await self._posted(self._receivers.webhook, webhook_body(group, alerts, self._receivers.external_url))
        else:
            error = await self._pushed(alerts)
        return Sent(group=group, receiver=receiver, alerts=alerts, attempt=attempt, error=error)

    async def _pushed(self, alerts: tuple[Any, ...]) -> str | None:
        url = self._receivers.alertmanager.rstrip("/") + "/api/v2/alerts"
        return await self._posted(url, alertmanager_body(alerts, self._now() + EXPIRES))

    async def _posted(self, url: str, body: object) -> str | None:
        """Return what went wrong, or None."""
        try:
            status = await self._receivers.post(url, orjson.dumps(body))
        except (OSError, TimeoutError) as fault:
            return str(fault) or type(fault).__name__
        return None if 200 <= status < 300 else f"HTTP {status}"

    @handles
    async def refresh(self, message: Refresh) -> None:
        firing = [n.alert for g in self._groups.values() for i, n in g.alerts.items() if g.told.get(("alertmanager", i)) == "firing"]
        if firing:
            await self.pipe_to_self(self._repeat(tuple(firing)), name="refresh")

    async def _repeat(self, alerts: tuple[Any, ...]) -> Message:
        return Refreshed(error=await self._pushed(alerts))

    @handles
    async def refreshed(self, message: Refreshed) -> None:
        if message.error is not None:
            log.warning("the Alertmanager does not hear what fires: %s", message.error)

    @handles
    async def sent(self, message: Sent) -> None:
        if message.error is None:
            self._counts["sent"] += len(message.alerts)
            what = {"decision": "sent", "reason": f"attempt {message.attempt + 1}"}
        elif message.error.startswith("HTTP 4") and message.error != "HTTP 429":
            what = self._gave_up(message, f"{message.error}: not tried again")
        elif message.attempt >= len(BACKOFF):
            what = self._gave_up(message, f"{message.error}: given up after {message.attempt + 1} attempts")
        else:
            wait = BACKOFF[message.attempt]
            what = {"decision": "retry", "reason": f"{message.error}: again in {wait:g} s"}
            again = Again(group=message.group, receiver=message.receiver, alerts=message.alerts, attempt=message.attempt + 1)
            self.timers.once((message.group, message.receiver, id(message.alerts)), again, after=wait)
        await self._decide(self._about(message, message.alerts, what))

    def _gave_up(self, message: Sent, reason: str) -> dict[str, str]:
        """Who could not be told does not count as told."""
        self._counts["failed"] += len(message.alerts)
        group = self._groups.get(message.group)
        for alert in message.alerts if group is not None else ():
            key = message.receiver, alert["id"]
            if group is not None and _state(alert) == "firing" == group.told.get(key):
                del group.told[key]
        return {"decision": "failed", "reason": reason}

    def _about(self, message: Sent | Again, alerts: Iterable[Any], what: Mapping[str, str]) -> list[Decision]:
        return [(self._now(), a["id"], {**what, "state": _state(a), "receiver": message.receiver}) for a in alerts]

    @handles
    async def again(self, message: Again) -> None:
        """Try once more, but of alerts only that are still as they were: what is late must not undo what is newer."""
        group = self._groups.get(message.group)
        told = group.told if group is not None else {}
        fires = {a["id"] for a in message.alerts if told.get((message.receiver, a["id"])) == "firing"}
        still = tuple(a for a in message.alerts if (_state(a) == "firing") == (a["id"] in fires))
        if still:
            job = self._send(message.group, message.receiver, still, message.attempt)
            await self.pipe_to_self(job, name=f"send:{message.receiver}")
        overtaken = [a for a in message.alerts if a not in still]
        await self._decide(self._about(message, overtaken, {"decision": "not-sent", "reason": "overtaken by what came of it since"}))

    async def _decide(self, decisions: list[Decision]) -> None:
        if not decisions:
            return
        try:
            await self._book.decide(decisions)
        except StorageFailed as error:
            log.warning("decisions about notices are not on disk: %s", error.detail)


def _state(alert: Mapping[str, Any]) -> str:
    """Return what a receiver is told of an alert's state."""
    return "resolved" if alert["state"] in ("resolved", "inactive") else "firing"


def _reasons(against: Mapping[str, str | None]) -> list[dict[str, str | None]]:
    """Return why receivers are not told: once, without a receiver, where it is the same for all."""
    reasons = set(against.values())
    if len(reasons) == 1 and None not in reasons:
        return [{"reason": reason, "receiver": None} for reason in reasons]
    return [{"reason": reason, "receiver": receiver} for receiver, reason in against.items() if reason is not None]


def _common(maps: list[Mapping[str, str]]) -> dict[str, str]:
    return {k: v for k, v in maps[0].items() if all(m.get(k) == v for m in maps)}


def webhook_body(group: str, alerts: tuple[Any, ...], external_url: str) -> dict[str, Any]:
    """Return Alertmanager's webhook body, version 4."""
    shown = []
    for alert in alerts:
        over = _state(alert) == "resolved"
        shown.append(
            {
                "status": "resolved" if over else "firing",
                "labels": alert["labels"],
                "annotations": alert["annotations"],
                "startsAt": alert["fired_at"] or alert["active_at"],
                "endsAt": (alert["resolved_at"] if over else None) or "0001-01-01T00:00:00Z",
                "generatorURL": f"{external_url}/api/v1/monitor/alerts/{alert['id']}",
                "fingerprint": alert["id"],
            }
        )
    return {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{group}"}}',
        "truncatedAlerts": 0,
        "status": "firing" if any(a["status"] == "firing" for a in shown) else "resolved",
        "receiver": "webhook",
        "groupLabels": {"alertname": group},
        "commonLabels": _common([a["labels"] for a in alerts]),
        "commonAnnotations": _common([a["annotations"] for a in alerts]),
        "externalURL": external_url,
        "alerts": shown,
    }


def alertmanager_body(alerts: tuple[Any, ...], expires: float) -> list[dict[str, Any]]:
    """Return the body of POST /api/v2/alerts of an Alertmanager; what fires is believed until *expires* (UNIX s)."""
    found = []
    for alert in alerts:
        ends = alert["resolved_at"] if _state(alert) == "resolved" else rfc3339(expires)
        starts = alert["fired_at"] or alert["active_at"]
        found.append({"labels": alert["labels"], "annotations": alert["annotations"], "startsAt": starts, "endsAt": ends})
    return found
