"""Places for nodes that have none: where to draw what nobody put on a map."""

from collections.abc import Mapping

import attrs
import rustworkx

from paranet.models.topology import Display, Node, Topology

SEED = 1
_WORK = 1.5e7  # pairs of nodes looked at: bounds the time for large networks, which is quadratic
_ROUNDS = 60


def laid_out(topology: Topology) -> Topology:
    """Return the topology with a display position for every node that has neither location nor position.

    Among nodes with locations or positions the others are put near their neighbours, in the same degrees or plane; otherwise
    the whole is laid out by springs (Fruchterman and Reingold, 1991) in -1..1. The same network gives the same places.
    """
    missing = [n for n in topology.nodes.values() if not n.location and not n.display]
    if not missing:
        return topology
    known = {n.id: at for n in topology.nodes.values() if (at := _at(n))}
    places = _near(topology, known) if known else _springs(topology)
    drawn = {n.id: attrs.evolve(n, display=places[n.id]) for n in missing}
    return attrs.evolve(topology, nodes={i: drawn.get(i, n) for i, n in topology.nodes.items()})


def _at(node: Node) -> Display | None:
    return Display(x=node.location.longitude, y=node.location.latitude) if node.location else node.display


def _springs(topology: Topology) -> Mapping[str, Display]:
    graph: rustworkx.PyGraph[str, None] = rustworkx.PyGraph(multigraph=False)
    numbers = dict(zip(topology.nodes, graph.add_nodes_from(list(topology.nodes)), strict=True))
    pairs = [(link.source.node, link.target.node) for link in topology.links.values()]
    graph.add_edges_from([(numbers[a], numbers[b], None) for a, b in pairs if a in numbers and b in numbers])
    rounds = max(2, min(_ROUNDS, int(_WORK / len(numbers) ** 2)))
    places = rustworkx.spring_layout(graph, num_iter=rounds, seed=SEED)
    return {graph[number]: Display(x=round(float(x), 4), y=round(float(y), 4)) for number, (x, y) in places.items()}


def _near(topology: Topology, known: Mapping[str, Display]) -> Mapping[str, Display]:
    """Put each unplaced node at the mean of its placed neighbours, outwards; what hangs on nothing goes below the rest."""
    neighbours: dict[str, list[str]] = {i: [] for i in topology.nodes}
    for link in topology.links.values():
        for here, there in ((link.source.node, link.target.node), (link.target.node, link.source.node)):
            if here in neighbours and there in neighbours:
                neighbours[here].append(there)
    places = dict(known)
    span = max(0.2, max(p.x for p in known.values()) - min(p.x for p in known.values()))
    waiting = [i for i in topology.nodes if i not in places]
    while waiting:
        reached = {i: [places[n] for n in neighbours[i] if n in places] for i in waiting}
        ready = [i for i in waiting if reached[i]]
        if not ready:
            low, left = min(p.y for p in known.values()), min(p.x for p in known.values())
            row = {i: Display(x=left + span * (n + 0.5) / len(waiting), y=low - span / 20) for n, i in enumerate(waiting)}
            return places | row
        for n, i in enumerate(ready):
            near = reached[i]
            aside = span / 50 * (1 + n % 5)
            x, y = sum(p.x for p in near) / len(near), sum(p.y for p in near) / len(near)
            places[i] = Display(x=x + aside * (1 if n % 2 else -1), y=y - aside)
        waiting = [i for i in waiting if i not in places]
    return places
