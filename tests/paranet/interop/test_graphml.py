"""paranet.interop.graphml"""

from pathlib import Path

import pytest

from paranet.errors import Fault, InvalidInput, InvalidTopology
from paranet.interop.graphml import read
from paranet.models.topology import FIBRE_SPEED, Location, Node, Topology

FILES = Path(__file__).parent / "files"


@pytest.fixture
def zoo() -> Topology:
    return read((FILES / "zoo.graphml").read_bytes())[0]


def small(nodes: str = "", edges: str = "", keys: str = "", graph: str = "") -> bytes:
    """Return a file with nodes 0 and 1 and the rest as given."""
    return f'<graphml>{keys}<graph {graph}><node id="0"/><node id="1"/>{nodes}{edges}</graph></graphml>'.encode()


def key(name: str, domain: str = "edge", kind: str = "double") -> str:
    return f'<key id="k" for="{domain}" attr.name="{name}" attr.type="{kind}"/>'


def edge(value: str = "", attributes: str = "") -> str:
    return f'<edge source="0" target="1" {attributes}><data key="k">{value}</data></edge>'


def fault(data: bytes, kind: type[InvalidInput | InvalidTopology] = InvalidInput) -> tuple[str, str]:
    with pytest.raises(kind) as caught:
        read(data)
    first = caught.value.errors[0]
    assert isinstance(first, Fault)
    return first.path, first.message


def test_unique_labels_make_the_ids(zoo: Topology) -> None:
    """The id is the slug of a label that is unique, else the file's own; the name is the label, else the file's id."""
    assert {n.id: n.name for n in zoo.nodes.values()} == {
        "zurich": "Zürich", "milano": "Milano", "2": "None", "3": "None", "geant": "GÉANT", "5": "5",
    }  # fmt: skip


def test_node_attributes_have_their_fields(zoo: Topology) -> None:
    """Coordinates, country and a known type are read; the rest is kept, typed, with the file's id and the defaults."""
    assert zoo.nodes["zurich"] == Node(
        id="zurich",
        name="Zürich",
        location=Location(latitude=47.3769, longitude=8.5417),
        region="Switzerland",
        properties={"graphml": {"id": "0", "Internal": 1}},
    )
    assert zoo.nodes["milano"].type == "p4_switch"
    assert zoo.nodes["geant"].properties == {"graphml": {"id": "4", "Internal": 0, "type": "PoP"}}


def test_half_a_location_is_none(zoo: Topology) -> None:
    """A latitude alone stays among the properties."""
    assert zoo.nodes["3"].location is None
    assert zoo.nodes["3"].properties == {"graphml": {"id": "3", "Internal": 1, "Latitude": 1.5}}


def test_links_keep_a_good_id_and_get_one_otherwise(zoo: Topology) -> None:
    """Parallel links are told apart by a number; an id that cannot be used is kept."""
    assert list(zoo.links) == ["e7", "milano--zurich", "zurich--milano", "2--3", "zurich--geant", "geant--5"]
    assert zoo.links["geant--5"].properties == {"graphml": {"id": "bad id"}}


def test_parallel_links_are_numbered() -> None:
    """Two links between the same nodes get two ids."""
    assert list(read(small(edges=edge() + edge() + edge()))[0].links) == ["0--1", "0--1--2", "0--1--3"]


def test_speeds_are_found(zoo: Topology) -> None:
    """LinkSpeedRaw, then LinkSpeed with its units, then a label that is plainly a speed, then the default."""
    speeds = [link.bandwidth for link in zoo.links.values()]
    assert speeds == [2.5e9, 155e6, 10e9, 1e9, 1e9, 1e9]


def test_latency_follows_the_distance(zoo: Topology) -> None:
    """Where both ends have a place and nothing is said, light in fibre decides."""
    here, there = zoo.nodes["zurich"].location, zoo.nodes["milano"].location
    assert here is not None
    assert there is not None
    assert zoo.links["e7"].latency == pytest.approx(here.distance(there) / FIBRE_SPEED)
    assert zoo.links["2--3"].latency == 0.001


def test_what_was_assumed_is_counted() -> None:
    """One line a kind, and one for each edge that is left out."""
    warnings = read((FILES / "zoo.graphml").read_bytes())[1]
    assert [f"{w.path}: {w.message}" for w in warnings] == [
        "edge 5 (3 -> 3): joins a node with itself and is left out",
        "nodes: 1 nodes are marked as external (Internal=0) and read like the others",
        "edges: 3 of 6 links have no bandwidth: 1Gbps is assumed",
        "edges: 3 of 6 links have no latency: that of light in fibre over the great circle is assumed",
        "edges: 3 of 6 links have neither latency nor locations: 1ms is assumed",
    ]


def test_yed_drawings() -> None:
    """yEd's labels lie inside its drawings; directed edges are directed links."""
    topology, warnings = read((FILES / "yed.graphml").read_bytes())
    assert [(n.id, n.name) for n in topology.nodes.values()] == [("core-a", "Core A"), ("core-b", "Core B")]
    assert [(x.id, x.bandwidth, x.directed) for x in topology.links.values()] == [("e0", 10e9, True), ("e1", 1e9, False)]
    assert "key d6: 2 drawings are not kept, but for their labels" in [f"{w.path}: {w.message}" for w in warnings]


