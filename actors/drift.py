"""What devices show against what the hub has had installed on them: reported, or taken for what is wanted."""

from collections.abc import Mapping

import attrs

from actors.devices import ReadInstalled
from actors.journal import Journal
from actors.runtime import Request
from actors.runtime.system import ActorSystem
from paranet.orchestrator.drift import Drift, adopted, drift_of

ASK = 15.0


@attrs.frozen(kw_only=True)
class Drifted:
    """All differences; devices that could not be compared are in *unreachable* with the reason."""

    rows: tuple[Drift, ...]
    unreachable: Mapping[str, str]


@attrs.frozen(kw_only=True)
class GetDrift(Request[Drifted]):
    """Compare *nodes*, all of them when empty."""

    nodes: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Adopt(Request[tuple[Drift, ...]]):
    """Take what *nodes* show for what is expected of them; the answer is what was adopted. Foreign rows stay foreign."""

    nodes: tuple[str, ...]


class Ledger:
    """What is expected is in the journal, written with every decision."""

    def __init__(self, system: ActorSystem, journal: Journal) -> None:
        self._system = system
        self._journal = journal

    async def drift(self, nodes: tuple[str, ...], held: Mapping[str, str]) -> Drifted:
        """Read the devices and compare. *held* tells by device which deployment has had it meanwhile: what it shows may be on its way."""
        installed = await self._system.ref("device").ask(ReadInstalled(), timeout=ASK)
        expected = await self._journal.expected()
        left_out = {**{n: f"held by deployment {deploy_id}" for n, deploy_id in held.items()}, **installed.unreachable}
        chosen = [n for n in nodes or sorted(installed.rows) if n in installed.rows and n not in left_out]
        rows = [d for n in chosen for d in drift_of(n, installed.rows[n], expected.get(n, {}))]
        return Drifted(rows=tuple(rows), unreachable={n: why for n, why in left_out.items() if not nodes or n in nodes})

    async def adopt(self, nodes: tuple[str, ...]) -> tuple[Drift, ...]:
        """Raise NotFound for what is no device, DeviceError when one does not answer."""
        installed = await self._system.ref("device").ask(ReadInstalled(), timeout=ASK)
        installed.check(nodes)
        expected = await self._journal.expected(nodes)
        await self._journal.expect({n: adopted(installed.rows[n], expected.get(n, {})) for n in nodes})
        return tuple(d for n in nodes for d in drift_of(n, installed.rows[n], expected.get(n, {})) if d.kind != "foreign")
