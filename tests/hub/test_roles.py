"""Who may do what: the declared table decides, for every route and for every channel."""

import base64
import json
import re
import time
from collections.abc import Callable, Mapping

import aiohttp
import jwt
import pytest

from hub.app import MACHINES, MACHINES_ACCESS, make_app
from hub.auth import ISSUER, signing_key
from hub.house import House
from hub.operations import Access, Operation
from hub.rest import OPERATIONS
from hub.web import views
from hub.ws import endpoint
from tests.hub.api import Api, Client
from tests.hub.sockets import connected
from tests.hub.staff import PASSWORD

Headers = Mapping[str, str]


def bearer(token: str) -> Headers:
    return {"Authorization": f"Bearer {token}"}


def forged(house: House, **claims: object) -> str:
    """Return a token signed with the hub's own key."""
    key = signing_key(house.settings.server.data_dir)
    body = {"iss": ISSUER, "sub": "id-of-admin", "use": "access", "iat": 0, "exp": int(time.time()) + 900, "jti": "1", **claims}
    return jwt.encode({name: value for name, value in body.items() if value is not None}, key, algorithm="HS256")


def unsigned() -> str:
    """Return an admin's token with `alg: none` (RFC 8725, 2.1)."""

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    claims = {"iss": ISSUER, "sub": "id-of-admin", "use": "access", "exp": int(time.time()) + 900, "jti": "1"}
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."


def stranger() -> str:
    """Return a good admin's token of some other hub."""
    return jwt.encode({"iss": ISSUER, "sub": "id-of-admin", "use": "access", "exp": 1 << 40, "jti": "1"}, b"x" * 32, algorithm="HS256")


async def status_of(client: Client, operation: Operation, headers: Headers, method: str = "") -> int:
    """Return the status of an operation asked without a body about things that do not exist, by its own method or another."""
    path = re.sub(r"\{[^}]*\}", "nothing", operation.path)
    async with client.request(method or operation.method, path, headers=headers) as response:
        if response.status >= 400 and not (operation.name.startswith("prometheus.") and response.status not in (401, 403)):
            assert response.content_type == "application/problem+json"
        return response.status


BAD_TOKENS: Mapping[str, Callable[[House], Headers]] = {
    "none": lambda _: {},
    "nonsense": lambda _: bearer("nonsense"),
    "empty": lambda _: bearer(""),
    "basic": lambda _: {"Authorization": "Basic YWRtaW46YWRtaW4="},
    "expired": lambda house: bearer(forged(house, exp=int(time.time()) - 1)),
    "endless": lambda house: bearer(forged(house, exp=None)),
    "nameless": lambda house: bearer(forged(house, jti=None)),
    "of nobody": lambda house: bearer(forged(house, sub="id-of-nobody")),
    "of another issuer": lambda house: bearer(forged(house, iss="somebody-else")),
    "of the wrong use": lambda house: bearer(forged(house, use="refresh")),
    "of another key": lambda _: bearer(stranger()),
    "unsigned": lambda _: bearer(unsigned()),
}


async def test_the_forger_of_these_tests_makes_tokens_that_are_taken(house: House, anonymous: Client) -> None:
    """A token made here with the right claims is good, so the refusals above are for what is wrong in the others."""
    async with anonymous.get("/api/v1/auth/me", headers=bearer(forged(house))) as response:
        assert (await response.json())["username"] == "admin"


def test_open_operations_are_those_that_sign_in_and_out() -> None:
    """Nothing else of the API is open; logout looks at the tokens itself, since a refresh token is enough."""
    assert {o.name for o in OPERATIONS if not o.access} == {"auth.login", "auth.refresh", "auth.logout"}


def test_every_write_but_signing_out_needs_an_operator() -> None:
    """A viewer looks and does not touch; with the assistant a viewer may speak, which changes nothing but the conversation."""
    speaking = {"intent.parse", "chat.say", "chat.stop", "chat.forget"}
    writes = {o.name: o.access for o in OPERATIONS if o.method != "GET" and not o.name.startswith("auth.") and o.name not in speaking}
    writes = {name: access for name, access in writes.items() if not name.endswith(".form")}  # questions too long for an address
    assert {name for name, access in writes.items() if access < Access.OPERATOR} == set()


