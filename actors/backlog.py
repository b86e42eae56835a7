"""Backlog: samples on their way to disk: what is sealed, what the journal has not got yet, the batch under way, rounds of open chunks."""

from collections import defaultdict
from collections.abc import Iterator

from actors.chunks import Arrays, Batch
from actors.ingestion import Intake
from paranet.metrics.hot import HotSeries, Run
from paranet.metrics.index import Index

CHECKPOINT = 300
"""turns of saving within which every open chunk is written once, so that the journal stays short"""
ROW = 2000
"""series that one row of the journal holds at most: not more than a few MiB"""
PIECE = 500
"""chunks that are written at once at the end"""


class Backlog:
    """Makes batches, one at a time: what is in one stays here until it is said to be on disk."""

    def __init__(self, index: Index) -> None:
        self.pending: dict[int, list[Arrays]] = defaultdict(list)
        """samples by series that are sealed and in no chunk on disk yet"""
        self.waiting = 0
        """how many of them there are"""
        self.journal = 0
        """the journal's last row"""
        self._index = index
        self._hasty: list[tuple[int, Arrays]] = []
        self._batch: Batch | None = None
        self._collected = self._on_disk = 0
        self._to_checkpoint: list[HotSeries] = []
        self._turn = self._mark = 0

    def unsaved(self, intake: Intake) -> int:
        """Return how many of the samples taken are neither in the journal nor in a chunk."""
        return intake.counts["accepted"] - self._on_disk

    def holds(self, series: HotSeries) -> bool:
        """Tell whether a batch has, or may have, samples of a series that must not be forgotten under it."""
        return series.id in self.pending or (series.unsealed > 0 and self._batch is not None)

    def seal(self, series: HotSeries) -> None:
        """Take a series' unsealed samples, which are a chunk from now on."""
        times, values, saved = series.seal()
        if len(times):
            self.pending[series.id].append((times, values))
            self.waiting += len(times)
            if saved < len(times):
                self._hasty.append((series.id, (times[saved:], values[saved:])))

    def batch(self, intake: Intake) -> Batch | None:
        """Return what is to be written now: what could not be written before, or what has come since; None where that is nothing."""
        if self._batch is None:
            self._batch = self._collect(intake)
            self._collected = intake.counts["accepted"]
        if not self._batch:
            self._batch = None
        return self._batch

    def written(self, journal: int) -> None:
        """The batch is on disk, and *journal* is the row it made there, or 0."""
        batch, self._batch = self._batch, None
        assert batch is not None
        self.journal = max(self.journal, journal)
        self._on_disk = self._collected
        for series_id, arrays in batch.sealed:
            self.waiting -= len(arrays[0])
            pieces = self.pending[series_id]
            pieces.pop(0)
            if not pieces:
                del self.pending[series_id]

    def rest(self, intake: Intake) -> Iterator[Batch]:
        """Yield all there is: the journal first, which is quick, then chunks piece by piece; the journal's end is last."""
        last, left = self._collect(intake), self._batch or Batch()  # what is under way may be on disk or not: its chunks are pending still
        yield Batch(series=[*left.series, *last.series], fresh=[*left.fresh, *last.fresh], hasty=[*left.hasty, *last.hasty])
        for i in range(0, len(last.sealed), PIECE):
            yield Batch(sealed=last.sealed[i : i + PIECE])
        still_open = [s for s in self._index if s.unsealed]
        for i in range(0, len(still_open), PIECE):
            yield Batch(open=[(s.id, s.tail(s.unsealed)) for s in still_open[i : i + PIECE]])
        yield Batch(forget_journal=1 << 62)

    def _collect(self, intake: Intake) -> Batch:
        sealed = [(i, arrays) for i, pieces in self.pending.items() for arrays in pieces]
        batch = Batch(series=intake.unwritten, sealed=sealed)
        intake.unwritten = []
        batch.hasty = [Run.joined(self._hasty[i : i + ROW]) for i in range(0, len(self._hasty), ROW)]
        self._hasty = []
        fresh = [s for s in self._index if s.unsealed > s.saved]
        batch.fresh = [Run.fresh(fresh[i : i + ROW]) for i in range(0, len(fresh), ROW)]
        batch.open, batch.forget_journal = self._checkpoint()
        return batch

    def _checkpoint(self) -> tuple[list[tuple[int, Arrays]], int]:
        """Return the next open chunks to be written, and the journal row up to which all are, once a round is done."""
        self._turn += 1
        if not self._to_checkpoint:
            done, self._mark = self._mark, self.journal
            self._to_checkpoint = [s for s in self._index if s.unsealed] if self._turn >= CHECKPOINT else []
            if not self._to_checkpoint:
                self._mark = 0
                return [], done
            self._turn = 0
            return [], done
        many = max(len(self._to_checkpoint) // max(CHECKPOINT - self._turn, 1), 10)
        chosen, self._to_checkpoint = self._to_checkpoint[:many], self._to_checkpoint[many:]
        return [(s.id, s.tail(s.unsealed)) for s in chosen if s.unsealed], 0
