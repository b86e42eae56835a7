"""What an ask can fail with, beside the domain's own errors."""

from paranet.errors import ParaNetError


class AskTimeout(ParaNetError):
    code = "ask-timeout"
    title = "No answer in time"


class AskCycle(ParaNetError):
    code = "ask-cycle"
    title = "Actors would wait for each other"


class MailboxFull(ParaNetError):
    code = "mailbox-full"
    title = "Too much to do right now"


class ActorStopped(ParaNetError):
    code = "actor-stopped"
    title = "The part of the hub that answers this is not running"


class ActorCrashed(ParaNetError):
    code = "actor-crashed"
    title = "The part of the hub that answers this failed on the request"


class NotHandled(ParaNetError):
    code = "not-handled"
    title = "The actor does not know this message"


class StartFailed(ParaNetError):
    code = "start-failed"
    title = "An actor could not start"


class Escalated(Exception):
    """Children failed more often than their supervision allows."""
