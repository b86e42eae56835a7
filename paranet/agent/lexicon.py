"""What words mean: the tables of data/*.toml as one tree of phrases over atoms."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, Generic, TypeVar

import attrs
from rapidfuzz import process
from rapidfuzz.distance import OSA

T = TypeVar("T")

_CJK = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_ATOM = re.compile(
    rf"""(?P<address>(?<![a-z0-9_.])\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?:/\d{{1,2}})?(?![a-z0-9_/])
        |(?<![a-z0-9_:])[0-9a-f]{{0,4}}(?::[0-9a-f]{{0,4}}){{2,7}}(?:/\d{{1,3}})?(?![a-z0-9_:]))
    |(?P<name>(?<![a-z0-9_/.])/[a-z0-9][a-z0-9_.%=~+-]*(?:/[a-z0-9_.%=~+-]+)*)
    |(?P<clock>(?<![\d:])\d{{1,2}}:\d{{2}}(?![\d:]))
    |(?P<number>(?:(?<![a-z0-9_.)-])[+-])?(?<![a-z0-9_.])\d+(?:,\d{{3}})*(?:\.\d+)?)
    |(?P<word>[^\W\d_{_CJK}](?:[^\W_{_CJK}]|\.(?=[a-z]\b))*(?:'(?!s\b)[a-z]+)?)
    |(?P<possessive>'s\b)
    |(?P<cjk>[{_CJK}])
    |(?P<digits>\d+)
    |(?P<mark>[^\s_-])""",
    re.VERBOSE,
)


@attrs.frozen
class Atom:
    """The least piece of a text: a word, a number, an address, one Chinese character, or a mark."""

    text: str
    kind: str
    start: int
    end: int


@attrs.frozen
class Concept:
    """What a phrase means: *category* is a table of the data files, *value* a key in it."""

    category: str
    value: str


def fold(text: str) -> str:
    """Return *text* in lower case, half width and simplified characters, every character where it was."""
    text = text.translate(_forms())
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


@cache
def _forms() -> Mapping[int, int]:
    """Return the plain form of every character that has another one."""
    wide = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x2019: ord("'")}
    return wide | {ord(form): ord(said[0]) for said in _table("forms.toml")["forms"].split() for form in said[1:]}


def atoms(text: str) -> tuple[Atom, ...]:
    """Cut *text* (folded) into atoms. Hyphens, underscores and blanks stand between them."""
    return tuple(Atom(m[0], m.lastgroup or "mark", m.start(), m.end()) for m in _ATOM.finditer(text))


def key(text: str) -> tuple[str, ...]:
    """Return a phrase as the atoms it is found by."""
    return tuple(atom.text for atom in atoms(fold(text)))


class Phrases(Generic[T]):
    """Phrases and what is known by them; finds the longest that begins at a place."""

    def __init__(self) -> None:
        self._tree: dict[str, Any] = {}

    def add(self, phrase: tuple[str, ...], meaning: T) -> None:
        """Know *meaning* by *phrase*; a phrase may have several."""
        if not phrase:
            return
        branch = self._tree
        for atom in phrase:
            branch = branch.setdefault(atom, {})
        meanings = branch.setdefault("", [])
        if meaning not in meanings:
            meanings.append(meaning)

    def atoms(self) -> Iterable[str]:
        """Yield every atom of every phrase."""
        branches = [self._tree]
        while branches:
            for atom, below in branches.pop().items():
                if atom:
                    yield atom
                    branches.append(below)

    def longest(self, text: tuple[Atom, ...], at: int) -> tuple[int, list[T]]:
        """Return how many atoms from *at* the longest phrase there has, and its meanings; 0 for none."""
        found: tuple[int, list[T]] = (0, [])
        branch = self._tree
        for count in range(at, len(text)):
            below = branch.get(text[count].text)
            if below is None:
                break
            branch = below
            if "" in branch:
                found = count - at + 1, branch[""]
        return found


@attrs.frozen(kw_only=True)
class App:
    """An application: its *flows* are (protocol, ports or None), its *sites* prefixes. *dscp* suits it when it goes first."""

    id: str
    kind: str
    names: tuple[str, ...]
    flows: tuple[tuple[str, str | None], ...] = ()
    sites: tuple[str, ...] = ()
    dscp: int | None = None


@attrs.frozen(kw_only=True, slots=False)
class Lexicon:
    """All that is known without a network. *synonyms* are the phrases of each people, place and middlebox, with cities by name."""

    phrases: Phrases[Concept]
    apps: Mapping[str, App]
    synonyms: tuple[tuple[str, ...], ...]
    atoms: frozenset[str]
    """all words that stand in a phrase"""

    @cached_property
    def _long(self) -> tuple[str, ...]:
        return tuple(sorted(a for a in self.atoms if len(a) >= SHORTEST - 1 and a.isascii() and a.isalpha()))

    def base(self, word: str) -> str | None:
        """Return the form of a known verb or noun that *word* is another form of: `traversal` no, `applies`, `routed`, `shaping` yes."""
        for ending, rest in _ENDINGS:
            stem = word.removesuffix(ending) + rest
            if word.endswith(ending) and len(stem) >= SHORTEST - 1 and stem in self.atoms:
                return stem
        return None

    def nearest(self, word: str) -> str | None:
        """Return the one word that *word* is but for one slip of the pen; None when there is none or *word* is short."""
        if len(word) < SHORTEST or not word.isascii():
            return None
        found = process.extract(word, self._long, scorer=OSA.distance, score_cutoff=1 + (len(word) > 8), limit=2)
        alike = [f for f in found if f[0][0] == word[0]]
        return alike[0][0] if alike and (len(alike) == 1 or alike[0][1] < alike[1][1]) else None


_ENDINGS = (("ies", "y"), ("ied", "y"), ("es", "e"), ("es", ""), ("s", ""), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", ""), ("er", "e"))
"""endings of English words and what stands instead of them in the plain form"""
SHORTEST = 5
"""letters of a word that may be misspelt"""
SAME = ("people", "place", "middlebox")
"""categories whose phrases may each be the name of a node or a group"""


@cache
def lexicon() -> Lexicon:
    """Return the lexicon of the package; read once."""
    phrases: Phrases[Concept] = Phrases()
    same: dict[Concept, list[str]] = {}
    for language in ("en", "zh"):
        for category, words in _table(f"{language}.toml").items():
            for value, said in words.items():
                concept = Concept(category, value)
                for phrase in said:
                    phrases.add(_said(phrase), concept)
                if category in SAME:
                    same.setdefault(concept, []).extend(said)
    apps = {name: _app(name, body) for name, body in _table("apps.toml").items()}
    for app in apps.values():
        for phrase in app.names:
            phrases.add(key(phrase), Concept("app", app.id))
    cities = [(name, *said) for name, said in _table("places.toml")["places"].items()]
    return Lexicon(phrases=phrases, apps=apps, synonyms=(*(tuple(s) for s in same.values()), *cities), atoms=frozenset(phrases.atoms()))


def _said(phrase: str) -> tuple[str, ...]:
    """Return a phrase's atoms; one that begins with a slash follows a unit (`GB/week`) and is no name."""
    return key(f"x{phrase}")[1:] if phrase.startswith("/") else key(phrase)


def _app(name: str, body: Mapping[str, Any]) -> App:
    flows = tuple((f.split()[0], ([*f.split(), None])[1]) for f in body.get("flows", ()))
    return App(
        id=name, kind=body["kind"], names=tuple(body["names"]), flows=flows, sites=tuple(body.get("sites", ())), dscp=body.get("dscp")
    )


def _table(name: str) -> dict[str, Any]:
    return tomllib.loads(files("paranet.agent").joinpath("data", name).read_text(encoding="utf-8"))


def texts(name: str) -> Mapping[str, Mapping[str, str]]:
    """Return a table of sentences (`say-en.toml`)."""
    return _table(name)


def variants(phrase: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    """Yield a name as it is, and in the other number."""
    yield phrase
    last = phrase[-1]
    if last.isascii() and last.isalpha() and len(last) > 2:
        yield (*phrase[:-1], last[:-1] if last.endswith("s") else last + "s")
