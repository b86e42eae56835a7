"""How well and how fast sentences are understood, without a model: entities, compiled share, time a sentence.

python -m bench.agent --sentences FILE        operators' sentences with their entities marked ({"intents": [{"text", "parts"}]})
python -m bench.agent                         the time a sentence alone
"""

import argparse
import itertools
import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from paranet import examples
from paranet.agent.known import Known
from paranet.agent.phrases import Understanding, understand
from paranet.compiler import compile_source
from paranet.interop.registry import read
from paranet.models.topology import Endpoint, Interface, Link, Node, Topology
from paranet.models.units import Bandwidth

RESULTS = Path(__file__).parent / "results" / "agent.json"
PLACES = ("origin", "destination", "target", "group", "middlebox")
_LEAD = re.compile(
    r"^(?:(?:coming |only |starting )?(?:from|to|for|at|in|on|of|between|and|with|until|during|into|is|be|are|must be|as|start|finish|"
    r"interval|endpoint|all|the|a|an|my)\s+)+",
)
_TRAIL = re.compile(r"(?<=\w)(?: (?:traffic|members|network|department|users|location|protocol|middlebox|server access))+$")
TIMED = (
    "connect madrid to vienna via zurich, avoiding paris with at least 200 Mbps",
    "block ssh from london to paris between 8pm and 6am",
    "torrent traffic must be allowed for warsaw but limited to 100 mbps",
    "ensure that all traffic from london to milan is carefully inspected by the firewall in paris",
    "把马德里连到维也纳，经过苏黎世，不要走巴黎，带宽至少200兆",
    "禁止伦敦在晚上10点到早上6点用ssh访问巴黎",
    "conect madird to viena thru zurik",
    "why is milan slow?",
)
ROUNDS = 400


@attrs.define
class Score:
    """Entities found, wanted, and both."""

    right: int = 0
    found: int = 0
    wanted: int = 0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.right / max(self.found + self.wanted, 1)


def bare(text: str) -> str:
    """Return an entity's words without the prepositions and articles before them."""
    return _TRAIL.sub("", _LEAD.sub("", " ".join(text.lower().split()))).strip()


def fitting(names: Iterable[str]) -> Topology:
    """Return a network with a host for every name, an internet and a gateway, all around one core."""
    wanted = dict.fromkeys(n for n in (bare(name) for name in names) if n)
    ids = {re.sub(r"[^\w]+", "-", n).strip("-") or "x": n for n in (*wanted, "internet", "gateway")}
    nodes = [Node(id=i, name=n, interfaces=(Interface(name="lo", address=f"10.1.{k}.1/32"),)) for k, (i, n) in enumerate(ids.items(), 1)]
    core = [Node(id=f"core{k}", interfaces=(Interface(name="lo", address=f"10.2.0.{k}/32"),)) for k in (1, 2, 3, 4)]
    links = [_link(node.id, hub.id) for node in nodes for hub in core]
    return Topology.of([*core, *nodes], [*links, *(_link(a.id, b.id) for a, b in itertools.pairwise(core))])


def _link(a: str, b: str) -> Link:
    return Link(id=f"{a}--{b}", source=Endpoint(node=a), target=Endpoint(node=b), bandwidth=Bandwidth(1e11))


def marked(sentence: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the entities of a sentence as (type, words)."""
    return [(p["entity_type"].lstrip("@"), p["text"]) for p in sentence["parts"] if p.get("entity_type", "@sys.ignore") != "@sys.ignore"]


def score(wanted: Sequence[tuple[str, str]], got: Understanding, total: Score, by_type: dict[str, Score]) -> list[str]:
    """Add one sentence to the scores; return what was missed and what was too much."""
    left = [(kind, bare(text)) for kind, text in wanted]
    extra: list[str] = []
    total.wanted += len(left)
    for kind, _ in left:
        by_type.setdefault(kind, Score()).wanted += 1
    for entity in got.entities:
        key = entity.type, bare(entity.text)
        total.found += 1
        by_type.setdefault(entity.type, Score()).found += 1
        if key in left:
            left.remove(key)
            total.right += 1
            by_type[entity.type].right += 1
        else:
            extra.append(f"+{key[0]}:{key[1]}")
    return [f"-{kind}:{text}" for kind, text in left] + extra


def judge(file: Path, *, verbose: bool) -> dict[str, Any]:
    """Return F1 and the compiled share over a file of marked sentences."""
    sentences = json.loads(file.read_text(encoding="utf-8"))["intents"]
    total = Score()
    by_type: dict[str, Score] = {}
    compiled = asked = 0
    for sentence in sentences:
        wanted = marked(sentence)
        known = Known(fitting(text for kind, text in wanted if kind in (*PLACES, "service")))
        got = understand(sentence["text"], known)
        misses = score(wanted, got, total, by_type)
        result = compile_source(got.source, known.topology)
        good = bool(got.source) and result.ok
        compiled += good
        asked += not got.source and bool(got.needs)
        if verbose and (misses or not good):
            print(f"{'ok  ' if good else 'FAIL'} {sentence['text']}\n       {' '.join(misses)}")
            if not good:
                print(f"       {got.source or [n.question for n in got.needs]} {[d.message for d in result.diagnostics]}")
    count = len(sentences)
    return {
        "sentences": count,
        "f1": round(total.f1, 4),
        "precision": round(total.right / max(total.found, 1), 4),
        "recall": round(total.right / max(total.wanted, 1), 4),
        "f1_by_type": {k: round(s.f1, 3) for k, s in sorted(by_type.items())},
        "compiled": round(compiled / count, 4),
        "asked_back": round(asked / count, 4),
    }


def timed() -> dict[str, float]:
    """Return how long a sentence takes on the demo network, in ms."""
    known = Known(read(examples.demo(), format="json").topology)
    took: list[float] = []
    for at in range(ROUNDS * len(TIMED)):
        began = time.perf_counter()
        understand(TIMED[at % len(TIMED)], known)
        took.append((time.perf_counter() - began) * 1e3)
    took.sort()
    return {f"p{q}": round(took[int(len(took) * q / 100) - (q == 100)], 3) for q in (50, 95, 99, 100)}


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=Path)
    parser.add_argument("--verbose", action="store_true", help="show what was missed")
    options = parser.parse_args()
    result: dict[str, Any] = {"ms": timed()}
    if options.sentences:
        result["understood"] = judge(options.sentences, verbose=options.verbose)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"{'ms a sentence':24} " + "  ".join(f"{k} {v:g}" for k, v in result["ms"].items()))
    for name, value in result.get("understood", {}).items():
        print(f"{name:24} {value}")


if __name__ == "__main__":
    main()
