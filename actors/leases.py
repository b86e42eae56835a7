"""Leases: which deployment may change a device, and who waits for it. Held by the deployer, rebuilt from the journal when it starts."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import attrs

TTL = 180.0
"""seconds after which a lease has lapsed unless its holder has made progress; longer than any step with its retries"""


@attrs.frozen(kw_only=True)
class Lease:
    """A device in the hands of a deployment. *token* is higher than that of every holder before. Times are UNIX s."""

    node: str
    deploy_id: str
    token: int
    taken_at: float
    expires_at: float


class Leases:
    """All leases of this hub."""

    def __init__(self, last_token: int) -> None:
        self._token = last_token
        self._by_node: dict[str, Lease] = {}
        self._expires: dict[str, float] = {}
        self._watches: dict[int, dict[str, str]] = {}

    def next_token(self) -> int:
        """Return a token that is higher than all before."""
        self._token += 1
        return self._token

    def held(self, nodes: Iterable[str], now: float) -> dict[str, str]:
        """Return which deployment holds each of *nodes* that somebody holds; a lease that lapsed holds nothing."""
        return {n: lease.deploy_id for n in nodes if (lease := self._by_node.get(n)) and self._expires[lease.deploy_id] > now}

    @contextmanager
    def watched(self, now: float) -> Iterator[Mapping[str, str]]:
        """Yield the deployments by the devices that they hold now or take before the block ends, whether or not they let go of them."""
        seen = self.held(self._by_node, now)
        self._watches[id(seen)] = seen
        try:
            yield seen
        finally:
            del self._watches[id(seen)]

    def take(self, nodes: Iterable[str], deploy_id: str, token: int, now: float) -> None:
        """Give the devices, which must be free, to a deployment."""
        self._expires[deploy_id] = now + TTL
        for watch in self._watches.values():
            watch.update(dict.fromkeys(nodes, deploy_id))
        for node in sorted(nodes):
            self._by_node[node] = Lease(node=node, deploy_id=deploy_id, token=token, taken_at=now, expires_at=now + TTL)

    def renew(self, deploy_id: str, now: float) -> None:
        """Its holder has made progress."""
        if deploy_id in self._expires:
            self._expires[deploy_id] = now + TTL

    def release(self, deploy_id: str) -> None:
        """Free everything that a deployment holds."""
        self._by_node = {node: lease for node, lease in self._by_node.items() if lease.deploy_id != deploy_id}
        self._expires.pop(deploy_id, None)

    def force(self, node: str) -> Lease | None:
        """Take a device away from whoever holds it."""
        return self._by_node.pop(node, None)

    def all(self) -> tuple[Lease, ...]:
        """Return every lease, by device."""
        return tuple(attrs.evolve(lease, expires_at=self._expires[lease.deploy_id]) for _, lease in sorted(self._by_node.items()))

    def shown(self) -> Mapping[str, str]:
        """Return the holders by device, those whose leases have lapsed too."""
        return {node: lease.deploy_id for node, lease in sorted(self._by_node.items())}
