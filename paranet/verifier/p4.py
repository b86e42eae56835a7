"""P4: entries speak of tables, fields and actions that the program has, in widths that fit, and ports that exist."""

from collections import Counter
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any

import attrs

from paranet.models.device import Row
from paranet.verifier.report import Findings, Step
from paranet.verifier.switches import GROUP, GROUPS, PORTS, TABLE, Switches

PIPELINE = "p4.pipeline"
FAMILIES = (PIPELINE, TABLE, GROUP)

Json = Mapping[str, Any]


@attrs.frozen
class Program:
    """What a p4info offers: tables, fields as (kind, bits) by table, and parameters' bits by action."""

    tables: Mapping[str, Json]
    fields: Mapping[str, Mapping[str, tuple[str, int]]]
    params: Mapping[str, Mapping[str, int]]

    @classmethod
    def of(cls, row: Row) -> "Program":
        """Raise ValueError with the reason when the p4info is none."""
        try:
            info: Any = row.value["p4info"]
            tables = {t["name"]: t for t in info["tables"]}
            fields = {n: {f["name"]: (str(f["kind"]), int(f["bits"])) for f in t["match"]} for n, t in tables.items()}
            params = {a["name"]: {p["name"]: int(p["bits"]) for p in a["params"]} for a in info["actions"]}
            faults = [f"table {n!r} has no action {a!r} to take" for n, t in tables.items() for a in t["actions"] if a not in params]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"its p4info cannot be read: {type(error).__name__}: {error}") from None
        if faults:
            raise ValueError(faults[0])
        return cls(tables, fields, params)


