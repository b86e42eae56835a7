"""Deployments that wait until the devices they want are free, first come first served."""

from collections.abc import Iterable, Mapping

import attrs

from actors.journal import Recorded
from actors.planner import Order
from paranet.errors import DevicesBusy

MAX_QUEUED = 32
QUEUE_WITHIN = 900.0
"""seconds after which a deployment that still waits is cancelled"""


@attrs.frozen(kw_only=True)
class Waiting:
    """A deployment that was planned and found its devices taken; it is planned anew when its turn comes."""

    order: Order
    recorded: Recorded

    @property
    def nodes(self) -> tuple[str, ...]:
        """What it waits for."""
        return self.recorded.plan.nodes


class Queue:
    """In the order in which they came."""

    def __init__(self) -> None:
        self._waiting: dict[str, Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def ahead(self, nodes: Iterable[str], held: Mapping[str, str]) -> tuple[str, ...]:
        """Return the deployments that somebody who wants *nodes* is behind: their holders and those that wait for one of them."""
        wanted = set(nodes)
        return tuple(dict.fromkeys((*held.values(), *(i for i, w in self._waiting.items() if wanted.intersection(w.nodes)))))

    def add(self, waiting: Waiting, behind: tuple[str, ...]) -> None:
        """Take one in. Raise DevicesBusy when too many wait."""
        if len(self._waiting) >= MAX_QUEUED:
            raise DevicesBusy(f"{MAX_QUEUED} deployments wait already", behind=list(behind), retry_after=5)
        self._waiting[waiting.order.deploy_id] = waiting

    def take(self, deploy_id: str) -> Waiting | None:
        """Return one and forget it."""
        return self._waiting.pop(deploy_id, None)

    def ready(self, held: Mapping[str, str]) -> list[Waiting]:
        """Return and forget those whose devices nobody holds and nobody before them wants."""
        wanted: set[str] = set(held)
        found = []
        for waiting in list(self._waiting.values()):
            if wanted.isdisjoint(waiting.nodes):
                found.append(self._waiting.pop(waiting.order.deploy_id))
            wanted.update(waiting.nodes)
        return found

    def nodes(self) -> set[str]:
        """Return everything that somebody waits for."""
        return {node for waiting in self._waiting.values() for node in waiting.nodes}
