"""actors.vitals"""

from pathlib import Path

from actors.samples import ReadMetrics
from actors.storage import Database
from actors.vitals import Vitals
from tests.actors.collecting import START, T, collecting
from tests.actors.conftest import Clock


async def test_the_hub_measures_itself(tmp_path: Path, clock: Clock) -> None:
    """Refused samples by reason, damaged rows by table, restarts by type of actor and deployments by ending are series like others."""
    async with collecting(tmp_path, clock) as bench:
        bench.feed(START, cpu=1.0)
        await bench.save()
    database = await Database.open(tmp_path / "telemetry.sqlite3", "telemetry")
    async with database.transaction() as tx:
        await tx.execute("UPDATE chunk SET blob = x'00'")
    await database.close()
    control = await Database.open(tmp_path / "control.sqlite3", "control")
    async with collecting(tmp_path, clock) as bench:
        bench.feed(START + 1000, cpu=1.0)
        bench.feed(START + 1000, cpu=1.0)
        await bench.read("cpu")
        await bench.system.spawn("vitals", lambda: Vitals(control, clock))
        names = frozenset(f"paranet_hub_{name}_total" for name in ("samples_rejected", "damaged_rows", "actor_restarts", "deployments"))
        request = ReadMetrics(names=names, nodes=frozenset(), start=0, end=1 << 53)
        while not (found := await bench.collector.ask(request, timeout=T)):
            pass
    await control.close()
    figures = {tuple(p.metric.values()): p.points[-1][1] for p in found}
    assert figures["paranet_hub_samples_rejected_total", "duplicate"] == 1
    assert figures["paranet_hub_samples_rejected_total", "over_limit"] == 0
    assert figures["paranet_hub_damaged_rows_total", "chunk"] == 1
    assert figures["paranet_hub_damaged_rows_total", "series"] == 0
    assert figures["paranet_hub_actor_restarts_total", "TelemetryCollector"] == 0
    assert figures["paranet_hub_deployments_total", "failed"] == 0
