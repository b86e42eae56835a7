"""The driver of simulated devices: what a hub sees of one of them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from paranet.controller.driver import Capabilities, Sample
from paranet.controller.simulator.datastore import Datastore
from paranet.controller.simulator.network import SimulatedNetwork
from paranet.controller.simulator.tables import check
from paranet.errors import DeviceError, StorageFailed
from paranet.models.device import Delta, Row, Rows, fingerprint


class SimulatorDriver:
    """A session with one device of a simulated network (see `paranet.controller.driver.Driver`).

    A commit with *confirm_within* is kept in memory only, and undone by itself after that much simulated time or by a power
    cycle; one without, a confirm and a revert are in flash when they return. A node whose property `candidate` is false plays
    a device that has neither a candidate store nor a timer: what it commits stays.
    """

    def __init__(self, network: SimulatedNetwork, node_id: str) -> None:
        self._network = network
        self._node_id = node_id
        self._connected = False

    async def connect(self) -> Capabilities:
        async with self._step("connect", session=False):
            self._connected = True
            modalities = frozenset(self._network.device(self._node_id).node.modalities)
        return Capabilities(candidate=not self._plain, confirmed_commit=not self._plain, modalities=modalities)

    async def read_rows(self) -> Rows:
        async with self._step("read_rows"):
            return dict(self._store.running)

    async def transaction_id(self) -> str:
        async with self._step("transaction_id"):
            return fingerprint(self._store.running)

    async def stage(self, delta: Delta, *, base: str) -> None:
        async with self._step("stage"):
            for change in delta.changes:
                if change.after is not None:
                    self._check(change.after)
            self._store.stage(delta, base=base)

    async def commit(self, *, confirm_within: float | None) -> None:
        async with self._step("commit"):
            self._store.commit(confirm_within=None if self._plain else confirm_within)
            await self._save()

    async def confirm(self) -> None:
        async with self._step("confirm"):
            self._store.confirm()
            await self._save()

    async def discard(self) -> None:
        async with self._step("discard"):
            self._store.discard()

    async def revert(self, inverse: Delta) -> None:
        async with self._step("revert"):
            self._store.revert(inverse)
            await self._save()

    async def counters(self) -> Sequence[Sample]:
        async with self._step("counters"):
            return self._network.counters(self._node_id)

    async def close(self) -> None:
        """End the session; what it staged is forgotten, what it committed waits on for its confirm."""
        if self._connected and self._node_id in self._network.topology.nodes:
            self._store.discard()
        self._connected = False

    @property
    def _plain(self) -> bool:
        return self._network.device(self._node_id).node.properties.get("candidate") is False

    @property
    def _store(self) -> Datastore:
        return self._network.device(self._node_id).store

    @asynccontextmanager
    async def _step(self, step: str, *, session: bool = True) -> AsyncIterator[None]:
        if session and not self._connected:
            raise DeviceError(f"{self._node_id}: there is no session", node=self._node_id)
        self._network.device(self._node_id)
        await self._network.lab.before(self._node_id, step)
        yield
        self._network.lab.after(self._node_id, step)

    async def _save(self) -> None:
        """Write what is to survive a power cycle; nothing while a commit waits for its confirm."""
        if self._store.awaits_confirm or not self._store.unsaved:
            return
        try:
            await self._network.save(self._node_id)
        except StorageFailed as error:
            raise DeviceError(f"{self._node_id}: {error.detail}", node=self._node_id) from error

    def _check(self, row: Row) -> None:
        """Refuse what the device cannot install: a modality it does not speak, a next hop that it does not have."""
        modality = row.family.partition(".")[0]
        node = self._network.device(self._node_id).node
        if modality not in node.modalities:
            raise self._refusal(row, f"the device does not speak {modality}")
        try:
            check(row, self._node_id, self._network.topology)
        except ValueError as error:
            raise self._refusal(row, str(error)) from None

    def _refusal(self, row: Row, message: str) -> DeviceError:
        name = f"{row.family} {row.key}"
        return DeviceError(f"{self._node_id}: {name}: {message}", node=self._node_id, row=[row.family, row.key])
