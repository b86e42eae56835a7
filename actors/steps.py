"""What a deployment does to one device, step by step; every step may be repeated with the same effect."""

import contextlib
from collections.abc import Set as AbstractSet
from typing import Any

from actors.device import Commit, Confirm, Discard, ReadRows, Revert, Stage
from actors.runtime import Request
from actors.runtime.system import ActorSystem
from paranet.errors import DeviceError, ParaNetError
from paranet.models.device import Change, Delta, Rows, fingerprint
from paranet.orchestrator.diff import apply
from paranet.orchestrator.plan import DevicePlan

STEP_TIMEOUT = 10.0
"""seconds a device has for one step"""
CONFIRM_WITHIN = 120.0
"""seconds after which a device that can goes back by itself when the hub is gone, besides those that all gates may look"""


class Steps:
    """Asks the device sessions, under the deployment's fencing *token*."""

    def __init__(self, system: ActorSystem, token: int) -> None:
        self._system = system
        self._token = token

    async def validate(self, device: DevicePlan) -> None:
        """Compare with what the plan was made on."""
        if fingerprint(await self._rows(device)) != device.base:
            raise DeviceError("its rows changed since the plan was made")

    async def stage(self, device: DevicePlan) -> None:
        """Have the device hold the change ready.

        A commit that waits to be confirmed there is of a deployment that lost the device: what it shows, and the plan was made on, is kept.
        """
        try:
            await self._stage(device, device.delta, device.base)
        except DeviceError as error:
            if not error.extra.get("unconfirmed"):
                raise
            await self._ask(device, Confirm(token=self._token))
            await self._stage(device, device.delta, device.base)

    async def commit(self, device: DevicePlan, *, confirm_within: float) -> None:
        """Compare once more, make the change live and read it back."""
        before = await self._rows(device)
        if fingerprint(before) != device.base:
            raise DeviceError("its rows were changed by somebody else after they were staged", untouched=True)
        await self._ask(device, Commit(confirm_within=confirm_within, token=self._token))
        if fingerprint(await self._rows(device)) != fingerprint(apply(before, device.delta)):
            raise DeviceError("what it reads back is not what was committed")

    async def confirm(self, device: DevicePlan) -> None:
        """Confirm; a device that fell back meanwhile (its timer, a power cut) is brought forward again: it is decided."""
        refusal: DeviceError | None = None
        try:
            await self._ask(device, Confirm(token=self._token))
        except DeviceError as error:  # whoever fell back may look no different, by owners alone
            refusal = error
        rows = await self._rows(device)
        if refusal is None and holds(rows, device.delta):
            return
        await self._ask(device, Discard(token=self._token))
        try:
            await self._stage(device, _towards(rows, device.delta), fingerprint(rows))
        except DeviceError as error:
            raise (refusal or error) from None
        await self._ask(device, Commit(confirm_within=CONFIRM_WITHIN, token=self._token))
        await self._ask(device, Confirm(token=self._token))
        if not holds(await self._rows(device), device.delta):
            raise DeviceError("its rows are not what was decided")

    async def undo(self, device: DevicePlan, touched: AbstractSet[str]) -> None:
        """Bring the rows back as they were; a device that was never committed only forgets what it holds ready."""
        if device.node not in touched:
            with contextlib.suppress(ParaNetError):  # nothing is live there: what is staged goes with the session at the latest
                await self._ask(device, Discard(token=self._token))
            return
        await self._ask(device, Discard(token=self._token))
        inverse = device.delta.inverse()
        # also where the rows look as before: their owners may be new, and a timer may be running
        await self._ask(device, Revert(inverse=inverse, token=self._token))
        if not holds(await self._rows(device), inverse):
            raise DeviceError("its rows are not what they were before")

    async def _stage(self, device: DevicePlan, delta: Delta, base: str) -> None:
        await self._ask(device, Stage(delta=delta, base=base, token=self._token))

    async def _rows(self, device: DevicePlan) -> Rows:
        rows: Rows = await self._ask(device, ReadRows())
        return rows

    async def _ask(self, device: DevicePlan, request: Request[Any]) -> Any:
        return await self._system.ref(f"device/{device.node}").ask(request, timeout=STEP_TIMEOUT)


def holds(rows: Rows, delta: Delta) -> bool:
    """Tell whether the device shows every row of *delta* as it is after it; other rows are other people's."""
    for change in delta.changes:
        row = rows.get(change.id)
        if (row is None) != (change.after is None) or (row is not None and change.after is not None and not row.same_state(change.after)):
            return False
    return True


def _towards(rows: Rows, delta: Delta) -> Delta:
    """Return what leads from *rows* to the state after *delta*."""
    changes = tuple(Change(before=rows.get(change.id), after=change.after) for change in delta.changes)
    return Delta(changes=tuple(change for change in changes if change.before != change.after))
