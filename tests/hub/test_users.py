"""Users, roles, sessions and tokens for machines, over REST."""

from typing import Any

import aiohttp
import pytest

from actors.people import Failures
from hub.house import House
from tests.hub.api import Api, Client, sign_in
from tests.hub.sockets import connected
from tests.hub.staff import PASSWORD

ANNA = {"username": "anna", "password": "a password of hers", "role": "viewer"}


@pytest.fixture
async def anna(admin: Api) -> dict[str, Any]:
    """A viewer who has just been taken in."""
    status, body, headers = await admin.call("POST", "/auth/users", json=ANNA)
    assert status == 201
    assert headers["Location"] == f"/api/v1/auth/users/{body['id']}"
    assert isinstance(body, dict)
    return body


async def log_in(client: Client, username: str, password: str) -> tuple[int, dict[str, Any]]:
    async with client.post("/api/v1/auth/login", json={"username": username, "password": password}) as response:
        return response.status, await response.json()


async def as_anna(client: Client) -> Api:
    status, body = await log_in(client, "anna", ANNA["password"])
    assert status == 200
    return Api(client, body["access_token"])


async def status_of(api: Api, path: str = "/auth/me") -> int:
    status, _, _ = await api.call("GET", path)
    return status


async def refreshed(client: Client, token: str) -> tuple[int, dict[str, Any]]:
    async with client.post("/api/v1/auth/refresh", json={"refresh_token": token}) as response:
        return response.status, await response.json()


# -- users


async def test_a_user_is_added_listed_changed_and_removed(admin: Api, anna: dict[str, Any]) -> None:
    """The life of an account."""
    assert (anna["username"], anna["role"]) == ("anna", "viewer")
    _, listed, _ = await admin.call("GET", "/auth/users")
    assert [user["username"] for user in listed["items"]] == sorted(["admin", "anna", "operator", "viewer"], key=_by_id(listed))
    path = f"/auth/users/{anna['id']}"
    status, changed, _ = await admin.call("PUT", path, json={"role": "operator", "username": "Anna.B"})
    assert (status, changed["role"], changed["username"]) == (200, "operator", "Anna.B")
    assert (await admin.call("GET", path))[1] == changed
    assert (await admin.call("DELETE", path))[0] == 204
    assert (await admin.call("GET", path))[0] == 404


def _by_id(listed: dict[str, Any]) -> Any:
    order = {user["username"]: user["id"] for user in listed["items"]}
    return order.__getitem__


async def test_users_come_in_pages(admin: Api, anna: dict[str, Any]) -> None:
    """Every one once."""
    seen: list[str] = []
    query = "?limit=3"
    while True:
        _, body, _ = await admin.call("GET", f"/auth/users{query}")
        seen += [user["id"] for user in body["items"]]
        if body["next"] is None:
            break
        query = f"?limit=3&cursor={body['next']}"
    assert len(seen) == len(set(seen)) == 4
    assert anna["id"] in seen


@pytest.mark.parametrize(
    "fault",
    [
        {"username": ""},
        {"username": "a b"},
        {"username": "a" * 65},
        {"username": "../etc"},
        {"password": "short"},
        {"password": "x" * 1025},
        {"role": "god"},
        {"role": None},
        {"more": 1},
    ],
)
async def test_a_user_that_is_none_is_refused(admin: Api, fault: dict[str, Any]) -> None:
    """400 with the place; a password is not repeated."""
    status, body, _ = await admin.call("POST", "/auth/users", json={**ANNA, **fault})
    assert status == 400
    assert body["errors"][0]["path"] == next(iter(fault))
    assert "x" * 9 not in str(body)


async def test_a_name_is_taken_once(admin: Api, anna: dict[str, Any]) -> None:
    """Whatever its case, when adding and when renaming."""
    assert (await admin.call("POST", "/auth/users", json={**ANNA, "username": "ANNA"}))[0] == 409
    assert (await admin.call("PUT", f"/auth/users/{anna['id']}", json={"username": "Viewer"}))[0] == 409
    assert (await admin.call("PUT", f"/auth/users/{anna['id']}", json={"username": "Anna"}))[0] == 200


