"""What stands between two waves of a deployment: probes, the figures that were asked for, and the guard over throughput."""

import asyncio
import logging
import math
from collections.abc import Callable, Iterable, Sequence, Set

import attrs

from actors.devices import Probe, ReadInstalled
from actors.runtime.system import ActorSystem
from actors.samples import Points, Query, ReadMetrics
from actors.topology import GetTopology
from paranet.errors import ParaNetError
from paranet.metrics.promql.values import Vector
from paranet.orchestrator.gates import Condition, Gates, Tally, delivered, fallen
from paranet.verifier import Promises, Verifier

log = logging.getLogger(__name__)

ASK = 15.0
OFFERED, DELIVERED = "paranet_flow_offered_bytes_total", "paranet_flow_delivered_bytes_total"
BASELINE = 10
"""readings before the first commit that the flows are compared with"""
LOOK_EVERY = 0.25
PATIENCE = 6
"""readings that may be missing before the flows' figures are inconclusive"""


@attrs.frozen(kw_only=True)
class Promise:
    """What a deployment is held to: its *gates*, the ways it promised, and the flows that it cuts on purpose."""

    gates: Gates
    promises: Promises = attrs.field(factory=Promises)
    exempt: frozenset[str] = frozenset()


class Figures:
    """Reads the telemetry actor, whose readings come every *interval* seconds."""

    def __init__(self, system: ActorSystem, now: Callable[[], float], interval: float) -> None:
        self._system = system
        self._now = now
        self.interval = interval

    async def newest(self, condition: Condition) -> float | None:
        """Return the figure of a condition, None without any: what its query yields, or the mean of its series' newest values.

        Of a counter it is the growth a second.
        """
        if condition.metric is None:
            return await self._asked(condition.query or "")
        nodes = frozenset({condition.node} if condition.node else ())
        found = await self.points({condition.metric}, self._now() - 4 * max(1.0, self.interval), nodes)
        growing = condition.metric.endswith("_total")
        values = [v for series in found if (v := _growth(series) if growing else series.points[-1][1]) is not None]
        return sum(values) / len(values) if values else None

    async def _asked(self, promql: str) -> float | None:
        """Return what an expression yields now, the mean where that is several series."""
        try:
            answer = await self._system.ref("telemetry").ask(Query(promql=promql, at=int(self._now() * 1000)), timeout=ASK)
        except ParaNetError as error:
            log.warning("no answer to the query of a gate: %s", error.detail)
            return None
        value = answer.result.value
        if isinstance(value, str):
            return None
        found = value.values[value.present] if isinstance(value, Vector) else value
        mean = float(found.mean()) if found.size else math.nan
        return mean if math.isfinite(mean) else None

    async def flows(self, since: float, *, after: bool = False) -> dict[str, float]:
        """Return what part each flow delivered since a time; with *after* none of a flow that has no two readings from then on."""
        found = await self.points({OFFERED, DELIVERED}, since + (0.001 if after else 0.0))
        return delivered(_by_flow(found, OFFERED), _by_flow(found, DELIVERED))

    async def points(self, names: Iterable[str], since: float, nodes: frozenset[str] = frozenset()) -> Sequence[Points]:
        """Return the readings since then; none where telemetry does not answer."""
        start, end = int(since * 1000), int(self._now() * 1000)
        try:
            request = ReadMetrics(names=frozenset(names), nodes=nodes, start=start, end=end)
            found: tuple[Points, ...] = await self._system.ref("telemetry").ask(request, timeout=ASK)
        except ParaNetError as error:
            log.warning("no figures for a gate: %s", error.detail)
            return ()
        return found


def _growth(series: Points) -> float | None:
    if len(series.points) < 2:
        return None
    (begin, first), (end, last) = series.points[-2:]
    return (last - first) / (end - begin) * 1000


def _by_flow(found: Sequence[Points], name: str) -> dict[str, list[float]]:
    return {series.metric["flow"]: [v for _, v in series.points] for series in found if series.metric["__name__"] == name}


