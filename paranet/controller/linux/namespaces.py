"""Network namespaces: doing something inside one, on a thread that comes back out of it."""

import asyncio
import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from paranet.errors import DeviceError

T = TypeVar("T")
FOLDER = Path("/run/netns")
_CLONE_NEWNET = 0x40000000


def exists(namespace: str) -> bool:
    """Tell whether there is a namespace of that name."""
    return (FOLDER / namespace).exists()


async def inside(namespace: str, work: Callable[[], T]) -> T:
    """Run *work* on a thread in the namespace. Raise DeviceError when it is not there or not ours to enter."""
    return await asyncio.to_thread(_inside, namespace, work)


def _inside(namespace: str, work: Callable[[], T]) -> T:
    with _entered(namespace):
        return work()


@contextmanager
def _entered(namespace: str) -> Iterator[None]:
    """Move the calling thread, and nobody else, into the namespace for as long as the block runs (setns(2))."""
    try:
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            away = os.open(FOLDER / namespace, os.O_RDONLY | os.O_CLOEXEC)
            try:
                _setns(away)
            finally:
                os.close(away)
            try:
                yield
            finally:
                _setns(home)
        finally:
            os.close(home)
    except OSError as error:
        raise DeviceError(f"namespace {namespace} is unreachable: {error.strerror}") from error


def _setns(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
