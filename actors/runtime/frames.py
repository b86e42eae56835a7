"""On whose behalf code runs. Frames are the nodes of the wait-for graph, envelopes that wait for an answer its edges."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from actors.runtime.envelope import FOREVER, Envelope
from actors.runtime.errand import Errand, errand
from actors.runtime.errors import AskCycle
from actors.runtime.messages import Message


class Frame:
    """An actor at its mailbox, or one of its jobs: where it stands in the graph, until when it may wait, and on what errand it is."""

    __slots__ = ("deadline", "errand", "job", "path", "waits")

    def __init__(self, path: str, *, deadline: float = FOREVER, job: str = "") -> None:
        self.path = path
        self.deadline = deadline
        self.job = job
        self.errand: Errand | None = None
        self.waits: dict[Envelope, Frame] | None = None

    def __str__(self) -> str:
        return f"{self.path} ({self.job})" if self.job else self.path

    def wait(self, envelope: Envelope, target: "Frame") -> None:
        """Note that this waits for *target* to answer. Raise AskCycle, naming the path, when *target* waits for this already."""
        if target.waits or target is self:
            way = target.way_to(self)
            if way is not None:
                names = [str(self), *(str(frame) for frame in way)]
                raise AskCycle(f"asking would wait for ever: {' -> '.join(names)}", path=names)
        self.hold(envelope, target)

    def hold(self, envelope: Envelope, target: "Frame") -> None:
        """Note that this waits for *target*, whatever that waits for."""
        if self.waits is None:
            self.waits = {}
        self.waits[envelope] = target

    def release(self, envelope: Envelope) -> None:
        """Wait no more."""
        if self.waits is not None:
            self.waits.pop(envelope, None)

    def hand_over(self, envelope: Envelope, job: "Frame") -> None:
        """From now on wait for *job*, which its actor has charged with the answer."""
        if self.waits is not None and envelope in self.waits:
            self.waits[envelope] = job

    def waiting(self) -> "list[tuple[Envelope, Frame]]":
        """Return what has not been answered yet, and by whom; an answer on its way back holds nobody any more."""
        return [(envelope, target) for envelope, target in (self.waits or {}).items() if not envelope.answered]

    def way_to(self, goal: "Frame") -> "list[Frame] | None":
        """Return the frames from here to *goal* along the graph, both included; None when there is no way."""
        if self is goal:
            return [self]
        seen = {self}
        stack = [[self]]
        while stack:
            path = stack.pop()
            for _, following in path[-1].waiting():
                if following is goal:
                    return [*path, goal]
                if following not in seen:
                    seen.add(following)
                    stack.append([*path, following])
        return None


current: ContextVar[Frame | None] = ContextVar("actor", default=None)


def errand_now() -> Errand | None:
    """Return what the running code is there for, None when nobody outside has asked for it."""
    frame = current.get()
    return errand.get() if frame is None else frame.errand


def go_on(on: Errand) -> None:
    """Be on another errand from here: inside a job, or outside of actors."""
    frame = current.get()
    if frame is None:
        errand.set(on)
    else:
        frame.errand = on


@contextmanager
def standing_by(event: Message, target: Frame) -> Iterator[None]:
    """Hold an edge to *target* while the code inside waits for *event*, so that who asks back is refused instead of hanging."""
    frame = current.get()
    envelope = Envelope(event, frame)
    if frame is not None:
        frame.hold(envelope, target)
    try:
        yield
    finally:
        if frame is not None:
            frame.release(envelope)
