"""Ports in a row of tags: `udp port 53`, `tcp 443`, `8080 端口`, `5432/tcp`, `ports 80, 443 and 6000-6100`."""

from collections.abc import Sequence

import attrs

from paranet.agent.lexicon import Concept
from paranet.agent.tags import Tag

PROTOCOLS = ("tcp", "udp")
HIGHEST = 65535
MOST = 16
"""ports of one list"""
_UNITS = ("rate", "size", "span", "share", "clock", "distance", "period")


def with_ports(tags: Sequence[Tag]) -> list[Tag]:
    """Return the row with every list of ports as one tag of kind `ports`: its text is `80,6000-6100`, its concept the protocol."""
    found: list[Tag] = []
    at = 0
    while at < len(tags):
        made, count = _ports(tags, at)
        found.append(made or tags[at])
        at += count if made else 1
    return found


def _ports(tags: Sequence[Tag], at: int) -> tuple[Tag | None, int]:
    first, protocol, marked = at, "", False
    at, protocol, marked = _heads(tags, at, protocol, marked)
    ports, at = _run(tags, at, several=marked or bool(protocol))
    if not ports:
        return None, 0
    behind = at + (at < len(tags) and tags[at].text == "/")
    if behind > at or (behind < len(tags) and tags[behind].has("marker", "port")):
        at, protocol, marked = _heads(tags, behind, protocol, marked)
    if not (marked or protocol):
        return None, 0
    whole = attrs.evolve(tags[first], end=tags[at - 1].end, text=",".join(ports), kind="ports", value=None, referents=())
    return attrs.evolve(whole, concepts=(Concept("ports", protocol),)), at - first


def _heads(tags: Sequence[Tag], at: int, protocol: str, marked: bool) -> tuple[int, str, bool]:
    """Return where the words `tcp`, `port`, `tcp port` from *at* end, and what they say."""
    for tag in tags[at : at + 3]:
        if tag.text in PROTOCOLS and not protocol:
            protocol = tag.text
        elif tag.has("marker", "port"):
            protocol, marked = next((p for p in PROTOCOLS if tag.text.startswith(p)), protocol), True
        elif not (tag.text == "/" and protocol):
            break
        at += 1
    return at, protocol, marked


def _run(tags: Sequence[Tag], at: int, *, several: bool) -> tuple[list[str], int]:
    """Return the ports from *at*, and where they end."""
    ports: list[str] = []
    while len(ports) < MOST and _is_port(tags, at):
        low, at = tags[at], at + 1
        if _is_port(tags, at) and tags[at].start - low.end == 1 and (tags[at].value or 0) > (low.value or 0):
            ports.append(f"{low.value:.0f}-{tags[at].value:.0f}")
            at += 1
        else:
            ports.append(f"{low.value:.0f}")
        joints = 0
        while (
            several
            and joints < 2
            and at + joints < len(tags)
            and (tags[at + joints].text in ",、" or tags[at + joints].has("marker", "and"))
        ):
            joints += 1
        if not joints or not _is_port(tags, at + joints):
            break
        at += joints
    return ports, at


def _is_port(tags: Sequence[Tag], at: int) -> bool:
    if at >= len(tags) or tags[at].kind != "number" or tags[at].value is None:
        return False
    value = tags[at].value or 0.0
    unit = tags[at + 1] if at + 1 < len(tags) else None
    counts = unit is not None and (any(unit.has(c) for c in _UNITS) or unit.has("route", "paths", "strip"))
    return value == int(value) and 0 < value <= HIGHEST and not counts
