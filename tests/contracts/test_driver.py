"""What every driver promises (paranet.controller.driver), faults included. A new driver adds a rig to `rigs.FACTORIES`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import attrs
import pytest

from paranet.controller.driver import Driver
from paranet.errors import DeviceError
from paranet.models.device import Change, Delta
from paranet.models.topology import Modality
from tests.contracts.rigs import FACTORIES, Rig
from tests.namespaces import needs_namespaces


@pytest.fixture(params=[pytest.param(name, marks=needs_namespaces if name == "linux" else ()) for name in FACTORIES])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    made = FACTORIES[request.param](tmp_path)
    await made.open()
    yield made
    await made.close()


def only_if(can: bool, what: str) -> None:
    """Skip what devices of this kind do not promise."""
    if not can:
        pytest.skip(f"has no {what}")


@pytest.fixture
async def driver(rig: Rig) -> AsyncIterator[Driver]:
    session = rig.session()
    await session.connect()
    yield session
    await session.close()


@pytest.fixture
def delta(rig: Rig) -> Delta:
    """Both good rows, new."""
    return Delta(changes=tuple(Change(before=None, after=row) for row in rig.good))


async def stage(driver: Driver, delta: Delta) -> None:
    await driver.stage(delta, base=await driver.transaction_id())


async def commit(driver: Driver, delta: Delta, *, confirm_within: float | None = None) -> None:
    await stage(driver, delta)
    await driver.commit(confirm_within=confirm_within)


async def rows(driver: Driver) -> set[str]:
    return {key for _, key in await driver.read_rows()}


async def test_connecting_tells_what_the_device_can(rig: Rig) -> None:
    """And may be done twice."""
    session = rig.session()
    can = await session.connect()
    assert Modality.IP in can.modalities
    assert can.confirmed_commit == rig.confirms
    assert await session.connect() == await session.connect()
    await session.close()


async def test_without_a_session_nothing_is_answered(rig: Rig) -> None:
    """Neither before it nor after."""
    session = rig.session()
    with pytest.raises(DeviceError):
        await session.read_rows()
    await session.connect()
    await session.close()
    await session.close()
    with pytest.raises(DeviceError):
        await session.read_rows()


async def test_a_commit_installs_exactly_what_was_staged(driver: Driver, rig: Rig, delta: Delta) -> None:
    """Not before it, and all of it at once."""
    await stage(driver, delta)
    assert await rows(driver) == set()
    await driver.commit(confirm_within=None)
    assert {row.id: row.value for row in rig.good} == {key: row.value for key, row in (await driver.read_rows()).items()}


async def test_the_transaction_id_follows_the_rows(driver: Driver, delta: Delta) -> None:
    """It changes with them and comes back with them."""
    before = await driver.transaction_id()
    await stage(driver, delta)
    assert await driver.transaction_id() == before
    await driver.commit(confirm_within=None)
    assert await driver.transaction_id() != before
    await commit(driver, delta.inverse())
    assert await driver.transaction_id() == before


async def test_a_stale_base_is_refused(driver: Driver, rig: Rig, delta: Delta) -> None:
    """What somebody else did in between is not overwritten."""
    base = await driver.transaction_id()
    rig.change_row(rig.good[0])
    with pytest.raises(DeviceError):
        await driver.stage(delta, base=base)


async def test_a_row_that_is_not_as_expected_is_refused(driver: Driver, rig: Rig) -> None:
    """Each change names what it replaces."""
    wrong = Delta(changes=(Change(before=attrs.evolve(rig.good[0], value={"next_hops": []}), after=None),))
    with pytest.raises(DeviceError):
        await stage(driver, wrong)


async def test_one_bad_row_refuses_all(driver: Driver, rig: Rig, delta: Delta) -> None:
    """The refusal names the row, and nothing can be committed."""
    with pytest.raises(DeviceError, match=rig.bad.key):
        await stage(driver, Delta(changes=(*delta.changes, Change(before=None, after=rig.bad))))
    with pytest.raises(DeviceError):
        await driver.commit(confirm_within=None)
    assert await rows(driver) == set()


async def test_what_is_discarded_cannot_be_committed(driver: Driver, delta: Delta) -> None:
    """Discarding twice is fine."""
    await stage(driver, delta)
    await driver.discard()
    await driver.discard()
    with pytest.raises(DeviceError):
        await driver.commit(confirm_within=None)


async def test_every_step_may_be_repeated(driver: Driver, rig: Rig, delta: Delta) -> None:
    """Who lost an answer asks again, with the same effect."""
    for _ in range(2):
        await stage(driver, delta)
    for _ in range(2):
        await driver.commit(confirm_within=30)
    for _ in range(2):
        await driver.confirm()
    assert await rows(driver) == {row.key for row in rig.good}
    for _ in range(2):
        await driver.revert(delta.inverse())
    assert await rows(driver) == set()


async def test_an_unconfirmed_commit_goes_by_itself(driver: Driver, rig: Rig, delta: Delta) -> None:
    """In its time, not before; a confirm that comes too late is an error, until there is another commit."""
    only_if(rig.confirms, "timer")
    await commit(driver, delta, confirm_within=30)
    rig.wait(29)
    assert await rows(driver) == {row.key for row in rig.good}
    rig.wait(2)
    assert await rows(driver) == set()
    with pytest.raises(DeviceError):
        await driver.confirm()
    await stage(driver, delta)
    with pytest.raises(DeviceError):
        await driver.confirm()
    await driver.commit(confirm_within=30)
    await driver.confirm()


async def test_an_unconfirmed_commit_is_told_from_other_refusals(driver: Driver, rig: Rig, delta: Delta) -> None:
    """Whoever comes next can end it."""
    only_if(rig.confirms, "timer")
    await commit(driver, delta, confirm_within=30)
    with pytest.raises(DeviceError) as refused:
        await stage(driver, delta.inverse())
    assert refused.value.extra["unconfirmed"] is True
    await driver.confirm()
    await stage(driver, delta.inverse())


async def test_a_confirmed_commit_stays(driver: Driver, rig: Rig, delta: Delta) -> None:
    """Also over a power cycle."""
    only_if(rig.keeps, "memory")
    await commit(driver, delta, confirm_within=30)
    await driver.confirm()
    rig.wait(60)
    rig.kill()
    rig.revive()
    assert await rows(driver) == {row.key for row in rig.good}


async def test_an_unconfirmed_commit_is_lost_with_the_power(driver: Driver, rig: Rig, delta: Delta) -> None:
    """The device comes back as it was before."""
    only_if(rig.confirms, "timer")
    await commit(driver, delta, confirm_within=30)
    rig.kill()
    rig.revive()
    assert await rows(driver) == set()


@pytest.mark.parametrize("progress", ["nothing", "staged", "committed", "confirmed"])
async def test_reverting_works_from_everywhere(driver: Driver, delta: Delta, progress: str) -> None:
    """Whether or not the commit got through."""
    if progress != "nothing":
        await stage(driver, delta)
    if progress in ("committed", "confirmed"):
        await driver.commit(confirm_within=30)
    if progress == "confirmed":
        await driver.confirm()
    await driver.revert(delta.inverse())
    assert await rows(driver) == set()


async def test_reverting_leaves_other_rows(driver: Driver, rig: Rig) -> None:
    """Only those of the inverse are touched."""
    mine, foreign = rig.good
    delta = Delta(changes=(Change(before=None, after=mine),))
    await commit(driver, delta, confirm_within=30)
    rig.change_row(foreign)
    await driver.revert(delta.inverse())
    assert await rows(driver) == {foreign.key}


async def test_a_session_may_end_between_commit_and_confirm(driver: Driver, rig: Rig, delta: Delta) -> None:
    """A hub that restarts confirms in another one."""
    await commit(driver, delta, confirm_within=30)
    await driver.close()
    other = rig.session()
    await other.connect()
    await other.confirm()
    rig.wait(60)
    assert await rows(other) == {row.key for row in rig.good}
    await other.close()


@pytest.mark.parametrize("step", ["stage", "commit", "confirm", "revert"])
async def test_a_refusal_has_no_effect_and_no_memory(driver: Driver, rig: Rig, delta: Delta, step: str) -> None:
    """The same step asked again works."""
    steps: dict[str, Callable[[], object]] = {
        "stage": lambda: stage(driver, delta),
        "commit": lambda: driver.commit(confirm_within=30),
        "confirm": driver.confirm,
        "revert": lambda: driver.revert(delta.inverse()),
    }
    for name, call in steps.items():
        if name == step:
            before = await driver.transaction_id()
            rig.refuse_next(step)
            with pytest.raises(DeviceError):
                await call()  # type: ignore[misc]
            assert await driver.transaction_id() == before
        await call()  # type: ignore[misc]


async def test_a_lost_answer_to_a_commit_is_a_commit(driver: Driver, rig: Rig, delta: Delta) -> None:
    """The caller sees an error, the rows are live, and asking again settles it."""
    await stage(driver, delta)
    rig.lose_next("commit")
    with pytest.raises(DeviceError):
        await driver.commit(confirm_within=30)
    assert await rows(driver) == {row.key for row in rig.good}
    await driver.commit(confirm_within=30)
    await driver.confirm()


async def test_a_dead_device_is_an_error_at_every_step(driver: Driver, rig: Rig, delta: Delta) -> None:
    """Unreachable, whatever is asked."""
    rig.kill()
    for call in (driver.connect, driver.read_rows, driver.transaction_id, driver.confirm, driver.discard, driver.counters):
        with pytest.raises(DeviceError, match="unreachable"):
            await call()
    with pytest.raises(DeviceError, match="unreachable"):
        await driver.revert(delta.inverse())


async def test_a_device_that_hangs_can_be_given_up(driver: Driver, rig: Rig, delta: Delta) -> None:
    """The call waits without effect, is cancelled cleanly, and works again afterwards."""
    await stage(driver, delta)
    rig.hang()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await driver.commit(confirm_within=30)
    rig.release()
    assert await rows(driver) == set()
    await driver.commit(confirm_within=30)


async def test_a_device_that_dies_while_it_hangs_is_an_error(driver: Driver, rig: Rig) -> None:
    """Nobody waits for ever."""
    rig.hang()
    waiting = asyncio.create_task(driver.read_rows(), name="read a hanging device")
    await asyncio.sleep(0)
    rig.kill()
    rig.release()
    with pytest.raises(DeviceError, match="unreachable"):
        await waiting


async def test_a_foreign_change_is_seen(driver: Driver, rig: Rig) -> None:
    """Reading is reading the device, not the hub's memory of it."""
    before = await driver.transaction_id()
    rig.change_row(rig.good[1])
    assert await rows(driver) == {rig.good[1].key}
    assert await driver.transaction_id() != before


async def test_counters_grow(driver: Driver, rig: Rig, delta: Delta) -> None:
    """The device is up, and nothing that is counted in total ever goes back."""
    await commit(driver, delta)
    seen: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for _ in range(5):
        rig.wait(1)
        samples = await driver.counters()
        assert [s.value for s in samples if s.metric == "paranet_node_up"] == [1]
        for sample in (s for s in samples if s.metric.endswith("_total")):
            key = sample.metric, tuple(sorted(sample.labels.items()))
            assert sample.value >= seen.get(key, 0)
            seen[key] = sample.value
