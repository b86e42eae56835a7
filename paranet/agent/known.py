"""What a sentence may speak of: the nodes of a network by all their names, its groups and regions."""

from collections.abc import Iterable, Mapping
from copy import copy

import attrs
from rapidfuzz import fuzz, process

from paranet.agent.lexicon import Phrases, key, lexicon, variants
from paranet.models.topology import Modality, Node, Topology

GROUP_PROPERTIES = ("group", "groups", "role", "roles", "tags")
ALIAS_PROPERTIES = ("alias", "aliases")
SURE = 80.0
"""points out of 100 above which a misspelt name is taken for a known one"""
LIKELY = 62.0
"""points above which a known name is offered for a misspelt one"""


@attrs.frozen(kw_only=True)
class Referent:
    """What a name may mean: a node, a group of nodes, or a region. *label* is what it is called."""

    kind: str
    label: str
    nodes: tuple[str, ...]


class Known:
    """A topology as sentences see it. Make one a revision: reading all names costs some µs a node."""

    def __init__(self, topology: Topology, *, installed: Iterable[str] = ()) -> None:
        self.topology = topology
        self.installed = tuple(installed)
        self.phrases: Phrases[Referent] = Phrases()
        self._by_key: dict[str, list[Referent]] = {}
        self._exact_case: dict[str, str] = {}
        self.widest = max((link.bandwidth for link in topology.links.values()), default=1e9)
        for node in topology.nodes.values():
            self._add_node(node)
        for kind, label, nodes in self._collections():
            self._add(Referent(kind=kind, label=label, nodes=nodes), (label,))
        self._share_synonyms()
        self.atoms = frozenset(self.phrases.atoms())
        self._choices = [k for k in self._by_key if len(k) > 2]

    def with_installed(self, owners: Iterable[str]) -> "Known":
        """Return the same names with the ids of the intents that are in force."""
        other = copy(self)
        other.installed = tuple(owners)
        return other

    def _add_node(self, node: Node) -> None:
        names = [node.id, node.name, *_texts(node.properties, ALIAS_PROPERTIES)]
        names += [str(i.address).partition("/")[0] for i in node.interfaces if i.address]
        self._add(Referent(kind="node", label=node.id, nodes=(node.id,)), names)

    def _collections(self) -> Iterable[tuple[str, str, tuple[str, ...]]]:
        groups: dict[str, list[str]] = {}
        regions: dict[str, list[str]] = {}
        for node in self.topology.nodes.values():
            for group in _texts(node.properties, GROUP_PROPERTIES):
                groups.setdefault(group, []).append(node.id)
            if node.region:
                regions.setdefault(node.region, []).append(node.id)
        yield from (("group", name, tuple(nodes)) for name, nodes in groups.items())
        yield from (("region", name, tuple(nodes)) for name, nodes in regions.items())

    def _add(self, referent: Referent, names: Iterable[str]) -> None:
        for name in names:
            words = key(name)
            if not words:
                continue
            if len(name) <= 2 and name.isalpha() and name.isascii():
                self._exact_case[name.lower()] = name
            for phrase in variants(words):
                known = self._by_key.setdefault(" ".join(phrase), [])
                if referent not in known and (phrase == words or not known):
                    known.append(referent)
                    self.phrases.add(phrase, referent)

    def _share_synonyms(self) -> None:
        """Know what has one name of a thing by the thing's other names too, in every language."""
        for names in lexicon().synonyms:
            keys = [" ".join(k) for name in names for k in variants(key(name))]
            meant = next((self._by_key[k] for k in keys if k in self._by_key), None)
            for referent in meant or ():
                self._add(referent, [n for n in names if " ".join(key(n)) not in self._by_key])

    def written_right(self, text: str) -> bool:
        """Tell whether a very short name is written as the network has it: `IT` is a region, `it` is a word."""
        return self._exact_case.get(text.lower(), text) == text

    def is_short(self, text: str) -> bool:
        """Tell whether *text* is a name of two capitals, as the network writes it."""
        return text.isupper() and self._exact_case.get(text.lower()) == text

    def find(self, phrase: str) -> list[Referent]:
        """Return what *phrase* means exactly; several when it is ambiguous."""
        found = self._by_key.get(" ".join(key(phrase)), [])
        nodes = [r for r in found if r.kind == "node"]
        return nodes if len(nodes) == 1 else found

    def guess(self, phrase: str) -> list[tuple[Referent, float]]:
        """Return what *phrase* could mean, best first, with points out of 100 for likeness."""
        text = " ".join(key(phrase))
        if len(text) < 2:
            return []
        found = process.extract(text, self._choices, scorer=fuzz.ratio, score_cutoff=LIKELY, limit=4)
        found += process.extract(text, self._choices, scorer=fuzz.token_set_ratio, score_cutoff=95, limit=3) if len(text) > 3 else []
        best: dict[Referent, float] = {}
        for choice, score, _ in found:
            for referent in self._by_key[choice]:
                best[referent] = max(best.get(referent, 0.0), score)
        return sorted(best.items(), key=lambda item: -item[1])

    def resembles(self, phrase: str) -> bool:
        """Tell whether *phrase* may be a misspelt name."""
        text = " ".join(key(phrase))
        return len(text) > 1 and process.extractOne(text, self._choices, scorer=fuzz.ratio, score_cutoff=SURE) is not None

    @property
    def labels(self) -> tuple[str, ...]:
        """What may be named, groups first."""
        groups = dict.fromkeys(r.label for found in self._by_key.values() for r in found if r.kind == "group")
        return (*groups, *self.topology.nodes)

    def speak(self, modality: Modality) -> tuple[str, ...]:
        """Return the nodes that can forward that way."""
        return tuple(n.id for n in self.topology.nodes.values() if modality in n.modalities)


def _texts(properties: Mapping[str, object], names: Iterable[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        value = properties.get(name)
        found += [value] if isinstance(value, str) else [v for v in value if isinstance(v, str)] if isinstance(value, list) else []
    return [f for f in found if f.strip() and len(f) <= 128]
