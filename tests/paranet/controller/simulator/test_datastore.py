"""paranet.controller.simulator.datastore"""

import attrs
import pytest

from paranet.controller.simulator.datastore import Datastore
from paranet.errors import DeviceError
from paranet.models.device import Change, Delta, Row, fingerprint

OLD = Row(family="ip.route", key="10.0.0.0/8", value={"next_hops": []})
NEW = attrs.evolve(OLD, value={"next_hops": [], "metric": 5})
OTHER = attrs.evolve(OLD, key="11.0.0.0/8")
DELTA = Delta(changes=(Change(before=OLD, after=NEW), Change(before=None, after=OTHER)))


@pytest.fixture
def store() -> Datastore:
    return Datastore("a", {OLD.id: OLD})


def staged(store: Datastore, delta: Delta = DELTA) -> Datastore:
    store.stage(delta, base=fingerprint(store.running))
    return store


def test_staging_changes_nothing(store: Datastore) -> None:
    """The candidate is not the running configuration."""
    staged(store)
    assert store.running == {OLD.id: OLD}


def test_a_stale_base_is_refused(store: Datastore) -> None:
    """A delta made for other rows does not fit."""
    with pytest.raises(DeviceError, match="not those the change was made for"):
        store.stage(DELTA, base="somebody else's")


@pytest.mark.parametrize("before", [None, NEW])
def test_an_unexpected_row_is_refused_by_name(store: Datastore, before: Row | None) -> None:
    """Each change says what it replaces."""
    with pytest.raises(DeviceError, match=r"ip\.route 10\.0\.0\.0/8") as caught:
        staged(store, Delta(changes=(Change(before=before, after=NEW),)))
    assert caught.value.extra["row"] == ["ip.route", "10.0.0.0/8"]


def test_a_commit_without_a_deadline_stays(store: Datastore) -> None:
    """It waits for nothing."""
    staged(store).commit(confirm_within=None)
    store.elapse(1e9)
    assert store.running == {NEW.id: NEW, OTHER.id: OTHER}


def test_an_unconfirmed_commit_is_undone_in_time(store: Datastore) -> None:
    """Not before, and a late confirm is told so."""
    staged(store).commit(confirm_within=10)
    store.elapse(9.9)
    assert OTHER.id in store.running
    store.elapse(0.1)
    assert store.running == {OLD.id: OLD}
    for late in (store.confirm, lambda: store.commit(confirm_within=10)):
        with pytest.raises(DeviceError, match="was not confirmed in time"):
            late()


def test_undoing_leaves_foreign_rows(store: Datastore) -> None:
    """Only what the commit touched goes back."""
    staged(store).commit(confirm_within=10)
    foreign = attrs.evolve(OLD, key="12.0.0.0/8")
    store.change(foreign.id, foreign)
    store.elapse(10)
    assert store.running == {OLD.id: OLD, foreign.id: foreign}


def test_a_confirmed_commit_stays(store: Datastore) -> None:
    """And confirming again is fine."""
    staged(store).commit(confirm_within=10)
    store.confirm()
    store.confirm()
    store.elapse(100)
    assert OTHER.id in store.running


def test_committing_again_starts_the_time_again(store: Datastore) -> None:
    """A lost answer may be asked for again."""
    staged(store).commit(confirm_within=10)
    store.elapse(9)
    store.commit(confirm_within=10)
    store.elapse(9)
    assert store.awaits_confirm


def test_there_must_be_something_to_commit(store: Datastore) -> None:
    """Neither at the start nor after a discard."""
    staged(store).discard()
    with pytest.raises(DeviceError, match="nothing is staged"):
        store.commit(confirm_within=None)


def test_nothing_is_staged_over_an_unconfirmed_commit(store: Datastore) -> None:
    """Otherwise its undoing would take the wrong rows."""
    staged(store).commit(confirm_within=10)
    with pytest.raises(DeviceError, match="waits to be confirmed"):
        staged(store, Delta())


@pytest.mark.parametrize("commit", [True, False])
def test_reverting_works_whether_or_not_the_commit_did(store: Datastore, commit: bool) -> None:
    """And twice as well as once."""
    staged(store)
    if commit:
        store.commit(confirm_within=10)
    store.revert(DELTA.inverse())
    store.revert(DELTA.inverse())
    store.elapse(100)
    assert store.running == {OLD.id: OLD}


def test_a_power_cycle_forgets_what_was_not_saved(store: Datastore) -> None:
    """The startup rows come back; the commit that was lost cannot be confirmed."""
    staged(store).commit(confirm_within=10)
    store.restart()
    assert store.running == {OLD.id: OLD}
    with pytest.raises(DeviceError, match="is undone"):
        store.confirm()
