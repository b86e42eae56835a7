"""Who may do what, over REST and over a socket alike: every operation, every role, every token that is good no more."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from hub.house import House
from hub.operations import Access, Operation
from hub.rest import OPERATIONS
from tests.hub.api import Api, Client, sign_in
from tests.hub.sockets import WITHIN, Socket, connected
from tests.hub.staff import ROLES
from tests.hub.test_roles import status_of

NAMES = ("id", "path", "revision")


async def revoked(client: Client) -> Api:
    """A token that its user gave up."""
    api = await sign_in(client, "admin")
    assert (await api.call("POST", "/auth/logout"))[0] == 204
    return api


async def of_nobody(client: Client) -> Api:
    """A token whose user is gone."""
    admin = await sign_in(client, "admin")
    await admin.call("PUT", "/auth/users/id-of-operator", json={"role": "admin"})
    api = await sign_in(client, "operator")
    assert (await admin.call("DELETE", "/auth/users/id-of-operator"))[0] == 204
    return api


async def taken_back(client: Client) -> Api:
    """A machine's token that its owner removed."""
    admin = await sign_in(client, "admin")
    _, body, _ = await admin.call("POST", "/auth/tokens", json={"name": "probe", "scopes": ["*"]})
    assert (await admin.call("DELETE", f"/auth/tokens/{body['id']}"))[0] == 204
    return Api(client, body["token"])


async def of_an_ended_session(client: Client) -> Api:
    """A token of a session whose refresh token was used twice."""
    async with client.post("/api/v1/auth/login", json={"username": "admin", "password": "correct horse battery"}) as response:
        session: dict[str, Any] = await response.json()
    for _ in range(2):
        await (await client.post("/api/v1/auth/refresh", json={"refresh_token": session["refresh_token"]})).read()
    return Api(client, session["access_token"])


ENDED: Mapping[str, Callable[[Client], Awaitable[Api]]] = {
    "revoked": revoked,
    "of nobody": of_nobody,
    "taken back": taken_back,
    "of an ended session": of_an_ended_session,
}


@pytest.mark.parametrize("kind", ENDED)
async def test_a_token_that_is_good_no_more_opens_nothing(anonymous: Client, kind: str) -> None:
    """401 for every guarded operation."""
    api = await ENDED[kind](anonymous)
    answers = {o.name: await status_of(anonymous, o, api.headers) for o in OPERATIONS if o.access}
    assert {name: status for name, status in answers.items() if status != 401} == {}


@pytest.mark.parametrize("role", ROLES)
async def test_a_socket_grants_what_rest_grants(house: House, anonymous: Client, role: str) -> None:
    """`ask` is refused with 403 below the operation's access, and never otherwise."""
    wrong = []
    async with connected(await sign_in(anonymous, role)) as socket:
        for number, operation in enumerate((o for o in OPERATIONS if o.access), 1):
            await socket.say(type="ask", id=number, method=operation.name, params=parameters(operation))
            status = await answered(socket, number)
            if (status == 403) != (operation.access > Access[role.upper()]):
                wrong.append((operation.name, status))
    assert wrong == []


def parameters(operation: Operation) -> dict[str, str]:
    """Return things that do not exist for what the path names."""
    return {name: "nothing" for name in NAMES if f"{{{name}" in operation.path}


async def answered(socket: Socket, number: int) -> int:
    """Return the status of the answer with that id."""
    while True:
        frame = json.loads((await socket.ws.receive(timeout=WITHIN)).data)
        if frame.get("id") == number:
            return int(frame["error"]["status"] if frame["type"] == "error" else frame["status"])
