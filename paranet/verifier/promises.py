"""What the network is to be judged by."""

from collections.abc import Collection
from itertools import chain

import attrs

from paranet.models.intent import Compiled, GroupPromise, Isolation, NamePromise, Reach, RegionPromise, Reservation


@attrs.frozen(kw_only=True)
class Promises:
    """Everything that intents promised."""

    reaches: tuple[Reach, ...] = ()
    isolations: tuple[Isolation, ...] = ()
    names: tuple[NamePromise, ...] = ()
    regions: tuple[RegionPromise, ...] = ()
    groups: tuple[GroupPromise, ...] = ()
    reservations: tuple[Reservation, ...] = ()

    @classmethod
    def of(cls, *compiled: Compiled) -> "Promises":
        """Return what the sources promise together."""
        return cls(
            reaches=tuple(p for c in compiled for p in c.reaches),
            isolations=tuple(p for c in compiled for p in c.isolations),
            names=tuple(p for c in compiled for p in c.names),
            regions=tuple(p for c in compiled for p in c.regions),
            groups=tuple(p for c in compiled for p in c.groups),
            reservations=tuple(p for c in compiled for p in c.reservations),
        )

    def only(self, intents: Collection[str]) -> "Promises":
        """Return what these intents promise."""
        return Promises(**{name: tuple(p for p in held if p.intent in intents) for name, held in attrs.asdict(self, recurse=False).items()})

    def along(self, *others: "Promises") -> "Promises":
        """Return what is promised here and by the others."""
        fields = [attrs.asdict(promises, recurse=False) for promises in (self, *others)]
        return Promises(**{name: tuple(chain.from_iterable(f[name] for f in fields)) for name in fields[0]})
