"""paranet.controller.simulator.traffic"""

import pytest

from paranet.controller.simulator.traffic import MAX_PAIRS, NOISE, PERIOD, SWING, flows, gravity, rates
from paranet.models.topology import Endpoint, Link, Node, Topology
from tests.paranet.controller.simulator.networks import GIGABIT, line, link


def test_demands_are_the_flows() -> None:
    """Explicit demands leave no background."""
    (flow,) = flows(line("a", "b", "c"), seed=1, background_load=0.05)
    assert (flow.id, flow.source, flow.target, flow.rate, flow.counted) == ("flow", "a", "c", 0.5 * GIGABIT, True)


def test_background_follows_the_masses() -> None:
    """Each node offers a part of its capacity, split by the capacity of the others."""
    found = gravity(line("a", "b", "c", demand=None), seed=1, load=0.05)
    by_pair = {(f.source, f.target): f.rate for f in found}
    assert len(by_pair) == 6
    assert by_pair["a", "b"] == pytest.approx(0.05 * GIGABIT * 2 / 3)
    assert by_pair["a", "c"] == pytest.approx(0.05 * GIGABIT * 1 / 3)
    assert by_pair["b", "a"] + by_pair["b", "c"] == pytest.approx(0.1 * GIGABIT)


def test_only_ip_nodes_with_links_take_part() -> None:
    """A mobile GEO node and a lonely one neither send nor receive."""
    nodes = [*line("a", "b").nodes.values(), Node(id="m", type="geo_mobile"), Node(id="x")]
    found = gravity(Topology.of(nodes, [link("a", "b"), link("b", "m")]), seed=1, load=0.05)
    assert sorted((f.source, f.target) for f in found) == [("a", "b"), ("b", "a")]


def test_large_networks_are_sampled() -> None:
    """The pairs stay within their bound, every node still offers its whole share, and a seed gives one sample."""
    nodes = [Node(id=f"n{i}") for i in range(200)]
    ends = [(Endpoint(node=f"n{i}"), Endpoint(node=f"n{(i + 1) % 200}")) for i in range(200)]
    topology = Topology.of(nodes, [Link(id=f"l{i}", source=a, target=b) for i, (a, b) in enumerate(ends)])
    found = gravity(topology, seed=1, load=0.05)
    assert len(found) == MAX_PAIRS
    assert sum(f.rate for f in found if f.source == "n0") == pytest.approx(0.05 * 2 * GIGABIT)
    assert found == gravity(topology, seed=1, load=0.05) != gravity(topology, seed=2, load=0.05)


def test_rates_swing_slowly_within_their_bounds() -> None:
    """Over a period the mean is the demand's, and no moment is more than 22 % off."""
    demand = flows(line("a", "b"), seed=1, background_load=0)
    seen = [rates(demand, seed=1, at=float(t))[0] / (0.5 * GIGABIT) for t in range(int(PERIOD))]
    assert max(abs(x - 1) for x in seen) <= SWING + NOISE
    assert max(seen) > 1.15
    assert sum(seen) / len(seen) == pytest.approx(1, abs=0.01)


def test_rates_are_a_function_of_the_time() -> None:
    """The same moment gives the same rates; another seed others."""
    demand = flows(line("a", "b"), seed=1, background_load=0)
    assert rates(demand, seed=1, at=5.0) == rates(demand, seed=1, at=5.0)
    assert rates(demand, seed=1, at=5.0) != rates(demand, seed=2, at=5.0)
