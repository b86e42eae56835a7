"""Topologies through a running hub: imports, GET /topology, and one node under wrk beside FastAPI with Pydantic.

Prints a table and writes bench/results/topology.json. Run: python bench/topology.py [--kdl zoo-Kdl.graphml] [--fastapi VENV/bin/python]
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PASSWORD = "benchmark only"
NODE = {
    "id": "n1",
    "name": "Amsterdam",
    "location": {"latitude": 52.37, "longitude": 4.9},
    "region": "NL",
    "interfaces": [{"name": "lo", "address": "10.255.0.1/32"}, {"name": "eth0", "address": "10.0.0.0/31"}],
    "management": {"driver": "simulated"},
    "properties": {"rack": 7},
}
PEER = """
import sys, uvicorn
from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel

class Location(BaseModel):
    latitude: float
    longitude: float
    altitude: float | None = None

class Interface(BaseModel):
    name: str
    address: str | None = None
    secondary: list[str] = []

class Management(BaseModel):
    driver: str
    address: str | None = None
    credentials: str | None = None

class Node(BaseModel):
    id: str
    name: str
    type: str = "router"
    interfaces: list[Interface] = []
    modalities: list[str] = ["ip"]
    capabilities: list[str] = []
    prefixes: list[str] = []
    location: Location | None = None
    display: dict[str, float] | None = None
    region: str | None = None
    management: Management | None = None
    properties: dict[str, object] = {}

app = FastAPI()
node = Node.model_validate_json(sys.argv[2])

@app.get("/nodes/{id}")
async def get_node(id: str) -> Node:
    if id != node.id:
        raise HTTPException(404)
    return node