async def test_the_last_admin_stays(admin: Api) -> None:
    """Not to be demoted, and nobody removes themselves."""
    assert (await admin.call("PUT", "/auth/users/id-of-admin", json={"role": "viewer"}))[0] == 409
    assert (await admin.call("DELETE", "/auth/users/id-of-admin"))[0] == 409
    assert await status_of(admin, "/auth/users") == 200


async def test_a_role_counts_at_once(admin: Api, anonymous: Client, anna: dict[str, Any]) -> None:
    """For a token that was given under the old one."""
    api = await as_anna(anonymous)
    assert await status_of(api, "/system/info") == 403
    await admin.call("PUT", f"/auth/users/{anna['id']}", json={"role": "operator"})
    assert await status_of(api, "/system/info") == 200


async def test_the_token_of_a_removed_user_is_worthless(admin: Api, anonymous: Client, anna: dict[str, Any]) -> None:
    """At once, also when it was used a moment ago; a socket that is open is closed."""
    api = await as_anna(anonymous)
    assert await status_of(api) == 200
    async with connected(api) as socket:
        await admin.call("DELETE", f"/auth/users/{anna['id']}")
        assert await status_of(api) == 401
        while (message := await socket.ws.receive(timeout=10)).type is aiohttp.WSMsgType.TEXT:
            pass
        assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)


async def test_a_new_password_ends_the_sessions_of_the_user(admin: Api, anonymous: Client, anna: dict[str, Any]) -> None:
    """When an admin sets it; the old one is worth nothing."""
    api = await as_anna(anonymous)
    await admin.call("PUT", f"/auth/users/{anna['id']}", json={"password": "another password"})
    assert await status_of(api) == 401
    assert (await log_in(anonymous, "anna", ANNA["password"]))[0] == 401
    assert (await log_in(anonymous, "anna", "another password"))[0] == 200


async def test_changing_my_password_ends_my_other_sessions(anonymous: Client, anna: dict[str, Any]) -> None:
    """This one goes on."""
    here, there = await as_anna(anonymous), await as_anna(anonymous)
    body = {"old_password": ANNA["password"], "new_password": "another password"}
    assert (await here.call("POST", "/auth/password", json=body))[0] == 204
    assert (await status_of(here), await status_of(there)) == (200, 401)
    assert (await log_in(anonymous, "anna", "another password"))[0] == 200


async def test_my_password_is_changed_by_me_only(viewer: Api) -> None:
    """Whoever found an open browser does not know the old one."""
    body = {"old_password": "wrong", "new_password": "another password"}
    assert (await viewer.call("POST", "/auth/password", json=body))[0] == 401


# -- sessions


async def test_a_refresh_token_used_again_ends_the_session(anonymous: Client, operator: Api) -> None:
    """Whoever shows it has stolen it or was robbed: both are out (RFC 9700, 4.14.2). Other sessions go on."""
    _, first = await log_in(anonymous, "operator", PASSWORD)
    _, second = await refreshed(anonymous, first["refresh_token"])
    assert await status_of(Api(anonymous, second["access_token"])) == 200
    assert (await refreshed(anonymous, first["refresh_token"]))[0] == 401
    assert await status_of(Api(anonymous, second["access_token"])) == 401
    assert (await refreshed(anonymous, second["refresh_token"]))[0] == 401
    assert await status_of(operator) == 200


