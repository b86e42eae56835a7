"""Bounds as people say them: `must not exceed 10 Mbps`, `never drop below 1 Gbps`, `不能高于20毫秒`.

A negation turns the comparison there, not the deed.
"""

from collections.abc import Sequence

import attrs

from paranet.agent.lexicon import Concept
from paranet.agent.measures import Item, Measure
from paranet.agent.tags import Tag

REACH = 4
"""items that may stand between a negation, its comparison and the amount"""
FAR = 14
"""items between a deed that is forbidden and the amount above which it is"""
_MAX, _MIN = Concept("constraint", "max"), Concept("constraint", "min")


def bounded(items: Sequence[Item]) -> list[Item]:
    """Return the row with every negated comparison before (in Chinese also after) an amount as the bound that it is."""
    found = list(items)
    for at, item in enumerate(items):
        if isinstance(item, Tag) and item.has("negation") and not item.has("op"):
            _turn(found, at)
        elif isinstance(item, Tag) and item.has("op", "deny"):
            _turn_far(found, at)
    return found


def _turn_far(items: list[Item], at: int) -> None:
    """Read `do not let a to b exceed 9 ms`: a deed that is forbidden only above an amount is bounded by it."""
    for where in range(at + 1, min(at + FAR, len(items) - 1)):
        compared = items[where]
        if _compares(compared) and isinstance(items[where + 1], Measure):
            assert isinstance(compared, Tag)
            items[at] = _silent(items[at])
            items[where] = attrs.evolve(compared, concepts=(_MIN if compared.has("constraint", "below") else _MAX,))
            return


def _turn(items: list[Item], at: int) -> None:
    ahead = items[at + 1 : at + 1 + REACH]
    where = next((n for n, i in enumerate(ahead, at + 1) if _compares(i)), None)
    if where is None or any(isinstance(i, Measure) or (isinstance(i, Tag) and i.referents) for i in items[at + 1 : where]):
        return
    if not any(isinstance(i, Measure) for i in items[where + 1 : where + 1 + REACH]):
        return
    compared = items[where]
    assert isinstance(compared, Tag)
    bound = _MIN if compared.has("constraint", "below") else _MAX
    items[where] = attrs.evolve(compared, concepts=(bound,))
    for between in range(at, where):
        items[between] = _silent(items[between])


def _compares(item: Item) -> bool:
    return isinstance(item, Tag) and (item.has("constraint", "above", "below") or item.text in ("more than", "exceed", "exceeds", "over"))


def _silent(item: Item) -> Item:
    """Return a verb that only carries the comparison (`go above`) without its own meaning."""
    return (
        attrs.evolve(item, concepts=(Concept("filler", "bound"),))
        if isinstance(item, Tag) and (item.has("op") or item.has("negation"))
        else item
    )
