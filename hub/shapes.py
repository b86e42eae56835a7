"""What operations read and write, for rows of the table that do not say so themselves: the classes behind the API's description."""

from collections.abc import Mapping
from typing import Any

import attrs

from actors.audit import AuditEntry
from actors.conversations import Said
from actors.intents import Entry
from actors.laboratory import LINKS, NODES, STEPS, LabState
from actors.progress import Progress
from actors.runtime.stats import ActorInfo, Blocked, DeadLetterInfo, Lag, Waiting
from actors.samples import Points, Verdicts
from actors.topology import TopologyChange
from hub.bodies import page_of, timed
from hub.operations import Operation
from hub.replies import (
    Adopted,
    AlertBody,
    AlertChange,
    AlertDecision,
    DeviceDiff,
    LeaseBody,
    LogEntry,
    Notice,
    PrometheusAnswer,
    PrometheusFault,
    Rehearsal,
    RowDiff,
    RuleBody,
    RuleState,
    SilenceBody,
    ValidationBody,
)
from hub.rest.assistant import Sentence, Utterance
from hub.rest.deploy import Checked, Nodes, Order
from hub.rest.intent import Draft, Source, Text
from hub.rest.lab import RowBody, Step
from hub.times import Time
from hub.ws.messages import ClientInfo
from paranet.errors import Fault
from paranet.metrics.alerts.ruletest import Outcome
from paranet.models.device import Row
from paranet.models.intent import Diagnostic, Report
from paranet.models.topology import Demand, Link, Node
from paranet.orchestrator.drift import Drift


@attrs.frozen(kw_only=True)
class Parts:
    """Ids by kind."""

    nodes: tuple[str, ...]
    links: tuple[str, ...]
    demands: tuple[str, ...]


@attrs.frozen(kw_only=True)
class TopologyBody:
    """The whole topology at a revision."""

    revision: int
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    demands: tuple[Demand, ...]


@attrs.frozen(kw_only=True)
class NodesAdded:
    """Answer to a list of nodes."""

    revision: int
    items: tuple[Node, ...]


@attrs.frozen(kw_only=True)
class LinksAdded:
    """Answer to a list of links."""

    revision: int
    items: tuple[Link, ...]


@attrs.frozen(kw_only=True)
class ImportResult:
    """What an import did, or would do."""

    revision: int
    format: str
    dry_run: bool
    added: Parts
    changed: Parts
    removed: Parts
    warnings: tuple[Fault, ...]


@attrs.frozen(kw_only=True)
class Diagnosed:
    """What there is to say about a source."""

    diagnostics: tuple[Diagnostic, ...]


@attrs.frozen(kw_only=True)
class DeviceRows:
    """Rows of one device."""

    node: str
    rows: tuple[Row, ...]


@attrs.frozen(kw_only=True)
class CompilationBody:
    """A source as it compiled."""

    id: str
    name: str | None
    ok: bool
    author: str
    at: Time
    topology_revision: int
    diagnostics: tuple[Diagnostic, ...]
    devices: tuple[DeviceRows, ...]
    verification: Report


@attrs.frozen(kw_only=True)
class DevicePreview:
    """One device: rows wanted, what changes, and the same as text by platform."""

    node: str
    rows: tuple[Row, ...]
    diff: RowDiff
    text: Mapping[str, str]


@attrs.frozen(kw_only=True)
class DeviceChanges:
    """What changes on one device."""

    node: str
    diff: RowDiff


@attrs.frozen(kw_only=True)
class PlanBody:
    """What a deployment was planned to change; *base* names the changes."""

    base: str
    changes: tuple[DeviceChanges, ...]


@attrs.frozen(kw_only=True)
class PreviewBody:
    """A compilation against the devices as they are now."""

    id: str
    name: str | None
    ok: bool
    author: str
    at: Time
    topology_revision: int
    diagnostics: tuple[Diagnostic, ...]
    devices: tuple[DevicePreview, ...]
    verification: Report
    paths: tuple[Mapping[str, object], ...]
    geojson: Mapping[str, object]
    conflict: str | None
    topology_moved: bool


@attrs.frozen(kw_only=True)
class MetricsBody:
    """Series with their points."""

    tier: str
    series: tuple[Points, ...]


@attrs.frozen(kw_only=True)
class Done:
    """What was done to an actor."""

    path: str
    action: str
    outcome: object


@attrs.frozen(kw_only=True)
class Replayed:
    """Whether an actor took the message."""

    accepted: object


@attrs.frozen(kw_only=True)
class Waits:
    """The wait-for graph."""

    items: tuple[Waiting, ...]
    next: str | None


@attrs.frozen(kw_only=True)
class Restored:
    """The revision that an old one came back as, and what that changed."""

    revision: int
    added: Parts
    changed: Parts
    removed: Parts


@attrs.frozen(kw_only=True)
class Formatted:
    """A source in its canonical form."""

    source: str
    changed: bool


@attrs.frozen(kw_only=True)
class Comparison:
    """From one compilation to another: *source* is a unified diff, by line."""

    a: timed(Entry)  # type: ignore[valid-type]  # made at run time
    b: timed(Entry)  # type: ignore[valid-type]  # made at run time
    source: tuple[str, ...]
    devices: tuple[DeviceDiff, ...]


