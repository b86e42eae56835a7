"""NDN names as URIs: `/com/example/video/%FD%01`, `ndn:/a/54=%00`.

Source: NDN Packet Format Specification 0.3, section "NDN URI Scheme".
"""

import re

LONGEST = 2048
_COMPONENT = re.compile(r"(?:\d{1,5}=)?(?!\.{1,2}\Z)(?:[A-Za-z0-9\-._~]|%[0-9A-Fa-f]{2})+", re.ASCII)


def check_name(text: str) -> str:
    """Return *text* when it is an NDN name. Raise ValueError with a readable message."""
    shown = repr(text[:60])
    path = text.removeprefix("ndn:")
    if not path.startswith("/"):
        raise ValueError(f"{shown} is not an NDN name: it begins with a slash, as in /example/video")
    if len(text) > LONGEST:
        raise ValueError(f"{shown} is not an NDN name: it is longer than {LONGEST} characters")
    components = path[1:].split("/")
    for component in components if components[-1] else components[:-1]:
        if _COMPONENT.fullmatch(component) is None:
            raise ValueError(f"{shown} is not an NDN name: {component[:60]!r} must be letters, digits, - _ ~, %XX and no bare . or ..")
    return text
