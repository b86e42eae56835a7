"""Writing actors: what is wrong with a class is said when it is first used, and refs behave as values."""

import attrs
import pytest

from actors.runtime import Actor, ActorSystem, Request, Terminated, handles
from tests.actors.runtime.cast import Echo, Note


def table(cls: type[Actor]) -> dict[str, str]:
    """Return the handlers by the name of their message."""
    return {kind.__name__: name for kind, name in cls.handler_names().items()}


def test_table() -> None:
    """Handlers are found by the type of their parameter `message`."""

    class Fine(Actor):
        @handles
        async def note(self, message: Note) -> None: ...

        @handles
        async def echo(self, message: Echo) -> str:
            return message.word

    assert table(Fine) == {"Note": "note", "Echo": "echo"}


def test_union() -> None:
    """One handler may take several types."""

    class Fine(Actor):
        @handles
        async def both(self, message: Note | Terminated) -> None: ...

    assert table(Fine) == {"Note": "both", "Terminated": "both"}


def test_inherited() -> None:
    """A subclass has its base's handlers, and may replace one."""

    class Base(Actor):
        @handles
        async def note(self, message: Note) -> None: ...

    class Derived(Base):
        @handles
        async def echo(self, message: Echo) -> str:
            return ""

    assert table(Derived) == {"Note": "note", "Echo": "echo"}
    assert table(Base) == {"Note": "note"}


def test_two_handlers() -> None:
    """Two handlers for one type are refused."""

    class Wrong(Actor):
        @handles
        async def one(self, message: Note) -> None: ...

        @handles
        async def two(self, message: Note) -> None: ...

    with pytest.raises(TypeError, match="handles Note twice: one and two"):
        table(Wrong)


def test_no_message() -> None:
    """A handler without a parameter `message` of a message type is refused."""

    class Wrong(Actor):
        @handles
        async def one(self, message: int) -> None: ...

    with pytest.raises(TypeError, match="needs a parameter"):
        table(Wrong)


def test_wrong_reply() -> None:
    """A handler that answers with another type than its request promises is refused."""

    class Wrong(Actor):
        @handles
        async def echo(self, message: Echo) -> int:
            return 1

    with pytest.raises(TypeError, match="promises"):
        table(Wrong)


def test_tell_answers_nothing() -> None:
    """A message that is only told promises nothing."""

    class Wrong(Actor):
        @handles
        async def note(self, message: Note) -> str:
            return ""

    with pytest.raises(TypeError, match="promises"):
        table(Wrong)


async def test_refs_are_values(system: ActorSystem) -> None:
    """Refs of one path are equal and hash alike; their text is the path."""
    assert system.ref("a/b") == system.ref("a/b")
    assert len({system.ref("a"), system.ref("a"), system.ref("b")}) == 2
    assert repr(system.ref("a")) == "Ref('a')"


async def test_refs_of_two_systems(system: ActorSystem) -> None:
    """The same path in another system is another address."""
    async with ActorSystem() as other:
        assert system.ref("a") != other.ref("a")


def test_messages_are_values() -> None:
    """A message can be compared and copied; there is nothing live in it."""

    @attrs.frozen(kw_only=True)
    class Ask(Request[int]):
        n: int

    assert Ask(n=1) == Ask(n=1)
    assert attrs.asdict(Ask(n=1)) == {"n": 1}
