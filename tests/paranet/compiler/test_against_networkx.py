"""Paths, pairs of paths and widths against a library that other people trust."""

import math
from typing import Any

import networkx as nx
from hypothesis import given, settings
from hypothesis import strategies as st

from paranet.compiler import compile_source
from paranet.compiler.paths import Found, Network, Query, cheapest
from paranet.compiler.spread import cheapest_leg, disjoint_pair, equal_ways, walks
from paranet.models.topology import Modality, Topology
from tests.paranet.compiler.networks import random_network

SEEDS = st.integers(0, 100_000)
BARE = Query(source="n0", stops=("n6",))


def digraph(topology: Topology, **least: float) -> Any:
    graph = nx.MultiDiGraph()
    graph.add_nodes_from(topology.nodes)
    for k in topology.links.values():
        if k.enabled and k.bandwidth >= least.get("bandwidth", 0.0):
            for a, b in [(k.source.node, k.target.node), (k.target.node, k.source.node)][: 1 if k.directed else 2]:
                graph.add_edge(a, b, key=k.id, weight=k.cost, latency=k.latency)
    return graph


@given(SEEDS)
@settings(max_examples=150, deadline=None)
def test_cheapest(seed: int) -> None:
    """The cost of the path found is that of Dijkstra's, on networks of thirty nodes."""
    topology = random_network(seed, nodes=30)
    network = Network(topology, Modality.IP)
    costs = nx.single_source_dijkstra_path_length(digraph(topology), "n0")
    for target in topology.nodes.keys() - {"n0"}:
        found = cheapest(network, Query(source="n0", stops=(target,)))
        assert (found.cost if found else None) == costs.get(target)


@given(SEEDS)
@settings(max_examples=80, deadline=None)
def test_cheapest_with_room(seed: int) -> None:
    """The same among the links that are wide enough."""
    topology = random_network(seed, nodes=20)
    costs = nx.single_source_dijkstra_path_length(digraph(topology, bandwidth=2e8), "n0")
    found = cheapest(Network(topology, Modality.IP), Query(source="n0", stops=("n6",), bandwidth=2e8))
    assert (found.cost if found else None) == costs.get("n6")


def cheapest_pair(topology: Topology) -> float | None:
    """The least cost of two paths that share no node but the ends, by a flow of two units through split nodes."""
    graph = nx.DiGraph()
    for node in topology.nodes:
        graph.add_edge((node, 0), (node, 1), capacity=2 if node in ("n0", "n6") else 1, weight=0)
    for i, (a, b, _, data) in enumerate(digraph(topology).edges(keys=True, data=True)):
        graph.add_edge((a, 1), ("edge", i), capacity=1, weight=int(data["weight"]))
        graph.add_edge(("edge", i), (b, 0), capacity=1, weight=0)
    graph.nodes["n0", 1]["demand"] = -2
    graph.nodes["n6", 0]["demand"] = 2
    try:
        return float(nx.min_cost_flow_cost(graph))
    except nx.NetworkXUnfeasible:
        return None


def links(found: Found) -> set[str]:
    return {e.link for e in found.edges}


@given(SEEDS)
@settings(max_examples=200, deadline=None)
def test_disjoint_pairs(seed: int) -> None:
    """Two paths without a common node, the cheapest together; without a common link where that is all there is."""
    topology = random_network(seed, nodes=8, directed=0.1)
    edges = Network(topology, Modality.IP).usable(BARE)
    pair, least = disjoint_pair(edges, "n0", "n6"), cheapest_pair(topology)
    if pair is None:
        assert least is None
        return
    first, second = pair
    assert first.hops[0] == second.hops[0] == "n0"
    assert first.hops[-1] == second.hops[-1] == "n6"
    assert len(set(first.hops)) == len(first.hops)
    assert not links(first) & links(second)
    assert first.cost <= second.cost
    if least is not None:
        assert first.cost + second.cost == least
        assert set(first.hops) & set(second.hops) == {"n0", "n6"}


@given(SEEDS, st.sampled_from([math.inf, 0.008, 0.012]))
@settings(max_examples=150, deadline=None)
def test_equal_ways(seed: int, latency: float) -> None:
    """Every way costs the least and is in time; without a bound all such ways are there."""
    topology = random_network(seed, nodes=9)
    graph = digraph(topology)
    leg = cheapest_leg(Network(topology, Modality.IP).usable(BARE), "n0", "n6")
    found = walks(equal_ways([leg], 64, latency)[0], "n0", "n6") if leg else []
    if not nx.has_path(graph, "n0", "n6"):
        assert found == []
        return
    least = nx.dijkstra_path_length(graph, "n0", "n6")
    assert all(f.cost == least and f.latency <= latency + 1e-9 for f in found)
    if latency == math.inf:
        assert {f.hops for f in found} == {tuple(p) for p in nx.all_shortest_paths(graph, "n0", "n6", weight="weight")}


@given(SEEDS)
@settings(max_examples=100, deadline=None)
def test_reservations_fit(seed: int) -> None:
    """Whatever is routed, no direction of a link promises more than it has."""
    topology = random_network(seed, nodes=9)
    lines: list[str] = []
    for i in range(12):
        source = f"route r{i} {{ from: n{i % 4}; to: n{4 + i % 5}; bandwidth: {40 + 10 * i}Mbps{'; ecmp: 2' if i % 5 == 4 else ''} }}"
        if compile_source("\n".join([*lines, source]), topology).ok:
            lines.append(source)
    used: dict[tuple[str, str | None], float] = {}
    for r in compile_source("\n".join(lines), topology).reservations:
        used[r.link, r.source] = used.get((r.link, r.source), 0.0) + r.bandwidth
    assert all(total <= topology.links[link].bandwidth * (1 + 1e-9) for (link, _), total in used.items())
