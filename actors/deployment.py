"""Deployment: one run of the deploy protocol, from BEGIN in the journal to one of four endings.

Every phase is a job that asks the devices and comes back as one PhaseDone; between phases the actor is idle, so a
cancellation is heard at once. What a phase did is in the journal before anybody is told about it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import attrs

from actors.channels import Channel, Outlets, Subscribe, Subscribed, Unsubscribe
from actors.device import Commit, Confirm, Discard, ReadRows, Revert, Stage
from actors.journal import ENDINGS, DeviceState, Journal, Progress, Recorded, Wave
from actors.runtime import Actor, Message, Request, handles
from paranet.errors import DeviceError, ParaNetError, WrongState
from paranet.models.device import Change, Delta, Rows, fingerprint
from paranet.orchestrator.diff import apply
from paranet.orchestrator.plan import DevicePlan

log = logging.getLogger(__name__)

STEP_TIMEOUT = 10.0
"""seconds a device has for one step"""
CONFIRM_WITHIN = 120.0
"""seconds after which a device that can goes back by itself when the hub is gone"""
RETRIES = 3
RETRY_AFTER = 1.0
AT_ONCE = 64
"""devices that are worked on at the same time"""
UNTOUCHED = ("planned", "checked", "staged", "refused", "restored")
"""states of a device on which nothing of this deployment can be live"""
Step = Callable[[DevicePlan], Awaitable[object]]


@attrs.frozen(kw_only=True)
class Advance(Message):
    """Run a phase (again)."""

    phase: str


@attrs.frozen(kw_only=True)
class PhaseDone(Message):
    """A phase has been through its devices; *failed* says which did not do it and why."""

    phase: str
    nodes: tuple[str, ...]
    failed: Mapping[str, str]


@attrs.frozen(kw_only=True)
class Cancel(Request[Progress]):
    """Undo what has been done and end as `cancelled`. Raise WrongState once it is decided."""


class Deployment(Actor):
    """Ends by stopping itself; its supervisor sees to the leases, and to a new instance when it died without an ending."""

    def __init__(
        self, recorded: Recorded, journal: Journal, outlets: Outlets, now: Callable[[], float], *, recovered: bool = False
    ) -> None:
        self._progress = recorded.progress
        self._decided = recorded.decided
        self._plan = recorded.plan
        self._epoch = recorded.epoch
        self._journal = journal
        self._outlets = outlets
        self._now = now
        self._recovered = recovered
        self._devices = {device.node: device for device in recorded.plan.devices}

    async def on_start(self) -> None:
        deploy_id = self._progress.deploy_id
        self._channel = Channel(f"deploy/{deploy_id}", self._outlets, epoch=self._epoch)
        self._seq = 0
        self._wave = 0
        self._touched: set[str] = set()
        self._tries = 0
        self._ending = "rolled_back"
        if self._recovered:
            events = await self._journal.events(deploy_id)
            self._seq = len(events)
            self._channel.load(events)
            self._channel.reopen(None)
            self._touched.update(d.node for wave in self._progress.waves for d in wave.devices if d.state not in UNTOUCHED)
            if not self._decided:
                await self._note("rolling_back", message="the hub stopped before this was decided", reason="the hub was restarted")
            self.ref.tell(Advance(phase="confirm" if self._decided else "undo"))
        else:
            event = self._event("planned", message=f"{len(self._devices)} devices to change")
            await self._journal.begin(self._plan, self._progress, self._epoch, [event])
            self._channel.publish([event])
            self.ref.tell(Advance(phase="validate"))

    def inspect(self) -> Mapping[str, object]:
        p = self._progress
        return {"state": p.state, "percent": p.percent, "devices": len(self._devices), "decided": self._decided, "reason": p.reason}

    # -- phases

    @handles
    async def advance(self, message: Advance) -> None:
        phase = message.phase
        if self._progress.state == "cancelling" and not self._decided:
            phase = "undo"
        nodes = tuple(self._devices)
        if phase == "commit":
            nodes = tuple(d.node for d in self._progress.waves[self._wave].devices)
            self._touched.update(nodes)
        elif phase == "undo":
            nodes = tuple(reversed([d.node for wave in self._progress.waves for d in wave.devices]))
            if self._progress.state != "rolling_back":
                await self._note("rolling_back")
        elif phase == "confirm":
            await self._note("confirming", percent=92, message="decided: every device keeps the change", decide=True)
            self._decided = True
        states = {"validate": ("validating", 2), "stage": ("staging", 5), "commit": ("committing", 0)}
        if phase in states:
            state, percent = states[phase]
            telling = {node: DeviceState(node=node, state="committing") for node in nodes} if phase == "commit" else None
            await self._note(state, percent=percent, wave=self._wave if telling else None, devices=telling)
        steps: dict[str, Step] = {
            "validate": self._validate,
            "stage": self._stage,
            "commit": self._commit,
            "confirm": self._confirm,
            "undo": self._undo,
        }
        await self.pipe_to_self(self._each(phase, nodes, steps[phase]), name=phase)

    @handles
    async def phase_done(self, message: PhaseDone) -> None:
        phase = message.phase
        if phase in ("confirm", "undo"):
            await self._after_ending_phase(message)
            return
        done = {"validate": "checked", "stage": "staged", "commit": "committed"}[phase]
        await self._note(self._progress.state, percent=self._percent_after(phase), devices=self._states(message, done))
        if message.failed:
            node, why = next(iter(message.failed.items()))
            await self._note("rolling_back", message=f"{node}: {why}", reason=f"{phase} failed on {node}: {why}")
            self.ref.tell(Advance(phase="undo"))
        elif phase == "commit" and self._wave + 1 < len(self._progress.waves):
            self._wave += 1
            self.ref.tell(Advance(phase="commit"))
        else:
            following = {"validate": "stage", "stage": "commit" if self._progress.waves else "confirm", "commit": "confirm"}
            self.ref.tell(Advance(phase=following[phase]))

    async def _after_ending_phase(self, message: PhaseDone) -> None:
        """Confirm and undo are tried again before devices are given up as inconsistent."""
        self._tries += 1
        if message.failed and self._tries < RETRIES:
            await self._note(self._progress.state, devices=self._states(message, "confirmed" if message.phase == "confirm" else "restored"))
            self.timers.once("retry", Advance(phase=message.phase), after=RETRY_AFTER * self._tries)
            return
        done = "confirmed" if message.phase == "confirm" else "restored"
        ending = "succeeded" if message.phase == "confirm" else self._ending
        left = tuple(sorted(message.failed))
        reason = self._progress.reason
        if left:
            ending = "failed"
            reason = f"{reason or message.phase}; not certain: {', '.join(left)}"
        self._progress = attrs.evolve(self._progress, ended_at=self._now(), inconsistent_devices=left)
        await self._note(ending, percent=100, devices=self._states(message, done), message=reason or "done", reason=reason)
        self.ref.stop()

    @handles
    async def cancel(self, message: Cancel) -> Progress:
        if self._decided or self._progress.state in ENDINGS:
            raise WrongState(f"deployment {self._progress.deploy_id} is decided already: roll it back instead")
        self._ending = "cancelled"
        await self._note("cancelling" if self._progress.state != "rolling_back" else "rolling_back", reason="cancelled")
        return self._progress

    # -- steps on one device

    async def _each(self, phase: str, nodes: Sequence[str], step: Step) -> Message:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(node: str) -> str | None:
            async with gate:
                try:
                    await step(self._devices[node])
                except ParaNetError as error:
                    return error.detail
            return None

        answers = await asyncio.gather(*(one(node) for node in nodes))
        return PhaseDone(phase=phase, nodes=tuple(nodes), failed={n: a for n, a in zip(nodes, answers, strict=True) if a is not None})

    async def _ask(self, node: str, request: Request[Any]) -> Any:
        return await self.system.ref(f"device/{node}").ask(request, timeout=STEP_TIMEOUT)

    async def _validate(self, device: DevicePlan) -> None:
        if fingerprint(await self._ask(device.node, ReadRows())) != device.base:
            raise DeviceError("its rows changed since the plan was made")

    async def _stage(self, device: DevicePlan) -> None:
        await self._ask(device.node, Stage(delta=device.delta, base=device.base))

    async def _commit(self, device: DevicePlan) -> None:
        before = await self._ask(device.node, ReadRows())
        await self._ask(device.node, Commit(confirm_within=CONFIRM_WITHIN))
        if fingerprint(await self._ask(device.node, ReadRows())) != fingerprint(apply(before, device.delta)):
            raise DeviceError("what it reads back is not what was committed")

    async def _confirm(self, device: DevicePlan) -> None:
        """Confirm; a device that fell back meanwhile (its timer, a power cut) is brought forward again: it is decided."""
        refusal: DeviceError | None = None
        try:
            await self._ask(device.node, Confirm())
        except DeviceError as error:
            refusal = error
        rows = await self._ask(device.node, ReadRows())
        if _holds(rows, device.delta):
            if refusal is not None:
                raise refusal
            return
        await self._ask(device.node, Discard())
        await self._ask(device.node, Stage(delta=_towards(rows, device.delta), base=fingerprint(rows)))
        await self._ask(device.node, Commit(confirm_within=CONFIRM_WITHIN))
        await self._ask(device.node, Confirm())
        if not _holds(await self._ask(device.node, ReadRows()), device.delta):
            raise DeviceError("its rows are not what was decided")

    async def _undo(self, device: DevicePlan) -> None:
        if device.node not in self._touched:
            with contextlib.suppress(ParaNetError):  # nothing is live there: what is staged goes with the session at the latest
                await self._ask(device.node, Discard())
            return
        await self._ask(device.node, Discard())
        inverse = device.delta.inverse()
        if not _holds(await self._ask(device.node, ReadRows()), inverse):
            await self._ask(device.node, Revert(inverse=inverse))
            if not _holds(await self._ask(device.node, ReadRows()), inverse):
                raise DeviceError("its rows are not what they were before")

    # -- progress

    def _percent_after(self, phase: str) -> int:
        if phase == "commit":
            return 20 + round(70 * (self._wave + 1) / len(self._progress.waves))
        return {"validate": 5, "stage": 20}[phase]

    def _states(self, message: PhaseDone, done: str) -> dict[str, DeviceState]:
        bad = "refused" if message.phase in ("validate", "stage") else "failed"
        return {
            node: DeviceState(node=node, state=bad if node in message.failed else done, message=message.failed.get(node, ""))
            for node in message.nodes
        }

    def _event(
        self, state: str, *, device: str | None = None, step: str | None = None, wave: int | None = None, message: str = ""
    ) -> dict[str, Any]:
        self._seq += 1
        return {
            "deploy_id": self._progress.deploy_id,
            "seq": self._seq,
            "at": self._now(),
            "state": state,
            "wave": wave,
            "device": device,
            "step": step,
            "percent": self._progress.percent,
            "message": message,
        }

    async def _note(
        self,
        state: str,
        *,
        percent: int = 0,
        wave: int | None = None,
        devices: Mapping[str, DeviceState] | None = None,
        message: str = "",
        reason: str | None = None,
        decide: bool = False,
    ) -> None:
        """Move on: journal first, then the channel. One event for each device that did something, one for the state."""
        now = devices or {}
        waves = tuple(attrs.evolve(w, devices=tuple(now.get(d.node, d) for d in w.devices)) for w in self._progress.waves)
        index = {d.node: w.index for w in waves for d in w.devices}
        self._progress = attrs.evolve(
            self._progress,
            state=state,
            percent=max(percent, self._progress.percent),
            waves=waves,
            reason=reason or self._progress.reason,
        )
        events = [self._event(state, device=d.node, step=d.state, wave=index.get(d.node), message=d.message) for d in now.values()]
        if not now or message or wave is not None:
            events.append(self._event(state, wave=wave, message=message))
        await self._journal.note(self._progress, events, decide=decide)
        self._channel.publish(events)

    # -- channel

    @handles
    async def subscribe(self, message: Subscribe) -> Subscribed:
        return self._channel.attach(message, None)

    @handles
    async def unsubscribe(self, message: Unsubscribe) -> None:
        self._channel.detach(message.subscriber)


def _holds(rows: Rows, delta: Delta) -> bool:
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


def first_progress(
    *, deploy_id: str, author: str, at: float, waves: Sequence[Sequence[str]], compile_id: str | None, rolls_back: str | None
) -> Progress:
    """Return the progress of a deployment that has only been planned."""
    return Progress(
        deploy_id=deploy_id,
        compile_id=compile_id,
        rolls_back=rolls_back,
        author=author,
        state="planned",
        percent=0,
        waves=tuple(
            Wave(index=i, devices=tuple(DeviceState(node=node, state="planned") for node in nodes)) for i, nodes in enumerate(waves)
        ),
        started_at=at,
    )
