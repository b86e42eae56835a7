"""A deployment that harms the traffic on a simulated link undoes itself."""

from collections.abc import AsyncIterator

import attrs
import pytest

from hub.house import House
from hub.settings import Network, Settings
from tests.hub.api import Api
from tests.hub.deployments import differences, executed, followed, started
from tests.hub.networks import OTHER_WAY, ROUTE, compiled, link, square
from tests.hub.sockets import connected
from tests.hub.staff import hire

TICK = 0.1


@pytest.fixture
async def house(settings: Settings) -> AsyncIterator[House]:
    """An open house that reads its devices ten times a second."""
    await hire(settings.server.data_dir)
    quick = attrs.evolve(settings, network=Network(interval=TICK))
    async with House(quick, show_first_password=lambda _: None) as opened:
        yield opened


@pytest.fixture
async def carrying(operator: Api) -> Api:
    """The square with traffic from r1 to r3 over r2; the way over r4 is thin."""
    network = square()
    network["links"] = [*network["links"][:2], *(link(a, b, bandwidth="100Mbps") for a, b in (("r3", "r4"), ("r4", "r1")))]
    network["demands"] = [{"id": "video", "source": "r1", "target": "r3", "rate": "1Gbps"}]
    assert (await operator.call("POST", "/topology/import", json=network))[0] == 200
    assert (await executed(operator, await compiled(operator)))["state"] == "succeeded"
    return operator


async def readings(api: Api, count: int) -> None:
    """Wait for so many readings of r1."""
    async with connected(api, "/ws/telemetry?nodes=r1") as socket:
        await socket.hear("ok")
        for _ in range(count):
            await socket.until("events")


async def test_halved_throughput_rolls_back(carrying: Api) -> None:
    """With the reason in the status and in the log; the old way is there again, and carries."""
    await readings(carrying, 6)
    before = await differences(carrying, worse := await compiled(carrying, OTHER_WAY))
    deploy_id = await started(carrying, worse)
    events = await followed(carrying, deploy_id)
    assert events[-1]["state"] == "rolled_back"
    assert "gating" in [e["state"] for e in events]
    assert any("throughput fell: flow video delivers" in e["message"] for e in events), "; ".join(
        e["message"] for e in events if e["message"]
    )
    assert await differences(carrying, worse) == before


async def test_who_knows_better_may_do_without(carrying: Api) -> None:
    """The guard is a gate like others: it can be left open."""
    await readings(carrying, 6)
    status = await executed(carrying, await compiled(carrying, OTHER_WAY), gates={"keep_throughput": 0})
    assert status["state"] == "succeeded"


async def test_a_cut_link_is_seen_by_the_probe(carrying: Api) -> None:
    """The rows are as promised, but packets do not arrive."""
    await carrying.call("POST", "/lab/links/r2-r3/cut")
    status = await executed(carrying, await compiled(carrying, ROUTE.replace("web", "more"), name="more"), gates={"keep_throughput": 0})
    assert status["state"] == "rolled_back"
    assert "a probe failed: packets of 'more/more'" in status["reason"]
