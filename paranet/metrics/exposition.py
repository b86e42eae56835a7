"""Prometheus' text format (0.0.4) as samples, by the reader of the prometheus-client package."""

from collections.abc import Iterator, Mapping

from prometheus_client.parser import text_string_to_metric_families

from paranet.errors import InvalidInput


def parse_exposition(text: str) -> Iterator[tuple[str, Mapping[str, str], float, int | None]]:
    """Yield (metric, labels, value, UNIX ms or None). Raise InvalidInput."""
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                stamp = sample.timestamp
                at = None if stamp is None else round(float(stamp) * 1000)
                yield sample.name, sample.labels, float(sample.value), at
    except (ValueError, KeyError, IndexError) as error:
        raise InvalidInput(f"this is not Prometheus' text format: {error}") from None
