"""What operators may do to one actor. Whoever calls these has checked the role and writes the audit log.

All raise NotFound for a path where nobody lives.
"""

from actors.runtime.cell import Cell
from actors.runtime.observers import Trace
from actors.runtime.system import ActorSystem
from paranet.errors import NotFound, WrongState


async def restart(system: ActorSystem, path: str) -> bool:
    """End the actor's generation and start the next at once; its mailbox stays. It counts as a restart, but not against the intensity.

    False: its on_start failed; what happens next is its supervisor's affair.
    """
    cell = find(system, path)
    await cell.halt()
    if cell.closed:
        raise WrongState(f"{path} is stopping")
    if cell.running:  # somebody else has restarted it meanwhile
        return True
    cell.restarts += 1
    return await cell.begin()


def suspend(system: ActorSystem, path: str) -> None:
    """Let the actor handle nothing until resume; its mailbox goes on taking messages up to its capacity. Raise WrongState."""
    cell = find(system, path)
    if not cell.suspend():
        raise WrongState(f"{path} is {cell.status.value}; only a running actor can be suspended")


def resume(system: ActorSystem, path: str) -> None:
    """Go on after suspend. Raise WrongState."""
    cell = find(system, path)
    if not cell.resume():
        raise WrongState(f"{path} is {cell.status.value}; only a suspended actor can be resumed")


async def drain(system: ActorSystem, path: str, *, within: float) -> int:
    """Have the actor and its children take nothing more, finish what is queued within that many seconds, and stop.

    Return how many messages of the actor itself were left.
    """
    cell = find(system, path)
    dead = cell.dead
    await cell.drain(system.clock() + within)
    return cell.dead - dead


def start_trace(system: ActorSystem, path: str, *, messages: int = 1000, seconds: float = 60.0) -> Trace:
    """Record the actor's next *messages* for at most *seconds*; a trace that runs already is ended. Read it any time."""
    cell = find(system, path)
    stop_trace(system, path)
    trace = cell.trace = Trace(cell, messages=messages, seconds=seconds)
    cell.observers = (*cell.observers, trace)
    return trace


def stop_trace(system: ActorSystem, path: str) -> None:
    """End the actor's trace; what it has recorded stays until the next."""
    trace = find(system, path).trace
    if trace is not None:
        trace.stop()


def replay(system: ActorSystem, letter_id: int) -> bool:
    """Tell a dead letter's message again, once. False when it was refused again. Raise NotFound or WrongState."""
    letter = system.dead_letters.get(letter_id)
    if letter is None:
        raise NotFound(f"dead letter {letter_id} is not kept any more")
    if not letter.replayable:
        raise WrongState(f"dead letter {letter_id} cannot be replayed" + (" twice" if letter.replayed else ""))
    system.dead_letters.mark_replayed(letter_id)
    return system.ref(letter.to).tell(letter.message)


def find(system: ActorSystem, path: str) -> Cell:
    """Return the cell at *path*. Raise NotFound."""
    cell = system.cell(path)
    if cell is None:
        raise NotFound(f"there is no actor {path[:120]!r}")
    return cell
