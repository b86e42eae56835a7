"""What the network is to be judged by."""

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
