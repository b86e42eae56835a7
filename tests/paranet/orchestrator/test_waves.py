"""Which devices are changed together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paranet.errors import BadField
from paranet.models.device import Change, Delta, Row
from paranet.orchestrator.plan import DevicePlan, Plan
from paranet.orchestrator.waves import Strategy, make_before_break, split

node_lists = st.lists(st.text("abcdef", min_size=1, max_size=4), unique=True, max_size=60)
fractions = st.lists(st.floats(0, 1, exclude_min=True), max_size=5).map(tuple)
strategies = st.builds(Strategy, kind=st.sampled_from(["canary", "all-at-once"]), waves=fractions)


@given(node_lists, strategies)
def test_every_device_is_in_one_wave(nodes: list[str], strategy: Strategy) -> None:
    """In the order given, and no wave is empty."""
    waves = split(nodes, strategy)
    assert [node for wave in waves for node in wave] == nodes
    assert all(waves)


@given(node_lists.filter(bool), fractions)
def test_a_canary_goes_first(nodes: list[str], waves: tuple[float, ...]) -> None:
    """One device alone, whatever the fractions; there are at most two waves more than fractions."""
    found = split(nodes, Strategy(waves=waves))
    assert found[0] == (nodes[0],)
    assert len(found) <= len(waves) + 2


def test_one_then_a_tenth_then_the_rest() -> None:
    """That is what happens when nothing else is asked for."""
    assert [len(wave) for wave in split([str(i) for i in range(40)], Strategy())] == [1, 4, 35]


def test_all_at_once_is_one_wave() -> None:
    """However many there are."""
    assert split(["a", "b", "c"], Strategy(kind="all-at-once")) == (("a", "b", "c"),)


@pytest.mark.parametrize("kind", ["canary", "all-at-once"])
def test_nothing_to_do_is_no_wave(kind: str) -> None:
    """Rather than an empty one."""
    assert split([], Strategy(kind=kind)) == ()


@pytest.mark.parametrize("waves", [(0.0,), (-0.1,), (1.1,), (float("nan"),), (0.5,) * 21])
def test_waves_are_fractions(waves: tuple[float, ...]) -> None:
    """Above 0, up to 1, and not too many."""
    with pytest.raises(BadField, match="waves"):
        Strategy(waves=waves)


def test_other_strategies_are_refused() -> None:
    """By name."""
    with pytest.raises(BadField, match="big-bang"):
        Strategy(kind="big-bang")


def changed(node: str, *changes: Change) -> DevicePlan:
    return DevicePlan(node=node, base="", delta=Delta(changes=changes))


def row(key: str, family: str = "ip.route", **given: object) -> Row:
    return Row(family=family, key=key, value=given)


def test_a_way_is_made_from_its_end() -> None:
    """Nearest the end first; what only removes comes last, whatever lies on no way before it by name."""
    new, old = Change(before=None, after=row("a")), Change(before=row("b"), after=None)
    devices = (changed("b", new), changed("c", new), changed("d", old), changed("e", new), changed("f", new, old))
    plan = Plan(plan_id="", compile_id=None, rolls_back=None, topology_revision=1, devices=devices, hash="")
    assert make_before_break(plan, [("b", "c", "f", "z"), ("e", "z")]) == ("e", "f", "c", "b", "d")
