"""NDN Forwarding Daemon: the lines that `nfdc` takes."""

from collections.abc import Mapping, Sequence
from typing import Any

from paranet.models.device import Row
from paranet.models.topology import Node, Topology

PACKET = 8800
"""Bytes of the largest NDN packet; NFD counts a content store's capacity in packets."""
_STRATEGIES = {"best-route": "best-route/v=5", "multicast": "multicast/v=4", "asf": "asf/v=5", "random": "random/v=1"}


def nfdc(node: Node, rows: Sequence[Row], topology: Topology) -> str:
    faces = {r.key: str(r.value["uri"]) for r in rows if r.family == "ndn.face"}
    lines = [f"nfdc face create remote {uri} persistency permanent" for uri in sorted(set(faces.values()))]
    for row in rows:
        value: Mapping[str, Any] = row.value
        if row.family == "ndn.rib":
            ways = [(faces.get(h["face"], h["face"]), h["cost"]) for h in value["next_hops"]]
            lines += [f"nfdc route add prefix {row.key} nexthop {way} cost {cost}" for way, cost in ways]
        elif row.family == "ndn.strategy":
            strategy = _STRATEGIES.get(value["strategy"], value["strategy"])
            lines.append(f"nfdc strategy set prefix {row.key} strategy /localhost/nfd/strategy/{strategy}")
    stores = [r for r in rows if r.family == "ndn.cs"]
    if stores:
        capacity = sum(int(str(r.value["capacity"])) for r in stores)
        policy = "priority_fifo" if stores[0].value["policy"] == "priority-fifo" else stores[0].value["policy"]
        lines.append(f"# nfd.conf: tables {{ cs_policy {policy} }}  ; for {', '.join(r.key for r in stores)}")
        lines.append(f"nfdc cs config capacity {max(1, capacity // PACKET)} admit on serve on")
    return "".join(f"{line}\n" for line in lines)
