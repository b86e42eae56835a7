"""The actor runtime beside pykka, xoscar and bare asyncio.Queue, in one run: messages told and handled, asks one after another.

Also the memory of 10,000 idle actors and how soon a cycle of asks is refused. Medians of several runs on uvloop, accounting on.
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
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])  # this file's own folder would make it shadow the package `actors`

import attrs  # noqa: E402
import uvloop  # noqa: E402

from actors.runtime import Actor, ActorSystem, AskCycle, Mailbox, Message, Request, handles  # noqa: E402

RESULTS = Path(__file__).parent / "results"
BURST = 1000
"""messages told before the sender waits until they are handled"""
TELLS = 200
"""bursts in a run"""
ASKS = 20_000
IDLE = 10_000

Rates = dict[str, list[float]]
"""what was measured, by name: the value of each run"""


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


def per_second(count: int, began: float) -> float:
    """Return the rate since *began* (perf_counter)."""
    return count / (time.perf_counter() - began)


async def ours() -> dict[str, float]:
    """Tell, ask, and close a cycle."""
    async with ActorSystem() as system:
        ref = await system.spawn("counter", Counter)
        await system.spawn("other", Counter)
        add, total = Add(n=1), Total()
        began = time.perf_counter()
        for _ in range(TELLS):
            for _ in range(BURST):
                ref.tell(add)
            await ref.ask(total, timeout=30)
        tell = per_second(TELLS * BURST, began)
        began = time.perf_counter()
        for _ in range(ASKS):
            await ref.ask(total, timeout=30)
        ask = per_second(ASKS, began)
        began = time.perf_counter()
        try:
            await ref.ask(Loop(via="other", back="counter"), timeout=5)
        except AskCycle:
            cycle = time.perf_counter() - began
        return {"tell": tell, "ask": ask, "cycle": cycle}


async def bare_queue() -> dict[str, float]:
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
    began = time.perf_counter()
    for _ in range(TELLS):
        for _ in range(BURST):
            queue.put_nowait((1, None))
        await ask()
    tell = per_second(TELLS * BURST, began)
    began = time.perf_counter()
    for _ in range(ASKS):
        await ask()
    rates = {"tell": tell, "ask": per_second(ASKS, began)}
    consumer.cancel()
    await asyncio.wait((consumer,))
    return rates


async def pykka_peer() -> dict[str, float]:
    """Do the same with a pykka actor, which is a thread."""
    pykka: Any = importlib.import_module("pykka")

    class Peer(pykka.ThreadingActor):  # type: ignore[misc]  # not installed where types are checked
        def __init__(self) -> None:
            super().__init__()
            self.sum = 0

        def on_receive(self, message: int) -> int:
            self.sum += message
            return self.sum

    def run() -> dict[str, float]:
        ref = Peer.start()
        began = time.perf_counter()
        for _ in range(TELLS // 4):
            for _ in range(BURST):
                ref.tell(1)
            ref.ask(0)
        tell = per_second(TELLS // 4 * BURST, began)
        began = time.perf_counter()
        for _ in range(ASKS // 4):
            ref.ask(0)
        rates = {"tell": tell, "ask": per_second(ASKS // 4, began)}
        ref.stop()
        return rates

    return await asyncio.to_thread(run)


async def xoscar_peer() -> dict[str, float]:
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
        began = time.perf_counter()
        for _ in range(TELLS // 20):
            for _ in range(BURST):
                await ref.add.tell(1)
            await ref.add(0)
        tell = per_second(TELLS // 20 * BURST, began)
        began = time.perf_counter()
        for _ in range(ASKS // 10):
            await ref.add(0)
        return {"tell": tell, "ask": per_second(ASKS // 10, began)}


PEERS: tuple[tuple[str, str | None, Callable[[], Awaitable[dict[str, float]]]], ...] = (
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


async def measure(runs: int) -> dict[str, Rates | str]:
    """Return everything measured, by peer; the peers take turns, so that a noisy moment hits all of them."""
    found: dict[str, Rates | str] = {}
    for _ in range(runs):
        for name, module, run in PEERS:
            if module is not None and importlib.util.find_spec(module) is None:
                found[name] = "not installed"
                continue
            rates = found.setdefault(name, {})
            assert isinstance(rates, dict)
            for what, value in (await run()).items():
                rates.setdefault(what, []).append(value)
    return found


def show(found: dict[str, Rates | str]) -> None:
    """Print the table."""
    print(f"{'':16} {'tell /s median':>16} {'best':>12} {'ask /s median':>16} {'best':>12}")
    for name, rates in found.items():
        if isinstance(rates, str):
            print(f"{name:16} {rates}")
            continue
        tell, ask = rates["tell"], rates["ask"]
        print(f"{name:16} {statistics.median(tell):16,.0f} {max(tell):12,.0f} {statistics.median(ask):16,.0f} {max(ask):12,.0f}")
    own = found["paranet"]
    assert not isinstance(own, str)
    print("aims for paranet: tell >= 400,000, ask >= 60,000")
    print(f"a cycle of two is refused within {statistics.median(own['cycle']) * 1e3:.3f} ms (aim < 1 ms)")
    print(f"{IDLE:,} idle actors: {own['idle_mib'][0]:.1f} MiB (aim < 80 MiB)")


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
    own = found["paranet"]
    assert isinstance(own, dict)
    own["idle_mib"] = [idle]
    show(found)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "actors.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
