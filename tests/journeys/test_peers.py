"""Beside a real Prometheus and a real Alertmanager, where they are installed: they say the same, and take what we send."""

import asyncio
import os
import shutil
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.journeys.hub import running, signed_in

pytestmark = [pytest.mark.journey, pytest.mark.timeout(120)]
WITHIN = 60.0
QUERIES = (
    'sum by (type) (paranet_hub_actors{job="scraper"})',
    "count({job='scraper', __name__=~'paranet_hub_.+'})",
    "max by (type) (paranet_hub_actor_restarts_total{job='scraper', type='TelemetryCollector'}) * 2 + 1",
    "sum(count_over_time(paranet_hub_uptime_seconds{job='scraper'}[1h])) > bool 0",
)


def program(name: str) -> str:
    """Return a program's path; without it the test is skipped, but never in CI."""
    found = shutil.which(name)
    if found is None:
        assert os.environ.get("CI") != "true", f"{name} is missing: tests/system.sh installs it"
        pytest.skip(f"{name} is not installed")
    return found


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@asynccontextmanager
async def started(*command: str) -> AsyncIterator[None]:
    """Run a program for as long as the block does."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def eventually(question: Any) -> Any:
    """Ask until the answer is true."""
    async with asyncio.timeout(WITHIN):
        while True:
            try:
                found = await question()
            except aiohttp.ClientError:
                found = None
            if found:
                return found
            await asyncio.sleep(0.2)


async def asked(session: aiohttp.ClientSession, url: str, **parameters: str) -> Any:
    async with session.get(url, params=parameters) as response:
        body = await response.json()
        assert response.status == 200, body
        return body["data"]


async def test_a_prometheus_and_the_hub_answer_the_same(tmp_path: Path) -> None:
    """It scrapes the hub and writes to it what it has scraped; then both are asked the same about the same samples."""
    prometheus, port = program("prometheus"), free_port()
    async with running(tmp_path / "data") as hub, signed_in(hub) as session:
        config = f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs: [{{job_name: scraper, static_configs: [{{targets: ['{hub.url.partition("://")[2]}']}}]}}]
remote_write: [{{url: '{hub.url}/prometheus/api/v1/write', authorization: {{credentials: '{session.headers["Authorization"][7:]}'}}}}]
"""
        (tmp_path / "p.yml").write_text(config)
        flags = (f"--web.listen-address=127.0.0.1:{port}", f"--storage.tsdb.path={tmp_path / 'tsdb'}", "--log.level=error")
        async with started(prometheus, f"--config.file={tmp_path / 'p.yml'}", *flags):
            ours, theirs = "/prometheus/api/v1/query", f"http://127.0.0.1:{port}/api/v1/query"

            async def arrived() -> bool:
                found = await asked(session, ours, query="count_over_time(paranet_hub_uptime_seconds{job='scraper'}[5m]) > 4")
                return bool(found["result"])

            await eventually(arrived)
            at = str(int(time.time()) - 3)
            async with aiohttp.ClientSession() as other:
                for query in QUERIES:
                    ((first, second),) = [
                        (await asked(session, ours, query=query, time=at), await asked(other, theirs, query=query, time=at))
                    ]
                    order = lambda row: sorted(row["metric"].items())  # noqa: E731
                    assert sorted(first["result"], key=order) == sorted(second["result"], key=order), query
                    assert first["result"], query


async def test_promtool_is_content_with_our_metrics(tmp_path: Path) -> None:
    """`promtool check metrics` finds nothing wrong with /metrics."""
    promtool = program("promtool")
    async with running(tmp_path / "data") as hub, aiohttp.ClientSession() as session, session.get(f"{hub.url}/metrics") as response:
        text = await response.read()
    process = await asyncio.create_subprocess_exec(
        promtool, "check", "metrics", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate(text)
    assert process.returncode == 0, said.decode()


async def test_an_alertmanager_takes_our_notices(tmp_path: Path) -> None:
    """An alert that fires here is there, with its labels; the decision says that it was sent."""
    alertmanager, port = program("prometheus-alertmanager"), free_port()
    (tmp_path / "a.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    flags = (f"--web.listen-address=127.0.0.1:{port}", f"--storage.path={tmp_path / 'am'}", "--cluster.listen-address=")
    variables = {
        "PARANET_ALERTS_ALERTMANAGER": f"http://127.0.0.1:{port}",
        "PARANET_ALERTS_GROUP_WAIT": "0",
        "PARANET_ALERTS_START_DELAY": "0",
    }
    async with (
        started(alertmanager, f"--config.file={tmp_path / 'a.yml'}", *flags),
        running(tmp_path / "data", **variables) as hub,
        signed_in(hub) as session,
        aiohttp.ClientSession() as other,
    ):

        async def ready() -> bool:
            async with other.get(f"http://127.0.0.1:{port}/-/ready") as response:
                return response.status == 200

        await eventually(ready)
        rule = {"name": "Hot", "expr": "heat > 5", "trigger": "sample", "severity": "critical"}
        await session.post("/api/v1/monitor/alerts/rules", json=rule)
        sample = {"metric": "heat", "labels": {"node": "a"}, "ts": int(time.time() * 1000), "value": 9}
        await session.post("/api/v1/monitor/metrics", json=[sample])

        async def there() -> Any:
            async with other.get(f"http://127.0.0.1:{port}/api/v2/alerts") as response:
                return await response.json()

        (alert,) = await eventually(there)
        assert alert["labels"] == {"alertname": "Hot", "node": "a", "severity": "critical"}

        async def decided() -> bool:
            async with session.get("/api/v1/monitor/alerts/decisions") as response:
                return [row["decision"] for row in (await response.json())["items"]] == ["sent"]

        await eventually(decided)


async def test_a_killed_hub_has_lost_two_seconds_at_most(tmp_path: Path) -> None:
    """kill -9 under ingest: every sample taken two flushes before is there after the next start, and no chunk is damaged."""
    sent: list[int] = []
    taken: dict[int, float] = {}
    async with running(tmp_path / "data") as hub, signed_in(hub) as session:
        began = time.monotonic()
        while time.monotonic() - began < 5 and len(sent) < 4000:
            at = max(int(time.time() * 1000), sent[-1] + 1 if sent else 0)
            body = {"series": [{"metric": "m", "labels": {"i": str(i)}} for i in range(20)], "ts": [at], "values": [[at % 1000]] * 20}
            async with session.post("/api/v1/monitor/metrics", json=body) as response:
                assert (await response.json())["accepted"] == 20
            sent.append(at)
            taken[at] = time.monotonic()
        hub.process.kill()
        killed = time.monotonic()
        await hub.process.wait()
    async with running(tmp_path / "data") as hub, signed_in(hub) as session:
        async with session.get("/api/v1/monitor/metrics", params={"names": "m", "start": str(sent[0])}) as response:
            found = (await response.json())["series"]
        async with session.get("/api/v1/system/actors/telemetry") as response:
            assert (await response.json())["state"]["damaged"] == {}
    wanted = {at for at, when in taken.items() if when < killed - 2.0}
    assert len(found) == 20
    for series in found:
        got = {at for at, _ in series["points"]}
        assert wanted <= got <= set(sent)
