"""DOT, for Graphviz. Written only.

Source: https://graphviz.org/doc/info/lang.html
"""

from collections.abc import Mapping

from paranet.models.topology import Link, Node, Topology
from paranet.models.units import format_bandwidth, format_seconds

_SHAPES = {"host": "box", "switch": "box", "p4_switch": "diamond"}


def write(topology: Topology) -> bytes:
    """Return the graph: names as labels, positions pinned where they are known (for `neato -n`), bandwidth and latency on links."""
    directed = any(link.directed for link in topology.links.values())
    lines = [f"{'digraph' if directed else 'graph'} paranet {{", "  node [shape=ellipse];"]
    lines += [f"  {_quoted(node.id)} {_attributes(_node(node))};" for node in topology.nodes.values()]
    arrow = "->" if directed else "--"
    for link in topology.links.values():
        shown = _link(link) | ({"dir": "none"} if directed and not link.directed else {})
        lines.append(f"  {_quoted(link.source.node)} {arrow} {_quoted(link.target.node)} {_attributes(shown)};")
    return "".join(f"{line}\n" for line in [*lines, "}"]).encode()


def _node(node: Node) -> dict[str, str]:
    shown = {"label": node.name, "class": node.type}
    if node.type in _SHAPES:
        shown["shape"] = _SHAPES[node.type]
    if node.location:
        shown["pos"] = f"{node.location.longitude:g},{node.location.latitude:g}!"
    elif node.display:
        shown["pos"] = f"{node.display.x:g},{node.display.y:g}!"
    return shown


def _link(link: Link) -> dict[str, str]:
    shown = {"id": link.id, "label": f"{format_bandwidth(link.bandwidth)} {format_seconds(link.latency)}"}
    shown |= {"taillabel": link.source.interface} if link.source.interface else {}
    shown |= {"headlabel": link.target.interface} if link.target.interface else {}
    return shown | ({} if link.enabled else {"style": "dashed"})


def _attributes(values: Mapping[str, str]) -> str:
    return f"[{', '.join(f'{name}={_quoted(value)}' for name, value in values.items())}]"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
