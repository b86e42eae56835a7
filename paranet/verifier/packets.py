"""Sets of packets as boxes in a space of headers, and what an access list does to them."""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address

import attrs

from paranet.models.device import Row
from paranet.verifier.prefixes import Prefix
from paranet.verifier.report import Step

FAMILY = "ip.acl"
DAY = 24 * 60
BITS = {4: 32, 6: 128}
PROTOCOLS = {"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "ah": 51, "icmpv6": 58, "ospf": 89, "sctp": 132}
_NAMES = {number: name for name, number in PROTOCOLS.items()}

Range = tuple[int, int]
"""both ends belong to it"""
Box = tuple[Range, Range, Range, Range, Range, Range]
"""source, destination, protocol, source port, destination port, minute of the day"""
Packets = tuple[Box, ...]
"""boxes that do not overlap"""


def boxes(match: Mapping[str, object], version: int, *, when: object = None) -> Packets:
    """Return the packets of an IP version that *match* (as in an `ip.acl` row) fits. Raise ValueError for what is no match."""
    source, destination = (_addresses(match.get(name), version) for name in ("source", "destination"))
    if source is None or destination is None:
        return ()
    protocol, ports = _protocol(match.get("protocol")), [_ports(match.get(name)) for name in ("source_port", "destination_port")]
    return tuple((source, destination, protocol, ports[0], ports[1], minutes) for minutes in windows(when))


def _addresses(text: object, version: int) -> Range | None:
    if text is None:
        return 0, (1 << BITS[version]) - 1
    prefix = Prefix.of(str(text))
    return (prefix.low, prefix.high) if prefix.version == version else None


def _protocol(value: object) -> Range:
    if value is None or value in ("any", "ip"):
        return 0, 255
    number = PROTOCOLS.get(str(value).lower())
    if number is None:
        number = int(str(value))
    return number, number


def _ports(value: object) -> Range:
    if value is None:
        return 0, 65535
    low, _, high = str(value).partition("-")
    return int(low), int(high or low)


def windows(when: object) -> tuple[Range, ...]:
    """Return the minutes of the day that `08:00..18:00` means; one that ends before it begins goes on after midnight."""
    if when is None:
        return ((0, DAY - 1),)
    first, _, last = str(when).partition("..")
    begin, end = _minute(first), _minute(last)
    if begin < end:
        return ((begin, end - 1),)
    evening, morning = (begin, DAY - 1), (0, end - 1)
    return (morning, evening) if end and begin < DAY else (evening,) if begin < DAY else (morning,)


def _minute(text: str) -> int:
    hour, _, minute = text.strip().partition(":")
    found = int(hour) * 60 + int(minute or 0)
    if not 0 <= found <= DAY:
        raise ValueError(f"{text!r} is no time of the day")
    return found


def common(first: Box, second: Box) -> Box | None:
    """Return the packets in both boxes."""
    for i in (1, 0):  # most boxes differ in their addresses, and most pairs of boxes share nothing
        if first[i][0] > second[i][1] or second[i][0] > first[i][1]:
            return None
    shared = []
    for (low, high), (begin, end) in zip(first, second, strict=True):
        if low > end or begin > high:
            return None
        shared.append((max(low, begin), min(high, end)))
    return tuple(shared)  # type: ignore[return-value]  # as long as the boxes are


def overlap(first: Packets, second: Packets) -> Packets:
    """Return the packets in both sets."""
    return tuple([found for a in first for b in second if (found := common(a, b))])


def without(packets: Packets, cut: Packets) -> Packets:
    """Return *packets* less those in *cut*."""
    for box in cut:
        packets = tuple(piece for whole in packets for piece in _less(whole, box))
    return packets


def _less(whole: Box, cut: Box) -> Iterable[Box]:
    if common(whole, cut) is None:
        return (whole,)
    pieces, rest = [], list(whole)
    for i, (low, high) in enumerate(cut):
        begin, end = rest[i]
        if begin < low:
            pieces.append((*rest[:i], (begin, low - 1), *rest[i + 1 :]))
        if high < end:
            pieces.append((*rest[:i], (high + 1, end), *rest[i + 1 :]))
        rest[i] = max(begin, low), min(end, high)
    return pieces  # type: ignore[return-value]  # as long as the boxes are


def header(box: Box, version: int) -> Mapping[str, str]:
    """Return a packet of the box: addresses always, other fields only where they matter, `at` a time of the day."""
    source, destination, protocol, source_port, destination_port, minute = box
    address = IPv4Address if version == 4 else IPv6Address
    found = {"dst": str(address(destination[0]))}
    if source != (0, (1 << BITS[version]) - 1):
        found["src"] = str(address(source[0]))
    if protocol != (0, 255):
        found["protocol"] = _NAMES.get(protocol[0], str(protocol[0]))
    if source_port != (0, 65535):
        found["source_port"] = str(source_port[0])
    if destination_port != (0, 65535):
        found["destination_port"] = str(destination_port[0])
    if minute != (0, DAY - 1):
        found["at"] = f"{minute[0] // 60:02}:{minute[0] % 60:02}"
    return found


def example(packets: Packets, version: int) -> Mapping[str, str]:
    """Return one of *packets*, that of the lowest destination."""
    return header(min(packets, key=lows), version)


def lows(box: Box) -> tuple[int, ...]:
    """Return a key to choose boxes by, the same however ranges of destinations are cut."""
    return (box[1][0], box[0][0], *(low for low, _ in box[2:]))


@attrs.frozen(kw_only=True)
class Entry:
    """A row of an access list, and the packets it matches by IP version."""

    step: Step
    order: tuple[int, str]
    permit: bool
    matches: Mapping[int, Packets]


def entry(node: str, row: Row) -> Entry | None:
    """Return what an `ip.acl` row means, None when it cannot be read: rows may come from a device and hold anything."""
    value, match = row.value, row.value.get("match")
    sequence, action = value.get("seq"), value.get("action")
    if not isinstance(sequence, int) or action not in ("deny", "permit") or not isinstance(match, Mapping):
        return None
    try:
        matches = {version: boxes(match, version, when=value.get("when")) for version in BITS}
    except ValueError:
        return None
    return Entry(step=Step(node, FAMILY, row.key, row.owners), order=(sequence, row.key), permit=action == "permit", matches=matches)


def in_order(node: str, rows: Iterable[Row]) -> tuple[Entry, ...]:
    """Return the entries of a node's access list among *rows*, as they are asked."""
    found = (read for row in rows if row.family == FAMILY and (read := entry(node, row)))
    return tuple(sorted(found, key=lambda e: e.order))


@attrs.frozen
class Verdict:
    """What an access list lets pass, and the entries that took something away."""

    passed: Packets
    by: tuple[Step, ...]


def screen(entries: Iterable[Entry], packets: Packets, version: int) -> Verdict:
    """Send *packets* past the entries, in their order; the first that matches decides, and what none matches passes."""
    passed: Packets = ()
    by = []
    for e in entries:
        if hit := overlap(packets, e.matches[version]):
            packets = without(packets, e.matches[version])
            if e.permit:
                passed += hit
            else:
                by.append(e.step)
            if not packets:
                break
    return Verdict((*passed, *packets), tuple(by))


def shadowed(entries: Iterable[Entry]) -> Iterable[tuple[Entry, tuple[Entry, ...]]]:
    """Yield each entry that no packet comes to because earlier ones decide otherwise, with those."""
    before: list[Entry] = []
    for e in entries:
        cover = [b for b in before if overlap(b.matches[4], e.matches[4]) or overlap(b.matches[6], e.matches[6])]
        rest = e.matches
        for b in cover:
            rest = {v: without(rest[v], b.matches[v]) for v in BITS}
        if any(e.matches.values()) and not any(rest.values()) and any(b.permit != e.permit for b in cover):
            yield e, tuple(cover)
        before.append(e)
