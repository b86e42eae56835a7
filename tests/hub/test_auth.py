"""Signing in, staying signed in, signing out."""

import asyncio
import logging
from pathlib import Path

import aiohttp
import jwt
import pytest

from actors.storage import Database
from hub.auth import ACCESS_COOKIE, REFRESH_COOKIE, signing_key
from hub.house import House
from hub.settings import Settings
from paranet.errors import StorageFailed
from tests.hub.api import Api, Client
from tests.hub.staff import PASSWORD

LOGIN = "/api/v1/auth/login"
CREDENTIALS = {"username": "operator", "password": PASSWORD}


@pytest.fixture
async def session(anonymous: Client) -> dict[str, str]:
    """What an operator got when signing in."""
    async with anonymous.post(LOGIN, json=CREDENTIALS) as response:
        body: dict[str, str] = await response.json()
        return body


async def me(client: Client, token: str) -> int:
    async with client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"}) as response:
        return response.status


async def test_signing_in_yields_the_promised_members(anonymous: Client) -> None:
    """Tokens, their kind, how long they last and who one is."""
    async with anonymous.post(LOGIN, json=CREDENTIALS) as response:
        body = await response.json()
    assert response.status == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert body["token_type"] == "bearer"
    assert body["expires_in"] == 900
    assert body["user"] == {"id": "id-of-operator", "username": "operator", "role": "operator"}
    assert set(body) == {"access_token", "refresh_token", "token_type", "expires_in", "user"}


async def test_me_is_the_user_of_the_token(operator: Api) -> None:
    """The same members as at login."""
    status, body, _ = await operator.call("GET", "/auth/me")
    assert (status, body) == (200, {"id": "id-of-operator", "username": "operator", "role": "operator"})


async def test_user_names_have_no_case(anonymous: Client) -> None:
    """`Operator` is `operator`."""
    async with anonymous.post(LOGIN, json={"username": "Operator", "password": PASSWORD}) as response:
        assert (await response.json())["user"]["username"] == "operator"


async def test_a_wrong_user_and_a_wrong_password_get_the_same_answer(anonymous: Client) -> None:
    """Nothing tells whether the account exists."""
    answers = []
    for body in ({"username": "nobody", "password": PASSWORD}, {"username": "operator", "password": "wrong"}):
        async with anonymous.post(LOGIN, json=body) as response:
            answers.append((response.status, await response.json()))
    assert answers[0] == answers[1]
    assert answers[0][0] == 401
    assert answers[0][1]["code"] == "unauthenticated"


async def test_a_refusal_sets_no_cookie(anonymous: Client) -> None:
    """Who did not get in has nothing to show for it; the challenge is named (RFC 9110, 11.6.1)."""
    async with anonymous.post(LOGIN, json={"username": "operator", "password": "wrong"}) as response:
        assert not response.cookies
        assert response.headers["WWW-Authenticate"] == "Bearer"


# -- out


async def test_logout_makes_the_token_worthless(anonymous: Client, session: dict[str, str]) -> None:
    """The same token is refused from then on."""
    headers = {"Authorization": f"Bearer {session['access_token']}"}
    async with anonymous.post("/api/v1/auth/logout", headers=headers) as response:
        assert response.status == 204
    assert await me(anonymous, session["access_token"]) == 401


async def test_logout_takes_the_refresh_token_along(anonymous: Client, session: dict[str, str]) -> None:
    """When it is named in the body."""
    headers = {"Authorization": f"Bearer {session['access_token']}"}
    body = {"refresh_token": session["refresh_token"]}
    async with anonymous.post("/api/v1/auth/logout", json=body, headers=headers) as response:
        assert response.status == 204
    async with anonymous.post("/api/v1/auth/refresh", json=body) as response:
        assert response.status == 401


async def test_nobody_signs_others_out_with_their_refresh_token(anonymous: Client, session: dict[str, str], viewer: Api) -> None:
    """A refresh token of somebody else is refused and stays good."""
    body = {"refresh_token": session["refresh_token"]}
    status, _, _ = await viewer.call("POST", "/auth/logout", json=body)
    assert status == 401
    async with anonymous.post("/api/v1/auth/refresh", json=body) as response:
        assert response.status == 200


