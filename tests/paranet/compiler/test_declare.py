"""The language as a format for topologies."""

from paranet.compiler import declared_topology
from paranet.compiler.diagnostics import render_diagnostic
from paranet.models.topology import Endpoint, Interface, Link, Location, Management, Modality, Node, Topology


def declared(source: str) -> Topology:
    topology, found = declared_topology(source)
    assert topology is not None, [render_diagnostic(d) for d in found]
    return topology


def test_node() -> None:
    """A node has what its attributes say; the rest is kept among its properties."""
    source = """
    node r1 :p4_switch {
        address: "10.0.1.1/24"; interfaces: { eth0: 10.1.0.1/30; eth1: none }; modalities: [ip, p4]; name: "Rack 1"
        location: { latitude: 1.5; longitude: -2 }; region: lab; management: { driver: sim }
        rack: 7; tags: [a, 'b', true, null, { x: 1.5 }, f(1)]
    }"""
    assert declared(source).nodes["r1"] == Node(
        id="r1",
        name="Rack 1",
        type="p4_switch",
        interfaces=(
            Interface(name="lo", address="10.0.1.1/24"),
            Interface(name="eth0", address="10.1.0.1/30"),
            Interface(name="eth1"),
        ),
        modalities=(Modality.IP, Modality.P4),
        location=Location(latitude=1.5, longitude=-2.0),
        region="lab",
        management=Management(driver="sim"),
        properties={"rack": 7, "tags": ["a", "b", True, None, {"x": 1.5}, {"f": [1]}]},
    )


def test_defaults() -> None:
    """A node without anything is a router."""
    assert declared("network x { node a {} }").nodes == {"a": Node(id="a")}


def test_link() -> None:
    """A link has what its attributes say, in SI units."""
    source = """node a {} node b {}
    link l1 { endpoints: [a, b]; bandwidth: 10Gbps; latency: 2ms; loss: 1%; mtu: 9000; cost: 5; enabled: false; directed: true }"""
    ends = {"source": Endpoint(node="a"), "target": Endpoint(node="b")}
    wanted = {"bandwidth": 1e10, "latency": 0.002, "loss": 0.01, "mtu": 9000, "cost": 5.0, "enabled": False, "directed": True}
    assert declared(source).links == {"l1": Link(id="l1", **ends, **wanted)}  # type: ignore[arg-type]  # one dict of several types


def test_link_ids() -> None:
    """Links without an id are called after their ends, parallel ones numbered."""
    source = "node a {} node b {} link { endpoints: [a, b] } link { endpoints: [a, b] } link { endpoints: [b, a] }"
    assert list(declared(source).links) == ["a--b", "a--b.2", "b--a"]


def test_ports() -> None:
    """An endpoint may name an interface, which the node then has; ids may hold colons themselves."""
    topology = declared('node a {} node "x:1" {} link { endpoints: ["a:eth0", "x:1"] } link { endpoints: ["x:1:e1", a] }')
    assert [(k.source, k.target) for k in topology.links.values()] == [
        (Endpoint(node="a", interface="eth0"), Endpoint(node="x:1")),
        (Endpoint(node="x:1", interface="e1"), Endpoint(node="a")),
    ]
    assert topology.nodes["a"].interfaces == (Interface(name="eth0"),)


def test_errors_give_no_topology() -> None:
    """A broken node is one finding, and the links to it are not blamed."""
    topology, found = declared_topology("node a { region: [x] } node b {} link { endpoints: [a, b] }")
    assert topology is None
    assert [d.code for d in found] == ["PN207"]


def test_routes_do_not_matter() -> None:
    """A source with routes is a topology as well."""
    assert list(declared("node a {} route x { from: a; to: elsewhere }").nodes) == ["a"]


def test_nothing_declared() -> None:
    """A source without declarations is the empty topology."""
    assert declared("") == Topology()
