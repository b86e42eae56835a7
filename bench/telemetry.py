"""Telemetry end to end: samples over HTTP into SQLite, bytes on disk, queries, rules, beside a Prometheus in the same run.

Starts a hub (and, where Debian's `prometheus` is installed, that) on the same machine, pushes, and reads back. Prints a table and writes
bench/results/telemetry.json. Run: python bench/telemetry.py
"""

import argparse
import asyncio
import gc
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])  # this file's own folder would make it shadow the package `telemetry`

import aiohttp  # noqa: E402
import numpy as np  # noqa: E402
import orjson  # noqa: E402

from bench.prometheus import Columns, cpu, identities, prometheus, remote_write  # noqa: E402

ROOT = str(Path(__file__).resolve().parents[1])
RESULTS = Path(__file__).parent / "results"
PASSWORD = "bench password 1"
KINDS = ("idle counters", "busy counters and gauges", "random floats")


class Table:
    """What was measured: name -> (value, unit, aim)."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}

    def add(self, name: str, value: float, unit: str, aim: str = "") -> None:
        """Keep and print a row."""
        self.rows[name] = {"value": round(value, 3), "unit": unit, "aim": aim}
        print(f"{name:<58} {value:>12,.2f} {unit:<14} {aim}", flush=True)


@asynccontextmanager
async def hub(folder: Path, **settings: str) -> AsyncIterator[tuple[aiohttp.ClientSession, int]]:
    """Run a hub as a process of its own; yield a session of its admin and its process id."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PARANET_")}
    root = ROOT
    env = {**clean, "PYTHONPATH": root, "PARANET_ADMIN_PASSWORD": PASSWORD, "PARANET_SERVER_MAX_BODY": str(64 * 2**20)}
    env |= {"PARANET_LOG_LEVEL": "WARNING", "PARANET_TELEMETRY_MAX_SERIES": "20000", **settings}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hub", "serve", "--port", "0", "--data-dir", str(folder)), stdout=asyncio.subprocess.PIPE, env=env, cwd=root
    )
    assert process.stdout is not None
    try:
        url = json.loads(await process.stdout.readline())["url"]
        async with aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(120)) as session:
            async with session.post("/api/v1/auth/login", json={"username": "admin", "password": PASSWORD}) as response:
                token = (await response.json())["access_token"]
            session.headers["Authorization"] = f"Bearer {token}"
            yield session, process.pid
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


