"""Answers to questions about the network, from facts that were read: pure."""

from collections.abc import Iterable, Mapping

import attrs

from paranet.agent.questions import Question
from paranet.agent.telling import say
from paranet.agent.writing import seconds
from paranet.models.intent import Path
from paranet.models.topology import Topology

BUSY = 0.8
"""share of a link or a processor above which it is called busy"""
STRETCHED = 1.5
"""times its own latency above which a link is called slow"""
MOST = 6
MEASURED = ("links", "nodes", "slow")
"""kinds of questions that are answered from measurements, those of a time past by their highest value"""


@attrs.frozen(kw_only=True)
class LinkFact:
    """One direction of a link, out of *node*: *utilization* is a share, *latency* s, *drops* packets a second."""

    link: str
    node: str
    utilization: float
    latency: float | None = None
    drops: float = 0.0


@attrs.frozen(kw_only=True)
class Change:
    """Something that was done, *at* as a time of day; *state* is that of a deployment or an alert, empty for the topology.

    An alert has no *author*.
    """

    at: str
    author: str
    what: str
    state: str = ""


@attrs.frozen(kw_only=True)
class Alarm:
    """An alert that burns or is about to: *name* of its rule, what it says, since when (time of day); *labels* tell what it is about."""

    name: str
    severity: str
    state: str
    summary: str
    at: str
    labels: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Facts:
    """What is known about the network now. *cpu* and *up* are by node, *installed* sets of intents.

    *changes* begin at *since*; measurements with a *since* are the worst from then to now.

    *alarms* are the alerts that burn, the newest first.
    """

    topology: Topology
    links: tuple[LinkFact, ...] = ()
    cpu: Mapping[str, float] = attrs.field(factory=dict)
    up: Mapping[str, bool] = attrs.field(factory=dict)
    changes: tuple[Change, ...] = ()
    since: str = ""
    paths: tuple[Path, ...] = ()
    installed: tuple[str, ...] = ()
    alarms: tuple[Alarm, ...] = ()


def answer(question: Question, facts: Facts, language: str) -> str:
    """Return the answer to *question* in *language*, with figures."""
    words = say(language)["answer"]
    told = _ANSWERS[question.kind](question, facts, words)
    return told + words["window"].format(since=facts.since) if facts.since and question.kind in MEASURED else told


def percent(share: float) -> str:
    """Return 0.831 as `83%`."""
    return f"{share * 100:.0f}%"


def _shown(links: Iterable[LinkFact]) -> str:
    return ", ".join(f"{f.link} ({f.node}) {percent(f.utilization)}" for f in list(links)[:MOST])


def _by_link(facts: Facts) -> list[LinkFact]:
    """Return the busier direction of each link, the busiest first."""
    busiest: dict[str, LinkFact] = {}
    for fact in sorted(facts.links, key=lambda f: -f.utilization):
        busiest.setdefault(fact.link, fact)
    return list(busiest.values())


def _links(question: Question, facts: Facts, words: Mapping[str, str]) -> str:
    links = _by_link(facts)
    if not links:
        return words["no-data"]
    if len(question.nodes) >= 2:
        pair = set(question.nodes[:2])
        ends = {k: {link.source.node, link.target.node} for k, link in facts.topology.links.items()}
        return words["links-of"].format(
            nodes=", ".join(question.nodes[:2]), list=_shown(f for f in facts.links if ends.get(f.link) == pair)
        )
    if question.nodes:
        links = [f for f in facts.links if f.node in question.nodes]
    if question.metric == "latency" and question.threshold is not None:
        found = [f for f in facts.links if f.latency is not None and (f.latency < question.threshold) == question.below]
        shown = ", ".join(f"{f.link} ({f.node}) {seconds(round(f.latency or 0, 6))}" for f in found[:MOST])
        return _counted(len(found), len(links), question, seconds(question.threshold), shown, words)
    if question.down:
        out = [k for k, link in sorted(facts.topology.links.items()) if not link.enabled or facts.up.get(link.source.node) is False]
        return words["links-down"].format(list=", ".join(out[:MOST])) if out else words["links-down-none"]
    if question.metric == "loss":
        lossy = sorted((f for f in facts.links if f.drops > (question.threshold or 0)), key=lambda f: -f.drops)
        losing = [words["link-loss"].format(link=f.link, node=f.node, value=f"{f.drops:.3g}") for f in lossy[:MOST]]
        return words["slow-all"].format(list=", ".join(losing)) if losing else words["loss-none"]
    threshold = question.threshold
    if threshold is None or threshold > 1:
        return words["links-busiest"].format(list=_shown(links))
    fitting = [f for f in links if (f.utilization < threshold) == question.below]
    return _counted(len(fitting), len(links), question, percent(threshold), _shown(fitting or links[:1]), words)


