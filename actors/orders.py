"""What can be asked of the deployer."""

import attrs

from actors.journal import Wanted
from actors.leases import Lease
from actors.planner import Validation
from actors.progress import Progress
from actors.runtime import Request
from paranet.orchestrator.gates import Gates
from paranet.orchestrator.plan import Plan
from paranet.orchestrator.waves import Strategy


@attrs.frozen(kw_only=True)
class Key:
    """What makes asking again harmless: the client's own *text*, and what it asked for under it."""

    text: str
    request: str


@attrs.frozen(kw_only=True)
class Execute(Request[Progress]):
    """Plan and start (or queue) the deployment of a compilation; answered as soon as the plan is in the journal.

    *base*, when given, names the changes that were agreed to. Without *queue* devices in use are refused as DevicesBusy.
    """

    compile_id: str
    author: str
    strategy: Strategy = attrs.field(factory=Strategy)
    gates: Gates | None = None
    base: str | None = None
    queue: bool = True
    key: Key | None = None


@attrs.frozen(kw_only=True)
class Validate(Request[tuple[Validation, tuple[Lease, ...]]]):
    """Return what deploying a compilation would change and meet, and who holds the devices; nothing is done."""

    compile_id: str


@attrs.frozen(kw_only=True)
class RollBack(Request[Progress]):
    """Plan and start the way back from a deployment that succeeded."""

    deploy_id: str
    author: str
    key: Key | None = None


@attrs.frozen(kw_only=True)
class RestoreDrift(Request[Progress]):
    """Have *nodes* (all when empty) hold again what was deployed on them."""

    nodes: tuple[str, ...]
    author: str


@attrs.frozen(kw_only=True)
class GetDeployment(Request[Progress]):
    """Return how far a deployment is."""

    deploy_id: str


@attrs.frozen(kw_only=True)
class GetPlan(Request[Plan]):
    """Return what a deployment was planned to change."""

    deploy_id: str


@attrs.frozen(kw_only=True)
class CancelDeployment(Request[Progress]):
    """Have a deployment that runs undo itself, or one that is queued not begin."""

    deploy_id: str


@attrs.frozen(kw_only=True)
class GetDeployHistory(Request[tuple[Progress, ...]]):
    """Return deployments, newest first."""

    wanted: Wanted


@attrs.frozen(kw_only=True)
class GetLeases(Request[tuple[Lease, ...]]):
    """Return every lease."""


@attrs.frozen(kw_only=True)
class ForceRelease(Request[Lease]):
    """Take a device from the deployment that holds it, which can do nothing more to it."""

    node: str
