"""Deployments: validate, start, follow, cancel, roll back; what devices show against what was deployed; who holds them."""

import asyncio
import hashlib
import re
from collections.abc import Mapping
from typing import Any

import attrs
import orjson

from actors.channels import Subscribe
from actors.devices import ReadInstalled
from actors.drift import Adopt, GetDrift
from actors.frames import Frame
from actors.ids import epoch
from actors.journal import Wanted
from actors.leases import Lease
from actors.orders import (
    CancelDeployment,
    Execute,
    ForceRelease,
    GetDeployHistory,
    GetDeployment,
    GetLeases,
    GetPlan,
    Key,
    RestoreDrift,
    RollBack,
    Validate,
)
from actors.planner import changes_of
from actors.progress import ENDINGS, Progress
from hub.operations import Access, Call, Operation, Reply, page
from hub.repeats import key_of
from hub.times import moment, rfc3339
from paranet.codec import unstructure
from paranet.errors import InvalidInput
from paranet.orchestrator.gates import Gates
from paranet.orchestrator.waves import Strategy

API = "/api/v1/deploy"
ASK = 30.0
MAX_WAIT = 120
_WAIT = re.compile(r"(?:^|[,;]\s*)wait\s*=\s*(\d{1,6})\b", re.ASCII)


@attrs.frozen(kw_only=True)
class Checked:
    """Body of POST /deploy/validate."""

    compile_id: str


@attrs.frozen(kw_only=True)
class Order:
    """Body of POST /deploy/execute. *base* is what validate said; changes other than those are refused."""

    compile_id: str
    strategy: Strategy = attrs.field(factory=Strategy)
    gates: Gates | None = None
    base: str | None = None
    queue: bool = True
    dry_run: bool = False


@attrs.frozen(kw_only=True)
class Nodes:
    """Body of POST /deploy/drift/adopt and /restore."""

    nodes: tuple[str, ...] = ()


async def validate(call: Call) -> Reply:
    """Tell what deploying a compilation would change, break and meet."""
    return await _validated(call, call.read(Checked).compile_id)


async def _validated(call: Call, compile_id: str) -> Reply:
    found, leases = await call.house.system.ref("deployer").ask(Validate(compile_id=compile_id), timeout=ASK)
    plan = found.plan
    body = {
        "ok": found.report.ok,
        "verification": unstructure(found.report),
        "conflicts": list(found.conflicts),
        "leases": [_lease(lease) for lease in leases],
        "changes": changes_of(plan) if plan else [],
        "base": plan.base if plan else None,
    }
    return Reply(body=body)


async def execute(call: Call) -> Reply:
    """Start deploying a compilation. Progress is on channel deploy/<id> and at the Location."""
    order = call.read(Order)
    if order.dry_run:
        return await _validated(call, order.compile_id)
    request = Execute(
        compile_id=order.compile_id,
        strategy=order.strategy,
        gates=order.gates,
        base=order.base,
        queue=order.queue,
        author=call.author,
        key=_key(call),
    )
    return await _accepted(call, await call.house.system.ref("deployer").ask(request, timeout=ASK))


async def roll_back(call: Call) -> Reply:
    """Start the way back from a deployment that succeeded; it is a deployment of its own."""
    request = RollBack(deploy_id=call.path["id"], author=call.author, key=_key(call))
    return await _accepted(call, await call.house.system.ref("deployer").ask(request, timeout=ASK))


async def cancel(call: Call) -> Reply:
    """Have a deployment that is not decided yet undo itself."""
    request = CancelDeployment(deploy_id=call.path["id"])
    return await _accepted(call, await call.house.system.ref("deployer").ask(request, timeout=ASK))


async def status(call: Call) -> Reply:
    """Return how far a deployment is."""
    return Reply(body=shown(await call.house.system.ref("deployer").ask(GetDeployment(deploy_id=call.path["id"]), timeout=ASK)))


async def plan(call: Call) -> Reply:
    """Return what a deployment was planned to change, by device."""
    found = await call.house.system.ref("deployer").ask(GetPlan(deploy_id=call.path["id"]), timeout=ASK)
    return Reply(body={"base": found.base, "changes": changes_of(found)})


async def history(call: Call) -> Reply:
    """Return deployments, newest first: of a ?state=, by an ?author=, on a ?node=, begun between ?since= and ?until=."""
    limit = call.integer("limit", 50, 1, 500)
    wanted = Wanted(
        limit=limit + 1,
        before=call.cursor(),
        state=call.query.get("state"),
        author=call.query.get("author"),
        node=call.query.get("node"),
        since=moment("since", call.query.get("since")),
        until=moment("until", call.query.get("until")),
    )
    found = await call.house.system.ref("deployer").ask(GetDeployHistory(wanted=wanted), timeout=ASK)
    return Reply(body=page([shown(p) for p in found], limit, lambda p: str(p["deploy_id"])))


async def drift(call: Call) -> Reply:
    """Return every row that is not as it was deployed, of ?nodes= only."""
    found = await call.house.system.ref("deployer").ask(GetDrift(nodes=tuple(sorted(call.names("nodes")))), timeout=ASK)
    return Reply(body={"items": unstructure(found.rows), "unreachable": dict(found.unreachable), "next": None})


async def adopt(call: Call) -> Reply:
    """Take what devices show for what is wanted of them."""
    nodes = call.read(Nodes).nodes
    if not nodes:
        raise InvalidInput("nodes: name the devices")
    request = Adopt(nodes=nodes)
    call.about.extend(nodes)
    adopted = await call.house.system.ref("deployer").ask(request, timeout=ASK)
    return Reply(body={"adopted": unstructure(adopted)})


