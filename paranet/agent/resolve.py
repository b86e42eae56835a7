"""From what a sentence calls them to nodes, groups, regions and prefixes; what is unclear becomes a question."""

from collections.abc import Iterable, Sequence
from ipaddress import ip_network

import attrs

from paranet.agent.clauses import Mention
from paranet.agent.known import LIKELY, SURE, Known, Referent
from paranet.agent.lexicon import key
from paranet.agent.tags import Tag
from paranet.agent.writing import word

MARGIN = 8.0
"""points that the best of several likely names must be ahead"""
SHOWN = 8


@attrs.frozen(kw_only=True)
class Need:
    """A question that must be answered first, and the answers that are at hand.

    *completes* is the sentence with `{answer}` where the answer belongs.
    """

    question: str
    options: tuple[str, ...] = ()
    completes: str | None = None

    def filled(self, answer: str) -> str | None:
        """Return the sentence that *answer* makes whole."""
        return self.completes.replace("{answer}", answer.strip(), 1) if self.completes else None


@attrs.frozen(kw_only=True)
class Unknown:
    """Words that were not understood, and where they stand (characters)."""

    text: str
    start: int
    end: int


@attrs.frozen(kw_only=True)
class End:
    """One end of traffic. *kind* is node, group, region, prefix, name or any; *nodes* are those it stands for."""

    kind: str
    label: str
    nodes: tuple[str, ...] = ()

    @property
    def written(self) -> str:
        """How the language writes it."""
        if self.kind == "prefix":
            return f'prefix("{self.label}")'
        if self.kind == "region":
            return f"region({word(self.label)})"
        return word(self.label)


ANY = End(kind="any", label="any")


