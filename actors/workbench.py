"""The process of a `Workshop`: reads jobs from its input and writes results to its output until the input ends."""

import gc
import os
import pickle
import sys
from typing import BinaryIO

from actors.workshop import HEADER, Job, run
from paranet.compiler.incremental import Recompiler
from paranet.models.intent import Compiled, Report


class Bench:
    """Keeps the last compilation at hand: the next source is most often the same with a change."""

    def __init__(self) -> None:
        self._kept: tuple[tuple[int, str | None], Recompiler] | None = None

    def run(self, job: Job) -> tuple[Compiled, Report]:
        key = job.revision, job.name
        if self._kept is None or self._kept[0] != key:
            self._kept = key, Recompiler(job.topology, scope=job.name)
        return run(job, self._kept[1])


def main() -> None:
    os.nice(5)  # the hub comes first
    results = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nothing else gets among them
    bench = Bench()
    gc.disable()  # a compilation makes many objects and next to no garbage: collecting while it runs takes half of its time
    while question := _read(sys.stdin.buffer):
        answer = pickle.dumps(bench.run(pickle.loads(question)))  # noqa: S301 - from the hub that started us
        results.write(len(answer).to_bytes(HEADER, "big") + answer)
        results.flush()
        gc.collect()


def _read(stream: BinaryIO) -> bytes:
    size = int.from_bytes(stream.read(HEADER), "big")
    return stream.read(size) if size else b""


if __name__ == "__main__":
    main()
