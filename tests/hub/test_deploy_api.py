"""Deployments over REST: executed, followed to the end, rolled back, refused."""

import pytest

from tests.hub.api import Api
from tests.hub.deployments import differences, executed, followed
from tests.hub.networks import OTHER_WAY, ROUTE, compiled


async def test_executing_is_accepted_with_a_place_to_look(square: Api) -> None:
    """202, Location of the status, the id and the state at once."""
    compile_id = await compiled(square)
    status, body, headers = await square.call("POST", "/deploy/execute", json={"compile_id": compile_id})
    assert status == 202
    assert headers["Location"] == f"/api/v1/deploy/status/{body['deploy_id']}"
    assert (body["state"], body["compile_id"], body["author"]) == ("planned", compile_id, "operator")
    await followed(square, body["deploy_id"])


async def test_a_deployment_is_followed_to_its_end(square: Api) -> None:
    """Every event in order from `planned` to `succeeded`; percent never goes back and ends at 100."""
    _, body, _ = await square.call("POST", "/deploy/execute", json={"compile_id": await compiled(square)})
    events = await followed(square, body["deploy_id"])
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
    states = list(dict.fromkeys(e["state"] for e in events))
    assert states == ["planned", "validating", "staging", "committing", "gating", "confirming", "succeeded"]
    percents = [e["percent"] for e in events]
    assert percents == sorted(percents)
    assert percents[-1] == 100


async def test_a_deployment_that_ended_is_told_again(square: Api) -> None:
    """From the journal, the same events at the same places."""
    _, body, _ = await square.call("POST", "/deploy/execute", json={"compile_id": await compiled(square)})
    assert await followed(square, body["deploy_id"]) == await followed(square, body["deploy_id"])


async def test_the_status_says_how_it_ended(square: Api) -> None:
    """Waves, devices, times and no inconsistent device."""
    status = await executed(square, await compiled(square))
    assert (status["state"], status["percent"], status["reason"], status["inconsistent_devices"]) == ("succeeded", 100, None, [])
    assert [[(d["node"], d["state"]) for d in w["devices"]] for w in status["waves"]] == [[("r2", "confirmed")], [("r1", "confirmed")]]
    assert status["started_at"].endswith("Z")
    assert status["ended_at"] >= status["started_at"]


async def test_the_plan_stays_readable(square: Api) -> None:
    """What a deployment changed is told by device after it has ended; of one that never was there is none."""
    compile_id = await compiled(square)
    _, agreed, _ = await square.call("POST", "/deploy/validate", json={"compile_id": compile_id})
    status = await executed(square, compile_id)
    code, plan, _ = await square.call("GET", f"/deploy/plan/{status['deploy_id']}")
    assert (code, plan) == (200, {"base": agreed["base"], "changes": agreed["changes"]})
    assert (await square.call("GET", "/deploy/plan/nothing"))[0] == 404


async def test_all_at_once_is_one_wave(square: Api) -> None:
    """The strategy is the caller's."""
    status = await executed(square, await compiled(square), strategy={"kind": "all-at-once"})
    assert [[d["node"] for d in w["devices"]] for w in status["waves"]] == [["r2", "r1"]]


async def test_after_a_deployment_there_is_no_difference(square: Api) -> None:
    """The preview of what was deployed is empty."""
    compile_id = await compiled(square)
    await executed(square, compile_id)
    assert await differences(square, compile_id) == {}


async def test_deploying_what_is_there_succeeds_without_devices(square: Api) -> None:
    """Nothing to do is done at once."""
    compile_id = await compiled(square)
    await executed(square, compile_id)
    status = await executed(square, compile_id)
    assert (status["state"], status["waves"]) == ("succeeded", [])


# -- back


async def test_a_rollback_brings_the_difference_back(square: Api) -> None:
    """A deployment of its own, after which everything is to be added again."""
    compile_id = await compiled(square)
    before = await differences(square, compile_id)
    done = await executed(square, compile_id)
    status, body, headers = await square.call("POST", f"/deploy/rollback/{done['deploy_id']}")
    assert status == 202
    assert (body["rolls_back"], headers["Location"]) == (done["deploy_id"], f"/api/v1/deploy/status/{body['deploy_id']}")
    assert (await followed(square, body["deploy_id"]))[-1]["state"] == "succeeded"
    assert await differences(square, compile_id) == before


async def test_a_rollback_leaves_other_work_alone(square: Api) -> None:
    """Rows that somebody deployed later elsewhere stay."""
    done = await executed(square, await compiled(square, name="first"))
    other = await compiled(square, "route back { from: r3; to: r1; via: r2 }", name="second")
    await executed(square, other)
    _, body, _ = await square.call("POST", f"/deploy/rollback/{done['deploy_id']}")
    assert (await followed(square, body["deploy_id"]))[-1]["state"] == "succeeded"
    assert await differences(square, other) == {}


