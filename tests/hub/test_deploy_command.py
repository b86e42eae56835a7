"""`paranet deploy FILE` against a hub in this process."""

import argparse
import io
import json
from pathlib import Path
from typing import Any

import pytest

from hub.client import HubClient
from hub.commands.deploy import EXIT, Board, deploy
from paranet.errors import ParaNetError
from tests.hub.api import Api
from tests.hub.networks import ROUTE


def options(**given: Any) -> argparse.Namespace:
    chosen = {"name": "work", "strategy": "canary", "dry_run": False, "key": None, "json": True, **given}
    return argparse.Namespace(**chosen)


def client(api: Api) -> HubClient:
    return HubClient(str(api.http.make_url("/")), token=api.token)


async def run(api: Api, capsys: pytest.CaptureFixture[str], source: str = ROUTE, **given: Any) -> tuple[int, Any, str]:
    """Return exit code, what was written to stdout and to stderr."""
    code = await deploy(client(api), options(**given), source)
    said = capsys.readouterr()
    return code, json.loads(said.out) if given.get("json", True) else said.out, said.err


async def test_it_deploys_and_says_so(square: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0, the status on stdout, a line for each step on stderr."""
    code, ended, shown = await run(square, capsys)
    assert (code, ended["state"]) == (0, "succeeded")
    assert [line.split()[1] for line in shown.splitlines()][-1] == "succeeded"
    assert "committing wave 1/2" in shown


@pytest.mark.parametrize(("action", "state"), [("refuse", "rolled_back"), ("kill", "")])
async def test_the_outcome_is_the_exit_code(square: Api, capsys: pytest.CaptureFixture[str], action: str, state: str) -> None:
    """3 for a deployment that was rolled back; what could not be begun is an error."""
    await square.call("POST", f"/lab/nodes/r1/{action}", json={"step": "commit"} if action == "refuse" else None)
    if not state:
        with pytest.raises(ParaNetError, match="r1"):
            await run(square, capsys)
        return
    code, out, _ = await run(square, capsys, json=False)
    assert code == EXIT[state] == 3
    assert "rolled_back" in out
    assert "refused to commit" in out


async def test_a_dry_run_changes_nothing(square: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """It tells what would change."""
    code, out, _ = await run(square, capsys, dry_run=True, json=False)
    assert (code, out) == (0, "r1: 1 add\nr2: 1 add\nit may be deployed\n")
    assert (await square.call("GET", "/deploy/history"))[1]["items"] == []


async def test_a_key_gives_the_same_deployment(square: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """Asked again with another compilation it is refused, as it is another request."""
    await run(square, capsys, key="k1")
    with pytest.raises(ParaNetError, match="already-exists"):
        await run(square, capsys, key="k1")


async def test_a_source_that_does_not_compile_is_an_error(square: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """With the hub's words."""
    with pytest.raises(ParaNetError, match="compile-failed"):
        await run(square, capsys, source="route {")


class Terminal(io.StringIO):
    """A terminal that remembers."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_has_a_bar_for_each_wave(tmp_path: Path) -> None:
    """Drawn over itself with every event; a device that goes back leaves its bar."""
    status = {"waves": [{"devices": [{"node": "a"}]}, {"devices": [{"node": n} for n in "bcde"]}]}
    out = Terminal()
    board = Board(out, status)
    event = {"state": "committing", "device": None, "step": None, "wave": 0, "percent": 20, "message": "", "at": 0.0, "eta": None}
    for node in "abc":
        board.take({**event, "device": node, "step": "committed"})
    assert board.lines() == ["wave 1/2 [########################] 1/1", "wave 2/2 [############............] 2/4"]
    board.take({**event, "device": "c", "step": "restored"})
    assert board.lines()[1] == "wave 2/2 [######..................] 1/4"
    assert out.getvalue().count("\x1b[3A") == 3
