"""The process of a `Workshop`: reads jobs from its input and writes results to its output until the input ends."""

import os
import pickle
import sys
from typing import BinaryIO

from actors.workshop import HEADER, run


def main() -> None:
    os.nice(5)  # the hub comes first
    results = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nothing else gets among them
    while question := _read(sys.stdin.buffer):
        answer = pickle.dumps(run(pickle.loads(question)))  # noqa: S301 - from the hub that started us
        results.write(len(answer).to_bytes(HEADER, "big") + answer)
        results.flush()


def _read(stream: BinaryIO) -> bytes:
    size = int.from_bytes(stream.read(HEADER), "big")
    return stream.read(size) if size else b""


if __name__ == "__main__":
    main()
