"""Quantities as people write them: `10Gbps`, `5 ms`, `10GB`, `5km`. Inside, everything is SI: bit/s, s, byte, m."""

import math
import re
from typing import NewType

Bandwidth = NewType("Bandwidth", float)
"""bit/s"""
Seconds = NewType("Seconds", float)
"""s"""
Ratio = NewType("Ratio", float)
"""0..1"""

_QUANTITY = re.compile(r"\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-zµ%/]*)\s*\Z")

_PREFIX = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
BANDWIDTH = {f"{p}{u}": f for p, f in _PREFIX.items() for u in ("bps", "bit/s", "b/s")} | {f"{p}Bps": 8 * f for p, f in _PREFIX.items()}
TIME = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
SIZE = {f"{p}B": f for p, f in _PREFIX.items()} | {"KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40}
DISTANCE = {"mm": 1e-3, "cm": 1e-2, "m": 1.0, "km": 1e3, "mi": 1609.344}


def parse_quantity(text: str, units: dict[str, float], *, what: str) -> float:
    """Return the SI value of *text*; a bare number is taken as SI already. Raise ValueError with a readable message."""
    match = _QUANTITY.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not a {what}: write a number and a unit such as {_examples(units)}")
    number, unit = float(match[1]), match[2]
    if unit and unit not in units:
        raise ValueError(f"{unit!r} is not a unit of {what}: use one of {_examples(units)}")
    value = number * units[unit] if unit else number
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is too large")
    return value


def _examples(units: dict[str, float]) -> str:
    """Return one word for each size, the first of several."""
    return ", ".join(reversed({size: unit for unit, size in reversed(units.items())}.values()))


def parse_bandwidth(text: str) -> Bandwidth:
    """Return bit/s. A capital B means bytes: `1MBps` is 8 Mbit/s."""
    return Bandwidth(parse_quantity(text, BANDWIDTH, what="bandwidth"))


def parse_seconds(text: str) -> Seconds:
    """Return seconds."""
    return Seconds(parse_quantity(text, TIME, what="time"))


def parse_ratio(text: str) -> Ratio:
    """Return 0..1 from `0.01` or `1%`."""
    return Ratio(parse_quantity(text, {"%": 0.01}, what="ratio"))


def format_bandwidth(value: float, digits: int = 6) -> str:
    """Return a short readable form, exact where *digits* are enough: 1e10 -> `10Gbps`."""
    for unit, factor in (("Tbps", 1e12), ("Gbps", 1e9), ("Mbps", 1e6), ("kbps", 1e3)):
        if value >= factor:
            return f"{value / factor:.{digits}g}{unit}"
    return f"{value:.{digits}g}bps"


def format_seconds(value: float, digits: int = 4) -> str:
    """Return a short readable form, exact where *digits* are enough: 0.005 -> `5ms`."""
    for unit, factor in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if value >= factor:
            return f"{value / factor:.{digits}g}{unit}"
    return f"{value * 1e9:.{digits}g}ns" if value else "0s"
