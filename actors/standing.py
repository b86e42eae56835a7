"""What sets that are deployed already promised: a deployment may not break it without a word."""

from collections import OrderedDict
from collections.abc import Collection, Mapping

import attrs

from actors.intents import Compilation, GetCompilation
from actors.journal import Journal
from actors.runtime.system import ActorSystem
from paranet.errors import NotFound
from paranet.models.device import Rows
from paranet.models.intent import Report, Violation
from paranet.models.topology import Topology
from paranet.verifier import Promises, Verifier

ASK = 15.0
LOOKED_AT = 64
"""compilations, from the newest deployed, in which the promises behind installed rows are looked for"""


@attrs.frozen
class Kept:
    """One compilation that was deployed: what it is *called*, its *intents*, and what these promise."""

    called: str
    intents: frozenset[str]
    promises: Promises


@attrs.frozen
class Standing:
    """What other sets promise: the set that each intent is of, and all their *promises*."""

    sets: Mapping[str, str] = attrs.field(factory=dict)
    promises: Promises = attrs.field(factory=Promises)

    def prove(self, topology: Topology, before: Mapping[str, Rows], after: Mapping[str, Rows], own: Promises, called: str) -> Report:
        """Judge the rows *after* a deployment of the set *called* so by its *own* promises and by these.

        What was broken *before* is not its doing.
        """
        together = Verifier(topology, after, own.along(self.promises)).report()
        if together.ok or not self.sets:
            return together
        broken = {self._of_theirs(v) for v in Verifier(topology, before, self.promises).report().violations}
        alone = {(v.check, v.intents) for v in Verifier(topology, after, own).report().violations}
        told: list[Violation] = []
        for v in together.violations:
            if (v.check, v.intents) in alone:
                told.append(v)
            elif self._of_theirs(v) not in broken:
                told.append(self._told(v, called))
        return attrs.evolve(together, ok=not told, violations=tuple(told))

    def _of_theirs(self, violation: Violation) -> tuple[str, frozenset[str]]:
        return violation.check, frozenset(i for i in violation.intents if i in self.sets)

    def _told(self, violation: Violation, called: str) -> Violation:
        """Return the violation with the names of both sets."""
        theirs = " and ".join(sorted({self.sets[i] for i in violation.intents if i in self.sets}))
        return attrs.evolve(violation, message=f"{called} would break what {theirs} promised: {violation.message}") if theirs else violation


class Standings:
    """Finds what stands. Compilations do not change, so those that were read are kept."""

    def __init__(self, system: ActorSystem, journal: Journal) -> None:
        self._system = system
        self._journal = journal
        self._read: OrderedDict[str, Kept] = OrderedDict()

    async def beside(self, installed: Mapping[str, Rows], scope: Collection[str]) -> Standing:
        """Return what the intents that own rows promise, but for those in *scope*: each as it was deployed last."""
        unclaimed = {o for rows in installed.values() for row in rows.values() for o in row.owners}.difference(scope)
        if not unclaimed:
            return Standing()
        sets: dict[str, str] = {}
        found: list[Promises] = []
        for compile_id in await self._journal.standing(LOOKED_AT):
            if (kept := await self._kept(compile_id)) and (claimed := kept.intents & unclaimed):
                unclaimed -= claimed
                sets |= dict.fromkeys(claimed, kept.called)
                found.append(kept.promises.only(claimed))
            if not unclaimed:
                break
        return Standing(sets, Promises().along(*found))

    async def _kept(self, compile_id: str) -> Kept | None:
        """Return a compilation, None for one that is gone."""
        if compile_id not in self._read:
            try:
                compilation = await self._system.ref("intents").ask(GetCompilation(id=compile_id), timeout=ASK)
            except NotFound:
                return None
            compiled = compilation.compiled
            self._read[compile_id] = Kept(called(compilation), frozenset(compiled.intents), Promises.of(compiled))
            while len(self._read) > LOOKED_AT:
                self._read.popitem(last=False)
        self._read.move_to_end(compile_id)
        return self._read[compile_id]


def called(compilation: Compilation) -> str:
    """Return what to call the set of a compilation."""
    return repr(compilation.name) if compilation.name else f"compilation {compilation.id}"