async def restore(call: Call) -> Reply:
    """Start a deployment that makes devices hold again what was deployed on them (all of them without `nodes`)."""
    request = RestoreDrift(nodes=call.read(Nodes).nodes, author=call.author)
    return await _accepted(call, await call.house.system.ref("deployer").ask(request, timeout=ASK))


async def rows(call: Call) -> Reply:
    """Return what is installed on a device now, read from the device."""
    node = call.path["id"]
    found = await call.house.system.ref("device").ask(ReadInstalled(nodes=(node,)), timeout=ASK)
    found.check((node,))
    return Reply(body={"node": node, "rows": unstructure(tuple(found.rows[node].values()))})


async def leases(call: Call) -> Reply:
    """Return which deployments hold which devices."""
    found = await call.house.system.ref("deployer").ask(GetLeases(), timeout=ASK)
    return Reply(body={"items": [_lease(lease) for lease in found], "next": None})


async def force_release(call: Call) -> Reply:
    """Take a device from the deployment that holds it."""
    request = ForceRelease(node=call.path["id"])
    lease = await call.house.system.ref("deployer").ask(request, timeout=ASK)
    return Reply(body=_lease(lease))


def _key(call: Call) -> Key | None:
    """Return the Idempotency-Key with what is asked under it: a deployment's journal holds it from its first write on."""
    text = key_of(call)
    return (
        None if text is None else Key(text=text, request=hashlib.sha256(repr(sorted(call.path.items())).encode() + call.body).hexdigest())
    )


def _wait(call: Call) -> int:
    """Return how many seconds the caller would rather wait for the ending (RFC 7240)."""
    match = _WAIT.search(call.headers.get("prefer", ""))
    return min(int(match[1]), MAX_WAIT) if match else 0


async def _accepted(call: Call, progress: Progress) -> Reply:
    location, wait = f"{API}/status/{progress.deploy_id}", _wait(call)
    if not wait:
        return Reply(status=202, body=shown(progress), location=location)
    await _ending(call, progress.deploy_id, wait)
    progress = await call.house.system.ref("deployer").ask(GetDeployment(deploy_id=progress.deploy_id), timeout=ASK)
    ended = progress.state in ENDINGS
    return Reply(status=200 if ended else 202, body=shown(progress), location=location, headers={"Preference-Applied": f"wait={wait}"})


class _Listener:
    """Hears a deployment's channel until its ending."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    def push(self, frame: Frame) -> bool:
        """Take one frame."""
        if any(item["state"] in ENDINGS for payload in frame.payloads for item in orjson.loads(payload).get("items", ())):
            self.ended.set()
        return True


async def _ending(call: Call, deploy_id: str, within: float) -> None:
    """Wait for the ending, but no longer than that."""
    outlets, path, listener = call.house.outlets, f"rest/{epoch()}", _Listener()
    outlets.add(path, listener)
    call.house.lasting.add(listener.ended.set)
    try:
        request = Subscribe(channel=f"deploy/{deploy_id}", subscriber=path, reply_to=0)
        await call.house.system.ref("deployer").ask(request, timeout=ASK)
        async with asyncio.timeout(within):
            await listener.ended.wait()
    except TimeoutError:
        return
    finally:
        call.house.lasting.discard(listener.ended.set)
        outlets.remove(path)


def shown(progress: Progress) -> dict[str, Any]:
    """Return a deployment as clients see it."""
    times = {name: rfc3339(getattr(progress, name)) for name in ("started_at", "ended_at", "eta")}
    return {**unstructure(progress), **times}


def _lease(lease: Lease) -> Mapping[str, Any]:
    return {**unstructure(lease), "taken_at": rfc3339(lease.taken_at), "expires_at": rfc3339(lease.expires_at)}


def _row(name: str, method: str, path: str, handler: Any, summary: str, *query: str) -> Operation:
    return Operation(
        name=f"deploy.{name}",
        method=method,
        path=f"{API}/{path}",
        access=Access.OPERATOR,
        handler=handler,
        summary=summary,
        query=frozenset(query),
    )


OPERATIONS = (
    _row("validate", "POST", "validate", validate, "What a deployment would change and meet"),
    _row("execute", "POST", "execute", execute, "Deploy a compilation"),
    _row("roll-back", "POST", "rollback/{id}", roll_back, "Undo a deployment that succeeded"),
    _row("cancel", "POST", "cancel/{id}", cancel, "Stop and undo a deployment"),
    _row("status", "GET", "status/{id}", status, "How far a deployment is"),
    _row("plan", "GET", "plan/{id}", plan, "What a deployment changes"),
    _row("history", "GET", "history", history, "Return deployments", "limit", "cursor", "state", "author", "node", "since", "until"),
    _row("drift", "GET", "drift", drift, "Rows that are not as they were deployed", "nodes"),
    _row("drift-adopt", "POST", "drift/adopt", adopt, "Take what devices show for what is wanted"),
    _row("drift-restore", "POST", "drift/restore", restore, "Deploy again what devices have lost"),
    _row("rows", "GET", "devices/{id}/rows", rows, "What is installed on a device"),
    _row("leases", "GET", "leases", leases, "Which deployments hold which devices"),
    _row("lease-release", "DELETE", "leases/{id}", force_release, "Take a device from a deployment"),
)
