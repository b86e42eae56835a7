"""The one protocol between the hub and a device, whatever the device speaks."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs

from paranet.errors import DeviceError
from paranet.models.device import Delta, Rows
from paranet.models.topology import Modality


@attrs.frozen(kw_only=True)
class Capabilities:
    """What the device can do by itself. Without *candidate* staging only checks; without *confirmed_commit* the hub holds the timer."""

    candidate: bool
    confirmed_commit: bool
    modalities: frozenset[Modality]


@attrs.frozen(kw_only=True)
class Sample:
    """One reading: a metric's name, its labels, its value in the metric's base unit (bytes, seconds, ratio)."""

    metric: str
    labels: Mapping[str, str]
    value: float


class Driver(Protocol):
    """A session with one device. Every method may raise DeviceError (the device refused, failed or is gone).

    The order of a deployment is `stage`, `commit`, then `confirm`, or `discard` / `revert` to go back. Each step may be
    repeated with the same effect, so that a caller who lost an answer may ask again.
    """

    async def connect(self) -> Capabilities:
        """Open the session."""

    async def read_rows(self) -> Rows:
        """Return what is installed now."""

    async def transaction_id(self) -> str:
        """Return a value that changes whenever the installed rows do (as RFC 9144 comparisons need)."""

    async def stage(self, delta: Delta, *, base: str) -> None:
        """Check *delta* and hold it ready. *base* is the transaction id it was computed on; another one is refused.

        Where an earlier commit still waits to be confirmed the DeviceError has *unconfirmed*.
        """

    async def commit(self, *, confirm_within: float | None) -> None:
        """Make the staged delta live. Unless `confirm` follows within *confirm_within* seconds a device that can, reverts."""

    async def confirm(self) -> None:
        """Keep what was committed. Refused from when a commit has gone by itself until the next one."""

    async def discard(self) -> None:
        """Forget what is staged."""

    async def revert(self, inverse: Delta) -> None:
        """Undo a commit: make the rows of *inverse* as they were, whether or not it got through, and let nothing wait for a confirm."""

    async def counters(self) -> Sequence[Sample]:
        """Return the device's figures now. Counters only grow, but for a restart of the device."""

    async def close(self) -> None:
        """End the session; the device goes on."""


class NoDriver:
    """The session of a device that nobody can talk to: every step is refused with the reason."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def connect(self) -> Capabilities:
        raise DeviceError(self._reason)

    async def read_rows(self) -> Rows:
        raise DeviceError(self._reason)

    async def transaction_id(self) -> str:
        raise DeviceError(self._reason)

    async def stage(self, delta: Delta, *, base: str) -> None:
        raise DeviceError(self._reason)

    async def commit(self, *, confirm_within: float | None) -> None:
        raise DeviceError(self._reason)

    async def confirm(self) -> None:
        raise DeviceError(self._reason)

    async def discard(self) -> None:
        raise DeviceError(self._reason)

    async def revert(self, inverse: Delta) -> None:
        raise DeviceError(self._reason)

    async def counters(self) -> Sequence[Sample]:
        raise DeviceError(self._reason)

    async def close(self) -> None:
        """There is nothing to end."""
