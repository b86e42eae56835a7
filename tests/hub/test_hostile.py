"""Clients that mean harm: smuggled requests, floods of headers, slow senders, forged tokens, guessing by the clock."""

import asyncio
import hashlib
import hmac
import time
from base64 import urlsafe_b64encode

import argon2
import attrs
import jwt
import orjson
import pytest

from hub.auth import ISSUER, signing_key
from hub.house import House
from hub.settings import Settings
from tests.hub.api import Api, Client, sign_in
from tests.hub.houses import opened
from tests.hub.sockets import connected

GET = b"GET /api/v1/auth/me HTTP/1.1\r\nHost: hub\r\n"
POST = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\n"
HIDDEN = b"GET /healthz HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n"
SMUGGLED = {
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN,
    "length and chunks": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "a length with a sign": POST + b"Content-Length: +2\r\n\r\n{}" + HIDDEN,
    "an unknown coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "a space before the colon": POST + b"Content-Length : 2\r\n\r\n{}" + HIDDEN,
    "a folded header": POST + b"X: a\r\n Content-Length: 2\r\n\r\n" + HIDDEN,
    "a bare line feed in a header": GET + b"X: a\nTransfer-Encoding: chunked\r\n\r\n" + HIDDEN,
    "a null byte": GET + b"X: a\x00b\r\n\r\n" + HIDDEN,
}


async def exchange(client: Client, raw: bytes, within: float = 5.0) -> bytes:
    """Send bytes; return what comes back until the hub closes; one that keeps the connection has answered *within* so many seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(raw)
    answer = b""
    try:
        async with asyncio.timeout(within):
            while chunk := await reader.read(2**16):
                answer += chunk
    except TimeoutError:
        assert answer, "the hub neither answers nor closes"
    except ConnectionResetError:
        return answer
    finally:
        writer.close()
    return answer


@pytest.mark.parametrize("kind", SMUGGLED)
async def test_a_request_cannot_be_hidden_in_another(anonymous: Client, kind: str) -> None:
    """What two servers could read in two ways is refused, and what comes behind it is not answered (RFC 9112, 11.2)."""
    answer = await exchange(anonymous, SMUGGLED[kind])
    assert answer.split(b"\r\n")[0].split()[1:2] == [b"400"]
    assert b'"version"' not in answer


@pytest.mark.parametrize(
    "raw",
    [
        GET + b"".join(b"X-%d: %s\r\n" % (i, b"a" * 100) for i in range(20_000)) + b"\r\n",
        GET + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: hub\r\n\r\n",
    ],
    ids=["many", "long", "address"],
)
async def test_a_flood_of_headers_is_cut_off(anonymous: Client, raw: bytes) -> None:
    """400 or a closed connection, and the hub goes on."""
    answer = await exchange(anonymous, raw)
    assert answer == b"" or b" 400 " in answer.split(b"\r\n")[0] or b" 431 " in answer.split(b"\r\n")[0]
    async with anonymous.get("/healthz") as response:
        assert response.status == 200


async def test_a_body_that_does_not_come_is_not_waited_for(anonymous: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client is told, others are served meanwhile."""
    monkeypatch.setattr("hub.app.BODY_WITHIN", 0.2)
    slow = asyncio.create_task(exchange(anonymous, POST + b'Content-Length: 100\r\nConnection: close\r\n\r\n{"us'))
    async with anonymous.get("/healthz") as response:
        assert response.status == 200
    assert b" 400 " in (await slow).split(b"\r\n")[0]


@pytest.mark.parametrize("path", ["/%0d%0aX-Evil: 1", "/api/v1/topology/nodes/%0d%0aX-Evil:%201", "/login?next=%0d%0aX-Evil:1"])
async def test_a_line_break_in_an_address_makes_no_header(operator: Api, path: str) -> None:
    """CRLF stays what it is: text."""
    answer = await exchange(operator.http, f"GET {path} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n".encode())
    head = answer.partition(b"\r\n\r\n")[0].lower()
    assert head.startswith(b"http/1.")
    assert not any(line.startswith(b"x-evil") for line in head.split(b"\r\n"))


