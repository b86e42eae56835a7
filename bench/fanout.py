"""What a delivered WebSocket message costs the server, beside FastAPI, aiohttp and Node's ws in one run; and what clients cost it.

Every server runs in a process of its own; the clients are bare sockets in this one, which count frames. CPU is the server's own (user and
system) from before the first event until every client has all of them. Peers that are not found are left out: --peers names a Python
with fastapi, uvicorn and aiohttp, --node a folder in which `npm i ws` was run. Prints tables and writes bench/results/fanout.json.

Run: python bench/fanout.py [--peers PYTHON] [--node FOLDER] [--many 5000]
"""

import argparse
import base64
import json
import os
import re
import selectors
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PORT = 18_700
PASSWORD = "benchmark-password"
CLIENTS, EVENTS = 500, 800
BATCHES = (1, 8, 40)
"""events to a write; the last is full speed: what fills the 64 KiB that the hub writes at most at once"""
EVENT = {"ts": 1795377577000, "node": "paris", "text": "x" * 1500}
"""about 1.6 KB as JSON with its envelope"""
LAST = re.compile(rb'"to":(\d+)')
"""the last offset of a frame"""
PAIRS = 10
"""measurements with and without a stalled client"""
SUB = {"type": "sub", "id": 1, "ch": "bench"}


class Reader:
    """One client: a socket whose frames are counted; *stamps* keeps when frames came, *heads* how they begin, if wanted."""

    __slots__ = ("_head", "_skip", "frames", "heads", "sock", "stamps")

    def __init__(self, port: int, path: str, headers: str, first: dict[str, Any] | None, rcvbuf: int | None = None) -> None:
        self.sock = socket.socket()
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.connect(("127.0.0.1", port))
        key = base64.b64encode(os.urandom(16)).decode()
        self.sock.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{headers}\r\n".encode()
        )
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.sock.recv(1)
        assert answer.startswith(b"HTTP/1.1 101"), answer
        if first is not None:
            raw = json.dumps(first).encode()
            assert len(raw) < 126
            self.sock.sendall(bytes([0x81, 0x80 | len(raw), 0, 0, 0, 0]) + raw)
        self.sock.setblocking(False)
        self.frames = 0
        self.stamps: list[float] | None = None
        self.heads: list[bytes] | None = None
        self._head = b""
        self._skip = 0

    def read(self) -> None:
        """Count the frames of what has come."""
        try:
            data = self._head + self.sock.recv(2**18)
        except BlockingIOError:
            return
        at = self._skip
        end = len(data)
        while at + 2 <= end:
            size, head = data[at + 1] & 127, 2
            if size == 126:
                if at + 4 > end:
                    break
                size, head = struct.unpack_from("!H", data, at + 2)[0], 4
            elif size == 127:
                if at + 10 > end:
                    break
                size, head = struct.unpack_from("!Q", data, at + 2)[0], 10
            if self.heads is not None:
                self.heads.append(data[at + head : at + head + 200])
            at += head + size
            self.frames += 1
            if self.stamps is not None:
                self.stamps.append(time.time())
        self._head = data[at:] if at < end else b""
        self._skip = max(0, at - end)


class Crowd:
    """All clients of one server."""

    def __init__(self, port: int, path: str, headers: str, first: dict[str, Any] | None, count: int) -> None:
        self.selector = selectors.DefaultSelector()
        self.readers = [Reader(port, path, headers, first) for _ in range(count)]
        for reader in self.readers:
            self.selector.register(reader.sock, selectors.EVENT_READ, reader)

    def turn(self, timeout: float = 0.05) -> None:
        """Read what there is."""
        for key, _ in self.selector.select(timeout):
            key.data.read()

    def settle(self, seconds: float = 0.5) -> None:
        """Read until nothing has come for that long; frames counted so far are forgotten."""
        quiet = time.monotonic() + seconds
        while time.monotonic() < quiet:
            if self.selector.select(0.05):
                self.turn(0)
                quiet = time.monotonic() + seconds
        for reader in self.readers:
            reader.frames = 0

    def until(self, frames: int, within: float = 120.0) -> None:
        """Read until every client has that many frames."""
        ends = time.monotonic() + within
        while min(reader.frames for reader in self.readers) < frames:
            self.turn()
            assert time.monotonic() < ends, sorted(reader.frames for reader in self.readers)[:5]

    def close(self) -> None:
        """Leave."""
        for reader in self.readers:
            reader.sock.close()


