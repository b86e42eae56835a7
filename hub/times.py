"""Times on the wire: RFC 3339 in UTC with milliseconds."""

from datetime import datetime
from typing import NewType

from actors.times import rfc3339
from paranet.errors import InvalidInput

__all__ = ["Time", "moment", "rfc3339", "unix"]

Time = NewType("Time", str)
"""a time as it stands on the wire"""


def moment(name: str, text: str | None) -> float | None:
    """Return a query parameter that is a time, RFC 3339 or UNIX s, as UNIX s. Raise InvalidInput."""
    if text is None:
        return None
    try:
        return float(text) if text.replace(".", "", 1).isdigit() else datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise InvalidInput(f"?{name}= must be a time like 2026-01-02T03:04:05Z, not {text[:60]!r}") from None


def unix(name: str, text: str) -> float:
    """Return an RFC 3339 time as UNIX s. Raise InvalidInput."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidInput(f"{name}: must be a time such as 2026-01-02T03:04:05Z, not {text[:60]!r}")
    return moment.timestamp()
