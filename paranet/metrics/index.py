"""Which series there are: by identity, and by every label's value."""

from collections.abc import Iterable, Iterator, Sequence

from paranet.metrics.hot import HotSeries
from paranet.metrics.labels import Labels
from paranet.metrics.matchers import Matcher, matches


class Index:
    """Series by labels and by (label, value). *generation* counts changes, so that answers can be kept."""

    def __init__(self) -> None:
        self.generation = 0
        self._by_labels: dict[Labels, HotSeries] = {}
        self._by_pair: dict[tuple[str, str], dict[int, HotSeries]] = {}
        self._values: dict[str, dict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._by_labels)

    def __iter__(self) -> Iterator[HotSeries]:
        return iter(self._by_labels.values())

    def get(self, labels: Labels) -> HotSeries | None:
        """Return the series of these labels if it is known."""
        return self._by_labels.get(labels)

    def add(self, series: HotSeries) -> None:
        """Take a series in."""
        self.generation += 1
        self._by_labels[series.labels] = series
        for pair in series.labels:
            self._by_pair.setdefault(pair, {})[series.id] = series
            self._values.setdefault(pair[0], {})[pair[1]] = None

    def remove(self, series: HotSeries) -> None:
        """Forget a series."""
        self.generation += 1
        del self._by_labels[series.labels]
        for pair in series.labels:
            postings = self._by_pair[pair]
            del postings[series.id]
            if not postings:
                del self._by_pair[pair]
                del self._values[pair[0]][pair[1]]

    def select(self, alternatives: Sequence[Sequence[Matcher]]) -> list[HotSeries]:
        """Return the series that pass all matchers of an alternative, each once, by their labels."""
        found: dict[int, HotSeries] = {}
        for matchers in alternatives:
            rest = [m for m in matchers if not (m.operator == "=" and m.value)]
            for series in self._candidates(matchers):
                if not rest or matches(dict(series.labels), (rest,)):
                    found[series.id] = series
        return sorted(found.values(), key=lambda s: s.labels)

    def _candidates(self, matchers: Sequence[Matcher]) -> Iterable[HotSeries]:
        """Return the series with all values asked for by equality; where there is none, those with a value that a pattern takes."""
        postings = [self._by_pair.get((m.name, m.value), {}) for m in matchers if m.operator == "=" and m.value]
        if postings:
            postings.sort(key=len)
            least, others = postings[0], postings[1:]
            return [s for i, s in least.items() if all(i in other for other in others)] if others else list(least.values())
        for matcher in matchers:
            if not matcher.test(""):
                fitting = [v for v in self._values.get(matcher.name, {}) if matcher.test(v)]
                return [s for value in fitting for s in self._by_pair[matcher.name, value].values()]
        return list(self._by_labels.values())

    def label_names(self) -> list[str]:
        """Return all labels there are."""
        return sorted(name for name, values in self._values.items() if values)

    def label_values(self, name: str) -> list[str]:
        """Return all values of a label."""
        return sorted(self._values.get(name, ()))
