"""Answers whose heads are ours: they say what aiohttp's would, and aiohttp goes on as after its own (docs/adr/0009)."""

import asyncio
from collections.abc import Awaitable, Callable

import attrs
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from hub.answers import TOGETHER, Answer, Manners
from hub.keys import Trail
from hub.operations import Reply
from hub.settings import Settings
from tests.hub.api import Api, Client, sign_in
from tests.hub.houses import opened

APP = "https://app.example"
OWN = {"content-type", "content-length", "etag", "cache-control", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"}
CHANGING = {"date", "x-request-id"}
COUNTING = {b"date", b"x-request-id", b"ratelimit-remaining", b"ratelimit-reset", b"content-security-policy"}
"""what differs between two answers to the same request"""


@pytest.mark.parametrize("origins", ["", APP])
async def test_an_operation_says_what_every_answer_says(settings: Settings, origins: str) -> None:
    """Each header once, with the values that aiohttp's answers get from the signal; with other sites let in and without."""
    async with opened(attrs.evolve(settings, server=attrs.evolve(settings.server, origins=origins))) as (_, client):
        viewer = await sign_in(client, "viewer")
        heads = []
        for path in ("/api/v1/topology", "/openapi.json"):
            async with client.get(path, headers={**viewer.headers, "Origin": APP}) as response:
                assert response.status == 200
                assert len(response.headers) == len(set(response.headers))
                head = {name.lower(): value for name, value in response.headers.items()}
                heads.append({name: "" if name in CHANGING else value for name, value in head.items() if name not in OWN})
        assert heads[0] == heads[1]
        assert ("access-control-allow-origin" in heads[0]) is bool(origins)


async def exchange(client: Client, requests: bytes, *, answers: int) -> tuple[list[bytes], bytes]:
    """Send bytes; return the heads of so many answers, and what comes after them until the hub closes."""
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(requests)
        heads = []
        for _ in range(answers):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:"))
            await reader.readexactly(length)
            heads.append(head)
        writer.write_eof()
        rest = await reader.read()
        writer.close()
        await writer.wait_closed()
    return heads, rest


@pytest.mark.parametrize(
    ("version", "wish", "line", "said"),
    [
        ("1.1", "", b"HTTP/1.1 200 OK", None),
        ("1.1", "Connection: close\r\n", b"HTTP/1.1 200 OK", b"Connection: close"),
        ("1.0", "", b"HTTP/1.0 200 OK", None),
        ("1.0", "Connection: keep-alive\r\n", b"HTTP/1.0 200 OK", b"Connection: keep-alive"),
    ],
)
async def test_a_connection_stays_as_the_client_wishes(viewer: Api, version: str, wish: str, line: bytes, said: bytes | None) -> None:
    """HTTP/1.1 stays unless told otherwise, HTTP/1.0 the other way round (RFC 9112, 9.3); the answer says what is not usual."""
    ask = f"GET /api/v1/auth/me HTTP/{version}\r\nHost: x\r\nAuthorization: {viewer.headers['Authorization']}\r\n{wish}\r\n".encode()
    stays = said == b"Connection: keep-alive" or (version == "1.1" and said is None)
    times = 2 if stays else 1
    heads, rest = await exchange(viewer.http, ask * times, answers=times)
    assert rest == b""
    for head in heads:
        lines = head.split(b"\r\n")
        assert lines[0] == line
        assert [found for found in lines if found.startswith(b"Connection")] == ([said] if said else [])


async def test_requests_sent_together_are_answered_in_turn(viewer: Api) -> None:
    """Pipelining (RFC 9112, 9.3.2), twenty at once, each with its own id."""
    token = viewer.headers["Authorization"]
    asks = [f"GET /api/v1/auth/me HTTP/1.1\r\nHost: x\r\nX-Request-Id: r{n}\r\nAuthorization: {token}\r\n\r\n" for n in range(20)]
    heads, _ = await exchange(viewer.http, "".join(asks).encode(), answers=20)
    assert [next(line for line in head.split(b"\r\n") if line.startswith(b"X-Request-Id")) for head in heads] == [
        f"X-Request-Id: r{n}".encode() for n in range(20)
    ]


async def test_a_head_is_that_of_the_answer_to_get(viewer: Api) -> None:
    """HEAD says what GET would, without a body (RFC 9110, 9.3.2), of what is there and of what is not; the connection goes on."""
    paths = ("/api/v1/auth/me", "/api/v1/topology", "/api/v1/topology/nodes/nothing", "/openapi.json", "/healthz", "/login", "/nowhere")
    for path in paths:
        about = f"HTTP/1.1\r\nHost: x\r\nAuthorization: {viewer.headers['Authorization']}\r\n\r\n"
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection("127.0.0.1", viewer.http.port)
            writer.write(f"HEAD {path} {about}HEAD {path} {about}".encode())
            heads = [await reader.readuntil(b"\r\n\r\n") for _ in range(2)]
            writer.write_eof()
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()
        (whole,), _ = await exchange(viewer.http, f"GET {path} {about}".encode(), answers=1)
        assert [_named(head) for head in heads] == [_named(whole)] * 2


def _named(head: bytes) -> list[bytes]:
    """Return the lines that are the same each time."""
    return [line for line in head.split(b"\r\n") if line.partition(b":")[0].lower() not in COUNTING]


def answered(reply: Reply) -> Answer:
    """Return the answer of a hub without other sites to a plain request."""
    request = make_mocked_request("GET", "/api/v1/x")
    return Manners(frozenset()).answer(reply, request, Trail("r1", "127.0.0.1", secure=False))


VALUE = "a\r\nSet-Cookie: b"


@pytest.mark.parametrize("reply", [Reply(body={}, location=VALUE), Reply(body={}, headers={"Link": VALUE})], ids=["location", "link"])
def test_a_value_cannot_begin_a_line_of_its_own(reply: Reply) -> None:
    """No header is smuggled in by an id or a name that holds a line's end."""
    with pytest.raises(ValueError, match="control characters"):
        answered(reply)


# -- what we rely on in aiohttp

Served = Callable[[Answer], Awaitable[Client]]


@pytest.fixture
def served(aiohttp_client: Callable[..., Awaitable[Client]]) -> Served:
    """Return what makes a server of aiohttp's, without a house, that always gives the same answer."""

    async def serve(answer: Answer) -> Client:
        async def handler(_request: web.Request) -> web.StreamResponse:
            return answer

        app = web.Application()
        app.router.add_get("/", handler)
        return await aiohttp_client(app)

    return serve


@pytest.mark.parametrize("size", [0, 1, TOGETHER, TOGETHER + 1, 2**22])
async def test_what_is_written_arrives_as_it_is(served: Served, size: int) -> None:
    """In one write or in two, nothing is added and nothing is missing; the connection stays."""
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    client = await served(answered(Reply(raw=body)))
    for _ in range(2):
        async with client.get("/") as response:
            assert await response.read() == body
            assert response.headers["X-Request-Id"] == "r1"


async def test_a_client_that_has_gone_ends_the_answer() -> None:
    """With ConnectionResetError, which aiohttp takes for what it is."""
    request = make_mocked_request("GET", "/")
    gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    gone.set_exception(ConnectionResetError("the client has gone"))
    request.writer.write_eof.side_effect = lambda _data: gone  # type: ignore[attr-defined]  # a mock, by make_mocked_request
    with pytest.raises(ConnectionResetError):
        await answered(Reply(raw=b"x")).prepare(request)
