"""Paths against brute force."""

import math
from itertools import pairwise

import attrs
import pytest
import rustworkx as rx
from hypothesis import given, settings
from hypothesis import strategies as st

from paranet.compiler.paths import Edge, Found, Network, Query, cheapest
from paranet.models.topology import Modality, Topology
from paranet.models.units import Seconds
from tests.paranet.compiler.networks import LAB, link, node, random_network


def every_path(topology: Topology, query: Query) -> list[tuple[float, float, tuple[str, ...], tuple[str, ...]]]:
    """All loop-free paths that meet the query, as (cost, latency, nodes, links), by enumeration."""
    graph: rx.PyDiGraph[str, Edge] = rx.PyDiGraph()
    index = {n: graph.add_node(n) for n in topology.nodes}
    for k in topology.links.values():
        if not k.enabled or k.id in query.avoid_links or k.bandwidth < query.bandwidth:
            continue
        for a, b in [(k.source.node, k.target.node), (k.target.node, k.source.node)][: 1 if k.directed else 2]:
            graph.add_edge(index[a], index[b], Edge(b, k.id, k.cost, k.latency, k.bandwidth))
    found = []
    target = query.stops[-1]
    for indices in {tuple(p) for p in rx.all_simple_paths(graph, index[query.source], index[target])}:
        nodes = tuple(graph[i] for i in indices)
        passed = [n for n in nodes if n in query.stops]
        if passed == list(query.stops) and not query.avoid_nodes & set(nodes):
            found += _ways(graph, indices, nodes, query)
    return sorted(found)


def _ways(
    graph: "rx.PyDiGraph[str, Edge]", indices: tuple[int, ...], nodes: tuple[str, ...], query: Query
) -> list[tuple[float, float, tuple[str, ...], tuple[str, ...]]]:
    """Choose among parallel links in every way."""
    ways: list[tuple[float, float, tuple[str, ...], tuple[str, ...]]] = [(0.0, 0.0, nodes, ())]
    for a, b in pairwise(indices):
        edges = graph.get_all_edge_data(a, b)
        ways = [(c + e.cost, t + e.latency, n, (*k, e.link)) for c, t, n, k in ways for e in edges]
    return [w for w in ways if w[1] <= query.latency + 1e-12]


def summary(found: Found | None) -> tuple[float, float, tuple[str, ...], tuple[str, ...]] | None:
    return (found.cost, found.latency, found.hops, tuple(e.link for e in found.edges)) if found else None


queries = st.builds(
    Query,
    source=st.just("n0"),
    stops=st.sampled_from([("n6",), ("n3", "n6"), ("n2", "n4", "n6")]),
    avoid_nodes=st.sampled_from([frozenset(), frozenset({"n1"})]),
    avoid_links=st.sampled_from([frozenset(), frozenset({"l0", "l3"})]),
    bandwidth=st.sampled_from([0.0, 2e8, 4e8]),
    latency=st.sampled_from([math.inf, 0.012, 0.02]),
)


@given(st.integers(0, 10_000), queries)
@settings(max_examples=300, deadline=None)
def test_optimal(seed: int, query: Query) -> None:
    """The path found is the cheapest of all that meet the query, then the fastest; there is none only when there is none."""
    topology = random_network(seed)
    every = every_path(topology, query)
    found = summary(cheapest(Network(topology, Modality.IP), query))
    if not every:
        assert found is None
        return
    assert found is not None
    assert found[0] == every[0][0]
    assert any(math.isclose(found[1], w[1]) and found[2:] == w[2:] for w in every)
    if len(query.stops) == 1:
        assert found[1] == pytest.approx(every[0][1])


def test_ties_go_by_latency_then_by_ids() -> None:
    """Of equally cheap paths the faster is taken, of equally fast ones the first by name."""
    links = [link("a", "b"), link("a", "c"), link("b", "d"), link("c", "d")]
    network = Topology.of([node(n) for n in "abcd"], links)
    query = Query(source="a", stops=("d",))
    found = cheapest(Network(network, Modality.IP), query)
    assert found is not None
    assert found.hops == ("a", "b", "d")
    slower = Topology.of(network.nodes.values(), [attrs.evolve(links[0], latency=Seconds(0.5)), *links[1:]])
    found = cheapest(Network(slower, Modality.IP), query)
    assert found is not None
    assert found.hops == ("a", "c", "d")


def test_parallel_links() -> None:
    """Of parallel links the cheapest that fits is taken."""
    links = [link("a", "b", id="thin", mbps=10), link("a", "b", id="fat", mbps=100, cost=2)]
    network = Network(Topology.of([node("a"), node("b")], links), Modality.IP)
    taken = [summary(cheapest(network, Query(source="a", stops=("b",), bandwidth=b))) for b in (0.0, 5e7, 5e8)]
    assert [t and t[3] for t in taken] == [("thin",), ("fat",), None]


def test_reservations_count_per_direction() -> None:
    """What is reserved one way is not missing the other way."""
    network = Network(Topology.of([node("a"), node("b")], [link("a", "b", mbps=100)]), Modality.IP)
    there, back = (Query(source=a, stops=(b,), bandwidth=6e7) for a, b in ("ab", "ba"))
    found = cheapest(network, there)
    assert found is not None
    network.reserve("a", found.edges[0], 6e7)
    assert cheapest(network, there) is None
    assert cheapest(network, back) is not None


def test_reservations_may_fill_a_link_exactly() -> None:
    """Ten tenths are a whole, whatever floats say."""
    network = Network(Topology.of([node("a"), node("b")], [link("a", "b", mbps=1)]), Modality.IP)
    for _ in range(10):
        found = cheapest(network, Query(source="a", stops=("b",), bandwidth=1e5))
        assert found is not None
        network.reserve("a", found.edges[0], 1e5)
    assert cheapest(network, Query(source="a", stops=("b",), bandwidth=1e5)) is None


def test_forced_nodes_are_left_by_their_edge_only() -> None:
    """A node that already forwards a prefix decides how a path goes on from it."""
    dear = Edge("r4", "r1-r4", 3.0, 0.001, 1e9)
    found = cheapest(Network(LAB, Modality.IP), Query(source="h1", stops=("h2",), forced={"r1": dear}))
    assert found is not None
    assert found.hops == ("h1", "r1", "r4", "r3", "h2")


def test_hard_waypoints_end() -> None:
    """Waypoints that no loop-free path can pass do not make the search enumerate a clique."""
    clique = [f"k{i:02}" for i in range(20)]
    links = [link(a, b) for a in clique for b in clique if a < b]
    links += [link("s", "c"), link("c", "k00"), link("c", "t")]
    network = Network(Topology.of([node(n) for n in ("s", "c", "t", *clique)], links), Modality.IP)
    assert cheapest(network, Query(source="s", stops=("k05", "t"))) is None
