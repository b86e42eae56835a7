"""Ids for things that a file calls something else."""

import re
import unicodedata

from paranet.models.topology import ID

LONGEST = 128
_ACCENTS = re.compile("[\u0300-\u036f]")
_BETWEEN_WORDS = re.compile(r"\W+")


def slug(text: str) -> str:
    """Return *text* as an id (`Zürich HB` -> `zurich-hb`, `北京` stays), or an empty string when no letter or digit is left.

    Only the accents of the Latin, Greek and Cyrillic scripts go; the marks of other scripts change the word.
    """
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", text.lower()))
    return _BETWEEN_WORDS.sub("-", unicodedata.normalize("NFC", plain)).strip("-")[:LONGEST].rstrip("-")


def is_id(text: str) -> bool:
    """Tell whether the model takes *text* as an id."""
    return ID.fullmatch(text) is not None


class Ids:
    """Gives out ids, none twice."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def __contains__(self, wanted: str) -> bool:
        return wanted in self._taken

    def take(self, wanted: str, *, mark: str = "-") -> str:
        """Return *wanted*, where it is taken with the first free number after *mark* (`a`, `a-2`, `a-3`)."""
        found = wanted
        while found in self._taken:
            number = self._next[wanted] = self._next.get(wanted, 1) + 1
            suffix = f"{mark}{number}"
            found = wanted[: LONGEST - len(suffix)] + suffix
        self._taken.add(found)
        return found
