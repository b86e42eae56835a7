"""P4Runtime: table entries and multicast groups in the JSON that the P4 tutorials load into a switch."""

from collections.abc import Sequence
from typing import Any

import orjson

from paranet.models.device import Row
from paranet.models.topology import Node, Topology


def p4runtime(node: Node, rows: Sequence[Row], topology: Topology) -> str:
    pipeline = next((r for r in rows if r.family == "p4.pipeline"), None)
    if pipeline is None:
        return ""
    program, info = str(pipeline.value["program"]), pipeline.value["p4info"]
    tables: list[dict[str, Any]] = info["tables"]  # type: ignore[index]  # the shape of these rows
    drops = [
        {"table": t["name"], "default_action": True, "action_name": "MyIngress.drop", "action_params": {}}
        for t in tables
        if "MyIngress.drop" in t["actions"] and t["match"][0]["kind"] == "lpm"
    ]
    entries = [_entry(r) for r in rows if r.family == "p4.table"]
    groups = [{"multicast_group_id": int(r.key), "replicas": r.value["replicas"]} for r in rows if r.family == "p4.mcast"]
    found = {
        "target": "bmv2",
        "p4info": f"build/{program}.p4.p4info.txt",
        "bmv2_json": f"build/{program}.json",
        "table_entries": [*drops, *entries],
        **({"multicast_group_entries": groups} if groups else {}),
    }
    return orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def _entry(row: Row) -> dict[str, object]:
    value = row.value
    priority = {"priority": value["priority"]} if "priority" in value else {}
    names = {"table": value["table"], "match": value["match"], "action_name": value["action"], "action_params": value["params"]}
    return {**names, **priority}