async def test_logout_is_on_disk(house: House, anonymous: Client, session: dict[str, str]) -> None:
    """A restart would not bring the token back: its id is in the database."""
    headers = {"Authorization": f"Bearer {session['access_token']}"}
    await (await anonymous.post("/api/v1/auth/logout", headers=headers)).read()
    claims = jwt.decode(session["access_token"], options={"verify_signature": False})
    assert await house.control.fetch("SELECT jti FROM revoked_token") == [(claims["jti"],)]


async def test_logout_ends_this_session_only(anonymous: Client, session: dict[str, str], operator: Api) -> None:
    """Another session of the same user goes on."""
    headers = {"Authorization": f"Bearer {session['access_token']}"}
    await (await anonymous.post("/api/v1/auth/logout", headers=headers)).read()
    assert await me(anonymous, operator.token) == 200


# -- refresh


async def test_refresh_yields_tokens_that_are_taken(anonymous: Client, session: dict[str, str]) -> None:
    """A new pair, unlike the old one."""
    async with anonymous.post("/api/v1/auth/refresh", json={"refresh_token": session["refresh_token"]}) as response:
        new = await response.json()
    assert response.status == 200
    assert new["refresh_token"] != session["refresh_token"]
    assert await me(anonymous, new["access_token"]) == 200


async def test_a_spent_refresh_token_is_refused(anonymous: Client, session: dict[str, str]) -> None:
    """Each is good for one time."""
    statuses = []
    for _ in range(2):
        async with anonymous.post("/api/v1/auth/refresh", json={"refresh_token": session["refresh_token"]}) as response:
            statuses.append(response.status)
    assert statuses == [200, 401]


async def test_a_refresh_token_used_twice_at_once_is_good_for_one(anonymous: Client, session: dict[str, str]) -> None:
    """A race has one winner."""

    async def refresh() -> int:
        async with anonymous.post("/api/v1/auth/refresh", json={"refresh_token": session["refresh_token"]}) as response:
            return response.status

    assert sorted(await asyncio.gather(*(refresh() for _ in range(5)))) == [200, 401, 401, 401, 401]


@pytest.mark.parametrize("body", [{}, {"refresh_token": None}, {"refresh_token": ""}, {"refresh_token": "nonsense"}])
async def test_refresh_without_a_good_token_is_refused(anonymous: Client, body: dict[str, str]) -> None:
    """None, null and nonsense: 401."""
    async with anonymous.post("/api/v1/auth/refresh", json=body) as response:
        assert response.status == 401


async def test_refresh_without_a_body_and_cookie_is_refused(anonymous: Client) -> None:
    """There is nothing to trade."""
    async with anonymous.post("/api/v1/auth/refresh") as response:
        assert response.status == 401


async def test_an_access_token_does_not_refresh(anonymous: Client, session: dict[str, str]) -> None:
    """A token is for one use."""
    async with anonymous.post("/api/v1/auth/refresh", json={"refresh_token": session["access_token"]}) as response:
        assert response.status == 401


# -- cookies


async def test_session_cookies_are_out_of_reach(anonymous: Client) -> None:
    """Scripts cannot read them, other sites cannot use them, the refresh token goes to /auth only."""
    async with anonymous.post(LOGIN, json=CREDENTIALS) as response:
        cookies = response.cookies
    assert set(cookies) == {ACCESS_COOKIE, REFRESH_COOKIE}
    for cookie in cookies.values():
        assert cookie["httponly"]
        assert cookie["samesite"] == "Strict"
        assert int(cookie["max-age"]) > 0
    assert (cookies[ACCESS_COOKIE]["path"], cookies[REFRESH_COOKIE]["path"]) == ("/", "/api/v1/auth")


async def test_the_cookie_signs_in(browser: aiohttp.ClientSession) -> None:
    """A browser needs no header."""
    await (await browser.post(LOGIN, json=CREDENTIALS)).read()
    async with browser.get("/api/v1/auth/me") as response:
        assert (await response.json())["username"] == "operator"


async def test_the_cookie_refreshes(browser: aiohttp.ClientSession) -> None:
    """A browser refreshes without ever seeing a token."""
    await (await browser.post(LOGIN, json=CREDENTIALS)).read()
    async with browser.post("/api/v1/auth/refresh") as response:
        assert response.status == 200


