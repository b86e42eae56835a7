"""How far a deployment is: what operators see of it, and the events that lead there."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from paranet.orchestrator.gates import Condition

ENDINGS = frozenset({"succeeded", "rolled_back", "cancelled", "failed"})


@attrs.frozen(kw_only=True)
class DeviceState:
    """How far one device is."""

    node: str
    state: str
    message: str = ""


@attrs.frozen(kw_only=True)
class Wave:
    """Devices that are changed together."""

    index: int
    devices: tuple[DeviceState, ...]


@attrs.frozen(kw_only=True)
class Progress:
    """A deployment as operators see it. Times are UNIX s, *percent* never goes back, *reason* says why it did not succeed.

    *behind* are the deployments that a queued one waits for, *eta* is when it is likely to end, *restores* is true for one
    that undoes what others did to the devices, *conditions* are the figures that its gates look at.
    """

    deploy_id: str
    compile_id: str | None
    rolls_back: str | None
    author: str
    state: str
    percent: int
    waves: tuple[Wave, ...]
    started_at: float
    ended_at: float | None = None
    reason: str | None = None
    inconsistent_devices: tuple[str, ...] = ()
    restores: bool = False
    behind: tuple[str, ...] = ()
    eta: float | None = None
    conditions: tuple[Condition, ...] = ()

    @property
    def nodes(self) -> tuple[str, ...]:
        """The devices, in the order in which they are changed."""
        return tuple(device.node for wave in self.waves for device in wave.devices)

    def told(self, devices: Mapping[str, DeviceState]) -> tuple[Wave, ...]:
        """Return the waves with the news of some devices."""
        return tuple(attrs.evolve(w, devices=tuple(devices.get(d.node, d) for d in w.devices)) for w in self.waves)

    def event(
        self, seq: int, at: float, *, device: str | None = None, step: str | None = None, wave: int | None = None, message: str = ""
    ) -> dict[str, Any]:
        """Return one item of the deployment's channel."""
        return {
            "deploy_id": self.deploy_id,
            "seq": seq,
            "at": at,
            "state": self.state,
            "wave": wave,
            "device": device,
            "step": step,
            "percent": self.percent,
            "eta": self.eta,
            "message": message,
        }

    def summary(self) -> dict[str, Any]:
        """Return the item of channel `deployments`: the deployment without its devices."""
        return {
            "deploy_id": self.deploy_id,
            "compile_id": self.compile_id,
            "rolls_back": self.rolls_back,
            "restores": self.restores,
            "author": self.author,
            "state": self.state,
            "percent": self.percent,
            "devices": len(self.nodes),
            "waves": len(self.waves),
            "behind": list(self.behind),
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "eta": self.eta,
            "reason": self.reason,
            "inconsistent_devices": list(self.inconsistent_devices),
        }


def waves_of(split: Sequence[Sequence[str]]) -> tuple[Wave, ...]:
    """Return the waves of a deployment that has only been planned."""
    return tuple(Wave(index=i, devices=tuple(DeviceState(node=n, state="planned") for n in nodes)) for i, nodes in enumerate(split))
