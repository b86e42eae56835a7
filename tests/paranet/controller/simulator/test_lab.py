"""paranet.controller.simulator.lab"""

import asyncio
from collections.abc import Callable

import pytest

from paranet.controller.simulator.device import SimulatorDriver
from paranet.controller.simulator.flash import MemoryFlash
from paranet.controller.simulator.lab import STEPS, Lab
from paranet.controller.simulator.network import SimulatedNetwork
from paranet.errors import DeviceError, NotFound
from tests.paranet.controller.simulator.networks import line, route


@pytest.fixture
def network() -> SimulatedNetwork:
    return SimulatedNetwork(line("a", "b", "c"), seed=1, flash=MemoryFlash())


@pytest.mark.parametrize(
    "fault",
    [
        lambda lab: lab.cut_link("x"),
        lambda lab: lab.mend_link("x"),
        lambda lab: lab.kill_node("x"),
        lambda lab: lab.revive_node("x"),
        lambda lab: lab.hang("x"),
        lambda lab: lab.release("x"),
        lambda lab: lab.refuse_next("x", "stage"),
        lambda lab: lab.refuse_next("a", "dance"),
        lambda lab: lab.lose_next("a", "dance"),
        lambda lab: lab.change_row("x", route("10.0.0.0/8")),
        lambda lab: lab.remove_row("x", ("ip.route", "10.0.0.0/8")),
        lambda lab: lab.remove_row("a", ("ip.route", "10.0.0.0/8")),
    ],
)
def test_faults_need_a_place(network: SimulatedNetwork, fault: Callable[[Lab], None]) -> None:
    """What is not there cannot fail."""
    with pytest.raises(NotFound):
        fault(network.lab)


def test_steps_are_those_of_a_driver() -> None:
    """Every step that can be refused is one that a driver has."""
    assert all(hasattr(SimulatorDriver, step) for step in STEPS)


def test_faults_are_shown(network: SimulatedNetwork) -> None:
    """A lab's state can be read."""
    network.lab.cut_link("a-b")
    network.lab.kill_node("c")
    network.lab.hang("b")
    assert [set(network.lab.cut), set(network.lab.dead), set(network.lab.hung)] == [{"a-b"}, {"c"}, {"b"}]


async def test_faults_go_with_their_places(network: SimulatedNetwork) -> None:
    """A node that comes back is a healthy one, and nobody waits for one that went."""
    driver = SimulatorDriver(network, "c")
    await driver.connect()
    for fault in (network.lab.hang, network.lab.kill_node):
        fault("c")
    network.lab.revive_node("c")
    network.lab.refuse_next("c", "connect")
    network.lab.cut_link("b-c")
    waiting = asyncio.create_task(driver.read_rows(), name="read c")
    await asyncio.sleep(0)
    network.set_topology(line("a", "b"))
    with pytest.raises(DeviceError, match="c is not there"):
        await waiting
    network.set_topology(line("a", "b", "c"))
    assert (network.lab.cut, network.lab.hung) == (frozenset(), frozenset())
    await driver.connect()
