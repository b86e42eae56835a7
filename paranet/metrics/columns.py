"""Times that series have in common: what is measured together is cut, put together and searched once for all of it."""

from collections.abc import Hashable, Sequence

import numpy as np

from paranet.metrics.promql.values import Times


class Columns:
    """Knows arrays by identity, and keeps all it was given, so that none takes another's place. Nobody writes to what it returns."""

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[object, Times]] = {}

    def same(self, times: Times) -> Times:
        """Return the array of these times that was given first, if that is easily found; at least one time."""
        first = self._known.setdefault((len(times), int(times[0]), int(times[-1])), (times, times))[1]
        return first if np.array_equal(first, times) else times

    def head(self, times: Times, end: int) -> Times:
        """Return times[:end], the same array for the same times."""
        if end == len(times):
            return times
        key = "head", id(times), end
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = times, times[:end]
        return found[1]

    def joined(self, pieces: Sequence[Times]) -> Times:
        """Return pieces one after the other, the same array for the same pieces."""
        if len(pieces) == 1:
            return pieces[0]
        key = "joined", *map(id, pieces)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = pieces, np.concatenate(pieces)
        return found[1]
