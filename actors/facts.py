"""What the assistant reads of the running network to answer questions: telemetry, history, what is installed. Nothing is changed."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from actors.alerting import GetChanges, ListAlerts
from actors.devices import ReadInstalled
from actors.intents import GetCompilation, GetIntentHistory
from actors.journal import Wanted
from actors.orders import GetDeployHistory
from actors.runtime import ActorSystem
from actors.samples import Points, Query, ReadMetrics
from actors.topology import GetTopology, GetTopologyHistory
from paranet.agent.answers import MEASURED, Alarm, Change, Facts, LinkFact
from paranet.agent.questions import Question
from paranet.errors import NotFound
from paranet.metrics.promql.values import Vector
from paranet.models.intent import Path

ASK = 10.0
RECENT = 60_000
"""ms of samples that count as now"""
HISTORY = 50
NEWEST = 2**62
"""above every row"""
DAY = 86_400.0
BURNING = ("firing", "recovering", "pending")
"""states of an alert that somebody should know of"""
WORST = {"paranet_node_up": "min_over_time", "paranet_link_dropped_packets_total": "increase"}
"""how the worst of a time past is read; of the others it is the highest value"""
METRICS = frozenset(
    {
        "paranet_link_utilization_ratio",
        "paranet_link_latency_seconds",
        "paranet_link_dropped_packets_total",
        "paranet_node_cpu_ratio",
        "paranet_node_up",
    }
)


async def read_facts(system: ActorSystem, question: Question) -> Facts:
    """Return what is needed to answer *question*."""
    state = await system.ref("topology").ask(GetTopology(), timeout=ASK)
    now = system.now()
    facts: dict[str, object] = {"topology": state.topology}
    if question.kind in ("links", "nodes", "slow", "status"):
        facts |= _measured(await _series(system, question, now))
        if question.kind in MEASURED and (question.ago or question.since is not None):
            facts["since"] = _time(_since(now, question), now)
    if question.kind in ("slow", "status", "alerts"):
        facts["alarms"] = await read_alarms(system)
    if question.kind in ("status", "intents", "path"):
        facts["installed"] = await installed_sets(system)
    if question.kind == "path":
        facts["paths"] = await _paths(system)
    if question.kind == "changes":
        since = _since(now, question)
        facts["since"] = _time(since, now)
        facts["changes"] = await _changes(system, since, now)
    return Facts(**facts)  # type: ignore[arg-type]  # by the names of its fields


async def installed_sets(system: ActorSystem) -> tuple[str, ...]:
    """Return the names of the sets of intents that some device holds rows of."""
    installed = await system.ref("device").ask(ReadInstalled(), timeout=ASK)
    owners = {owner for rows in installed.rows.values() for row in rows.values() for owner in row.owners}
    return tuple(sorted({owner.partition("/")[0] for owner in owners}))


async def read_alarms(system: ActorSystem) -> tuple[Alarm, ...]:
    """Return the alerts that burn, those that burn for long enough first."""
    now = system.now()
    shown = await system.ref("alerts").ask(ListAlerts(), timeout=ASK)
    burning = [a for a in shown if a["state"] in BURNING and not a["inhibited"]]
    burning.sort(key=lambda a: BURNING.index(a["state"]))
    return tuple(
        Alarm(
            name=a["name"],
            severity=a["severity"],
            state=a["state"],
            summary=str(a["annotations"].get("summary", a["name"])),
            at=_time(datetime.fromisoformat(a["active_at"]).timestamp(), now),
            labels=a["labels"],
        )
        for a in burning
    )


def _measured(series: Iterable[Points]) -> Mapping[str, object]:
    cpu: dict[str, float] = {}
    up: dict[str, bool] = {}
    links: dict[tuple[str, str], dict[str, float]] = {}
    for one in series:
        name, node, link = one.metric["__name__"], one.metric.get("node", ""), one.metric.get("link", "")
        value = one.points[-1][1]
        if name == "paranet_node_cpu_ratio":
            cpu[node] = value
        elif name == "paranet_node_up":
            up[node] = value > 0
        elif name == "paranet_link_dropped_packets_total":
            took = (one.points[-1][0] - one.points[0][0]) / 1000
            links.setdefault((link, node), {})["drops"] = max(value - one.points[0][1], 0.0) / took if took else 0.0
        else:
            links.setdefault((link, node), {})["latency" if "latency" in name else "utilization"] = value
    found = [
        LinkFact(link=link, node=node, utilization=v["utilization"], latency=v.get("latency"), drops=v.get("drops", 0.0))
        for (link, node), v in links.items()
        if "utilization" in v
    ]
    return {"cpu": cpu, "up": up, "links": tuple(found)}


async def _paths(system: ActorSystem) -> tuple[Path, ...]:
    """Return the paths of the compilations that were deployed last, newest first."""
    found: list[Path] = []
    for progress in await system.ref("deployer").ask(GetDeployHistory(wanted=Wanted(limit=HISTORY)), timeout=ASK):
        if progress.state == "succeeded" and progress.compile_id:
            try:
                compilation = await system.ref("intents").ask(GetCompilation(id=progress.compile_id), timeout=ASK)
            except NotFound:
                continue
            found += compilation.compiled.paths
    return tuple(found)


async def _changes(system: ActorSystem, since: float, now: float) -> tuple[Change, ...]:
    found: list[tuple[float, Change]] = []
    edits = await system.ref("topology").ask(GetTopologyHistory(limit=HISTORY), timeout=ASK)
    found += [(e.at, Change(at=_time(e.at, now), author=e.author, what=e.summary)) for e in edits if e.at >= since]
    names = {e.id: e.name for e in await system.ref("intents").ask(GetIntentHistory(limit=HISTORY), timeout=ASK)}
    for progress in await system.ref("deployer").ask(GetDeployHistory(wanted=Wanted(limit=HISTORY)), timeout=ASK):
        if progress.started_at >= since:
            what = names.get(progress.compile_id or "") or progress.rolls_back or progress.deploy_id
            found.append(
                (progress.started_at, Change(at=_time(progress.started_at, now), author=progress.author, what=what, state=progress.state))
            )
    for row in await system.ref("alerts").ask(GetChanges(alert=None, limit=HISTORY, before=NEWEST), timeout=ASK):
        if row["at"] >= since and row["after"] in ("firing", "resolved"):
            about = ", ".join(f"{n} {v}" for n, v in sorted(row["labels"].items()) if n in ("link", "node"))
            what = f"{row['rule']} ({about})" if about else row["rule"]
            found.append((row["at"], Change(at=_time(row["at"], now), author="", what=what, state=row["after"])))
    return tuple(change for _, change in sorted(found, key=lambda f: -f[0]))


async def _series(system: ActorSystem, question: Question, now: float) -> list[Points]:
    """Return the samples of the last minute, or for a question about a time past one value a series: the worst since then."""
    end = int(now * 1000)
    telemetry = system.ref("telemetry")
    if question.kind not in MEASURED or (question.ago is None and question.since is None):
        return list(await telemetry.ask(ReadMetrics(names=METRICS, nodes=frozenset(), start=end - RECENT, end=end), timeout=ASK))
    window = max(int(now - _since(now, question)), RECENT // 1000)
    found = []
    for name in sorted(METRICS):
        answer = await telemetry.ask(Query(promql=f"{WORST.get(name, 'max_over_time')}({name}[{window}s])", at=end), timeout=ASK)
        vector = answer.result.value
        assert isinstance(vector, Vector)
        for labels, value in zip(vector.labels, vector.values[:, 0].tolist(), strict=True):
            points = ((end - window * 1000, 0.0), (end, value))  # for a counter: what it grew by
            found.append(Points(metric={**dict(labels), "__name__": name}, points=points))
    return found


def _since(now: float, question: Question) -> float:
    """Return since when a question asks: so long ago, or the last time that it was so many minutes after midnight (UTC); else a day ago."""
    minutes = question.since
    if question.ago is not None:
        return now - question.ago
    if minutes is None:
        return now - DAY
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    at = (today + timedelta(minutes=minutes)).timestamp()
    return at if at <= now else at - DAY


def _time(at: float, now: float) -> str:
    when = datetime.fromtimestamp(at, UTC)
    same_day = when.date() == datetime.fromtimestamp(now, UTC).date()
    return when.strftime("%H:%M" if same_day else "%Y-%m-%d %H:%M")