async def test_two_pages_of_one_browser_may_refresh_at_once(browser: aiohttp.ClientSession) -> None:
    """The second shows the cookie of the first: it is refused, and the session goes on."""
    login = await browser.post("/api/v1/auth/login", json={"username": "operator", "password": PASSWORD})
    old = (await login.json())["refresh_token"]
    await (await browser.post("/api/v1/auth/refresh")).read()
    async with browser.post("/api/v1/auth/refresh", cookies={"paranet_refresh": old}) as response:
        assert response.status == 401
    async with browser.get("/api/v1/auth/me") as response:
        assert response.status == 200


async def test_logout_everywhere(anonymous: Client) -> None:
    """Ends every session of the user, and of no other."""
    here, there, other = await sign_in(anonymous, "operator"), await sign_in(anonymous, "operator"), await sign_in(anonymous, "viewer")
    assert (await here.call("POST", "/auth/logout?everywhere=true"))[0] == 204
    assert [await status_of(api) for api in (here, there, other)] == [401, 401, 200]


async def test_logout_with_a_refresh_token_alone(anonymous: Client) -> None:
    """The access token may have expired long ago."""
    _, session = await log_in(anonymous, "operator", PASSWORD)
    for headers in ({}, {"Authorization": "Bearer expired"}):
        async with anonymous.post("/api/v1/auth/logout", json={"refresh_token": session["refresh_token"]}, headers=headers) as response:
            assert response.status == (401 if headers else 204)
    assert await status_of(Api(anonymous, session["access_token"])) == 401


async def test_logout_of_nobody_is_refused(anonymous: Client) -> None:
    """There is nothing to end."""
    async with anonymous.post("/api/v1/auth/logout") as response:
        assert response.status == 401


async def test_sessions_survive_a_restart_of_the_accounts(house: House, anonymous: Client) -> None:
    """They are on disk."""
    _, session = await log_in(anonymous, "operator", PASSWORD)
    await (await sign_in(anonymous, "admin")).call("POST", "/system/actors/accounts/restart")
    assert await status_of(Api(anonymous, session["access_token"])) == 200
    assert (await refreshed(anonymous, session["refresh_token"]))[0] == 200


# -- machines


async def machine(owner: Api, *scopes: str, **more: Any) -> tuple[Api, dict[str, Any]]:
    status, body, _ = await owner.call("POST", "/auth/tokens", json={"name": "probe", "scopes": scopes, **more})
    assert status == 201, body
    return Api(owner.http, body["token"]), body


async def test_a_token_of_a_machine_acts_within_its_scopes(operator: Api) -> None:
    """As its user, and no further than both allow."""
    api, _ = await machine(operator, "topology:read", "monitor")
    assert await status_of(api, "/topology") == 200
    assert await status_of(api, "/monitor/metrics") == 200
    assert await status_of(api, "/system/info") == 403
    assert (await api.call("POST", "/topology/nodes", json={"id": "r1"}))[0] == 403


async def test_the_widest_scope_is_no_wider_than_the_role(viewer: Api) -> None:
    """A viewer's machine views."""
    api, _ = await machine(viewer, "*")
    assert await status_of(api, "/topology") == 200
    assert (await api.call("POST", "/topology/nodes", json={"id": "r1"}))[0] == 403


async def test_a_machine_makes_no_tokens(admin: Api) -> None:
    """Nor users, nor tickets: accounts are for people."""
    api, _ = await machine(admin, "*")
    assert (await api.call("POST", "/auth/tokens", json={"name": "more", "scopes": ["*"]}))[0] == 403
    assert (await api.call("POST", "/auth/users", json=ANNA))[0] == 403
    assert (await api.call("POST", "/auth/ticket"))[0] == 403


