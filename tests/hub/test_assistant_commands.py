"""`paranet ask` and `paranet chat` against a hub on a real socket."""

import asyncio
import io
import json
from collections.abc import Sequence

import pytest

from hub.cli import main
from tests.hub.api import Api

ROUTE = "route r1-r3 { from: r1; to: r3 }\n"


async def run(api: Api, *arguments: str) -> int:
    """Run the command line as its user would, against the hub of *api*."""
    url = str(api.http.make_url("/")).rstrip("/")
    return await asyncio.to_thread(main, [*arguments, "--url", url, "--token", api.token])


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["ask", "connect r1 to r3", "--source"], ROUTE),
        (["ask", "把r1连到r3"], "把流量从 r1 送到 r3。"),
        (["ask", "connect", "r1", "to", "r3"], "compile_id"),
    ],
)
async def test_ask_prints_the_answer(square: Api, capsys: pytest.CaptureFixture[str], arguments: Sequence[str], printed: str) -> None:
    """Words, source and proposal, or the source alone."""
    assert await run(square, *arguments) == 0
    assert printed in capsys.readouterr().out


async def test_ask_prints_json(square: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """The body as the hub gave it."""
    assert await run(square, "ask", "connect r1 to r3", "--json") == 0
    assert json.loads(capsys.readouterr().out)["source"] == ROUTE


async def test_ask_exits_with_1_when_it_is_asked_back(square: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """So that a script notices."""
    assert await run(square, "ask", "connect r1 to the castle") == 1
    assert "castle" in capsys.readouterr().out


async def test_chat_goes_on_and_deploys_what_the_person_confirms(
    square: Api, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question back, its answer, and `deploy`."""
    monkeypatch.setattr("sys.stdin", io.StringIO("deploy\nconnect r1 to the castle\nr3\ndeploy\nexit\n"))
    assert await run(square, "chat") == 0
    printed = capsys.readouterr().out
    assert "Nothing is proposed." in printed
    assert ROUTE.strip() in printed
    _, deployed, _ = await square.call("GET", "/deploy/history")
    assert len(deployed["items"]) == 1
