"""Intents: a network of 100 nodes, 1,000 and 5,000 routes; compile, compile and verify, compile again after one change, parse.

Prints a table and writes bench/results/intent.json. Run: python -m bench.intent
"""

import argparse
import gc
import json
import random
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from paranet.compiler import compile_source
from paranet.compiler.diagnostics import Log
from paranet.compiler.incremental import Recompiler
from paranet.compiler.parser import parse
from paranet.models.topology import Endpoint, Interface, Link, Node, Topology
from paranet.models.units import Bandwidth
from paranet.verifier import Promises, Verifier

RESULTS = Path(__file__).parent / "results"


def network(count: int = 100, seed: int = 1) -> Topology:
    """Return a ring of *count* routers with two random chords a node."""
    rng = random.Random(seed)
    nodes = [Node(id=f"r{i:03}", interfaces=(Interface(name="lo", address=f"10.255.{i // 250}.{i % 250 + 1}/32"),)) for i in range(count)]
    pairs = {tuple(sorted((i, j))) for i in range(count) for j in ((i + 1) % count, rng.randrange(count), rng.randrange(count)) if i != j}
    links = [
        Link(
            id=f"l{a}-{b}",
            source=Endpoint(node=nodes[a].id),
            target=Endpoint(node=nodes[b].id),
            bandwidth=Bandwidth(1e11),
            cost=float(rng.randint(1, 5)),
        )
        for a, b in sorted(pairs)
    ]
    return Topology.of(nodes, links)


def routes(count: int, topology: Topology, seed: int = 2) -> list[str]:
    """Return *count* routes between random pairs, a line each."""
    rng = random.Random(seed)
    ends = [rng.sample(list(topology.nodes), 2) for _ in range(count)]
    return [f"route i{i} {{ from: {a}; to: {b}; bandwidth: 1Mbps }}" for i, (a, b) in enumerate(ends)]


def verified(source: str, topology: Topology) -> None:
    compiled = compile_source(source, topology)
    rows = {node: {row.id: row for row in found} for node, found in compiled.rows.items()}
    assert Verifier(topology, rows, Promises.of(compiled)).report().ok


def timed(job: Callable[[], object], runs: int) -> list[float]:
    """Return the milliseconds of *runs* runs, after one that does not count. Garbage is collected between them, as the hub does."""
    job()
    took = []
    gc.disable()
    for _ in range(runs):
        gc.collect()
        begin = time.perf_counter()
        job()
        took.append((time.perf_counter() - begin) * 1e3)
    gc.enable()
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    topology = network()
    found: list[tuple[str, list[float], float, str]] = []
    for count, limit, published in ((1000, 150.0, "ONOS: 48.0"), (5000, 700.0, "ONOS: 364.6")):
        lines = routes(count, topology)
        source = "\n".join(lines)
        compiled = compile_source(source, topology)
        assert compiled.ok
        found.append((f"compile {count} routes", timed(partial(compile_source, source, topology), runs), limit, ""))
        both = timed(partial(verified, source, topology), runs)
        found.append((f"compile and verify {count} routes", both, limit, published))
        found.append((f"compile {count} routes again after one change", again(lines, topology, runs), 10.0, ""))
    block = "route i{} {{\n    from: r001\n    to: r002\n    via: [r003, r004]\n    latency: 20ms\n}}"
    text = "\n".join(block.format(i) for i in range(10_000 // 6 + 1))
    found.append(("parse 10,000 lines", timed(lambda: parse(text, Log()), runs), 1000.0, ""))
    print(f"{'':48} {'min':>8} {'median':>8} {'max':>8} ms, limit")
    for name, took, limit, published in found:
        print(f"{name:48} {min(took):8.1f} {statistics.median(took):8.1f} {max(took):8.1f}  <= {limit:g} {published}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "intent.json").write_text(json.dumps({n: {"ms": t, "limit": limit, "published": p} for n, t, limit, p in found}))


def again(lines: list[str], topology: Topology, runs: int) -> list[float]:
    """Return the milliseconds of compiling a source again in which one route leads elsewhere each time."""
    recompiler = Recompiler(topology)
    recompiler.compile("\n".join(lines))
    took = []
    for i in range(runs):
        middle = len(lines) // 2
        changed = [*lines]
        changed[middle] = f"route i{middle} {{ from: r{i:03}; to: r{i + 50:03}; bandwidth: 2Mbps }}"
        source = "\n".join(changed)
        begin = time.perf_counter()
        compiled = recompiler.compile(source)
        took.append((time.perf_counter() - begin) * 1e3)
        assert compiled.ok
    return took


if __name__ == "__main__":
    main()
