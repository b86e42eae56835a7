"""SimulatedNetwork.state: the same only while every device shows the same."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from paranet.controller.simulator.device import SimulatorDriver
from paranet.controller.simulator.flash import MemoryFlash
from paranet.controller.simulator.network import SimulatedNetwork
from paranet.errors import DeviceError, NotFound
from paranet.models.device import Change, Delta, Row, Rows
from tests.paranet.controller.simulator.networks import line, route

NODES = ("a", "b", "c")
ROWS = tuple(route(f"10.{i}.0.0/16") for i in range(3))
Deed = Callable[[SimulatedNetwork, SimulatorDriver, str, Row], Awaitable[object] | None]


async def stage(_network: SimulatedNetwork, driver: SimulatorDriver, _node: str, row: Row) -> None:
    """Stage that the row comes, or goes if it is there."""
    before = (await driver.read_rows()).get(row.id)
    delta = Delta(changes=(Change(before=before, after=None if before else row),))
    await driver.stage(delta, base=await driver.transaction_id())


DEEDS: dict[str, Deed] = {
    "stage": stage,
    "commit": lambda _network, driver, _node, _row: driver.commit(confirm_within=2.0),
    "keep": lambda _network, driver, _node, _row: driver.commit(confirm_within=None),
    "confirm": lambda _network, driver, _node, _row: driver.confirm(),
    "tick": lambda network, _driver, _node, _row: network.tick(1.5, 0.0),
    "topology": lambda network, _driver, _node, row: network.set_topology(line(*NODES[: 2 + (row is ROWS[0])])),
    "boot": lambda network, _driver, _node, _row: network.boot(),
    "change": lambda network, _driver, node, row: network.lab.change_row(node, row),
    "remove": lambda network, _driver, node, row: network.lab.remove_row(node, row.id),
    "kill": lambda network, _driver, node, _row: network.lab.kill_node(node),
    "revive": lambda network, _driver, node, _row: network.lab.revive_node(node),
    "refuse": lambda network, _driver, node, _row: network.lab.refuse_next(node, "read_rows"),
    "lose": lambda network, _driver, node, _row: network.lab.lose_next(node, "commit"),
}
PLAYS = st.lists(st.tuples(st.sampled_from(sorted(DEEDS)), st.sampled_from(NODES), st.sampled_from(ROWS)), min_size=4, max_size=25)


@settings(max_examples=300)
@given(PLAYS)
def test_the_same_state_shows_the_same_rows(deeds: list[tuple[str, str, Row]]) -> None:
    """Whatever is done to the network by deployments, by time, by its owner or by somebody in the laboratory."""

    async def play() -> None:
        network = SimulatedNetwork(line(*NODES), seed=1, flash=MemoryFlash({"a": ROWS[:1]}))
        await network.boot()
        drivers = {node: SimulatorDriver(network, node) for node in NODES}
        for driver in drivers.values():
            await driver.connect()
        shown: dict[int, dict[str, Rows]] = {}
        for kind, node, row in deeds:
            with contextlib.suppress(DeviceError, NotFound):  # it was refused
                done = DEEDS[kind](network, drivers[node], node, row)
                if done is not None:
                    await done
            if network.state is not None:
                rows = {node: await drivers[node].read_rows() for node in network.topology.nodes}
                assert shown.setdefault(network.state, rows) == rows

    asyncio.run(play())
