"""Quantities and times of day in a row of tags: `10 GB per week`, `5gbps`, `from 4pm to 9pm`, `每周10GB`, `晚上10点到早上6点`."""

from collections.abc import Sequence

import attrs

from paranet.agent.tags import Tag
from paranet.models.units import BANDWIDTH, TIME

_SIZES = {"B": 1.0, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}
PERIODS = {"second": 1.0, "hour": 3600.0, "day": 86400.0, "week": 604800.0, "month": 2592000.0}
NUMERAL = 6
"""words of one number"""
_METRES = {"m": 1.0, "km": 1e3}
_UNITS = (("rate", "rate", BANDWIDTH), ("span", "time", TIME), ("distance", "distance", _METRES))


@attrs.frozen(kw_only=True)
class Measure:
    """A quantity. *kind* is rate (bit/s), size (bytes), time (s), distance (m), percent, paths or disjoint (paths).

    *period* (s) makes a size a quota.
    *number* and *unit* are the places of its parts; *loose* says that the unit was a size where a rate was probably meant.
    """

    kind: str
    value: float
    start: int
    end: int
    number: tuple[int, int]
    unit: tuple[int, int]
    period: float | None = None
    loose: bool = False


@attrs.frozen(kw_only=True)
class Clock:
    """A time of day in minutes; *marked* is what stands before it: start, end or nothing."""

    minutes: int
    start: int
    end: int
    marked: str = ""
    half: bool = False
    """the half of the day was said, or it is a time of 24 hours"""


Item = Tag | Measure | Clock


def measure(tags: Sequence[Tag]) -> list[Item]:
    """Return the row with quantities and times joined."""
    found: list[Item] = []
    at = 0
    while at < len(tags):
        made: Measure | Clock | None
        made, count = _clock(tags, at)
        if made is None:
            made, count = _quantity(tags, at)
        found.append(made or tags[at])
        at += count if made else 1
    return _periods_before(_mark(_bare_hours(found)))


def _quantity(tags: Sequence[Tag], at: int) -> tuple[Measure | None, int]:
    number = tags[at]
    if number.has("share", "of") and at + 1 < len(tags) and (share := tags[at + 1]).value is not None:  # 百分之八十
        return _made("percent", share.value / 100, (share.start, share.end), (number.start, share.end)), 2
    if number.has("share", "half") and (_bounds(tags, at - 1) or _bounds(tags, at + 1)):  # over half of, 一半以上
        return _made("percent", 0.5, (number.start, number.end), (number.start, number.end)), 1
    value, next_at = _number(tags, at)
    if value is None or next_at >= len(tags):
        return None, 0
    unit = tags[next_at]
    count = next_at - at + 1
    parts = (number.start, tags[next_at - 1].end), (unit.start, unit.end)
    for category, kind, factors in _UNITS:
        if unit.has(category):
            return _made(kind, value * factors[unit.value_of(category) or ""], *parts), count
    if unit.has("size"):
        return _sized(tags, at, next_at, value * _SIZES[unit.value_of("size") or "B"])
    if unit.has("share", "percent", "tenth"):
        return _made("percent", value / (10 if unit.has("share", "tenth") else 100), *parts), count
    return _counted(tags, at, next_at, value, parts)


def _bounds(tags: Sequence[Tag], at: int) -> bool:
    return 0 <= at < len(tags) and (tags[at].has("constraint", "above", "below") or tags[at].text == "more than")


def _number(tags: Sequence[Tag], at: int) -> tuple[float | None, int]:
    """Return a number of one or more words (`two hundred and fifty`) and where it ends; None for none."""
    value, last = tags[at].value, tags[at].value
    at += 1
    end = min(at + NUMERAL, len(tags))
    while value is not None and last is not None and at < end:
        joined = tags[at].text == "and" and last >= 100 and at + 1 < end
        following = tags[at + joined]
        if following.value is None or not following.has("number"):
            break
        if following.value in (100.0, 1000.0) and last < following.value:
            value *= following.value
        elif following.value < last and (last in (100.0, 1000.0) or (last % 10 == 0 and 20 <= last <= 90 and following.value < 10)):
            value += following.value
        else:
            break
        last, at = following.value, at + 1 + joined
    return value, at


def _made(kind: str, value: float, number: tuple[int, int], unit: tuple[int, int]) -> Measure:
    return Measure(kind=kind, value=value, start=number[0], end=unit[1], number=number, unit=unit)


