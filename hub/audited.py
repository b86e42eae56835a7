"""What operators do to the hub and to devices past the usual ways is written down."""

from collections.abc import Awaitable
from functools import partial
from typing import TypeVar

from actors.audit import Record
from hub.operations import Call
from paranet.errors import ParaNetError

R = TypeVar("R")
ASK = 5.0


async def audited(call: Call, action: str, target: str, deed: Awaitable[R]) -> R:
    """Do it and write down how it went, also when it was refused."""
    audit = call.house.system.ref("audit")
    record = partial(Record, author=call.author, remote=call.remote, action=action, target=target[:200])
    try:
        outcome = await deed
    except ParaNetError as error:
        await audit.ask(record(outcome=error.code), timeout=ASK)
        raise
    await audit.ask(record(outcome="ok"), timeout=ASK)
    return outcome
