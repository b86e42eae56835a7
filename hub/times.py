"""Times on the wire: RFC 3339, UTC."""

from datetime import datetime

from actors.times import rfc3339
from paranet.errors import InvalidInput

__all__ = ["rfc3339", "unix"]


def unix(name: str, text: str) -> float:
    """Return an RFC 3339 time as UNIX s. Raise InvalidInput."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidInput(f"{name}: must be a time such as 2026-01-02T03:04:05Z, not {text[:60]!r}")
    return moment.timestamp()
