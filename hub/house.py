"""The whole house put together: databases, actors in their order, and the way out."""

import asyncio
import fcntl
import itertools
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp.typedefs import Middleware

from actors.accounts import Accounts, ChangedElsewhere
from actors.alertbook import AlertBook
from actors.alerts import AlertEvaluator
from actors.assistant import Assistant
from actors.audit import Audit
from actors.channels import Outlets
from actors.chats import Chats
from actors.chunks import ChunkStore
from actors.conversations import Conversations
from actors.deployer import DeploySupervisor
from actors.devices import Devices
from actors.helping import Helper
from actors.ids import uuid7
from actors.intents import Compile, IntentStore
from actors.journal import Journal
from actors.laboratory import Laboratory
from actors.mending import open_telemetry
from actors.notifier import Receivers
from actors.orders import Execute
from actors.overseer import Overseer
from actors.repeats import Repeats
from actors.runtime import ActorSystem
from actors.runtime.frames import errand_now
from actors.scraper import Scrapers, Target
from actors.storage import Database
from actors.syslog import Syslog
from actors.telemetry import TelemetryCollector
from actors.topology import GetTopology, ImportTopology, TopologyStore
from actors.vitals import Vitals
from hub import log as logs
from hub.auth import Believed, Tokens, signing_key
from hub.cache import Cache
from hub.fetching import Client
from hub.limits import Connections, Limits
from hub.redis import Redis
from hub.refusals import Refusals
from hub.settings import Agent, Settings
from hub.ws.ask import answer
from hub.ws.door import Door
from hub.ws.outbox import Outbox
from hub.ws.socket import Sockets
from paranet import __version__, examples
from paranet.agent.provider import Model, ModelFailed, OpenAIModel
from paranet.controller.driver import Driver, NoDriver
from paranet.controller.simulator.device import SimulatorDriver
from paranet.controller.simulator.flash import FileFlash
from paranet.controller.simulator.network import SimulatedNetwork
from paranet.errors import BadSettings, StorageFailed
from paranet.interop.registry import read
from paranet.models.topology import Node, Topology

if TYPE_CHECKING:
    from hub.tracing import Tracing

log = logging.getLogger(__name__)

ASK = 30.0


class Uploads:
    """Bodies that are being received."""

    def __init__(self) -> None:
        self._count = 0
        self._none = asyncio.Event()
        self._none.set()

    def __enter__(self) -> None:
        self._count += 1
        self._none.clear()

    def __exit__(self, *_exc: object) -> None:
        self._count -= 1
        if not self._count:
            self._none.set()

    async def over(self) -> None:
        """Wait until there is none."""
        await self._none.wait()


