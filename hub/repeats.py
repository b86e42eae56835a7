"""Idempotency-Key: who does not know whether a request was done asks it again, and it is done once.

After draft-ietf-httpapi-idempotency-key-header. Deployments keep their keys in their own journal (`hub.rest.deploy`).
"""

import re
from functools import wraps

import attrs

from actors.repeats import Answer, Begin, Keep, Leave, Release
from actors.runtime.errors import MailboxFull
from hub.codec import encode
from hub.operations import Call, Handler, Operation, Reply
from hub.problems import STATUS
from paranet.errors import InvalidInput, ParaNetError

ASK = 5.0
FAULT = 500
"""status from which on nobody knows whether something was done"""
REPEATABLE = frozenset(
    {
        "topology.nodes.add",
        "topology.links.add",
        "topology.import",
        "topology.restore",
        "intent.compile",
        "chat.say",
        "deploy.drift-adopt",
        "deploy.drift-restore",
        "alerts.rules.create",
        "alerts.silences.create",
        "auth.users.add",
        "auth.tokens.add",
    }
)
"""operations that make something and have no memory of their own for keys"""
SECRET = frozenset({"auth.tokens.add"})
"""those whose answer is written down nowhere"""
_KEY = re.compile(r"[\x21-\x7e]{1,200}")


def key_of(call: Call) -> str | None:
    """Return the Idempotency-Key. Raise InvalidInput."""
    text = call.headers.get("idempotency-key")
    if text is not None and _KEY.fullmatch(text) is None:
        raise InvalidInput("Idempotency-Key must be 1 to 200 visible characters")
    return text


def once(operation: Operation) -> Operation:
    """Return the operation with a memory for keys, if it is one that needs it.

    A refusal leaves the key free. It raises AlreadyExists and Repeated besides.
    """
    if operation.name not in REPEATABLE:
        return operation
    perform = operation.handler

    @wraps(perform)
    async def keyed(call: Call) -> Reply:
        key = key_of(call)
        return await perform(call) if key is None else await _once(call, operation.name, key, perform)

    return attrs.evolve(operation, handler=keyed)


async def _once(call: Call, name: str, key: str, perform: Handler) -> Reply:
    assert call.caller is not None  # every operation here asks for a role
    repeats, user = call.house.system.ref("repeats"), call.caller.user.id
    asked = repr((name, sorted(call.path.items()), sorted(call.query.items()), call.filename)).encode() + call.body
    known = await repeats.ask(Begin(user=user, key=key, request=call.house.tokens.seal(asked)), timeout=ASK)
    if known is not None:
        return _again(known)
    try:
        reply = await perform(call)
    except BaseException as error:
        if isinstance(error, ParaNetError) and (STATUS[type(error)] < FAULT or isinstance(error, MailboxFull)):
            await repeats.ask(Release(user=user, key=key), timeout=ASK)
        else:
            repeats.tell(Leave(user=user, key=key))
        raise
    await repeats.ask(Keep(user=user, key=key, answer=_answer(name, reply)), timeout=ASK)
    return reply


def _answer(name: str, reply: Reply) -> Answer:
    head = {"etag": reply.etag, "location": reply.location, "content_type": reply.content_type}
    body = None if name in SECRET or reply.stream is not None else reply.raw if reply.raw is not None else encode(reply.body)
    return Answer(status=reply.status, head={k: v for k, v in head.items() if v is not None}, body=body)


def _again(known: Answer) -> Reply:
    head = known.head
    return Reply(
        status=known.status,
        raw=known.body,
        etag=head.get("etag"),
        location=head.get("location"),
        content_type=head["content_type"],
        headers={"Idempotency-Replayed": "true"},
    )