def _counted(count: int, total: int, question: Question, threshold: str, shown: str, words: Mapping[str, str]) -> str:
    side = words["below" if question.below else "above"]
    return words["links" if count else "links-none"].format(count=count, total=total, side=side, threshold=threshold, list=shown)


def _nodes(question: Question, facts: Facts, words: Mapping[str, str]) -> str:
    if question.down:
        out = [n for n in sorted(facts.topology.nodes) if facts.up.get(n) is False]
        return words["nodes-down"].format(count=len(out), list=", ".join(out[:MOST])) if out else words["nodes-down-none"]
    chosen = {n: c for n, c in facts.cpu.items() if not question.nodes or n in question.nodes}
    if question.threshold is not None:
        chosen = {n: c for n, c in chosen.items() if (c < question.threshold) == question.below}
    ordered = sorted(chosen.items(), key=lambda item: -item[1])[:MOST]
    shown = ", ".join(words["node-cpu"].format(node=n, value=percent(c)) for n, c in ordered)
    return words["nodes"].format(list=shown) if shown else words["no-data"]


def _slow(question: Question, facts: Facts, words: Mapping[str, str]) -> str:
    nodes = set(question.nodes) or set(facts.topology.nodes)
    if not facts.links and not facts.up:
        return words["no-data"]
    ends = {k: {link.source.node, link.target.node} for k, link in facts.topology.links.items()}
    near = [f for f in facts.links if ends.get(f.link, {f.node}) & nodes]
    found = [words["node-down"].format(node=n) for n in sorted(nodes) if facts.up.get(n) is False]
    for fact in sorted(near, key=lambda f: -f.utilization):
        place = {"link": fact.link, "node": fact.node}
        own = facts.topology.links[fact.link].latency if fact.link in facts.topology.links else 0.0
        if fact.utilization >= BUSY:
            found.append(words["link-busy"].format(value=percent(fact.utilization), **place))
        if fact.drops > 0:
            found.append(words["link-loss"].format(value=f"{fact.drops:.0f}", **place))
        if fact.latency is not None and own and fact.latency > own * STRETCHED:
            times = f"{fact.latency / own:.1f}"
            found.append(words["link-latency"].format(value=seconds(round(fact.latency, 6)), times=times, **place))
    found += [_alarm(a, words) for a in _about(facts, nodes)]
    busy = {n: c for n, c in facts.cpu.items() if n in nodes and c >= BUSY}
    found += [words["node-busy"].format(node=n, value=percent(c)) for n, c in busy.items()]
    if found:
        shown = ", ".join(found[:MOST])
        return words["slow"].format(nodes=", ".join(question.nodes), list=shown) if question.nodes else words["slow-all"].format(list=shown)
    if not question.nodes:
        return words["slow-fine"]
    return words["slow-none"].format(nodes=", ".join(question.nodes), list=_shown(sorted(near, key=lambda f: -f.utilization)))


