"""Declarations held against the live topology."""

from collections.abc import Iterable, Mapping

from paranet.compiler.declare import Declared, DeclaredLink, DeclaredNode
from paranet.compiler.diagnostics import Log
from paranet.models.topology import Link, Location, Node, Topology
from paranet.models.units import format_bandwidth, format_seconds


def compare(declared: Declared, topology: Topology, log: Log) -> None:
    """Warn where *declared* differs from *topology*, and once when something in it is not live at all."""
    missing: list[str] = []
    places = []
    for node in declared.nodes.values():
        if live := topology.nodes.get(node.node.id):
            _node(node, live, log)
        else:
            missing.append(node.node.id)
            places.append(node.statement.keyword.span)
    between = _links_between(topology)
    for link in declared.links:
        if candidates := between.get(_ends(link.link)):
            _link(link, candidates, log)
        else:
            missing.append(link.link.id)
            places.append(link.statement.keyword.span)
    if missing:
        shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        message = f"{len(missing)} declared here and not in the live topology: {shown}"
        log.warning("PN223", min(places, key=lambda s: (s.line, s.column)), message, hint="import the source as topology first")


def _ends(link: Link) -> frozenset[str]:
    return frozenset((link.source.node, link.target.node))


def _links_between(topology: Topology) -> Mapping[frozenset[str], list[Link]]:
    found: dict[frozenset[str], list[Link]] = {}
    for link in topology.links.values():
        found.setdefault(_ends(link), []).append(link)
    return found


def _node(declared: DeclaredNode, live: Node, log: Log) -> None:
    compared = [n for n in ("type", "name", "modalities", "region", "location") if n in declared.given]
    wanted: dict[str, object] = {n: getattr(declared.node, n) for n in compared}
    differing = [f"{n} is {_show(getattr(live, n))}, not {_show(v)}" for n, v in wanted.items() if getattr(live, n) != v]
    addresses = {i.address for i in live.interfaces}
    differing += [f"it has no address {i.address}" for i in declared.node.interfaces if i.address and i.address not in addresses]
    if differing:
        place = declared.statement.type or declared.statement.name or declared.statement.keyword
        log.warning("PN222", place.span, f"live node {live.id!r} differs: {'; '.join(differing)}")


def _link(declared: DeclaredLink, candidates: Iterable[Link], log: Log) -> None:
    """Compare with the live link of the same id, else with the parallel one that is most alike."""
    named = [link for link in candidates if link.id == declared.link.id]

    def differing(live: Link) -> list[str]:
        given = sorted(declared.given)
        return [f"{n} is {_show_attribute(live, n)}" for n in given if getattr(live, n) != getattr(declared.link, n)]

    nearest = min(named or candidates, key=lambda live: len(differing(live)))
    if found := differing(nearest):
        log.warning("PN222", declared.statement.keyword.span, f"live link {nearest.id!r} differs: {'; '.join(found)}")


def _show(value: object) -> str:
    if isinstance(value, Location):
        return f"{value.latitude:g} {value.longitude:g}"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _show_attribute(link: Link, name: str) -> str:
    if name == "latency":
        return format_seconds(link.latency)
    return format_bandwidth(link.bandwidth) if name == "bandwidth" else str(getattr(link, name))
