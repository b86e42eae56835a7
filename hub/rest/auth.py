"""Signing in and out."""

import attrs

from actors.accounts import ChangeUser, EndSession, User
from hub.auth import ACCESS_COOKIE, REFRESH_COOKIE, TICKET_TTL, Caller, Claims, Session
from hub.bodies import Length
from hub.operations import Access, Call, Operation, Reply
from paranet.errors import Unauthenticated

API = "/api/v1/auth"
ASK = 10.0


@attrs.frozen(kw_only=True)
class Login:
    """Name and password."""

    username: str
    password: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Refresh:
    """Body of POST /auth/refresh and /auth/logout; browsers send the cookie instead."""

    refresh_token: str | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class NewPassword:
    """The old one proves that it is you."""

    old_password: str = attrs.field(repr=False)
    new_password: str = attrs.field(repr=False, validator=Length(8, 1024))


@attrs.frozen(kw_only=True)
class Account:
    """A user as others see it."""

    id: str
    username: str
    role: str


@attrs.frozen(kw_only=True)
class SignedIn:
    """What signing in yields; *expires_in* is in s, of the access token."""

    access_token: str = attrs.field(repr=False)
    refresh_token: str = attrs.field(repr=False)
    token_type: str = "bearer"  # noqa: S105 - no secret
    expires_in: int
    user: Account


@attrs.frozen(kw_only=True)
class Ticket:
    """Lets one WebSocket in, as `?ticket=`, within *expires_in* s."""

    ticket: str = attrs.field(repr=False)
    expires_in: int


async def login(call: Call) -> Reply:
    """Sign in with name and password."""
    body = call.read(Login)
    call.about.append(body.username)
    return _signed_in(call, await call.house.tokens.sign_in(body.username, body.password))


async def refresh(call: Call) -> Reply:
    """Trade a refresh token for new tokens; the old one is spent, and whoever shows it again ends the session."""
    token = _refresh_token(call)
    if not token:
        raise Unauthenticated("a refresh token is required, in the body or as the cookie")
    return _signed_in(call, await call.house.tokens.refresh(token, shared=not call.body))


async def logout(call: Call) -> Reply:
    """End this session, or with ?everywhere=true all of the user's; a good refresh token is enough when the access token has expired."""
    everywhere = call.flag("everywhere")
    tokens, caller = call.house.tokens, await _caller(call)
    ended: list[Claims] = [caller.claims] if caller else []
    token = _refresh_token(call)
    if token:
        claims = await _good_refresh(call, token, caller)
        ended += [claims] if claims else []
    if not ended:
        raise Unauthenticated("an access token or a refresh token that is good is required")
    for claims in ended:
        await tokens.end(claims)
    if everywhere:
        await call.house.system.ref("accounts").ask(EndSession(user_id=ended[0].user_id), timeout=ASK)
    return Reply(status=204, cookies={ACCESS_COOKIE: ("", "/", 0), REFRESH_COOKIE: ("", API, 0)})


async def _caller(call: Call) -> Caller | None:
    """Return who asks, None when the access token is no longer good: this operation is open, so nobody has looked yet."""
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    token = token.strip() if scheme.lower() == "bearer" else call.cookies.get(ACCESS_COOKIE, "")
    if call.caller is not None or not token:
        return call.caller
    try:
        return await call.house.tokens.check(token)
    except Unauthenticated:
        return None


async def _good_refresh(call: Call, token: str, caller: Caller | None) -> Claims | None:
    """Return a refresh token's claims. Beside a caller it must be theirs, but need not be good any more."""
    try:
        claims = await call.house.tokens.read_refresh(token)
    except Unauthenticated:
        if caller is None:
            raise
        return None
    if caller is not None and claims.user_id != caller.user.id:
        raise Unauthenticated("the refresh token belongs to somebody else")
    return claims


async def ticket(call: Call) -> Reply:
    """Return what lets one WebSocket in, once, within the next seconds: for clients that can set neither header nor cookie."""
    assert call.caller is not None
    return Reply(body=Ticket(ticket=call.house.tokens.ticket(call.caller), expires_in=TICKET_TTL), status=201)


async def me(call: Call) -> Reply:
    """Return who is signed in."""
    assert call.caller is not None
    return Reply(body=shown(call.caller.user))


async def password(call: Call) -> Reply:
    """Change your password. Your other sessions end, this one goes on."""
    assert call.caller is not None
    body, user = call.read(NewPassword), call.caller.user
    await call.house.tokens.prove(user.username, body.old_password)
    change = ChangeUser(id=user.id, password=body.new_password, keep=call.caller.claims.session)
    await call.house.system.ref("accounts").ask(change, timeout=ASK)
    return Reply(status=204)


def shown(user: User) -> Account:
    """Return a user as it is written on the wire."""
    return Account(id=user.id, username=user.username, role=user.role.word)


def _refresh_token(call: Call) -> str | None:
    return call.read(Refresh).refresh_token if call.body else call.cookies.get(REFRESH_COOKIE)


def _signed_in(call: Call, session: Session) -> Reply:
    body = SignedIn(
        access_token=session.access_token,
        refresh_token=session.refresh_token,
        expires_in=session.expires_in,
        user=shown(session.user),
    )
    cookies = {
        ACCESS_COOKIE: (session.access_token, "/", session.expires_in),
        REFRESH_COOKIE: (session.refresh_token, API, call.house.settings.auth.refresh_ttl),
    }
    return Reply(body=body, cookies=cookies)


_NAMES = {"username": "operator", "password": "correct horse battery"}
_TOKEN = {"refresh_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.signature"}
_NEW = {"old_password": "correct horse battery", "new_password": "a longer and better one"}

OPERATIONS = (
    Operation(
        name="auth.login",
        method="POST",
        path=f"{API}/login",
        access=Access.OPEN,
        handler=login,
        summary="Sign in",
        body=Login,
        reply=SignedIn,
        example=_NAMES,
    ),
    Operation(
        name="auth.refresh",
        method="POST",
        path=f"{API}/refresh",
        access=Access.OPEN,
        handler=refresh,
        summary="Renew the tokens",
        body=Refresh,
        reply=SignedIn,
        example=_TOKEN,
    ),
    Operation(
        name="auth.logout",
        method="POST",
        path=f"{API}/logout",
        access=Access.OPEN,
        handler=logout,
        summary="Sign out",
        query=frozenset({"everywhere"}),
        body=Refresh,
        statuses=(204,),
        example=_TOKEN,
    ),
    Operation(
        name="auth.ticket",
        method="POST",
        path=f"{API}/ticket",
        access=Access.VIEWER,
        handler=ticket,
        summary="Let one socket in",
        reply=Ticket,
        statuses=(201,),
    ),
    Operation(name="auth.me", method="GET", path=f"{API}/me", access=Access.VIEWER, handler=me, summary="Who am I", reply=Account),
    Operation(
        name="auth.password",
        method="POST",
        path=f"{API}/password",
        access=Access.VIEWER,
        handler=password,
        summary="Change my password",
        body=NewPassword,
        statuses=(204,),
        example=_NEW,
    ),
)
