"""Sentences with what they mean, in sentences/*.txt.

A block is a sentence after `>`, then the source expected, `?` and a question for each that is asked back, `=` and what a question
is about, `!` and a diagnostic's code where the network cannot do what was said.
"""

from functools import cache
from pathlib import Path

import attrs
import pytest

from paranet.agent.known import Known
from paranet.agent.phrases import understand
from paranet.agent.questions import Question
from paranet.compiler import compile_source
from tests.paranet.agent.networks import campus, demo, wide

FILES = sorted(Path(__file__).parent.joinpath("sentences").glob("*.txt"))
NETWORKS = {"demo": demo, "campus": campus, "wide": wide}


@attrs.frozen
class Case:
    """One block."""

    network: str
    text: str
    expected: tuple[str, ...]

    def of(self, mark: str) -> list[str]:
        return [line[2:] for line in self.expected if line[:2] == f"{mark} "]

    @property
    def source(self) -> str:
        return "".join(f"{line}\n" for line in self.expected if line[:2] not in ("? ", "= ", "! "))


def cases() -> list[Case]:
    """Return every block of every file."""
    found = []
    for file in FILES:
        for block in file.read_text(encoding="utf-8").strip().split("\n\n"):
            first, *rest = block.splitlines()
            found.append(Case(file.stem.partition("-")[0], first.removeprefix("> "), tuple(rest)))
    return found


@cache
def known(network: str) -> Known:
    return Known(NETWORKS[network]())


def asked(question: Question | None) -> list[str]:
    """Return a question as the files write it."""
    if question is None:
        return []
    parts = [question.kind, *question.nodes]
    parts += [f"above={question.threshold:g}"] if question.threshold is not None else []
    parts += [f"since={question.since}"] if question.since is not None else []
    parts += [f"ago={question.ago:g}"] if question.ago is not None else []
    parts += ["down"] if question.down else []
    parts += [question.metric] if question.metric != "utilization" and question.kind in ("links", "nodes") else []
    return [" ".join(parts)]


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.text)
def test_a_sentence_is_understood(case: Case) -> None:
    """As source, or as the question that is missing, or as a question to answer."""
    found = understand(case.text, known(case.network))
    assert found.source == case.source
    assert [need.question for need in found.needs] == case.of("?")
    assert asked(found.question) == case.of("=")


@pytest.mark.parametrize("case", [c for c in cases() if c.source], ids=lambda case: case.text)
def test_what_is_written_is_the_language(case: Case) -> None:
    """It compiles, but for what this network cannot do."""
    compiled = compile_source(case.source, known(case.network).topology)
    assert [d.code for d in compiled.diagnostics if d.severity == "error"] == case.of("!")


def test_there_are_enough_sentences_in_both_languages() -> None:
    """120 at least, near to half of them in Chinese."""
    texts = [case.text for case in cases()]
    chinese = [t for t in texts if not t.isascii()]
    assert len(texts) >= 600
    assert len(chinese) >= 280
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.text)
def test_what_is_not_sure_says_so(case: Case) -> None:
    """A sentence that leads to a question back is never above one half unless the source stands already."""
    found = understand(case.text, known(case.network))
    assert 0 <= found.confidence <= 1
    if found.needs and not found.source:
        assert found.confidence < 0.5