def _changes(_question: Question, facts: Facts, words: Mapping[str, str]) -> str:
    if not facts.changes:
        return words["changes-none"].format(since=facts.since)
    lines = [
        words["change-deploy" if c.state and c.author else "change-alert" if c.state else "change-topology"].format(
            at=c.at, author=c.author, what=c.what, state=c.state
        )
        for c in facts.changes[: 2 * MOST]
    ]
    return words["changes"].format(since=facts.since, list="; ".join(lines))


def _path(question: Question, facts: Facts, words: Mapping[str, str]) -> str:
    if len(question.nodes) < 2:
        return words["path-which"]
    start, goal = question.nodes[:2]
    for path in facts.paths:
        if path.hops and path.hops[0] == start and path.hops[-1] == goal:
            return words["path"].format(
                start=start, goal=goal, hops=" > ".join(path.hops), intent=words["by-intent"].format(name=path.intent)
            )
    told = words["path-none"].format(start=start, goal=goal)
    hops = _way(facts.topology, start, goal)
    return told + (words["path-possible"].format(hops=" > ".join(hops)) if hops else words["path-impossible"])


def _way(topology: Topology, start: str, goal: str) -> list[str]:
    """Return the nodes of a way with the fewest enabled links; empty when there is none."""
    beside: dict[str, list[str]] = {}
    for link in topology.links.values():
        if link.enabled:
            beside.setdefault(link.source.node, []).append(link.target.node)
            if not link.directed:
                beside.setdefault(link.target.node, []).append(link.source.node)
    before, waiting = {start: ""}, [start]
    for node in waiting:
        for other in beside.get(node, ()):
            if other not in before:
                before[other] = node
                waiting.append(other)
    hops = [goal] if goal in before else []
    while hops and hops[-1] != start:
        hops.append(before[hops[-1]])
    return hops[::-1]


def _about(facts: Facts, nodes: set[str]) -> list[Alarm]:
    """Return the alarms that speak of the nodes or of links at them; those that name neither are about all."""
    links = {k for k, link in facts.topology.links.items() if {link.source.node, link.target.node} & nodes}
    return [a for a in facts.alarms if a.labels.get("node") in (None, *nodes) and a.labels.get("link") in (None, *links)]


def _alarm(alarm: Alarm, words: Mapping[str, str]) -> str:
    return words["alarm"].format(name=alarm.name, severity=alarm.severity, state=words[alarm.state], summary=alarm.summary, at=alarm.at)


def _alerts(question: Question, facts: Facts, words: Mapping[str, str]) -> str:
    alarms = _about(facts, set(question.nodes)) if question.nodes else list(facts.alarms)
    if not alarms:
        return words["alerts-of-none"].format(nodes=", ".join(question.nodes)) if question.nodes else words["alerts-none"]
    shown = "; ".join(_alarm(a, words) for a in alarms[:MOST])
    return words["alerts"].format(count=len(alarms), list=shown)


def _status(_question: Question, facts: Facts, words: Mapping[str, str]) -> str:
    total = len(facts.topology.nodes)
    up = sum(facts.up.get(n, False) for n in facts.topology.nodes)
    busiest = _shown(_by_link(facts)[:1]) or words["no-data"]
    told = words["status"].format(up=up, total=total, busiest=busiest, intents=len(facts.installed))
    return told + words["status-alerts"].format(count=len(facts.alarms), list=", ".join(a.name for a in facts.alarms[:MOST])) * bool(
        facts.alarms
    )


def _intents(_question: Question, facts: Facts, words: Mapping[str, str]) -> str:
    return words["intents"].format(list=", ".join(facts.installed[:20])) if facts.installed else words["intents-none"]


def _help(_question: Question, _facts: Facts, words: Mapping[str, str]) -> str:
    return words["help"]


_ANSWERS = {
    "links": _links,
    "nodes": _nodes,
    "slow": _slow,
    "changes": _changes,
    "path": _path,
    "status": _status,
    "intents": _intents,
    "alerts": _alerts,
    "help": _help,
}
