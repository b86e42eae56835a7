"""Times on the wire: RFC 3339, UTC."""

from datetime import UTC, datetime

from paranet.errors import InvalidInput


def rfc3339(seconds: float | None) -> str | None:
    """Return a UNIX time in s as `2026-01-02T03:04:05.678Z`."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(name: str, text: str | None) -> float | None:
    """Return a query parameter that is a time, RFC 3339 or UNIX s, as UNIX s. Raise InvalidInput."""
    if text is None:
        return None
    try:
        return float(text) if text.replace(".", "", 1).isdigit() else datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise InvalidInput(f"?{name}= must be a time like 2026-01-02T03:04:05Z, not {text[:60]!r}") from None
