"""Who may do what: every operation, socket and page x every role and every token that is none, walked through every door."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp
import pytest

from hub.house import House
from hub.operations import Access, Operation
from hub.rest import OPERATIONS
from hub.web.views import SIGNED_IN
from hub.ws import endpoint
from tests.hub.api import Api, Client, sign_in
from tests.hub.sockets import WITHIN, Socket, connected
from tests.hub.staff import ROLES
from tests.hub.test_roles import BAD_TOKENS, Headers, bearer, forged, status_of

NAMES = ("id", "path", "revision")
UNAUTHENTICATED, FORBIDDEN = 401, 403


async def revoked(_house: House, client: Client) -> Headers:
    """A token that its user gave up."""
    api = await sign_in(client, "admin")
    assert (await api.call("POST", "/auth/logout"))[0] == 204
    return api.headers


async def of_a_deleted_user(_house: House, client: Client) -> Headers:
    """A token whose user is gone."""
    admin = await sign_in(client, "admin")
    await admin.call("PUT", "/auth/users/id-of-operator", json={"role": "admin"})
    api = await sign_in(client, "operator")
    assert (await admin.call("DELETE", "/auth/users/id-of-operator"))[0] == 204
    return api.headers


async def taken_back(_house: House, client: Client) -> Headers:
    """A machine's token that its owner removed."""
    admin = await sign_in(client, "admin")
    _, body, _ = await admin.call("POST", "/auth/tokens", json={"name": "probe", "scopes": ["*"]})
    assert (await admin.call("DELETE", f"/auth/tokens/{body['id']}"))[0] == 204
    return bearer(body["token"])


async def of_an_ended_session(_house: House, client: Client) -> Headers:
    """A token of a session whose refresh token was used twice."""
    async with client.post("/api/v1/auth/login", json={"username": "admin", "password": "correct horse battery"}) as response:
        session: dict[str, Any] = await response.json()
    for _ in range(2):
        await (await client.post("/api/v1/auth/refresh", json={"refresh_token": session["refresh_token"]})).read()
    return bearer(session["access_token"])


def from_birth(make: Callable[[House], Headers]) -> "Make":
    """Return the maker of a token that was never good."""

    async def made(house: House, _: Client) -> Headers:
        return make(house)

    return made


Make = Callable[[House, Client], Awaitable[Headers]]
ENDED: Mapping[str, Make] = {
    "revoked": revoked,
    "of a deleted user": of_a_deleted_user,
    "taken back": taken_back,
    "of an ended session": of_an_ended_session,
}
BAD: Mapping[str, Make] = {**{kind: from_birth(make) for kind, make in BAD_TOKENS.items()}, **ENDED}


def expected(operation: Operation, role: str | None) -> int | None:
    """Return the status of a refusal by the table, None where the door lets in."""
    if role is None:
        return UNAUTHENTICATED
    return FORBIDDEN if operation.access > Access[role.upper()] else None


@pytest.mark.parametrize("kind", [*BAD, *ROLES])
async def test_the_table_decides_at_every_door(house: House, anonymous: Client, kind: str) -> None:
    """REST, HEAD and `ask` alike refuse with 401 what has no good token, with 403 what its role may not, and nothing else by either."""
    role = kind if kind in ROLES else None
    headers = await BAD[kind](house, anonymous) if role is None else bearer(forged(house, sub=f"id-of-{role}", jti="socket"))
    wrong = []
    async with aiohttp.ClientSession(anonymous.make_url("/")) as session:
        asked = await (_asked_by_nobody(session, headers) if role is None else _asked(Api(anonymous, headers["Authorization"][7:])))
    for operation in (o for o in OPERATIONS if o.access):
        mine = headers if role is None else bearer(forged(house, sub=f"id-of-{role}", jti=operation.name))
        over_rest = await status_of(anonymous, operation, mine)
        found = {"rest": over_rest, "ask": asked[operation.name]}
        if operation.method == "GET":
            found["head"] = await status_of(anonymous, operation, mine, "HEAD")
        for door, status in found.items():
            refusal = status if status in (UNAUTHENTICATED, FORBIDDEN) else None
            if refusal != expected(operation, role):
                wrong.append((operation.name, door, status))
    assert wrong == []