async def test_a_token_is_shown_once_and_can_be_taken_back(operator: Api, viewer: Api, house: House) -> None:
    """The database holds a digest; only the owner removes it."""
    api, body = await machine(operator, "*")
    _, listed, _ = await operator.call("GET", "/auth/tokens")
    assert [token["id"] for token in listed["items"]] == [body["id"]]
    assert body["token"] not in str(listed)
    known = {name: value for name, value in body.items() if name != "token"}
    assert (await operator.call("GET", f"/auth/tokens/{body['id']}"))[1] == known
    assert (await viewer.call("GET", f"/auth/tokens/{body['id']}"))[0] == 404
    assert body["token"] not in str(await house.control.fetch("SELECT * FROM api_token"))
    assert (await viewer.call("DELETE", f"/auth/tokens/{body['id']}"))[0] == 404
    assert await status_of(api) == 200
    assert (await operator.call("DELETE", f"/auth/tokens/{body['id']}"))[0] == 204
    assert await status_of(api) == 401


@pytest.mark.parametrize("fault", [{"scopes": []}, {"scopes": ["all"]}, {"expires_in": 0}, {"expires_in": 10**9}, {"name": ""}])
async def test_a_token_that_makes_no_sense_is_refused(viewer: Api, fault: dict[str, Any]) -> None:
    """400 with the place."""
    status, body, _ = await viewer.call("POST", "/auth/tokens", json={"name": "probe", "scopes": ["*"], **fault})
    assert (status, body["errors"][0]["path"]) == (400, next(iter(fault)))


# -- guessing, and who did what


def test_failures_slow_and_are_forgotten() -> None:
    """The first cost nothing, the wait grows to a bound, success or time clears it. Nobody is ever shut out."""
    now = [0.0]
    failures = Failures(lambda: now[0])
    delays = []
    for _ in range(30):
        delays.append(failures.delay("Anna"))
        failures.count("anna")
    assert delays[: Failures.FREE] == [0.0] * Failures.FREE
    assert delays == sorted(delays)
    assert delays[-1] == Failures.LONGEST
    assert failures.delay("somebody else") == 0.0
    now[0] += Failures.FORGET
    assert failures.delay("anna") == 0.0
    failures.count("anna")
    failures.clear("ANNA")
    assert failures.delay("anna") == 0.0


def test_failures_are_bounded() -> None:
    """Made-up names do not fill the memory."""
    failures = Failures(lambda: 0.0)
    for i in range(Failures.NAMES + 10):
        failures.count(f"name {i}")
    assert len(failures._counts) == Failures.NAMES


async def test_the_right_owner_gets_in_after_any_number_of_guesses(anonymous: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slowed, not denied."""
    monkeypatch.setattr(Failures, "LONGEST", 0.01)
    for _ in range(Failures.FREE + 3):
        assert (await log_in(anonymous, "operator", "a guess"))[0] == 401
    assert (await log_in(anonymous, "operator", PASSWORD))[0] == 200


async def test_every_write_is_in_the_audit_log(admin: Api, operator: Api, anna: dict[str, Any]) -> None:
    """Who, what, from where, and how it ended."""
    await operator.call("POST", "/topology/nodes", json={"id": "r1"})
    await operator.call("DELETE", "/topology/nodes/nothing")
    await admin.call("PUT", f"/auth/users/{anna['id']}", json={"role": "god"})
    _, body, _ = await admin.call("GET", "/system/audit?limit=100")
    found = {(e["author"], e["action"], e["target"], e["outcome"]) for e in body["items"]}
    assert {
        ("admin", "auth.users.add", "", "ok"),
        ("operator", "topology.nodes.add", "", "ok"),
        ("operator", "topology.nodes.remove", "nothing", "not-found"),
        ("admin", "auth.users.change", anna["id"], "invalid"),
    } <= found
    assert all(entry["remote"] for entry in body["items"])


async def test_who_signs_in_is_in_the_audit_log(admin: Api, anonymous: Client) -> None:
    """By the name that was given, also when it failed."""
    await log_in(anonymous, "operator", "wrong")
    _, body, _ = await admin.call("GET", "/system/audit")
    found = [(e["author"], e["target"], e["outcome"]) for e in body["items"] if e["action"] == "auth.login"]
    assert found == [("", "operator", "unauthenticated"), ("", "admin", "ok")]