def memory(pid: int) -> int:
    """Return the bytes a process has in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def rows(kind: str, series: int, points: int, dice: np.random.Generator) -> list[list[float]]:
    """Return values, a list a series."""
    if kind == KINDS[0]:
        idle: list[list[float]] = np.repeat(dice.integers(0, 10**9, (series, 1)).astype(float), points, axis=1).tolist()
        return idle
    if kind == KINDS[1]:
        counters = np.cumsum(dice.integers(0, 150_000, (series // 2, points)), axis=1).astype(float)
        gauges = np.round(0.5 + np.cumsum(dice.normal(0, 0.002, (series - series // 2, points)), axis=1), 3)
        return [*counters.tolist(), *gauges.tolist()]
    floats: list[list[float]] = dice.random((series, points)).tolist()
    return floats


async def push(session: aiohttp.ClientSession, body: bytes) -> Any:
    """Push a body; wait where the hub says so."""
    while True:
        async with session.post("/api/v1/monitor/metrics", data=body) as response:
            if response.status == 429:
                await asyncio.sleep(float(response.headers["Retry-After"]))
                continue
            return await response.json()


def on_disk(folder: Path) -> int:
    """Return the bytes of chunks and rollups in the database."""
    import sqlite3

    with sqlite3.connect(folder / "telemetry.sqlite3") as connection:
        pages, free, size = (connection.execute(f"PRAGMA {p}").fetchone()[0] for p in ("page_count", "freelist_count", "page_size"))
        return int((pages - free) * size)


async def ingest(table: Table, scale: float, program: str | None) -> None:
    """Columnar pushes of three kinds of data, and a flat list; the hub is stopped, so that all is on disk, before the file is looked at."""
    dice = np.random.default_rng(1)
    series, points, turns = 500, 600, max(int(6 * scale), 2)
    for kind in KINDS:
        folder = Path(tempfile.mkdtemp(prefix="bench-"))
        now = int(time.time() * 1000) // 1000 * 1000 - turns * points * 1000
        values = rows(kind, series, points * turns, dice)
        bodies = []
        for turn in range(turns):
            ts = [now + 1000 * i for i in range(turn * points, (turn + 1) * points)]
            part = [row[turn * points : (turn + 1) * points] for row in values]
            bodies.append(orjson.dumps({"series": identities("bench", series), "ts": ts, "values": part}))
        async with hub(folder) as (session, pid):
            before, began = cpu(pid), time.perf_counter()
            for body in bodies:
                answer = await push(session, body)
                assert answer["accepted"] == series * points, answer
            await settled(session)
            took, used = time.perf_counter() - began, cpu(pid) - before
        n = series * points * turns
        table.add(f"columnar over HTTP to disk, {kind}", n / took, "samples/s", "200,000")
        table.add(f"  CPU of a core, {kind}", 100 * used / took, "%")
        table.add(f"  on disk with rollups and index, {kind}", on_disk(folder) / n, "bytes/sample", "2.5" if kind != KINDS[2] else "")
        shutil.rmtree(folder)
        await peer_ingest(table, program, kind, [now + 1000 * i for i in range(points * turns)], values)
    await flat(table, scale)


async def settled(session: aiohttp.ClientSession) -> None:
    """Wait until every sample is on disk, in a chunk or in the journal, and no sealed chunk waits."""
    while True:
        async with session.get("/api/v1/system/actors/telemetry") as response:
            state = (await response.json())["state"]
        if not state["waiting"] and not state["unsaved"]:
            return
        await asyncio.sleep(0.02)


async def flat(table: Table, scale: float) -> None:
    """5,000 series a moment at a time: as a flat list of labelled samples, and as columns."""
    turns = max(int(120 * scale), 20)
    names = identities("flat", 5000)
    for kind in ("labelled JSON", "columnar, one moment a request,"):
        folder, now = Path(tempfile.mkdtemp(prefix="bench-")), int(time.time() * 1000) - 600_000
        bodies = []
        for t in range(turns):
            if kind == "labelled JSON":
                bodies.append(orjson.dumps([{**s, "ts": now + 1000 * t, "value": t * 1.5} for s in names]))
            else:
                bodies.append(orjson.dumps({"series": names, "ts": [now + 1000 * t], "values": [[t * 1.5]] * 5000}))
        async with hub(folder) as (session, pid):
            before, began = cpu(pid), time.perf_counter()
            for body in bodies:
                assert (await push(session, body))["accepted"] == 5000
            await settled(session)
            took, used = time.perf_counter() - began, cpu(pid) - before
        table.add(f"{kind} over HTTP to disk", 5000 * turns / took, "samples/s", "60,000" if kind == "labelled JSON" else "")
        table.add("  CPU of a core", 100 * used / took, "%")
        shutil.rmtree(folder)


async def footprint(table: Table) -> None:
    """Memory of 20,000 series with a full hot window, and what becomes of 100,000 against the cap."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    now = int(time.time() * 1000) - 900_000
    async with hub(folder) as (session, pid):
        before = memory(pid)
        for points in range(0, 599, 50):
            ts = [now + 1000 * i for i in range(points, min(points + 50, 599))]
            for start in range(0, 20_000, 1000):
                part = {"series": identities(f"m{start}", 1000), "ts": ts, "values": [[1.5] * len(ts)] * 1000}
                await push(session, orjson.dumps(part))
        await settled(session)
        table.add("memory of a series with 599 samples, 20,000 series", (memory(pid) - before) / 20_000 / 1024, "KiB", "12")
        more = orjson.dumps([{"metric": f"more{i}", "labels": {}, "ts": now, "value": 1} for i in range(80_000)])
        answer = await push(session, more)
        table.add("refused of 80,000 series above the cap", answer["rejected"]["over_limit"], "samples", "80,000")
    shutil.rmtree(folder)


