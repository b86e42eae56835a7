"""One deny's promise: no packet that it means arrives."""

from collections.abc import Iterable, Sequence

from paranet.models.intent import Isolation, Reach
from paranet.verifier.network import Network, Outcome, Piece
from paranet.verifier.packets import BITS, Packets, boxes, example, overlap
from paranet.verifier.prefixes import Prefix
from paranet.verifier.walks import Event, State, Walk


def meant(isolation: Isolation, version: int) -> Packets:
    """Return the packets that must not arrive. Raise ValueError when prefixes or match are none."""
    found = boxes(isolation.match, version, when=isolation.when)
    bounds = {"source": isolation.source_prefix, "destination": isolation.destination_prefix}
    return overlap(found, boxes({name: prefix for name, prefix in bounds.items() if prefix}, version))


class IsolationCheck:
    """Checks one isolation. Packets arrive at a node that owns their destination, or where a reach of *targets* says they end.

    Raise ValueError when its prefixes or its match are none.
    """

    def __init__(self, isolation: Isolation, targets: Sequence[tuple[Prefix, Reach]], network: Network) -> None:
        self._isolation = isolation
        self._network = network
        self.prefix = Prefix.of(isolation.destination_prefix) if isolation.destination_prefix else None
        self._meant = {version: meant(isolation, version) for version in BITS}
        self._targets = [(prefix, reach.target) for prefix, reach in targets]

    @property
    def intent(self) -> str:
        return self._isolation.intent

    def names(self) -> Iterable[str]:
        return ("isolation",)

    def run(self) -> Outcome:
        """Send all of them, from every source, to every atom of the destination."""
        outcome = Outcome()
        for piece in self._pieces():
            for source in self._isolation.source_nodes:
                self._walk(source, piece, outcome)
        return outcome

    def _pieces(self) -> Iterable[Piece]:
        for version, meant in self._meant.items():
            for low, high in sorted({box[1] for box in meant}):
                yield from self._network.pieces(version, low, high + 1)

    def _walk(self, source: str, piece: Piece, outcome: Outcome) -> None:
        version = piece.version
        whole = (0, (1 << BITS[version]) - 1)
        here = ((whole, (piece.low, piece.high - 1), (0, 255), (0, 65535), (0, 65535), (0, 1439)),)
        packets = overlap(self._meant[version], here)
        network = self._network
        walk = Walk(rules=piece.atom.rules, lists=network.lists, version=version)
        for event, state, _ in walk.run(State(source, packets=packets)):
            outcome.visited.add(state.node)
            if event is Event.AT and state.way and state.packets:
                self._judge(source, piece, state, outcome)

    def _judge(self, source: str, piece: Piece, state: State, outcome: Outcome) -> None:
        """Judge packets that are on a node they may be meant for."""
        arrived = []
        for box in state.packets or ():
            address = self._delivered(state.node, piece, box[1])
            if address is not None:
                arrived.append((box[0], (address, address), *box[2:]))
        if arrived:
            intent = self._isolation.intent
            head = example(tuple(arrived), piece.version)
            message = f"packets that {intent!r} denies go from {source!r} to {state.node!r}"
            outcome.found().violate("isolation", message, header=head, hops=state.hops, steps=state.steps, intents=(intent,))

    def _delivered(self, node: str, piece: Piece, addresses: tuple[int, int]) -> int | None:
        """Return the first address of the range that *node* takes packets for, None if there is none."""
        low, high = addresses
        rule = piece.atom.rules.get(node)
        length = rule.length if rule else -1
        taken = [*self._network.ownership.local(node), *(prefix for prefix, target in self._targets if target == node)]
        fitting = (p for p in taken if p.version == piece.version and p.low <= high and low <= p.high and length <= p.length)
        return min((max(low, p.low) for p in fitting), default=None)
