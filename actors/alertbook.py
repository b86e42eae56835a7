"""AlertBook: rules, states, changes, silences and decisions in the control database."""

from collections.abc import Sequence
from typing import Any

import orjson

from actors.alerting import Silence
from actors.storage import Database, for_each, once
from paranet.codec import structure, unstructure
from paranet.metrics.alerts.alert import Acknowledgement, Alert, Change
from paranet.metrics.alerts.defaults import DEFAULTS
from paranet.metrics.alerts.rule import Rule

KEEP = 10_000
"""changes and decisions that are kept"""
KEEP_TOLD = 100_000
"""alerts of which it is remembered that they were told, for each receiver; the oldest go"""
_FORGET = (
    "DELETE FROM alert_told WHERE receiver = ?1"
    " AND at <= (SELECT at FROM alert_told WHERE receiver = ?1 ORDER BY at DESC LIMIT 1 OFFSET ?2)"
)


class AlertBook:
    """Every write is on disk when it returns."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rules(self) -> list[Rule]:
        """Return all rules; on the very first start those that a hub begins with, which are written then."""
        begun = await self._database.fetch("SELECT value FROM meta WHERE key = 'alert_rules'")
        if not begun:
            await self._database.write(
                once("INSERT INTO meta (key, value) VALUES ('alert_rules', 'written')"),
                for_each("INSERT OR IGNORE INTO alert_rule (id, body) VALUES (?, ?)", [(r.id, _text(r)) for r in DEFAULTS]),
            )
        rows = await self._database.fetch("SELECT body FROM alert_rule ORDER BY id LIMIT 100000")
        return [structure(orjson.loads(str(body)), Rule) for (body,) in rows]

    async def put_rule(self, rule: Rule) -> None:
        """Keep a rule."""
        await self._database.write(once("INSERT OR REPLACE INTO alert_rule (id, body) VALUES (?, ?)", (rule.id, _text(rule))))

    async def delete_rule(self, rule_id: str) -> None:
        """Forget a rule and the states of its alerts."""
        await self._database.write(
            once("DELETE FROM alert_rule WHERE id = ?", (rule_id,)), once("DELETE FROM alert_state WHERE rule = ?", (rule_id,))
        )

    async def alerts(self) -> list[Alert]:
        """Return the alerts as they were."""
        rows = await self._database.fetch("SELECT body FROM alert_state LIMIT 1000000")
        return [_read_alert(orjson.loads(str(body))) for (body,) in rows]

    async def note(self, alerts: Sequence[Alert], changes: Sequence[Change], gone: Sequence[str] = ()) -> None:
        """Keep what alerts are now and how they came to be it."""
        await self._database.write(
            for_each(
                "INSERT OR REPLACE INTO alert_state (id, rule, body) VALUES (?, ?, ?)", [(a.id, a.rule, _alert_text(a)) for a in alerts]
            ),
            for_each("DELETE FROM alert_state WHERE id = ?", [(i,) for i in gone]),
            for_each(
                "INSERT INTO alert_change (alert, at, before, after, body) VALUES (?, ?, ?, ?, ?)",
                [(c.alert.id, c.at, c.before, c.after, _alert_text(c.alert)) for c in changes],
            ),
            once("DELETE FROM alert_change WHERE id <= (SELECT max(id) FROM alert_change) - ?", (KEEP,)),
        )

    async def changes(self, alert: str | None, limit: int, before: int) -> list[dict[str, Any]]:
        """Return changes, newest first."""
        rows = await self._database.fetch(
            "SELECT id, alert, at, before, after, body FROM alert_change"
            " WHERE id < ? AND (?2 IS NULL OR alert = ?2) ORDER BY id DESC LIMIT ?3",
            (before, alert, limit),
        )
        found = []
        for row, name, at, was, now, body in rows:
            known = orjson.loads(str(body))
            found.append({"id": row, "alert": name, "at": at, "before": was, "after": now, "rule": known["rule"], "value": known["value"]})
            found[-1]["labels"] = known["labels"]
        return found

    async def silences(self, now: float) -> list[Silence]:
        """Return the silences that have not ended."""
        rows = await self._database.fetch("SELECT body FROM silence WHERE ends_at > ? ORDER BY id LIMIT 10000", (now,))
        return [structure(orjson.loads(str(body)), Silence) for (body,) in rows]

    async def put_silence(self, silence: Silence) -> None:
        """Keep a silence."""
        await self._database.write(
            once("INSERT OR REPLACE INTO silence (id, body, ends_at) VALUES (?, ?, ?)", (silence.id, _text(silence), silence.ends_at))
        )

    async def decide(self, decisions: Sequence[tuple[float, str, dict[str, Any]]]) -> None:
        """Write down why notices were or were not sent, (when, alert, what), and by the sent ones who knows of what that it fires."""
        rows = [(at, alert, orjson.dumps(body).decode()) for at, alert, body in decisions]
        sent = [(body["receiver"], alert, at, body["state"]) for at, alert, body in decisions if body["decision"] == "sent"]
        firing = [(receiver, alert, at) for receiver, alert, at, state in sent if state == "firing"]
        over = [(receiver, alert) for receiver, alert, _, state in sent if state != "firing"]
        await self._database.write(
            for_each("INSERT INTO alert_decision (at, alert, body) VALUES (?, ?, ?)", rows),
            once("DELETE FROM alert_decision WHERE id <= (SELECT max(id) FROM alert_decision) - ?", (KEEP,)),
            for_each("INSERT OR REPLACE INTO alert_told (receiver, alert, at) VALUES (?, ?, ?)", firing),
            for_each("DELETE FROM alert_told WHERE receiver = ? AND alert = ?", over),
            for_each(_FORGET, [(receiver, KEEP_TOLD) for receiver in {row[0] for row in firing}]),
        )

    async def decisions(self, alert: str | None, limit: int, before: int) -> list[dict[str, Any]]:
        """Return decisions, newest first."""
        rows = await self._database.fetch(
            "SELECT id, at, alert, body FROM alert_decision WHERE id < ? AND (?2 IS NULL OR alert = ?2) ORDER BY id DESC LIMIT ?3",
            (before, alert, limit),
        )
        return [{"id": i, "at": at, "alert": name, **orjson.loads(str(body))} for i, at, name, body in rows]

    async def told(self) -> dict[tuple[str, str], float]:
        """Return of (receiver, alert) when the receiver was told that the alert fires, where that was the last it was told."""
        rows = await self._database.fetch("SELECT receiver, alert, at FROM alert_told LIMIT 1000000")
        return {(str(receiver), str(alert)): float(str(at)) for receiver, alert, at in rows}


def _text(value: object) -> str:
    return orjson.dumps(unstructure(value)).decode()


def _alert_text(alert: Alert) -> str:
    return orjson.dumps(unstructure(alert)).decode()


def _read_alert(body: dict[str, Any]) -> Alert:
    acknowledged = body.pop("acknowledged")
    key = tuple((str(name), str(value)) for name, value in body.pop("key"))
    silenced = tuple(body.pop("silenced"))
    return Alert(key=key, silenced=silenced, acknowledged=Acknowledgement(**acknowledged) if acknowledged else None, **body)
