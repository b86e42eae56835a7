"""P4_16: the program `l3` for the v1model architecture, written from the same description as its p4info (see `p4`)."""

from collections.abc import Sequence

from paranet.compiler.p4 import ACTIONS, TABLES, Action, Table
from paranet.models.device import Row
from paranet.models.topology import Node, Topology

_HEAD = """\
#include <core.p4>
#include <v1model.p4>

header ethernet_t {
    bit<48> dstAddr;
    bit<48> srcAddr;
    bit<16> etherType;
}

header ipv4_t {
    bit<4>  version;
    bit<4>  ihl;
    bit<8>  diffserv;
    bit<16> totalLen;
    bit<16> identification;
    bit<3>  flags;
    bit<13> fragOffset;
    bit<8>  ttl;
    bit<8>  protocol;
    bit<16> hdrChecksum;
    bit<32> srcAddr;
    bit<32> dstAddr;
}

header ipv6_t {
    bit<4>   version;
    bit<8>   trafficClass;
    bit<20>  flowLabel;
    bit<16>  payloadLen;
    bit<8>   nextHdr;
    bit<8>   hopLimit;
    bit<128> srcAddr;
    bit<128> dstAddr;
}

struct headers {
    ethernet_t ethernet;
    ipv4_t     ipv4;
    ipv6_t     ipv6;
}

struct metadata { }

parser MyParser(packet_in packet, out headers hdr, inout metadata meta, inout standard_metadata_t standard_metadata) {
    state start {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.etherType) {
            0x0800: ipv4;
            0x86dd: ipv6;
            default: accept;
        }
    }
    state ipv4 {
        packet.extract(hdr.ipv4);
        transition accept;
    }
    state ipv6 {
        packet.extract(hdr.ipv6);
        transition accept;
    }
}

control MyVerifyChecksum(inout headers hdr, inout metadata meta) {
    apply { }
}

control MyIngress(inout headers hdr, inout metadata meta, inout standard_metadata_t standard_metadata) {
"""

_APPLY = """\
    apply {
        if (hdr.ipv4.isValid()) {
            if (!ipv4_mcast.apply().hit) {
                ipv4_lpm.apply();
            }
        } else if (hdr.ipv6.isValid()) {
            if (!ipv6_mcast.apply().hit) {
                ipv6_lpm.apply();
            }
        }
    }
}
"""

_TAIL = """
control MyEgress(inout headers hdr, inout metadata meta, inout standard_metadata_t standard_metadata) {
    apply { }
}

control MyComputeChecksum(inout headers hdr, inout metadata meta) {
    apply {
        update_checksum(hdr.ipv4.isValid(),
            { hdr.ipv4.version, hdr.ipv4.ihl, hdr.ipv4.diffserv, hdr.ipv4.totalLen, hdr.ipv4.identification,
              hdr.ipv4.flags, hdr.ipv4.fragOffset, hdr.ipv4.ttl, hdr.ipv4.protocol, hdr.ipv4.srcAddr, hdr.ipv4.dstAddr },
            hdr.ipv4.hdrChecksum, HashAlgorithm.csum16);
    }
}

control MyDeparser(packet_out packet, in headers hdr) {
    apply {
        packet.emit(hdr.ethernet);
        packet.emit(hdr.ipv4);
        packet.emit(hdr.ipv6);
    }
}

V1Switch(MyParser(), MyVerifyChecksum(), MyIngress(), MyEgress(), MyComputeChecksum(), MyDeparser()) main;
"""


def p4source(node: Node, rows: Sequence[Row], topology: Topology) -> str:
    if not any(r.family == "p4.pipeline" for r in rows):
        return ""
    actions = "\n".join(map(_action, ACTIONS))
    tables = "\n".join(map(_table, TABLES))
    return f"{_HEAD}{actions}\n{tables}\n{_APPLY}{_TAIL}"


def _local(name: str) -> str:
    return name.rpartition(".")[2]


def _action(action: Action) -> str:
    params = ", ".join(f"bit<{bits}> {name}" for name, bits in action.params)
    body = "".join(f"        {line}\n" for line in action.body)
    return f"    action {_local(action.name)}({params}) {{\n{body}    }}\n"


def _table(table: Table) -> str:
    keys = "".join(f"            {name}: {kind};\n" for name, kind, _ in table.match)
    actions = "".join(f"            {_local(a)};\n" for a in table.actions)
    default = "" if table.match[0][1] == "exact" else "        default_action = drop();\n"
    nothing = "            @defaultonly NoAction;\n        }\n        default_action = NoAction();\n"
    none = "        }\n" + default if default else nothing
    return (
        f"    table {_local(table.name)} {{\n        key = {{\n{keys}        }}\n        actions = {{\n{actions}{none}"
        f"        size = {table.size};\n    }}\n"
    )
