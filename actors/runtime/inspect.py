"""Looking into the system without disturbing it: plain values for operators, read off the cells."""

import time

from actors.runtime.cell import Cell
from actors.runtime.stats import ActorInfo, Latency, MailboxInfo
from actors.runtime.system import ActorSystem


def tree(system: ActorSystem) -> list[ActorInfo]:
    """Return every actor, parents before children."""
    return [describe(cell) for cell in system.cells()]


def describe(cell: Cell) -> ActorInfo:
    """Return what is to be seen of one actor."""
    now, precise = cell.system.clock(), time.perf_counter()
    current_age = precise - cell.current_since if cell.current else 0.0
    stuck = current_age > cell.actor.stuck_after
    queue = cell.lane.queue
    parent = cell.parent
    return ActorInfo(
        path=cell.path,
        type=type(cell.actor).__name__,
        parent=parent.path if parent and parent.path else None,
        children=tuple(child.path for child in cell.children.values()),
        status=cell.status.value,
        generation=cell.generation,
        uptime=max(0.0, now - cell.started_at),
        mailbox=MailboxInfo(
            length=len(queue),
            capacity=cell.spec.capacity,
            overflow=cell.spec.overflow.value,
            high_water=cell.lane.high_water,
            oldest=precise - queue[0].enqueued if queue else 0.0,
            stashed=len(cell.stashed or ()),
            dropped=dict(cell.dropped),
        ),
        sent=cell.sent,
        processed=cell.processed,
        dead=cell.dead,
        current=type(cell.current.message).__name__ if cell.current else None,
        current_age=current_age,
        stuck=stuck,
        stack=cell.stack() if stuck else (),
        restarts=cell.restarts,
        restarts_in_window=parent.supervisor.restarts_in_window if parent else 0,
        backoff_for=max(0.0, cell.backoff_until - now),
        last_error=cell.last_error,
        ask_timeouts=cell.ask_timeouts,
        late_replies=cell.late_replies,
        poison=cell.poison,
        waiting_for=tuple(target.path for target in cell.waits),
        timers=cell.timers.keys,
        jobs=len(cell.jobs) if cell.jobs else 0,
        times={kind.__name__: {"wait": Latency.of(times.wait), "handle": Latency.of(times.handle)} for kind, times in cell.times.items()},
    )


def state_of(cell: Cell) -> dict[str, object]:
    """Return what the actor shows of its state; a failing inspect is shown, not raised."""
    try:
        return dict(cell.actor.inspect())
    except Exception as error:
        return {"inspect_failed": repr(error)}
