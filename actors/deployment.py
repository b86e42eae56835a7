"""Deployment: one run of the deploy protocol, from BEGIN in the journal to one of four endings.

Every phase is a job that asks the devices and comes back as one PhaseDone; between phases the actor is idle, so a
cancellation is heard at once. What a phase did is in the journal before anybody is told about it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

import attrs

from actors.channels import Channel, Outlets, Subscribe, Subscribed, Unsubscribe
from actors.gates import Gatekeeper
from actors.journal import Journal, Recorded
from actors.progress import ENDINGS, DeviceState, Progress
from actors.runtime import Actor, Message, Request, handles
from actors.steps import CONFIRM_WITHIN, Steps
from paranet.errors import ParaNetError, WrongState
from paranet.orchestrator.plan import DevicePlan

log = logging.getLogger(__name__)

RETRIES = 3
RETRIES_AFTER_RESTART = 8
"""half a minute in all: when the hub comes back, so do the sessions with its devices, and perhaps these themselves"""
RETRY_AFTER = 1.0
AT_ONCE = 64
"""devices that are worked on at the same time"""
ALIVE_EVERY = 30.0
"""seconds after which a gate that looks renews the leases; they lapse without"""
TELL_EVERY = 0.5
"""seconds within which devices that are done are told together, while others of the phase are not"""
UNTOUCHED = ("planned", "checked", "staged", "refused", "restored")
"""states of a device on which nothing of this deployment can be live"""
DONE = {"validate": "checked", "stage": "staged", "commit": "committed", "confirm": "confirmed", "undo": "restored"}
SHARE = {"validate": (2, 5), "stage": (5, 20), "commit": (20, 90), "confirm": (92, 99), "undo": (0, 0)}
"""percent at the beginning and the end of a phase"""
CANCELLED = "cancelled"
"""the reason of a deployment that somebody cancelled; after a restart of the hub too"""
Step = Callable[[DevicePlan], Awaitable[object]]


@attrs.frozen(kw_only=True)
class Advance(Message):
    """Run a phase (again)."""

    phase: str


@attrs.frozen(kw_only=True)
class News(Message):
    """Some devices are through the phase, while others are not; with why a device is not."""

    phase: str
    devices: Mapping[str, str | None]


@attrs.frozen(kw_only=True)
class PhaseDone(Message):
    """A phase has been through its devices; *failed* says which did not do it and why, *untouched* on which nothing is live."""

    phase: str
    nodes: tuple[str, ...]
    failed: Mapping[str, str]
    untouched: frozenset[str] = frozenset()


@attrs.frozen(kw_only=True)
class Judged(Message):
    """The gate after a wave has been looked at; *reason* says why it is closed."""

    reason: str | None


@attrs.frozen(kw_only=True)
class Cancel(Request[Progress]):
    """Undo what has been done and end as `cancelled`; one that undoes itself already goes on with it.

    Raise WrongState once it is decided.
    """


@attrs.frozen(kw_only=True)
class StillLooking(Message):
    """A gate is at work, however quiet it is."""


@attrs.frozen(kw_only=True)
class Moved(Message):
    """A deployment has come further; told to its supervisor."""

    progress: Progress


class Deployment(Actor):
    """Ends by stopping itself; its supervisor sees to the leases, and to a new instance when it died without an ending."""

    def __init__(
        self,
        recorded: Recorded,
        journal: Journal,
        outlets: Outlets,
        now: Callable[[], float],
        gatekeeper: Gatekeeper | None = None,
        *,
        recovered: bool = False,
    ) -> None:
        self._recorded = recorded
        self._progress = recorded.progress
        self._decided = recorded.decided
        self._journal = journal
        self._outlets = outlets
        self._now = now
        self._gatekeeper = gatekeeper
        self._recovered = recovered
        self._devices = {device.node: device for device in recorded.plan.devices}

    async def on_start(self) -> None:
        deploy_id = self._progress.deploy_id
        self._supervisor = self.system.ref(self.ref.path.rpartition("/")[0])
        self._channel = Channel(f"deploy/{deploy_id}", self._outlets, epoch=self._recorded.epoch, whole=True)
        self._steps = Steps(self.system, self._recorded.token)
        self._wave = 0
        self._touched: set[str] = set()
        self._told: set[str] = set()
        self._steps_done = 0
        self._tries = 0
        self._ending = "rolled_back"
        self._enough = asyncio.Event()
        events = await self._journal.events(deploy_id)
        self._seq = len(events)
        self._channel.load(events)
        self._channel.reopen(None)
        if self._recovered:
            self._touched.update(d.node for wave in self._progress.waves for d in wave.devices if d.state not in UNTOUCHED)
            if self._progress.reason == CANCELLED:
                self._ending = "cancelled"
            if not self._decided:
                reason = self._progress.reason or "the hub was restarted"
                await self._note("rolling_back", message="the hub stopped before this was decided", reason=reason)
            self.ref.tell(Advance(phase="confirm" if self._decided else "undo"))
        else:
            self._seq += 1
            event = self._progress.event(self._seq, self._now(), message=f"devices to change: {len(self._devices)}")
            await self._journal.begin(self._recorded, [event])
            self._channel.publish([event])
            self.ref.tell(Advance(phase="validate"))

    def inspect(self) -> Mapping[str, object]:
        p = self._progress
        return {
            "state": p.state,
            "percent": p.percent,
            "devices": len(self._devices),
            "decided": self._decided,
            "reason": p.reason,
            "token": self._recorded.token,
        }

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
            nodes = tuple(reversed(self._progress.nodes))
            if self._progress.state != "rolling_back":
                await self._note("rolling_back")
        elif phase == "confirm" and not self._decided:
            await self._note("confirming", percent=92, message="decided: every device keeps the change", decide=True)
            self._decided = True
        states = {"validate": "validating", "stage": "staging", "commit": "committing"}
        if phase in states:
            telling = {node: DeviceState(node=node, state="committing") for node in nodes} if phase == "commit" else None
            await self._note(states[phase], percent=SHARE[phase][0], wave=self._wave if telling else None, devices=telling)
        self._told = set()
        await self.pipe_to_self(self._each(phase, nodes), name=phase)

    @handles
    async def news(self, message: News) -> None:
        """Tell what is done already of a phase that takes its time."""
        states = {node: self._state(message.phase, node, failed) for node, failed in message.devices.items()}
        self._told.update(states)
        self._steps_done += len(states)
        percent = 0
        if message.phase == "commit":
            low, high = self._share_of_wave()
            percent = low + (high - low) * len(self._told) // (len(self._progress.waves[self._wave].devices) + 1)
        await self._note(self._progress.state, percent=percent, devices=states)

    @handles
    async def phase_done(self, message: PhaseDone) -> None:
        phase = message.phase
        self._touched -= message.untouched
        self._steps_done += len(message.nodes) - len(self._told)
        if phase in ("confirm", "undo"):
            await self._after_ending_phase(message)
            return
        percent = self._share_of_wave()[1] if phase == "commit" else SHARE[phase][1]
        await self._note(self._progress.state, percent=percent, devices=self._states(message))
        if message.failed:
            node, why = next(iter(message.failed.items()))
            await self._go_back(why if why.startswith((f"{node} ", f"{node}:")) else f"{node}: {why}", f"{phase} failed on {node}: {why}")
        elif phase == "commit":
            await self._gate()
        else:
            following = {"validate": "stage", "stage": "commit" if self._progress.waves else "confirm"}
            self.ref.tell(Advance(phase=following[phase]))

    async def _go_back(self, message: str, reason: str) -> None:
        await self._note("rolling_back", message=message, reason=reason)
        self.ref.tell(Advance(phase="undo"))

    async def _gate(self) -> None:
        if self._gatekeeper is None or self._progress.state == "cancelling":
            self._next_wave()
            return
        last, since = self._wave + 1 == len(self._progress.waves), self._now()
        await self._note("gating", wave=self._wave, message="the wave reads back as it should; looking at what it does")
        self._enough = asyncio.Event()
        self.timers.every("gate", StillLooking(), interval=ALIVE_EVERY)
        await self.pipe_to_self(_judge(self._gatekeeper, since, last=last, enough=self._enough), name="gate")

    @handles
    async def still_looking(self, message: StillLooking) -> None:
        self._supervisor.tell(Moved(progress=self._progress))

    @handles
    async def judged(self, message: Judged) -> None:
        self.timers.cancel("gate")
        if message.reason is None or self._progress.state == "cancelling":
            self._next_wave()
        else:
            await self._go_back(message.reason, message.reason)

    def _next_wave(self) -> None:
        self._wave += 1
        self.ref.tell(Advance(phase="commit" if self._wave < len(self._progress.waves) else "confirm"))

    async def _after_ending_phase(self, message: PhaseDone) -> None:
        """Confirm and undo are tried again before devices are given up as inconsistent."""
        self._tries += 1
        if message.failed and self._tries < (RETRIES_AFTER_RESTART if self._recovered else RETRIES):
            await self._note(self._progress.state, devices=self._states(message))
            self.timers.once("retry", Advance(phase=message.phase), after=RETRY_AFTER * self._tries)
            return
        ending = "succeeded" if message.phase == "confirm" else self._ending
        left = tuple(sorted(message.failed))
        reason = self._progress.reason
        if left:
            ending = "failed"
            reason = f"{reason or message.phase}; not certain: {', '.join(left)}"
        self._progress = attrs.evolve(self._progress, ended_at=self._now(), inconsistent_devices=left)
        await self._note(ending, percent=100, devices=self._states(message), message=reason or "done", reason=reason)
        self.ref.stop()

    @handles
    async def cancel(self, message: Cancel) -> Progress:
        if self._decided or self._progress.state in ENDINGS:
            raise WrongState(f"deployment {self._progress.deploy_id} is decided already: roll it back instead")
        if self._progress.state not in ("cancelling", "rolling_back"):  # these undo it already, for a reason of their own
            self._ending = "cancelled"
            self._enough.set()
            await self._note("cancelling", reason=CANCELLED)
        return self._progress

    # -- the devices of a phase

    async def _each(self, phase: str, nodes: Sequence[str]) -> Message:
        room, step, clock = asyncio.Semaphore(AT_ONCE), self._step(phase), asyncio.get_running_loop().time
        answers: dict[str, str | None] = {}
        fresh: dict[str, str | None] = {}
        untouched: set[str] = set()
        told = clock()

        async def one(node: str) -> None:
            nonlocal fresh, told
            answers[node] = None
            async with room:
                try:
                    await step(self._devices[node])
                except ParaNetError as error:
                    answers[node] = error.detail
                    if error.extra.get("untouched"):
                        untouched.add(node)
            fresh[node] = answers[node]
            if clock() - told >= TELL_EVERY:
                self.ref.tell(News(phase=phase, devices=fresh))
                fresh, told = {}, clock()

        if phase == "stage" and self._gatekeeper is not None:
            await self._gatekeeper.prepare()
        await asyncio.gather(*(one(node) for node in nodes))
        failed = {node: answers[node] or "" for node in nodes if answers[node] is not None}
        return PhaseDone(phase=phase, nodes=tuple(nodes), failed=failed, untouched=frozenset(untouched))

    def _step(self, phase: str) -> Step:
        steps, touched = self._steps, frozenset(self._touched)
        gates = len(self._progress.waves) * self._gatekeeper.longest if self._gatekeeper else 0.0
        known: dict[str, Step] = {
            "validate": steps.validate,
            "stage": steps.stage,
            "commit": lambda device: steps.commit(device, confirm_within=CONFIRM_WITHIN + gates),
            "confirm": steps.confirm,
            "undo": lambda device: steps.undo(device, touched),
        }
        return known[phase]

    # -- progress

    def _share_of_wave(self) -> tuple[int, int]:
        low, high = SHARE["commit"]
        waves = len(self._progress.waves)
        return low + (high - low) * self._wave // waves, low + round((high - low) * (self._wave + 1) / waves)

    def _states(self, message: PhaseDone) -> dict[str, DeviceState]:
        """Return the states of the phase's devices that were not told while it ran."""
        return {n: self._state(message.phase, n, message.failed.get(n)) for n in message.nodes if n not in self._told}

    def _state(self, phase: str, node: str, failed: str | None) -> DeviceState:
        if failed is None:
            return DeviceState(node=node, state=DONE[phase])
        return DeviceState(node=node, state="refused" if phase in ("validate", "stage") else "failed", message=failed)

    def _eta(self, state: str) -> float | None:
        """Return when it will have ended, from what the devices that are done took and from what the gates will take."""
        steps = 4 * len(self._devices)
        if state in ENDINGS or state in ("rolling_back", "cancelling") or not 0 < self._steps_done <= steps:
            return None
        now = self._now()
        gates = self._gatekeeper.closed_for if self._gatekeeper else 0.0
        left = (now - self._progress.started_at) / self._steps_done * (steps - self._steps_done)
        return round(now + left + gates * (len(self._progress.waves) - self._wave), 3)

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
        before, now = self._progress, devices or {}
        self._progress = attrs.evolve(
            before,
            state=state,
            percent=max(percent, before.percent),
            waves=before.told(now),
            reason=reason or before.reason,
            eta=self._eta(state),
        )
        index = {d.node: w.index for w in before.waves for d in w.devices} if now else {}
        at, events = self._now(), []
        for device in now.values():
            self._seq += 1
            events.append(
                self._progress.event(
                    self._seq, at, device=device.node, step=device.state, wave=index.get(device.node), message=device.message
                )
            )
        if not now or message or wave is not None:
            self._seq += 1
            events.append(self._progress.event(self._seq, at, wave=wave, message=message))
        await self._journal.note(self._progress, events, decide=self._recorded.plan if decide else None)
        self._channel.publish(events)
        self._supervisor.tell(Moved(progress=self._progress))

    # -- channel

    @handles
    async def subscribe(self, message: Subscribe) -> Subscribed:
        return self._channel.attach(message, None)

    @handles
    async def unsubscribe(self, message: Unsubscribe) -> None:
        self._channel.detach(message.subscriber)


async def _judge(gatekeeper: Gatekeeper, since: float, *, last: bool, enough: asyncio.Event) -> Message:
    """Look at what a wave does, but no longer than anybody wants to know it."""
    looking = asyncio.create_task(gatekeeper.judge(since, last=last), name="look")
    leaving = asyncio.create_task(enough.wait(), name="enough")
    try:
        await asyncio.wait((looking, leaving), return_when=asyncio.FIRST_COMPLETED)
        return Judged(reason=looking.result() if looking.done() else None)
    finally:
        looking.cancel()
        leaving.cancel()
        await asyncio.wait((looking, leaving))