@attrs.define(kw_only=True)
class Resolver:
    """Resolves the mentions of one text and remembers what it could not. *asks* and *unknown* are filled as it goes."""

    text: str
    known: Known
    asks: list[tuple[str, str, tuple[str, ...]]] = attrs.field(factory=list)
    """(which question, about what, options)"""
    unknown: list[Unknown] = attrs.field(factory=list)
    guessed: list[tuple[str, str]] = attrs.field(factory=list)
    likeness: float = 1.0

    def correct(self, tags: Iterable[Tag]) -> None:
        """Remember which words were taken for others, for the reader to see."""
        for tag in tags:
            if tag.slipped and not tag.has("filler"):
                self.guessed.append((self.text[tag.start : tag.end], tag.text))
                self.likeness = min(self.likeness, 0.9)

    def ends(self, mentions: Iterable[Mention]) -> tuple[End, ...] | None:
        """Return what the mentions stand for; None when one of them cannot be told."""
        found: list[End] = []
        sound = True
        for mention in mentions:
            ends = self.end(mention)
            if mention.each and ends is not None:
                ends = tuple(End(kind="node", label=n, nodes=(n,)) if e.kind == "group" else e for e in ends for n in e.nodes or ("",))
            sound = sound and ends is not None
            found += ends or ()
        return _narrowed(found) if sound else None

    def end(self, mention: Mention) -> tuple[End, ...] | None:
        """Return the ends that one mention stands for."""
        core = [t for t in mention.tags if not t.has("marker")]
        special = self._special(core)
        if special is not None:
            return special
        for part in _readings(core):
            found = self.known.find(self._text(part))
            if found:
                return self._chosen(self._text(part), found)
        named = [t for t in core if t.referents]
        if named:
            for tag in core:
                if tag.blank:
                    self._not_understood(tag)
            if len({t.referents for t in named}) > 1 and not any(t.has("people") or t.has("place") for t in named):
                self.likeness = min(self.likeness, 0.6)  # nothing joins them
                self.guessed.append((self._text(core), ", ".join(t.referents[0].label for t in named)))
            chosen = [self._chosen(self.text[t.start : t.end], list(t.referents)) for t in named]
            return tuple(e for ends in chosen if ends for e in ends) if None not in chosen else None
        if all(t.has("noun") for t in core):
            return (ANY,)
        return self._guessed(core)

    def middlebox(self, tag: Tag) -> tuple[End, ...] | None:
        """Return the node that does what a middlebox's name says."""
        found = list(tag.referents) or self.known.find(self.text[tag.start : tag.end])
        if found:
            return self._chosen(self.text[tag.start : tag.end], found)
        self.asks.append(("which-box", self.text[tag.start : tag.end], self._some_nodes()))
        return None

    def _special(self, core: Sequence[Tag]) -> tuple[End, ...] | None:
        if len(core) == 1 and core[0].kind == "name":
            return (End(kind="name", label=self.text[core[0].start : core[0].end]),)
        addresses = [t for t in core if t.kind == "address"]
        if addresses:
            return tuple(self._address(t) for t in addresses)
        if core and all(t.has("noun", "any_node") for t in core) and not any(t.referents for t in core):
            return (ANY,)
        return None

    def _address(self, tag: Tag) -> End:
        text = self.text[tag.start : tag.end]
        if "/" not in text and (found := self.known.find(text)) and len(found) == 1:
            return End(kind="node", label=found[0].label, nodes=found[0].nodes)
        try:
            return End(kind="prefix", label=str(ip_network(text, strict=False)))
        except ValueError:
            self._not_understood(tag)
            return End(kind="prefix", label=text)

    def _chosen(self, text: str, found: list[Referent]) -> tuple[End, ...] | None:
        if len(found) > 1:
            kinds = {r.kind for r in found}
            best = next(k for k in ("node", "group", "region") if k in kinds)
            found = [r for r in found if r.kind == best] if len({r.nodes for r in found}) > 1 else found[:1]
        if len(found) > 1:
            self.asks.append(("which", text, tuple(r.label for r in found[:SHOWN])))
            return None
        only = found[0]
        return (End(kind=only.kind, label=only.label, nodes=only.nodes),)

    def _guessed(self, core: Sequence[Tag]) -> tuple[End, ...] | None:
        text = self._text(core)
        guesses = self.known.guess(text)
        if guesses and guesses[0][1] >= SURE and (len(guesses) == 1 or guesses[0][1] - guesses[1][1] >= MARGIN / 2):
            best, points = guesses[0]
            self.likeness = min(self.likeness, points / 100)
            self.guessed.append((text, best.label))
            return (End(kind=best.kind, label=best.label, nodes=best.nodes),)
        self.unknown.append(Unknown(text=text, start=core[0].start, end=core[-1].end))
        offered = tuple(dict.fromkeys(r.label for r, points in guesses if points >= LIKELY))
        self.asks.append(("who", text, offered or self._some_nodes()))
        return None

    def _not_understood(self, tag: Tag) -> None:
        self.unknown.append(Unknown(text=self.text[tag.start : tag.end], start=tag.start, end=tag.end))

    def _some_nodes(self) -> tuple[str, ...]:
        return self.known.labels[:SHOWN]

    def _text(self, tags: Sequence[Tag]) -> str:
        return self.text[tags[0].start : tags[-1].end] if tags else ""


def _readings(core: Sequence[Tag]) -> Iterable[Sequence[Tag]]:
    """Yield the ways to take a name: whole, then without the nouns that say what kind of thing it is."""
    yield core
    plain = list(core)
    while plain and plain[-1].has("noun"):
        plain.pop()
    while plain and plain[0].has("noun"):
        plain.pop(0)
    if plain and len(plain) < len(core):
        yield plain
    if len(plain) > 2:
        yield plain[-2:]


def _narrowed(found: Sequence[End]) -> tuple[End, ...]:
    """Return the ends without repetition; `students in the labs` are those of both, if there are any."""
    ends = tuple(dict.fromkeys(found))
    named = tuple(e for e in ends if e.kind != "any")
    return named or ends


def slug(ends: Iterable[End]) -> str:
    """Return a word for a name made of ends."""
    return "-".join("-".join(key(e.label.replace("/", " ").replace(".", " "))) or "any" for e in list(ends)[:2])
