"""Random schedules of spawning, stopping, crashing and asking: no waiter lost, FIFO per sender, no task left, counts add up."""

import asyncio
from functools import partial
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.runtime import Actor, ActorSystem, Backoff, Mailbox, Message, Overflow, Request, Strategy, Supervision, handles, operate
from actors.runtime.cell import Cell
from paranet.errors import ParaNetError
from tests.actors.runtime.cast import balance
from tests.actors.runtime.virtual import VirtualLoop

NAMES = ("a", "b", "c")


@attrs.frozen(kw_only=True)
class Step(Message):
    """The *n*-th message of a sender."""

    sender: str
    n: int


@attrs.frozen(kw_only=True)
class Work(Request[str]):
    """Take so long, then end in that manner, maybe by asking another."""

    seconds: float
    manner: str
    to: str


class Worker(Actor):
    """Notes the order in which it sees each sender's steps."""

    supervision = Supervision(strategy=Strategy.ONE_FOR_ONE, intensity=2, period=5, backoff=Backoff(first=0.1, most=1))

    def __init__(self, seen: list[Step], mailbox: Mailbox) -> None:
        self.seen = seen
        self.mailbox = mailbox  # type: ignore[misc]  # every actor of a schedule has its own

    @handles
    async def step(self, message: Step) -> None:
        self.seen.append(message)

    @handles
    async def work(self, message: Work) -> str:
        await asyncio.sleep(message.seconds)
        match message.manner:
            case "crash":
                raise RuntimeError("on purpose")
            case "cancel":
                raise asyncio.CancelledError
            case "forward":
                return await self.system.ref(message.to).ask(Work(seconds=0.1, manner="answer", to=message.to), timeout=3)
            case "defer":
                return await self.defer(self._work(message))
            case "stash":
                if len(self._aside()) < 2:
                    result: str = self.stash()
                    return result
        return "done"

    def _aside(self) -> Any:
        return self._life.pump.stashed or ()

    async def _work(self, message: Work) -> str:
        await asyncio.sleep(message.seconds)
        return await self.system.ref(message.to).ask(Work(seconds=0.1, manner="answer", to=message.to), timeout=3)


mailboxes = st.builds(
    Mailbox,
    capacity=st.integers(1, 5),
    overflow=st.sampled_from([Overflow.REJECT, Overflow.BLOCK]),
    lossy=st.sampled_from([{}, {Step: Overflow.DROP_OLDEST}]),
)
names = st.sampled_from(NAMES)
moments = st.sampled_from([0.0, 0.01, 0.5, 2.0])
work = st.builds(Work, seconds=moments, manner=st.sampled_from(["answer", "crash", "cancel", "forward", "defer", "stash"]), to=names)
steps = st.one_of(
    st.tuples(st.just("spawn"), names, mailboxes),
    st.tuples(st.just("stop"), names, st.none()),
    st.tuples(st.just("restart"), names, st.none()),
    st.tuples(st.just("suspend"), names, st.none()),
    st.tuples(st.just("resume"), names, st.none()),
    st.tuples(st.just("unstash"), names, st.none()),
    st.tuples(st.just("tell"), names, st.integers(1, 4)),
    st.tuples(st.just("ask"), names, work),
    st.tuples(st.just("cancel"), names, st.integers(0, 5)),
    st.tuples(st.just("wait"), names, moments),
)


class Schedule:
    """One run: performs the steps and remembers what must hold afterwards."""

    def __init__(self, system: ActorSystem) -> None:
        self.system = system
        self.cells: list[Cell] = []
        self.seen: dict[str, list[Step]] = {}
        self.asks: list[asyncio.Future[str]] = []
        self._count = 0

    async def perform(self, kind: str, name: str, detail: Any) -> None:
        cell = self.system.cell(name)
        match kind:
            case "spawn" if cell is None:
                seen = self.seen[f"{name}{len(self.cells)}"] = []
                await self.system.spawn(name, partial(Worker, seen, detail))
                spawned = self.system.cell(name)
                assert spawned is not None
                self.cells.append(spawned)
            case "stop" if cell is not None:
                cell.request_stop()
            case "restart" if cell is not None and not cell.closed:
                self.asks.append(asyncio.ensure_future(_quiet_restart(self.system, name)))
            case "suspend" if cell is not None:
                cell.suspend()
            case "resume" if cell is not None:
                cell.resume()
            case "unstash" if cell is not None and cell.life is not None:
                cell.life.pump.unstash()
                cell.wake()
            case "tell":
                for _ in range(detail):
                    self._count += 1
                    self.system.ref(name).tell(Step(sender="outside", n=self._count))
            case "ask":
                self.asks.append(asyncio.ensure_future(self.system.ref(name).ask(detail, timeout=5)))
            case "cancel" if detail < len(self.asks):
                self.asks[detail].cancel()
            case "wait":
                await asyncio.sleep(detail)


async def _quiet_restart(system: ActorSystem, name: str) -> str:
    return str(await operate.restart(system, name))


async def play(plan: list[tuple[str, str, Any]], *, drain: bool) -> None:
    before = asyncio.all_tasks()
    async with ActorSystem(seed=1) as system:
        schedule = Schedule(system)
        for kind, name, detail in plan:
            await schedule.perform(kind, name, detail)
            for cell in schedule.cells:
                sent, accounted = balance(cell)
                assert sent == accounted, f"{cell.path} after {kind}: {sent} sent, {accounted} accounted for"
        if drain:
            await system.drain(1)
    _, lost = await asyncio.wait(schedule.asks, timeout=20) if schedule.asks else (set(), set())
    assert not lost, "an asker still waits"
    for ask in schedule.asks:
        error = None if ask.cancelled() else ask.exception()
        assert error is None or isinstance(error, ParaNetError), repr(error)
    for cell in schedule.cells:
        assert balance(cell)[0] == balance(cell)[1]
        assert cell.queued == 0
    for seen in schedule.seen.values():
        order = [step.n for step in seen]
        assert order == sorted(order), "not in the order they were sent"
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    assert not left


@settings(max_examples=150, deadline=None)
@given(st.lists(steps, max_size=40), st.booleans())
def test_any_schedule(plan: list[tuple[str, str, Any]], drain: bool) -> None:
    """Whatever is spawned, stopped, crashed, asked, cancelled or suspended: nobody waits for ever and all is accounted for."""
    spawned = [("spawn", name, Mailbox(capacity=3)) for name in NAMES]
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(play([*spawned, *plan], drain=drain))