@pytest.mark.parametrize("name", ["X-Request-Id", "Origin", "If-None-Match"])
async def test_what_a_client_says_comes_back_in_no_header(anonymous: Client, name: str) -> None:
    """Only plain request ids are repeated."""
    async with anonymous.get("/api/v1/auth/me", headers={name: "<script>evil</script>"}) as response:
        assert "evil" not in str(response.headers)


NONSENSE = {
    "no file name": (b"GET /static/%00 HTTP/1.1\r\nHost: hub\r\n", 404),
    "a long file name": (b"GET /static/" + b"a" * 5000 + b" HTTP/1.1\r\nHost: hub\r\n", 404),
    "a token of bytes": (GET + b"Authorization: Bearer \xff\xfe.\xc3\xa9.x\r\n", 401),
    "a machine's token of bytes": (GET + b"Authorization: Bearer pnt_\xff\r\n", 401),
    "a cookie of bytes": (GET + b"Cookie: paranet_access=\xff\xfe.a.b\r\n", 401),
    "a refresh cookie of bytes": (
        b"POST /api/v1/auth/refresh HTTP/1.1\r\nHost: hub\r\nContent-Length: 0\r\nCookie: paranet_refresh=\xff\xfe.a.b\r\n",
        401,
    ),
    "an origin that is none": (POST + b"Content-Length: 2\r\nCookie: a=b\r\nOrigin: http://[::1\r\n", 403),
    "a key of bytes": (
        b"GET /ws HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: \xff\r\n",
        400,
    ),
    "an entity tag of bytes": (GET + b'If-None-Match: "\xff\r\n', 401),
    "a language of bytes": (b"GET /login HTTP/1.1\r\nHost: hub\r\nAccept-Language: zh;q=nan,\xff;q=1e999\r\n", 200),
}


async def test_nonsense_in_a_header_is_no_fault_of_the_hub(anonymous: Client, caplog: pytest.LogCaptureFixture) -> None:
    """It is refused, or means nothing; the log holds no trace of it."""
    found = {}
    for name, (raw, status) in NONSENSE.items():
        end = b"Connection: Upgrade\r\n\r\n" if b"Upgrade" in raw else b"Connection: close\r\n\r\n"
        answer = await exchange(
            anonymous, raw + end + (b"{}" if b"Content-Length: 2" in raw else b""), within=2 if b"Upgrade" in raw else 5
        )
        if (given := int(answer.split()[1])) != status:
            found[name] = given
    assert found == {}
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("depth", [70, 300, 900, 1100])
async def test_a_question_over_a_socket_is_not_too_deep(operator: Api, depth: int) -> None:
    """What can be read but not written any more is refused like the rest, and the socket stays."""
    body = f'{{"id":"a","properties":{{"a":{"[" * depth}{"]" * depth}}}}}'
    async with connected(operator) as socket:
        await socket.ws.send_str(f'{{"type":"ask","id":1,"method":"topology.nodes.add","params":{{"body":{body}}}}}')
        assert (await socket.hear("error"))["error"]["code"] == "invalid"
        await socket.say(type="ask", id=2, method="topology.get", params={})
        assert (await socket.hear("ok"))["body"]["nodes"] == []


async def test_a_row_is_not_too_deep_to_be_shown(square: Api) -> None:
    """Whoever meddles with a device cannot put on it what nobody could read."""
    value: object = "x"
    for _ in range(200):
        value = [value]
    row = {"family": "ip.route", "key": "10.0.0.0/8", "value": {"a": value}}
    assert (await square.call("PUT", "/lab/nodes/r1/rows", json=row))[0] == 400
    assert (await square.call("GET", "/deploy/devices/r1/rows"))[0] == 200


# -- tokens


def _part(value: object) -> str:
    return urlsafe_b64encode(orjson.dumps(value)).decode().rstrip("=")


