"""The errors that are part of the interface: every one has a stable code and is listed in docs/errors.md."""

from collections.abc import Sequence
from typing import ClassVar

import attrs


@attrs.frozen(kw_only=True)
class Fault:
    """One place in the input and what is wrong there. *path* is a JSON path (`links[3].target.node`), a line or empty."""

    path: str
    message: str


class ParaNetError(Exception):
    """A refusal that the caller is meant to read. *extra* holds further members of the problem document (RFC 9457)."""

    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str = "", *, errors: Sequence[object] = (), **extra: object) -> None:
        self.detail = detail or self.title
        self.errors = tuple(errors)
        self.extra = extra
        super().__init__(self.detail)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.detail, self.errors, self.extra)


def _rebuild(cls: type[ParaNetError], detail: str, errors: tuple[object, ...], extra: dict[str, object]) -> ParaNetError:
    return cls(detail, errors=errors, **extra)


class InvalidInput(ParaNetError):
    code = "invalid"
    title = "The request does not say what is wanted in a form that can be read"


class InvalidTopology(ParaNetError):
    code = "invalid-topology"
    title = "The topology contradicts itself"


class UnknownFormat(ParaNetError):
    code = "unknown-format"
    title = "No reader for this format"


class TooLarge(ParaNetError):
    code = "too-large"
    title = "More than the hub accepts"


class NotFound(ParaNetError):
    code = "not-found"
    title = "No such thing"


class AlreadyExists(ParaNetError):
    code = "already-exists"
    title = "The id is taken"


class Repeated(ParaNetError):
    code = "repeated"
    title = "This was asked before"


class NodeHasLinks(ParaNetError):
    code = "node-has-links"
    title = "The node still has links"


class StaleRevision(ParaNetError):
    code = "stale-revision"
    title = "Somebody else changed it first"


class CompileFailed(ParaNetError):
    code = "compile-failed"
    title = "The source does not compile"


class CompilerDied(ParaNetError):
    code = "compiler-died"
    title = "The compiler ran out of time or memory"


class VerificationFailed(ParaNetError):
    code = "verification-failed"
    title = "The network would not do what was asked"


class PlanStale(ParaNetError):
    code = "plan-stale"
    title = "The network moved since this was compiled"


class RowConflict(ParaNetError):
    code = "row-conflict"
    title = "Rows belong to somebody else's work"


class DevicesBusy(ParaNetError):
    code = "devices-busy"
    title = "Another deployment holds these devices"


class WrongState(ParaNetError):
    code = "wrong-state"
    title = "Not possible in this state"


class DeviceError(ParaNetError):
    code = "device-error"
    title = "A device refused or failed"


class TooManyRequests(ParaNetError):
    code = "too-many-requests"
    title = "More than your share"


class AssistantFailed(ParaNetError):
    code = "assistant-failed"
    title = "The assistant could not answer"


class Unauthenticated(ParaNetError):
    code = "unauthenticated"
    title = "Sign in first"


class Forbidden(ParaNetError):
    code = "forbidden"
    title = "Your role does not allow this"


class StorageFailed(ParaNetError):
    code = "storage-failed"
    title = "The database refused the write"


class SchemaTooNew(ParaNetError):
    code = "schema-too-new"
    title = "The database was written by a newer version"


class BadQuery(InvalidInput):
    """*errors* name line and column; *position* is the offset in characters."""

    code = "bad-query"
    title = "The expression is no PromQL that this hub understands"


class QueryFailed(ParaNetError):
    code = "query-failed"
    title = "The query has no answer on these samples"


class QueryTooLarge(ParaNetError):
    code = "query-too-large"
    title = "The query would touch more than the hub allows"


class TooFast(ParaNetError):
    code = "too-fast"
    title = "The hub cannot keep up"


class BadSettings(ParaNetError):
    code = "bad-settings"
    title = "The settings cannot be used"


class BadField(ValueError):
    """A value that its field does not allow; raised by validators, turned into a Fault with its path by the codec."""

    def __init__(self, field: str, message: str) -> None:
        self.field, self.message = field, message
        super().__init__(f"{field} {message}")
