"""Rows and verdicts for the verifier's tests."""

from collections.abc import Mapping

from paranet.models.device import Row, Rows
from paranet.models.intent import Report, Violation

Hop = tuple[str, str]


def hops(*given: Hop) -> list[dict[str, object]]:
    return [{"node": node, "link": link, "interface": None} for node, link in given]


def row(family: str, key: str, owner: str = "web", **value: object) -> Row:
    return Row(family=family, key=key, value=value, owners=(owner,))


def route(prefix: str, *ways: Hop, owner: str = "web", backup: tuple[Hop, ...] = ()) -> Row:
    more = {"backup": hops(*backup)} if backup else {}
    return row("ip.route", prefix, owner, next_hops=hops(*ways), **more)


def acl(sequence: int, action: str, owner: str = "guard", when: str | None = None, **match: str) -> Row:
    more = {"when": when} if when else {}
    return row("ip.acl", f"{sequence:05} {owner}", owner, seq=sequence, action=action, match=match, **more)


def table(**rows: list[Row]) -> Mapping[str, Rows]:
    return {node: {r.id: r for r in found} for node, found in rows.items()}


def only(report: Report) -> Violation:
    assert not report.ok
    assert len(report.violations) == 1, report.violations
    return report.violations[0]