uvicorn.run(app, port=int(sys.argv[1]), log_level="error", access_log=False, loop="uvloop", http="httptools")
"""


class Hub:
    """A hub in a process of its own, and our admin's token."""

    def __init__(self, url: str) -> None:
        self.url = url + "/api/v1"
        body = json.dumps({"username": "admin", "password": PASSWORD}).encode()
        self.token = json.loads(self.ask("POST", "/auth/login", body, "application/json")[1])["access_token"]

    def ask(
        self, method: str, path: str, body: bytes | None = None, kind: str = "application/octet-stream", **headers: str
    ) -> tuple[float, bytes]:
        """Return how many seconds the answer took, and the answer."""
        sent = {"Content-Type": kind, **{k.replace("_", "-"): v for k, v in headers.items()}}
        if hasattr(self, "token"):
            sent["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(self.url + path, data=body, method=method, headers=sent)
        began = time.perf_counter()
        try:
            with urllib.request.urlopen(request) as answer:
                raw = answer.read()
        except urllib.error.HTTPError as error:
            if error.code != 304:
                raise
            raw = b""
        return time.perf_counter() - began, raw


@contextmanager
def hub() -> Iterator[Hub]:
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PARANET_ADMIN_PASSWORD": PASSWORD, "PARANET_NETWORK_INTERVAL": "3600"}  # the simulator rests
        command = [sys.executable, "-m", "hub", "serve", "--port", "0", "--data-dir", str(Path(folder) / "data")]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
        try:
            assert process.stdout is not None
            yield Hub(json.loads(process.stdout.readline())["url"])
        finally:
            process.terminate()
            process.wait()


def grid(count: int) -> bytes:
    """Return a network of *count* nodes with twice as many links, as native JSON."""
    side = int(count**0.5) + 1
    nodes = [{**NODE, "id": f"n{i}", "interfaces": [], "location": {"latitude": i % 90, "longitude": i % 180}} for i in range(count)]
    pairs = [(i, j) for i in range(count) for j in (i + 1, i + side) if j < count]
    links = [{"id": f"l{n}", "source": {"node": f"n{a}"}, "target": {"node": f"n{b}"}} for n, (a, b) in enumerate(pairs)]
    return json.dumps({"nodes": nodes, "links": links}).encode()


def imports(server: Hub, data: bytes, runs: int) -> list[float]:
    """Return the ms that importing takes, end to end, each time into an empty topology."""
    found = []
    for _ in range(runs):
        server.ask("POST", "/topology/import", b'{"nodes": []}')
        found.append(server.ask("POST", "/topology/import?format=" + ("graphml" if data[:1] == b"<" else "node-link"), data)[0] * 1e3)
    return found


def reads(server: Hub, runs: int) -> tuple[list[float], list[float]]:
    """Return the ms of GET /topology with 1,000 nodes, and of the 304, client and loopback included."""
    server.ask("POST", "/topology/import", grid(1000), "application/json")
    revision = json.loads(server.ask("GET", "/topology")[1])["revision"]
    whole = [server.ask("GET", "/topology")[0] * 1e3 for _ in range(runs)]
    unchanged = [server.ask("GET", "/topology", If_None_Match=f'"{revision}"')[0] * 1e3 for _ in range(runs)]
    return whole, unchanged


def wrk(url: str, seconds: int, *headers: str) -> float:
    """Return requests per second over 32 connections of one thread."""
    flags = [flag for header in headers for flag in ("-H", header)]
    command = ["wrk", "-t1", "-c32", f"-d{seconds}s", *flags, url]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in out, out
    return next(float(line.split()[1]) for line in out.splitlines() if line.startswith("Requests/sec"))


@contextmanager
def peer(python: str, port: int) -> Iterator[str]:
    process = subprocess.Popen([python, "-c", PEER, str(port), json.dumps(NODE)])
    url = f"http://127.0.0.1:{port}/nodes/n1"
    try:
        for _ in range(100):
            try:
                urllib.request.urlopen(url).read()
                break
            except OSError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait()


def under_wrk(server: Hub, python: str | None, seconds: int) -> dict[str, list[float]]:
    """Return requests per second of one node, ours and theirs by turns."""
    server.ask("POST", "/topology/import", json.dumps({"nodes": [NODE]}).encode(), "application/json")
    ours, theirs = [], []
    for _ in range(3):
        ours.append(wrk(f"{server.url}/topology/nodes/n1", seconds, f"Authorization: Bearer {server.token}"))
        if python:
            with peer(python, 18_765) as url:
                theirs.append(wrk(url, seconds))
    return {"ours": ours} | ({"theirs": theirs} if theirs else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kdl", type=Path, help="the Topology Zoo's Kdl.graphml, which TopoHub lacks")
    parser.add_argument("--fastapi", help="a Python with fastapi, uvicorn, uvloop and httptools")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=5)
    options = parser.parse_args()
    rows: list[tuple[str, list[float], str, str]] = []
    with hub() as server:
        if options.kdl:
            rows.append(
                ("import Kdl (754 nodes, 899 links), GraphML", imports(server, options.kdl.read_bytes(), options.runs), "ms", "<= 150")
            )
        rows.append(
            ("import backbone/world (3,815 nodes, 5,189 links), node-link", imports(server, world(), options.runs), "ms", "<= 1000")
        )
        whole, unchanged = reads(server, 10 * options.runs)
        rows.append(("GET /topology of 1,000 nodes", whole, "ms", "<= 15"))
        rows.append(("the same, 304", unchanged, "ms", "<= 1"))
        if shutil.which("wrk"):
            found = under_wrk(server, options.fastapi, options.seconds)
            rows.append(("GET one node, wrk -c32, sign-in checked", found["ours"], "/s", ">= 2x FastAPI"))
            if "theirs" in found:
                rows.append(("FastAPI + Pydantic, no sign-in", found["theirs"], "/s", ""))
    show(rows)


def world() -> bytes:
    import topohub

    data: Any = topohub.get("backbone/world")
    data["graph"]["demands"] = {}
    return json.dumps(data).encode()


def show(rows: list[tuple[str, list[float], str, str]]) -> None:
    print(f"{'':62} {'min':>9} {'median':>9} {'max':>9}  aim")
    for name, values, unit, aim in rows:
        print(f"{name:62} {min(values):9.2f} {statistics.median(values):9.2f} {max(values):9.2f}  {aim} {unit}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "topology.json").write_text(json.dumps({name: {"values": v, "unit": unit, "aim": aim} for name, v, unit, aim in rows}))


if __name__ == "__main__":
    main()