async def test_logout_clears_the_cookies(browser: aiohttp.ClientSession) -> None:
    """The browser forgets them, and both tokens are worthless."""
    await (await browser.post(LOGIN, json=CREDENTIALS)).read()
    async with browser.post("/api/v1/auth/logout") as response:
        assert response.status == 204
    assert len(browser.cookie_jar) == 0
    async with browser.get("/api/v1/auth/me") as response:
        assert response.status == 401


@pytest.mark.parametrize("path", ["/api/v1/topology/nodes", "/api/v1/auth/logout", "/api/v1/auth/refresh"])
@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
async def test_a_write_by_cookie_from_another_site_is_refused(browser: aiohttp.ClientSession, path: str, origin: str) -> None:
    """CSRF: the cookie alone is not enough when the Origin is not ours."""
    await (await browser.post(LOGIN, json=CREDENTIALS)).read()
    async with browser.post(path, json={"id": "r1"}, headers={"Origin": origin}) as response:
        assert response.status == 403
        assert (await response.json())["code"] == "forbidden"


async def test_a_write_by_cookie_from_our_own_page_is_taken(browser: aiohttp.ClientSession, anonymous: Client) -> None:
    """The page itself may write."""
    await (await browser.post(LOGIN, json=CREDENTIALS)).read()
    origin = str(anonymous.make_url("")).rstrip("/")
    async with browser.post("/api/v1/topology/nodes", json={"id": "r1"}, headers={"Origin": origin}) as response:
        assert response.status == 201


async def test_a_bearer_token_is_taken_from_anywhere(operator: Api) -> None:
    """No browser sends that header by itself, so the Origin does not matter."""
    status, _, _ = await operator.call("POST", "/topology/nodes", json={"id": "r1"}, headers={"Origin": "http://elsewhere.example"})
    assert status == 201


# -- secrets


async def test_the_signing_key_is_for_the_hub_alone(house: House, settings: Settings) -> None:
    """Mode 0600, 32 bytes; the data directory is 0700 when the hub makes it."""
    file = settings.server.data_dir / "signing.key"
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(file.read_bytes()) == 32


def test_the_signing_key_stays_the_same(tmp_path: Path) -> None:
    """A restart signs nobody out."""
    assert signing_key(tmp_path) == signing_key(tmp_path)


def test_a_short_signing_key_is_refused(tmp_path: Path) -> None:
    """A damaged file is no key."""
    (tmp_path / "signing.key").write_bytes(b"short")
    with pytest.raises(StorageFailed, match="damaged"):
        signing_key(tmp_path)


async def test_the_database_holds_a_hash_and_no_password(settings: Settings) -> None:
    """argon2id, and the password's text is in none of the files."""
    shown: list[str] = []
    async with House(settings, show_first_password=shown.append):
        pass
    database = await Database.open(settings.server.data_dir / "control.sqlite3", "control")
    ((hashed,),) = await database.fetch("SELECT password FROM account")
    await database.close()
    assert str(hashed).startswith("$argon2id$")
    assert shown == []
    for file in settings.server.data_dir.iterdir():
        assert PASSWORD.encode() not in file.read_bytes()


async def test_the_log_never_holds_a_password_or_a_token(anonymous: Client, caplog: pytest.LogCaptureFixture) -> None:
    """At the most talkative level, for good and for bad credentials."""
    caplog.set_level(logging.DEBUG)
    async with anonymous.post(LOGIN, json=CREDENTIALS) as response:
        body = await response.json()
    await (await anonymous.post(LOGIN, json={"username": "operator", "password": "wrong-secret"})).read()
    await (await anonymous.post(LOGIN, json={"username": 7, "password": "typed-secret"})).read()
    await (await anonymous.post(LOGIN, data=b'{"username": "operator", "password": "broken-secret"')).read()
    assert LOGIN in caplog.text
    for secret in (PASSWORD, "wrong-secret", "typed-secret", "broken-secret", body["access_token"], body["refresh_token"]):
        assert secret not in caplog.text
        assert not any(secret in str(vars(record)) for record in caplog.records)


async def test_a_bad_login_body_is_not_repeated(anonymous: Client) -> None:
    """The problem names the place and not what stood there."""
    async with anonymous.post(LOGIN, json={"username": "operator", "password": ["my-secret"]}) as response:
        text = await response.text()
    assert response.status == 400
    assert "password" in text
    assert "my-secret" not in text
