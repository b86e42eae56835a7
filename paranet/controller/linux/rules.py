"""Access lists and traffic classes as nftables rules, and back. The table is the hub's own; nobody else's is looked at.

Rules are found again by their comment, which holds the row's key. A class's rate is tc's business (`shaping`): the comment of
its rule carries the figures that tc would give back rounded.
"""

import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import Any
from zlib import crc32

from paranet.controller.linux.nft import Statement
from paranet.models.device import Row, RowKey, Rows

ACL, QOS = "ip.acl", "ip.qos"
TABLE: Statement = {"family": "inet", "name": "paranet"}
MAJOR = 0x7A1
"""handle of the shaping discipline; a class of it is named in a packet's priority"""
_KEY = re.compile(r"[\w .:/-]{1,60}")
_HOURS = re.compile(r"([01]\d|2[0-3]):[0-5]\d\.\.([01]\d|2[0-3]):[0-5]\d")
_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
_FIGURE = re.compile(r"\d{1,14}(?:\.0)?")
_WITH_PORTS = ("tcp", "udp", "sctp", "dccp")
_PROTOCOLS = (*_WITH_PORTS, "icmp", "icmpv6", "esp", "ah", "gre")
_ENDS = (("source", "saddr"), ("destination", "daddr"))
_VERDICTS = {"deny": {"drop": None}, "permit": {"accept": None}}


def class_of(key: str) -> int:
    """Return a class's minor number: it depends on its name alone."""
    return crc32(key.encode()) % 0xFFF0 + 1


def check(row: Row) -> None:
    """Raise ValueError with the reason when the row cannot be a rule that reads back as the same."""
    if _KEY.fullmatch(row.key) is None:
        raise ValueError("the name has signs that a rule cannot carry")
    read = parse(_statements(row)[0]["add"]["rule"])
    if read is None or dict(read.value) != dict(row.value):
        raise ValueError("it says something that a rule cannot carry")


def ruleset(rows: Rows) -> list[Statement]:
    """Return one transaction that makes the table hold exactly these rows."""
    table: Statement = {"table": TABLE}
    fresh: list[Statement] = [{"add": table}, {"delete": table}]
    chosen = [row for row in rows.values() if row.family in (ACL, QOS)]
    if not chosen:
        return fresh
    chains: list[Statement] = [
        {"name": "acl"},
        {"name": "forward", "type": "filter", "hook": "forward", "prio": 0, "policy": "accept"},
        {"name": "input", "type": "filter", "hook": "input", "prio": 0, "policy": "accept"},
        {"name": "qos", "type": "filter", "hook": "postrouting", "prio": -150, "policy": "accept"},
    ]
    jump = [{"jump": {"target": "acl"}}]
    return [
        *fresh,
        {"add": table},
        *({"add": {"chain": {"family": "inet", "table": "paranet", **chain}}} for chain in chains),
        *({"add": {"rule": {"family": "inet", "table": "paranet", "chain": c, "expr": jump}}} for c in ("forward", "input")),
        *(statement for row in sorted(chosen, key=lambda r: r.id) for statement in _statements(row)),
    ]


def rows_of(listing: Sequence[Statement]) -> dict[RowKey, Row]:
    """Return the rows that a listing of the table holds; a rule that the hub did not write shows what it says."""
    found: dict[RowKey, Row] = {}
    for item in listing:
        rule = item.get("rule")
        if rule is not None and rule.get("chain") in ("acl", "qos"):
            row = parse(rule)
            if row is None:
                family = ACL if rule["chain"] == "acl" else QOS
                key = rule.get("comment", f"handle {rule.get('handle')}").partition("|")[0]
                row = Row(family=family, key=key, value={"rule": rule["expr"]})
            found[row.id] = row
    return found


# -- writing


def _statements(row: Row) -> list[Statement]:
    value: Mapping[str, Any] = row.value
    match = _match(value.get("match", {}), value.get("when"))
    if row.family == ACL:
        if value.get("action") not in _VERDICTS:
            raise ValueError("action must be deny or permit")
        return [_rule("acl", [*match, _VERDICTS[value["action"]]], row.key)]
    effect: list[Statement] = []
    if (dscp := value.get("dscp")) is not None:
        effect.append(
            {"mangle": {"key": {"payload": {"protocol": "ip", "field": "dscp"}}, "value": int(_figure({"dscp": dscp}, "dscp", 0, 63))}}
        )
    effect.append({"mangle": {"key": {"meta": {"key": "priority"}}, "value": MAJOR << 16 | class_of(row.key)}})
    figures = [_figure(value, "rate", 8, 10**13), _figure(value, "burst", 1, 10**10)]
    if value.get("priority") is not None:
        figures.append(_figure(value, "priority", 0, 7))
    return [_rule("qos", [*match, *effect], "|".join((row.key, *map(repr, figures))))]


def _rule(chain: str, expressions: Sequence[Statement], comment: str) -> Statement:
    body = {"family": "inet", "table": "paranet", "chain": chain, "expr": list(expressions), "comment": comment}
    return {"add": {"rule": body}}


