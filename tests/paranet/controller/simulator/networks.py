"""Small networks and the rows that carry traffic through them."""

from heapq import heappop, heappush
from ipaddress import ip_network
from itertools import pairwise

from paranet.controller.driver import Sample
from paranet.models.addressing import router_addresses
from paranet.models.device import Row
from paranet.models.topology import Demand, Endpoint, Interface, Link, Node, Topology
from paranet.models.units import Bandwidth, Seconds

GIGABIT = 1e9


def link(source: str, target: str, *, bandwidth: float = GIGABIT, directed: bool = False) -> Link:
    """Return the link `a-b`, whose interfaces are called after the other end."""
    return Link(
        id=f"{source}-{target}",
        source=Endpoint(node=source, interface=f"to-{target}"),
        target=Endpoint(node=target, interface=f"to-{source}"),
        bandwidth=Bandwidth(bandwidth),
        latency=Seconds(0.002),
        directed=directed,
    )


def line(*ids: str, demand: float | None = 0.5 * GIGABIT) -> Topology:
    """Return nodes in a row, with a demand `flow` from the first to the last."""
    demands = [] if demand is None else [Demand(id="flow", source=ids[0], target=ids[-1], rate=Bandwidth(demand))]
    return Topology.of([node(i) for i in ids], [link(a, b) for a, b in pairwise(ids)], demands)


def node(node_id: str) -> Node:
    """Return a router called by one letter, with an interface to each other; its loopback follows: `b` has 10.0.0.98."""
    ports = (Interface(name=f"to-{other}") for other in "abcdmz")
    return Node(id=node_id, interfaces=(Interface(name="lo", address=f"10.0.0.{ord(node_id)}/32"), *ports))


def route(prefix: str, *hops: tuple[str, str] | tuple[str, str, float]) -> Row:
    """Return a route over (node, link[, weight])."""
    listed = [{"node": h[0], "link": h[1], "interface": "", "address": "", "weight": h[2] if len(h) > 2 else 1} for h in hops]
    return Row(family="ip.route", key=prefix, value={"next_hops": listed})


def shortest_routes(topology: Topology) -> dict[str, tuple[Row, ...]]:
    """Return, for every node, a host route to every other node at the least cost (Dijkstra from the targets)."""
    found: dict[str, list[Row]] = {n: [] for n in topology.nodes}
    addresses = router_addresses(topology)
    for target in topology.nodes:
        done: set[str] = set()
        queue = [(0.0, target, "", "")]
        while queue:
            cost, here, towards, over = heappop(queue)
            if here in done:
                continue
            done.add(here)
            if towards:
                found[here].append(route(str(ip_network(addresses[target])), (towards, over)))
            for each in topology.links_of(here):
                other = each.target.node if each.source.node == here else each.source.node
                heappush(queue, (cost + each.cost, other, here, each.id))
    return {n: tuple(rows) for n, rows in found.items()}


def value(samples: list[Sample], metric: str, **labels: str) -> float:
    """Return the one sample with this name and these labels among its own."""
    (found,) = [s.value for s in samples if s.metric == metric and labels.items() <= s.labels.items()]
    return found
