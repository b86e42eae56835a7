"""DeviceSession: owns the one connection to a managed device. Every step of a deployment goes through here."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

import attrs

from actors.runtime import Actor, Message, Request, handles
from paranet.controller.driver import Capabilities, Driver, Sample
from paranet.errors import DeviceError
from paranet.models.device import Delta, Rows

log = logging.getLogger(__name__)

ANSWER_WITHIN = 30.0
"""seconds a device may take for one step; who asked for it may have given up long before"""
RECONNECT = 2.0
"""seconds between attempts to reach a device"""


@attrs.frozen(kw_only=True)
class Poll(Message):
    """Read the counters; *at* is the time the readings are filed under, UNIX ms."""

    at: int


@attrs.frozen(kw_only=True)
class Readings(Message):
    """What a device's counters said; only `paranet_node_up` 0 when it did not answer."""

    node: str
    at: int
    samples: tuple[Sample, ...]


@attrs.frozen(kw_only=True)
class Connect(Message):
    """Try to open the session."""


@attrs.frozen(kw_only=True)
class Connected(Message):
    """The session is open, or it failed with *error*."""

    capabilities: Capabilities | None
    error: str | None = None


@attrs.frozen(kw_only=True)
class ReadRows(Request[Rows]):
    """Return what is installed on the device now."""


@attrs.frozen(kw_only=True)
class Stage(Request[None]):
    """Have the device check the delta and hold it ready; *base* is the transaction id it was computed on.

    *token* fences: a session that has seen a higher one, here or in any of the steps below, refuses.
    """

    delta: Delta
    base: str
    token: int = 0


@attrs.frozen(kw_only=True)
class Commit(Request[None]):
    """Make the staged delta live; the device reverts by itself unless confirmed within that many seconds, if it can."""

    confirm_within: float
    token: int = 0


@attrs.frozen(kw_only=True)
class Confirm(Request[None]):
    """Keep what was committed."""

    token: int = 0


@attrs.frozen(kw_only=True)
class Discard(Request[None]):
    """Forget what is staged."""

    token: int = 0


@attrs.frozen(kw_only=True)
class Revert(Request[None]):
    """Make the rows of *inverse* as they were."""

    inverse: Delta
    token: int = 0


@attrs.frozen(kw_only=True)
class Fence(Request[None]):
    """Refuse everybody whose token is lower from now on."""

    token: int


class DeviceSession(Actor):
    """Talks to the device in jobs, so that a hanging device never stops its own mailbox. One poll is under way at most."""

    def __init__(self, node: str, driver: Driver, collector: str) -> None:
        self._node = node
        self._driver = driver
        self._collector = collector

    async def on_start(self) -> None:
        self._capabilities: Capabilities | None = None
        self._last_error: str | None = None
        self._polling = False
        self._step = "idle"
        self._token = 0
        self._turn = asyncio.Lock()
        self.ref.tell(Connect())

    async def on_stop(self) -> None:
        await self._driver.close()

    def inspect(self) -> Mapping[str, object]:
        return {
            "connected": self._capabilities is not None,
            "last_error": self._last_error,
            "step": self._step,
            "driver": type(self._driver).__name__,
        }

    @handles
    async def connect(self, message: Connect) -> None:
        await self.pipe_to_self(self._open(), name="connect")

    async def _open(self) -> Message:
        try:
            return Connected(capabilities=await self._driver.connect())
        except DeviceError as error:
            return Connected(capabilities=None, error=error.detail)

    @handles
    async def connected(self, message: Connected) -> None:
        self._capabilities = message.capabilities
        self._last_error = message.error
        if message.capabilities is None:
            self.timers.once("connect", Connect(), after=RECONNECT)

    @handles
    async def poll(self, message: Poll) -> None:
        if not self._polling:
            self._polling = True
            await self.pipe_to_self(self._read(message.at), name="poll")

    async def _read(self, at: int) -> Message:
        samples: Sequence[Sample]
        try:
            if self._capabilities is None:
                raise DeviceError("not connected")
            samples = await self._driver.counters()
        except DeviceError as error:
            log.debug("%s: no counters: %s", self._node, error.detail)
            samples = (Sample(metric="paranet_node_up", labels={"node": self._node}, value=0.0),)
        return Readings(node=self._node, at=at, samples=tuple(samples))

    @handles
    async def readings(self, message: Readings) -> None:
        self._polling = False
        self.system.ref(self._collector).tell(message)

    @handles
    async def read_rows(self, message: ReadRows) -> Rows:
        return await self.defer(self._driver.read_rows())

    @handles
    async def stage(self, message: Stage) -> None:
        self._admit(message.token, "staging")
        return await self.defer(self._alone(self._driver.stage(message.delta, base=message.base)))

    @handles
    async def commit(self, message: Commit) -> None:
        self._admit(message.token, "committed")
        within = message.confirm_within if self._capabilities and self._capabilities.confirmed_commit else None
        return await self.defer(self._alone(self._driver.commit(confirm_within=within)))

    @handles
    async def confirm(self, message: Confirm) -> None:
        self._admit(message.token, "idle")
        return await self.defer(self._alone(self._driver.confirm()))

    @handles
    async def discard(self, message: Discard) -> None:
        self._admit(message.token, "idle")
        return await self.defer(self._alone(self._driver.discard()))

    @handles
    async def revert(self, message: Revert) -> None:
        self._admit(message.token, "idle")
        return await self.defer(self._alone(self._driver.revert(message.inverse)))

    @handles
    async def fence(self, message: Fence) -> None:
        self._token = max(self._token, message.token)

    def _admit(self, token: int, step: str) -> None:
        """Let the holder of the newest lease in, and nobody who held the device before."""
        if token < self._token:
            raise DeviceError(
                f"{self._node} is no longer leased to this deployment (token {token}, {self._token} holds it)", untouched=True
            )
        self._token = token
        self._step = step

    async def _alone(self, step: Coroutine[Any, Any, None]) -> None:
        """Do one step at a time, in the order in which they came, and give up a device that does not answer."""
        try:
            async with self._turn:
                async with asyncio.timeout(ANSWER_WITHIN):
                    await step
        except TimeoutError:
            raise DeviceError(f"{self._node} did not answer within {ANSWER_WITHIN:g} s") from None
        finally:
            step.close()
