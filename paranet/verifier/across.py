"""Across protocols: nodes speak what their rows are of, links bear what is reserved, and intents do not contradict each other."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations

import attrs

from paranet.models.device import Row
from paranet.models.intent import Isolation, Reservation
from paranet.models.topology import Modality, Topology
from paranet.verifier.forwarding import Ownership
from paranet.verifier.packets import BITS, FAMILY, Entry, Packets, boxes, example, in_order, screen, windows
from paranet.verifier.part import NodeChange, NodeRow
from paranet.verifier.prefixes import Prefix, text
from paranet.verifier.promises import Promises
from paranet.verifier.report import Findings, Step

CLASS = "ip.qos"
POLICIES = (FAMILY, CLASS)
_SLACK = 1 + 1e-9  # sums of floats may differ from their bound in the last digits


class ModalityPart:
    """Finds rows of protocols that their node does not speak."""

    families = tuple(
        f"{modality}.{kind}"
        for modality, kinds in {
            Modality.IP: ("route", "acl", "qos", "mcast"),
            Modality.NDN: ("face", "rib", "strategy", "cs"),
            Modality.GEO: ("position", "region", "forward"),
            Modality.P4: ("pipeline", "table", "mcast"),
        }.items()
        for kind in kinds
    )

    def __init__(self, topology: Topology, rows: Iterable[NodeRow]) -> None:
        self._spoken = {
            (n.id, family) for n in topology.nodes.values() for family in self.families if family.partition(".")[0] in n.modalities
        }
        self._nodes = topology.nodes
        self._count = 0
        self._foreign: dict[tuple[str, str, str], Row] = {}
        for node, row in rows:
            self._count += 1
            if (node, row.family) not in self._spoken:
                self._foreign[node, row.family, row.key] = row

    def change(self, changes: Iterable[NodeChange]) -> None:
        for node, change in changes:
            self._count += (change.after is not None) - (change.before is not None)
            place = (node, *change.id)
            self._foreign.pop(place, None)
            if change.after and (node, change.after.family) not in self._spoken:
                self._foreign[place] = change.after

    def report(self, findings: Findings) -> None:
        findings.count("modality", self._count)
        for (node, family, _), row in sorted(self._foreign.items()):
            if node in self._nodes:  # else a device that the topology knows nothing of
                spoken = ", ".join(self._nodes[node].modalities) or "nothing"
                message = f"{node!r} speaks {spoken}, so it cannot hold {family} {row.key}"
                findings.violate("modality", message, hops=(node,), steps=[Step.of(node, row)])


class PromisesPart:
    """Judges what intents promise by itself; no row changes it."""

    families = ()

    def __init__(self, topology: Topology, promises: Promises) -> None:
        self._findings = Findings()
        reservations(topology, promises.reservations, self._findings)
        found = list(wishes(promises))
        opposed(found, self._findings)
        denied(found, promises.isolations, Ownership(topology), self._findings)

    def change(self, changes: Iterable[NodeChange]) -> None:
        """Have nothing to do."""

    def report(self, findings: Findings) -> None:
        findings.add(self._findings)
        for check, number in self._findings.checked.items():
            findings.count(check, number)


def reservations(topology: Topology, wanted: Iterable[Reservation], findings: Findings) -> None:
    """Find links on which more is reserved than they bear, in either direction."""
    taken: dict[tuple[str, str], list[Reservation]] = {}
    for r in wanted:
        link = topology.links.get(r.link)
        sources = [r.source] if r.source else [link.source.node, link.target.node] if link else [""]
        for source in sources:
            taken.setdefault((r.link, source), []).append(r)
    for (link_id, source), found in sorted(taken.items()):
        findings.count("reservation")
        link = topology.links.get(link_id)
        total = sum(r.bandwidth for r in found)
        bears = link.bandwidth if link and link.enabled else 0.0
        if total > bears * _SLACK:
            message = f"{total / 1e6:.6g} Mbit/s are reserved on link {link_id!r} out of {source!r}, which bears {bears / 1e6:.6g} Mbit/s"
            hops = (source, link.target.node if link.source.node == source else link.source.node) if link else (source,)
            intents = [r.intent for r in found]
            findings.violate("reservation", message, header={"link": link_id}, hops=hops, intents=intents)


@attrs.frozen
class Wish:
    """What one intent wants of packets (*told* in a header) from node *source*: to end at one of *ends*, or at *all* of them."""

    intent: str
    source: str
    told: tuple[str, str]
    ends: tuple[str, ...]
    via: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    all: bool = False


def wishes(promises: Promises) -> Iterator[Wish]:
    """Yield what routes and groups promise of packets and Interests."""
    for r in promises.reaches:
        yield Wish(r.intent, r.source, ("dst", r.prefix), (r.target,), r.via, r.avoid)
    for n in promises.names:
        yield Wish(n.intent, n.consumer, ("name", n.name), n.producers, n.via, n.avoid)
    for g in promises.groups:
        yield Wish(g.intent, g.source, ("dst", g.group), g.members, (), g.avoid, all=True)


def opposed(found: Iterable[Wish], findings: Findings) -> None:
    """Name pairs of intents about the same packets that cannot both hold."""
    by_packets: dict[tuple[str, tuple[str, str]], list[Wish]] = {}
    for wish in found:
        by_packets.setdefault((wish.source, wish.told), []).append(wish)
    for alike in by_packets.values():
        for one, other in combinations(alike, 2):
            if one.intent != other.intent:
                findings.count("contradiction")
                if reason := _apart(one, other) or _apart(other, one):
                    message = f"{one.intent!r} and {other.intent!r} contradict each other: {reason}"
                    header, intents = dict([one.told]), (one.intent, other.intent)
                    findings.violate("contradiction", message, header=header, hops=(one.source,), intents=intents)


def denied(found: Iterable[Wish], isolations: Iterable[Isolation], ownership: Ownership, findings: Findings) -> None:
    """Name pairs of an intent that carries packets and a deny that leaves nothing of them, at some time of the day."""
    by_source: dict[str, list[Wish]] = {}
    for wish in found:
        if wish.told[0] == "dst":
            by_source.setdefault(wish.source, []).append(wish)
    for isolation in isolations:
        for wish in (wish for source in isolation.source_nodes for wish in by_source.get(source, ())):
            findings.count("contradiction")
            if _denied(wish, isolation, ownership):
                when = f" at {isolation.when}" if isolation.when else ""
                message = f"{isolation.intent!r} denies all that {wish.intent!r} carries from {wish.source!r} to {wish.told[1]}{when}"
                hops, intents = (wish.source, wish.ends[0]), (wish.intent, isolation.intent)
                findings.violate("contradiction", message, header=dict([wish.told]), hops=hops, intents=intents)


def _apart(one: Wish, other: Wish) -> str | None:
    """Return why packets cannot keep both promises."""
    if not (one.all or other.all) and set(one.ends).isdisjoint(other.ends):
        ends = [" or ".join(map(repr, w.ends)) for w in (one, other)]
        return f"{one.told[1]} from {one.source!r} ends at {ends[0]} by one, at {ends[1]} by the other"
    needed = (*one.via, *one.ends) if one.all or len(one.ends) == 1 else one.via
    if shunned := [n for n in needed if n in other.avoid]:
        return f"{one.intent!r} has to pass {shunned[0]!r}, which {other.intent!r} has to avoid"
    both = [n for n in one.via if n in other.via]
    if both != [n for n in other.via if n in one.via]:
        return f"they pass {' and '.join(map(repr, both))} in different orders"
    return None


def _denied(wish: Wish, isolation: Isolation, ownership: Ownership) -> bool:
    """Tell whether a deny means all packets of a route or a group."""
    if any(isolation.match.get(field) for field in ("protocol", "source_port", "destination_port")):
        return False
    prefix = Prefix.of(wish.told[1])
    own = [Prefix.of(text(prefix.version, address)) for address in ownership.addresses(wish.source, prefix.version)]
    sources, destinations = (
        [Prefix.of(str(bound)) for bound in (given, isolation.match.get(field)) if bound]
        for given, field in ((isolation.source_prefix, "source"), (isolation.destination_prefix, "destination"))
    )
    from_all = not sources or (bool(own) and all(_holds(bound, address) for bound in sources for address in own))
    return from_all and all(_holds(bound, prefix) for bound in destinations)


def _holds(outer: Prefix, inner: Prefix) -> bool:
    return outer.version == inner.version and outer.low <= inner.low and inner.high <= outer.high


class PolicyCheck:
    """Names pairs of intents whose access list entries or QoS classes treat the same packets differently at the same time.

    Also classes of packets that the node's access list drops, all of them.
    """

    def __call__(self, rows: Mapping[str, list[Row]], findings: Findings) -> None:
        for node, found in rows.items():
            entries = in_order(node, found)
            for row in found if entries else ():
                if row.family == CLASS:
                    _starved(node, row, entries, findings)
            alike: dict[tuple[str, str], list[Row]] = {}
            for row in found:
                match = json.dumps(row.value.get("match"), sort_keys=True, default=str)
                alike.setdefault((row.family, match), []).append(row)
            for same in alike.values():
                for one, other in combinations(same, 2):
                    findings.count("contradiction")
                    if set(one.owners) != set(other.owners) and (minutes := _together(one, other)) and (words := _differ(one, other)):
                        names = " and ".join(repr(", ".join(r.owners) or r.key) for r in (one, other))
                        message = f"{names} contradict each other on {node!r} from {minutes}: {words}"
                        steps = [Step.of(node, one), Step.of(node, other)]
                        findings.violate("contradiction", message, header=_header(one, minutes), hops=(node,), steps=steps)


def _starved(node: str, row: Row, entries: Sequence[Entry], findings: Findings) -> None:
    """Report a class that no packet comes to."""
    match = row.value.get("match")
    by: dict[Step, None] = {}
    meant: dict[int, Packets] = {}
    try:
        meant = {v: boxes(match, v, when=row.value.get("when")) for v in BITS} if isinstance(match, Mapping) else {}
    except ValueError:
        return
    for version, wanted in meant.items():
        verdict = screen(entries, wanted, version) if wanted else None
        if verdict and verdict.passed:
            return
        by |= dict.fromkeys(verdict.by if verdict else ())
    if by:
        findings.count("contradiction")
        whose = " and ".join(sorted({repr(", ".join(s.owners) or s.key) for s in by}))
        message = f"{whose} denies all packets that {', '.join(row.owners) or row.key!r} treats on {node!r}"
        version = next(v for v, wanted in meant.items() if wanted)
        header = example(meant[version], version)
        findings.violate("contradiction", message, header=header, hops=(node,), steps=[Step.of(node, row), *by])


def _differ(one: Row, other: Row) -> str | None:
    """Return in what two rows for the same packets differ; QoS classes of different priorities are in order."""
    names = ("action",) if one.family == "ip.acl" else ("rate", "burst", "dscp")
    if one.family == "ip.qos" and one.value.get("priority") != other.value.get("priority"):
        return None
    found = [(n, one.value.get(n), other.value.get(n)) for n in names if one.value.get(n) != other.value.get(n)]
    return "; ".join(f"{n} {a} or {b}" for n, a, b in found) or None


def _together(one: Row, other: Row) -> str | None:
    """Return when both rows hold, as text."""
    try:
        shared = [(max(a[0], b[0]), min(a[1], b[1])) for a in windows(one.value.get("when")) for b in windows(other.value.get("when"))]
    except ValueError:
        return None
    low, high = next(((low, high) for low, high in shared if low <= high), (0, -1))
    return f"{low // 60:02}:{low % 60:02} to {(high + 1) // 60:02}:{(high + 1) % 60:02}" if low <= high else None


def _header(row: Row, minutes: str) -> Mapping[str, str]:
    match = row.value.get("match")
    fields = {str(k): str(v) for k, v in match.items()} if isinstance(match, Mapping) else {}
    return {**fields, "at": minutes.partition(" ")[0]}
