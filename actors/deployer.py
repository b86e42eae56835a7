"""DeploySupervisor: owns the journal, the device leases and the queue; makes plans and has one Deployment run for each."""

import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import itemgetter

import attrs

from actors.channels import Channel, Outlets, Subscribe, Subscribed, Unsubscribe, keyed
from actors.deployment import Cancel, Deployment, Moved
from actors.device import Fence
from actors.drift import Adopt, Drifted, GetDrift, Ledger
from actors.gates import Figures, Gatekeeper, Promise
from actors.ids import epoch, uuid7
from actors.journal import Journal, Recorded, Wanted
from actors.leases import TTL, Lease, Leases
from actors.orders import (
    CancelDeployment,
    Execute,
    ForceRelease,
    GetDeployHistory,
    GetDeployment,
    GetLeases,
    GetPlan,
    Key,
    RestoreDrift,
    RollBack,
    Validate,
)
from actors.planner import Order, Planned, Planner, Validation
from actors.progress import ENDINGS, Progress, waves_of
from actors.queue import QUEUE_WITHIN, Queue, Waiting
from actors.runtime import Actor, ActorStopped, Message, Ref, Request, Restart, Terminated, handles
from paranet.errors import AlreadyExists, DevicesBusy, NotFound, ParaNetError, WrongState
from paranet.orchestrator.drift import Drift
from paranet.orchestrator.plan import Plan
from paranet.orchestrator.waves import Strategy, split

log = logging.getLogger(__name__)

ASK = 15.0
REVIVALS = 3
"""how often a deployment that died without an ending is taken up again while the hub runs"""
SHOWN = 100
"""deployments in the snapshot of channel `deployments`"""


@attrs.frozen(kw_only=True)
class Begin(Request[Progress]):
    """Lease the devices and run the plan. The deployer sends it to itself."""

    planned: Planned
    order: Order


@attrs.frozen(kw_only=True)
class Turn(Message):
    """A queued deployment's devices are free, and it was planned anew; or *error* says why that cannot be."""

    order: Order
    recorded: Recorded
    planned: Planned | None
    error: str | None = None


@attrs.frozen(kw_only=True)
class Impatient(Message):
    """A deployment has been queued for too long."""

    deploy_id: str


@attrs.frozen(kw_only=True)
class Lapsed(Message):
    """The leases of a deployment that nobody works on any more have lapsed."""


