"""What the README says about real routers is what happens, word for word."""

import asyncio
import re
import shlex
import sys
from pathlib import Path

import pytest

from tests.journeys.hub import PASSWORD, ROOT, USERNAME, environment, running, signed_in
from tests.namespaces import PATH, execute, needs_namespaces

pytestmark = [pytest.mark.journey, needs_namespaces]

PRELUDE = f"""
set -o pipefail
paranet() {{ {shlex.quote(sys.executable)} -c 'from hub.cli import entry; entry()' "$@"; }}
sudo() {{ "$@"; local rc=$?; echo "$rc $*" >> said; return $rc; }}
"""
"""a command that is not installed here, and one that need not be"""


def story(page: str) -> str:
    """Return the commands of the page that begin with a file of routers."""
    (found,) = [
        block
        for block in re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
        if "lab up" in block and "net.json" in block
    ]
    return str(found)


async def test_the_story_of_the_readme(tmp_path: Path) -> None:
    """Ping goes, stops, and goes again; nothing is left of the routers."""
    async with running(tmp_path / "data") as hub, signed_in(hub) as client:
        told = {"PARANET_URL": hub.url, "PARANET_USERNAME": USERNAME, "PARANET_PASSWORD": PASSWORD, "HUB": hub.url, "PATH": PATH}
        auth = f"Authorization: {client.headers['Authorization']}"
        shell = await asyncio.create_subprocess_exec(
            *("bash", "-c", PRELUDE + story("README.md")),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment(AUTH=auth, **told),
            cwd=tmp_path,
        )
        out, _ = await shell.communicate()
    said = (tmp_path / "said").read_text().splitlines()
    assert [line[0] for line in said if " ping " in line] == ["0", "1", "0"], out.decode()
    assert (said[0], said[-1]) == ("0 paranet lab up net.json", "0 paranet lab down")
    assert execute("r1", "true").returncode != 0


def test_both_languages_tell_the_same_story() -> None:
    assert story("README.md") == story("README.zh.md")
