"""Examples of what is answered, made from its schema: every member is there, with a word that such a member could hold."""

from collections.abc import Mapping
from typing import Any

from hub.schema import Json
from paranet import __version__

ID = "0195f2ab-4c7e-7d3a-9b1e-2f6a8c0d1e3f"
SOURCE = "route web { from: r1; to: r2 }"
DEEPEST = 8
"""levels; below them lists are empty"""

WORDS: Mapping[str, Any] = {
    "action": "topology.nodes.add",
    "actor": "deployer",
    "address": "10.0.1.1/24",
    "at": "2026-01-05T12:00:00Z",
    "author": "anna",
    "bandwidth": 1e10,
    "base": "5f2c1d",
    "by": "anna",
    "compile_id": ID,
    "conversation_id": ID,
    "cost": 1.0,
    "deploy_id": ID,
    "driver": "simulator",
    "error": None,
    "expires_in": 900,
    "expr": "paranet_node_cpu_ratio > 0.9",
    "family": "ip.route",
    "format": "graphml",
    "id": ID,
    "interface": "eth0",
    "key": "10.0.0.0/24",
    "latency": 0.005,
    "latitude": 52.5,
    "level": "info",
    "logger": "actors.deployer",
    "longitude": 13.4,
    "loss": 0.0,
    "metric": "paranet_node_cpu_ratio",
    "mtu": 1500,
    "name": "web",
    "next": None,
    "node": "r1",
    "outcome": "ok",
    "path": "deployer",
    "percent": 100.0,
    "remote": "192.0.2.7",
    "revision": 7,
    "role": "operator",
    "severity": "warning",
    "source": SOURCE,
    "state": "succeeded",
    "text": "what is installed?",
    "tier": "raw",
    "token_type": "bearer",
    "topology_revision": 7,
    "ts": 1795378476000,
    "type": "router",
    "url": "http://localhost:8000",
    "user": "anna",
    "username": "anna",
    "value": 0.25,
    "version": __version__,
}
"""by name of the member, where its type allows"""
_LAG = {"samples": 60, "p50": 0.0003, "p99": 0.002, "max": 0.004}
_NOTHING: Json = {"nodes": [], "links": [], "demands": []}
OPEN: Mapping[str, Json] = {
    "chat.say": {
        "conversation_id": ID,
        "reply": "Carry traffic from r1 to r2. It compiles and is proven: 2 rows on 2 devices would change.",
        "source": SOURCE,
        "proposal": {
            "plan_id": ID,
            "compile_id": ID,
            "plan_hash": "2b7d5dac7a2ac344",
            "name": "web",
            "source": SOURCE,
            "devices": 2,
            "rows": 2,
            "verified": True,
        },
        "needs": [],
        "unknown": [],
        "confidence": 1.0,
        "diagnostics": [],
        "fallback": None,
        "tokens": 0,
    },
    "intent.parse": {
        "source": SOURCE,
        "explanation": "Carry traffic from r1 to r2.",
        "confidence": 1.0,
        "needs": [],
        "unknown": [],
        "entities": [{"type": "origin", "text": "r1", "start": 8, "end": 10}],
        "language": "en",
        "name": "web",
        "removes": False,
        "question": None,
    },
    "topology.diff": {
        "from": 6,
        "to": 7,
        "added": {**_NOTHING, "nodes": ["r1"]},
        "changed": _NOTHING,
        "removed": _NOTHING,
        "properties": False,
        "fields": {"nodes": {}, "links": {}, "demands": {}},
    },
    "system.info": {
        "name": "paranet-hub",
        "id": ID,
        "hubs": 1,
        "version": __version__,
        "uptime": 86400.0,
        "actors": 40,
        "clients": 3,
        "dead_letters": 0,
        "lag": _LAG,
        "blocks": [],
        "health": {
            "databases": [{"name": "control", "ok": True, "answers_in": 0.0006, "bytes": 196856, "why": ""}],
            "redis": {"configured": False, "ok": True, "why": ""},
        },
    },
}
"""by operation, for answers whose schema leaves them open; a test compares their members with those of a hub"""
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_PLAIN: Mapping[str, Any] = {"string": "text", "integer": 1, "number": 0.5, "boolean": True, "null": None}


def sample(schema: Json, components: Mapping[str, Json], name: str = "", depth: int = 0) -> Any:
    """Return a value that the schema allows; *components* are what references lead to."""
    if "$ref" in schema:
        return sample(components[schema["$ref"].rpartition("/")[2]], components, name, depth)
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return sample(_choice(schema["anyOf"], depth), components, name, depth)
    kinds = schema.get("type", ())
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    if "object" in kinds:
        return _object(schema, components, depth)
    if "array" in kinds:
        return _array(schema, components, name, depth)
    return _plain(schema, kinds, name)


def _choice(among: list[Json], depth: int) -> Json:
    """Return something rather than nothing, but down there nothing rather than more."""
    nothing = [schema for schema in among if schema.get("type") == "null"]
    return nothing[0] if nothing and depth >= DEEPEST else next(schema for schema in among if schema.get("type") != "null")


def _object(schema: Json, components: Mapping[str, Json], depth: int) -> Json:
    if "properties" in schema:
        return {name: sample(inner, components, name, depth + 1) for name, inner in schema["properties"].items()}
    inner = schema.get("additionalProperties")
    return {"node": sample(inner, components, "node", depth + 1)} if isinstance(inner, dict) and depth < DEEPEST else {}


def _array(schema: Json, components: Mapping[str, Json], name: str, depth: int) -> list[Any]:
    if "prefixItems" in schema:
        return [sample(inner, components, name, depth + 1) for inner in schema["prefixItems"]]
    return [sample(schema.get("items", {}), components, name.removesuffix("s"), depth + 1)] if depth < DEEPEST else []


def _plain(schema: Json, kinds: list[str], name: str) -> Any:
    if schema.get("format") == "date-time" or (name in ("at", "since") and "string" in kinds):
        return WORDS["at"]
    if name in WORDS and (not kinds or any(type(WORDS[name]) in _TYPES[kind] for kind in kinds)):
        return WORDS[name]
    if not kinds:
        return {}
    kind = next((kind for kind in kinds if kind != "null"), "null")
    return max(_PLAIN[kind], schema["minimum"]) if "minimum" in schema else _PLAIN[kind]
