"""actors.chat, actors.chats: conversations with somebody who answers as the test says, on a clock that leaps."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest

from actors import chat
from actors.accounts import Role
from actors.answering import Answer, Asked, Emit
from actors.channels import Outlets, Subscribe, Unsubscribe
from actors.chat import Idle
from actors.chats import Chats
from actors.conversations import Conversations, Said
from actors.runtime import ActorSystem, Ref
from actors.storage import Database
from actors.talk import Begun, Forget, GetConversation, Say, Stop
from paranet.errors import NotFound, WrongState
from tests import leaping
from tests.actors.recorder import Look, Recorder, Witness

T = 10.0
IDLE = 900.0


@attrs.define
class Stage:
    """Conversations, and what was said in them before each answer; *lines* is what is emitted as an answer."""

    system: ActorSystem
    chats: Ref
    outlets: Outlets
    gone: Mapping[str, asyncio.Event]
    shown: list[list[str]] = attrs.field(factory=list)
    lines: list[str] = attrs.field(factory=lambda: ["yes"])
    held: asyncio.Event | None = None
    """who answers waits for it after its lines"""

    async def answer(self, asked: Asked, before: tuple[Said, ...], emit: Emit) -> Answer:
        """Say the lines."""
        self.shown.append([said.text for said in before])
        for line in self.lines:
            await emit({"kind": "delta", "text": line})
        if self.held is not None:
            await self.held.wait()
        return Answer(reply="".join(self.lines))

    async def say(self, text: str, chat_id: str | None = None, owner: str = "u") -> Begun:
        """Say something, and hear the answer to its end."""
        begun = await self.begin(text, chat_id, owner)
        ear = await self.listen(begun.conversation_id, owner)
        await ear.until(lambda heard: _done(heard, begun.turn))
        await self.deaf(begun.conversation_id)
        return begun

    async def begin(self, text: str, chat_id: str | None = None, owner: str = "u") -> Begun:
        """Say something."""
        return await self.chats.ask(Say(conversation_id=chat_id, text=text, owner=owner, author=owner, role=Role.VIEWER), timeout=T)

    async def listen(self, chat_id: str, owner: str = "u", path: str = "ear") -> Recorder:
        """Subscribe."""
        ear = Recorder()
        self.outlets.add(path, ear)
        await self.chats.ask(Subscribe(channel=f"chat/{chat_id}", subscriber=path, reply_to=1, reader=owner), timeout=T)
        return ear

    async def deaf(self, chat_id: str, path: str = "ear") -> None:
        """Unsubscribe."""
        await self.chats.ask(Unsubscribe(channel=f"chat/{chat_id}", subscriber=path), timeout=T)

    async def settled(self, chat_id: str) -> None:
        """Return when the session has done what its timers told it, and its parent what came of that."""
        await self.messages(chat_id)
        await self.deaf(chat_id, "nobody")
        await self.messages(chat_id)

    async def messages(self, chat_id: str) -> list[str]:
        """Return what was said, as it is kept."""
        found = await self.chats.ask(GetConversation(conversation_id=chat_id, owner="u"), timeout=T)
        return [said.text for said in found.messages]

    def awake(self, chat_id: str) -> bool:
        """Whether the conversation has a session."""
        return self.system.cell(f"chat/{chat_id}") is not None

    async def asleep(self, chat_id: str) -> asyncio.Event:
        """Return what is set when the session has ended."""
        await self.system.ref("witness").ask(Look(path=f"chat/{chat_id}"), timeout=T)
        return self.gone[f"chat/{chat_id}"]


def _done(ear: Recorder, turn: int) -> bool:
    """Whether an answer has ended, in what was heard or in what had been before."""
    told = [message["seq"] for frame in ear.of("snapshot") for message in frame["data"]["messages"]]
    return turn + 1 in told or any(item["kind"] in ("done", "error") and item["turn"] == turn for item in ear.items)


@asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Stage]:
    """Conversations over a database in *folder*."""
    control = await Database.open(folder / "control.sqlite3", "control")
    gone: dict[str, asyncio.Event] = {}
    try:
        async with ActorSystem() as system:
            outlets = Outlets()
            stage = Stage(system, system.ref("chat"), outlets, gone)
            store = Conversations(control)
            await system.spawn("witness", lambda: Witness(gone))
            await system.spawn("chat", lambda: Chats(store, outlets, system.now, stage.answer, per_minute=100, idle=IDLE))
            yield stage
    finally:
        await control.close()


def test_an_idle_conversation_sleeps_and_wakes_from_the_store(tmp_path: Path) -> None:
    """After the time that is set, not before; who speaks to it then is answered with all that had been said."""

    async def story() -> None:
        async with staged(tmp_path) as stage:
            chat_id = (await stage.say("one")).conversation_id
            asleep = await stage.asleep(chat_id)
            leaping.leap(IDLE - 5)
            await stage.settled(chat_id)
            assert stage.awake(chat_id)
            leaping.leap(6)
            await asleep.wait()
            assert not stage.awake(chat_id)
            await stage.say("two", chat_id)
            assert stage.shown == [[], ["one", "yes"]]
            assert await stage.messages(chat_id) == ["one", "yes", "two", "yes"]

    leaping.run(story())


@pytest.mark.parametrize("why", ["somebody listens", "an answer is under way"])
def test_a_conversation_that_is_needed_stays_awake(tmp_path: Path, why: str) -> None:
    """However long nobody has spoken; afterwards it sleeps as all do."""

    async def story() -> None:
        async with staged(tmp_path) as stage:
            stage.held = asyncio.Event()
            begun = await stage.begin("one")
            chat_id, turn = begun.conversation_id, begun.turn
            asleep = await stage.asleep(chat_id)
            if why == "somebody listens":
                ear = await stage.listen(chat_id)
                stage.held.set()
                await ear.until(lambda heard: _done(heard, turn))
            for _ in range(3):
                leaping.leap(IDLE + 1)
                await stage.settled(chat_id)
                assert stage.awake(chat_id)
            stage.held.set()
            ear = await stage.listen(chat_id)
            await ear.until(lambda heard: _done(heard, turn))
            await stage.deaf(chat_id)
            leaping.leap(IDLE + 1)
            await asleep.wait()

    leaping.run(story())


def test_who_speaks_as_it_falls_asleep_is_answered(tmp_path: Path) -> None:
    """The message had been passed on to a session that took no more: it is passed on again."""

    async def story() -> None:
        async with staged(tmp_path) as stage:
            chat_id = (await stage.say("one")).conversation_id
            asleep = await stage.asleep(chat_id)
            stage.system.ref(f"chat/{chat_id}").tell(Idle())
            await stage.say("two", chat_id)
            assert asleep.is_set()
            assert stage.shown[-1] == ["one", "yes"]

    leaping.run(story())


async def test_what_is_said_faster_than_it_can_be_told_comes_whole(tmp_path: Path) -> None:
    """More pieces than the mailbox holds, in order."""
    async with staged(tmp_path) as stage:
        stage.lines = [f"{n} " for n in range(2000)]
        stage.held = asyncio.Event()
        begun = await stage.begin("count")
        ear = await stage.listen(begun.conversation_id)
        stage.held.set()
        await ear.until(lambda heard: _done(heard, begun.turn))
        so_far = ear.of("snapshot")[0]["data"]["so_far"]
        assert so_far + "".join(item["text"] for item in ear.items if item["kind"] == "delta") == "".join(stage.lines)


async def test_a_full_conversation_takes_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said so, and what was said stays."""
    monkeypatch.setattr(chat, "MOST", 4)
    async with staged(tmp_path) as stage:
        chat_id = (await stage.say("one")).conversation_id
        await stage.say("two", chat_id)
        with pytest.raises(WrongState, match="begin a new one"):
            await stage.begin("three", chat_id)
        assert len(await stage.messages(chat_id)) == 4


