"""The incremental verifier on a public trace of rule updates, beside the figures that Delta-net and APKeep published.

The folder holds `updates` (a line an update: `+|- fwd device prefix-as-int length port priority`), `topo.txt` (`device port peer
peer's-port`) and `vlan.txt` (`device vlan port ...`), as in the repository of APKeep (NSDI 2020). Each update is timed by itself,
from the change to the verdict on loops. Then loops are counted where most rules are in: the circles of (device, port), counted by the
port by which packets come back, which are never sent out where they came in.

Also the full verdict on a random network of 100 nodes, and a session's verdict after one row of it changed.

Prints tables and writes bench/results/verify.json. Run: python bench/verify.py FOLDER
"""

import argparse
import gc
import json
import random
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

import attrs  # noqa: E402
import rustworkx  # noqa: E402

from paranet.models.device import Change, Delta, Row, RowKey  # noqa: E402
from paranet.models.intent import Reach  # noqa: E402
from paranet.models.topology import Endpoint, Link, Node, Topology  # noqa: E402
from paranet.verifier import Promises, Verifier, verify  # noqa: E402
from paranet.verifier.incremental import Atoms, Hop, Rule, following  # noqa: E402

RESULTS = Path(__file__).parent / "results"
PUBLISHED = (
    ("Delta-net (NSDI 2017)", "C++, published", 40.0),
    ("APKeep (NSDI 2020)", "Java, published", 96.0),
)


@attrs.frozen
class Update:
    """A rule that comes (*add*) or goes."""

    add: bool
    rule: Rule


class Trace:
    """The updates of a folder."""

    def __init__(self, folder: Path) -> None:
        self._peers: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
        for device, port, peer, peers_port in _lines(folder / "topo.txt"):
            self._peers[device, port].append((peer, peers_port))
        self._vlans = {(device, vlan): ports for device, vlan, *ports in _lines(folder / "vlan.txt")}
        self._hops: dict[tuple[str, str], tuple[Hop, ...]] = {}
        self.updates = [self._update(*words) for words in _lines(folder / "updates")]

    def _update(self, sign: str, _kind: str, device: str, number: str, bits: str, port: str, _priority: str) -> Update:
        low, length = int(number), int(bits)
        hops = self._hops.setdefault((device, port), self._onward(device, port))
        return Update(sign == "+", Rule(device, low, low + (1 << (32 - length)), length, hops))

    def _onward(self, device: str, port: str) -> tuple[Hop, ...]:
        ports = self._vlans.get((device, port), [port])
        return tuple((p, place) for p in ports for place in self._peers.get((device, p), ()))


def _lines(file: Path) -> list[list[str]]:
    return [line.split() for line in file.read_text().splitlines() if line.strip()]


@attrs.define
class Run:
    """One pass over a trace: µs of each update, and what was there when most rules were in."""

    took: list[float] = attrs.field(factory=list)
    loops: int = 0
    atoms: int = 0


def run(updates: list[Update], peak: int) -> Run:
    """Play *updates*; look at the loops after the first *peak* of them."""
    done, atoms, clock = Run(), Atoms(), time.perf_counter_ns
    for i, update in enumerate(updates):
        began = clock()
        if update.add:
            atoms.insert(update.rule)
        else:
            atoms.remove(update.rule)
        done.took.append((clock() - began) / 1e3)
        if i + 1 == peak:
            done.loops, done.atoms = count_loops(atoms), len(atoms)
    return done


def count_loops(atoms: Atoms) -> int:
    """Return how many circles there are, each counted once whatever packets take it."""
    found: set[frozenset[tuple[str, str | None]]] = set()
    for _, atom in atoms.circling():
        places = {place for rule in atom.rules.values() for _, place in rule.hops}
        graph: rustworkx.PyDiGraph[tuple[str, str | None], None] = rustworkx.PyDiGraph()
        index = {place: graph.add_node(place) for place in places}
        graph.add_edges_from([(index[p], index[q], None) for p in places for q in following(p, atom.rules)])
        found |= {frozenset(graph[i] for i in circle) for circle in rustworkx.simple_cycles(graph)}
    return len(found)


Rows = dict[str, dict[RowKey, Row]]


