"""Operations to rows, over all protocols together: they share the links and the bandwidth on them."""

from collections.abc import Mapping

import attrs

from paranet.compiler.board import Board
from paranet.compiler.context import Context
from paranet.compiler.geo import Compass
from paranet.compiler.hops import Hops
from paranet.compiler.ip import Marker, write_routes
from paranet.compiler.ir import CacheOp, ClassOp, FilterOp, GeoOp, GlobalIR, MulticastOp, RegionOp, RouteOp
from paranet.compiler.ndn import Names, write_cache
from paranet.compiler.p4 import Switches
from paranet.compiler.router import Router
from paranet.compiler.trees import Planter, write_tree
from paranet.models.device import Row
from paranet.models.intent import GroupPromise, Isolation, NamePromise, Path, Reach, RegionPromise, Reservation
from paranet.models.topology import Modality


@attrs.frozen(kw_only=True)
class Built:
    """The rows of each device that gets any, the paths that make them and what they promise."""

    rows: Mapping[str, tuple[Row, ...]]
    paths: tuple[Path, ...]
    reaches: tuple[Reach, ...]
    isolations: tuple[Isolation, ...]
    names: tuple[NamePromise, ...]
    regions: tuple[RegionPromise, ...]
    groups: tuple[GroupPromise, ...]
    reservations: tuple[Reservation, ...]


class Build:
    """One network while operations are placed on it."""

    def __init__(self, context: Context) -> None:
        self._board = Board(context.log)
        self.router = Router(context.topology, context.log)
        self.hops = Hops(context.topology, context.owners.addresses)
        self._planter = Planter(context.topology, context.log)
        self._marker = Marker(context, self.router.network(Modality.IP), self._board)
        self._names = Names(self.hops, self._board, context.log)
        self._compass = Compass(context, self.router.network(Modality.GEO), self.hops, self._board)
        self._switches = Switches(context, self.hops, self._board)

    def run(self, ir: GlobalIR) -> Built:
        """Place the operations in the order of the source; what cannot be met is reported."""
        for op in ir.operations:
            self._place(op)
        self._write_routes()
        routed, planter, compass = self.router.routed, self._planter, self._compass
        return Built(
            rows=self._board.rows(),
            paths=(*routed.paths, *planter.paths, *compass.paths),
            reaches=tuple(routed.reaches),
            isolations=tuple(self._marker.isolations),
            names=tuple(routed.names),
            regions=tuple(compass.promises),
            groups=tuple(planter.promises),
            reservations=(*routed.reservations, *planter.reservations),
        )

    def _place(self, op: object) -> None:
        match op:
            case RouteOp():
                if op.modality is Modality.NDN:
                    self._names.strategy(op)
                self.router.add(op)
            case MulticastOp():
                self._plant(op)
            case GeoOp():
                self._compass.forward(op)
            case RegionOp():
                self._compass.know(op)
            case FilterOp():
                self._marker.filter(op)
            case ClassOp():
                self._marker.classify(op)
            case CacheOp():
                write_cache(op, self._board)

    def _plant(self, op: MulticastOp) -> None:
        tree = self._planter.grow(op, self.router.network(op.modality, (op.source, *op.members)))
        if tree is None:
            return
        only = None
        if op.modality is Modality.P4:
            self._switches.write_tree(tree)
            only = self._switches.others
        write_tree(tree, self.hops, self._board, only=only)

    def _write_routes(self) -> None:
        routed = self.router.routed
        for (modality, prefix), tree in sorted(routed.trees.items()):
            if modality is Modality.NDN:
                self._names.write(prefix, tree, routed.ends.get((modality, prefix), {}))
            elif modality is Modality.P4:
                self._switches.write_routes(prefix, tree)
                write_routes(prefix, tree, self.hops, self._board, only=self._switches.others)
            else:
                write_routes(prefix, tree, self.hops, self._board)
