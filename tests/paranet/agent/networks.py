"""The networks that sentences are understood on."""

import itertools

from paranet import examples
from paranet.interop.registry import read
from paranet.models.topology import Endpoint, Interface, Link, Node, Topology
from paranet.models.units import Bandwidth

PEOPLE = {"p1": "professors", "p2": "professors", "s1": "students", "s2": "students", "w1": "staff", "v1": "guests"}
PLACES = ("internet", "gateway", "dorms", "labs", "servers", "database", "dpi", "firewall", "ids")
CORES = ("core1", "core2", "core3", "core4")


def demo() -> Topology:
    """Return the demo network: twelve cities."""
    return read(examples.demo(), format="json").topology


def campus() -> Topology:
    """Return a campus: people in groups, places and middleboxes, each at all of four cores."""
    people = [_node(name, number, group=group) for number, (name, group) in enumerate(PEOPLE.items(), 1)]
    others = [_node(name, number) for number, name in enumerate((*PLACES, *CORES), 20)]
    links = [_link(leaf, core) for leaf in (*PEOPLE, *PLACES) for core in CORES]
    return Topology.of([*people, *others], [*links, *(_link(a, b) for a, b in itertools.pairwise(CORES))])


def wide() -> Topology:
    """Return a network of sites and switches, each with a subnet of its own and a link to every other."""
    sites = {name: name for name in ("malmo", "goteborg", "oslo", "rio", "s1", "s2", "spine1", "leaf2", "edge_3")}
    names = {**sites, "n10": "Sao Paulo", "n11": "Belo Horizonte"}
    addresses = (Interface(name="lo", address=f"100.0.{number}.1/24") for number in range(1, len(names) + 1))
    nodes = [Node(id=key, name=name, interfaces=(address,)) for (key, name), address in zip(names.items(), addresses, strict=True)]
    return Topology.of(nodes, [_link(a, b) for a, b in itertools.combinations(names, 2)])


def _node(name: str, number: int, **properties: object) -> Node:
    return Node(id=name, interfaces=(Interface(name="lo", address=f"10.9.0.{number}/32"),), properties=properties)


def _link(a: str, b: str) -> Link:
    return Link(id=f"{a}--{b}", source=Endpoint(node=a), target=Endpoint(node=b), bandwidth=Bandwidth(1e10))
