"""Deployments: start, follow, cancel, roll back."""

from typing import Any

import attrs

from actors.deployer import CancelDeployment, Execute, GetDeployHistory, GetDeployment, RollBack
from actors.journal import Progress
from hub.operations import Access, Call, Operation, Reply, page
from hub.times import rfc3339
from paranet.codec import unstructure
from paranet.orchestrator.waves import Strategy

API = "/api/v1/deploy"
ASK = 30.0


@attrs.frozen(kw_only=True)
class Order:
    """Body of POST /deploy/execute."""

    compile_id: str
    strategy: Strategy = attrs.field(factory=Strategy)


async def execute(call: Call) -> Reply:
    """Start deploying a compilation. Progress is on channel deploy/<id> and at the Location."""
    order = call.read(Order)
    request = Execute(compile_id=order.compile_id, strategy=order.strategy, author=call.author)
    return _accepted(await call.house.system.ref("deployer").ask(request, timeout=ASK))


async def roll_back(call: Call) -> Reply:
    """Start the way back from a deployment that succeeded; it is a deployment of its own."""
    request = RollBack(deploy_id=call.path["id"], author=call.author)
    return _accepted(await call.house.system.ref("deployer").ask(request, timeout=ASK))


async def cancel(call: Call) -> Reply:
    """Have a deployment that is not decided yet undo itself."""
    return _accepted(await call.house.system.ref("deployer").ask(CancelDeployment(deploy_id=call.path["id"]), timeout=ASK))


async def status(call: Call) -> Reply:
    """Return how far a deployment is."""
    return Reply(body=shown(await call.house.system.ref("deployer").ask(GetDeployment(deploy_id=call.path["id"]), timeout=ASK)))


async def history(call: Call) -> Reply:
    """Return deployments, newest first."""
    limit = call.integer("limit", 50, 1, 500)
    request = GetDeployHistory(limit=limit + 1, before=call.cursor())
    found = await call.house.system.ref("deployer").ask(request, timeout=ASK)
    return Reply(body=page([shown(p) for p in found], limit, lambda p: str(p["deploy_id"])))


def shown(progress: Progress) -> dict[str, Any]:
    """Return a deployment as it is written on the wire."""
    times = {"started_at": rfc3339(progress.started_at), "ended_at": rfc3339(progress.ended_at)}
    return {**unstructure(progress), **times}


def _accepted(progress: Progress) -> Reply:
    return Reply(status=202, body=shown(progress), location=f"{API}/status/{progress.deploy_id}")


OPERATIONS = (
    Operation(
        name="deploy.execute",
        method="POST",
        path=f"{API}/execute",
        access=Access.OPERATOR,
        handler=execute,
        summary="Deploy a compilation",
    ),
    Operation(
        name="deploy.rollback",
        method="POST",
        path=f"{API}/rollback/{{id}}",
        access=Access.OPERATOR,
        handler=roll_back,
        summary="Go back to the state before a deployment",
    ),
    Operation(
        name="deploy.cancel",
        method="POST",
        path=f"{API}/cancel/{{id}}",
        access=Access.OPERATOR,
        handler=cancel,
        summary="Stop and undo a deployment",
    ),
    Operation(
        name="deploy.status",
        method="GET",
        path=f"{API}/status/{{id}}",
        access=Access.OPERATOR,
        handler=status,
        summary="How far a deployment is",
    ),
    Operation(
        name="deploy.history",
        method="GET",
        path=f"{API}/history",
        access=Access.OPERATOR,
        handler=history,
        summary="Return deployments",
        query=frozenset({"limit", "cursor"}),
    ),
)
