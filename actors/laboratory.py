"""Laboratory: breaks the simulated network on purpose, and mends it."""

from collections.abc import Callable, Mapping

import attrs

from actors.runtime import Actor, Request, handles
from paranet.controller.simulator.lab import Fault, Lab
from paranet.controller.simulator.network import SimulatedNetwork
from paranet.errors import InvalidInput, WrongState
from paranet.models.device import Row, RowKey

OURS = (None, "simulator")
"""how a node that lives in the simulated network is managed"""


@attrs.frozen(kw_only=True)
class LabState:
    """What is broken now."""

    cut: tuple[str, ...]
    dead: tuple[str, ...]
    hung: tuple[str, ...]
    faults: tuple[Fault, ...]


@attrs.frozen(kw_only=True)
class GetLab(Request[LabState]):
    """Return what is broken now."""


@attrs.frozen(kw_only=True)
class Tamper(Request[LabState]):
    """Do *action* (one of ACTIONS) to the link or node *target*; *step* goes with `refuse` and `lose`. Raise NotFound or WrongState."""

    action: str
    target: str
    step: str = "commit"


@attrs.frozen(kw_only=True)
class ChangeRow(Request[LabState]):
    """Install *row* on a device behind the hub's back, or remove the row called *key*."""

    node: str
    row: Row | None = None
    key: RowKey | None = None


LINKS: Mapping[str, Callable[[Lab, str], None]] = {"cut": Lab.cut_link, "restore": Lab.mend_link}
NODES: Mapping[str, Callable[[Lab, str], None]] = {
    "kill": Lab.kill_node,
    "revive": Lab.revive_node,
    "hang": Lab.hang,
    "release": Lab.release,
    "reboot": Lab.reboot,
}
STEPS: Mapping[str, Callable[[Lab, str, str], None]] = {"refuse": Lab.refuse_next, "lose": Lab.lose_next}


class Laboratory(Actor):
    """The simulated network is plain and synchronous; here is where people get at it."""

    def __init__(self, network: SimulatedNetwork) -> None:
        self._network = network

    def inspect(self) -> Mapping[str, object]:
        lab = self._network.lab
        return {"cut": sorted(lab.cut), "dead": sorted(lab.dead), "hung": sorted(lab.hung)}

    @handles
    async def get(self, message: GetLab) -> LabState:
        return self._state()

    @handles
    async def tamper(self, message: Tamper) -> LabState:
        lab, action, target = self._network.lab, message.action, message.target
        if action in LINKS:
            LINKS[action](lab, target)
        elif action in NODES:
            NODES[action](lab, self._ours(target))
        elif action in STEPS:
            STEPS[action](lab, self._ours(target), message.step)
        else:
            raise InvalidInput(f"nothing is called {action[:60]!r} here")
        return self._state()

    @handles
    async def change_row(self, message: ChangeRow) -> LabState:
        node = self._ours(message.node)
        if message.row is not None:
            self._network.lab.change_row(node, message.row)
        elif message.key is not None:
            self._network.lab.remove_row(node, message.key)
        return self._state()

    def _ours(self, node_id: str) -> str:
        node = self._network.topology.nodes.get(node_id)
        if node is not None and node.management is not None and node.management.driver not in OURS:
            raise WrongState(f"{node_id} is a real device (driver {node.management.driver}), not one of the laboratory")
        return node_id

    def _state(self) -> LabState:
        lab = self._network.lab
        return LabState(cut=tuple(sorted(lab.cut)), dead=tuple(sorted(lab.dead)), hung=tuple(sorted(lab.hung)), faults=lab.faults)
