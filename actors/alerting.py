"""What others say to the AlertEvaluator and its notifier."""

from typing import Any

import attrs

from actors.runtime import Message, Request
from paranet.metrics.alerts.rule import Rule


@attrs.frozen(kw_only=True)
class Pair:
    """One condition of a silence: a label's value, or with *regex* a pattern for it."""

    name: str
    value: str
    regex: bool = False


@attrs.frozen(kw_only=True)
class Silence:
    """No notices for alerts that match all of *matchers*, from *starts_at* to *ends_at* (UNIX s)."""

    id: str
    matchers: tuple[Pair, ...]
    starts_at: float
    ends_at: float
    by: str
    comment: str = ""


@attrs.frozen(kw_only=True)
class ListAlerts(Request[tuple[Any, ...]]):
    """Return all alerts that are not inactive, newest first."""


@attrs.frozen(kw_only=True)
class GetAlert(Request[Any]):
    """Return one alert. Raise NotFound."""

    id: str


@attrs.frozen(kw_only=True)
class Acknowledge(Request[Any]):
    """Take notice of an alert until a time (UNIX s; None: until it is resolved), or take that back; return the alert.

    Raise NotFound, or WrongState where nothing burns.
    """

    id: str
    by: str
    until: float | None = None
    comment: str = ""
    withdraw: bool = False


@attrs.frozen(kw_only=True)
class ListRules(Request[tuple[Any, ...]]):
    """Return (Rule, health, error, how many alerts burn) of every rule, in order of their ids."""


@attrs.frozen(kw_only=True)
class PutRule(Request[Rule]):
    """Make or replace a rule. *new* and a taken id: AlreadyExists; not *new* and no such rule: NotFound."""

    rule: Rule
    new: bool


@attrs.frozen(kw_only=True)
class DeleteRule(Request[None]):
    """Delete a rule; its alerts are over. Raise NotFound."""

    id: str


@attrs.frozen(kw_only=True)
class ListSilences(Request[tuple[Silence, ...]]):
    """Return the silences that have not ended."""


@attrs.frozen(kw_only=True)
class PutSilence(Request[Silence]):
    """Begin a silence."""

    silence: Silence


@attrs.frozen(kw_only=True)
class EndSilence(Request[None]):
    """End a silence now. Raise NotFound."""

    id: str


@attrs.frozen(kw_only=True)
class GetChanges(Request[tuple[Any, ...]]):
    """Return changes of one alert or all, newest first, older than the row *before*."""

    alert: str | None
    limit: int
    before: int


@attrs.frozen(kw_only=True)
class GetDecisions(Request[tuple[Any, ...]]):
    """Return why notices about one alert, or any, were or were not sent, newest first, older than the row *before*."""

    alert: str | None
    limit: int
    before: int


@attrs.frozen(kw_only=True)
class Notice(Message):
    """An alert has changed in a way that people may have to hear of; *quiet* says why they should not now."""

    alert: Any
    quiet: str | None