class House:
    """A running hub without its door. Use it as `async with House(settings) as house`."""

    def __init__(self, settings: Settings, *, show_first_password: Callable[[str], None], now: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self.outlets = Outlets(soon=_soon, later=_later)
        self.system = ActorSystem(now=now)
        self._show_first_password = show_first_password
        self.tracing: Tracing | None = None
        self.around: list[Middleware] = []
        """what requests pass on their way in, beside what they always do"""
        self._began = time.monotonic()
        self.sockets = Sockets()
        self._since = now()
        self.id = uuid7(self._since)
        self.url = ""
        """where this hub is reached, once that is known"""
        self.waiting: dict[int, Outbox] = {}
        self.tickets = itertools.count(1)
        self.uploads = Uploads()
        self.cut: Callable[[], object] = lambda: None
        """close all connections at once"""
        self.lasting: set[Callable[[], object]] = set()
        """how to end the answers that would last, once the hub is to stop"""

    @property
    def uptime(self) -> float:
        """Seconds since the house was opened."""
        return time.monotonic() - self._began

    def about(self) -> dict[str, Any]:
        """Return what this hub process says of itself to others; *since* is UNIX time in s."""
        return {"id": self.id, "version": __version__, "url": self.url, "since": self._since}

    async def present(self) -> list[dict[str, Any]]:
        """Return the hub processes that are there, by id."""
        found = await self.redis.hubs() if self.redis is not None else []
        return found if any(hub["id"] == self.id for hub in found) else [*found, self.about()]

    async def __aenter__(self) -> "House":
        folder = self.settings.server.data_dir
        async with AsyncExitStack() as stack:
            stack.callback(claim(folder).close)
            self.control = await Database.open(folder / "control.sqlite3", "control")
            stack.push_async_callback(self.control.close)
            self._telemetry = await open_telemetry(folder / "telemetry.sqlite3")
            stack.push_async_callback(self._telemetry.close)
            self._flash = FileFlash(folder / "simulator.sqlite3")
            stack.push_async_callback(self._flash.close)
            await self._flash.load()  # damaged? better known now than when the devices boot
            self._http = await stack.enter_async_context(Client(self.calling))
            stack.push_async_callback(self.sockets.close)
            if self.settings.tracing.endpoint is not None:
                await self._trace(self.settings.tracing.endpoint, stack)
            self._model = await _language_model(
                self.settings.agent, self.carried, stack
            )  # loading the client takes a second: no actor waits for it
            await stack.enter_async_context(self.system)
            self.redis = (
                await stack.enter_async_context(Redis(self.settings.redis, self.about, self._elsewhere))
                if self.settings.redis.url
                else None
            )
            self.cache = Cache(self.redis, self.settings.server.cache)
            self.limits = Limits(self.settings.limits, self.redis, self.system.now)
            self.connections = Connections(self.settings.limits.connections, self.settings.server.trusted_proxies)
            stack.callback(logs.tap(self.system.ref("syslog")))
            self.refusals = Refusals(self.system.ref("audit"))
            stack.push_async_callback(self.refusals.close)
            await self._move_in(folder)
            self._stack = stack.pop_all()
        return self

    async def _trace(self, endpoint: str, stack: AsyncExitStack) -> None:
        """Have requests and what actors ask on their way followed. Raise BadSettings."""
        try:
            from hub.tracing import Tracing, provider, traced  # only where it is wanted: an extra
        except ImportError:
            raise BadSettings("settings: tracing.endpoint is set, but the extra is missing: pip install 'paranet-hub[otel]'") from None
        self.tracing = self.system.tracer = Tracing(provider(endpoint))
        self.around.append(traced(self.tracing))
        stack.push_async_callback(self.tracing.close)

    async def __aexit__(self, *_exc: object) -> None:
        await self._stack.aclose()

    async def _move_in(self, folder: Path) -> None:
        """Start the actors, each after those it asks while starting; they stop in the opposite order."""
        settings, now, spawn = self.settings, self.system.now, self.system.spawn
        await spawn("syslog", partial(Syslog, self._telemetry, self.outlets))
        await spawn("audit", partial(Audit, self.control, now))
        await spawn("repeats", partial(Repeats, self.control, now))
        believed, password = Believed(), settings.admin.password
        announce = self.redis.announce if self.redis is not None else _nobody
        accounts = await spawn(
            "accounts", partial(Accounts, self.control, now, self._show_first_password, password, ("ws",), believed.forget, announce)
        )
        self.tokens = Tokens(signing_key(folder), settings.auth, accounts, now, believed)
        telemetry = settings.telemetry
        collector = partial(
            TelemetryCollector,
            ChunkStore(self._telemetry),
            self.outlets,
            now,
            flush_every=telemetry.flush_every,
            retention=telemetry.retention,
            max_series=telemetry.max_series,
            max_bytes=telemetry.max_bytes,
            shelf=self.redis,
        )
        await spawn("telemetry", collector)
        await spawn("topology", partial(TopologyStore, self.control, self.outlets, now, listeners=("device", "alerts")))
        network = SimulatedNetwork(
            Topology(), seed=settings.network.seed, flash=self._flash, background_load=settings.network.background_load
        )
        journal, interval = Journal(self.control), settings.network.interval
        await spawn("device", partial(Devices, partial(_driver, network), network, interval, now, journal=journal))
        await spawn("lab", partial(Laboratory, network))
        await spawn("intents", partial(IntentStore, self.control, now))
        await spawn("assistant", Assistant)
        await spawn("deployer", partial(DeploySupervisor, journal, self.outlets, now, interval))
        await spawn("chat", self._chats)
        receivers = Receivers(
            post=self._http.post,
            webhook=settings.alerts.webhook,
            alertmanager=settings.alerts.alertmanager,
            group_wait=settings.alerts.group_wait,
            start_delay=settings.alerts.start_delay,
        )
        await spawn("alerts", partial(AlertEvaluator, AlertBook(self.control), self.outlets, now, receivers))
        await spawn("vitals", partial(Vitals, self.control, now))
        targets = [Target(url=url.strip(), interval=telemetry.scrape_interval) for url in telemetry.scrape.split(",") if url.strip()]
        await spawn("scraper", partial(Scrapers, targets, self._http.get, now))
        await spawn("overseer", partial(Overseer, self.outlets))
        await spawn("ws", partial(Door, self.tokens, self.outlets, settings.realtime, self.waiting, partial(answer, self)))
        if settings.network.demo:
            await self._furnish()

    def _chats(self) -> Chats:
        agent = self.settings.agent
        answering = Helper(self.system, self._model, agent.context)
        store = Conversations(self.control)
        return Chats(store, self.outlets, self.system.now, answering, per_minute=agent.per_minute, idle=agent.idle)

    async def _furnish(self) -> None:
        """Load the demo network and deploy its intents, if nobody has written a topology yet."""
        topology = self.system.ref("topology")
        state = await topology.ask(GetTopology(), timeout=ASK)
        if state.revision:
            return
        network = read(examples.demo(), format="json").topology
        await topology.ask(ImportTopology(author="demo", topology=network, source="demo", if_revision=0), timeout=ASK)
        request = Compile(source=examples.demo_intents(), name="demo", author="demo")
        compilation = await self.system.ref("intents").ask(request, timeout=ASK)
        await self.system.ref("deployer").ask(Execute(compile_id=compilation.id, author="demo"), timeout=ASK)

    def following(self, name: str) -> AbstractContextManager[object]:
        """Return what makes a span of an operation that was asked over a socket, if anybody wants to know."""
        return self.tracing.operation(name) if self.tracing is not None else nullcontext()

    @contextmanager
    def calling(self, method: str, url: str) -> Iterator[Mapping[str, str]]:
        """Be on the span of a request to somebody else inside, if anybody wants to know; yield the headers that carry it over."""
        with self.tracing.call(method, url) if self.tracing is not None else nullcontext():
            yield self.carried()

    def carried(self) -> Mapping[str, str]:
        """Return headers that tell others on whose behalf they are asked."""
        on = errand_now()
        if on is None:
            return {}
        headers = {"X-Request-Id": on.request} if on.request else {}
        if self.tracing is not None:
            self.tracing.carry(on, headers)
        return headers

    def databases(self) -> dict[str, Database]:
        """Return what the hub keeps its things in."""
        return {"control": self.control, "telemetry": self._telemetry}

    async def ready(self) -> dict[str, str]:
        """Return what is not as it should be, by part; empty when all is well."""
        faults: dict[str, str] = {}
        try:
            async with asyncio.timeout(2.0):
                await self.control.fetch("SELECT 1")
        except (StorageFailed, TimeoutError) as error:
            faults["storage"] = str(error) or "does not answer"
        for cell in self.system.cells():
            if "/" not in cell.path and cell.status not in ("running", "suspended"):
                faults[cell.path] = cell.status.value
        if self.redis is not None and not self.redis.up:
            faults["redis"] = self.redis.why
        return faults

    def _elsewhere(self, user_id: str) -> None:
        """Another hub has changed a user's sessions, or may have."""
        self.system.ref("accounts").tell(ChangedElsewhere(user_id=user_id))


def _nobody(_user_id: str) -> None:
    """There is no other hub to tell."""


async def _language_model(settings: Agent, carried: Callable[[], Mapping[str, str]], stack: AsyncExitStack) -> Model | None:
    """Return the model that is set, None without one. The key comes from the environment and goes nowhere else."""
    if settings.base_url is None:
        return None
    key = os.environ.get(settings.key_variable)
    try:
        model = OpenAIModel(
            base_url=settings.base_url,
            model=settings.model,
            key=key,
            timeout=settings.timeout,
            max_tokens=settings.max_tokens,
            headers=carried,
        )
    except ModelFailed as failed:
        raise BadSettings(f"settings: agent.base_url is set, but {failed}") from None
    stack.push_async_callback(model.close)
    return model


def _soon(run: Callable[[], object]) -> None:
    asyncio.get_running_loop().call_soon(run)


def _later(delay: float, run: Callable[[], object]) -> None:
    asyncio.get_running_loop().call_later(delay, run)


def _driver(network: SimulatedNetwork, node: Node) -> Driver:
    """Return the driver a node asks for; without a wish it lives in the simulated network."""
    wish = node.management.driver if node.management else "simulator"
    if wish == "simulator":
        return SimulatorDriver(network, node.id)
    if wish == "linux":
        from paranet.controller.linux.device import LinuxDriver  # only where it is needed: pyroute2 takes its time to load
        from paranet.controller.linux.lab import namespace_of

        namespace = node.management.address if node.management else None
        return LinuxDriver(node.id, namespace or namespace_of(node.id), lambda: network.topology)
    return NoDriver(f"this hub has no driver {wish!r}")


def claim(folder: Path) -> "_Lock":
    """Make the data directory ours: two hubs on one directory would be two writers. Raise StorageFailed."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _Lock(folder / "hub.lock")
    except BlockingIOError:
        raise StorageFailed(f"{folder} is in use by another hub") from None
    except OSError as error:
        raise StorageFailed(f"{folder} cannot be used: {error.strerror}") from error


class _Lock:
    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise

    def close(self) -> None:
        os.close(self._descriptor)