def _counted(
    tags: Sequence[Tag], at: int, unit_at: int, value: float, parts: tuple[tuple[int, int], tuple[int, int]]
) -> tuple[Measure | None, int]:
    """Return a number of paths: `3 paths`, `two different routes`."""
    unit = tags[unit_at]
    if value != int(value):
        return None, 0
    if unit.has("route", "strip") and (unit_at + 1 == len(tags) or tags[unit_at + 1].kind == "mark"):  # 走3条
        return _made("paths", value, *parts), unit_at - at + 1
    if unit.has("route", "paths"):
        return _made("disjoint" if unit.has("route", "backup") else "paths", value, *parts), unit_at - at + 1
    followed = next((n for n in range(unit_at + 1, min(unit_at + 3, len(tags))) if tags[n].has("route", "paths")), None)
    if followed is not None and (unit.blank or unit.has("filler") or unit.has("route") or unit.has("op", "balance")):
        apart = any(t.has("route", "backup") for t in tags[unit_at : followed + 1])
        return _made("disjoint" if apart else "paths", value, parts[0], (unit.start, tags[followed].end)), followed - at + 1
    return None, 0


def _sized(tags: Sequence[Tag], at: int, unit_at: int, size: float) -> tuple[Measure, int]:
    """Return bytes, with the period that may follow: `GB per week`, `gigabytes of bandwidth per week`."""
    last = unit_at
    for follower in range(unit_at + 1, min(unit_at + 4, len(tags))):
        if tags[follower].has("period"):
            last = follower
            break
        if not (tags[follower].has("metric") or tags[follower].has("marker", "for", "at") or tags[follower].has("filler")):
            break
    period = PERIODS[tags[last].value_of("period") or "day"] if last != unit_at else None
    number, unit = (tags[at].start, tags[unit_at - 1].end), (tags[unit_at].start, tags[last].end)
    if period == 1.0:
        return _made("rate", size * 8, number, unit), last - at + 1
    loose = period is None and tags[unit_at].text in ("gb", "mb", "kb")
    return attrs.evolve(_made("size", size, number, unit), period=period, loose=loose), last - at + 1


