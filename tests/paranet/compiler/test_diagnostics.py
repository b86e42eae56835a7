"""The catalogue, its golden files and its page."""

from pathlib import Path

import pytest

from paranet.compiler import compile_source
from paranet.compiler.diagnostics import CATALOGUE, MAX_REPORTED, Log, render_diagnostic, suggestion
from paranet.compiler.parser import MAX_SOURCE, START
from tests.paranet.compiler.networks import MIX

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("code", CATALOGUE)
def test_golden(code: str) -> None:
    """Every code has a source that provokes it, and says exactly this about it."""
    source = (GOLDEN / f"{code}.pn").read_text("utf-8")
    if code == "PN108":
        source = source.ljust(MAX_SOURCE + 1)
    found = compile_source(source, MIX).diagnostics
    assert code in {d.code for d in found}
    assert "".join(f"{render_diagnostic(d)}\n" for d in found) == (GOLDEN / f"{code}.txt").read_text("utf-8")


def test_no_stray_golden() -> None:
    """There are no golden files of codes that are gone."""
    assert {p.stem for p in GOLDEN.iterdir()} == set(CATALOGUE)


def test_bounded() -> None:
    """At most a hundred findings are shown, the last of which says that there are more."""
    log = Log()
    for _ in range(500):
        log.error("PN101", START, "x")
    assert [d.code for d in log.report()] == ["PN101"] * (MAX_REPORTED - 1) + ["PN109"]
    assert log.full


def test_ordered() -> None:
    """Findings come in the order of the source, whoever made them."""
    places = [(d.span.line, d.span.column) for d in compile_source("route a { to: h99 }\nx { }\nroute b { to: }", MIX).diagnostics]
    assert places == sorted(places)
    assert len(places) == 4


def test_suggestion_ignores_case() -> None:
    """A suggestion is spelt as the known word is, whatever the case of the question."""
    assert suggestion("PARSI", ["Paris", "London"]) == "did you mean Paris?"
    assert suggestion("xyz", ["Paris"]) is None
