"""A Prometheus beside the hub: started for a measurement, fed by remote-write with the same samples."""

import asyncio
import os
import shutil
import socket
import struct
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import cramjam


def cpu(pid: int) -> float:
    """Return the CPU seconds a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def identities(metric: str, series: int) -> list[dict[str, Any]]:
    """Return series as a push names them."""
    return [{"metric": metric, "labels": {"node": f"r{i % 50}", "interface": f"eth{i // 50}", "link": f"l{i}"}} for i in range(series)]


def varint(value: int) -> bytes:
    """Return a protobuf varint."""
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number: int, body: bytes) -> bytes:
    """Return a length-delimited protobuf field."""
    return varint(number << 3 | 2) + varint(len(body)) + body


def written(names: list[dict[str, Any]], ts: list[int], values: list[list[float]]) -> bytes:
    """Return a remote-write body."""
    out = []
    for name, row in zip(names, values, strict=True):
        labels = sorted({"__name__": name["metric"], **name["labels"]}.items())
        pairs = b"".join(field(1, field(1, k.encode()) + field(2, v.encode())) for k, v in labels)
        samples = b"".join(field(2, b"\x09" + struct.pack("<d", v) + b"\x10" + varint(t)) for t, v in zip(ts, row, strict=True))
        out.append(field(1, pairs + samples))
    return bytes(cramjam.snappy.compress_raw(b"".join(out)))


@asynccontextmanager
async def prometheus(program: str) -> AsyncIterator[tuple[aiohttp.ClientSession, int, Path]]:
    """Run a Prometheus that takes remote-write; yield a session, its process id and its folder."""
    folder = Path(tempfile.mkdtemp(prefix="bench-prometheus-"))
    (folder / "p.yml").write_text("global: {}\n")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    flags = ("--web.enable-remote-write-receiver", "--web.enable-admin-api", f"--storage.tsdb.path={folder / 'data'}")
    command = (program, f"--config.file={folder / 'p.yml'}", "--log.level=error", f"--web.listen-address=127.0.0.1:{port}", *flags)
    process = await asyncio.create_subprocess_exec(*command)
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", timeout=aiohttp.ClientTimeout(120)) as session:
            for _ in range(200):
                with suppress(aiohttp.ClientError):
                    async with session.get("/-/ready") as response:
                        if response.status == 200:
                            break
                await asyncio.sleep(0.1)
            yield session, process.pid, folder
    finally:
        process.terminate()
        await process.wait()
        shutil.rmtree(folder)


Columns = tuple[list[int], list[list[float]]]
"""times, and values of each series"""


async def remote_write(session: aiohttp.ClientSession, pid: int, metric: str, samples: Columns) -> tuple[float, float]:
    """Write 50 samples of each series a request, of bodies made before; return the seconds and the other side's CPU seconds."""
    ts, values = samples
    names = identities(metric, len(values))
    bodies = [written(names, ts[i : i + 50], [row[i : i + 50] for row in values]) for i in range(0, len(ts), 50)]
    before, began = cpu(pid), time.perf_counter()
    for body in bodies:
        async with session.post("/api/v1/write", data=body, headers={"Content-Encoding": "snappy"}) as response:
            assert response.status == 204, await response.text()
    return time.perf_counter() - began, cpu(pid) - before