@attrs.frozen(kw_only=True)
class ConversationHead:
    """A conversation of yours."""

    id: str
    title: str
    created_at: Time
    updated_at: Time


@attrs.frozen(kw_only=True)
class ConversationBody:
    """A conversation with everything that was said."""

    id: str
    title: str
    created_at: Time
    updated_at: Time
    messages: tuple[timed(Said), ...]  # type: ignore[valid-type]  # made at run time


@attrs.frozen(kw_only=True)
class Stopped:
    """Whether there was an answer to stop."""

    stopped: bool


@attrs.frozen(kw_only=True)
class HubBody:
    """A hub process: where it is reached, since when, and whether it is the one that answers."""

    id: str
    version: str
    url: str
    since: Time
    here: bool


@attrs.frozen(kw_only=True)
class Shape:
    """The members of an Operation that describe it."""

    body: Any = None
    reply: Any = None
    statuses: tuple[int, ...] = ()
    example: object = None
    takes: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    fault: Any = None


_ID = "0195f2ab-4c7e-7d3a-9b1e-2f6a8c0d1e3f"
_RULE = {"name": "busy", "expr": "paranet_node_cpu_ratio > 0.9", "for": "30s", "severity": "warning", "labels": {}, "annotations": {}}
_SILENCE = {"matchers": [{"name": "node", "value": "r1"}], "ends_at": "2030-01-01T00:00:00Z", "comment": "maintenance"}
_SAMPLE = {"metric": "paranet_node_cpu_ratio", "labels": {"node": "r1"}, "ts": 1795378476000, "value": 0.25}
_NODE = {"id": "r1", "type": "router", "interfaces": [{"name": "eth0", "address": "10.0.1.1/24"}]}
_LINK = {"id": "r1-r2", "source": {"node": "r1"}, "target": {"node": "r2"}, "bandwidth": "10Gbps", "latency": "5ms"}
_SOURCE = {"source": "path web { from r1 to r2 }", "name": "web"}
_NODE_READ, _LINK_READ = Shape(reply=Node, statuses=(200, 304)), Shape(reply=Link, statuses=(200, 304))
_DEPLOYMENT = timed(Progress)
_OPEN = Mapping[str, object]
_JSON = ("application/json",)
_LAB = Shape(reply=LabState)
_PROMETHEUS = Shape(reply=PrometheusAnswer, fault=PrometheusFault)

