"""`paranet topology` against a hub that runs beside it."""

import asyncio
import io
import json
from functools import partial
from pathlib import Path

import pytest

from hub.cli import main
from hub.commands.topology import LARGE
from tests.hub.api import Client
from tests.hub.networks import square
from tests.hub.staff import PASSWORD


async def paranet(client: Client, *arguments: str) -> int:
    """Run the command in a thread of its own, as it blocks; return its exit code."""
    who = ("--url", str(client.make_url("/")), "--username", "operator", "--password", PASSWORD)
    return await asyncio.to_thread(partial(main, ["topology", *arguments, *who]))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "square.json"
    path.write_text(json.dumps(square()))
    return path


def written(file: Path, text: str) -> Path:
    file.write_text(text)
    return file


async def test_a_file_is_taken_in_and_given_out(anonymous: Client, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Import, export in a format told by the name, and no difference after that."""
    assert await paranet(anonymous, "import", str(file)) == 0
    assert "revision 1\n+ node r1" in capsys.readouterr().out
    out = file.with_name("out.yaml")
    assert await paranet(anonymous, "export", "-o", str(out)) == 0
    assert out.read_text().startswith("nodes:\n- id: r1")
    assert await paranet(anonymous, "diff", str(out), "--exit-code") == 0
    assert capsys.readouterr().out == "no difference\n"


async def test_standard_input_is_taken_in_with_a_bar_when_it_is_large(
    anonymous: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal the bar is drawn piece by piece until all has gone; what was taken in is the whole file."""
    nodes = [{"id": f"n{i}", "properties": {"note": "x" * 200}} for i in range(2000)]
    data = json.dumps({"nodes": nodes}).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert await paranet(anonymous, "import", "-") == 0
    said = capsys.readouterr()
    assert said.out.count("+ node ") == len(nodes)
    assert len(data) > LARGE
    assert said.err.count("\r[") > 1
    assert said.err.endswith(f"\r[{'#' * 40}] 100 %\n")


async def test_differences_have_an_exit_code(anonymous: Client, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a file and of revisions; a dry run writes nothing."""
    assert await paranet(anonymous, "import", str(file), "--dry-run") == 0
    assert await paranet(anonymous, "diff", str(file), "--exit-code") == 3
    assert await paranet(anonymous, "import", str(file), "--if-revision", "0") == 0
    capsys.readouterr()
    assert await paranet(anonymous, "diff", "--from", "0", "--to", "1", "--exit-code") == 3
    assert capsys.readouterr().out.startswith("revision 0 to 1\n+ node r1")


async def test_refusals_are_one_line_and_exit_code_1(anonymous: Client, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The hub's own words, with the place."""
    assert await paranet(anonymous, "import", str(await asyncio.to_thread(written, file, '{"nodes": [{"id": 5}]}'))) == 1
    assert capsys.readouterr().err == "paranet: nodes[0].id: must be a string, not a number (invalid)\n"
    assert await paranet(anonymous, "import", str(file), "--if-revision", "7") == 1
    assert await paranet(anonymous, "import", str(file.with_name("nothing"))) == 1
    assert await paranet(anonymous, "diff") == 1


def test_a_hub_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    """And one that nobody is named for."""
    assert main(["topology", "export", "--url", "http://127.0.0.1:1", "--token", "x"]) == 1
    assert "http://127.0.0.1:1 does not answer" in capsys.readouterr().err


async def test_networks_of_topohub_by_name(anonymous: Client, capsys: pytest.CaptureFixture[str]) -> None:
    """With demands, where a unit is said for them."""
    pytest.importorskip("topohub", reason="the collection is not installed")
    assert await paranet(anonymous, "import", "topohub:sndlib/polska", "--demand-unit", "Mbps") == 0
    assert "+ demand gdansk--warsaw" in capsys.readouterr().out
    assert await paranet(anonymous, "import", "topohub:topozoo/Nowhere") == 1