async def _asked(api: Api) -> dict[str, int]:
    """Return the status of every operation, asked over one socket about things that do not exist."""
    found = {}
    async with connected(api) as socket:
        for number, operation in enumerate((o for o in OPERATIONS if o.access), 1):
            params = {name: "nothing" for name in NAMES if f"{{{name}" in operation.path}
            await socket.say(type="ask", id=number, method=operation.name, params=params)
            found[operation.name] = await _answered(socket, number)
    return found


async def _answered(socket: Socket, number: int) -> int:
    while True:
        frame = json.loads((await socket.ws.receive(timeout=WITHIN)).data)
        if frame.get("id") == number:
            return int(frame["error"]["status"] if frame["type"] == "error" else frame["status"])


async def _asked_by_nobody(session: aiohttp.ClientSession, headers: Headers) -> dict[str, int]:
    """Return the status of every operation, asked without a good token: as the first frame, or not at all where there is no socket."""
    found = {}
    for operation in (o for o in OPERATIONS if o.access):
        try:
            async with session.ws_connect("/ws", headers=headers) as ws:
                await ws.send_str(json.dumps({"type": "ask", "id": 1, "method": operation.name, "params": {}}))
                frame = await ws.receive_json(timeout=WITHIN)
                assert (await ws.receive(timeout=WITHIN)).type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.CLOSE)
                found[operation.name] = int(frame["error"]["status"])
        except aiohttp.WSServerHandshakeError as refused:
            found[operation.name] = refused.status
    return found


@pytest.mark.parametrize("kind", BAD)
async def test_no_socket_and_no_page_opens_without_a_good_token(house: House, anonymous: Client, kind: str) -> None:
    """An upgrade is answered 401, a token said in `hello` by the same refusal, a page by the way to sign in."""
    headers = await BAD[kind](house, anonymous)
    for path, _ in endpoint.ROUTES:
        if path != "/ws" or headers:
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await anonymous.ws_connect(path.replace("{id}", "1"), headers=headers)
            assert (path, caught.value.status) == (path, UNAUTHENTICATED)
    async with anonymous.ws_connect("/ws") as ws:
        await ws.send_str(json.dumps({"type": "hello", "token": headers.get("Authorization", "").removeprefix("Bearer ")}))
        assert (await ws.receive_json(timeout=WITHIN))["error"]["code"] == "unauthenticated"
    for page in SIGNED_IN:
        async with anonymous.get(page.path, headers=headers, allow_redirects=False) as response:
            assert (page.path, response.status, response.headers["Location"]) == (page.path, 303, "/login")


@pytest.mark.parametrize("role", ROLES)
async def test_a_page_is_for_its_role(house: House, anonymous: Client, role: str) -> None:
    """Whoever may not see it is sent to the network."""
    headers = bearer(forged(house, sub=f"id-of-{role}"))
    for page in SIGNED_IN:
        async with anonymous.get(page.path, headers=headers, allow_redirects=False) as response:
            allowed = Access[role.upper()] >= page.role
            assert (page.path, response.status) == (page.path, 200 if allowed else 303)


@pytest.mark.parametrize("kind", ["revoked", "of a deleted user", "taken back"])
async def test_a_token_that_ends_takes_its_open_socket_along(house: House, anonymous: Client, kind: str) -> None:
    """What is asked after it was revoked is not answered: the socket is closed."""
    admin = await sign_in(anonymous, "admin")
    _, user, _ = await admin.call("POST", "/auth/users", json={"username": "anna", "password": "a password of hers", "role": "admin"})
    async with anonymous.post("/api/v1/auth/login", json={"username": "anna", "password": "a password of hers"}) as response:
        anna = Api(anonymous, (await response.json())["access_token"])
    _, token, _ = await anna.call("POST", "/auth/tokens", json={"name": "probe", "scopes": ["*"]})
    caller = Api(anonymous, token["token"]) if kind == "taken back" else anna
    async with connected(caller) as socket:
        ending = {
            "revoked": ("POST", "/auth/logout"),
            "of a deleted user": ("DELETE", f"/auth/users/{user['id']}"),
            "taken back": ("DELETE", f"/auth/tokens/{token['id']}"),
        }[kind]
        assert (await (admin if kind == "of a deleted user" else anna).call(*ending))[0] == 204
        await socket.say(type="ask", id=9, method="topology.nodes.add", params={"body": {"id": "r1"}})
        assert await socket.closed() == 4500
    assert (await admin.call("GET", "/topology"))[1]["nodes"] == []
