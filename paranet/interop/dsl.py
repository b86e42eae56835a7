"""The intent language's own `network`, `node` and `link` statements (docs/language.md)."""

import re
from collections.abc import Collection, Mapping
from typing import Any

import attrs
import orjson

from paranet.compiler import declared_topology
from paranet.errors import Fault
from paranet.interop import marks
from paranet.interop.graph import Read, refused, whole
from paranet.interop.json import refusal
from paranet.interop.minindn import parse as parse  # UTF-8 text, as there
from paranet.models.topology import Endpoint, Interface, Link, Node, Topology
from paranet.models.units import format_bandwidth, format_seconds, parse_bandwidth, parse_seconds

_WORD = re.compile(r"[A-Za-z0-9_][\w.\-]*", re.ASCII)
_KEYWORDS = frozenset({"network", "node", "link"})
_ESCAPED = re.compile('[\x00-\x1f"\\\\\x7f-\x9f\u2028\u2029]')
_COMMENTS = re.compile(r"\s*(?://[^\n]*\n|/\*.*?\*/|;|,)", re.DOTALL)
_BEGINS = re.compile(r"\s*(?:network|node|link)\b[^=\n]*[{\n]")
_MARK = f"// {marks.WORD} "
_MODEL = Link(id="default", source=Endpoint(node="a"), target=Endpoint(node="b"))  # for the model's defaults


def fits(text: Any) -> bool:
    """Tell whether a text may be one: after comments it begins with one of the statements."""
    if not isinstance(text, str):
        return False
    at = 0
    while comment := _COMMENTS.match(text, at):
        at = comment.end()
    return _BEGINS.match(text, at) is not None


def build(text: str, beyond: Collection[str] = ()) -> Read:
    """Return the topology. Raise InvalidInput with lines and columns."""
    topology, faults = declared_topology(text, beyond)
    found = [Fault(path=f"line {d.span.line}, column {d.span.column}", message=f"{d.code} {d.message}") for d in faults]
    if topology is None:
        errors = [f for f, d in zip(found, faults, strict=True) if d.severity == "error"]
        raise refused(errors or found)
    if not topology.nodes and not topology.links and "network" not in text:
        raise refusal("line 1", "declares no network, node or link")
    last = text.rstrip().rpartition("\n")[2]
    if not last.startswith(_MARK):
        return topology, tuple(found)
    return _restored(topology, last.removeprefix(_MARK), beyond), tuple(found)


@attrs.frozen(kw_only=True)
class _Rest:
    """What the statements cannot say, by the number of the node or link in the file."""

    mark: marks.Mark | None = None
    nodes: Mapping[str, Mapping[str, object]] = attrs.field(factory=dict)
    links: Mapping[str, Mapping[str, object]] = attrs.field(factory=dict)


def _restored(topology: Topology, text: str, beyond: Collection[str]) -> Topology:
    rest = marks.read_as(text, _Rest)
    nodes = [whole(n, rest.nodes.get(str(i), {}), f"nodes[{i}]") for i, n in enumerate(topology.nodes.values())]
    links = [whole(x, rest.links.get(str(i), {}), f"links[{i}]") for i, x in enumerate(topology.links.values())]
    mark = rest.mark or marks.Mark(version=marks.VERSION)
    return Topology.of(nodes, links, mark.demands, properties=mark.properties, beyond=beyond)


def write(topology: Topology) -> bytes:
    """Return the canonical text. What the statements cannot say stands in a last comment, as JSON."""
    lines = ["network topology {"]
    lines += [f"    {_node(node)}" for node in topology.nodes.values()]
    taken = {*topology.nodes, *(node.name for node in topology.nodes.values())}
    lines += [f"    {_link(link, taken)}" for link in topology.links.values()]
    text = "".join(f"{line}\n" for line in [*lines, "}"])
    said, _ = build(text)
    rest: dict[str, Any] = {}
    if topology.demands or topology.properties:
        rest["mark"] = marks.mark(topology, {})
    nodes = marks.differences(list(said.nodes.values()), list(topology.nodes.values()))
    links = marks.differences(list(said.links.values()), list(topology.links.values()))
    for kind, found in (("nodes", nodes), ("links", links)):
        rest |= {kind: some} if (some := {str(i): residue for i, residue in enumerate(found) if residue}) else {}
    return (text + (f"{_MARK}{orjson.dumps(rest).decode()}\n" if rest else "")).encode()


def _node(node: Node) -> str:
    inner = {} if node.name == node.id else {"name": _quoted(node.name)}
    inner |= {"region": _quoted(node.region)} if node.region is not None else {}
    interfaces = [f"{_word(i.name)}: {_quoted(i.address) if i.address else 'none'}" for i in node.interfaces if _plain(i)]
    inner |= {"interfaces": f"{{ {'; '.join(interfaces)} }}"} if interfaces else {}
    if node.modalities != Node(id=node.id, type=node.type).modalities:
        inner["modalities"] = f"[{', '.join(node.modalities)}]"
    if node.location:
        inner["location"] = _object(
            {"latitude": node.location.latitude, "longitude": node.location.longitude, "altitude": node.location.altitude}
        )
    if node.management:
        inner["management"] = _object(attrs.asdict(node.management))
    return f"node {_word(node.id)} :{_word(node.type)} {_block(inner)}"


def _end(end: Endpoint, taken: Collection[str]) -> str:
    """Return `node` or `"node:interface"`; the latter only where it cannot mean another node."""
    if end.interface is None or not _WORD.fullmatch(end.interface) or ":" in end.node or f"{end.node}:{end.interface}" in taken:
        return _word(end.node)
    return _quoted(f"{end.node}:{end.interface}")


def _link(link: Link, taken: Collection[str]) -> str:
    inner = {"endpoints": f"[{_end(link.source, taken)}, {_end(link.target, taken)}]"}
    bandwidth, latency = format_bandwidth(link.bandwidth), format_seconds(link.latency)
    inner["bandwidth"] = bandwidth if parse_bandwidth(bandwidth) == link.bandwidth else repr(link.bandwidth)
    inner["latency"] = latency if parse_seconds(latency) == link.latency else repr(link.latency)
    for name in ("loss", "mtu", "cost"):
        if getattr(link, name) != getattr(_MODEL, name):
            inner[name] = repr(getattr(link, name))
    inner |= {} if link.enabled else {"enabled": "false"}
    inner |= {"directed": "true"} if link.directed else {}
    return f"link {_word(link.id)} {_block(inner)}"


def _plain(interface: Interface) -> bool:
    return _WORD.fullmatch(interface.name) is not None


def _block(inner: Mapping[str, str]) -> str:
    return f"{{ {'; '.join(f'{name}: {value}' for name, value in inner.items())} }}" if inner else "{ }"


def _object(values: Mapping[str, object]) -> str:
    return _block({k: _quoted(v) if isinstance(v, str) else repr(v) for k, v in values.items() if v is not None})


def _word(text: str) -> str:
    return text if _WORD.fullmatch(text) and text not in _KEYWORDS else _quoted(text)


def _quoted(text: str) -> str:
    escaped = _ESCAPED.sub(lambda c: f"\\{c[0]}" if c[0] in '"\\' else f"\\u{ord(c[0]):04x}", text)
    return f'"{escaped}"'