def _claims() -> dict[str, object]:
    return {"iss": ISSUER, "sub": "id-of-admin", "use": "access", "exp": int(time.time()) + 900, "jti": "1"}


def _by_hand(head: dict[str, object], key: bytes) -> str:
    text = f"{_part(head)}.{_part(_claims())}"
    return f"{text}.{urlsafe_b64encode(hmac.digest(key, text.encode(), 'sha256')).decode().rstrip('=')}"


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "HS384", "HS512", "RS256", "ES256", "", None, 1, ["HS256"]])
async def test_the_algorithm_of_a_token_is_not_its_own_choice(house: House, anonymous: Client, algorithm: object) -> None:
    """Whatever its head says, also when it is signed with the right key (RFC 8725, 3.1)."""
    key = signing_key(house.settings.server.data_dir)
    heads = [_by_hand({"alg": algorithm, "typ": "JWT"}, key), f"{_part({'alg': algorithm})}.{_part(_claims())}."]
    if algorithm in ("HS384", "HS512"):
        heads.append(jwt.encode(_claims(), key + key, algorithm=str(algorithm)))
    for token in heads:
        async with anonymous.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"}) as response:
            assert response.status == 401


KEYS: tuple[dict[str, object], ...] = (
    {"kid": "../../signing.key"},
    {"jku": "http://evil.example"},
    {"jwk": {"kty": "oct", "k": "eA"}},
    {"b64": False},
)


@pytest.mark.parametrize("more", KEYS)
async def test_a_token_does_not_bring_its_own_key(anonymous: Client, more: dict[str, object]) -> None:
    """Headers that name a key are not followed."""
    token = _by_hand({"alg": "HS256", "typ": "JWT", **more}, b"x")
    async with anonymous.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"}) as response:
        assert response.status == 401


async def test_a_digest_is_no_token(house: House, admin: Api) -> None:
    """Who has read the database cannot sign in with what is there."""
    await admin.call("POST", "/auth/tokens", json={"name": "probe", "scopes": ["*"]})
    ((digest,),) = await house.control.fetch("SELECT digest FROM api_token")
    for token in (f"pnt_{digest!s}", str(digest)):
        assert (await Api(admin.http, token).call("GET", "/auth/me"))[0] == 401
    assert len(str(digest)) == hashlib.sha256().digest_size * 2


async def test_the_clock_does_not_tell_who_has_an_account(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong password takes as long for a name that is known as for one that is not."""
    hasher = argon2.PasswordHasher(time_cost=2, memory_cost=8192, parallelism=1)
    monkeypatch.setattr("actors.accounts.argon2.PasswordHasher", lambda **_: hasher)
    monkeypatch.setattr("actors.people.Failures.FREE", 10_000)
    times: dict[str, list[float]] = {"anna": [], "nobody": []}
    async with opened(settings) as (_, client):
        admin = await sign_in(client, "admin")
        await admin.call("POST", "/auth/users", json={"username": "anna", "password": "a password of hers", "role": "viewer"})
        for _ in range(15):
            for name, found in times.items():
                began = time.perf_counter()
                async with client.post("/api/v1/auth/login", json={"username": name, "password": "a wrong guess"}) as response:
                    assert response.status == 401
                found.append(time.perf_counter() - began)
    known, unknown = (min(found) for found in times.values())  # what the work takes, whatever else the machine does
    assert 0.5 < known / unknown < 2.0


# -- what files and settings must not give away


async def test_the_hub_shows_no_secret_of_redis(settings: Settings) -> None:
    """A password in redis.url is neither printed nor told to whoever asks how the hub is."""
    url = "redis://:geheim@127.0.0.1:1/0"
    secret = attrs.evolve(settings, redis=attrs.evolve(settings.redis, url=url))
    assert "geheim" not in repr(secret)
    async with opened(secret) as (_, client), client.get("/readyz") as response:
        text = await response.text()
    assert "redis" in text
    assert "geheim" not in text
