"""The actor runtime beside pykka, xoscar and bare asyncio.Queue, in one run: messages told and handled, asks one after another.

Also the memory of 10,000 idle actors and how soon a cycle of asks is refused. Medians of short bursts over several runs on uvloop,
with all accounting on.
Peers that are not installed are left out. Prints a table and writes bench/results/actors.json. Run: python bench/actors.py
"""

import argparse
import asyncio
import gc
import importlib
import importlib.util
import json
import logging
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])  # this file's own folder would make it shadow the package `actors`

import attrs  # noqa: E402
import uvloop  # noqa: E402

from actors.runtime import Actor, ActorSystem, AskCycle, Mailbox, Message, Request, handles  # noqa: E402

RESULTS = Path(__file__).parent / "results"
BURST = 1000
"""messages told before the sender waits until they are handled"""
BURSTS = 40
"""of tells and of asks in a run; slow peers make fewer"""
IDLE = 10_000

Rates = dict[str, list[float]]
"""what was measured, by name: the rate of each burst, in messages a second"""


@attrs.frozen(kw_only=True)
class Add(Message):
    """Add *n*."""

    n: int


@attrs.frozen(kw_only=True)
class Total(Request[int]):
    """Return the sum."""


@attrs.frozen(kw_only=True)
class Loop(Request[int]):
    """Ask *via*, which asks back."""

    via: str
    back: str


class Counter(Actor):
    """Adds."""

    mailbox = Mailbox(capacity=2 * BURST)

    async def on_start(self) -> None:
        self.sum = 0

    @handles
    async def add(self, message: Add) -> None:
        self.sum += message.n

    @handles
    async def total(self, message: Total) -> int:
        return self.sum

    @handles
    async def loop(self, message: Loop) -> int:
        return await self.system.ref(message.via).ask(Loop(via=message.back, back=message.via), timeout=5)


class Meter:
    """Rates by name, one for each burst: medians of many short bursts bear with a machine that is shared."""

    def __init__(self) -> None:
        self.rates: Rates = {}

    @contextmanager
    def burst(self, what: str, count: int = BURST) -> Iterator[None]:
        """Time *count* messages."""
        began = time.perf_counter()
        yield
        self.rates.setdefault(what, []).append(count / (time.perf_counter() - began))


async def ours(meter: Meter) -> None:
    """Tell, ask, and close a cycle."""
    async with ActorSystem() as system:
        ref = await system.spawn("counter", Counter)
        await system.spawn("other", Counter)
        add, total = Add(n=1), Total()
        for _ in range(BURSTS):
            with meter.burst("tell"):
                for _ in range(BURST):
                    ref.tell(add)
                await ref.ask(total, timeout=30)
            with meter.burst("ask"):
                for _ in range(BURST):
                    await ref.ask(total, timeout=30)
            with meter.burst("cycle", 1), suppress(AskCycle):
                await ref.ask(Loop(via="other", back="counter"), timeout=5)


async def bare_queue(meter: Meter) -> None:
    """Do the same with a task, a queue and futures: no supervision, no accounting, no timeouts."""
    queue: asyncio.Queue[tuple[int, asyncio.Future[int] | None]] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    async def consume() -> None:
        total = 0
        while True:
            n, reply = await queue.get()
            total += n
            if reply is not None:
                reply.set_result(total)

    async def ask() -> int:
        reply: asyncio.Future[int] = loop.create_future()
        await queue.put((0, reply))
        return await reply

    consumer = asyncio.create_task(consume(), name="consumer")
    for _ in range(BURSTS):
        with meter.burst("tell"):
            for _ in range(BURST):
                queue.put_nowait((1, None))
            await ask()
        with meter.burst("ask"):
            for _ in range(BURST):
                await ask()
    consumer.cancel()
    await asyncio.wait((consumer,))


