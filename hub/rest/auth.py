"""Signing in and out."""

from typing import Any

import attrs

from actors.accounts import User
from hub.auth import ACCESS_COOKIE, REFRESH_COOKIE, TICKET_TTL, Session
from hub.operations import Access, Call, Operation, Reply
from paranet.errors import Unauthenticated

API = "/api/v1/auth"


@attrs.frozen(kw_only=True)
class Login:
    """Body of POST /auth/login."""

    username: str
    password: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Refresh:
    """Body of POST /auth/refresh and /auth/logout; browsers send the cookie instead."""

    refresh_token: str | None = attrs.field(default=None, repr=False)


async def login(call: Call) -> Reply:
    """Sign in with name and password."""
    body = call.read(Login)
    return _signed_in(call, await call.house.tokens.sign_in(body.username, body.password))


async def refresh(call: Call) -> Reply:
    """Trade a refresh token for new tokens; the old one is spent."""
    return _signed_in(call, await call.house.tokens.refresh(_refresh_token(call)))


async def logout(call: Call) -> Reply:
    """Make this session's tokens worthless."""
    assert call.caller is not None
    token = call.read(Refresh).refresh_token if call.body else call.cookies.get(REFRESH_COOKIE)
    if token:
        await call.house.tokens.revoke_refresh(token, call.caller)
    await call.house.tokens.revoke(call.caller.claims)
    return Reply(status=204, cookies={ACCESS_COOKIE: ("", "/", 0), REFRESH_COOKIE: ("", API, 0)})


async def ticket(call: Call) -> Reply:
    """Return what lets one WebSocket in, once, within the next seconds: for clients that can set neither header nor cookie."""
    assert call.caller is not None
    body = {"ticket": call.house.tokens.ticket(call.caller), "expires_in": TICKET_TTL}
    return Reply(body=body, status=201, headers={"Cache-Control": "no-store"})


async def me(call: Call) -> Reply:
    """Return who is signed in."""
    assert call.caller is not None
    return Reply(body=shown(call.caller.user))


def shown(user: User) -> dict[str, str]:
    """Return a user as it is written on the wire."""
    return {"id": user.id, "username": user.username, "role": user.role.word}


def _refresh_token(call: Call) -> str:
    token = call.read(Refresh).refresh_token if call.body else call.cookies.get(REFRESH_COOKIE)
    if not token:
        raise Unauthenticated("a refresh token is required, in the body or as the cookie")
    return token


def _signed_in(call: Call, session: Session) -> Reply:
    body: dict[str, Any] = {
        "access_token": session.access_token,
        "refresh_token": session.refresh_token,
        "token_type": "bearer",
        "expires_in": session.expires_in,
        "user": shown(session.user),
    }
    refresh_ttl = call.house.settings.auth.refresh_ttl
    cookies = {
        ACCESS_COOKIE: (session.access_token, "/", session.expires_in),
        REFRESH_COOKIE: (session.refresh_token, API, refresh_ttl),
    }
    return Reply(body=body, cookies=cookies, headers={"Cache-Control": "no-store"})


OPERATIONS = (
    Operation(name="auth.login", method="POST", path=f"{API}/login", access=Access.OPEN, handler=login, summary="Sign in"),
    Operation(name="auth.refresh", method="POST", path=f"{API}/refresh", access=Access.OPEN, handler=refresh, summary="Renew the tokens"),
    Operation(name="auth.logout", method="POST", path=f"{API}/logout", access=Access.VIEWER, handler=logout, summary="Sign out"),
    Operation(name="auth.ticket", method="POST", path=f"{API}/ticket", access=Access.VIEWER, handler=ticket, summary="Let one socket in"),
    Operation(name="auth.me", method="GET", path=f"{API}/me", access=Access.VIEWER, handler=me, summary="Who am I"),
)
