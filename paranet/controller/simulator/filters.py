"""What a simulated device lets pass, and how fast: `ip.acl` and `ip.qos` rows over the packets of a flow."""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Any

import attrs

from paranet.models.device import Row

ACL, QOS = "ip.acl", "ip.qos"
Net = IPv4Network | IPv6Network


@attrs.frozen(kw_only=True)
class Packet:
    """Any packet of a flow. The traffic of demands is TCP between ports that nobody knows."""

    source: IPv4Address | IPv6Address
    destination: IPv4Address | IPv6Address
    protocol: str = "tcp"


@attrs.frozen(kw_only=True)
class Rule:
    """One row, read. *minutes* are those of the day in which it counts, None for always."""

    name: str
    order: float
    source: Net | None
    destination: Net | None
    protocol: str | None
    by_port: bool
    minutes: tuple[int, int] | None
    denies: bool = False
    rate: float = 0.0

    def fits(self, packet: Packet, minute: int) -> bool:
        """Tell whether the rule is about the packet now."""
        if self.by_port or (self.protocol is not None and self.protocol != packet.protocol):
            return False
        if self.source is not None and packet.source not in self.source:
            return False
        if self.destination is not None and packet.destination not in self.destination:
            return False
        return self.minutes is None or _within(minute, self.minutes)


def _within(minute: int, minutes: tuple[int, int]) -> bool:
    begin, end = minutes
    return begin <= minute < end if begin <= end else minute >= begin or minute < end


def rule(row: Row) -> Rule:
    """Return what an access rule's or traffic class's row says. Raise ValueError with the reason when it cannot be read."""
    value: Mapping[str, Any] = row.value
    match = value.get("match", {})
    if not isinstance(match, Mapping):
        raise ValueError("match must be an object")
    source, destination = (ip_network(str(match[end])) if match.get(end) else None for end in ("source", "destination"))
    denies, rate, order = False, 0.0, 0.0
    if row.family == ACL:
        if value.get("action") not in ("deny", "permit"):
            raise ValueError("action must be deny or permit")
        denies, order = value["action"] == "deny", _number(value.get("seq"), "seq")
    else:
        rate, order = _number(value.get("rate"), "rate"), -_number(value.get("priority") or 0, "priority")
    return Rule(
        name=row.key,
        order=order,
        source=source,
        destination=destination,
        protocol=match.get("protocol"),
        by_port="source_port" in match or "destination_port" in match,
        minutes=_minutes(value.get("when")),
        denies=denies,
        rate=rate,
    )


def _number(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise ValueError(f"{name} must be a number")
    return float(value)


def _minutes(text: object) -> tuple[int, int] | None:
    if text is None:
        return None
    begin, _, end = str(text).partition("..")
    clock = [part.split(":") for part in (begin, end)]
    if not all(len(c) == 2 and c[0].isdigit() and c[1].isdigit() for c in clock):
        raise ValueError("when must be like 08:00..18:00")
    first, last = (int(hour) * 60 + int(minute) for hour, minute in clock)
    return first, last


class Filters:
    """The rules of one device. Rows that cannot be read do nothing."""

    def __init__(self, rows: Iterable[Row]) -> None:
        found: dict[str, list[Rule]] = {ACL: [], QOS: []}
        for row in rows:
            if row.family in found:
                try:
                    found[row.family].append(rule(row))
                except ValueError:
                    continue
        self._access = sorted(found[ACL], key=lambda r: (r.order, r.name))
        self._classes = sorted(found[QOS], key=lambda r: (r.order, r.name))
        self.timed = any(r.minutes is not None for r in (*self._access, *self._classes))
        """whether what passes depends on the time of the day"""

    def __bool__(self) -> bool:
        return bool(self._access or self._classes)

    def denies(self, packet: Packet, minute: int) -> bool:
        """Tell whether the first rule about the packet drops it; without one it passes."""
        return next((r.denies for r in self._access if r.fits(packet, minute)), False)

    def limit(self, packet: Packet, minute: int) -> tuple[str, float] | None:
        """Return the packet's class and its bit/s, None for a packet of no class."""
        return next(((r.name, r.rate) for r in self._classes if r.fits(packet, minute)), None)
