"""Which devices are changed together, and in which order."""

from collections.abc import Sequence

import attrs

from paranet.errors import BadField
from paranet.orchestrator.plan import DevicePlan, Plan


@attrs.frozen(kw_only=True)
class Strategy:
    """`canary`: one device, then a tenth, then the rest (or *waves*, fractions of all devices); `all-at-once`: one wave."""

    kind: str = "canary"
    waves: tuple[float, ...] = (0.1,)

    def __attrs_post_init__(self) -> None:
        if self.kind not in ("canary", "all-at-once"):
            raise BadField("kind", f"must be canary or all-at-once, not {self.kind[:60]!r}")
        if not all(0 < part <= 1 for part in self.waves) or len(self.waves) > 20:
            raise BadField("waves", "must be at most 20 fractions above 0 and up to 1")


def split(nodes: Sequence[str], strategy: Strategy) -> tuple[tuple[str, ...], ...]:
    """Return the waves, in order, every node in exactly one."""
    if not nodes:
        return ()
    if strategy.kind == "all-at-once":
        return (tuple(nodes),)
    waves = [tuple(nodes[:1])]
    rest = list(nodes[1:])
    for part in strategy.waves:
        size = max(1, round(part * len(nodes)))
        if rest:
            waves.append(tuple(rest[:size]))
            rest = rest[size:]
    if rest:
        waves.append(tuple(rest))
    return tuple(waves)


def make_before_break(plan: Plan, ways: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Return the plan's devices so that a way is there before packets are led onto it: nearest its end first, mere removals last."""
    place: dict[str, int] = {}
    for hops in ways:
        for i, node in enumerate(reversed(hops)):
            place[node] = max(i, place.get(node, 0))

    def order(device: DevicePlan) -> tuple[bool, int, str]:
        return all(c.after is None for c in device.delta.changes), place.get(device.node, len(place)), device.node

    return tuple(device.node for device in sorted(plan.devices, key=order))