def get(port: int, path: str, **query: Any) -> dict[str, Any]:
    """Return a JSON answer."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}?{urllib.parse.urlencode(query)}", timeout=300) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


@contextmanager
def serving(command: list[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until it is no longer needed."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=HERE.parent)
    try:
        for _ in range(200):
            try:
                get(port, "/cpu")
                break
            except OSError:
                time.sleep(0.1)
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


class Go:
    """A call of /go that runs while this process reads."""

    def __init__(self, port: int, **query: Any) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.sendall(f"GET /go?{urllib.parse.urlencode(query)} HTTP/1.0\r\n\r\n".encode())

    def close(self) -> None:
        """Wait for its end."""
        while self.sock.recv(2**16):
            pass
        self.sock.close()


def cost(name: str, crowd: Crowd, control: int, batch: int, **query: Any) -> float:
    """Return the microseconds of server CPU a delivered message took."""
    body = json.dumps(EVENT)
    crowd.settle()
    before = get(control, "/cpu")["cpu"]
    go = Go(control, events=EVENTS, batch=batch, body=body, **query)
    crowd.until(EVENTS)
    go.close()
    spent = get(control, "/cpu")["cpu"] - before
    found = float(spent / (EVENTS * len(crowd.readers)) * 1e6)
    print(f"{name:<44}{'own write' if batch == 1 else f'{batch} to a write':<16}{found:8.2f} us", flush=True)
    return found


def token(port: int) -> str:
    """Sign in as admin; return the header."""
    body = json.dumps({"username": "admin", "password": PASSWORD}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/auth/login", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return f"Authorization: Bearer {json.load(answer)['access_token']}\r\n"


def hub(port: int, *more: str) -> list[str]:
    """Return how the hub under test is started."""
    return [sys.executable, str(HERE / "peers" / "fanout_hub.py"), str(port), *more]


def costs(options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Measure every server that is there."""
    found: dict[str, dict[str, float]] = {}
    with serving(hub(PORT), PORT + 1):
        header = token(PORT)
        for name, extra in (("paranet", ""), ("paranet, deflated", "Sec-WebSocket-Extensions: permessage-deflate\r\n")):
            crowd = Crowd(PORT, "/ws", header + extra, SUB, CLIENTS)
            found[name] = {str(batch): cost(name, crowd, PORT + 1, batch) for batch in BATCHES}
            crowd.close()
    peers: list[tuple[str, list[str], str]] = []
    if options.peers:
        fastapi = [options.peers, "-m", "uvicorn", "--loop", "uvloop", "--log-level", "error", "--ws-per-message-deflate", "false"]
        fastapi += ["--app-dir", str(HERE / "peers"), "--port", str(PORT), "fanout_fastapi:app"]
        peers += [(f"FastAPI + uvicorn {how}", fastapi, how) for how in ("send_json", "send_text")]
        peers.append(("aiohttp send_str", [options.peers, str(HERE / "peers" / "fanout_aiohttp.py"), str(PORT)], "send_str"))
    if options.node and shutil.which("node"):
        peers.append(("Node ws", ["node", str(HERE / "peers" / "fanout_ws.mjs"), str(PORT), options.node], "send"))
    for name, command, how in peers:
        with serving(command, PORT):
            crowd = Crowd(PORT, "/ws", "", None, CLIENTS)
            found[name] = {str(batch): cost(name, crowd, PORT, batch, how=how) for batch in BATCHES}
            crowd.close()
    return found


def memory() -> dict[str, float]:
    """Return the bytes an idle client costs the hub, plain and with deflate negotiated."""
    found = {}
    for name, extra in (("plain", ""), ("deflate", "Sec-WebSocket-Extensions: permessage-deflate\r\n")):
        with serving(hub(PORT), PORT + 1):
            header = token(PORT)
            warm = Crowd(PORT, "/ws", header + extra, SUB, 200)
            warm.settle()
            before = get(PORT + 1, "/cpu")["rss"]
            crowd = Crowd(PORT, "/ws", header + extra, SUB, 2000)
            crowd.settle()
            found[name] = (get(PORT + 1, "/cpu")["rss"] - before) / 2000
            crowd.close()
            warm.close()
        print(f"idle client, {name}: {found[name] / 1024:.1f} KiB", flush=True)
    return found


def delays(crowd: Crowd, events: int, pause: float) -> list[float]:
    """Publish events apart from each other; return how long each client waited for each, from the first client's receipt on."""
    for reader in crowd.readers:
        reader.stamps = []
    crowd.settle()
    for reader in crowd.readers:
        reader.stamps = []
    go = Go(PORT + 1, events=events, batch=1, body=json.dumps(EVENT), pause=pause)
    crowd.until(events)
    go.close()
    found = []
    for n in range(events):
        came = [reader.stamps[n] for reader in crowd.readers if reader.stamps]
        first = min(came)
        found += [stamp - first for stamp in came]
    return found


def p99(values: list[float]) -> float:
    """Return the 99th percentile."""
    return statistics.quantiles(values, n=100)[98]


