"""The hub as a program: how it starts, how it refuses to, how it ends."""

import asyncio
import re
import signal
import socket
import sqlite3
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import aiohttp
import attrs
import pytest

from hub.cli import main
from hub.house import House
from hub.settings import Settings
from paranet import __version__
from paranet.errors import ParaNetError, SchemaTooNew, StorageFailed
from tests.journeys.hub import command, environment, running

PROGRAM = Path(sys.executable).with_name("paranet")


@attrs.frozen
class Ended:
    """What a program left behind."""

    code: int
    stdout: str
    stderr: str

    @property
    def lines(self) -> list[str]:
        """What it said on stderr, line by line."""
        return self.stderr.splitlines()


async def run(*arguments: str, cwd: Path, variables: Mapping[str, str] | None = None) -> Ended:
    """Run a program to its end."""
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(**(variables or {})),
        cwd=cwd,
    )
    async with asyncio.timeout(30):
        stdout, stderr = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, stdout.decode(), stderr.decode())


def check_refused(ended: Ended, code: int, *words: str) -> None:
    """One line on stderr with these words, nothing on stdout, no trace, and the exit code."""
    assert ended.code == code, ended.stderr
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    assert len(ended.lines) == 1, ended.stderr
    assert ended.lines[0].startswith("paranet: ")
    assert [word for word in words if word not in ended.lines[0]] == [], ended.lines[0]


async def test_a_data_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """A path below a regular file."""
    (tmp_path / "file").write_text("")
    data_dir = tmp_path / "file" / "data"
    check_refused(await run(*command(data_dir), cwd=tmp_path), 1, str(data_dir), "cannot be used")


async def test_a_data_directory_has_one_hub(tmp_path: Path) -> None:
    """The second is refused, the first goes on."""
    async with running(tmp_path / "data") as hub:
        check_refused(await run(*command(tmp_path / "data"), cwd=tmp_path), 1, "in use by another hub")
        async with aiohttp.ClientSession() as client, client.get(f"{hub.url}/readyz") as response:
            assert response.status == 200


async def test_a_port_in_use_is_refused(tmp_path: Path) -> None:
    """With the address."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = await run(*command(tmp_path / "data"), "--port", str(port), cwd=tmp_path)
    check_refused(ended, 1, f"127.0.0.1:{port}", "cannot listen")


async def test_a_broken_settings_file_is_refused(tmp_path: Path) -> None:
    """Exit code 2, as for a wrong command line; nothing has been made."""
    (tmp_path / "settings.toml").write_text("[paranet.server]\nport = 70000\n")
    check_refused(await run(sys.executable, "-m", "hub", "--data-dir", "data", cwd=tmp_path), 2, "settings", "port")
    assert not (tmp_path / "data").exists()


def make_newer(file: Path) -> None:
    """Make a database of a version that is still to come."""
    file.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 999")


async def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """Both versions are named, and the file is left alone."""
    file = tmp_path / "data" / "control.sqlite3"
    make_newer(file)
    check_refused(await run(*command(file.parent), cwd=tmp_path), 1, str(file), "999")
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)


async def open_house(settings: Settings) -> None:
    """Open a house in this process, as the program does."""
    async with House(settings, show_first_password=lambda _: None):
        pass


async def test_a_newer_database_of_samples_is_refused(settings: Settings) -> None:
    """Every database has its version."""
    make_newer(settings.server.data_dir / "telemetry.sqlite3")
    with pytest.raises(SchemaTooNew, match=r"telemetry\.sqlite3 has schema 999"):
        await open_house(settings)


@pytest.mark.parametrize("name", ["control.sqlite3", "telemetry.sqlite3", "simulator.sqlite3"])
async def test_a_database_that_is_none_is_refused(settings: Settings, caplog: pytest.LogCaptureFixture, name: str) -> None:
    """Bytes that are no SQLite file: one line with the file's name, no trace in the log, nothing left open."""
    settings.server.data_dir.mkdir()
    (settings.server.data_dir / name).write_bytes(b"no database " * 1000)
    with pytest.raises(ParaNetError, match=re.escape(name)) as caught:
        await open_house(settings)
    assert "\n" not in caught.value.detail
    assert "Traceback" not in caplog.text


async def test_a_damaged_signing_key_is_refused(settings: Settings) -> None:
    """With what to do."""
    settings.server.data_dir.mkdir()
    (settings.server.data_dir / "signing.key").write_bytes(b"short")
    with pytest.raises(StorageFailed, match="remove it"):
        await open_house(settings)


async def test_a_start_that_failed_leaves_the_directory_free(settings: Settings) -> None:
    """What was wrong is put right, and the next start goes well."""
    settings.server.data_dir.mkdir()
    key = settings.server.data_dir / "signing.key"
    key.write_bytes(b"short")
    with pytest.raises(StorageFailed):
        await open_house(settings)
    key.unlink()
    await open_house(settings)


# -- a start that goes well


async def test_a_signal_ends_the_hub_in_peace(tmp_path: Path) -> None:
    """SIGINT, as Ctrl-C sends it: exit code 0, no trace; stdout had the one line."""
    async with running(tmp_path / "data") as hub:
        hub.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(10):
            stdout, stderr = await hub.process.communicate()
    assert (hub.process.returncode, stdout) == (0, b"")
    assert b"Traceback" not in stderr
    assert b'"level":"error"' not in stderr


async def test_the_first_password_is_shown_once(tmp_path: Path) -> None:
    """On stderr of the very first start, and it signs in; the second start says nothing of it."""
    shown: list[list[str]] = []
    for _ in range(2):
        async with running(tmp_path / "data", PARANET_ADMIN_PASSWORD="") as hub, aiohttp.ClientSession(hub.url) as client:
            if not shown:
                assert hub.process.stderr is not None
                line = (await hub.process.stderr.readline()).decode()
                password = line.partition("with password ")[2].split()[0]
                response = await client.post("/api/v1/auth/login", json={"username": "admin", "password": password})
                assert response.status == 200
            hub.process.terminate()
            rest = await hub.stderr()
            shown.append([said for said in rest.splitlines() if "password" in said])
    assert shown == [[], []]


async def test_a_password_of_the_settings_is_not_shown(tmp_path: Path) -> None:
    """Who set it knows it. The data directory that was made is for the hub's user alone."""
    async with running(tmp_path / "data") as hub:
        assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
        hub.process.terminate()
        assert "password" not in await hub.stderr()


async def test_the_module_is_the_program(tmp_path: Path) -> None:
    """`python -m hub` takes the flags of `paranet serve` (the other tests start it with the word)."""
    ended = await run(sys.executable, "-m", "hub", "--help", cwd=tmp_path)
    assert (ended.code, ended.stderr) == (0, "")
    assert "--data-dir" in ended.stdout


async def test_the_program_tells_its_version(tmp_path: Path) -> None:
    """`paranet --version`."""
    ended = await run(str(PROGRAM), "--version", cwd=tmp_path)
    assert (ended.code, ended.stdout, ended.stderr) == (0, f"paranet {__version__}\n", "")


@pytest.mark.parametrize("arguments", [[], ["fly"], ["serve", "--port", "x"], ["serve", "--colour"]], ids=" ".join)
def test_a_wrong_command_line_is_told_how(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """Exit code 2 with the usage."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    said = capsys.readouterr()
    assert (caught.value.code, said.out) == (2, "")
    assert said.err.startswith("usage: paranet")
