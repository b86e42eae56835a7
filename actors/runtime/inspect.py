"""Looking into the system without disturbing it: plain values for operators, read off the cells."""

from collections.abc import Iterator

from actors.runtime.cell import Cell
from actors.runtime.frames import Frame
from actors.runtime.observers import Change, Traced, Window, state_of
from actors.runtime.operate import find
from actors.runtime.stats import ActorInfo, Blocked, DeadLetterInfo, Lag, Latency, MailboxInfo, Waiting, seconds_since
from actors.runtime.system import ActorSystem

__all__ = ["blocks", "dead_letters", "describe", "lag", "state_of", "stuck", "trace", "tree", "waits", "window"]


def tree(system: ActorSystem) -> list[ActorInfo]:
    """Return every actor, parents before children."""
    return [describe(cell) for cell in system.cells()]


def stuck(system: ActorSystem) -> list[ActorInfo]:
    """Return the actors whose handler has run for longer than their stuck_after."""
    return [describe(cell) for cell in system.cells() if cell.stuck]


def describe(cell: Cell) -> ActorInfo:
    """Return what is to be seen of one actor."""
    now = cell.system.clock()
    current, life, parent, stuck = cell.current, cell.life, cell.parent, cell.stuck
    return ActorInfo(
        path=cell.path,
        type=type(cell.actor).__name__,
        parent=parent.path if parent and parent.path else None,
        children=tuple(child.path for child in cell.children.values()),
        status=cell.status.value,
        generation=cell.generation,
        uptime=max(0.0, now - cell.started_at),
        mailbox=_mailbox(cell),
        sent=cell.sent,
        processed=cell.processed,
        queued=cell.queued,
        dead=cell.dead,
        rate=cell.rate,
        current=type(current.message).__name__ if current is not None else None,
        current_age=cell.current_age,
        stuck=stuck,
        stack=life.stack() if stuck and life is not None else (),
        restarts=cell.restarts,
        restarts_in_window=parent.life.restarts_in_window if parent is not None and parent.life is not None else 0,
        backoff_for=max(0.0, cell.backoff_until - now),
        last_error=cell.last_error,
        ask_timeouts=cell.ask_timeouts,
        late_replies=cell.late_replies,
        poison=cell.poison,
        waiting_for=tuple(dict.fromkeys(target.path for _, target in cell.frame.waiting())),
        timers=life.timer_keys if life is not None else (),
        jobs=len(life.jobs_begun or ()) if life is not None else 0,
        tracing=cell.trace is not None and cell.trace.running,
        times={kind.__name__: {"wait": Latency.of(times.wait), "handle": Latency.of(times.handle)} for kind, times in cell.times.items()},
    )


def _mailbox(cell: Cell) -> MailboxInfo:
    queue = cell.lane.queue
    return MailboxInfo(
        length=len(cell.lane),
        capacity=cell.spec.capacity,
        overflow=cell.spec.overflow.value,
        high_water=cell.lane.high_water,
        oldest=seconds_since(queue[0].enqueued) if queue else 0.0,
        stashed=cell.stashed,
        dropped=dict(cell.dropped),
    )


def waits(system: ActorSystem) -> list[Waiting]:
    """Return the wait-for graph: who waits for whose answer."""
    now = system.clock()
    return [
        Waiting(
            asker=frame.path,
            job=frame.job,
            target=target.path,
            answering=target.job,
            message=type(envelope.message).__name__,
            age=seconds_since(envelope.enqueued),
            left=max(0.0, envelope.deadline - now) if envelope.reply is not None else None,
        )
        for frame in _frames(system)
        for envelope, target in frame.waiting()
    ]


def _frames(system: ActorSystem) -> Iterator[Frame]:
    for cell in system.cells():
        yield cell.frame
        if cell.life is not None and cell.life.jobs_begun is not None:
            yield from cell.life.jobs_begun.frames


def lag(system: ActorSystem) -> Lag:
    """Return how late the event loop has been during the last minute."""
    return system.pulse.lag


def blocks(system: ActorSystem) -> list[Blocked]:
    """Return when and by what the event loop was blocked, newest first."""
    return list(reversed(system.pulse.blocks))


def trace(system: ActorSystem, path: str) -> list[Traced]:
    """Return what the actor's newest trace has recorded; operate.start_trace starts one. Raise NotFound."""
    recorded = find(system, path).trace
    return list(recorded.entries) if recorded is not None else []


def window(system: ActorSystem, path: str, ms: int = 5000) -> list[Change]:
    """Return what changed in the actor's state in the last *ms* milliseconds, oldest first. Raise NotFound.

    The first call opens the window and finds nothing; it closes a minute after the last one.
    """
    cell = find(system, path)
    if cell.window is None or not cell.window.open:
        cell.window = Window(cell)
        cell.observers = (*(o for o in cell.observers if not isinstance(o, Window)), cell.window)
    return cell.window.read(ms / 1000)


def dead_letters(system: ActorSystem, limit: int = 100) -> list[DeadLetterInfo]:
    """Return dead letters, newest first."""
    return [
        DeadLetterInfo(
            id=letter.id,
            at=letter.at,
            to=letter.to,
            sender=letter.sender,
            reason=letter.reason,
            type=letter.type,
            message=repr(letter.message)[:500],
            error=letter.error,
            replayable=letter.replayable,
        )
        for letter in system.dead_letters.newest(limit)
    ]
