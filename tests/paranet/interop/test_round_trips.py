"""What goes out comes back: every format that is read, with networks of every kind."""

import importlib.resources

import pytest
from hypothesis import given, settings

from paranet.interop.registry import FORMATS, Format, formats, read, write
from paranet.models.topology import Topology
from tests.strategies import topologies

READ = [f for f in FORMATS if f.parse]
GRAPHS = ("graphml", "node-link", "netjson", "rfc8345")


@pytest.mark.parametrize("known", READ, ids=lambda f: f.name)
@settings(max_examples=15, deadline=None)
@given(topology=topologies())
def test_reading_what_was_written_gives_the_same_topology(known: Format, topology: Topology) -> None:
    """Nothing is lost or assumed, writing it again gives the same bytes, and the content tells the format."""
    data = write(topology, format=known.name)
    imported = read(data, format=known.name)
    assert imported.topology == topology
    assert [w for w in imported.warnings if "PN" not in w.message] == []
    assert write(imported.topology, format=known.name) == data
    assert not topology.nodes or read(data).format == known.name


@pytest.mark.parametrize("name", [f.name for f in FORMATS if f.name not in formats()])
@settings(max_examples=8, deadline=None)
@given(topology=topologies())
def test_what_is_only_written_can_hold_any_network(name: str, topology: Topology) -> None:
    """GeoJSON and DOT refuse none."""
    assert write(topology, format=name)


def zoo() -> list[str]:
    folder = importlib.resources.files("topohub") / "data" / "topozoo"
    return sorted(f.name for f in folder.iterdir() if f.name.endswith(".json"))


@pytest.mark.timeout(120)
def test_the_topology_zoo_survives_every_graph_format() -> None:
    """All networks of the Topology Zoo come back the same from GraphML, node-link, NetJSON and RFC 8345."""
    pytest.importorskip("topohub", reason="the collection is not installed")
    folder = importlib.resources.files("topohub") / "data" / "topozoo"
    names = zoo()
    assert len(names) >= 203
    for name in names:
        imported = read((folder / name).read_bytes())
        assert imported.format == "node-link", name
        assert all(node.location for node in imported.topology.nodes.values()), name
        for known in GRAPHS:
            assert read(write(imported.topology, format=known), format=known).topology == imported.topology, (name, known)
