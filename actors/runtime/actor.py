"""What an engineer writes: a class with handlers. Everything else is the runtime's."""

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, get_args, get_origin, get_type_hints

from actors.runtime.mailbox import Mailbox
from actors.runtime.messages import Message, Request, Terminated
from actors.runtime.ref import Ref
from actors.runtime.supervisor import Restart, Supervision
from actors.runtime.timers import Timers

if TYPE_CHECKING:
    from actors.runtime.generation import Generation
    from actors.runtime.system import ActorSystem

F = TypeVar("F", bound=Callable[..., Awaitable[Any]])
R = TypeVar("R")


def handles(method: F) -> F:
    """Mark a coroutine method as the handler of the message type its `message` parameter is annotated with."""
    method.__handles__ = True  # type: ignore[attr-defined]  # a mark on a function, read by _handler_table
    return method


class Actor:
    """State with one owner. Handlers run one at a time; raise a ParaNetError to refuse, anything else is a crash."""

    mailbox: ClassVar[Mailbox] = Mailbox()
    supervision: ClassVar[Supervision] = Supervision()
    stuck_after: ClassVar[float] = 5.0
    """seconds after which a running handler is shown as stuck"""
    jobs_limit: ClassVar[int] = 16
    """how many jobs of this actor run at once; ten times as many may wait"""

    _handlers: ClassVar[Mapping[type[Message], str] | None] = None
    _life: "Generation"

    async def on_start(self) -> None:
        """Load state and start timers. Raising is a failed start."""

    async def on_stop(self) -> None:
        """Let go of what on_start took. Runs after the children and jobs have ended, also after a crash."""

    def inspect(self) -> Mapping[str, object]:
        """Return what operators may see: cheap, redacted, plain JSON."""
        return {}

    # What the runtime offers to the actor itself.

    @property
    def ref(self) -> Ref:
        """This actor's own address."""
        return self._life.cell.ref

    @property
    def system(self) -> "ActorSystem":
        """The system it lives in."""
        return self._life.cell.system

    @property
    def timers(self) -> Timers:
        """Messages to oneself, later; they end with this generation."""
        return self._life.timers

    async def spawn(self, name: str, factory: "Callable[[], Actor]", *, restart: Restart = Restart.ON_CRASH) -> Ref:
        """Start a child and wait until it runs. *factory* makes a fresh instance for every generation. Raise StartFailed."""
        return await self._life.spawn(name, factory, restart=restart)

    def child(self, name: str) -> Ref | None:
        """Return the child of that name if there is one."""
        cell = self._life.cell.children.get(name)
        return cell.ref if cell else None

    async def stop_child(self, name: str) -> None:
        """Stop a child and wait until it has ended."""
        cell = self._life.cell.children.get(name)
        if cell is not None:
            await cell.stop()

    def watch(self, ref: Ref) -> None:
        """Have Terminated delivered when *ref* stops for good; at once when it is gone already."""
        if Terminated not in self.handler_names():
            raise TypeError(f"{type(self).__name__} watches but does not handle Terminated")
        self._life.watch(ref)

    def unwatch(self, ref: Ref) -> None:
        """Undo watch."""
        self._life.unwatch(ref)

    async def pipe_to_self(
        self, job: Coroutine[Any, Any, Message], *, failed: Callable[[Exception], Message] | None = None, name: str | None = None
    ) -> None:
        """Run *job* beside the mailbox; the message it returns comes back as one to this actor.

        Its exception becomes the message *failed* makes of it; without *failed* it crashes the actor.
        """
        await self._life.jobs.pipe(job, failed, name)

    async def defer(self, job: Coroutine[Any, Any, R], *, abandon: bool = False) -> R:
        """Let *job* answer the current ask while the mailbox moves on: `return await self.defer(self._slow(...))`.

        The job must not touch the actor's state. What it raises reaches the asker; other than a ParaNetError crashes the actor.
        With *abandon* it is cancelled when the asker has gone or its time is over: for work that only its answer is good for.
        """
        return await self._life.defer(job, abandon=abandon)

    def stash(self) -> Any:
        """Put the current message aside until unstash: `return self.stash()`. Raise MailboxFull when too many lie there."""
        return self._life.pump.stash()

    def unstash(self) -> None:
        """Put everything stashed back in front of the mailbox, in its old order."""
        self._life.pump.unstash()

    @classmethod
    def handler_names(cls) -> Mapping[type[Message], str]:
        """Return the handlers' names by message type."""
        if "_handlers" not in cls.__dict__ or cls._handlers is None:
            cls._handlers = _handler_table(cls)
        return cls._handlers


def _handler_table(cls: type[Actor]) -> dict[type[Message], str]:
    table: dict[type[Message], str] = {}
    for name, method in inspect.getmembers(cls, inspect.isfunction):
        if not getattr(method, "__handles__", False):
            continue
        hints = get_type_hints(method)
        kind = hints.get("message")
        for message_type in get_args(kind) or (kind,):
            if not (isinstance(message_type, type) and issubclass(message_type, Message)):
                raise TypeError(f"{cls.__name__}.{name} needs a parameter `message: SomeMessage`")
            if message_type in table:
                raise TypeError(f"{cls.__name__} handles {message_type.__name__} twice: {table[message_type]} and {name}")
            _check_reply(f"{cls.__name__}.{name}", message_type, hints.get("return"))
            table[message_type] = name
    return table


def _check_reply(where: str, message_type: type[Message], returns: object) -> None:
    """A handler that answers with another type than its request promises is a mistake to find at start, not in an asker."""
    promised: Any = type(None)
    for base in getattr(message_type, "__orig_bases__", ()):
        if get_origin(base) is Request:
            promised = get_args(base)[0]
    if returns is not Any and returns != promised:
        raise TypeError(f"{where} returns {returns}, but {message_type.__name__} promises {promised}")
