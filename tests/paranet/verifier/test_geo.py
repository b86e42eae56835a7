"""GEO: packets come nearer."""

import pytest

from paranet.models.device import Row
from paranet.models.intent import RegionPromise
from paranet.models.topology import Location, Node, Topology
from paranet.verifier import verify
from tests.paranet.compiler.networks import link
from tests.paranet.verifier.rows import Hop, hops, only, row, table

PLACES = {"far": (0.0, 0.0), "near": (0.0, 0.5), "side": (0.3, -0.2), "in": (0.0, 1.0)}
EARTH = Topology.of(
    [Node(id=n, type="geo_router", location=Location(latitude=y, longitude=x)) for n, (y, x) in PLACES.items()],
    [link("far", "near"), link("near", "in"), link("far", "side"), link("side", "in"), link("side", "near")],
)
"""far - near - in, and far - side - in around, where side is farther away than far; the region is around in"""
SQUARE = [[-0.1, 0.9], [-0.1, 1.1], [0.1, 1.1], [0.1, 0.9]]
PROMISE = RegionPromise(intent="across", source="far", region="mid")


def known(node: str) -> list[Row]:
    latitude, longitude = PLACES[node]
    position = row("geo.position", "self", "across", latitude=latitude, longitude=longitude)
    return [position, row("geo.region", "mid", "across", polygon=SQUARE)]


def forward(node: str, mode: str, *ways: Hop) -> list[Row]:
    return [*known(node), row("geo.forward", "mid", "across", next_hops=hops(*ways), mode=mode)]


GREEDY = {
    "far": forward("far", "greedy", ("near", "far-near")),
    "near": forward("near", "greedy", ("in", "near-in")),
    "in": forward("in", "deliver"),
}


def test_greedy() -> None:
    """Packets that come nearer with each hop and are delivered inside arrive."""
    report = verify(EARTH, table(**GREEDY), regions=[PROMISE])
    assert report.ok
    assert {c: report.checked[c] for c in ("polygon", "progress", "region")} == {"polygon": 3, "progress": 3, "region": 1}


def test_around() -> None:
    """In perimeter mode a way may lead away at first, if it ends nearer than it began."""
    around = {"far": forward("far", "perimeter", ("side", "far-side")), "side": forward("side", "perimeter", ("in", "side-in"))}
    assert verify(EARTH, table(**around, **{"in": GREEDY["in"]}), regions=[PROMISE]).ok


def test_greedy_away() -> None:
    """Greedy forwarding that leads away is none."""
    away = {"far": forward("far", "greedy", ("side", "far-side")), "side": forward("side", "perimeter", ("in", "side-in"))}
    found = only(verify(EARTH, table(**away, **{"in": GREEDY["in"]}), regions=[PROMISE]))
    assert (found.check, found.witness.hops, found.witness.header) == ("progress", ("far", "side"), {"region": "mid"})


def test_circling() -> None:
    """Two nodes that lead packets around to each other circle them."""
    ring = {"far": forward("far", "perimeter", ("side", "far-side")), "side": forward("side", "perimeter", ("far", "far-side"))}
    found = verify(EARTH, table(**ring), regions=[PROMISE]).violations
    assert {v.check for v in found} == {"loop", "progress", "region"}
    assert ("far", "side", "far") in {v.witness.hops for v in found}


def test_delivered_outside() -> None:
    """A node that delivers has to be inside."""
    found = verify(EARTH, table(far=forward("far", "deliver")), regions=[PROMISE]).violations
    assert {v.check for v in found} == {"progress", "region"}


def test_lost() -> None:
    """A neighbour without a row, or a link that leads nowhere, loses packets."""
    found = verify(EARTH, table(far=GREEDY["far"]), regions=[PROMISE]).violations
    assert {(v.check, v.witness.hops) for v in found} == {("progress", ("far", "near")), ("region", ("far", "near"))}
    dead = only(verify(EARTH, table(far=forward("far", "greedy", ("near", "x")))))
    assert "no link 'x'" in dead.message


@pytest.mark.parametrize(
    "polygon",
    [
        None,
        [],
        [[0, 0], [0, 1]],
        [[0, 0], [0, 1], [0, 2]],
        [[0, 0], [1, 1], [0, 1], [1, 0]],
        [[0, 0], [0, 1], [99, 0]],
        [[0, 0], [0, 1], 3],
    ],
)
def test_polygons(polygon: object) -> None:
    """Fewer than three corners, no area, sides that cross and corners off the Earth are no polygon."""
    found = only(verify(EARTH, table(far=[row("geo.region", "mid", "across", polygon=polygon)])))
    assert (found.check, found.rows) == ("polygon", ("far geo.region mid",))


def test_avoided_places() -> None:
    """Packets that pass a node which they must avoid are told."""
    found = only(verify(EARTH, table(**GREEDY), regions=[RegionPromise(intent="across", source="far", region="mid", avoid=("near",))]))
    assert (found.check, found.witness.hops, found.intents) == ("avoidance", ("far", "near", "in"), ("across",))