def test_networkx_attributes() -> None:
    """Without a namespace, with other names; an id that collides gets a number."""
    topology, warnings = read((FILES / "networkx.graphml").read_bytes())
    assert {n.id: n.properties["graphml"] for n in topology.nodes.values()} == {
        "r1": {"id": "a b", "up": True},
        "r1-2": {"id": "r1", "up": "maybe", "extra": "x"},
    }
    (link,) = topology.links.values()
    assert (link.bandwidth, link.latency, link.cost) == (40e9, 0.005, 7)
    assert [w.path for w in warnings] == ["key up", "key extra"]


@pytest.mark.parametrize("text", ["NaN", "inf", "-INF", "1e999"])
@pytest.mark.parametrize("name", ["LinkSpeedRaw", "bandwidth", "latency", "cost"])
def test_numbers_of_links_are_finite(name: str, text: str) -> None:
    """The refusal names the edge, the attribute and the value."""
    path, message = fault(small(edges=edge(text), keys=key(name)))
    assert path == "edge 1 (0 -> 1)"
    assert message.startswith(f"{name} '{text}' is not")


def test_coordinates_are_finite_and_on_earth() -> None:
    """The refusal names the node."""
    keys = '<key id="a" for="node" attr.name="Latitude"/><key id="o" for="node" attr.name="Longitude"/>'
    node = '<node id="17"><data key="a">{}</data><data key="o">8</data></node>'
    assert fault(small(node.format("NaN"), keys=keys)) == ("node 17", "Latitude 'NaN' is not a finite number")
    assert fault(small(node.format("95"), keys=keys)) == ("node 17", "latitude must be at least -90 and at most 90, not 95.0")


def test_numbers_that_json_lacks_are_kept_as_text() -> None:
    """Data that means nothing to the hub must still be writable."""
    data = small(edges=edge("NaN"), keys=key("jitter"))
    topology, warnings = read(data)
    assert topology.links["0--1"].properties == {"graphml": {"jitter": "NaN"}}
    assert "key jitter: 1 values are not of the declared type; they are kept as text" in [f"{w.path}: {w.message}" for w in warnings]


def test_huge_integers_are_kept_as_text() -> None:
    """JSON's readers lose digits beyond 64 bit."""
    topology, _ = read(small(edges=edge("9" * 19) + edge("12"), keys=key("serial", kind="long")))
    assert [link.properties["graphml"] for link in topology.links.values()] == [{"serial": "9" * 19}, {"serial": 12}]


def test_contradictions_are_named() -> None:
    """Ids used twice and edges that end nowhere."""
    assert fault(small('<node id="1"/>'), InvalidTopology) == ("node 1", "the id is used twice")
    dangling = small(edges='<edge source="0" target="99"/>')
    assert fault(dangling, InvalidTopology) == ("edge 1 (0 -> 99)", "there is no node '99' for its target")


@pytest.mark.parametrize(
    ("nodes", "edges", "place"),
    [
        ("<node/>", "", ("node #3", "has no id")),
        ("", '<edge source="0"/>', ("edge 1 (0 -> ?)", "has no target")),
        ('<node id="2"><graph/></node>', "", ("node 2", "holds a graph of its own; only flat graphs can be read")),
        ('<hyperedge id="h"/>', "", ("hyperedge h", "joins more than two nodes; only edges can be read")),
    ],
)
def test_what_is_no_flat_graph_is_refused(nodes: str, edges: str, place: tuple[str, str]) -> None:
    """Half of it would say something else."""
    assert fault(small(nodes, edges)) == place


@pytest.mark.parametrize("count", [0, 2])
def test_one_graph_is_wanted(count: int) -> None:
    """A file with none or several is refused."""
    assert fault(b"<graphml>" + b"<graph/>" * count + b"</graphml>") == ("graphml", f"holds {count} graphs; one is wanted")


def test_ports_are_interfaces() -> None:
    """Those that a node lists, and those that an edge ends at."""
    topology, warnings = read(
        small('<node id="2"><port name="p"/></node>', '<edge source="2" target="1" sourceport="q" targetport=" x  y "/>')
    )
    assert {n.id: [i.name for i in n.interfaces] for n in topology.nodes.values()} == {"0": [], "1": ["x y"], "2": ["p", "q"]}
    (link,) = topology.links.values()
    assert (link.source.interface, link.target.interface) == ("q", "x y")
    assert [w.path for w in warnings] == ["edges", "edges"]


def test_a_long_name_is_cut_aloud() -> None:
    """A label may be longer than a name."""
    topology, warnings = read(small(f'<node id="2"><data key="k">{"x" * 300}</data></node>', keys=key("label", "node", "string")))
    assert len(topology.nodes["x" * 128].name) == 256
    assert [w.path for w in warnings] == ["node 2"]


def test_slow_links_are_pointed_at() -> None:
    """`capacity: 10` was probably not meant as ten bits a second."""
    warnings = read(small(edges=edge("10"), keys=key("capacity")))[1]
    assert "1 of 1 links have less than 1kbps; a number without a unit is read as bit/s" in [w.message for w in warnings]