def _figure(value: Mapping[str, Any], name: str, low: int, high: int) -> int | float:
    figure = value.get(name)
    if isinstance(figure, bool) or not isinstance(figure, (int, float)) or not low <= figure <= high or figure != int(figure):
        raise ValueError(f"{name} must be a whole number from {low} to {high}")
    return figure


def _match(match: Mapping[str, Any], when: object) -> list[Statement]:
    found: list[Statement] = []
    for end, field in _ENDS:
        if (text := match.get(end)) is not None:
            net = ip_network(str(text))
            right: Any = str(net[0]) if net.num_addresses == 1 else {"prefix": {"addr": str(net[0]), "len": net.prefixlen}}
            found.append(_equal({"payload": {"protocol": "ip" if net.version == 4 else "ip6", "field": field}}, right))
    protocol = match.get("protocol")
    if protocol is not None:
        if protocol not in _PROTOCOLS:
            raise ValueError(f"protocol must be one of {', '.join(_PROTOCOLS)}")
        found.append(_equal({"meta": {"key": "l4proto"}}, "ipv6-icmp" if protocol == "icmpv6" else protocol))
    for name, field in (("source_port", "sport"), ("destination_port", "dport")):
        if (text := match.get(name)) is not None:
            if protocol not in _WITH_PORTS:
                raise ValueError("a port needs a protocol that has ports")
            found.append(_equal({"payload": {"protocol": protocol, "field": field}}, _ports(str(text))))
    if when is not None:
        if _HOURS.fullmatch(str(when)) is None:
            raise ValueError("when must be like 08:00..18:00")
        found.append(_equal({"meta": {"key": "hour"}}, {"range": str(when).split("..")}))
    return found


def _equal(left: Statement, right: object) -> Statement:
    return {"match": {"op": "==", "left": left, "right": right}}


def _ports(text: str) -> object:
    matched = _PORTS.fullmatch(text)
    if matched is None or max(int(p) for p in matched.groups("0")) > 65535:
        raise ValueError(f"{text[:20]!r} is no port and no range of ports")
    return int(matched[1]) if matched[2] is None else {"range": [int(matched[1]), int(matched[2])]}


# -- reading


def parse(rule: Statement) -> Row | None:
    """Return the row of a rule, None when it is not one that the hub writes."""
    key, *figures = str(rule.get("comment", "")).split("|")
    match: dict[str, Any] = {}
    value: dict[str, Any] = {"match": match}
    for expression in rule["expr"]:
        if not _read(expression, match, value):
            return None
    if rule["chain"] == "acl":
        number = key.partition(" ")[0]
        if not figures and number.isdigit() and "action" in value and "class" not in value:
            return Row(family=ACL, key=key, value={"seq": int(number), **value})
        return None
    if value.pop("class", None) != class_of(key) or "action" in value or not all(_FIGURE.fullmatch(f) for f in figures):
        return None
    numbers = (float(f) if "." in f else int(f) for f in figures)
    return Row(family=QOS, key=key, value={**value, **dict(zip(("rate", "burst", "priority"), numbers, strict=False))})


def _read(expression: Statement, match: dict[str, Any], value: dict[str, Any]) -> bool:
    if "match" in expression:
        return _read_match(expression["match"]["left"], expression["match"]["right"], match, value)
    for action, verdict in _VERDICTS.items():
        if expression == verdict:
            value["action"] = action
            return True
    mangle = expression.get("mangle")
    if mangle is None:
        return "counter" in expression
    target, to = mangle["key"], mangle["value"]
    if target == {"meta": {"key": "priority"}}:
        number = int(to.replace(":", " ").split()[1], 16) if isinstance(to, str) else to & 0xFFFF
        value["class"] = number
        return True
    if target == {"payload": {"protocol": "ip", "field": "dscp"}}:
        value["dscp"] = _DSCP.get(to, to)
        return True
    return False


def _read_match(left: Statement, right: Any, match: dict[str, Any], value: dict[str, Any]) -> bool:
    payload, meta = left.get("payload"), left.get("meta")
    if meta is not None:
        if meta["key"] == "l4proto":
            match["protocol"] = "icmpv6" if right == "ipv6-icmp" else right
            return True
        if meta["key"] == "hour" and isinstance(right, dict):
            value["when"] = "..".join(str(end)[:5] for end in right["range"])
            return True
        return False
    if payload is None:
        return False
    for end, field in _ENDS:
        if payload["field"] == field:
            parts = right["prefix"] if isinstance(right, dict) else {"addr": right, "len": 32 if payload["protocol"] == "ip" else 128}
            match[end] = f"{parts['addr']}/{parts['len']}"
            return True
    for name, field in (("source_port", "sport"), ("destination_port", "dport")):
        if payload["field"] == field:
            if payload["protocol"] in _WITH_PORTS:
                match["protocol"] = payload["protocol"]
            match[name] = "-".join(map(str, right["range"])) if isinstance(right, dict) else str(right)
            return True
    return False


_DSCP = {"cs0": 0, "le": 1, "ef": 46, "va": 44, "be": 0}
_DSCP |= {f"cs{i}": 8 * i for i in range(8)} | {f"af{c}{d}": 8 * c + 2 * d for c in range(1, 5) for d in range(1, 4)}
