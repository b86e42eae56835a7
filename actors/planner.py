"""From an order to a plan: what is installed, what is wanted, and the proof that the network will do what was promised."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import attrs

from actors.devices import Installed, ReadInstalled
from actors.gates import Promise
from actors.intents import Compilation, GetCompilation
from actors.journal import Journal
from actors.runtime.system import ActorSystem
from actors.standing import Standings, called
from actors.topology import GetTopology, TopologyState
from paranet.codec import unstructure
from paranet.errors import PlanStale, VerificationFailed, WrongState
from paranet.models.device import Rows
from paranet.models.intent import Report
from paranet.orchestrator.diff import apply
from paranet.orchestrator.drift import restored_rows
from paranet.orchestrator.gates import OPEN, Gates
from paranet.orchestrator.losses import meant_to_fall
from paranet.orchestrator.plan import Plan, conflicts, make_plan, rolled_back_rows, scope_of, wanted_rows
from paranet.orchestrator.waves import Strategy, make_before_break
from paranet.verifier import Promises, Verifier

ASK = 15.0


@attrs.frozen(kw_only=True)
class Order:
    """What somebody wants deployed: a compilation, the way back from a deployment, or what was deployed before on *restore*.

    *base* names the changes (`Plan.base`) that were agreed to; others are refused. *gates* None are the usual ones.
    """

    deploy_id: str
    author: str
    strategy: Strategy
    compile_id: str | None = None
    rolls_back: str | None = None
    restore: tuple[str, ...] | None = None
    gates: Gates | None = None
    base: str | None = None
    queue: bool = True


@attrs.frozen(kw_only=True)
class Planned:
    """A plan with the order in which its devices are changed, and what it is held to."""

    plan: Plan
    nodes: tuple[str, ...]
    promise: Promise


@attrs.frozen(kw_only=True)
class Validation:
    """What deploying a compilation would meet: *plan* is None where there are *conflicts*."""

    plan: Plan | None
    report: Report
    conflicts: tuple[Mapping[str, object], ...]


class Planner:
    """Only reads. What it finds may have moved when the devices are leased; the deployment looks again then."""

    def __init__(self, system: ActorSystem, journal: Journal, now: Callable[[], float]) -> None:
        self._system = system
        self._journal = journal
        self._now = now
        self._standings = Standings(system, journal)

    async def plan(self, order: Order) -> Planned:
        """Raise PlanStale, RowConflict, VerificationFailed, DeviceError, WrongState or NotFound."""
        if order.compile_id is not None:
            planned, report = await self._deploying(order, await self._compilation(order.compile_id))
        elif order.rolls_back is not None:
            planned, report = await self._going_back(order, order.rolls_back)
        else:
            planned, report = await self._restoring(order, order.restore or ())
        if order.base is not None and order.base != planned.plan.base:
            raise PlanStale("the devices' rows moved since this was looked at", base=planned.plan.base, changes=changes_of(planned.plan))
        if not report.ok:
            raise VerificationFailed(report.violations[0].message, errors=report.violations)
        return planned

    async def validate(self, compile_id: str) -> Validation:
        """Return what `plan` would say of a compilation, conflicts and violations included."""
        compilation = await self._compilation(compile_id)
        state, installed = await self._look()
        _check_base(compilation, state, installed)
        compiled = compilation.compiled
        scope = scope_of(compiled.intents, compilation.name, installed.rows)
        found = conflicts(installed.rows, compiled.rows, scope)
        if found:
            return Validation(plan=None, report=Report(ok=False, checked={}), conflicts=found)
        wanted = wanted_rows(installed.rows, compiled.rows, scope)
        plan = self._made("", state, installed, wanted, compile_id=compilation.id)
        return Validation(plan=plan, report=await self._prove_beside(state, installed, plan, compilation, scope), conflicts=())

    async def _prove_beside(
        self, state: TopologyState, installed: Installed, plan: Plan, compilation: Compilation, scope: frozenset[str]
    ) -> Report:
        """Verify actual rows + delta by what the compilation promises and what others that are deployed did."""
        standing = await self._standings.beside(installed.rows, scope)
        own, after = Promises.of(compilation.compiled), _after(installed, plan)
        return await asyncio.to_thread(standing.prove, state.topology, installed.rows, after, own, called(compilation))

    async def _compilation(self, compile_id: str) -> Compilation:
        compilation = await self._system.ref("intents").ask(GetCompilation(id=compile_id), timeout=ASK)
        if not compilation.compiled.ok:
            raise WrongState("this source did not compile; there is nothing to deploy")
        return compilation

    async def _deploying(self, order: Order, compilation: Compilation) -> tuple[Planned, Report]:
        state, installed = await self._look()
        _check_base(compilation, state, installed)
        compiled = compilation.compiled
        scope = scope_of(compiled.intents, compilation.name, installed.rows)
        wanted = wanted_rows(installed.rows, compiled.rows, scope)
        plan = self._made(order.deploy_id, state, installed, wanted, compile_id=compilation.id)
        promise = Promise(
            gates=order.gates or Gates(),
            promises=Promises.of(compiled),
            exempt=meant_to_fall(state.topology, plan.devices),
        )
        nodes = make_before_break(plan, [path.hops for path in compiled.paths])
        report = await self._prove_beside(state, installed, plan, compilation, scope)
        return Planned(plan=plan, nodes=nodes, promise=promise), report

    async def _going_back(self, order: Order, deploy_id: str) -> tuple[Planned, Report]:
        recorded = await self._journal.load(deploy_id)
        if recorded.progress.state != "succeeded":
            raise WrongState(f"deployment {deploy_id} is {recorded.progress.state}; only one that succeeded can be rolled back")
        state, installed = await self._look()
        installed.check(recorded.plan.nodes)
        plan = self._made(order.deploy_id, state, installed, rolled_back_rows(installed.rows, recorded.plan), rolls_back=deploy_id)
        promise = Promise(gates=order.gates or OPEN)
        nodes = tuple(reversed(recorded.progress.nodes))
        return Planned(plan=plan, nodes=_only(plan, nodes), promise=promise), await _prove(state, installed, plan)

    async def _restoring(self, order: Order, nodes: Sequence[str]) -> tuple[Planned, Report]:
        state, installed = await self._look()
        expected = await self._journal.expected()
        chosen = nodes or [node for node in sorted(expected) if node in installed.rows]
        installed.check(chosen)
        wanted = {node: restored_rows(installed.rows[node], expected.get(node, {})) for node in chosen}
        plan = self._made(order.deploy_id, state, installed, wanted)
        return Planned(plan=plan, nodes=plan.nodes, promise=Promise(gates=order.gates or OPEN)), await _prove(state, installed, plan)

    def _made(
        self,
        deploy_id: str,
        state: TopologyState,
        installed: Installed,
        wanted: Mapping[str, Rows],
        *,
        compile_id: str | None = None,
        rolls_back: str | None = None,
    ) -> Plan:
        return make_plan(
            plan_id=deploy_id,
            topology_revision=state.revision,
            installed=installed.rows,
            desired=wanted,
            compile_id=compile_id,
            rolls_back=rolls_back,
        )

    async def _look(self) -> tuple[TopologyState, Installed]:
        state = await self._system.ref("topology").ask(GetTopology(), timeout=ASK)
        return state, await self._system.ref("device").ask(ReadInstalled(), timeout=ASK)


def _check_base(compilation: Compilation, state: TopologyState, installed: Installed) -> None:
    if state.revision != compilation.topology_revision:
        raise PlanStale(
            f"compiled on topology revision {compilation.topology_revision}, it is {state.revision} now: compile again",
            compiled_on=compilation.topology_revision,
            revision=state.revision,
        )
    installed.check(sorted(compilation.compiled.rows))


async def _prove(state: TopologyState, installed: Installed, plan: Plan) -> Report:
    """Verify actual rows + delta, before anything is sent. No promise keeps anybody from going back."""
    return await asyncio.to_thread(lambda: Verifier(state.topology, _after(installed, plan), Promises()).report())


def _after(installed: Installed, plan: Plan) -> Mapping[str, Rows]:
    after = dict(installed.rows)
    for device in plan.devices:
        after[device.node] = apply(after[device.node], device.delta)
    return after


def _only(plan: Plan, nodes: Sequence[str]) -> tuple[str, ...]:
    """Return the plan's devices in the order of *nodes*, unknown ones last."""
    place = {node: i for i, node in enumerate(nodes)}
    return tuple(sorted(plan.nodes, key=lambda node: (place.get(node, len(place)), node)))


def changes_of(plan: Plan) -> list[dict[str, object]]:
    """Return what a plan changes, by device, as plain JSON."""
    return [
        {
            "node": device.node,
            "diff": {
                "add": [unstructure(c.after) for c in device.delta.changes if c.before is None],
                "change": [
                    {"before": unstructure(c.before), "after": unstructure(c.after)} for c in device.delta.changes if c.before and c.after
                ],
                "remove": [unstructure(c.before) for c in device.delta.changes if c.after is None],
            },
        }
        for device in plan.devices
    ]
