"""What a file says of one node or link: names and plain values, of which a reader takes those that the model has a field for."""

import math
import re
from collections.abc import Callable

from paranet.errors import BadField

_ENTRY = re.compile(r"[\x00-\x1f]")


def shown(text: str) -> str:
    """Return the file's word for a thing as a message quotes it: short, on one line."""
    return _ENTRY.sub(" ", text[:60])


class Attributes:
    """The data of one node or edge. Names are found whatever their case; what `take` returned is not in `rest` any more."""

    def __init__(self, values: dict[str, object]) -> None:
        self._values = values
        self._spelled = {name.lower(): name for name in reversed(values)}  # of several spellings the first counts

    def peek(self, *names: str) -> str | None:
        """Return the first of *names* (lower case) that says anything, as one line of text."""
        found = self._find(names)
        return found and found[1]

    def take(self, *names: str) -> str | None:
        """Return what `peek` does; it counts as used."""
        found = self._find(names)
        return found and self._use(*found)

    def number(self, *names: str, parse: Callable[[str], float] = float) -> float | None:
        """Take a number. Raise BadField when it is none or not finite."""
        found = self._find(names)
        return None if found is None else _finite(self._spelled[found[0]], self._use(*found), parse)

    def pop(self, name: str) -> object:
        """Return a value as it is, under its own spelling; it counts as used."""
        return self._values.pop(name, None)

    def put(self, name: str, value: object) -> None:
        """Add a value under a name of its own."""
        self._values[name] = value

    def rest(self) -> dict[str, object]:
        """Return what nobody took, under the file's own names."""
        return self._values

    def _find(self, names: tuple[str, ...]) -> tuple[str, str] | None:
        spelled = self._spelled
        for name in names:
            if name not in spelled:
                continue
            value = self._values.get(spelled[name])
            if value is not None and not isinstance(value, (dict, list)) and (text := " ".join(str(value).split())):
                return name, text
        return None

    def _use(self, name: str, text: str) -> str:
        del self._values[self._spelled[name]]
        return text


def _finite(name: str, text: str, parse: Callable[[str], float]) -> float:
    try:
        value = parse(text)
    except ValueError:
        raise BadField(name, f"{shown(text)!r} is not a number or its unit is not known") from None
    if not math.isfinite(value):
        raise BadField(name, f"{shown(text)!r} is not a finite number")
    return value
