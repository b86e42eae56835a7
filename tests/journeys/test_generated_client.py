"""A stranger: has a client made from /openapi.json by a public generator, and drives the hub with nothing else."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hub.rest import OPERATIONS
from tests.journeys.hub import PASSWORD, Hub, environment, running

pytestmark = pytest.mark.journey

CITIES = Path(__file__).parent / "files" / "ten_cities.graphml"
WITHIN = 60.0
STRANGER = """
import json, sys, time
from stranger import AuthenticatedClient, Client
from stranger.api.auth import auth_login, auth_me
from stranger.api.deploy import deploy_execute, deploy_status
from stranger.api.intent import intent_compile, intent_preview
from stranger.api.monitor import monitor_metrics
from stranger.api.topology import topology_get, topology_import
from stranger.models import Login, Order, Source
from stranger.types import File

url, password, cities = sys.argv[1:]
session = auth_login.sync(client=Client(base_url=url), body=Login(username="admin", password=password))
client = AuthenticatedClient(base_url=url, token=session.access_token)
me = auth_me.sync(client=client)
with open(cities, "rb") as file:
    imported = topology_import.sync(client=client, body=File(payload=file, file_name="cities.graphml"), format_="graphml")
network = topology_get.sync(client=client)
compiled = intent_compile.sync(client=client, body=Source(source="route across { from: Lisbon; to: Wien }", name="stranger"))
shown = intent_preview.sync(compiled.id, client=client)
progress = deploy_execute.sync(client=client, body=Order(compile_id=compiled.id))
until = time.monotonic() + 30
while progress.ended_at is None and time.monotonic() < until:
    time.sleep(0.05)
    progress = deploy_status.sync(progress.deploy_id, client=client)
while not (watched := monitor_metrics.sync(client=client, names="paranet_node_up")).series and time.monotonic() < until:
    time.sleep(0.05)
nobody = auth_me.sync(client=AuthenticatedClient(base_url=url, token="wrong"))
print(json.dumps({
    "me": me.username,
    "added": len(imported.added.nodes),
    "nodes": len(network.nodes),
    "ok": compiled.ok,
    "changes": sum(len(device.diff.add) for device in shown.devices),
    "state": progress.state,
    "watched": len(watched.series),
    "nobody": nobody.code,
}))
"""


async def run(*command: str, cwd: Path) -> str:
    """Run a program to its end; return what it printed."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, env={**environment(), "PYTHONPATH": str(cwd)}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(WITHIN):
        printed, _ = await process.communicate()
    assert process.returncode == 0, printed.decode()
    return printed.decode()


async def generated(hub: Hub, folder: Path) -> str:
    """Have the client made; return what the generator had to say."""
    async with aiohttp.ClientSession(hub.url) as http, http.get("/openapi.json") as response:
        (folder / "openapi.json").write_bytes(await response.read())
    (folder / "config.yml").write_text("post_hooks: []\n")
    command = (sys.executable, "-m", "openapi_python_client", "generate", "--path", "openapi.json", "--meta", "none")
    return await run(*command, "--output-path", "stranger", "--config", "config.yml", cwd=folder)


def modules(folder: Path) -> int:
    """Count the operations of the client: a module each, in a package for each tag."""
    return sum(not file.name.startswith("_") for file in folder.glob("*/*.py"))


async def test_a_stranger_gets_along_with_what_a_generator_makes(tmp_path: Path) -> None:
    """Every operation is in the client; with it one signs in, imports, compiles, previews, deploys and watches, and errors are typed."""
    async with running(tmp_path / "data", PARANET_NETWORK_INTERVAL="0.2") as hub:
        said = await generated(hub, tmp_path)
        assert "WARNING" not in said, said
        assert modules(tmp_path / "stranger" / "api") == len(OPERATIONS)
        printed = await run(sys.executable, "-c", STRANGER, hub.url, PASSWORD, str(CITIES), cwd=tmp_path)
    found: dict[str, Any] = json.loads(printed)
    assert found.pop("changes") > 0
    assert found.pop("watched") > 0
    assert found == {"me": "admin", "added": 10, "nodes": 10, "ok": True, "state": "succeeded", "nobody": "unauthenticated"}