class Gatekeeper:
    """Judges one deployment. Everything it waits for is bounded."""

    def __init__(self, system: ActorSystem, figures: Figures, promise: Promise, now: Callable[[], float]) -> None:
        self._system = system
        self._figures = figures
        self._promise = promise
        self._now = now
        self._before: dict[str, float] = {}

    @property
    def closed_for(self) -> float:
        """Seconds that a gate takes at least, as far as it is known beforehand."""
        return max((c.count * c.interval for c in self._promise.gates.conditions), default=0.0) + (
            2 * self._figures.interval if self._before else 0.0
        )

    @property
    def longest(self) -> float:
        """Seconds that a gate looks at most, telemetry that does not answer apart."""
        conditions = max((c.count * c.interval for c in self._promise.gates.conditions), default=0.0)
        return max(conditions, PATIENCE * self._figures.interval if self._promise.gates.keep_throughput else 0.0)

    async def prepare(self) -> None:
        """Look at the flows before anything is changed."""
        if self._promise.gates.keep_throughput:
            self._before = await self._figures.flows(self._now() - BASELINE * self._figures.interval)

    async def judge(self, since: float, *, last: bool) -> str | None:
        """Return why nothing must follow on a wave that was live *since* then, None when it may. *last* is true after the last one."""
        if last and self._promise.gates.probes and (reason := await self._probe()):
            return reason
        reasons = await asyncio.gather(self._throughput(since), *(self._watch(c) for c in self._promise.gates.conditions))
        return next((reason for reason in reasons if reason), None)

    async def _probe(self) -> str | None:
        """Walk what was promised over the rows that are there now, then have the network itself do it where it can."""
        promises = self._promise.promises
        if promises == Promises():
            return None
        try:
            state = await self._system.ref("topology").ask(GetTopology(), timeout=ASK)
            installed = await self._system.ref("device").ask(ReadInstalled(), timeout=ASK)
            report = await asyncio.to_thread(lambda: Verifier(state.topology, installed.rows, promises).report())
            if not report.ok:
                return f"a probe failed: {report.violations[0].message}"
            lost = await self._system.ref("device").ask(Probe(reaches=promises.reaches), timeout=ASK)
        except ParaNetError as error:
            return f"the probes are inconclusive: {error.detail}"
        return next((f"a probe failed: packets of {intent!r} {what}" for intent, what in lost.items()), None)

    async def _throughput(self, since: float) -> str | None:
        """Wait for two readings of every flow that was there before, and compare."""
        pause = min(LOOK_EVERY, self._figures.interval / 2)
        left = math.ceil(PATIENCE * self._figures.interval / pause)
        while self._before:
            after = await self._figures.flows(since, after=True)
            missing = self._before.keys() - after.keys() - self._promise.exempt
            if not missing or not (missing := missing & await self._demanded()):
                return self._fallen(after)
            if not left:
                return f"throughput is inconclusive: no figures of flow {min(missing)}"
            left -= 1
            await asyncio.sleep(pause)
        return None

    async def _demanded(self) -> Set[str]:
        """Return the flows that somebody wants now: of a demand that was taken out of the topology no figures can come."""
        try:
            state = await self._system.ref("topology").ask(GetTopology(), timeout=ASK)
        except ParaNetError as error:
            log.warning("no topology for a gate: %s", error.detail)
            return self._before.keys()
        demands: Set[str] = state.topology.demands.keys()
        return demands

    def _fallen(self, after: dict[str, float]) -> str | None:
        worse = fallen(self._before, after, self._promise.gates.keep_throughput, self._promise.exempt)
        if not worse:
            return None
        flow, (was, now) = min(worse.items(), key=lambda item: item[1][1] / item[1][0])
        flows = f"{flow} and {len(worse) - 1} more" if len(worse) > 1 else flow
        return f"throughput fell: flow {flows} delivers {now:.0%} of what it offers, it was {was:.0%}"

    async def _watch(self, condition: Condition) -> str | None:
        tally = Tally(condition)
        while not tally.done:
            tally.add(await self._figures.newest(condition))
            if not tally.done:
                await asyncio.sleep(condition.interval)
        return f"gate {tally.refusal}" if tally.refusal else None