def random_network(routes: int, nodes: int = 100) -> tuple[Topology, Rows, tuple[Reach, ...]]:
    """Return a connected random network with that many routes over ways of the fewest hops, a prefix each."""
    dice = random.Random(1)
    ids = [f"n{i}" for i in range(nodes)]
    ends = [(i, j) for i in range(nodes) for j in {(i + 1) % nodes, *dice.sample(range(nodes), 2)} - {i}]
    links = [Link(id=f"l{k}", source=Endpoint(node=ids[i]), target=Endpoint(node=ids[j])) for k, (i, j) in enumerate(ends)]
    around: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for link in links:
        around[link.source.node].append((link.target.node, link.id))
        around[link.target.node].append((link.source.node, link.id))
    rows: Rows = defaultdict(dict)
    reaches = []
    for number in range(routes):
        source, target = dice.sample(ids, 2)
        prefix, intent = f"10.{number >> 8}.{number & 255}.0/24", f"r{number}"
        onward: dict[str, tuple[str, str]] = {target: ("", "")}
        waiting = [target]
        for node in waiting:
            for neighbour, link_id in around[node]:
                if neighbour not in onward:
                    onward[neighbour] = (node, link_id)
                    waiting.append(neighbour)
        at = source
        while at != target:
            neighbour, link_id = onward[at]
            value = {"next_hops": [{"node": neighbour, "link": link_id, "interface": None, "address": "192.0.2.1", "weight": 1}]}
            row = Row(family="ip.route", key=prefix, value=value, owners=(intent,))
            rows[at][row.id] = row
            at = neighbour
        reaches.append(Reach(intent=intent, source=source, target=target, prefix=prefix))
    return Topology.of([Node(id=i) for i in ids], links), rows, tuple(reaches)


def measure_verdicts(routes: int, runs: int) -> dict[str, list[float]]:
    """Return ms of full verdicts, and of a session's verdict after one row went or came back."""
    topology, rows, reaches = random_network(routes)
    found: dict[str, list[float]] = {"full": [], "one row": []}
    verifier = Verifier(topology, rows, Promises(reaches=reaches))
    dice = random.Random(2)
    for _ in range(runs):
        gc.collect()
        began = time.perf_counter()
        assert verify(topology, rows, reaches).ok
        found["full"].append(1e3 * (time.perf_counter() - began))
        for _ in range(5):
            node = dice.choice(sorted(rows))
            delta = Delta(changes=(Change(before=dice.choice(list(rows[node].values())), after=None),))
            for change, ok in ((delta, False), (delta.inverse(), True)):
                began = time.perf_counter()
                assert verifier.apply({node: change}).ok is ok
                found["one row"].append(1e3 * (time.perf_counter() - began))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    updates = Trace(options.folder).updates
    peak = max(i + 1 for i, update in enumerate(updates) if update.add)
    gc.collect()
    gc.freeze()
    runs = [run(updates, peak) for _ in range(options.runs)]
    means = [statistics.mean(r.took) for r in runs]
    best = min(runs, key=lambda r: statistics.mean(r.took))
    p99 = statistics.median(statistics.quantiles(r.took, n=100)[-1] for r in runs)
    print(f"{len(updates):,} updates, {peak:,} rules at most, {best.atoms:,} atoms then")
    print(f"{'µs an update':28} {'':18} {'mean':>8} {'p99':>8} {'max':>8}")
    print(f"{'paranet':28} {'pure Python':18} {statistics.median(means):8.1f} {p99:8.1f} {max(best.took):8.1f}")
    for name, note, mean in PUBLISHED:
        print(f"{name:28} {note:18} {mean:8.1f}")
    print(f"loops when most rules are in: {best.loops} (20 expected of stanford-noacl); aims: mean <= 60, p99 <= 500")
    verdicts = {routes: measure_verdicts(routes, options.runs) for routes in (1000, 5000)}
    print(f"\n{'ms a verdict, 100 nodes':28} {'min':>8} {'median':>8}")
    for routes, found in verdicts.items():
        for name, took in found.items():
            print(f"{f'{routes:,} routes, {name}':28} {min(took):8.1f} {statistics.median(took):8.1f}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "verify.json").write_text(
        json.dumps({"means_us": means, "p99_us": p99, "loops": best.loops, "updates": len(updates), "verdicts_ms": verdicts})
    )


if __name__ == "__main__":
    main()
