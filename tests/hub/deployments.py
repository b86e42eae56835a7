"""Deployments as clients drive them."""

from typing import Any

from tests.hub.api import Api
from tests.hub.sockets import connected

ENDINGS = {"succeeded", "rolled_back", "cancelled", "failed"}


async def started(api: Api, compile_id: str, **more: Any) -> str:
    """Execute; return the deployment's id."""
    status, body, _ = await api.call("POST", "/deploy/execute", json={"compile_id": compile_id, **more})
    assert status == 202, body
    return str(body["deploy_id"])


async def followed(api: Api, deploy_id: str, *, to: set[str] = ENDINGS) -> list[dict[str, Any]]:
    """Return the events of a deployment, from its first to its ending (or another state), as its channel tells them."""
    events: list[dict[str, Any]] = []
    async with connected(api, f"/ws/deploy/{deploy_id}") as socket:
        await socket.hear("ok")
        while not events or events[-1]["state"] not in to:
            events += (await socket.hear("events"))["items"]
    return events


async def executed(api: Api, compile_id: str, **more: Any) -> dict[str, Any]:
    """Execute, follow to the end and return the status then."""
    deploy_id = await started(api, compile_id, **more)
    await followed(api, deploy_id)
    return await status_of(api, deploy_id)


async def status_of(api: Api, deploy_id: str) -> dict[str, Any]:
    """Return a deployment's status."""
    status, body, _ = await api.call("GET", f"/deploy/status/{deploy_id}")
    assert status == 200, body
    assert isinstance(body, dict)
    return body


async def differences(api: Api, compile_id: str) -> dict[str, Any]:
    """Return what a compilation would still change, by node."""
    _, body, _ = await api.call("GET", f"/intent/preview/{compile_id}")
    return {d["node"]: d["diff"] for d in body["devices"] if any(d["diff"].values())}