class P4Check:
    """Checks the P4 rows of all nodes."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches

    def __call__(self, rows: Mapping[str, list[Row]], findings: Findings) -> None:
        for node, found in rows.items():
            _Switch(node, len(self._switches.ways(node)), found, findings).check()


class _Switch:
    def __init__(self, node: str, ports: int, rows: Iterable[Row], findings: Findings) -> None:
        self._node = node
        self._ports = ports
        self._findings = findings
        by_family: dict[str, list[Row]] = {}
        for row in rows:
            by_family.setdefault(row.family, []).append(row)
        self._pipelines = by_family.get(PIPELINE, [])
        self._entries = by_family.get(TABLE, [])
        self._groups = {row.key: row for row in by_family.get(GROUP, [])}

    def check(self) -> None:
        for row in self._groups.values():
            self._replicas(row)
        program = None
        for row in self._pipelines:
            self._findings.count("pipeline")
            try:
                program = Program.of(row)
            except ValueError as error:
                self._violate("pipeline", f"the program on {self._node!r} is unusable: {error}", row)
                return
        sizes = Counter(str(row.value.get("table")) for row in self._entries)
        full: set[str] = set()
        for row in self._entries:
            self._findings.count("entry")
            if program is None:
                self._violate("entry", f"{self._node!r} has table entries but no program", row)
                continue
            for fault in _faults(row.value, program):
                self._violate("entry", f"{fault} on {self._node!r}", row)
            self._outputs(row)
            table = str(row.value.get("table"))
            size = program.tables.get(table, {}).get("size")
            if isinstance(size, int) and sizes[table] > size and table not in full:
                full.add(table)
                self._violate("size", f"table {table!r} on {self._node!r} holds {size} entries, not {sizes[table]}", row)

    def _outputs(self, row: Row) -> None:
        """Ports and groups that an action names exist."""
        params = row.value.get("params")
        for name, value in params.items() if isinstance(params, Mapping) else ():
            number = _number(value)
            self._findings.count("port", int(name in PORTS or name in GROUPS))
            if name in PORTS and (number is None or not 1 <= number <= self._ports):
                self._violate("port", f"{self._node!r} has ports 1 to {self._ports}, not {value!r}", row)
            elif name in GROUPS and str(number) not in self._groups:
                self._violate("port", f"{self._node!r} has no multicast group {value!r}", row)

    def _replicas(self, row: Row) -> None:
        self._findings.count("port")
        replicas = row.value.get("replicas")
        for replica in replicas if isinstance(replicas, (list, tuple)) else ():
            port = replica.get("egress_port") if isinstance(replica, Mapping) else None
            if not isinstance(port, int) or not 1 <= port <= self._ports:
                self._violate("port", f"group {row.key} on {self._node!r} goes out by port {port!r}, not one of 1 to {self._ports}", row)

    def _violate(self, check: str, message: str, row: Row) -> None:
        match = row.value.get("match")
        header = {str(k): _shown(v) for k, v in match.items()} if isinstance(match, Mapping) else {}
        self._findings.violate(check, message, header=header, hops=(self._node,), steps=[Step.of(self._node, row)])


def _faults(value: Json, program: Program) -> Iterable[str]:
    """Yield what in an entry the program does not know or cannot hold."""
    table = str(value.get("table"))
    if table not in program.tables:
        yield f"there is no table {table!r}"
        return
    match, params = value.get("match"), value.get("params")
    yield from _match_faults(table, match if isinstance(match, Mapping) else {}, value.get("priority"), program)
    action = str(value.get("action"))
    if action not in program.tables[table]["actions"]:
        yield f"table {table!r} has no action {action!r}"
        return
    known, given = program.params[action], params if isinstance(params, Mapping) else {}
    for name in sorted(known.keys() | given.keys()):
        if name not in given or name not in known:
            yield f"action {action!r} {'lacks its' if name in known else 'has no'} parameter {name!r}"
        elif not _fits(given[name], known[name]):
            yield f"{given[name]!r} is no value of {known[name]} bits for parameter {name!r} of {action!r}"


def _match_faults(table: str, match: Json, priority: object, program: Program) -> Iterable[str]:
    fields = program.fields[table]
    for name in sorted(match.keys() - fields.keys()):
        yield f"table {table!r} has no field {name!r}"
    for name, (kind, bits) in fields.items():
        if name in match:
            yield from _value_faults(name, kind, bits, match[name])
        elif kind == "exact":
            yield f"an entry of {table!r} lacks {name!r}, which is matched exactly"
    if any(kind in ("ternary", "range") for kind, _ in fields.values()) and not isinstance(priority, int):
        yield f"an entry of {table!r} needs a priority, as its matches may overlap"


def _value_faults(name: str, kind: str, bits: int, value: object) -> Iterable[str]:
    """Yield what is wrong with a match: the value alone if exact, `[value, length]` if lpm, `[value, mask]` if ternary."""
    if kind == "exact":
        if not _fits(value, bits):
            yield f"{value!r} is no value of {bits} bits to match {name!r} exactly"
        return
    if not isinstance(value, (list, tuple)) or len(value) != 2 or not _fits(value[0], bits):
        yield f"{value!r} is no {kind} match of {bits} bits for {name!r}"
    elif kind == "lpm":
        if not isinstance(value[1], int) or not 0 <= value[1] <= bits:
            yield f"{value[1]!r} is no prefix length of {name!r}, which has {bits} bits"
    elif not _fits(value[1], bits):
        yield f"{value[1]!r} is no {kind} match of {bits} bits for {name!r}"


def _fits(value: object, bits: int) -> bool:
    number = _number(value)
    return number is not None and 0 <= number < 1 << bits


def _number(value: object) -> int | None:
    """Return the number that a value of the runtime's JSON stands for: a number, an IP or a MAC address, hexadecimal text."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    if isinstance(value, int):
        return value
    octets = value.split(":")
    try:
        if len(octets) == 6 and all(len(o) == 2 for o in octets):
            return int("".join(octets), 16)
        return int(ip_address(value)) if "." in value or ":" in value else int(value, 0)
    except ValueError:
        return None


def _shown(value: object) -> str:
    return "/".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
