"""Where sources are compiled and proven: small ones on a thread, large ones in a process of their own that can be stopped."""

import asyncio
import hashlib
import os
import pickle
import sys
from asyncio.subprocess import PIPE, Process
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from paranet.compiler.incremental import Recompiler
from paranet.errors import CompilerDied, RowConflict
from paranet.models.device import Row, Rows
from paranet.models.intent import Compiled, Report, Violation, Witness
from paranet.models.topology import Topology
from paranet.orchestrator.plan import scope_of, wanted_rows
from paranet.verifier import Promises, Verifier

TIMEOUT = 50.0
"""seconds for one job in the process, which then is ended"""
IDLE = 60.0
"""seconds until a process without work is ended"""
JOBS = 200
"""jobs until a process is replaced"""
KEPT = 16
"""results that are kept"""
SMALL_SOURCE, SMALL_STATE = 4_000, 500
"""characters, and rows or nodes, up to which a thread does: some milliseconds, which are fewer than a process takes to be told"""
HEADER = 8


@attrs.frozen(kw_only=True)
class Job:
    """One source on one topology (at *revision*), against what is *installed*. With *compiled* only the proof is wanted."""

    topology: Topology
    revision: int
    source: str
    name: str | None
    installed: Mapping[str, Rows]
    compiled: Compiled | None = None

    @property
    def small(self) -> bool:
        rows = sum(map(len, self.installed.values()))
        return len(self.source) <= SMALL_SOURCE and max(rows, len(self.topology.nodes)) <= SMALL_STATE


def run(job: Job, recompiler: Recompiler | None = None) -> tuple[Compiled, Report]:
    """Compile, and judge the network as it would be: what is installed plus what was compiled."""
    compiled = job.compiled or (recompiler or Recompiler(job.topology, scope=job.name)).compile(job.source)
    if not compiled.ok:
        return compiled, Report(ok=False, checked={})
    try:
        wanted = wanted_of(compiled, job.name, job.installed)
    except RowConflict as conflict:
        return compiled, Report(ok=False, checked={}, violations=(_held_otherwise(compiled, conflict),))
    unreached = {node: {row.id: row for row in rows} for node, rows in compiled.rows.items() if node not in wanted}
    return compiled, Verifier(job.topology, {**wanted, **unreached}, Promises.of(compiled)).report()


def _held_otherwise(compiled: Compiled, conflict: RowConflict) -> Violation:
    """Name the row that somebody else holds with another value, and all who want it."""
    node, family, key = (str(conflict.extra[name]) for name in ("node", "family", "key"))
    wanting = next((row.owners for row in compiled.rows.get(node, ()) if row.id == (family, key)), compiled.intents)
    held: Any = conflict.extra["owners"]
    intents = tuple(sorted({*wanting, *held}))
    witness = Witness(header={}, hops=(node,))
    return Violation(check="ownership", message=conflict.detail, witness=witness, intents=intents, rows=(f"{node} {family} {key}",))


def wanted_of(compiled: Compiled, name: str | None, installed: Mapping[str, Rows]) -> dict[str, Rows]:
    """Return the rows that the devices should have. Raise RowConflict."""
    rows: Mapping[str, Sequence[Row]] = compiled.rows
    return wanted_rows(installed, rows, scope_of(compiled.intents, name, installed))


class Workshop:
    """Runs jobs, one at a time in the process; the process starts with the first large job and ends when it has nothing to do."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, Compiled] = OrderedDict()
        self._turn = asyncio.Lock()
        self.process: Process | None = None
        self._done = 0
        self._idle: asyncio.TimerHandle | None = None

    async def build(self, job: Job) -> tuple[Compiled, Report]:
        """Return what *job* compiles to and whether it holds. Raise CompilerDied."""
        text = repr((job.revision, job.name, job.source)).encode("utf-8", "surrogatepass")
        key = hashlib.sha256(text).digest()
        if key in self._kept:
            job = attrs.evolve(job, compiled=self._kept[key])
        compiled, report = await (asyncio.to_thread(run, job) if job.small else self._away(job))
        self._kept[key] = compiled
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return compiled, report

    async def close(self) -> None:
        """End the process."""
        if self._idle:
            self._idle.cancel()
        process, self.process = self.process, None
        if process:
            _end(process)
            await process.wait()

    async def _away(self, job: Job) -> tuple[Compiled, Report]:
        async with self._turn:
            if self._idle:
                self._idle.cancel()
            if self._done >= JOBS:
                await self.close()
            process = self.process or await self._start()
            answer = b""
            try:
                async with asyncio.timeout(TIMEOUT):
                    answer = await ask(process, await asyncio.to_thread(pickle.dumps, job))
            except (TimeoutError, ConnectionError, asyncio.IncompleteReadError) as error:
                raise CompilerDied("the compiler did not come to an end with this source; try a smaller one") from error
            finally:
                if not answer:  # nobody waits for it any more, or it is beyond waiting for
                    await self.close()
            self._done += 1
            self._idle = asyncio.get_running_loop().call_later(IDLE, self._retire)
            result: tuple[Compiled, Report] = await asyncio.to_thread(pickle.loads, answer)
            return result

    async def _start(self) -> Process:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = (sys.executable, "-m", "actors.workbench")
        self.process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, env=environment)
        self._done = 0
        return self.process

    def _retire(self) -> None:
        if self.process and not self._turn.locked():
            _end(self.process)  # asyncio's child watcher takes the exit status
            self.process = None


async def ask(process: Process, question: bytes) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(len(question).to_bytes(HEADER, "big") + question)
    await process.stdin.drain()
    size = int.from_bytes(await process.stdout.readexactly(HEADER), "big")
    return await process.stdout.readexactly(size)


def _end(process: Process) -> None:
    if process.returncode is None:
        process.kill()
