"""Scrapers: read Prometheus targets at their interval and hand what they say to the collector."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import attrs

from actors.runtime import Actor, Message, handles
from actors.samples import Ingest, Line
from paranet.errors import InvalidInput, ParaNetError
from paranet.metrics.exposition import parse_exposition
from paranet.metrics.labels import labels_of
from paranet.metrics.promql.values import STALE

Fetch = Callable[[str, float], Awaitable[bytes]]
"""return the body at a URL within so many seconds; raise OSError, TimeoutError or ParaNetError"""
_NAME = re.compile(r"[^a-zA-Z0-9_.-]+")


@attrs.frozen(kw_only=True)
class Target:
    """One address to scrape every *interval* s."""

    url: str
    interval: float = 15.0
    labels: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def name(self) -> str:
        """What its scraper is called."""
        return _NAME.sub("-", self.url.partition("://")[2]).strip("-")


@attrs.frozen(kw_only=True)
class Scrape(Message):
    """Time to look."""


@attrs.frozen(kw_only=True)
class Scraped(Message):
    """What a target said, or *error*."""

    lines: tuple[Line, ...]
    error: str | None


class Scraper(Actor):
    """One target. `up` and `scrape_duration_seconds` tell how it went; what is no longer there gets a stale marker."""

    def __init__(self, target: Target, fetch: Fetch, now: Callable[[], float], collector: str) -> None:
        self._target = target
        self._fetch = fetch
        self._now = now
        self._collector = collector

    async def on_start(self) -> None:
        self._busy = False
        self._seen: set[Any] = set()
        self._error: str | None = None
        self.timers.every("scrape", Scrape(), interval=self._target.interval, first=0.0)

    def inspect(self) -> Mapping[str, object]:
        return {"url": self._target.url, "series": len(self._seen), "error": self._error}

    @handles
    async def scrape(self, message: Scrape) -> None:
        if not self._busy:
            self._busy = True
            await self.pipe_to_self(self._look(), name="scrape")

    async def _look(self) -> Message:
        began = self._now()
        at = int(began * 1000)
        own = {"instance": self._target.url.partition("://")[2].partition("/")[0], "job": "scraper", **self._target.labels}
        lines: list[Line] = []
        error = None
        try:
            body = await self._fetch(self._target.url, self._target.interval)
            for metric, labels, value, stamp in parse_exposition(body.decode("utf-8")):
                merged = {**{f"exported_{k}" if k in own else k: v for k, v in labels.items()}, **own}
                lines.append(Line(labels=labels_of(metric, merged), times=(stamp or at,), values=(value,)))
        except (OSError, TimeoutError, UnicodeDecodeError, InvalidInput) as fault:
            error, lines = str(fault) or type(fault).__name__, []
        seen = {line.labels for line in lines}
        gone = [Line(labels=labels, times=(at,), values=(STALE,)) for labels in self._seen - seen]
        for metric, value in (("up", float(error is None)), ("scrape_duration_seconds", self._now() - began)):
            lines.append(Line(labels=labels_of(metric, own), times=(at,), values=(value,)))
        try:
            await self.system.ref(self._collector).ask(Ingest(lines=(*lines, *gone)), timeout=self._target.interval)
        except ParaNetError as fault:
            error = fault.detail
        self._seen = seen
        return Scraped(lines=(), error=error)

    @handles
    async def scraped(self, message: Scraped) -> None:
        self._busy = False
        self._error = message.error


class Scrapers(Actor):
    """Parent of one scraper a target."""

    def __init__(self, targets: Sequence[Target], fetch: Fetch, now: Callable[[], float], collector: str = "telemetry") -> None:
        self._targets = targets
        self._make = lambda target: Scraper(target, fetch, now, collector)

    async def on_start(self) -> None:
        for target in {t.name: t for t in self._targets}.values():
            await self.spawn(target.name, partial(self._make, target))

    def inspect(self) -> Mapping[str, object]:
        return {"targets": len(self._targets)}
