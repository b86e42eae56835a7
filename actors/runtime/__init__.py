"""A small actor runtime on plain asyncio: typed asks, two-lane bounded mailboxes, OTP supervision, inspection."""

from actors.runtime.actor import Actor, handles
from actors.runtime.errors import ActorCrashed, ActorStopped, AskCycle, AskTimeout, MailboxFull
from actors.runtime.mailbox import Conflate, Mailbox, Overflow
from actors.runtime.messages import Message, Request, Terminated
from actors.runtime.ref import Ref
from actors.runtime.supervisor import Backoff, Restart, Strategy, Supervision
from actors.runtime.system import ActorSystem

__all__ = [
    "Actor",
    "ActorCrashed",
    "ActorStopped",
    "ActorSystem",
    "AskCycle",
    "AskTimeout",
    "Backoff",
    "Conflate",
    "Mailbox",
    "MailboxFull",
    "Message",
    "Overflow",
    "Ref",
    "Request",
    "Restart",
    "Strategy",
    "Supervision",
    "Terminated",
    "handles",
]
