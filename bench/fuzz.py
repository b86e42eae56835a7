"""A hundred thousand broken sources: the compiler and the formatter answer each with diagnostics, whatever it says.

Sources are the examples of docs/language.md and the compiler's golden files, of which pieces are dropped, doubled, moved, joined with
pieces of others and sprinkled with characters. Each is compiled for the page's network or the demo's, and formatted twice. Stops at the
first that raises, whose diagnostic lies outside of its text, which is formatted otherwise the second time, or takes more than a second;
and prints it. Run: python -m bench.fuzz [--inputs N] [--seed N]
"""

import argparse
import random
import re
import sys
import time
from collections import Counter
from pathlib import Path

from paranet.compiler import compile_source, declared_topology
from paranet.compiler.format import format_source
from paranet.examples import demo, demo_intents
from paranet.interop.registry import read
from paranet.models.topology import Topology

ROOT = Path(__file__).resolve().parents[1]
PIECES = re.compile(r'\s+|[\w./%+-]+|"[^"\n]*"|.', re.DOTALL)
NOISE = (
    *"{}[]()\"':;,\n/\\\x00*$：é🜁",
    "/*",
    "*/",
    "//",
    "..",
    "0",
    "-1",
    "1e999",
    "∞",
    "\ud7ff",
    "route",
    "from",
    "to",
    "prefix(",
    "region(",
    "[[",
    "]]",
)
SECONDS = 1.0
"""how long one source may take; a machine that is busy gets it on the second attempt"""


def corpus() -> list[list[str]]:
    """Return sources cut into pieces."""
    page = (ROOT / "docs/language.md").read_text(encoding="utf-8")
    sources = re.findall(r"```pn(?:-error)?\n(.*?)```", page, re.DOTALL)
    sources += [f.read_text(encoding="utf-8") for f in sorted((ROOT / "tests/paranet/compiler/golden").glob("*.pn"))]
    return [PIECES.findall(text) for text in [*sources, demo_intents()] if len(text) < 20_000]


def of_the_page() -> Topology:
    """Return the network that the page's first example declares, which the others speak of."""
    topology, _ = declared_topology("".join(corpus()[0]))
    assert topology
    return topology


def mutated(rng: random.Random, sources: list[list[str]]) -> str:
    """Return a source that is much like one of *sources*."""
    pieces = list(rng.choice(sources))
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(pieces) + 1)
        until = min(len(pieces), at + rng.randint(1, 8))
        match rng.randrange(6):
            case 0:
                del pieces[at:until]
            case 1:
                pieces[at:at] = pieces[at:until] * rng.randint(1, 3)
            case 2:
                moved = pieces[at:until]
                del pieces[at:until]
                to = rng.randrange(len(pieces) + 1)
                pieces[to:to] = moved
            case 3:
                other = rng.choice(sources)
                start = rng.randrange(len(other) + 1)
                pieces[at:until] = other[start : start + rng.randint(1, 12)]
            case 4:
                pieces.insert(at, rng.choice(NOISE))
            case _:
                pieces.insert(at, chr(rng.choice([rng.randrange(32), rng.randrange(0x300), rng.randrange(0xD800)])))
    return "".join(pieces)


def fault(source: str, topology: Topology) -> str | None:
    """Return what is wrong with the answers to *source*, None if nothing is. An exception is for the caller."""
    took = 0.0
    for _ in range(2):
        began = time.process_time()
        found = compile_source(source, topology)
        text, _ = format_source(source)
        took = time.process_time() - began
        if took <= SECONDS:
            break
    else:
        return f"took {took:.1f} s"
    if format_source(text)[0] != text:
        return "is formatted otherwise the second time"
    lines = source.split("\n")
    for diagnostic in found.diagnostics:
        span = diagnostic.span
        if not (1 <= span.line <= len(lines) and 1 <= span.column <= len(lines[span.line - 1]) + 1):
            return f"{diagnostic.code} is at {span.line}:{span.column}, outside of the source"
    return None if found.ok != any(d.severity == "error" for d in found.diagnostics) else "is neither right nor wrong"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng, sources, networks = random.Random(options.seed), corpus(), (of_the_page(), read(demo()).topology)
    seen: Counter[str] = Counter()
    for number in range(options.inputs):
        source, topology = mutated(rng, sources), rng.choice(networks)
        try:
            words = fault(source, topology)
        except BaseException:
            print(f"input {number} raises: {source!r}")
            raise
        if words:
            sys.exit(f"input {number} {words}: {source!r}")
        if number % 100 == 0:
            seen.update({d.code for d in compile_source(source, topology).diagnostics} or {"none"})
    codes = len(seen.keys() - {"none"})
    print(f"{options.inputs:,} sources, none raises; of every hundredth: {codes} codes, {seen['none']} without a finding")


if __name__ == "__main__":
    main()
