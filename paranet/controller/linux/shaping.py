"""Traffic classes: an HTB discipline of the hub's own on every port, one class a row; packets say theirs by priority (`rules`)."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import orjson

from paranet.controller.linux.rules import MAJOR, QOS, class_of
from paranet.errors import DeviceError
from paranet.models.device import Row, RowKey, Rows

_HANDLE = f"{MAJOR:x}:"
_CLASS = re.compile(r"^class htb (\S+) .*?\brate (\d+(?:\.\d+)?)([KMGT]?)bit", re.MULTILINE)
_UNITS = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
"""tc prints classes for people only, whatever it is asked for; rates in whole units, so exactly"""


async def shape(namespace: str, interfaces: Sequence[str], rows: Rows) -> None:
    """Make the classes of every port exactly those of *rows*. Raise DeviceError; a class at a time, not all at once."""
    if not interfaces:
        return
    found = await _tc(namespace, [f"qdisc show dev {i}" for i in interfaces])
    chosen = [row for row in rows.values() if row.family == QOS]
    commands: list[str] = []
    for interface, disciplines in zip(interfaces, found, strict=True):
        mine = next((d for d in disciplines if d["handle"] == _HANDLE), None)
        shaper = next((d for d in disciplines if d["kind"] == "tbf"), None)
        place = f"dev {interface} parent {shaper['handle']}1" if shaper else f"dev {interface} root"
        if mine is not None:
            commands.append(f"qdisc del {place}")
        if chosen:
            commands.append(f"qdisc add {place} handle {_HANDLE} htb")
            commands += [
                f"class add dev {interface} parent {_HANDLE} classid {_HANDLE}{class_of(row.key):x} {_figures(row)}" for row in chosen
            ]
    if commands:
        await _tc(namespace, commands)


def _figures(row: Row) -> str:
    value: Mapping[str, Any] = row.value
    urgency = f" prio {int(value['priority'])}" if value.get("priority") is not None else ""
    return f"htb rate {int(value['rate'])}bit burst {int(value['burst'])}b{urgency}"


async def measured(namespace: str, interfaces: Sequence[str], rows: dict[RowKey, Row]) -> dict[RowKey, Row]:
    """Return the rows with the rate that the ports really have: a class that is gone from one of them has none."""
    chosen = [row for row in rows.values() if row.family == QOS and "rate" in row.value]
    if not chosen or not interfaces:
        return rows
    listed = await _said(namespace, [f"class show dev {i}" for i in interfaces])
    found: dict[str, list[float]] = {}
    for handle, figure, unit in _CLASS.findall(listed):
        found.setdefault(handle, []).append(float(figure) * _UNITS[unit])
    for row in chosen:
        rates = found.get(f"{_HANDLE}{class_of(row.key):x}", [])
        rates += [0.0] * (len(interfaces) - len(rates))
        wrong = next((rate for rate in rates if abs(rate - float(str(row.value["rate"]))) >= 8), None)
        if wrong is not None:
            rows[row.id] = attrs.evolve(row, value={**row.value, "rate": wrong})
    return rows


async def _tc(namespace: str, commands: Sequence[str]) -> list[list[dict[str, Any]]]:
    """Run the commands; return what those that show disciplines print."""
    return [orjson.loads(line) for line in (await _said(namespace, commands)).splitlines() if line.startswith("[")]


async def _said(namespace: str, commands: Sequence[str]) -> str:
    process = await asyncio.create_subprocess_exec(
        *("ip", "netns", "exec", namespace, "tc", "-j", "-b", "-"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, said = await process.communicate("\n".join(commands).encode() + b"\n")
    if process.returncode:
        raise DeviceError(f"{namespace}: tc: {said.decode(errors='replace').strip().splitlines()[0]}")
    return out.decode(errors="replace")