def _clock(tags: Sequence[Tag], at: int) -> tuple[Clock | None, int]:
    first = tags[at]
    if first.kind == "clock":
        hour, minute = (int(part) for part in first.text.split(":"))
        half = tags[at + 1] if at + 1 < len(tags) else None
        if half is not None and half.has("clock", "am", "pm") and hour <= 12:
            return _time(first.start, half.end, _hour(hour, half), minute), 2
        return _time(first.start, first.end, hour, minute), 1
    spoken, used = _spoken(tags, at + 1) if first.has("clock", "noon") and at + 1 < len(tags) else (None, 0)
    if spoken is not None:  # 中午12点
        return attrs.evolve(spoken, start=first.start), used + 1
    if first.has("clock", "noon"):
        return _time(first.start, first.end, 12, 0), 1
    if first.has("clock", "midnight"):
        return _time(first.start, first.end, 24, 0), 1
    if first.has("clock", "am", "pm") and at + 1 < len(tags):  # 下午3点
        made, count = _clock(tags, at + 1)
        if made is not None and made.minutes <= 12 * 60:
            late = _hour(made.minutes // 60, first)
            return Clock(minutes=late * 60 + made.minutes % 60, start=first.start, end=made.end, half=True), count + 1
        return (attrs.evolve(made, start=first.start), count + 1) if made else (None, 0)
    return _spoken(tags, at)


def _spoken(tags: Sequence[Tag], at: int) -> tuple[Clock | None, int]:
    """Return `4 pm`, `3点半`, `8点15分`."""
    first = tags[at]
    if first.value is None or first.value != int(first.value) or not 0 <= first.value <= 24 or at + 1 >= len(tags):
        return None, 0
    unit = tags[at + 1]
    if unit.has("clock", "am", "pm"):
        return _time(first.start, unit.end, _hour(int(first.value), unit), 0), 2
    if unit.has("clock", "half"):
        return _time(first.start, unit.end, int(first.value), 30, half=False), 2
    if unit.has("clock", "oclock") and (unit.text != "h" or (at > 0 and tags[at - 1].has("marker", "from", "to", "until", "between"))):
        minutes = tags[at + 2] if at + 2 < len(tags) else None
        follower = tags[at + 3] if at + 3 < len(tags) else None
        if minutes is not None and minutes.value is not None and 0 < minutes.value < 60 and follower is not None and follower.text == "分":
            return _time(first.start, follower.end, int(first.value), int(minutes.value), half=False), 4
        return _time(first.start, unit.end, int(first.value), 0, half=False), 2
    return None, 0


def _hour(hour: int, half: Tag) -> int:
    if half.has("clock", "pm"):
        if hour == 12:
            return 24 if half.text in ("晚上", "夜里", "晚", "at night") else 12
        return hour + 12 if hour < 12 else hour
    return 0 if hour == 12 else hour


def _time(start: int, end: int, hour: int, minute: int, *, half: bool = True) -> Clock | None:
    return Clock(minutes=hour * 60 + minute, start=start, end=end, half=half) if hour * 60 + minute <= 1440 and minute < 60 else None


def _bare_hours(items: list[Item]) -> list[Item]:
    """Read `4` in `from 4 to 7pm` as an hour of the same half of the day."""
    for at in range(len(items) - 2):
        number, joint, clock = items[at : at + 3]
        if not (isinstance(number, Tag) and number.value is not None and 1 <= number.value <= 12 and isinstance(clock, Clock)):
            continue
        if isinstance(joint, Tag) and (joint.has("marker", "to", "and", "end") or joint.text in ("-", "~")):
            late = clock.minutes > 12 * 60 and number.value < 12
            items[at] = Clock(minutes=(int(number.value) + (12 if late else 0)) * 60, start=number.start, end=number.end)
    for at in range(len(items) - 3):
        _two_hours(items, at)
    for at in range(len(items) - 1):
        _joined_hours(items, at)
    return items


def _joined_hours(items: list[Item], at: int) -> None:
    """Read `9-17` as hours; not after `port`, and not before a unit."""
    first, second = items[at : at + 2]
    before, after = items[at - 1] if at else None, items[at + 2] if at + 2 < len(items) else None
    if not (isinstance(first, Tag) and isinstance(second, Tag) and first.kind == second.kind == "number" and second.start - first.end == 1):
        return
    spoken = isinstance(before, Tag) and (before.has("marker", "port") or before.kind == "number")
    if spoken or (isinstance(after, Tag) and (after.has("marker", "port") or after.kind == "number")):
        return
    hours = [t.value for t in (first, second) if t.value is not None and t.value == int(t.value) and 0 <= t.value <= 24]
    if len(hours) == 2 and hours[0] < hours[1]:
        items[at] = Clock(minutes=int(hours[0]) * 60, start=first.start, end=first.end)
        items[at + 1] = Clock(minutes=int(hours[1]) * 60, start=second.start, end=second.end)


def _two_hours(items: list[Item], at: int) -> None:
    """Read `from 9 to 5` as hours, the second one after the first."""
    lead, first, joint, second = items[at : at + 4]
    if not (
        isinstance(lead, Tag) and lead.has("marker", "from", "between") and isinstance(joint, Tag) and joint.has("marker", "to", "and")
    ):
        return
    hours = [
        i.value for i in (first, second) if isinstance(i, Tag) and i.value is not None and i.value == int(i.value) and 0 <= i.value <= 24
    ]
    if len(hours) == 2:
        start, end = int(hours[0]), int(hours[1])
        end += 12 if end <= start and end <= 12 else 0
        items[at + 1] = Clock(minutes=start * 60, start=first.start, end=first.end)
        items[at + 3] = Clock(minutes=end * 60, start=second.start, end=second.end)


def _mark(items: list[Item]) -> list[Item]:
    """Join the word before a time of day to it, and say whether it begins or ends a window."""
    found: list[Item] = []
    for item in items:
        if not isinstance(item, Clock):
            found.append(item)
            continue
        before = found[-1] if found else None
        mark, start = "", item.start
        if isinstance(before, Tag) and (
            before.has("marker", "from", "to", "start", "end", "between", "and", "at", "for") or before.text in "~-"
        ):
            mark = "end" if before.has("marker", "end", "to", "and") and not before.has("marker", "start") else "start"
            start = before.start
            found.pop()
        elif isinstance(before, Clock):
            mark = "end"
        if isinstance(before, Tag) and before.text == "before":
            mark = "end"
        if mark == "end" and isinstance(found[-1] if found else None, Clock):
            item = _same_half(found[-1], item)  # type: ignore[arg-type]  # just seen to be a Clock
        found.append(attrs.evolve(item, marked=mark or "start", start=start))
    return found


def _same_half(first: Clock, second: Clock) -> Clock:
    """Read `6` in `下午1点到6点` as an hour of the afternoon."""
    later = second.minutes + 12 * 60
    return (
        attrs.evolve(second, minutes=later)
        if first.half and not second.half and second.minutes <= first.minutes < later <= 1440
        else second
    )


def _periods_before(items: list[Item]) -> list[Item]:
    """Read `每周 10GB`: the period first, whatever stands between."""
    for at, item in enumerate(items):
        if isinstance(item, Measure) and item.kind == "size" and item.period is None:
            for back in range(at - 1, max(at - 5, -1), -1):
                before = items[back]
                if isinstance(before, Tag) and before.has("period"):
                    period = PERIODS[before.value_of("period") or "day"]
                    items[at] = attrs.evolve(item, period=period, loose=False)
                    break
                if not isinstance(before, Tag):
                    break
    return items


def window(clocks: Sequence[Clock]) -> str | None:
    """Return `16:00..21:00` from the times of a clause, None without any."""
    if not clocks:
        return None
    start = next((c.minutes for c in clocks if c.marked == "start"), 0)
    end = next((c.minutes for c in clocks if c.marked == "end"), 1440)
    if start == 1440:
        start = 0
    return f"{_shown(start)}..{_shown(end or 1440)}"


def _shown(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