async def queries(table: Table, scale: float, program: str | None) -> None:
    """500 series over an hour, from disk; the same at a Prometheus that took the same samples."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    dice = np.random.default_rng(2)
    end = int(time.time()) // 60 * 60
    turns = max(int(40 * scale), 8)
    span = 3600 + 150 * turns  # every query finds a whole hour
    moments = [end - 150 * i for i in range(turns)]
    for interval in (10, 1):
        shutil.rmtree(folder, ignore_errors=True)
        points = span // interval
        values = rows(KINDS[1], 500, points, dice)
        ts = [(end - span + interval * (i + 1)) * 1000 for i in range(points)]
        async with hub(folder) as (session, _):
            for start in range(0, points, 600):
                part = {"ts": ts[start : start + 600], "values": [row[start : start + 600] for row in values]}
                await push(session, orjson.dumps({"series": identities("cold_total", 500), **part}))
        gc.freeze()  # or every eighth answer waits while this client's collector walks through millions of samples
        async with hub(folder) as (session, pid):
            before = cpu(pid)
            took = [await timed_query(session, moment) for moment in moments]
            used = cpu(pid) - before
        table.add(f"500 series x 1 h of {interval} s, sum by (rate), cold, p95", 1000 * quantile(took, 0.95), "ms", "150")
        table.add("  median", 1000 * statistics.median(took), "ms")
        table.add("  CPU of each", 1000 * used / turns, "ms")
        if program is not None:
            await peer_queries(table, program, (ts, values), moments, interval)
    shutil.rmtree(folder, ignore_errors=True)


QUERY = "sum by (node) (rate(cold_total[1m]))"


async def timed_query(session: aiohttp.ClientSession, end: int, prefix: str = "/prometheus") -> float:
    """Return the seconds that a range query of an hour takes."""
    began = time.perf_counter()
    form = {"query": QUERY, "start": str(end - 3600), "end": str(end), "step": "15"}
    async with session.post(f"{prefix}/api/v1/query_range", data=form) as response:
        body = await response.json()
        assert body["status"] == "success", body
        assert len(body["data"]["result"]) == 50
    return time.perf_counter() - began


def quantile(values: list[float], q: float) -> float:
    """Return a quantile of what was measured."""
    return sorted(values)[min(int(q * len(values)), len(values) - 1)]


async def peer_ingest(table: Table, program: str | None, kind: str, ts: list[int], values: list[list[float]]) -> None:
    """The same samples into a Prometheus: how fast, at what cost, and how many bytes a sample its blocks have."""
    if program is None:
        return
    async with prometheus(program) as (session, pid, folder):
        took, used = await remote_write(session, pid, "bench", (ts, values))
        async with session.post("/api/v1/admin/tsdb/snapshot") as response:
            name = (await response.json())["data"]["name"]
        size = sum(file.stat().st_size for file in (folder / "data" / "snapshots" / name).rglob("*") if file.is_file())
    n = len(ts) * len(values)
    table.add(f"Prometheus: remote-write, {kind}", n / took, "samples/s")
    table.add(f"  CPU of a core, {kind}", 100 * used / took, "%")
    table.add(f"  blocks with index, {kind}", size / n, "bytes/sample")


async def peer_queries(table: Table, program: str, samples: Columns, moments: list[int], interval: int) -> None:
    """The same samples in a Prometheus, and the same queries."""
    async with prometheus(program) as (session, pid, _):
        await remote_write(session, pid, "cold_total", samples)
        before = cpu(pid)
        times = [await timed_query(session, moment, "") for moment in moments]
        used = cpu(pid) - before
    table.add(f"Prometheus: the same of {interval} s, p95", 1000 * quantile(times, 0.95), "ms")
    table.add("  median", 1000 * statistics.median(times), "ms")
    table.add("  CPU of each", 1000 * used / len(moments), "ms")


async def rules(table: Table) -> None:
    """5,000 rules every second, and how soon a sample is an alert frame."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    async with hub(folder, PARANET_TELEMETRY_FLUSH_EVERY="1.0") as (session, pid):
        names = identities("load", 500)

        async def feed(value: float) -> None:
            now = int(time.time() * 1000)
            await push(session, orjson.dumps({"series": names, "ts": [now], "values": [[value]] * 500}))

        await feed(1.0)
        before, began = cpu(pid), time.perf_counter()
        await asyncio.sleep(5)
        idle = (cpu(pid) - before) / (time.perf_counter() - began)
        for i in range(5000):
            rule = {"name": f"rule {i}", "expr": f'load{{link="l{i % 500}"}} > {5 + i}', "interval": 1}
            async with session.post("/api/v1/monitor/alerts/rules", json=rule) as response:
                assert response.status == 201, await response.text()
        await asyncio.sleep(2)
        before, began = cpu(pid), time.perf_counter()
        for _ in range(10):
            await feed(1.0)
            await asyncio.sleep(1)
        used = (cpu(pid) - before) / (time.perf_counter() - began)
        table.add("5,000 rules every second, CPU of a core above idle", 100 * (used - idle), "%", "30")
    shutil.rmtree(folder)
    await latency(table)


async def latency(table: Table) -> None:
    """From the push of a sample until its alert's frame is here, over a WebSocket."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    took = []
    async with hub(folder) as (session, _):
        rule = {"name": "hot", "expr": "heat > 5", "trigger": "sample", "flap": None}
        async with session.post("/api/v1/monitor/alerts/rules", json=rule) as response:
            assert response.status == 201, await response.text()
        async with session.ws_connect("/ws") as socket:
            await socket.send_json({"type": "sub", "id": 1, "ch": "alerts"})
            for turn in range(200):
                value = 9 if turn % 2 == 0 else 1
                body = orjson.dumps([{"metric": "heat", "labels": {}, "ts": int(time.time() * 1000), "value": value}])
                began = time.perf_counter()
                await push(session, body)
                wanted = b'"state":"firing"' if value == 9 else b'"state":"resolved"'
                while True:
                    message = await socket.receive(timeout=10)
                    if isinstance(message.data, str) and '"type":"events"' in message.data and wanted.decode() in message.data:
                        break
                took.append(time.perf_counter() - began)
                await asyncio.sleep(0.005)
    table.add("sample to alert frame, p99", 1000 * quantile(took, 0.99), "ms", "50")
    table.add("  median", 1000 * statistics.median(took), "ms")
    shutil.rmtree(folder)


async def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="how long it takes, 1 is a few minutes")
    parser.add_argument("--only", choices=("ingest", "footprint", "queries", "rules"))
    options = parser.parse_args()
    table, program = Table(), shutil.which("prometheus")
    if options.only in (None, "ingest"):
        await ingest(table, options.scale, program)
    if options.only in (None, "footprint"):
        await footprint(table)
    if options.only in (None, "queries"):
        await queries(table, options.scale, program)
    if options.only in (None, "rules"):
        await rules(table)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "telemetry.json").write_text(json.dumps(table.rows, indent=2))


if __name__ == "__main__":
    asyncio.run(main())
