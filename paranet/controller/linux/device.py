"""The driver of Linux routers in network namespaces of this machine. Needs root."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from paranet.controller.driver import Capabilities, Sample
from paranet.controller.linux import dump, nft, routes, rules, shaping
from paranet.controller.linux.namespaces import exists, inside
from paranet.controller.linux.readings import samples
from paranet.errors import DeviceError
from paranet.models.device import Change, Delta, Row, RowKey, Rows, fingerprint
from paranet.models.topology import Modality, Topology
from paranet.orchestrator.diff import apply

try:
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkError
except ImportError:  # the extra `linux` is not installed: connecting says so
    IPRoute = None

T = TypeVar("T")
_RULES = (rules.ACL, rules.QOS)


class LinuxDriver:
    """A session with one namespace (see `paranet.controller.driver.Driver`).

    The kernel has no candidate and no timer: what is staged is held here, and the hub's journal is the way back. Rules change
    at once, routes one after the other; where one is refused, those before it are taken back.
    """

    def __init__(self, node_id: str, namespace: str, topology: Callable[[], Topology]) -> None:
        self._node_id = node_id
        self._namespace = namespace
        self._topology = topology
        self._connected = False
        self._turn = asyncio.Lock()
        self._staged: Delta | None = None
        self._committed = False
        self._indices: dict[str, int] = {}
        self._last: dict[str, tuple[float, int]] = {}

    async def connect(self) -> Capabilities:
        if IPRoute is None:
            raise DeviceError("pyroute2 is not installed: pip install 'paranet-hub[linux]'")
        async with self._turn:
            self._check_there()
            self._indices = await inside(self._namespace, _interfaces)
            self._connected = True
        return Capabilities(candidate=False, confirmed_commit=False, modalities=frozenset({Modality.IP}))

    async def read_rows(self) -> Rows:
        async with self._turn:
            return await self._read()

    async def transaction_id(self) -> str:
        return fingerprint(await self.read_rows())

    async def stage(self, delta: Delta, *, base: str) -> None:
        known = routes.ports(self._topology(), self._node_id)
        for change in delta.changes:
            if change.after is not None:
                self._check(change.after, known)
        async with self._turn:
            now = await self._read()
            if fingerprint(now) != base:
                raise self._refusal("the rows are not those the change was made for")
            for change in delta.changes:
                self._check_before(change, now)
            self._staged, self._committed = delta, False

    async def commit(self, *, confirm_within: float | None) -> None:
        async with self._turn:
            self._check_there()
            if self._committed:
                return
            if self._staged is None:
                raise self._refusal("nothing is staged")
            await self._change(self._staged, known=all(c.id[0] == routes.ROUTE for c in self._staged.changes))
            self._staged, self._committed = None, True

    async def confirm(self) -> None:
        async with self._turn:
            self._check_there()
            self._committed = False

    async def discard(self) -> None:
        async with self._turn:
            self._check_there()
            self._staged = None

    async def revert(self, inverse: Delta) -> None:
        async with self._turn:
            await self._change(inverse)
            self._staged, self._committed = None, False

    async def counters(self) -> Sequence[Sample]:
        self._check_there()
        found = await inside(self._namespace, samples)
        known = routes.ports(self._topology(), self._node_id)
        return found.of(self._node_id, known, self._topology(), self._last, time.monotonic())

    async def close(self) -> None:
        """End the session; the kernel goes on."""
        self._staged, self._connected = None, False

    # -- reading

    async def _read(self) -> dict[RowKey, Row]:
        self._check_there()
        dumped, listing = await self._in_kernel(_state)
        names = {index: name for name, index in self._indices.items()}
        found = routes.rows_of(dumped, names, routes.ports(self._topology(), self._node_id))
        found |= rules.rows_of([item for item in listing if item.get("rule", {}).get("table") == rules.TABLE["name"]])
        return await shaping.measured(self._namespace, self._ports(), found)

    def _ports(self) -> list[str]:
        known = routes.ports(self._topology(), self._node_id)
        return sorted(name for name in self._indices if name in known)

    # -- changing

    async def _change(self, delta: Delta, *, known: bool = False) -> None:
        """Make the rows of *delta* as they are after it; on a failure as they were. What is *known* need not be read first."""
        before = {c.id: c.before for c in delta.changes if c.before} if known else await self._read()
        try:
            await self._make(before, apply(before, delta))
        except DeviceError:
            there = await self._read()
            touched = {c.id for c in delta.changes} if known else there.keys() | before.keys()
            kept = {key: row for key, row in there.items() if key not in touched}
            await self._make(there, {**kept, **before})
            raise

    async def _make(self, now: Rows, wanted: Rows) -> None:
        """New and changed ways first, then what stands on them; ways that go come last among the routes."""
        await self._routes(now, wanted)
        if {k: r.value for k, r in now.items() if k[0] in _RULES} != {k: r.value for k, r in wanted.items() if k[0] in _RULES}:
            await shaping.shape(self._namespace, self._ports(), wanted)
            await inside(self._namespace, lambda: nft.run(rules.ruleset(wanted)))

    async def _routes(self, now: Rows, wanted: Rows) -> None:
        changed = [
            key
            for key in sorted(now.keys() | wanted.keys())
            if key[0] == routes.ROUTE and ((was := now.get(key)) is None or (row := wanted.get(key)) is None or not row.same_state(was))
        ]
        if not changed:
            return
        if any(name not in self._indices for name in routes.ports(self._topology(), self._node_id)):
            self._indices = await inside(self._namespace, _interfaces)
        try:
            put = [(key, spec) for key in changed if key in wanted for spec in routes.specs(wanted[key], self._indices)]
            there = {(key, spec["priority"]) for key, spec in put}
            gone: list[dict[str, Any]] = [
                {name: spec[name] for name in ("dst", "priority", "proto", "type") if name in spec}
                for key in changed
                for spec in (routes.specs(now[key], self._indices) if key in now else ())
                if (key, spec["priority"]) not in there
            ]
        except KeyError as error:
            raise self._refusal(f"there is no interface {error}") from error
        await self._in_kernel(lambda: _replace([spec for _, spec in put], gone))

    async def _in_kernel(self, work: Callable[[], T]) -> T:
        """Work in the namespace. Netlink's errors become ours."""
        if not self._connected:
            raise self._refusal("there is no session")
        try:
            return await inside(self._namespace, work)
        except NetlinkError as error:
            raise self._refusal(f"the kernel refused: {error.args[-1] if error.args else error.code}") from error

    # -- checks

    def _check_there(self) -> None:
        if not exists(self._namespace):
            raise DeviceError(f"{self._node_id} is unreachable: there is no namespace {self._namespace}", node=self._node_id)

    def _check(self, row: Row, known: dict[str, routes.Port]) -> None:
        try:
            if row.family == routes.ROUTE:
                routes.check(row, known)
            elif row.family in _RULES:
                rules.check(row)
            else:
                raise ValueError("a Linux router does not hold such rows")
        except ValueError as error:
            raise self._refusal(f"{row.family} {row.key}: {error}", row=row.id) from None

    def _check_before(self, change: Change, now: Rows) -> None:
        installed, expected = now.get(change.id), change.before
        if (installed is None) != (expected is None) or (installed and expected and not expected.same_state(installed)):
            raise self._refusal(f"{' '.join(change.id)}: the installed row is not the one the change expects", row=change.id)

    def _refusal(self, message: str, row: RowKey | None = None) -> DeviceError:
        where = {} if row is None else {"row": list(row)}
        return DeviceError(f"{self._node_id}: {message}", node=self._node_id, **where)


def _interfaces() -> dict[str, int]:
    """Return the interfaces' numbers by name, in the calling thread's namespace."""
    with IPRoute() as kernel:
        return {str(link.get("ifname")): int(link["index"]) for link in kernel.get_links()}


def _state() -> tuple[list[Any], list[nft.Statement]]:
    """Return the hub's routes and all rules, in the calling thread's namespace."""
    return dump.routes(routes.PROTOCOL), nft.run([{"list": {"ruleset": None}}])


def _replace(put: Sequence[dict[str, Any]], gone: Sequence[dict[str, Any]]) -> None:
    """Put routes, then remove others, in the calling thread's namespace."""
    with IPRoute() as kernel:
        for spec in put:
            kernel.route("replace", **spec)
        for spec in gone:
            kernel.route("del", **spec)