@pytest.mark.parametrize("asleep", [False, True])
async def test_a_conversation_is_its_owners_awake_or_asleep(tmp_path: Path, asleep: bool) -> None:
    """To speak, to listen, to stop and to forget."""
    async with staged(tmp_path) as stage:
        chat_id = (await stage.say("one")).conversation_id
        if asleep:
            gone = await stage.asleep(chat_id)
            stage.system.ref(f"chat/{chat_id}").tell(Idle())
            await gone.wait()
        channel = f"chat/{chat_id}"
        asked = (
            Say(conversation_id=chat_id, text="two", owner="v", author="v", role=Role.ADMIN),
            Subscribe(channel=channel, subscriber="ear", reply_to=1, reader="v"),
            Stop(conversation_id=chat_id, owner="v"),
            Forget(conversation_id=chat_id, owner="v"),
        )
        for request in asked:
            with pytest.raises(NotFound):
                await stage.chats.ask(request, timeout=T)
        assert await stage.messages(chat_id) == ["one", "yes"]


async def test_what_is_forgotten_is_gone(tmp_path: Path) -> None:
    """An answer under way ends with it."""
    async with staged(tmp_path) as stage:
        stage.held = asyncio.Event()
        chat_id = (await stage.begin("one")).conversation_id
        await stage.chats.ask(Forget(conversation_id=chat_id, owner="u"), timeout=T)
        assert not stage.awake(chat_id)
        with pytest.raises(NotFound):
            await stage.begin("two", chat_id)
