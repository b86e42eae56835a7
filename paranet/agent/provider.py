"""A language model behind any OpenAI-compatible endpoint: streaming, tools, JSON-schema output. The extra `llm` brings the client."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Protocol, TypeVar

import attrs
import orjson

from paranet.agent.tools import schema
from paranet.codec import structure
from paranet.errors import InvalidInput

log = logging.getLogger(__name__)

T = TypeVar("T")
RETRIES = 2
_NONSENSE = (ValueError, LookupError, TypeError, AttributeError, OSError)
"""what reading an answer raises that has another shape than promised"""
MAX_ARGUMENTS = 64_000
"""characters of the arguments of one tool call"""


class ModelFailed(Exception):
    """The model did not help; the text says why, for people."""


@attrs.frozen
class Delta:
    """A piece of text."""

    text: str


@attrs.frozen
class ToolCall:
    """The model wants a tool; *arguments* are JSON text as it wrote them."""

    id: str
    name: str
    arguments: str


@attrs.frozen
class Usage:
    """What an answer cost, in tokens."""

    prompt: int
    completion: int


Part = Delta | ToolCall | Usage
Chat = Sequence[Mapping[str, Any]]


class Model(Protocol):
    """What answers."""

    def stream(self, messages: Chat, tools: Sequence[Mapping[str, Any]] = ()) -> AsyncGenerator[Part, None]:
        """Yield the answer as it comes; whole tool calls at its end. Raise ModelFailed."""

    async def structured(self, messages: Chat, cls: type[T]) -> T:
        """Return an answer as an attrs class. Raise ModelFailed."""


class OpenAIModel:
    """One endpoint and model. Silence for longer than *timeout* (s) is a failure; refusals that pass (429, 5xx) are tried again.

    *headers* go with every request, as what says on whose behalf it is.
    """

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        key: str | None,
        timeout: float,
        max_tokens: int,
        headers: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        try:
            import openai
        except ImportError:
            raise ModelFailed("the package openai is not installed: pip install 'paranet-hub[llm]'") from None
        self._faults: tuple[type[Exception], ...] = (openai.OpenAIError, *_transport_faults(), *_NONSENSE)
        self._client = openai.AsyncOpenAI(base_url=base_url, api_key=key or "none", timeout=timeout, max_retries=RETRIES)
        completions: Any = self._client.chat.completions  # its overloads are about its own classes; here all is plain JSON
        self._create = completions.create
        self._streamed = completions.with_streaming_response.create
        self._headers = headers
        self._model = model
        self._timeout = timeout
        self._max_tokens = max_tokens

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def stream(self, messages: Chat, tools: Sequence[Mapping[str, Any]] = ()) -> AsyncGenerator[Part, None]:
        """Yield the answer as it comes; whole tool calls at its end. Raise ModelFailed."""
        asked: dict[str, Any] = {"tools": list(tools)} if tools else {}
        calls: dict[int, dict[str, str]] = {}
        ended = None
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(self._timeout * (RETRIES + 1)):
                    answer = self._streamed(
                        model=self._model,
                        messages=list(messages),
                        max_tokens=self._max_tokens,
                        stream=True,
                        stream_options={"include_usage": True},
                        extra_headers=self._headers(),
                        **asked,
                    )
                    lines = aiter((await stack.enter_async_context(answer)).iter_lines())
                while True:
                    async with asyncio.timeout(self._timeout):
                        line = await anext(lines, None)
                    if line is None:
                        break
                    chunk = _chunk(line)
                    if usage := chunk.get("usage"):
                        yield Usage(usage["prompt_tokens"], usage["completion_tokens"])
                    for choice in chunk.get("choices", ())[:1]:
                        ended = choice.get("finish_reason") or ended
                        delta = choice.get("delta") or {}
                        _gather(calls, delta.get("tool_calls") or ())
                        if delta.get("content"):
                            yield Delta(delta["content"])
        except TimeoutError:
            raise ModelFailed(f"silent for {self._timeout:g} s") from None
        except self._faults as error:
            raise ModelFailed(_reason(error)) from error
        if ended is None:
            raise ModelFailed("the answer broke off")
        for index in sorted(calls):
            yield _whole(calls[index])

    async def structured(self, messages: Chat, cls: type[T]) -> T:
        """Return an answer as an attrs class, by JSON schema. Raise ModelFailed."""
        wanted = {"type": "json_schema", "json_schema": {"name": cls.__name__.lower(), "schema": schema(cls), "strict": True}}
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._create(
                    model=self._model,
                    messages=list(messages),
                    max_tokens=self._max_tokens,
                    response_format=wanted,
                    extra_headers=self._headers(),
                )
            return structure(json.loads(answer.choices[0].message.content or ""), cls)
        except InvalidInput as error:
            raise ModelFailed(_reason(error)) from error
        except TimeoutError:
            raise ModelFailed(f"silent for {self._timeout:g} s") from None
        except self._faults as error:
            raise ModelFailed(_reason(error)) from error


def _transport_faults() -> tuple[type[Exception], ...]:
    """Return the base errors of the HTTP library that the installed client stands on: they come bare out of a stream that breaks."""
    found: list[type[Exception]] = []
    for name in ("httpx", "httpx2"):
        try:
            found.append(__import__(name).HTTPError)
        except (ImportError, AttributeError):
            log.debug("%s is not what the client uses", name)
    return tuple(found)


def _reason(error: BaseException) -> str:
    status = getattr(error, "status_code", None)
    text = " ".join(str(error).split())[:200]
    return f"HTTP {status}" if status else f"{type(error).__name__}: {text}" if text else type(error).__name__


def _chunk(line: str) -> Mapping[str, Any]:
    """Return the event that a line of the stream carries, empty for none.

    Making objects of the client's classes instead would cost more than all the rest of a token's way.
    """
    field, _, text = line.partition(":")
    if field != "data" or text.strip() in ("", "[DONE]"):
        return {}
    chunk: dict[str, Any] = orjson.loads(text)
    if chunk.get("error"):
        raise ModelFailed(f"it says: {str(chunk['error'])[:200]}")
    return chunk


def _gather(calls: dict[int, dict[str, str]], pieces: Sequence[Any]) -> None:
    for piece in pieces:
        call = calls.setdefault(piece["index"], {"id": "", "name": "", "arguments": ""})
        call["id"] = piece.get("id") or call["id"]
        function = piece.get("function") or {}
        call["name"] += function.get("name") or ""
        call["arguments"] += function.get("arguments") or ""
        if len(call["arguments"]) > MAX_ARGUMENTS or len(calls) > 64:
            raise ModelFailed("it asks for more than any tool takes")


def _whole(call: Mapping[str, str]) -> ToolCall:
    """Return a tool call whose arguments are an object. Raise ModelFailed for half of one."""
    try:
        arguments = json.loads(call["arguments"] or "{}")
    except ValueError:
        arguments = None
    if not call["name"] or not isinstance(arguments, dict):
        raise ModelFailed("half a tool call")
    return ToolCall(call["id"], call["name"], call["arguments"] or "{}")