def test_operations_have_unique_names_and_places() -> None:
    """A name is one operation, a method on a path too."""
    assert len({o.name for o in OPERATIONS}) == len(OPERATIONS)
    assert len({(o.method, o.path) for o in OPERATIONS}) == len(OPERATIONS)


async def test_every_route_is_in_a_table_that_says_who_may_use_it(house: House) -> None:
    """The router holds the operations, the sockets, the figures, the pages and /static; whatever no table names leads nowhere.

    What is read has its HEAD beside GET, but for sockets.
    """
    declared = {(o.method, o.path) for o in OPERATIONS}
    declared |= {("GET", path) for table in (MACHINES, views.PAGES) for path, _ in table}
    declared |= {("HEAD", path) for method, path in declared if method == "GET"}
    declared |= {("GET", path) for path, _ in endpoint.ROUTES}
    found = {(route.method, route.resource.canonical) for route in make_app(house).router.routes() if route.resource is not None}
    assert found == {(method, path.replace(":.+}", "}")) for method, path in declared} | {("*", "/{nowhere}")}


@pytest.mark.parametrize("path", [path for path, _ in MACHINES])
async def test_what_machines_scrape_is_as_open_as_declared(anonymous: Client, path: str) -> None:
    """/healthz, /readyz and /metrics ask for no token."""
    assert MACHINES_ACCESS is Access.OPEN
    async with anonymous.get(path) as response:
        assert response.status == 200


# -- sockets


@pytest.mark.parametrize("path", [path.replace("{id}", "1") for path, _ in endpoint.ROUTES])
async def test_a_cookie_from_a_page_of_another_site_opens_no_socket(browser: aiohttp.ClientSession, path: str) -> None:
    """Browsers send cookies along whoever asks; the Origin tells."""
    await (await browser.post("/api/v1/auth/login", json={"username": "admin", "password": PASSWORD})).read()
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await browser.ws_connect(path, headers={"Origin": "http://evil.example"})
    assert caught.value.status == 403


async def test_a_cookie_from_our_own_page_opens_a_socket(browser: aiohttp.ClientSession, anonymous: Client) -> None:
    """The page's own WebSocket carries its origin."""
    await (await browser.post("/api/v1/auth/login", json={"username": "admin", "password": PASSWORD})).read()
    async with browser.ws_connect("/ws", headers={"Origin": str(anonymous.make_url("")).rstrip("/")}) as ws:
        assert (await ws.receive_json(timeout=10))["type"] == "welcome"


@pytest.mark.parametrize(("channel", "allowed"), [("topology", True), ("telemetry", True), ("deploy/1", False)])
async def test_a_viewer_reads_the_channels_of_viewers(viewer: Api, channel: str, *, allowed: bool) -> None:
    """A channel above the caller's role is an error frame `forbidden`; the socket stays."""
    async with connected(viewer) as socket:
        await socket.say(type="sub", id=7, ch=channel)
        if allowed:
            assert (await socket.hear("ok"))["id"] == 7
        else:
            frame = await socket.hear("error")
            assert (frame["id"], frame["error"]["code"]) == (7, "forbidden")
        await socket.say(type="unsub", id=8, ch="topology")
        assert (await socket.until("ok"))["id"] == 8


async def test_a_viewer_gets_no_deployment_by_its_own_address_either(viewer: Api) -> None:
    """/ws/deploy/{id} says `forbidden` in the frame that answers its built-in subscription."""
    async with connected(viewer, "/ws/deploy/1") as socket:
        assert (await socket.hear("error"))["error"]["code"] == "forbidden"


async def test_an_operator_may_ask_for_a_deployment(operator: Api) -> None:
    """The role is enough: what is missing then is the deployment."""
    async with connected(operator, "/ws/deploy/1") as socket:
        assert (await socket.hear("error"))["error"]["code"] == "not-found"
