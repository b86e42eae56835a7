"""A language model behind any OpenAI-compatible endpoint: streaming, tools, JSON-schema output. The extra `llm` brings the client."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any, Protocol, TypeVar

import attrs

from paranet.agent.events import Events, Unreadable
from paranet.agent.tools import schema
from paranet.codec import structure
from paranet.errors import InvalidInput

log = logging.getLogger(__name__)

T = TypeVar("T")
RETRIES = 2
_NONSENSE = (ValueError, LookupError, TypeError, AttributeError, OSError)
"""what reading an answer raises that has another shape than promised"""
MAX_TEXT = 400_000
"""characters of an answer"""
MAX_ARGUMENTS = 64_000
"""characters of the arguments of one tool call"""
MAX_CALLS = 64
"""tool calls of one answer"""


class ModelFailed(Exception):
    """The model did not help; the text says why, for people. *tokens* is what it had cost by then."""

    tokens = 0


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
    """One endpoint and model. Silence for longer than *timeout* (s) is a failure; refusals that pass (429, 5xx) are tried again meanwhile.

    The client makes the request, over aiohttp: of all ways to have it that costs least. Its check of what is sent walks through every
    message and tool, its objects for what comes would be made for every token; all is plain JSON here, so neither is asked for.

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

            http = openai.DefaultAioHttpClient()
        except (ImportError, AttributeError, RuntimeError):
            raise ModelFailed("the package openai is not installed with aiohttp: pip install 'paranet-hub[llm]'") from None
        self._faults: tuple[type[Exception], ...] = (openai.OpenAIError, *_transport_faults(), *_NONSENSE)
        self._client = openai.AsyncOpenAI(base_url=base_url, api_key=key or "none", timeout=timeout, max_retries=RETRIES, http_client=http)
        completions: Any = self._client.chat.completions  # its overloads are about its own classes
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
        """Yield the answer as it comes, as much at once as has come; whole tool calls at its end. Raise ModelFailed."""
        answer = _Answer()
        try:
            async with self._opened(messages, tools) as pieces:
                async for piece in pieces:
                    if text := answer.take(piece):
                        yield Delta(text)
        except Unreadable as error:
            raise ModelFailed(str(error)) from error
        except self._faults as error:
            raise ModelFailed(self._reason(error)) from error
        for part in answer.end():
            yield part

    @asynccontextmanager
    async def _opened(self, messages: Chat, tools: Sequence[Mapping[str, Any]]) -> AsyncIterator[AsyncIterator[bytes]]:
        """Have an answer begin. The client ends a silence in its middle, but would try again after one at its beginning."""
        asked = {"messages": list(messages), **({"tools": list(tools)} if tools else {})}
        options = {"stream": True, "stream_options": {"include_usage": True}, "max_tokens": self._max_tokens}
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(self._timeout):
                    request = self._streamed(model=self._model, messages=(), extra_body=asked, extra_headers=self._headers(), **options)
                    response = await stack.enter_async_context(request)
            except TimeoutError:
                raise ModelFailed(f"no answer within {self._timeout:g} s") from None
            yield await stack.enter_async_context(aclosing(response.iter_bytes()))

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
            raise ModelFailed(f"its answer has another shape: {error}") from error
        except self._faults as error:
            raise ModelFailed(self._reason(error)) from error

    def _reason(self, error: BaseException) -> str:
        """Return why there is no answer, for people: what was at the bottom of it says most."""
        if status := getattr(error, "status_code", None):
            return f"HTTP {status}"
        root = error
        while not isinstance(root, TimeoutError) and root.__cause__ is not None:
            root = root.__cause__
        if isinstance(root, TimeoutError):
            return f"silent for {self._timeout:g} s"
        text = " ".join((str(root) or str(error)).split())[:200]
        return f"{type(root).__name__}: {text}" if text else type(root).__name__


def _transport_faults() -> tuple[type[Exception], ...]:
    """Return the base errors of the HTTP libraries that the installed client stands on: they come bare out of a stream that breaks."""
    found: list[type[Exception]] = []
    for name, fault in (("aiohttp", "ClientError"), ("httpx", "HTTPError"), ("httpx2", "HTTPError")):
        try:
            found.append(getattr(__import__(name), fault))
        except (ImportError, AttributeError):
            log.debug("%s is not what the client uses", name)
    return tuple(found)


class _Answer:
    """One answer as it is put together."""

    def __init__(self) -> None:
        self._lines = Events()
        self._length = 0
        self._ended = False
        self._usage: list[Usage] = []
        self._calls: dict[int, dict[str, str]] = {}

    def take(self, piece: bytes) -> str:
        """Return the text in what has come."""
        text = ""
        for event in self._lines.feed(piece):
            if usage := event.get("usage"):
                self._usage = [Usage(usage["prompt_tokens"], usage["completion_tokens"])]
            for choice in event.get("choices", ())[:1]:
                self._ended = self._ended or bool(choice.get("finish_reason"))
                delta = choice.get("delta") or {}
                self._gather(delta.get("tool_calls") or ())
                text += delta.get("content") or ""
        self._length += len(text)
        if self._length > MAX_TEXT:
            raise ModelFailed(f"an answer of more than {MAX_TEXT} characters")
        return text

    def _gather(self, pieces: Sequence[Any]) -> None:
        for piece in pieces:
            call = self._calls.setdefault(piece["index"], {"id": "", "name": "", "arguments": ""})
            call["id"] = piece.get("id") or call["id"]
            function = piece.get("function") or {}
            call["name"] += function.get("name") or ""
            call["arguments"] += function.get("arguments") or ""
            if len(call["arguments"]) > MAX_ARGUMENTS or len(self._calls) > MAX_CALLS:
                raise ModelFailed("it asks for more than any tool takes")

    def end(self) -> list[Part]:
        """Return what it cost and the tool calls, whole. Raise ModelFailed when it has not ended as answers do."""
        if not self._ended:
            raise ModelFailed("the answer broke off")
        return [*self._usage, *(_whole(self._calls[index]) for index in sorted(self._calls))]


def _whole(call: Mapping[str, str]) -> ToolCall:
    """Return a tool call whose arguments are an object. Raise ModelFailed for half of one."""
    try:
        arguments = json.loads(call["arguments"] or "{}")
    except ValueError:
        arguments = None
    if not call["name"] or not isinstance(arguments, dict):
        raise ModelFailed("half a tool call")
    return ToolCall(call["id"], call["name"], call["arguments"] or "{}")
