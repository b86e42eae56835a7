"""Every REST operation over a socket: the same table, the same roles, the same errors."""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from actors.frames import Frame
from hub.auth import Caller
from hub.codec import encode
from hub.operations import Call, Operation, Reply
from hub.refusals import AT_THE_DOOR
from hub.rest import OPERATIONS
from hub.ws.protocol import Ask
from paranet.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from hub.house import House

HEADERS: Mapping[str, Callable[[Any], str]] = {
    "if_match": lambda value: f'"{value}"' if type(value) is int else str(value),
    "if_none_match": lambda value: f'"{value}"' if type(value) is int else str(value),
    "idempotency_key": str,
    "prefer": str,
    "accept": str,
    "content_type": str,
}
"""members of *params* that over REST are headers; a revision may be given as a number"""
_NAMES = re.compile(r"{(\w+)(?::[^{}]*)?}")


async def answer(house: "House", caller: Caller, remote: str, ask: Ask) -> Frame:
    """Return the answer to *ask* as a frame. Raise what the operation raises; NotFound when there is no such operation."""
    operation = _BY_NAME.get(ask.method)
    if operation is None:
        raise NotFound(f"there is no operation {ask.method[:60]!r}")
    params = dict(ask.params)
    body = params.pop("body", None)
    names = _NAMES.findall(operation.path)
    path = {name: _text(name, params.pop(name, None)) for name in names}
    headers = {name.replace("_", "-"): write(params.pop(name)) for name, write in HEADERS.items() if name in params}
    try:
        operation.check(caller, params)
        await house.limits.check(operation, caller, remote)
    except AT_THE_DOOR as error:
        if operation.method != "GET":
            house.refusals.note(caller.user.username, remote, operation.name, "/".join(path.values()), error)
        raise
    query = {name: _text(name, value) for name, value in params.items() if value is not None}
    raw = body.encode() if isinstance(body, str) and "content-type" in headers else _body(body)
    call = Call(house=house, caller=caller, path=path, query=query, headers=headers, body=raw, remote=remote)
    with house.following(operation.name):
        return _answered(ask.id, await operation.perform(call))


def _text(name: str, value: object) -> str:
    """Return a parameter as it would stand in an address."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, list) and all(isinstance(part, (str, int, float)) for part in value):
        return ",".join(map(str, value))
    raise InvalidInput(f"params.{name}: must be text, a number or a list of them" if value is not None else f"params.{name}: is required")


def _body(body: object) -> bytes:
    """Return a body as REST would have brought it. Raise InvalidInput."""
    try:
        return b"" if body is None else orjson.dumps(body)
    except orjson.JSONEncodeError:  # it can be read, but not written: that deep nothing is
        raise InvalidInput("params.body: nested too deeply") from None


def _answered(reply_to: int, reply: Reply) -> Frame:
    head: dict[str, Any] = {"type": "ok", "id": reply_to, "status": reply.status}
    if reply.etag is not None:
        head["etag"] = reply.etag
    if reply.location is not None:
        head["location"] = reply.location
    if reply.status in (204, 304):
        body = b"null"
    elif reply.raw is None:
        body = encode(reply.body)
    else:
        body = reply.raw if reply.content_type.endswith("json") else orjson.dumps(reply.raw.decode(errors="replace"))
    return Frame(b'%b,"body":%b}' % (orjson.dumps(head)[:-1], body))


_BY_NAME: Mapping[str, Operation] = {operation.name: operation for operation in OPERATIONS}
