"""Errors as the caller sees them: application/problem+json (RFC 9457), the same codes over REST and WebSocket."""

import attrs
from aiohttp import web

from actors.runtime.errors import ActorCrashed, ActorStopped, AskCycle, AskTimeout, MailboxFull, NotHandled, StartFailed
from hub.codec import encode
from paranet import errors as e
from paranet.codec import unstructure
from paranet.errors import ParaNetError

CODINGS = "gzip, deflate"
"""what bodies may be compressed with"""


class NoSuchRoute(ParaNetError):
    code = "no-such-route"
    title = "Nothing is served here"


class MethodNotAllowed(ParaNetError):
    code = "method-not-allowed"
    title = "This is not done here"


class BadRequest(ParaNetError):
    code = "bad-request"
    title = "The request cannot be understood"


class HeadersTooLarge(ParaNetError):
    code = "headers-too-large"
    title = "The head of the request is too large"


class UnsupportedCoding(ParaNetError):
    code = "unsupported-coding"
    title = "The body is compressed in a way that is not read here"


class TooManyConnections(ParaNetError):
    code = "too-many-connections"
    title = "No more connections are let in"


class TooManyClients(ParaNetError):
    code = "too-many-clients"
    title = "No more clients are let in"


class TooManySockets(ParaNetError):
    code = "too-many-sockets"
    title = "No more sockets of this user are let in"


STATUS: dict[type[ParaNetError], int] = {
    ParaNetError: 500,
    e.InvalidInput: 400,
    e.InvalidTopology: 422,
    e.UnknownFormat: 415,
    e.TooLarge: 413,
    e.NotFound: 404,
    e.AlreadyExists: 409,
    e.Repeated: 409,
    e.NodeHasLinks: 409,
    e.StaleRevision: 412,
    e.CompileFailed: 422,
    e.CompilerDied: 422,
    e.VerificationFailed: 422,
    e.PlanStale: 409,
    e.RowConflict: 409,
    e.DevicesBusy: 409,
    e.WrongState: 409,
    e.AssistantFailed: 502,
    e.DeviceError: 502,
    e.TooManyRequests: 429,
    e.TooFast: 429,
    e.BadQuery: 400,
    e.QueryFailed: 422,
    e.QueryTooLarge: 422,
    e.Unauthenticated: 401,
    e.Forbidden: 403,
    e.StorageFailed: 503,
    e.SchemaTooNew: 500,
    e.BadSettings: 500,
    AskTimeout: 504,
    AskCycle: 500,
    MailboxFull: 503,
    ActorStopped: 503,
    ActorCrashed: 500,
    NotHandled: 500,
    StartFailed: 500,
    NoSuchRoute: 404,
    MethodNotAllowed: 405,
    BadRequest: 400,
    HeadersTooLarge: 431,
    UnsupportedCoding: 415,
    TooManyConnections: 429,
    TooManyClients: 503,
    TooManySockets: 429,
}
"""the HTTP status of every error; docs/errors.md lists the same, a test compares"""


@attrs.frozen(kw_only=True)
class Problem:
    """RFC 9457, with the stable `code` and the places at fault."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    errors: tuple[object, ...]


def problem(error: ParaNetError, instance: str) -> dict[str, object]:
    """Return the problem document; the error's extra members come last and never hide a standard one."""
    shown = Problem(
        type=f"urn:paranet:error:{error.code}",
        title=error.title,
        status=STATUS[type(error)],
        detail=error.detail,
        instance=instance,
        code=error.code,
        errors=error.errors,
    )
    return {**error.extra, **unstructure(shown)}


def response(error: ParaNetError, instance: str) -> web.Response:
    """Return the HTTP answer for an error."""
    headers: dict[str, str] = {}
    if "retry_after" in error.extra:
        headers["Retry-After"] = str(error.extra["retry_after"])
    if isinstance(error, e.Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if "allow" in error.extra:
        headers["Allow"] = str(error.extra["allow"])
    if isinstance(error, UnsupportedCoding):
        headers["Accept-Encoding"] = CODINGS
    answer = web.Response(
        status=STATUS[type(error)], body=encode(problem(error, instance)), content_type="application/problem+json", headers=headers
    )
    if isinstance(error, TooManyConnections):
        answer.force_close()
    return answer


def of_http(error: web.HTTPException, path: str, method: str) -> ParaNetError:
    """Return what aiohttp refused by itself as one of our errors."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        return MethodNotAllowed(f"{method} is not allowed on {path}", allow=", ".join(sorted(error.allowed_methods)))
    if isinstance(error, web.HTTPNotFound):
        return NoSuchRoute(f"there is nothing at {path}")
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return e.TooLarge("the body is larger than this hub accepts")
    return BadRequest(error.reason or error.text or "")