SHAPES: Mapping[str, Shape] = {
    "topology.get": Shape(reply=TopologyBody, statuses=(200, 304)),
    "topology.nodes.list": Shape(reply=page_of(Node, revision=int), statuses=(200, 304)),
    "topology.nodes.add": Shape(body=Node | tuple[Node, ...], reply=Node | NodesAdded, statuses=(201,), example=_NODE),
    "topology.nodes.get": _NODE_READ,
    "topology.nodes.replace": Shape(body=Node, reply=Node, example=_NODE),
    "topology.nodes.remove": Shape(statuses=(204,)),
    "topology.links.list": Shape(reply=page_of(Link, revision=int), statuses=(200, 304)),
    "topology.links.add": Shape(body=Link | tuple[Link, ...], reply=Link | LinksAdded, statuses=(201,), example=_LINK),
    "topology.links.get": _LINK_READ,
    "topology.links.replace": Shape(body=Link, reply=Link, example=_LINK),
    "topology.links.remove": Shape(statuses=(204,)),
    "topology.import": Shape(
        body=_OPEN, reply=ImportResult, takes=("application/octet-stream", "multipart/form-data"), example={"nodes": [_NODE], "links": []}
    ),
    "topology.export": Shape(statuses=(200, 304), gives=("application/json", "application/xml", "text/plain", "application/octet-stream")),
    "topology.history": Shape(reply=page_of(timed(TopologyChange))),
    "intent.compile": Shape(body=Source, reply=CompilationBody, statuses=(201,), example=_SOURCE),
    "intent.preview": Shape(reply=PreviewBody),
    "intent.history": Shape(reply=page_of(timed(Entry))),
    "topology.diff": Shape(reply=_OPEN),
    "topology.restore": Shape(reply=Restored),
    "intent.format": Shape(body=Text, reply=Formatted, example={"source": _SOURCE["source"]}),
    "intent.diagnose": Shape(body=Draft, reply=Diagnosed, example=_SOURCE),
    "intent.compare": Shape(reply=Comparison),
    "intent.parse": Shape(body=Sentence, reply=_OPEN, example={"text": "connect r1 and r2 with at least 10 Mbit/s", "language": "en"}),
    "chat.say": Shape(body=Utterance, reply=_OPEN, gives=("text/event-stream",), example={"message": "what is installed?"}),
    "chat.list": Shape(reply=page_of(ConversationHead)),
    "chat.get": Shape(reply=ConversationBody),
    "chat.forget": Shape(statuses=(204,)),
    "chat.stop": Shape(reply=Stopped),
    "deploy.execute": Shape(body=Order, reply=_DEPLOYMENT | ValidationBody, statuses=(200, 202), example={"compile_id": _ID}),
    "deploy.validate": Shape(body=Checked, reply=ValidationBody, example={"compile_id": _ID}),
    "deploy.roll-back": Shape(reply=_DEPLOYMENT, statuses=(200, 202)),
    "deploy.drift-adopt": Shape(body=Nodes, reply=Adopted, example={"nodes": ["r1"]}),
    "deploy.drift-restore": Shape(body=Nodes, reply=_DEPLOYMENT, statuses=(200, 202), example={"nodes": ["r1"]}),
    "deploy.drift": Shape(reply=page_of(Drift, unreachable=Mapping[str, str])),
    "deploy.rows": Shape(reply=DeviceRows),
    "deploy.leases": Shape(reply=page_of(LeaseBody)),
    "deploy.lease-release": Shape(reply=LeaseBody),
    **{f"lab.{what}": _LAB for what in ("state", "remove-row", *(f"{a}-link" for a in LINKS), *(f"{a}-node" for a in NODES))},
    **{f"lab.{action}-node": Shape(body=Step, reply=LabState, example={"step": "commit"}) for action in STEPS},
    "lab.change-row": Shape(body=RowBody, reply=LabState, example={"family": "ip.route", "key": "10.0.0.0/24", "value": {"next_hops": []}}),
    "alerts.list": Shape(reply=page_of(AlertBody)),
    "alerts.get": Shape(reply=AlertBody),
    "alerts.acknowledge": Shape(body=Notice, reply=AlertBody, example={"comment": "on it"}),
    "alerts.unacknowledge": Shape(reply=AlertBody),
    "alerts.history": Shape(reply=page_of(AlertChange)),
    "alerts.decisions": Shape(reply=page_of(AlertDecision)),
    "alerts.rules": Shape(reply=page_of(RuleState)),
    "alerts.rules.get": Shape(reply=RuleState),
    "alerts.rules.create": Shape(reply=RuleBody, statuses=(201,), takes=_JSON, example=_RULE),
    "alerts.rules.replace": Shape(reply=RuleBody, takes=_JSON, example=_RULE),
    "alerts.rules.enable": Shape(reply=RuleBody),
    "alerts.rules.disable": Shape(reply=RuleBody),
    "alerts.rules.dry-run": Shape(reply=Rehearsal, takes=_JSON, example=_RULE),
    "alerts.rules.test": Shape(reply=Outcome, takes=_JSON, example=_RULE),
    "alerts.rules.delete": Shape(statuses=(204,)),
    "alerts.silences": Shape(reply=page_of(SilenceBody)),
    "alerts.silences.create": Shape(reply=SilenceBody, statuses=(201,), takes=_JSON, example=_SILENCE),
    "alerts.silences.end": Shape(statuses=(204,)),
    "monitor.push": Shape(reply=Verdicts, takes=_JSON, example=[_SAMPLE]),
    "monitor.logs": Shape(reply=page_of(LogEntry), gives=("application/x-ndjson",)),
    **{f"prometheus.{what}": _PROMETHEUS for what in ("values", "metadata", "rules", "alerts", "buildinfo")},
    **{f"prometheus.{what}{form}": _PROMETHEUS for what in ("query", "query_range", "series", "labels") for form in ("", ".form")},
    "prometheus.write": Shape(statuses=(204,)),
    "deploy.cancel": Shape(reply=_DEPLOYMENT, statuses=(200, 202)),
    "deploy.status": Shape(reply=_DEPLOYMENT),
    "deploy.plan": Shape(reply=PlanBody),
    "deploy.history": Shape(reply=page_of(_DEPLOYMENT)),
    "monitor.metrics": Shape(reply=MetricsBody),
    "monitor.node": Shape(reply=MetricsBody),
    "system.actors": Shape(reply=page_of(ActorInfo, lag=Lag, blocks=tuple[Blocked, ...])),
    "system.actor": Shape(reply=ActorInfo),
    **{f"system.{action}": Shape(reply=Done) for action in ("restart", "suspend", "resume", "drain", "trace")},
    "system.waits": Shape(reply=Waits),
    "system.dead-letters": Shape(reply=page_of(timed(DeadLetterInfo), total=int)),
    "system.replay": Shape(reply=Replayed),
    "system.clients": Shape(reply=page_of(ClientInfo)),
    "system.disconnect": Shape(statuses=(204,)),
    "system.audit": Shape(reply=page_of(timed(AuditEntry))),
    "system.hubs": Shape(reply=page_of(HubBody)),
    "system.info": Shape(reply=_OPEN),
}
"""by name of the operation"""


def described(operation: Operation) -> bool:
    """Tell whether it is known what the operation answers."""
    shape = shape_of(operation)
    return shape.reply is not None or bool(shape.gives) or shape.statuses == (204,)


def shape_of(operation: Operation) -> Shape:
    """Return what the row says of itself, or else what is written here."""
    own = Shape(**{field.name: getattr(operation, field.name) for field in attrs.fields(Shape)})
    return own if own != Shape() else SHAPES.get(operation.name, own)
