"""paranet.interop.native"""

import orjson
import pytest
from hypothesis import given

from paranet.errors import Fault, InvalidInput, InvalidTopology
from paranet.interop import native
from paranet.models.topology import Topology
from tests.strategies import topologies


def faults(data: bytes) -> list[Fault]:
    with pytest.raises((InvalidInput, InvalidTopology)) as caught:
        native.read(data)
    return [fault for fault in caught.value.errors if isinstance(fault, Fault)]


@given(topologies())
def test_reading_what_was_written_gives_the_same_topology(topology: Topology) -> None:
    """Nothing of a topology is lost or changed in a file."""
    assert native.read(native.write(topology)) == (topology, ())


@given(topologies())
def test_writing_what_was_read_gives_the_same_bytes(topology: Topology) -> None:
    """A file that passes through the hub does not change."""
    data = native.write(topology)
    assert native.write(native.read(data)[0]) == data


def test_an_answer_of_the_hub_can_be_imported() -> None:
    """GET /topology adds a revision; people send it back."""
    topology, _ = native.read(b'\xef\xbb\xbf{"version": 1, "revision": 7, "name": "lab", "nodes": [{"id": "r1"}], "links": []}')
    assert list(topology.nodes) == ["r1"]


def test_syntax_errors_have_line_and_column() -> None:
    """The place of broken JSON counts from 1."""
    (fault,) = faults(b'{"nodes": [\n  {"id": NaN}]}')
    assert (fault.path, fault.message) == ("line 2, column 10", "unexpected character, expected a JSON value")


def test_every_fault_has_its_path() -> None:
    """All faults are told at once, each with its JSON path."""
    nodes = [{"id": "r1", "location": {"latitude": 91, "longitude": 0}}, {"id": "r2", "colour": "red"}]
    paths = [fault.path for fault in faults(orjson.dumps({"nodes": nodes, "version": "1"}))]
    assert paths == ["nodes[0].location.latitude", "nodes[1].colour", "version"]


def test_contradictions_have_their_paths() -> None:
    """Parts that do not fit together are named."""
    link = {"id": "l", "source": {"node": "r1"}, "target": {"node": "r9"}}
    found = faults(orjson.dumps({"nodes": [{"id": "r1"}, {"id": "r1"}], "links": [link]}))
    assert [fault.path for fault in found] == ["nodes[1].id", "links[0].target.node"]


def test_a_later_version_is_refused() -> None:
    """A file of a version that is not known yet is not guessed at."""
    (fault,) = faults(b'{"version": 2, "nodes": []}')
    assert (fault.path, fault.message) == ("version", "must be 1, not 2")
