"""paranet.controller.simulator.device: what the contract of all drivers (tests/contracts) does not say."""

import attrs
import pytest

from paranet.controller.simulator.device import SimulatorDriver
from paranet.controller.simulator.flash import MemoryFlash
from paranet.controller.simulator.network import SimulatedNetwork
from paranet.errors import DeviceError, StorageFailed
from paranet.models.device import Change, Delta, Row
from paranet.models.topology import Topology
from tests.paranet.controller.simulator.networks import line, link, node, route

GOOD = route("10.0.0.99/32", ("b", "a-b"))


class FullFlash(MemoryFlash):
    """Takes nothing any more once *full*."""

    full = False

    async def save(self, node_id: str, rows: tuple[Row, ...]) -> None:
        if self.full:
            raise StorageFailed("the flash is full")
        await super().save(node_id, rows)


@pytest.fixture
def flash() -> FullFlash:
    return FullFlash()


@pytest.fixture
def network(flash: FullFlash) -> SimulatedNetwork:
    return SimulatedNetwork(line("a", "b", "c"), seed=1, flash=flash)


@pytest.fixture
async def driver(network: SimulatedNetwork) -> SimulatorDriver:
    driver = SimulatorDriver(network, "a")
    await driver.connect()
    return driver


async def stage(driver: SimulatorDriver, *added: Row) -> None:
    delta = Delta(changes=tuple(Change(before=None, after=row) for row in added))
    await driver.stage(delta, base=await driver.transaction_id())


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (route("10.0.0.99/32", ("b", "a-c")), "there is no link 'a-c' to 'b' here"),
        (route("10.0.0.99/32", ("c", "b-c")), "there is no link 'b-c' to 'c' here"),
        (route("10.0.0.99/32", ("c", "a-b")), "there is no link 'a-b' to 'c' here"),
        (route("ten", ("b", "a-b")), "does not appear to be"),
        (attrs.evolve(GOOD, value={}), "next_hops must be a list"),
        (attrs.evolve(GOOD, family="ndn.rib"), "the device does not speak ndn"),
        (attrs.evolve(GOOD, family="voodoo"), "the device does not speak voodoo"),
    ],
)
async def test_rows_that_do_not_fit_are_refused_by_name(driver: SimulatorDriver, row: Row, message: str) -> None:
    """A device installs no next hop that it does not have."""
    with pytest.raises(DeviceError, match=message) as caught:
        await stage(driver, GOOD, row)
    assert caught.value.extra == {"node": "a", "row": [row.family, row.key]}
    with pytest.raises(DeviceError, match="nothing is staged"):
        await driver.commit(confirm_within=None)


async def test_a_directed_link_is_a_next_hop_of_its_source_only() -> None:
    """Nothing can be sent against it."""
    network = SimulatedNetwork(Topology.of([node("a"), node("b")], [link("a", "b", directed=True)]), seed=1, flash=MemoryFlash())
    driver = SimulatorDriver(network, "b")
    await driver.connect()
    with pytest.raises(DeviceError, match="there is no link 'a-b' to 'a' here"):
        await stage(driver, route("10.0.0.97/32", ("a", "a-b")))


async def test_only_what_is_kept_is_in_flash(driver: SimulatorDriver, flash: FullFlash) -> None:
    """A commit that waits for its confirm is not."""
    await stage(driver, GOOD)
    await driver.commit(confirm_within=30)
    assert await flash.load() == {}
    await driver.confirm()
    assert await flash.load() == {"a": (GOOD,)}


async def test_a_commit_for_good_is_in_flash_at_once(driver: SimulatorDriver, flash: FullFlash) -> None:
    """So is its revert."""
    await stage(driver, GOOD)
    await driver.commit(confirm_within=None)
    assert await flash.load() == {"a": (GOOD,)}
    await driver.revert(Delta(changes=(Change(before=GOOD, after=None),)))
    assert await flash.load() == {"a": ()}


async def test_a_full_flash_is_told_and_asked_again(driver: SimulatorDriver, flash: FullFlash) -> None:
    """Confirming again saves what could not be saved."""
    await stage(driver, GOOD)
    await driver.commit(confirm_within=30)
    flash.full = True
    with pytest.raises(DeviceError, match="a: the flash is full"):
        await driver.confirm()
    flash.full = False
    await driver.confirm()
    assert await flash.load() == {"a": (GOOD,)}


async def test_another_process_finds_the_rows(driver: SimulatorDriver, flash: FullFlash) -> None:
    """Boot restores what was kept."""
    await stage(driver, GOOD)
    await driver.commit(confirm_within=None)
    after = SimulatedNetwork(line("a", "b", "c"), seed=1, flash=flash)
    await after.boot()
    other = SimulatorDriver(after, "a")
    await other.connect()
    assert await other.read_rows() == {GOOD.id: GOOD}


async def test_a_node_that_is_gone_is_an_error(network: SimulatedNetwork, driver: SimulatorDriver) -> None:
    """The topology may change under a session; it can still be closed."""
    network.set_topology(line("b", "c"))
    with pytest.raises(DeviceError, match="a is not there"):
        await driver.read_rows()
    await driver.close()
