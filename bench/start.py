"""Cold start and idle memory of a hub with the demo: process start to the ready line, then resident memory when it is calm.

Prints a table and writes bench/results/start.json. Run: python bench/start.py
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
SETTLE = 5.0
"""seconds from ready until memory is read: the demo's deployment is over and telemetry flows"""


def start(data_dir: Path) -> tuple[subprocess.Popen[bytes], float]:
    """Start a hub; return it with the seconds it took to say ready."""
    environment = {**os.environ, "PARANET_ADMIN_PASSWORD": "benchmark only"}
    command = [sys.executable, "-m", "hub", "serve", "--port", "0", "--demo", "--data-dir", str(data_dir)]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    assert process.stdout is not None
    line = process.stdout.readline()
    took = time.perf_counter() - began
    assert json.loads(line)["ready"]
    return process, took


def resident(process: subprocess.Popen[bytes]) -> float:
    """Return the resident memory in MB (10^6 bytes)."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) * 1024 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    first: list[float] = []
    again: list[float] = []
    memory: list[float] = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            for times in (first, again):
                process, took = start(Path(folder) / "data")
                times.append(took)
                if times is again:
                    time.sleep(SETTLE)
                    memory.append(resident(process))
                process.terminate()
                process.wait()
    rows = (
        ("first start to ready (makes the account, loads and compiles the demo)", first, "s", 1.5),
        ("later start to ready", again, "s", 1.5),
        ("idle memory with the demo", memory, "MB", 120.0),
    )
    print(f"{'':70} {'min':>8} {'median':>8} {'max':>8}  aim")
    for name, values, unit, aim in rows:
        print(f"{name:70} {min(values):8.2f} {statistics.median(values):8.2f} {max(values):8.2f}  < {aim:g} {unit}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "start.json").write_text(
        json.dumps({name: {"values": values, "unit": unit, "aim": aim} for name, values, unit, aim in rows})
    )


if __name__ == "__main__":
    main()
