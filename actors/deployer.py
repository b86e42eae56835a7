"""DeploySupervisor: owns the journal and the device leases; makes plans and has one Deployment run for each."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from functools import partial

import attrs

from actors.channels import Channel, Outlets, Subscribe, Subscribed, Unsubscribe
from actors.deployment import Cancel, Deployment, first_progress
from actors.devices import Installed, ReadInstalled
from actors.ids import epoch, uuid7
from actors.intents import GetCompilation
from actors.journal import ENDINGS, Journal, Progress, Recorded
from actors.runtime import Actor, ActorStopped, Ref, Request, Restart, Terminated, handles
from actors.topology import GetTopology, TopologyState
from paranet.errors import DeviceError, DevicesBusy, NotFound, PlanStale, VerificationFailed, WrongState
from paranet.models.intent import Reach
from paranet.orchestrator.diff import apply
from paranet.orchestrator.plan import Plan, make_plan, rolled_back_rows, scope_of, wanted_rows
from paranet.orchestrator.waves import Strategy, split
from paranet.verifier import verify

log = logging.getLogger(__name__)

ASK = 15.0
REVIVALS = 3
"""how often a deployment that died without an ending is taken up again while the hub runs"""


@attrs.frozen(kw_only=True)
class Execute(Request[Progress]):
    """Plan and start the deployment of a compilation; answered as soon as the plan is in the journal."""

    compile_id: str
    author: str
    strategy: Strategy = attrs.field(factory=Strategy)


@attrs.frozen(kw_only=True)
class RollBack(Request[Progress]):
    """Plan and start the way back from a deployment that succeeded."""

    deploy_id: str
    author: str


@attrs.frozen(kw_only=True)
class Begin(Request[Progress]):
    """Lease the devices and run the plan. The deployer sends it to itself."""

    plan: Plan
    author: str
    strategy: Strategy


@attrs.frozen(kw_only=True)
class GetDeployment(Request[Progress]):
    """Return how far a deployment is."""

    deploy_id: str


@attrs.frozen(kw_only=True)
class CancelDeployment(Request[Progress]):
    """Have a deployment that runs undo itself."""

    deploy_id: str


@attrs.frozen(kw_only=True)
class GetDeployHistory(Request[tuple[Progress, ...]]):
    """Return deployments older than *before* (an id), newest first."""

    limit: int
    before: str | None = None


class DeploySupervisor(Actor):
    """One running deployment for each device at most: overlapping ones are refused with the holder's id."""

    def __init__(self, journal: Journal, outlets: Outlets, now: Callable[[], float]) -> None:
        self._journal = journal
        self._outlets = outlets
        self._now = now

    async def on_start(self) -> None:
        self._leases: dict[str, str] = {}
        self._revivals: dict[str, int] = {}
        for deploy_id in await self._journal.unfinished():
            await self._take_up(await self._journal.load(deploy_id))

    def inspect(self) -> Mapping[str, object]:
        return {"leases": dict(self._leases)}

    async def _take_up(self, recorded: Recorded) -> None:
        log.warning("deployment %s had no ending: %s it", recorded.progress.deploy_id, "confirming" if recorded.decided else "undoing")
        await self._run(recorded, recovered=True)

    async def _run(self, recorded: Recorded, *, recovered: bool) -> None:
        deploy_id = recorded.progress.deploy_id
        self._leases |= dict.fromkeys(recorded.plan.nodes, deploy_id)
        make = partial(Deployment, recorded, self._journal, self._outlets, self._now, recovered=recovered)
        try:
            self.watch(await self.spawn(deploy_id, make, restart=Restart.NEVER))
        except BaseException:
            self._release(deploy_id)
            raise

    def _release(self, deploy_id: str) -> None:
        self._leases = {node: holder for node, holder in self._leases.items() if holder != deploy_id}

    # -- starting

    @handles
    async def execute(self, message: Execute) -> Progress:
        return await self.defer(self._execute(message))

    async def _execute(self, message: Execute) -> Progress:
        compilation = await self.system.ref("intents").ask(GetCompilation(id=message.compile_id), timeout=ASK)
        compiled = compilation.compiled
        if not compiled.ok:
            raise WrongState("this source did not compile; there is nothing to deploy")
        state, installed = await self._look()
        if state.revision != compilation.topology_revision:
            raise PlanStale(
                f"compiled on topology revision {compilation.topology_revision}, it is {state.revision} now: compile again",
                compiled_on=compilation.topology_revision,
                revision=state.revision,
            )
        missing = sorted(compiled.rows.keys() - installed.rows.keys())
        if missing:
            raise DeviceError(f"{missing[0]}: {installed.unreachable.get(missing[0], 'is not a device')}", devices=missing)
        wanted = wanted_rows(installed.rows, compiled.rows, scope_of(compiled.intents, compilation.name, installed.rows))
        plan = make_plan(
            plan_id=uuid7(self._now()),
            topology_revision=state.revision,
            installed=installed.rows,
            desired=wanted,
            compile_id=compilation.id,
        )
        await self._prove(state, installed, plan, compiled.reaches)
        return await self.ref.ask(Begin(plan=plan, author=message.author, strategy=message.strategy), timeout=ASK)

    @handles
    async def roll_back(self, message: RollBack) -> Progress:
        return await self.defer(self._roll_back(message))

    async def _roll_back(self, message: RollBack) -> Progress:
        recorded = await self._journal.load(message.deploy_id)
        if recorded.progress.state != "succeeded":
            raise WrongState(f"deployment {message.deploy_id} is {recorded.progress.state}; only one that succeeded can be rolled back")
        state, installed = await self._look()
        gone = [node for node in recorded.plan.nodes if node not in installed.rows]
        if gone:
            raise DeviceError(f"{gone[0]}: {installed.unreachable.get(gone[0], 'is no longer in the topology')}", devices=gone)
        plan = make_plan(
            plan_id=uuid7(self._now()),
            topology_revision=state.revision,
            installed=installed.rows,
            desired=rolled_back_rows(installed.rows, recorded.plan),
            rolls_back=message.deploy_id,
        )
        await self._prove(state, installed, plan, ())
        return await self.ref.ask(Begin(plan=plan, author=message.author, strategy=Strategy(kind="all-at-once")), timeout=ASK)

    async def _look(self) -> tuple[TopologyState, Installed]:
        state = await self.system.ref("topology").ask(GetTopology(), timeout=ASK)
        return state, await self.system.ref("device").ask(ReadInstalled(), timeout=ASK)

    async def _prove(self, state: TopologyState, installed: Installed, plan: Plan, reaches: tuple[Reach, ...]) -> None:
        """Verify actual rows + delta, before anything is sent. Raise VerificationFailed with the violations."""
        after = dict(installed.rows)
        for device in plan.devices:
            after[device.node] = apply(after[device.node], device.delta)
        report = await asyncio.to_thread(verify, state.topology, after, reaches)
        if not report.ok:
            raise VerificationFailed(report.violations[0].message, errors=report.violations)

    @handles
    async def begin(self, message: Begin) -> Progress:
        plan = message.plan
        held = {node: self._leases[node] for node in plan.nodes if node in self._leases}
        if held:
            node, holder = next(iter(held.items()))
            raise DevicesBusy(f"{node} is held by deployment {holder}", leases=held)
        progress = first_progress(
            deploy_id=plan.plan_id,
            author=message.author,
            at=self._now(),
            waves=split(plan.nodes, message.strategy),
            compile_id=plan.compile_id,
            rolls_back=plan.rolls_back,
        )
        await self._run(Recorded(progress=progress, plan=plan, epoch=epoch(), decided=False), recovered=False)
        return progress

    @handles
    async def ended(self, message: Terminated) -> None:
        """Release the leases; a deployment that died before its ending is taken up again like after a restart of the hub."""
        deploy_id = message.path.rpartition("/")[2]
        recorded = await self._journal.load(deploy_id)
        tries = self._revivals.get(deploy_id, 0)
        if recorded.progress.state in ENDINGS:
            self._revivals.pop(deploy_id, None)
            self._release(deploy_id)
        elif tries < REVIVALS:
            self._revivals[deploy_id] = tries + 1
            await self._take_up(recorded)
        else:
            log.error("deployment %s keeps dying; its devices stay leased until the hub is restarted", deploy_id)

    # -- looking

    @handles
    async def get(self, message: GetDeployment) -> Progress:
        return (await self._journal.load(message.deploy_id)).progress

    @handles
    async def history(self, message: GetDeployHistory) -> tuple[Progress, ...]:
        return tuple(await self._journal.history(message.limit, message.before))

    @handles
    async def cancel(self, message: CancelDeployment) -> Progress:
        child = self.child(message.deploy_id)
        if child is None:
            state = (await self._journal.load(message.deploy_id)).progress.state
            raise WrongState(f"deployment {message.deploy_id} has ended: {state}")
        return await self.defer(child.ask(Cancel(), timeout=ASK))

    @handles
    async def subscribe(self, message: Subscribe) -> Subscribed:
        """A deployment that runs takes its subscribers itself; one that has ended is replayed from the journal."""
        return await self.defer(self._subscribe(message, self.child(_deploy_id(message.channel))))

    async def _subscribe(self, message: Subscribe, child: Ref | None) -> Subscribed:
        if child is not None:
            with contextlib.suppress(ActorStopped):  # it ended just now: its journal is whole
                return await child.ask(message, timeout=ASK)
        try:
            recorded = await self._journal.load(_deploy_id(message.channel))
        except NotFound:
            raise NotFound(f"there is no channel {message.channel[:60]!r}") from None
        replay = Channel(message.channel, self._outlets, epoch=recorded.epoch)
        replay.load(await self._journal.events(recorded.progress.deploy_id))
        return replay.attach(message, None)

    @handles
    async def unsubscribe(self, message: Unsubscribe) -> None:
        child = self.child(_deploy_id(message.channel))
        if child is not None:
            return await self.defer(child.ask(message, timeout=ASK))
        return None


def _deploy_id(channel: str) -> str:
    return channel.removeprefix("deploy/")
