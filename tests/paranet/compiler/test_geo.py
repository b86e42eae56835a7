"""Regions are reached from everywhere, whatever lies between."""

import math
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from paranet.compiler import compile_source
from paranet.compiler.context import Area
from paranet.compiler.geo import directions, gabriel
from paranet.compiler.paths import Edge
from paranet.models.geometry import distance_to
from paranet.models.topology import Location, Topology
from tests.paranet.compiler.networks import MIX, link, node

SQUARE = ((0.9, 0.9), (0.9, 1.1), (1.1, 1.1), (1.1, 0.9))


def field(seed: int, count: int = 40, reach: float = 0.3) -> tuple[dict[str, Location], dict[str, list[Edge]]]:
    """Nodes strewn over a square degree with a hole in it, linked with all in reach (a unit disk graph)."""
    rng = random.Random(seed)
    places: dict[str, Location] = {"end": Location(latitude=1.0, longitude=1.0)}
    while len(places) < count:
        y, x = rng.random(), rng.random()
        if math.hypot(y - 0.6, x - 0.6) > 0.25:
            places[f"n{len(places)}"] = Location(latitude=y, longitude=x)
    edges: dict[str, list[Edge]] = {n: [] for n in places}
    for a, p in places.items():
        for b, q in places.items():
            if a != b and math.hypot(p.latitude - q.latitude, p.longitude - q.longitude) <= reach:
                edges[a].append(Edge(b, "-".join(sorted((a, b))), 1.0, 0.001, 1e9))
    return places, edges


@given(st.integers(0, 100_000), st.floats(0.15, 0.5), st.booleans())
@settings(max_examples=150, deadline=None)
def test_whoever_is_connected_arrives(seed: int, reach: float, torn: bool) -> None:
    """Following next hops ends in the region without a ring, from exactly the nodes that links connect with it."""
    places, edges = field(seed, reach=reach)
    if torn:  # links that are no unit disk graph: some are gone, some go one way
        rng = random.Random(seed)
        edges = {n: [e for e in leaving if rng.random() < 0.6] for n, leaving in edges.items()}
    onward = directions(places, edges, Area(SQUARE, ()))
    reaching = {n for n in places if distance_to(places[n], SQUARE) == 0.0}
    while more := {n for n, leaving in edges.items() if n not in reaching and any(e.node in reaching for e in leaving)}:
        reaching |= more
    assert onward.keys() == reaching
    for start in reaching:
        at, passed = start, {start}
        while (edge := onward[at].edge) is not None:
            assert edge in edges[at]
            if onward[at].mode == "greedy":
                nearest = min(distance_to(places[e.node], SQUARE) for e in edges[at] if e.node in reaching)
                assert distance_to(places[edge.node], SQUARE) == nearest < distance_to(places[at], SQUARE)
            at = edge.node
            assert at not in passed
            passed.add(at)
        assert onward[at].mode == "deliver"


def test_there_are_holes_to_go_around() -> None:
    """The fields of these tests have places where greedy forwarding ends."""
    modes = [w.mode for seed in range(20) for w in directions(*field(seed, reach=0.22), Area(SQUARE, ())).values()]
    assert modes.count("perimeter") > 10


@given(st.integers(0, 100_000))
@settings(max_examples=50, deadline=None)
def test_gabriel_graphs_are_planar(seed: int) -> None:
    """No two of the links that perimeters follow cross."""
    places, edges = field(seed, count=25)
    kept = [(n, e.node) for n, leaving in gabriel(places, edges).items() for e in leaving if n < e.node]
    flat = {n: (p.longitude * math.cos(math.radians(p.latitude)), p.latitude) for n, p in places.items()}

    def side(a: str, b: str, c: str) -> float:
        (ax, ay), (bx, by), (cx, cy) = flat[a], flat[b], flat[c]
        return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)

    for a, b in kept:
        for c, d in kept:
            if len({a, b, c, d}) == 4:
                assert not (side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0)


def test_rows() -> None:
    """Every device that can reach the region knows where it is, the region and the way."""
    result = compile_source('route far { from: g1; to: region("harbour") }', MIX)
    assert list(result.rows) == ["g1", "g2", "g3", "g4"]
    assert [(r.family, r.key) for r in result.rows["g1"]] == [
        ("geo.forward", "harbour"),
        ("geo.position", "self"),
        ("geo.region", "harbour"),
    ]
    modes = {n: next(r.value["mode"] for r in rows if r.family == "geo.forward") for n, rows in result.rows.items()}
    assert modes == {"g1": "perimeter", "g2": "perimeter", "g3": "greedy", "g4": "deliver"}
    assert result.paths[0].hops == ("g1", "g2", "g3", "g4")


def test_the_range_of_a_radio() -> None:
    """`range` is read as a distance, with or without a unit."""
    places = [Location(latitude=0.0, longitude=0.0), Location(latitude=0.0, longitude=0.01)]
    nodes = [
        node(n, type="geo_router", location=p, region="x", properties={"range": r})
        for n, p, r in zip("ab", places, ("5km", 300), strict=True)
    ]
    result = compile_source('route r { from: a; to: region("x") }', Topology.of(nodes, [link("a", "b")]))
    assert [r.value["range"] for rows in result.rows.values() for r in rows if r.family == "geo.position"] == [5000.0, 300.0]
