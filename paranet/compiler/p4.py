"""P4: the pipeline of a switch, its table entries and multicast groups as rows.

One program, `l3`, is known. Its description here is what the row `p4.pipeline` says (in the way of P4Runtime's p4info) and what its
source is written from (`render`), so the two cannot differ. Matches are written as the runtime files of the P4 tutorials do:
`[value, length]` for lpm, `[value, mask]` for ternary, the value for exact.
"""

import hashlib
from collections.abc import Mapping
from ipaddress import ip_network

import attrs

from paranet.compiler.board import Board
from paranet.compiler.context import Context
from paranet.compiler.hops import Hops
from paranet.compiler.router import Tree
from paranet.compiler.trees import Branching
from paranet.models.addressing import port_mac
from paranet.models.device import Span
from paranet.models.topology import Modality

PROGRAM = "l3"


@attrs.frozen
class Action:
    """A P4 action: parameters with their bits, and its statements in P4_16."""

    name: str
    params: tuple[tuple[str, int], ...]
    body: tuple[str, ...]


@attrs.frozen
class Table:
    """A P4 table: keys as (field, kind, bits)."""

    name: str
    size: int
    match: tuple[tuple[str, str, int], ...]
    actions: tuple[str, ...]


ACTIONS = (
    Action("MyIngress.drop", (), ("mark_to_drop(standard_metadata);",)),
    Action(
        "MyIngress.ipv4_forward",
        (("dstAddr", 48), ("port", 9)),
        (
            "standard_metadata.egress_spec = port;",
            "hdr.ethernet.srcAddr = hdr.ethernet.dstAddr;",
            "hdr.ethernet.dstAddr = dstAddr;",
            "hdr.ipv4.ttl = hdr.ipv4.ttl - 1;",
        ),
    ),
    Action(
        "MyIngress.ipv6_forward",
        (("dstAddr", 48), ("port", 9)),
        (
            "standard_metadata.egress_spec = port;",
            "hdr.ethernet.srcAddr = hdr.ethernet.dstAddr;",
            "hdr.ethernet.dstAddr = dstAddr;",
            "hdr.ipv6.hopLimit = hdr.ipv6.hopLimit - 1;",
        ),
    ),
    Action("MyIngress.multicast", (("group", 16),), ("standard_metadata.mcast_grp = group;",)),
)
TABLES = (
    Table("MyIngress.ipv4_lpm", 4096, (("hdr.ipv4.dstAddr", "lpm", 32),), ("MyIngress.ipv4_forward", "MyIngress.drop")),
    Table("MyIngress.ipv6_lpm", 4096, (("hdr.ipv6.dstAddr", "lpm", 128),), ("MyIngress.ipv6_forward", "MyIngress.drop")),
    Table("MyIngress.ipv4_mcast", 1024, (("hdr.ipv4.dstAddr", "exact", 32),), ("MyIngress.multicast", "MyIngress.drop")),
    Table("MyIngress.ipv6_mcast", 1024, (("hdr.ipv6.dstAddr", "exact", 128),), ("MyIngress.multicast", "MyIngress.drop")),
)


def p4info() -> Mapping[str, object]:
    """Return what the pipeline's row says of its program."""
    tables = [
        {
            "name": t.name,
            "size": t.size,
            "match": [{"name": name, "kind": kind, "bits": bits} for name, kind, bits in t.match],
            "actions": list(t.actions),
        }
        for t in TABLES
    ]
    actions = [{"name": a.name, "params": [{"name": name, "bits": bits} for name, bits in a.params]} for a in ACTIONS]
    return {"tables": tables, "actions": actions}


class Switches:
    """Writes the rows of P4 switches."""

    def __init__(self, context: Context, hops: Hops, board: Board) -> None:
        self._context = context
        self._hops = hops
        self._board = board
        self.nodes = frozenset(n.id for n in context.topology.nodes.values() if Modality.P4 in n.modalities)
        self.others = frozenset(context.topology.nodes) - self.nodes

    def write_routes(self, prefix: str, tree: Tree) -> None:
        """Write the entries of one prefix on the switches of its tree."""
        network = ip_network(prefix)
        version = f"ipv{network.version}"
        match = {f"hdr.{version}.dstAddr": [str(network.network_address), network.prefixlen]}
        for node in self.nodes & tree.keys():
            entry = tree[node]
            edge = entry.edges[0]
            params = {"dstAddr": self._mac(node, edge.link), "port": self._hops.port(node, edge.link)}
            table, action = f"MyIngress.{version}_lpm", f"MyIngress.{version}_forward"
            self._enter(node, table, match, action, params, entry.owners, entry.span)

    def write_tree(self, tree: Branching) -> None:
        """Write the entry and the group of a multicast tree on its switches."""
        op = tree.op
        version = "ipv6" if ":" in op.group else "ipv4"
        group = group_id(op.group)
        for node in sorted(self.nodes & {op.source, *tree.incoming}):
            ports = [self._hops.port(node, e.link) for e in tree.outgoing.get(node, ())]
            replicas = [{"egress_port": port, "instance": 1} for port in sorted(ports)]
            self._board.add(node, "p4.mcast", str(group), {"replicas": replicas}, {op.intent}, op.span)
            match = {f"hdr.{version}.dstAddr": op.group}
            self._enter(node, f"MyIngress.{version}_mcast", match, "MyIngress.multicast", {"group": group}, {op.intent}, op.span)

    def _enter(
        self,
        node: str,
        table: str,
        match: Mapping[str, object],
        action: str,
        params: Mapping[str, object],
        owners: set[str],
        span: Span,
    ) -> None:
        self._pipeline(node, owners, span)
        key = " ".join((table, *(f"{field}={_canonical(value)}" for field, value in sorted(match.items()))))
        value = {"table": table, "match": match, "action": action, "params": params}
        self._board.add(node, "p4.table", key, value, owners, span)

    def _pipeline(self, node: str, owners: set[str], span: Span) -> None:
        program = self._context.topology.nodes[node].properties.get("program", PROGRAM)
        if program != PROGRAM:
            message = f"node {node!r} runs the program {program!r}, and only {PROGRAM!r} is known"
            self._context.log.error("PN233", span, message)
        self._board.add(node, "p4.pipeline", "pipeline", {"program": PROGRAM, "p4info": p4info()}, owners, span)

    def _mac(self, node: str, link_id: str) -> str:
        _, far = self._hops.ends(node, link_id)
        return port_mac(far.node, far.interface)


def group_id(group: str) -> int:
    """Return the number of a multicast group on every switch: 1..65535."""
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:4], "big") % 65535 + 1


def _canonical(value: object) -> str:
    return "/".join(map(str, value)) if isinstance(value, list) else str(value)
