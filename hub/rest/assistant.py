"""The assistant: understand a sentence; hold a conversation."""

from typing import Any

import attrs

from actors.assistant import Parse
from hub.operations import Access, Call, Operation, Reply
from paranet.agent.phrases import MAX_TEXT, Understanding
from paranet.codec import unstructure
from paranet.errors import InvalidInput

API = "/api/v1/intent"
ASK = 15.0
LANGUAGES = ("en", "zh")


@attrs.frozen(kw_only=True)
class Sentence:
    """Body of POST /intent/parse."""

    text: str
    language: str | None = None


async def parse(call: Call) -> Reply:
    """Understand a sentence without a model: language source, or the questions that must be answered first."""
    body = call.read(Sentence)
    _check(body.text, "text")
    if body.language is not None and body.language not in LANGUAGES:
        raise InvalidInput(f"language: must be one of {', '.join(LANGUAGES)}, not {body.language[:20]!r}")
    found = await call.house.system.ref("assistant").ask(Parse(text=body.text, language=body.language), timeout=ASK)
    return Reply(body=understood(found))


def understood(found: Understanding) -> dict[str, Any]:
    """Return an understanding as it is written on the wire."""
    body: dict[str, Any] = unstructure(found)
    del body["looks_back"]
    return body


def _check(text: str, field: str) -> None:
    if not text.strip():
        raise InvalidInput(f"{field}: must not be empty")
    if len(text) > MAX_TEXT:
        raise InvalidInput(f"{field}: must be at most {MAX_TEXT} characters")


OPERATIONS = (
    Operation(
        name="intent.parse",
        method="POST",
        path=f"{API}/parse",
        access=Access.VIEWER,
        handler=parse,
        summary="Understand a sentence",
    ),
)
