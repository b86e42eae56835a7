"""Assistant: understands sentences against the network as it is now."""

import asyncio
from collections.abc import Mapping

import attrs

from actors.devices import ReadInstalled
from actors.runtime import Actor, Request, handles
from actors.topology import GetTopology
from paranet.agent.known import Known
from paranet.agent.phrases import Understanding, understand
from paranet.models.topology import Topology

ASK = 10.0


@attrs.frozen(kw_only=True)
class Parse(Request[Understanding]):
    """Understand one sentence, without a model. *language* is that of the answer: `en`, `zh`, or the sentence's own."""

    text: str
    language: str | None = None


@attrs.frozen(kw_only=True)
class GetKnown(Request[Known]):
    """Return the names of the network at its present revision."""


class Assistant(Actor):
    """Keeps the names of the network, read once a revision. Nothing here changes anything."""

    async def on_start(self) -> None:
        self._revision: int | None = None
        self._known = Known(Topology())
        self._parsed = 0

    def inspect(self) -> Mapping[str, object]:
        return {"revision": self._revision, "parsed": self._parsed}

    async def _names(self) -> Known:
        state = await self.system.ref("topology").ask(GetTopology(), timeout=ASK)
        if state.revision != self._revision:
            self._known = await asyncio.to_thread(Known, state.topology)
            self._revision = state.revision
        return self._known

    @handles
    async def known(self, message: GetKnown) -> Known:
        return await self._names()

    @handles
    async def parse(self, message: Parse) -> Understanding:
        known = await self._names()
        self._parsed += 1
        found = understand(message.text, known, language=message.language)
        if not found.looks_back:
            return found
        return await self.defer(self._look_back(message, known))

    async def _look_back(self, message: Parse, known: Known) -> Understanding:
        """Understand again, with what is installed: some of it is to go."""
        installed = await self.system.ref("device").ask(ReadInstalled(), timeout=ASK)
        owners = sorted({o for rows in installed.rows.values() for row in rows.values() for o in row.owners})
        return understand(message.text, known.with_installed(owners), language=message.language)
