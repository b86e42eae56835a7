"""From a text to tags: its atoms joined to the longest phrases that are known, whether words or names of the network."""

import itertools

import attrs

from paranet.agent.known import Known, Referent
from paranet.agent.lexicon import Atom, Concept, atoms, fold, lexicon

_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_SCALES = {"十": 10, "百": 100, "千": 1000, "万": 10_000}
MOST_SLIPS = 16
"""misspelt words of a text that are looked up"""
PLAIN = ("word", "saying")
"""fillers that only stand between words that matter: a name of the network comes before them"""
WORDS_OVER_NAMES = ("marker", "filler", "op", "negation", "constraint", "metric", "traffic", "clock", "number", "period", "ask")
"""categories that a name of the same length does not hide"""


@attrs.frozen(kw_only=True)
class Tag:
    """A phrase: where it stands, what it may mean, and the names of the network that it is. *value* is of numbers."""

    start: int
    end: int
    text: str
    kind: str
    concepts: tuple[Concept, ...] = ()
    referents: tuple[Referent, ...] = ()
    value: float | None = None
    slipped: bool = False
    """a word of it is misspelt"""
    likely: bool = False
    """nothing is known about it, but it looks like a name of the network"""

    def has(self, category: str, *values: str) -> bool:
        """Tell whether it may mean one of *values* of *category*; any value when none is given."""
        return any(c.category == category and (not values or c.value in values) for c in self.concepts)

    def value_of(self, category: str) -> str | None:
        """Return its meaning within *category*."""
        return next((c.value for c in self.concepts if c.category == category), None)

    @property
    def blank(self) -> bool:
        """Nothing is known about it."""
        return not self.concepts and not self.referents and self.kind in ("word", "cjk")


def tag(text: str, known: Known) -> list[Tag]:
    """Return the tags of *text* in order; runs of unknown Chinese characters are one tag."""
    found: list[Tag] = []
    pieces, slips = _spelt(atoms(fold(text)), known)
    at = 0
    while at < len(pieces):
        made, count = _one(text, pieces, at, known)
        if slips and not slips.isdisjoint(range(at, at + count)):
            made = attrs.evolve(made, slipped=True)
        if made.blank and made.kind == "word":
            made = attrs.evolve(made, concepts=_by_form(made.text))
        at += count
        last = found[-1] if found else None
        if made.blank and made.kind == "cjk" and last is not None and last.blank and last.kind == "cjk" and last.end == made.start:
            found[-1] = attrs.evolve(last, end=made.end, text=last.text + made.text)
        else:
            found.append(made)
    strange = (n for n, t in enumerate(found) if t.blank)
    for at in itertools.islice(strange, MOST_SLIPS):
        found[at] = attrs.evolve(found[at], likely=known.resembles(found[at].text))
    return found


def _spelt(pieces: tuple[Atom, ...], known: Known) -> tuple[tuple[Atom, ...], set[int]]:
    """Return the atoms with misspelt words set right, and which these are. What looks like a name of the network is left alone."""
    slips: set[int] = set()
    found = list(pieces)
    strange = (n for n, a in enumerate(pieces) if a.kind == "word" and a.text not in lexicon().atoms and a.text not in known.atoms)
    for at in itertools.islice(strange, MOST_SLIPS):
        word = pieces[at].text
        if (base := lexicon().base(word)) is not None and base not in known.atoms:
            found[at] = attrs.evolve(pieces[at], text=base)
            continue
        meant = lexicon().nearest(word) if not _by_form(word) else None
        if meant and not known.resembles(word):
            found[at] = attrs.evolve(pieces[at], text=meant)
            slips.add(at)
    return tuple(found), slips


def _by_form(word: str) -> tuple[Concept, ...]:
    """Return what a word that stands in no table says by its form: `needn't` denies, `we'd` and `swiftly` say nothing of networks."""
    if word.endswith("n't"):
        return (Concept("negation", "not"),)
    return (Concept("filler", "form"),) if "'" in word or (word.endswith("ly") and len(word) > 4) else ()


def _one(text: str, pieces: tuple[Atom, ...], at: int, known: Known) -> tuple[Tag, int]:
    words, concepts = lexicon().phrases.longest(pieces, at)
    names, referents = known.phrases.longest(pieces, at)
    numeral, value = _numeral(pieces, at)
    if names and not known.written_right(text[pieces[at].start : pieces[at + names - 1].end]):
        names, referents = 0, []
    if names == words and all(c.category in WORDS_OVER_NAMES for c in concepts) and known.is_short(text[pieces[at].start : pieces[at].end]):
        concepts = []  # written as the network writes it: `IT` is a region
    elif names and names == words and all(c.category == "filler" and c.value in PLAIN for c in concepts):
        concepts = []  # a node may be called `nice`
    elif names < words or (names == words and any(c.category in WORDS_OVER_NAMES for c in concepts)):
        names, referents = 0, []
    if words < names:
        words, concepts = 0, []
    first = pieces[at]
    if numeral > max(words, names) or (numeral and numeral == words and any(c.category == "number" for c in concepts)):
        last = pieces[at + numeral - 1]
        return Tag(start=first.start, end=last.end, text=_text(pieces, at, numeral), kind="number", value=value), numeral
    count = max(words, names, 1)
    last = pieces[at + count - 1]
    number = next((float(c.value) for c in concepts if c.category == "number"), None)
    made = Tag(
        start=first.start,
        end=last.end,
        text=_text(pieces, at, count),
        kind=first.kind if count == 1 else "phrase",
        concepts=tuple(concepts),
        referents=tuple(referents),
        value=float(first.text.replace(",", "")) if first.kind == "number" and count == 1 else number,
    )
    return made, count


def _text(pieces: tuple[Atom, ...], at: int, count: int) -> str:
    return " ".join(p.text for p in pieces[at : at + count])


def _numeral(pieces: tuple[Atom, ...], at: int) -> tuple[int, float]:
    """Return how many atoms from *at* are a Chinese numeral, and its value."""
    total, section, digit, count = 0, 0, 0, 0
    for piece in pieces[at:]:
        if piece.text in _DIGITS:
            digit = _DIGITS[piece.text]
        elif piece.text == "万":
            total, section, digit = (total + section + digit) * 10_000, 0, 0
        elif piece.text in _SCALES:
            if count == 0 and piece.text != "十":
                break
            section += (digit or 1) * _SCALES[piece.text]
            digit = 0
        else:
            break
        count += 1
    return count, float(total + section + digit)
