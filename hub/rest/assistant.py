"""The assistant: understand a sentence; hold a conversation."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import attrs

from actors.accounts import User
from actors.assistant import Parse
from actors.conversations import Conversation
from actors.talk import Forget, GetConversation, ListConversations, Say, Stop
from hub.codec import encode
from hub.following import follow
from hub.operations import Access, Call, Operation, Reply, page
from hub.times import rfc3339
from paranet.agent.phrases import MAX_TEXT, Understanding
from paranet.codec import unstructure
from paranet.errors import AssistantFailed, InvalidInput

API = "/api/v1/intent"
ASK = 15.0
LANGUAGES = ("en", "zh")
ASYNC = "respond-async"


@attrs.frozen(kw_only=True)
class Sentence:
    """Body of POST /intent/parse."""

    text: str
    language: str | None = None


async def parse(call: Call) -> Reply:
    """Understand a sentence without a model: language source, or the questions that must be answered first."""
    body = call.read(Sentence)
    _check(body.text, "text")
    _check_language(body.language)
    found = await call.house.system.ref("assistant").ask(Parse(text=body.text, language=body.language), timeout=ASK)
    return Reply(body=understood(found))


def understood(found: Understanding) -> dict[str, Any]:
    """Return an understanding as it is written on the wire."""
    body: dict[str, Any] = unstructure(found)
    del body["looks_back"]
    return body


def _check_language(language: str | None) -> None:
    if language is not None and language not in LANGUAGES:
        raise InvalidInput(f"language: must be one of {', '.join(LANGUAGES)}, not {language[:20]!r}")


def _check(text: str, field: str) -> None:
    if not text.strip():
        raise InvalidInput(f"{field}: must not be empty")
    if len(text) > MAX_TEXT:
        raise InvalidInput(f"{field}: must be at most {MAX_TEXT} characters")


@attrs.frozen(kw_only=True)
class Utterance:
    """Body of POST /intent/chat; without *conversation_id* a new conversation begins."""

    message: str
    conversation_id: str | None = None
    language: str | None = None


async def say(call: Call) -> Reply:
    """Say something to the assistant: server-sent events when they are asked for, else one answer.

    With `Prefer: respond-async` (RFC 7240) only where the answer will be: on the channel of the conversation.
    """
    body = call.read(Utterance)
    _check(body.message, "message")
    _check_language(body.language)
    user = _user(call)
    request = Say(
        conversation_id=body.conversation_id,
        text=body.message,
        owner=user.id,
        author=user.username,
        role=user.role,
        language=body.language,
    )
    begun = await call.house.system.ref("chat").ask(request, timeout=ASK)
    if ASYNC in call.headers.get("prefer", ""):
        location, applied = f"{API}/chat/{begun.conversation_id}", {"Preference-Applied": ASYNC}
        return Reply(status=202, body=begun, location=location, headers=applied)
    events = follow(call.house, begun, user.id)
    if "text/event-stream" in call.headers.get("accept", ""):
        return Reply(stream=_as_sse(begun.conversation_id, events), content_type="text/event-stream")
    async with aclosing(events):
        async for event in events:
            if event["kind"] == "error":
                raise AssistantFailed(str(event["detail"]), conversation_id=begun.conversation_id)
            if event["kind"] == "done":
                return Reply(body={"conversation_id": begun.conversation_id, **_without(event, "kind", "turn")})
    raise AssistantFailed("the conversation ended before the answer did", conversation_id=begun.conversation_id)


async def _as_sse(conversation_id: str, events: AsyncGenerator[dict[str, Any], None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(events):
        async for event in events:
            if event["kind"] != "user":
                data = encode({"conversation_id": conversation_id, **_without(event, "kind")})
                yield b"event: " + str(event["kind"]).encode() + b"\ndata: " + data + b"\n\n"


def _without(event: dict[str, Any], *names: str) -> dict[str, Any]:
    return {k: v for k, v in event.items() if k not in names}


async def stop(call: Call) -> Reply:
    """Stop the answer under way."""
    stopped = await call.house.system.ref("chat").ask(Stop(conversation_id=call.path["id"], owner=_user(call).id), timeout=ASK)
    return Reply(body={"stopped": stopped})


async def conversation(call: Call) -> Reply:
    """Return one of your conversations."""
    request = GetConversation(conversation_id=call.path["id"], owner=_user(call).id)
    found = await call.house.system.ref("chat").ask(request, timeout=ASK)
    messages = [{**unstructure(m), "at": rfc3339(m.at)} for m in found.messages]
    return Reply(body={**_shown(found), "messages": messages})


async def forget(call: Call) -> Reply:
    """Delete one of your conversations."""
    await call.house.system.ref("chat").ask(Forget(conversation_id=call.path["id"], owner=_user(call).id), timeout=ASK)
    return Reply(status=204)


async def conversations(call: Call) -> Reply:
    """Return your conversations, newest first."""
    limit = call.integer("limit", 50, 1, 500)
    request = ListConversations(owner=_user(call).id, limit=limit + 1, before=call.cursor())
    found = await call.house.system.ref("chat").ask(request, timeout=ASK)
    return Reply(body=page([_shown(c) for c in found], limit, lambda c: str(c["id"])))


def _shown(found: Conversation) -> dict[str, Any]:
    return {"id": found.id, "title": found.title, "created_at": rfc3339(found.created_at), "updated_at": rfc3339(found.updated_at)}


def _user(call: Call) -> User:
    assert call.caller is not None  # every operation here asks for a role
    return call.caller.user


OPERATIONS = (
    Operation(
        name="intent.parse",
        method="POST",
        path=f"{API}/parse",
        access=Access.VIEWER,
        handler=parse,
        summary="Understand a sentence",
    ),
    Operation(
        name="chat.say",
        method="POST",
        path=f"{API}/chat",
        access=Access.VIEWER,
        handler=say,
        summary="Say something to the assistant",
    ),
    Operation(
        name="chat.list",
        method="GET",
        path=f"{API}/chats",
        access=Access.VIEWER,
        handler=conversations,
        summary="Return your conversations",
        query=frozenset({"limit", "cursor"}),
    ),
    Operation(
        name="chat.get",
        method="GET",
        path=f"{API}/chat/{{id}}",
        access=Access.VIEWER,
        handler=conversation,
        summary="Return a conversation",
    ),
    Operation(
        name="chat.forget",
        method="DELETE",
        path=f"{API}/chat/{{id}}",
        access=Access.VIEWER,
        handler=forget,
        summary="Delete a conversation",
    ),
    Operation(
        name="chat.stop",
        method="POST",
        path=f"{API}/chat/{{id}}/stop",
        access=Access.VIEWER,
        handler=stop,
        summary="Stop the answer under way",
    ),
)
