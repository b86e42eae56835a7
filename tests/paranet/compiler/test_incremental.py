"""Compiling again gives what compiling gives."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paranet.compiler import compile_source
from paranet.compiler.incremental import Recompiler
from tests.paranet.compiler.networks import LAB, random_network

OTHERS = "acl shut { deny: { from: n0; to: n1 } }\nqos gold { match: { from: n0; to: n3 }; rate: 5Mbps }\nroute z { from: n1; to: n2 }"


def line(name: int, rng: random.Random) -> str:
    source, target = rng.sample(range(7), 2)
    wish = rng.choice(["", "", "; bandwidth: 10Mbps", "; bandwidth: 150Mbps", "; latency: 9ms", "; avoid: n3", "; via: n4", "; ecmp: 2"])
    return f"route r{name} {{ from: n{source}; to: n{target}{wish} }}"


@given(st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_the_same_as_from_scratch(seed: int) -> None:
    """Whatever route changes into whatever, at every step."""
    rng = random.Random(seed)
    topology = random_network(seed, nodes=7)
    recompiler = Recompiler(topology)
    lines = [line(i, rng) for i in range(6)]
    for _ in range(8):
        source = "\n".join([*lines, OTHERS])
        assert recompiler.compile(source) == compile_source(source, topology)
        lines[rng.randrange(len(lines))] = line(rng.randrange(7), rng) if rng.random() < 0.1 else line(rng.randrange(6), rng)
        for i in range(len(lines)):
            if rng.random() < 0.7:
                lines[i] = lines[i].replace(lines[i].split()[1], f"r{i}")


def test_other_changes() -> None:
    """Comments, new lines, errors, several routes at once: the same answer."""
    recompiler = Recompiler(LAB, scope="work")
    sources = [
        "route a { from: h1; to: h2 }\nroute b {\n  from: r1\n  to: r3 }",
        "route a { from: h1; to: r3 } // shorter\nroute b {\n  from: r1\n  to: r3 }",
        "route a { from: h1; to: r3 } // shorter\nroute b {\n  from: r2\n  to: r3 }",
        "route a { from: h1; to: r3 }\nroute b {\n  from: r2\n  to: h2 }",
        "\nroute a { from: h1; to: r3 }\nroute b {\n  from: r2\n  to: h2 }",
        "\nroute a { from: h1; to: r9 }\nroute b {\n  from: r2\n  to: h2 }",
        "\nroute a { from: h1; to: }\nroute b {\n  from: r2\n  to: h2 }",
        "\nroute a { from: h1; to: r3 }\nroute c {\n  from: r2\n  to: h2 }",
        "\nroute a { from: h1; to: r3 }\nacl c {\n  deny: { from: r2\n  to: h2 } }",
        "\nroute a { from: h1; to: r3 } route d { from: r1; to: h2 }\n",
        "\nroute a { from: h1; to: r3 } route d { from: r2; to: h2 }\n",
    ]
    for source in sources:
        assert recompiler.compile(source) == compile_source(source, LAB, scope="work")


def test_one_change_is_not_compiled_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed route among many is put in without compiling the others."""
    lines = [f"route r{i} {{ from: h1; to: h2; bandwidth: 1Mbps }}" for i in range(50)]
    recompiler = Recompiler(LAB)
    recompiler.compile("\n".join(lines))
    monkeypatch.delattr("paranet.compiler.incremental.Run")
    lines[7] = "route r7 { from: h2; to: r1 }"
    assert recompiler.compile("\n".join(lines)).ok
