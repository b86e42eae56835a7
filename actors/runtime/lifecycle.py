"""Where an actor is in its life, and what ends a generation."""

import asyncio
from enum import StrEnum


class Status(StrEnum):
    """Where a cell is in its life."""

    STARTING = "starting"
    RUNNING = "running"
    SUSPENDED = "suspended"
    BACKOFF = "backoff"
    HALTED = "halted"
    DRAINING = "draining"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Ended(Exception):
    """The signal that ends a generation in peace; anything else that ends one is a crash."""


BATCH = 256
"""messages an actor handles before it lets the others run"""
SLICE_NS = 5_000_000
"""nanoseconds after which it lets them run even within a batch"""
STOP_GRACE = 5.0
"""seconds a handler may go on once its actor is to stop; then it is cancelled"""
CANCEL_GRACE = 1.0
"""seconds each cancellation may take to have an effect"""
CANCELS = 3
"""cancellations a coroutine may swallow before it is given up"""


def being_cancelled() -> bool:
    """Tell whether somebody cancelled the running task, as against a CancelledError that came out of its own code."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
