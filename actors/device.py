"""DeviceSession: owns the one connection to a managed device. Every step of a deployment goes through here."""

import logging
from collections.abc import Mapping, Sequence

import attrs

from actors.runtime import Actor, Message, Request, handles
from paranet.controller.driver import Capabilities, Driver, Sample
from paranet.errors import DeviceError
from paranet.models.device import Delta, Rows

log = logging.getLogger(__name__)

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
    """Have the device check the delta and hold it ready; *base* is the transaction id it was computed on."""

    delta: Delta
    base: str


@attrs.frozen(kw_only=True)
class Commit(Request[None]):
    """Make the staged delta live; the device reverts by itself unless confirmed within that many seconds, if it can."""

    confirm_within: float


@attrs.frozen(kw_only=True)
class Confirm(Request[None]):
    """Keep what was committed."""


@attrs.frozen(kw_only=True)
class Discard(Request[None]):
    """Forget what is staged."""


@attrs.frozen(kw_only=True)
class Revert(Request[None]):
    """Make the rows of *inverse* as they were."""

    inverse: Delta


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
        self._step = "staging"
        return await self.defer(self._driver.stage(message.delta, base=message.base))

    @handles
    async def commit(self, message: Commit) -> None:
        self._step = "committed"
        return await self.defer(self._driver.commit(confirm_within=message.confirm_within))

    @handles
    async def confirm(self, message: Confirm) -> None:
        self._step = "idle"
        return await self.defer(self._driver.confirm())

    @handles
    async def discard(self, message: Discard) -> None:
        self._step = "idle"
        return await self.defer(self._driver.discard())

    @handles
    async def revert(self, message: Revert) -> None:
        self._step = "idle"
        return await self.defer(self._driver.revert(message.inverse))
