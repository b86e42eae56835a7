"""A deployment beside other sets: what these promised holds, or it is refused."""

from typing import Any

from tests.hub.api import Api
from tests.hub.deployments import executed, followed
from tests.hub.networks import ROUTE, compiled

STOP = "acl stop { deny: { from: r1; to: r3 } }"
FOREIGN = {"family": "ip.acl", "key": "00050 foreign", "value": {"seq": 50, "action": "deny", "match": {"source": "10.255.0.1/32"}}}


async def refused(api: Api, source: str, name: str | None = "guard") -> dict[str, Any]:
    """Return the violation for which a set is not deployed, which looking at it beforehand tells, too."""
    compile_id = await compiled(api, source, name)
    _, looked, _ = await api.call("POST", "/deploy/validate", json={"compile_id": compile_id})
    status, body, _ = await api.call("POST", "/deploy/execute", json={"compile_id": compile_id})
    assert (status, body["code"]) == (422, "verification-failed")
    assert not looked["ok"]
    assert looked["verification"]["violations"] == body["errors"]
    return dict(body["errors"][0])


async def deployed(api: Api, source: str, name: str | None) -> str:
    status = await executed(api, await compiled(api, source, name))
    assert status["state"] == "succeeded", status
    return str(status["deploy_id"])


async def back(api: Api, deploy_id: str) -> str:
    status, body, _ = await api.call("POST", f"/deploy/rollback/{deploy_id}")
    assert status == 202, body
    assert (await followed(api, body["deploy_id"]))[-1]["state"] == "succeeded"
    return str(body["deploy_id"])


async def test_a_deny_in_another_sets_way(square: Api) -> None:
    """Both sets are named, and a packet shows it; when the other one is gone, and only while it is, the deny can come."""
    first = await deployed(square, ROUTE, "work")
    found = await refused(square, STOP)
    assert found["message"].startswith("'guard' would break what 'work' promised: ")
    assert (found["check"], found["intents"], found["witness"]["hops"][0]) == ("blocked", ["guard/stop", "work/web"], "r1")
    undone = await back(square, first)
    compile_id = await compiled(square, STOP, "guard")
    _, looked, _ = await square.call("POST", "/deploy/validate", json={"compile_id": compile_id})
    assert looked["ok"]
    await back(square, undone)
    assert (await refused(square, STOP))["check"] == "blocked"


async def test_without_a_name(square: Api) -> None:
    """A set is called by its compilation."""
    compile_id = await compiled(square, ROUTE, None)
    assert (await executed(square, compile_id))["state"] == "succeeded"
    assert (await refused(square, STOP))["message"].startswith(f"'guard' would break what compilation {compile_id} promised: ")


async def test_bandwidth_of_all_sets_together(square: Api) -> None:
    """Two sets that each fit do not fit together."""
    await deployed(square, "route web { from: r1; to: r3; via: r2; bandwidth: 6Gbps }", "work")
    found = await refused(square, "route bulk { from: r1; to: r2; bandwidth: 6Gbps }", "more")
    assert found["check"] == "reservation"
    assert sorted(found["intents"]) == ["more/bulk", "work/web"]
    assert "'more' would break what 'work' promised" in found["message"]


async def test_a_superseded_version_promises_nothing(square: Api) -> None:
    """What counts is how an intent was deployed last."""
    await deployed(square, "route web { from: r1; to: r3; via: r2; bandwidth: 6Gbps }", "work")
    await deployed(square, ROUTE, "work")
    await deployed(square, "route bulk { from: r1; to: r2; bandwidth: 6Gbps }", "more")
    await deployed(square, "route web { from: r1; to: r4 }", "work")
    await deployed(square, STOP, "guard")


async def test_going_back_is_never_barred(square: Api) -> None:
    """Even where it breaks what others promised; and what is broken already keeps nobody else from deploying."""
    await square.call("PUT", "/lab/nodes/r2/rows", json=FOREIGN)
    opening = await deployed(square, "acl open { seq: 10; permit: { from: r1; to: r3; protocol: tcp; port: 22 }; at: r2 }", "opening")
    await deployed(square, ROUTE, "work")
    await back(square, opening)
    await deployed(square, "route other { from: r2; to: r4; via: r3 }", "rest")
