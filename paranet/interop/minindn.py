"""Mini-NDN topology files: `[nodes]`, `[switches]` and `[links]` with one thing a line.

Source: https://minindn.memphis.edu/, "Topology file"; minindn/minindn.py, `processTopo`.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import attrs
import orjson

from paranet.errors import Fault
from paranet.interop import marks
from paranet.interop.attributes import Attributes, shown
from paranet.interop.graph import Edge, Read, Sketch, Vertex, assemble
from paranet.interop.json import BOM, refusal
from paranet.models.topology import Link, Node, Topology

NAME = "minindn"
_SECTION = re.compile(r"\[\s*(\w+)\s*\]")
_TYPES = {"nodes": "ndn_router", "switches": "switch", "stations": "ndn_consumer", "accessPoints": "switch"}
_MARK = f"# {marks.WORD} "
_BLANK = re.compile(r"\s")


@attrs.frozen(kw_only=True)
class _Line:
    number: int
    section: str
    head: str
    words: Mapping[str, str]


def parse(data: bytes) -> str:
    """Return the text. Raise InvalidInput when it is no UTF-8."""
    try:
        return data.removeprefix(BOM).decode()
    except UnicodeDecodeError as error:
        raise refusal(f"line {data.count(10, 0, error.start) + 1}", "is not UTF-8") from None


def fits(text: Any) -> bool:
    """Tell whether a text may be one."""
    lines = (line.strip() for line in text.splitlines()) if isinstance(text, str) else iter(())
    first = next((line for line in lines if line and not line.startswith("#")), "")
    return _SECTION.fullmatch(first) is not None


def build(text: str, beyond: Collection[str] = ()) -> Read:
    """Return the topology and what was assumed. Raise InvalidInput or InvalidTopology with lines (`line 12`)."""
    return assemble(_sketch(text), beyond)


def _sketch(text: str) -> Sketch:
    lines, warnings = list(_lines(text)), []
    mark = next((marks.mark_of(line.removeprefix(_MARK)) for line in text.splitlines() if line.startswith(_MARK)), None)
    vertices, edges, others = [], [], []
    for line in lines:
        if line.section in _TYPES:
            vertices.append(_vertex(line))
        elif line.section == "links":
            edges.append(_edge(line))
        else:
            others.append({"section": line.section, "head": line.head, **line.words})
            warnings.append(Fault(path=f"line {line.number}", message=f"the section [{line.section}] is kept, but means nothing here"))
    return Sketch(
        name=NAME,
        vertices=vertices,
        edges=edges,
        marked=mark is not None,
        properties=mark.properties if mark and mark.properties is not None else {NAME: {"lines": others}} if others else {},
        demands=mark.demands if mark else (),
        warnings=warnings,
    )


def _lines(text: str) -> Iterator[_Line]:
    section = ""
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if found := _SECTION.fullmatch(line):
            section = found[1]
            continue
        if not section:
            raise refusal(f"line {number}", "stands before the first [section]")
        head, *words = line.split()
        pairs = [word.partition("=") for word in words if word != "_"]
        odd = next((name for name, equals, _ in pairs if not equals or not name), None)
        if odd is not None:
            raise refusal(f"line {number}", f"{shown(odd)!r} is not name=value")
        yield _Line(number=number, section=section, head=head, words={name: value for name, _, value in pairs})
    if not section:
        raise refusal("line 1", "holds no [section]")


def _vertex(line: _Line) -> Vertex:
    place, name = f"line {line.number}", line.head.removesuffix(":")
    if not name or ":" in name:
        raise refusal(place, f"{shown(line.head)!r} is not a name with a colon after it")
    words = dict(line.words)
    residue = marks.residue_of(words.pop(marks.WORD, None))
    return Vertex(
        place=place,
        file_id=name,
        attributes=Attributes({k: _number(v) for k, v in words.items()}),
        fields={"type": _TYPES[line.section]},
        residue=residue,
    )


def _number(text: str) -> object:
    """Return a plain number as one, so that `cpu=0.5` is kept as what it is."""
    if re.fullmatch(r"-?(0|[1-9]\d{0,14})", text, re.ASCII):
        return int(text)
    return float(text) if re.fullmatch(r"-?(0|[1-9]\d{0,14})\.\d*[1-9]", text, re.ASCII) and str(float(text)) == text else text


def _edge(line: _Line) -> Edge:
    place = f"line {line.number}"
    source, colon, target = line.head.partition(":")
    if not colon or not source or not target or ":" in target:
        raise refusal(place, f"{shown(line.head)!r} is not two names with a colon between")
    words: dict[str, Any] = dict(line.words)
    residue = marks.residue_of(words.pop(marks.WORD, None))
    fields: dict[str, Any] = {}
    for name, field, factor in (("bw", "bandwidth", 1e6), ("loss", "loss", 0.01)):
        if name in words:
            fields[field] = _finite(place, name, words.pop(name)) * factor
    if words.get("delay", "").replace(".", "").isdigit():
        words["delay"] += "us"  # as tc takes it
    kept = {k: v if k == "delay" else _number(v) for k, v in words.items()}
    return Edge(place=place, source=source, target=target, attributes=Attributes(kept), fields=fields, residue=residue)


def _finite(place: str, name: str, text: str) -> float:
    if re.fullmatch(r"\d+(\.\d*)?([eE][-+]?\d{1,3})?", text, re.ASCII):
        return float(text)
    raise refusal(place, f"{name} {shown(text)!r} is not a number")


def write(topology: Topology) -> bytes:
    """Return the file; what Mini-NDN has no word for stands in words called `paranet` and in a first comment, as JSON."""
    names = {node_id: node_id.replace(":", ".") for node_id in topology.nodes}
    if len(set(names.values())) < len(names):
        names = {node_id: f"n{i}" for i, node_id in enumerate(topology.nodes, 1)}
    nodes = [[f"{names[n.id]}: _", *_node(n)] for n in topology.nodes.values()]
    links = [[f"{names[x.source.node]}:{names[x.target.node]}", *_link(x)] for x in topology.links.values()]
    mark = f"{_MARK}{orjson.dumps(marks.mark(topology, {})).decode()}"
    for drawn, residues in zip((nodes, links), marks.residues(_sketch(_text(mark, nodes, links)), topology), strict=True):
        for words, residue in zip(drawn, residues, strict=True):
            if residue:
                words.append(f"{marks.WORD}={_unbroken(residue)}")
    return _text(mark, nodes, links).encode()


def _unbroken(value: object) -> str:
    """Return JSON without a blank in it, since blanks part words."""
    return _BLANK.sub(lambda c: f"\\u{ord(c[0]):04x}", orjson.dumps(value).decode())


def _text(mark: str, nodes: list[list[str]], links: list[list[str]]) -> str:
    lines = [mark, "[nodes]", *(" ".join(words) for words in nodes), "[links]", *(" ".join(words) for words in links)]
    return "".join(f"{line}\n" for line in lines)


def _node(node: Node) -> list[str]:
    return _kept(node.properties, (marks.WORD, *marks.NODE_WORDS))


def _link(link: Link) -> list[str]:
    words = [f"delay={link.latency * 1e3!r}ms", f"bw={link.bandwidth / 1e6!r}"]
    words += [f"loss={link.loss * 100!r}"] if link.loss else []
    return words + _kept(link.properties, {*marks.LINK_WORDS, "bw", "loss"})


def _kept(properties: Mapping[str, object], reserved: Collection[str]) -> list[str]:
    own = properties.get(NAME)
    words = own.items() if isinstance(own, dict) else ()
    return [f"{k}={v}" for k, v in words if k.lower() not in reserved and re.fullmatch(r"[^\s=#\[\]]+", k) and _plain(v)]


def _plain(value: object) -> bool:
    """Tell whether a value is read back as itself."""
    return type(value) in (str, int, float) and re.fullmatch(r"\S*", str(value)) is not None and _number(str(value)) == value
