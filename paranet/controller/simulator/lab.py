"""What may go wrong in a laboratory: links cut, devices dead, deaf, slow or changed by somebody else."""

import asyncio
from typing import TYPE_CHECKING

import attrs

from paranet.errors import DeviceError, NotFound
from paranet.models.device import Row, RowKey
from paranet.models.topology import Topology

if TYPE_CHECKING:
    from paranet.controller.simulator.network import SimulatedNetwork

STEPS = ("connect", "read_rows", "transaction_id", "stage", "commit", "confirm", "discard", "revert", "counters")


@attrs.frozen(kw_only=True, order=True)
class Fault:
    """What the next call of a step will meet: it is refused, or done and its answer lost."""

    node: str
    step: str
    what: str


class Lab:
    """Faults, injected on purpose. Every method raises NotFound for a link, node or step that does not exist."""

    def __init__(self, network: "SimulatedNetwork") -> None:
        self._network = network
        self._cut: set[str] = set()
        self._dead: set[str] = set()
        self._hung: dict[str, asyncio.Event] = {}
        self._refusals: set[tuple[str, str]] = set()
        self._lost_answers: set[tuple[str, str]] = set()

    @property
    def cut(self) -> frozenset[str]:
        """Links that are cut."""
        return frozenset(self._cut)

    @property
    def dead(self) -> frozenset[str]:
        """Nodes without power."""
        return frozenset(self._dead)

    @property
    def hung(self) -> frozenset[str]:
        """Nodes that do not answer."""
        return frozenset(self._hung)

    @property
    def meddles(self) -> bool:
        """Whether some device would not answer as it should."""
        return bool(self._dead or self._hung or self._refusals or self._lost_answers)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What waits for the next call of a step."""
        waiting = [Fault(node=n, step=s, what="refuse") for n, s in self._refusals] + [
            Fault(node=n, step=s, what="lose") for n, s in self._lost_answers
        ]
        return tuple(sorted(waiting))

    def cut_link(self, link: str) -> None:
        """Have the link carry nothing, in both directions."""
        self._cut.add(self._link(link))
        self._network.disturb()

    def mend_link(self, link: str) -> None:
        """Undo `cut_link`."""
        self._cut.discard(self._link(link))
        self._network.disturb()

    def kill_node(self, node: str) -> None:
        """Take a node's power: it answers nothing and forwards nothing."""
        self._dead.add(self._node(node))
        self._network.disturb()

    def revive_node(self, node: str) -> None:
        """Give a killed node its power back: it starts with the rows of its flash and counters at zero."""
        if self._node(node) in self._dead:
            self._dead.discard(node)
            self._network.restart(node)
            self._network.disturb()

    def reboot(self, node: str) -> None:
        """Take a node's power and give it back."""
        self.kill_node(node)
        self.revive_node(node)

    def refuse_next(self, node: str, step: str) -> None:
        """Have the device refuse the next call of *step* (`stage`, `commit`, ...), without effect."""
        self._refusals.add((self._node(node), self._step(step)))

    def lose_next(self, node: str, step: str) -> None:
        """Have the device do the next *step* and the answer get lost."""
        self._lost_answers.add((self._node(node), self._step(step)))

    def hang(self, node: str) -> None:
        """Have all calls of the device wait until `release`."""
        self._hung.setdefault(self._node(node), asyncio.Event())

    def release(self, node: str) -> None:
        """Let the calls that hang go on."""
        event = self._hung.pop(self._node(node), None)
        if event is not None:
            event.set()

    def change_row(self, node: str, row: Row) -> None:
        """Install or replace a row behind the hub's back."""
        self._network.device(self._node(node)).store.change(row.id, row)

    def remove_row(self, node: str, key: RowKey) -> None:
        """Remove a row behind the hub's back. Raise NotFound when it is not there."""
        store = self._network.device(self._node(node)).store
        if key not in store.running:
            raise NotFound(f"{node} has no row {key[0][:60]} {key[1][:60]}")
        store.change(key, None)

    async def before(self, node: str, step: str) -> None:
        """Do to a call what is to be done before it has its effect; drivers await this. Raise DeviceError when it fails."""
        self._check_alive(node)
        if (event := self._hung.get(node)) is not None:
            await event.wait()
            self._check_alive(node)
        if (node, step) in self._refusals:
            self._refusals.discard((node, step))
            raise DeviceError(f"{node} refused to {step}", node=node, step=step)

    def after(self, node: str, step: str) -> None:
        """Do to a call what is to be done after its effect. Raise DeviceError when the answer is lost."""
        if (node, step) in self._lost_answers:
            self._lost_answers.discard((node, step))
            raise DeviceError(f"{node} did not answer {step}", node=node, step=step)

    def forget(self, topology: Topology) -> None:
        """Drop what concerns links and nodes that are gone."""
        self._cut &= topology.links.keys()
        self._dead &= topology.nodes.keys()
        for node in self._hung.keys() - topology.nodes.keys():
            self._hung.pop(node).set()
        self._refusals = {fault for fault in self._refusals if fault[0] in topology.nodes}
        self._lost_answers = {fault for fault in self._lost_answers if fault[0] in topology.nodes}

    def _check_alive(self, node: str) -> None:
        if node in self._dead:
            raise DeviceError(f"{node} is unreachable", node=node)

    def _link(self, link: str) -> str:
        if link not in self._network.topology.links:
            raise NotFound(f"there is no link {link[:60]!r}")
        return link

    def _node(self, node: str) -> str:
        if node not in self._network.topology.nodes:
            raise NotFound(f"there is no node {node[:60]!r}")
        return node

    def _step(self, step: str) -> str:
        if step not in STEPS:
            raise NotFound(f"there is no step {step[:60]!r}; a driver has {', '.join(STEPS)}")
        return step