async def test_a_rollback_over_later_work_is_refused(square: Api) -> None:
    """409 naming the row, when a later deployment changed it."""
    first = await executed(square, await compiled(square, ROUTE))
    await executed(square, await compiled(square, OTHER_WAY))
    status, body, _ = await square.call("POST", f"/deploy/rollback/{first['deploy_id']}")
    assert (status, body["code"]) == (409, "row-conflict")
    assert body["row"] == ["ip.route", "10.255.0.3/32"]


# -- refusals


async def test_a_compilation_of_another_topology_is_stale(square: Api) -> None:
    """409 with both revisions; compile again."""
    compile_id = await compiled(square)
    await square.call("POST", "/topology/nodes", json={"id": "r9"})
    status, body, _ = await square.call("POST", "/deploy/execute", json={"compile_id": compile_id})
    assert (status, body["code"], body["compiled_on"], body["revision"]) == (409, "plan-stale", 1, 2)


async def test_what_did_not_compile_is_not_deployed(square: Api) -> None:
    """409 wrong-state."""
    _, failed, _ = await square.call("POST", "/intent/compile", json={"source": "route {"})
    status, body, _ = await square.call("POST", "/deploy/execute", json={"compile_id": failed["id"]})
    assert (status, body["code"]) == (409, "wrong-state")


async def test_rows_of_somebody_else_are_not_taken(square: Api) -> None:
    """Another set of intents wants the same row with another value: 409."""
    late = await compiled(square, OTHER_WAY, name="late")
    await executed(square, await compiled(square, ROUTE, name="early"))
    status, body, _ = await square.call("POST", "/deploy/execute", json={"compile_id": late})
    assert (status, body["code"], body["owners"]) == (409, "row-conflict", ["early/web"])


async def test_an_ended_deployment_is_not_cancelled(square: Api) -> None:
    """409 wrong-state says how it ended."""
    done = await executed(square, await compiled(square))
    status, body, _ = await square.call("POST", f"/deploy/cancel/{done['deploy_id']}")
    assert (status, body["code"]) == (409, "wrong-state")
    assert "succeeded" in body["detail"]


async def test_a_deployment_that_is_not_there_is_not_found(operator: Api) -> None:
    """404 each."""
    for method, path in [("GET", "status"), ("POST", "cancel"), ("POST", "rollback")]:
        status, body, _ = await operator.call(method, f"/deploy/{path}/nothing")
        assert (status, body["code"]) == (404, "not-found")


async def test_a_compilation_that_is_not_there_is_not_found(operator: Api) -> None:
    """404."""
    status, body, _ = await operator.call("POST", "/deploy/execute", json={"compile_id": "nothing"})
    assert (status, body["code"]) == (404, "not-found")


@pytest.mark.parametrize(
    ("strategy", "path", "message"),
    [
        ({"kind": "bold"}, "strategy.kind", "canary or all-at-once"),
        ({"kind": 1}, "strategy.kind", "must be a string"),
        ({"waves": [0]}, "strategy.waves", "fractions"),
        ({"waves": [2]}, "strategy.waves", "fractions"),
        ({"waves": [0.1] * 21}, "strategy.waves", "at most 20"),
        ({"waves": "all"}, "strategy.waves", "must be a list"),
        ({"speed": 1}, "strategy.speed", "no such field"),
        ("canary", "strategy", "must be an object"),
    ],
)
async def test_a_strategy_that_is_none_is_refused(square: Api, strategy: object, path: str, message: str) -> None:
    """400 with the place and what is wrong there, and nothing is started."""
    compile_id = await compiled(square)
    status, body, _ = await square.call("POST", "/deploy/execute", json={"compile_id": compile_id, "strategy": strategy})
    assert (status, body["code"]) == (400, "invalid")
    assert [fault["path"] for fault in body["errors"]] == [path]
    assert message in body["errors"][0]["message"]
    assert (await square.call("GET", "/deploy/history"))[1]["items"] == []


# -- history


async def test_the_history_lists_deployments(square: Api) -> None:
    """Newest first, rollbacks are among them; page by page."""
    first = await executed(square, await compiled(square))
    _, back, _ = await square.call("POST", f"/deploy/rollback/{first['deploy_id']}")
    await followed(square, back["deploy_id"])
    _, page, _ = await square.call("GET", "/deploy/history?limit=1")
    _, rest, _ = await square.call("GET", f"/deploy/history?limit=1&cursor={page['next']}")
    assert [(p["deploy_id"], p["rolls_back"]) for p in page["items"] + rest["items"]] == [
        (back["deploy_id"], first["deploy_id"]),
        (first["deploy_id"], None),
    ]
    assert rest["next"] is None