def stalled() -> dict[str, float]:
    """Return the others' p99 in ms without and with a client that reads nothing, their change in percent, and its cost in bytes.

    Both arms publish 1.3 MB quickly, then are measured; they take turns, so that what else the machine does meets both.
    The client is as far behind by then as it may be, and has not been let go yet.
    """
    pairs: list[tuple[float, float]] = []
    backlogs, kernel, growth = [], [], []
    with serving(hub(PORT), PORT + 1):
        header = token(PORT)
        crowd = Crowd(PORT, "/ws", header, SUB, CLIENTS - 1)
        for _ in range(4):  # until the channel's ring is full
            _flood(crowd)
        delays(crowd, 100, 0.03)
        for _ in range(PAIRS):
            usual = _flood(crowd)
            without = p99(delays(crowd, 100, 0.03))
            deaf = Reader(PORT, "/ws", header, SUB, rcvbuf=4096)
            growth.append(_flood(crowd) - usual)
            backlogs.append(get(PORT + 1, "/cpu")["largest_backlog"])
            kernel.append(_unsent(deaf))
            pairs.append((without, p99(delays(crowd, 100, 0.03))))
            deaf.sock.close()
        crowd.close()
    found = {
        "without_ms": statistics.median(without for without, _ in pairs) * 1e3,
        "with_ms": statistics.median(with_one for _, with_one in pairs) * 1e3,
        "change_percent": (statistics.median(with_one / without for without, with_one in pairs) - 1) * 100,
        "backlog": max(backlogs),
        "kernel": max(kernel),
        "rss_growth": statistics.median(growth),
    }
    print(f"one of {CLIENTS} stalled: p99 of the others {found['without_ms']:.2f} -> {found['with_ms']:.2f} ms,", end=" ")
    print(f"median change of {PAIRS} pairs {found['change_percent']:+.1f} %,", end=" ")
    sizes = [found[name] / 1024 for name in ("backlog", "kernel", "rss_growth")]
    print("backlog {:.0f} KiB, in the kernel {:.0f} KiB, memory grew by {:.0f} KiB more".format(*sizes), flush=True)
    return found


def _unsent(reader: Reader) -> int:
    """Return the bytes the kernel holds for a client of the hub: written, and not acknowledged."""
    end = f":{reader.sock.getsockname()[1]:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[2].endswith(end):
            return int(fields[4].partition(":")[0], 16)
    return 0


def _flood(crowd: Crowd) -> int:
    """Publish 1.3 MB, slowly enough for all who read; return the bytes of memory by which the hub has grown."""
    crowd.settle(0.3)
    before = get(PORT + 1, "/cpu")["rss"]
    go = Go(PORT + 1, events=800, batch=8, body=json.dumps(EVENT), pause=0.01)
    crowd.until(800)
    go.close()
    return int(get(PORT + 1, "/cpu")["rss"] - before)


def many(count: int) -> dict[str, float]:
    """Connect *count* clients to the demo's telemetry at 1 Hz; return p99 in ms from publication to receipt, and of the loop's lag.

    The clients share one process, whose own slowness counts against the hub.
    """
    with serving(hub(PORT, "demo"), PORT + 1):
        header = token(PORT)
        crowd = Crowd(PORT, "/ws", header, {"type": "sub", "id": 1, "ch": "telemetry"}, count)
        ends = time.monotonic() + 65  # the loop's lag is that of the last minute: let the arrivals pass out of it
        while time.monotonic() < ends:
            crowd.turn()
        crowd.settle(0.3)
        for reader in crowd.readers:
            reader.stamps, reader.heads = [], []
        ends = time.monotonic() + 30
        while time.monotonic() < ends:
            crowd.turn()
        crowd.settle(0.3)
        state = get(PORT + 1, "/cpu")
        published = get(PORT + 1, "/published")
        spans = []
        for reader in crowd.readers:
            for stamp, head in zip(reader.stamps or (), reader.heads or (), strict=True):
                last = LAST.search(head)  # None where the frame came in two pieces, the first a very short one
                spans += [stamp - published[last[1].decode()]] if last else []
        found = {
            "clients": state["clients"],
            "p99_ms": p99(spans) * 1e3,
            "lag_p99_ms": state["lag_p99"] * 1e3,
            "rss_mib": state["rss"] / 2**20,
        }
        crowd.close()
    print(f"{found['clients']:.0f} clients, telemetry at 1 Hz: event to socket p99 {found['p99_ms']:.0f} ms,", end=" ")
    print(f"loop lag p99 {found['lag_p99_ms']:.0f} ms, {found['rss_mib']:.0f} MiB", flush=True)
    return found


def main() -> None:
    """Measure, print, write down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", help="a Python with fastapi, uvicorn[standard] and aiohttp")
    parser.add_argument("--node", help="a folder with Node's ws")
    parser.add_argument("--many", type=int, default=5000)
    parser.add_argument("--only", choices=("costs", "memory", "stalled", "many"))
    options = parser.parse_args()
    parts: dict[str, Callable[[], object]] = {
        "costs": partial(costs, options),
        "memory": memory,
        "stalled": stalled,
        "many": partial(many, options.many),
    }
    found = {name: part() for name, part in parts.items() if options.only in (None, name)}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "fanout.json").write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
