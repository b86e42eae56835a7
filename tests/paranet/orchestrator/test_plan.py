"""Plans and the way back from them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paranet.codec import structure, unstructure
from paranet.errors import RowConflict
from paranet.models.device import Delta, Row, RowKey, Rows, fingerprint
from paranet.orchestrator.diff import apply
from paranet.orchestrator.plan import Plan, make_plan, rolled_back_rows, scope_of, wanted_rows

Network = dict[str, dict[RowKey, Row]]


def row(key: str = "x", value: int = 1, *owners: str) -> Row:
    return Row(family="ip.route", key=key, value={"v": value}, owners=owners)


def keyed(*rows: Row) -> dict[RowKey, Row]:
    return {r.id: r for r in rows}


def turned(network: Network) -> Network:
    return {node: dict(reversed(list(rows.items()))) for node, rows in reversed(list(network.items()))}


def planned(installed: Network, desired: Network, plan_id: str = "p") -> Plan:
    return make_plan(plan_id=plan_id, topology_revision=1, installed=installed, desired=desired)


def applied(network: Network, plan: Plan) -> Network:
    """Return the network once the plan is deployed."""
    return {**network, **{d.node: apply(network[d.node], d.delta) for d in plan.devices}}


owners = st.lists(st.sampled_from(["i", "j", "k"]), unique=True, max_size=2).map(lambda o: tuple(sorted(o)))


def networks(keys: str) -> st.SearchStrategy[Network]:
    """Rows under some keys on some of three devices."""
    rows = st.builds(lambda key, value, who: row(key, value, *who), st.sampled_from(keys), st.integers(0, 2), owners)
    return st.fixed_dictionaries({node: st.lists(rows, max_size=4).map(lambda found: keyed(*found)) for node in "abc"})


@given(networks("uvwxyz"), networks("uvwxyz"))
def test_a_plan_leads_from_what_is_to_what_is_wanted(installed: Network, desired: Network) -> None:
    """Device by device, in the order of their names, those without a change left out."""
    plan = planned(installed, desired)
    assert applied(installed, plan) == desired
    assert plan.nodes == tuple(node for node in sorted(desired) if installed[node] != desired[node])
    assert all(d.base == fingerprint(installed[d.node]) for d in plan.devices)


@given(networks("uvwxyz"), networks("uvwxyz"))
def test_the_hash_does_not_depend_on_order(installed: Network, desired: Network) -> None:
    """The same plan has the same hash, also once it was written and read."""
    plan = planned(installed, desired)
    assert planned(turned(installed), turned(desired)) == plan
    assert structure(unstructure(plan), Plan) == plan


@given(networks("uvwxyz"), networks("uvwxyz"), networks("uvwxyz"))
def test_the_hash_follows_the_content(installed: Network, desired: Network, other: Network) -> None:
    """Two plans have one hash only if they do the same on the same state."""
    one, two = planned(installed, desired), planned(installed, other)
    assert (one.hash == two.hash) == (one.devices == two.devices)
    assert planned(installed, desired, "q").hash != one.hash


def test_devices_nobody_spoke_of_are_left_alone() -> None:
    """Only the desired rows make changes."""
    assert planned({"a": keyed(row()), "b": keyed(row())}, {"b": {}}).nodes == ("b",)


def test_a_compilation_speaks_for_its_own_intents() -> None:
    """And, under a name, for all that were deployed under it."""
    installed = {"a": keyed(row("x", 1, "web/old", "lab/old")), "b": keyed(row("y", 1, "website/old"), row("z", 1, "web/older"))}
    assert scope_of(["web/new"], None, installed) == {"web/new"}
    assert scope_of(["web/new"], "web", installed) == {"web/new", "web/old", "web/older"}


def test_what_is_wanted_covers_every_device() -> None:
    """Also those from which an intent has gone."""
    installed = {"a": keyed(row("x", 1, "i")), "b": keyed(row("x", 1, "i"), row("y", 1)), "c": {}}
    assert wanted_rows(installed, {"c": [row("x", 1, "i")]}, {"i"}) == {"a": {}, "b": keyed(row("y", 1)), "c": keyed(row("x", 1, "i"))}


def test_a_conflict_names_the_device() -> None:
    """With the row and who holds it."""
    with pytest.raises(RowConflict) as caught:
        wanted_rows({"a": {}, "b": keyed(row("x", 1, "j"))}, {"b": [row("x", 2, "i")]}, {"i"})
    assert caught.value.detail.startswith("b: ip.route x is held by j")
    assert caught.value.extra == {"node": "b", "family": "ip.route", "key": "x", "owners": ["j"]}


@given(networks("uvw"), networks("uvw"), networks("xyz"))
def test_a_rollback_undoes_the_plan_and_nothing_else(installed: Network, desired: Network, later: Network) -> None:
    """After it every device has what it had before, and what others did to other rows since."""
    plan = planned(installed, desired)
    now = {node: {**rows, **later[node]} for node, rows in applied(installed, plan).items()}
    assert rolled_back_rows(now, plan) == {node: {**rows, **later[node]} for node, rows in installed.items()}


@given(networks("uvw"), networks("uvw"))
def test_a_rollback_can_be_rolled_back(installed: Network, desired: Network) -> None:
    """Its plan is one like any other."""
    first = planned(installed, desired)
    back = planned(desired, {n: dict(r) for n, r in rolled_back_rows(desired, first).items()})
    assert rolled_back_rows(installed, back) == desired


def test_a_row_that_others_want_by_now_stays_theirs() -> None:
    """An added row that a later intent shares goes from one owner only."""
    plan = planned({"a": {}}, {"a": keyed(row("x", 1, "i"))})
    assert rolled_back_rows({"a": keyed(row("x", 1, "i", "j"))}, plan) == {"a": keyed(row("x", 1, "j"))}


def test_a_row_that_only_changed_hands_gives_them_back() -> None:
    """Later owners are kept with the earlier ones."""
    plan = planned({"a": keyed(row("x", 1, "h"))}, {"a": keyed(row("x", 1, "h", "i"))})
    assert rolled_back_rows({"a": keyed(row("x", 1, "h", "i", "j"))}, plan) == {"a": keyed(row("x", 1, "h", "j"))}


@pytest.mark.parametrize(
    ("before", "after", "now"),
    [
        ({}, keyed(row("x", 1, "i")), keyed(row("x", 2, "j"))),
        ({}, keyed(row("x", 1, "i")), {}),
        (keyed(row("x", 1, "i")), keyed(row("x", 2, "i")), keyed(row("x", 3, "i"))),
        (keyed(row("x", 1, "i")), {}, keyed(row("x", 1, "j"))),
        (keyed(row("x", 1, "i")), keyed(row("x", 2, "i")), keyed(row("x", 2, "i", "j"))),
    ],
    ids=["replaced", "removed", "changed", "added again", "shared by now"],
)
def test_later_work_on_the_same_row_is_a_conflict(before: Rows, after: Rows, now: Rows) -> None:
    """It names device, row and owners instead of undoing other people's work."""
    plan = make_plan(plan_id="p", topology_revision=1, installed={"a": before}, desired={"a": after})
    with pytest.raises(RowConflict, match=r"^a: ip\.route x") as caught:
        rolled_back_rows({"a": now}, plan)
    assert (caught.value.extra["node"], caught.value.extra["row"]) == ("a", ["ip.route", "x"])


def test_the_empty_plan_does_nothing() -> None:
    """Forward and back."""
    plan = planned({"a": keyed(row())}, {"a": keyed(row())})
    assert plan.devices == ()
    assert not Delta()
    assert rolled_back_rows({"a": keyed(row())}, plan) == {"a": keyed(row())}