async def pykka_peer(meter: Meter) -> None:
    """Do the same with a pykka actor, which is a thread."""
    pykka: Any = importlib.import_module("pykka")

    class Peer(pykka.ThreadingActor):  # type: ignore[misc]  # not installed where types are checked
        def __init__(self) -> None:
            super().__init__()
            self.sum = 0

        def on_receive(self, message: int) -> int:
            self.sum += message
            return self.sum

    def run() -> None:
        ref = Peer.start()
        for _ in range(BURSTS // 4):
            with meter.burst("tell"):
                for _ in range(BURST):
                    ref.tell(1)
                ref.ask(0)
            with meter.burst("ask"):
                for _ in range(BURST):
                    ref.ask(0)
        ref.stop()

    await asyncio.to_thread(run)


async def xoscar_peer(meter: Meter) -> None:
    """Do the same with a xoscar actor in this process."""
    xoscar: Any = importlib.import_module("xoscar")

    class Peer(xoscar.Actor):  # type: ignore[misc]  # not installed where types are checked
        def __init__(self) -> None:
            super().__init__()
            self.sum = 0

        def add(self, n: int) -> int:
            self.sum += n
            return self.sum

    pool = await xoscar.create_actor_pool("127.0.0.1", n_process=0)
    async with pool:
        ref: Any = await xoscar.create_actor(Peer, address=pool.external_address)
        for _ in range(BURSTS // 20):
            with meter.burst("tell"):
                for _ in range(BURST):
                    await ref.add.tell(1)
                await ref.add(0)
            with meter.burst("ask"):
                for _ in range(BURST):
                    await ref.add(0)


PEERS: tuple[tuple[str, str | None, Callable[[Meter], Awaitable[None]]], ...] = (
    ("paranet", None, ours),
    ("asyncio.Queue", None, bare_queue),
    ("pykka", "pykka", pykka_peer),
    ("xoscar", "xoscar", xoscar_peer),
)


def resident() -> float:
    """Return this process's resident memory in MiB."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


async def idle_memory() -> float:
    """Return by how many MiB 10,000 idle actors make the process grow."""
    async with ActorSystem() as system:
        gc.collect()
        before = resident()
        for n in range(IDLE):
            await system.spawn(f"idle{n}", Counter)
        gc.collect()
        return resident() - before


async def measure(runs: int) -> dict[str, Rates | None]:
    """Return everything measured, by peer, None for one that is not installed; the peers take turns, so that noise hits all of them."""
    meters = {name: Meter() if module is None or importlib.util.find_spec(module) else None for name, module, _ in PEERS}
    for _ in range(runs):
        for name, _, run in PEERS:
            meter = meters[name]
            if meter is not None:
                await run(meter)
    return {name: meter.rates if meter is not None else None for name, meter in meters.items()}


def quiet(rates: list[float]) -> float:
    """Return what only one burst in twenty exceeds: the rate when the machine does nothing else."""
    return statistics.quantiles(rates, n=20)[-1]


def show(found: dict[str, Rates | None], idle: float) -> None:
    """Print the table."""
    print(f"{'':16} {'tell /s median':>16} {'95th':>12} {'ask /s median':>16} {'95th':>12}")
    for name, rates in found.items():
        if rates is None:
            print(f"{name:16} not installed")
            continue
        tell, ask = rates["tell"], rates["ask"]
        print(f"{name:16} {statistics.median(tell):16,.0f} {quiet(tell):12,.0f} {statistics.median(ask):16,.0f} {quiet(ask):12,.0f}")
    print("aims for paranet: tell >= 400,000, ask >= 60,000")
    own = found["paranet"]
    assert own is not None
    print(f"a cycle of two is refused within {1e3 / statistics.median(own['cycle']):.3f} ms (aim < 1 ms)")
    print(f"{IDLE:,} idle actors: {idle:.1f} MiB (aim < 80 MiB)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--idle", action="store_true", help="measure only the idle memory, print MiB")
    options = parser.parse_args()
    logging.disable()
    if options.idle:
        print(uvloop.run(idle_memory()))
        return
    idle = float(subprocess.run([sys.executable, __file__, "--idle"], check=True, capture_output=True, text=True).stdout)
    found = uvloop.run(measure(options.runs))
    show(found, idle)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "actors.json").write_text(json.dumps({"idle_mib": idle, "rates": found}))


if __name__ == "__main__":
    main()
