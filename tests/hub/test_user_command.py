"""`paranet user`, with and without a hub on the data directory."""

import asyncio
import io
from pathlib import Path

import pytest

from hub.cli import main
from hub.house import House
from hub.settings import Settings
from tests.hub.api import Client
from tests.hub.staff import PASSWORD, hire


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A password on standard input."""
    monkeypatch.setattr("sys.stdin", io.StringIO("a password of hers\n"))


@pytest.mark.usefixtures("typed")
def test_users_without_a_hub(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The data directory is enough; nothing that was typed is shown."""
    asyncio.run(hire(tmp_path))
    folder = ["--data-dir", str(tmp_path)]
    assert main(["user", "add", "anna", "--role", "operator", *folder]) == 0
    assert main(["user", "list", *folder]) == 0
    out = capsys.readouterr().out
    assert [line.split()[1:] for line in out.splitlines()[1:] if "anna" in line] == [["operator", "anna"]]
    assert "a password of hers" not in out


@pytest.mark.usefixtures("typed")
def test_what_is_wrong_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And exit code 1."""
    assert main(["user", "list", "--data-dir", str(tmp_path)]) == 1
    asyncio.run(hire(tmp_path))
    assert main(["user", "passwd", "nobody", "--data-dir", str(tmp_path)]) == 1
    assert [line.partition(": ")[0] for line in capsys.readouterr().err.splitlines()] == ["paranet", "paranet"]


@pytest.mark.usefixtures("typed")
async def test_users_of_a_running_hub(house: House, settings: Settings, anonymous: Client, capsys: pytest.CaptureFixture[str]) -> None:
    """Over REST, as an admin; a new password counts at once."""
    hub = ["--url", str(anonymous.make_url("")).rstrip("/"), "--username", "admin", "--password", PASSWORD]
    arguments = ["user", "passwd", "viewer", "--data-dir", str(settings.server.data_dir), *hub]
    assert await asyncio.to_thread(main, arguments) == 0
    assert "viewer" in capsys.readouterr().out
    async with anonymous.post("/api/v1/auth/login", json={"username": "viewer", "password": "a password of hers"}) as response:
        assert response.status == 200