class DeploySupervisor(Actor):
    """Disjoint deployments run side by side; one that wants devices in use waits, and says behind whom."""

    def __init__(self, journal: Journal, outlets: Outlets, now: Callable[[], float], interval: float = 1.0) -> None:
        self._journal = journal
        self._outlets = outlets
        self._now = now
        self._interval = interval

    async def on_start(self) -> None:
        self._leases = Leases(await self._journal.last_token())
        self._queue = Queue()
        self._revivals: dict[str, int] = {}
        self._recent = {p.deploy_id: p for p in reversed(await self._journal.history(Wanted(limit=SHOWN)))}
        self._planner = Planner(self.system, self._journal, self._now)
        self._ledger = Ledger(self.system, self._journal)
        self._figures = Figures(self.system, self._now, self._interval)
        self._channel = Channel("deployments", self._outlets, epoch=epoch(), conflate=keyed(itemgetter("deploy_id")))
        self._channel.reopen(self._snapshot)
        for deploy_id in await self._journal.unfinished():
            recorded = await self._journal.load(deploy_id)
            if recorded.progress.state == "queued":
                await self._drop(recorded, "cancelled", "the hub was restarted while this was queued")
            else:
                await self._take_up(recorded)

    def inspect(self) -> Mapping[str, object]:
        return {"leases": dict(self._leases.shown()), "queued": len(self._queue), "subscribers": self._channel.subscribers}

    async def _take_up(self, recorded: Recorded) -> None:
        log.warning("deployment %s had no ending: %s it", recorded.progress.deploy_id, "confirming" if recorded.decided else "undoing")
        await self._run(attrs.evolve(recorded, token=self._leases.next_token()), None)

    async def _run(self, recorded: Recorded, promise: Promise | None) -> None:
        """Lease the devices and start the deployment; without a *promise* it is one that had begun before."""
        deploy_id = recorded.progress.deploy_id
        self._leases.take(recorded.plan.nodes, deploy_id, recorded.token, self._now())
        keeper = Gatekeeper(self.system, self._figures, promise, self._now) if promise else None
        make = partial(Deployment, recorded, self._journal, self._outlets, self._now, keeper, recovered=promise is None)
        try:
            self.watch(await self.spawn(deploy_id, make, restart=Restart.NEVER))
        except BaseException:
            self._leases.release(deploy_id)
            raise

    # -- starting

    @handles
    async def execute(self, message: Execute) -> Progress:
        order = self._order(message.author, message.strategy)
        order = attrs.evolve(order, compile_id=message.compile_id, gates=message.gates, base=message.base, queue=message.queue)
        return await self.defer(self._start(order, message.key))

    @handles
    async def roll_back(self, message: RollBack) -> Progress:
        order = attrs.evolve(self._order(message.author, Strategy(kind="all-at-once")), rolls_back=message.deploy_id)
        return await self.defer(self._start(order, message.key))

    @handles
    async def restore(self, message: RestoreDrift) -> Progress:
        order = attrs.evolve(self._order(message.author, Strategy(kind="all-at-once")), restore=message.nodes)
        return await self.defer(self._start(order, None))

    def _order(self, author: str, strategy: Strategy) -> Order:
        return Order(deploy_id=uuid7(self._now()), author=author, strategy=strategy)

    async def _start(self, order: Order, key: Key | None) -> Progress:
        if key is not None:
            if known := await self._journal.of_key(order.author, key.text):
                if known[0] != key.request:
                    raise AlreadyExists("this Idempotency-Key was used for another request", ids=[known[1]])
                with contextlib.suppress(NotFound):  # it was never begun: then this is it
                    return (await self._journal.load(known[1])).progress
            order = attrs.evolve(
                order, deploy_id=await self._journal.keep_key(order.author, key.text, key.request, order.deploy_id, self._now())
            )
        planned = await self._planner.plan(order)
        return await self.ref.ask(Begin(planned=planned, order=order), timeout=ASK)

    @handles
    async def begin(self, message: Begin) -> Progress:
        order, plan = message.order, message.planned.plan
        if order.deploy_id in self._recent:
            return self._recent[order.deploy_id]  # the same request at the same time
        held = self._leases.held(plan.nodes, self._now())
        behind = self._queue.ahead(plan.nodes, held)
        if behind and not order.queue:
            raise DevicesBusy(f"{', '.join(held) or 'devices'} held or wanted by deployment {behind[0]}", leases=held, behind=list(behind))
        if behind:
            return await self._wait(order, message.planned, behind)
        recorded = self._recorded(order, message.planned, epoch())
        await self._run(recorded, message.planned.promise)
        self._show(recorded.progress)
        return recorded.progress

    def _recorded(self, order: Order, planned: Planned, channel: str) -> Recorded:
        progress = Progress(
            deploy_id=order.deploy_id,
            compile_id=order.compile_id,
            rolls_back=order.rolls_back,
            restores=order.restore is not None,
            author=order.author,
            state="planned",
            percent=0,
            waves=waves_of(split(planned.nodes, order.strategy)),
            started_at=self._now(),
            conditions=planned.promise.gates.conditions,
        )
        return Recorded(progress=progress, plan=planned.plan, epoch=channel, decided=False, token=self._leases.next_token())

    # -- waiting

    async def _wait(self, order: Order, planned: Planned, behind: tuple[str, ...]) -> Progress:
        recorded = self._recorded(order, planned, epoch())
        progress = attrs.evolve(recorded.progress, state="queued", behind=behind)
        recorded = attrs.evolve(recorded, progress=progress)
        self._queue.add(Waiting(order=order, recorded=recorded), behind)
        await self._journal.begin(recorded, [progress.event(1, self._now(), message=f"waits for {', '.join(behind)}")])
        self.timers.once(f"queued:{order.deploy_id}", Impatient(deploy_id=order.deploy_id), after=QUEUE_WITHIN)
        self._show(progress)
        return progress

    async def _next(self) -> None:
        """Let those begin whose devices have become free."""
        for waiting in self._queue.ready(self._leases.held(self._leases.shown(), self._now())):
            self._leases.take(waiting.nodes, waiting.order.deploy_id, waiting.recorded.token, self._now())
            await self.pipe_to_self(self._plan_again(waiting), name=f"plan {waiting.order.deploy_id}")

    async def _plan_again(self, waiting: Waiting) -> Message:
        turn = partial(Turn, order=waiting.order, recorded=waiting.recorded)
        try:
            return turn(planned=await self._planner.plan(waiting.order))
        except ParaNetError as error:
            return turn(planned=None, error=error.detail)

    @handles
    async def turn(self, message: Turn) -> None:
        deploy_id, planned = message.order.deploy_id, message.planned
        self._leases.release(deploy_id)
        self.timers.cancel(f"queued:{deploy_id}")
        if planned is None:
            await self._drop(message.recorded, "rolled_back", f"its turn came and it cannot be done: {message.error}")
        elif held := self._leases.held(planned.plan.nodes, self._now()):
            self._queue.add(Waiting(order=message.order, recorded=attrs.evolve(message.recorded, plan=planned.plan)), tuple(held.values()))
        else:
            recorded = self._recorded(message.order, planned, message.recorded.epoch)
            await self._run(recorded, planned.promise)
            self._show(recorded.progress)
        await self._next()

    @handles
    async def impatient(self, message: Impatient) -> None:
        if waiting := self._queue.take(message.deploy_id):
            await self._drop(waiting.recorded, "cancelled", f"its devices were not free within {QUEUE_WITHIN:g} s")
            await self._next()

    async def _drop(self, recorded: Recorded, ending: str, reason: str) -> Progress:
        """End a deployment that never began."""
        progress = attrs.evolve(recorded.progress, state=ending, percent=100, reason=reason, ended_at=self._now())
        events = await self._journal.events(progress.deploy_id)
        channel = Channel(f"deploy/{progress.deploy_id}", self._outlets, epoch=recorded.epoch, whole=True)
        channel.load(events)
        channel.reopen(None)
        event = progress.event(len(events) + 1, self._now(), message=reason)
        await self._journal.note(progress, [event])
        channel.publish([event])
        self._show(progress)
        return progress

    # -- endings

    @handles
    async def moved(self, message: Moved) -> None:
        self._leases.renew(message.progress.deploy_id, self._now())
        self._show(message.progress)

    @handles
    async def ended(self, message: Terminated) -> None:
        """Release the leases; a deployment that died before its ending is taken up again like after a restart of the hub."""
        deploy_id = message.path.rpartition("/")[2]
        progress = await self._journal.progress(deploy_id)
        tries = self._revivals.get(deploy_id, 0)
        if progress.state in ENDINGS:
            self._recent[deploy_id] = progress
            self._revivals.pop(deploy_id, None)
            self._leases.release(deploy_id)
            await self._next()
        elif tries < REVIVALS:
            self._revivals[deploy_id] = tries + 1
            await self._take_up(await self._journal.load(deploy_id))
        else:
            log.error("deployment %s keeps dying; its devices stay leased until that lapses", deploy_id)
            self.timers.once(f"lapse:{deploy_id}", Lapsed(), after=TTL)

    @handles
    async def lapsed(self, message: Lapsed) -> None:
        await self._next()

    # -- looking

    @handles
    async def validate(self, message: Validate) -> tuple[Validation, tuple[Lease, ...]]:
        return await self.defer(self._validate(message.compile_id, self._leases.all()))

    async def _validate(self, compile_id: str, leases: Sequence[Lease]) -> tuple[Validation, tuple[Lease, ...]]:
        found = await self._planner.validate(compile_id)
        nodes = found.plan.nodes if found.plan else ()
        return found, tuple(lease for lease in leases if lease.node in nodes)

    @handles
    async def get(self, message: GetDeployment) -> Progress:
        known = self._recent.get(message.deploy_id)
        return known if known is not None else await self._journal.progress(message.deploy_id)

    @handles
    async def plan(self, message: GetPlan) -> Plan:
        return (await self._journal.load(message.deploy_id)).plan

    @handles
    async def history(self, message: GetDeployHistory) -> tuple[Progress, ...]:
        return tuple(await self._journal.history(message.wanted))

    @handles
    async def cancel(self, message: CancelDeployment) -> Progress:
        child = self.child(message.deploy_id)
        if child is not None:
            return await self.defer(child.ask(Cancel(), timeout=ASK))
        if waiting := self._queue.take(message.deploy_id):
            return await self._drop(waiting.recorded, "cancelled", "cancelled")
        state = (await self._journal.progress(message.deploy_id)).state
        raise WrongState(f"deployment {message.deploy_id} has ended: {state}" if state in ENDINGS else "it is about to begin: try again")

    @handles
    async def leases(self, message: GetLeases) -> tuple[Lease, ...]:
        return self._leases.all()

    @handles
    async def force(self, message: ForceRelease) -> Lease:
        lease = self._leases.force(message.node)
        if lease is None:
            raise NotFound(f"nobody holds {message.node[:60]!r}")
        with contextlib.suppress(ActorStopped):  # a device that is gone needs no fence
            self.system.ref(f"device/{message.node}").tell(Fence(token=self._leases.next_token()))
        await self._next()
        return lease

    @handles
    async def drift(self, message: GetDrift) -> Drifted:
        return await self.defer(self._drift(message.nodes))

    async def _drift(self, nodes: tuple[str, ...]) -> Drifted:
        with self._leases.watched(self._now()) as held:
            return await self._ledger.drift(nodes, held)

    @handles
    async def adopt(self, message: Adopt) -> tuple[Drift, ...]:
        held = self._leases.held(message.nodes, self._now())
        if held:
            raise DevicesBusy(f"{next(iter(held))} is held by deployment {next(iter(held.values()))}", leases=held)
        return await self.defer(self._ledger.adopt(message.nodes))

    # -- channels

    def _show(self, progress: Progress) -> None:
        self._recent[progress.deploy_id] = progress
        while len(self._recent) > SHOWN and (old := next((i for i, p in self._recent.items() if p.state in ENDINGS), None)):
            del self._recent[old]
        self._channel.publish([progress.summary()])

    def _snapshot(self) -> list[dict[str, object]]:
        return [progress.summary() for progress in self._recent.values()]

    @handles
    async def subscribe(self, message: Subscribe) -> Subscribed:
        """A deployment that runs takes its subscribers itself; one that has ended is replayed from the journal."""
        if message.channel == "deployments":
            return self._channel.attach(message, self._snapshot)
        return await self.defer(self._subscribe(message, self.child(_deploy_id(message.channel))))

    async def _subscribe(self, message: Subscribe, child: Ref | None) -> Subscribed:
        if child is not None:
            with contextlib.suppress(ActorStopped):  # it ended just now: its journal is whole
                return await child.ask(message, timeout=ASK)
        try:
            recorded = await self._journal.load(_deploy_id(message.channel))
        except NotFound:
            raise NotFound(f"there is no channel {message.channel[:60]!r}") from None
        replay = Channel(message.channel, self._outlets, epoch=recorded.epoch, whole=True)
        replay.load(await self._journal.events(recorded.progress.deploy_id))
        return replay.attach(message, None)

    @handles
    async def unsubscribe(self, message: Unsubscribe) -> None:
        child = self.child(_deploy_id(message.channel))
        if child is not None:
            return await self.defer(child.ask(message, timeout=ASK))
        self._outlets.detach(message.channel, message.subscriber)
        return None


def _deploy_id(channel: str) -> str:
    return channel.removeprefix("deploy/")
