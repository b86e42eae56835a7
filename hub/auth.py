"""Sign-in: JSON web tokens (RFC 7519), HS256 with a key made on first start. Who holds which role is the accounts actor's word."""

import os
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import jwt

from actors.accounts import Authenticate, CheckToken, RevokeToken, User
from actors.ids import uuid7
from actors.runtime import Ref
from hub.settings import Auth
from paranet.errors import StorageFailed, Unauthenticated

ISSUER = "paranet-hub"
ACCESS, REFRESH, TICKET = "access", "refresh", "ticket"
TICKET_TTL = 30
"""seconds in which a ticket lets a socket in"""
ACCESS_COOKIE, REFRESH_COOKIE = "paranet_access", "paranet_refresh"
ASK = 5.0


@attrs.frozen(kw_only=True)
class Claims:
    """A token that was read and believed. Times are UNIX s. A ticket stands for the token *parent*, which ends at *ends*."""

    jti: str
    user_id: str
    use: str
    expires_at: float
    parent: str = ""
    ends: float = 0.0


@attrs.frozen(kw_only=True)
class Session:
    """What signing in yields."""

    access_token: str = attrs.field(repr=False)
    refresh_token: str = attrs.field(repr=False)
    expires_in: int
    user: User


@attrs.frozen(kw_only=True)
class Caller:
    """Who a request comes from, and by which token."""

    user: User
    claims: Claims


def signing_key(data_dir: Path) -> bytes:
    """Return the key, made on the first call with mode 0600. Raise StorageFailed."""
    file = data_dir / "signing.key"
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(secrets.token_bytes(32))
            out.flush()
            os.fsync(out.fileno())
    except FileExistsError:
        pass
    except OSError as error:
        raise StorageFailed(f"{file}: {error.strerror}") from error
    key = file.read_bytes()
    if len(key) < 32:
        raise StorageFailed(f"{file} is damaged: remove it to have a new one made (everybody has to sign in again)")
    return key


class Tokens:
    """Makes and checks tokens; asks *accounts* who they belong to."""

    def __init__(self, key: bytes, settings: Auth, accounts: Ref, now: Callable[[], float] = time.time) -> None:
        self._key = key
        self._settings = settings
        self._accounts = accounts
        self._now = now

    async def sign_in(self, username: str, password: str) -> Session:
        """Return a new session. Raise Unauthenticated."""
        return self._session(await self._accounts.ask(Authenticate(username=username, password=password), timeout=ASK))

    async def refresh(self, token: str) -> Session:
        """Trade a refresh token for a new session; the old token is spent. Raise Unauthenticated."""
        claims = self._read(token, REFRESH)
        user = await self.still(claims)
        if not await self._accounts.ask(RevokeToken(jti=claims.jti, expires_at=claims.expires_at), timeout=ASK):
            raise Unauthenticated("the refresh token was used before")
        return self._session(user)

    async def check(self, token: str) -> Caller:
        """Return who an access token belongs to. Raise Unauthenticated."""
        claims = self._read(token, ACCESS)
        return Caller(user=await self.still(claims), claims=claims)

    def ticket(self, caller: Caller) -> str:
        """Return what lets one socket of the caller in, once, for whoever cannot set headers."""
        return self._make(caller.user, TICKET, TICKET_TTL, {"parent": caller.claims.jti, "ends": caller.claims.expires_at})

    async def admit(self, ticket: str) -> Caller:
        """Take a ticket; it is worth nothing afterwards. Raise Unauthenticated."""
        claims = self._read(ticket, TICKET)
        if not await self._accounts.ask(RevokeToken(jti=claims.jti, expires_at=claims.expires_at), timeout=ASK):
            raise Unauthenticated("the ticket was used before")
        parent = Claims(jti=claims.parent, user_id=claims.user_id, use=ACCESS, expires_at=claims.ends)
        return Caller(user=await self.still(parent), claims=parent)

    async def still(self, claims: Claims) -> User:
        """Return the user of a token that was believed before, as it is now. Raise Unauthenticated when it was revoked."""
        return await self._accounts.ask(CheckToken(jti=claims.jti, user_id=claims.user_id), timeout=ASK)

    async def revoke(self, claims: Claims) -> None:
        """Make the token worthless."""
        await self._accounts.ask(RevokeToken(jti=claims.jti, expires_at=claims.expires_at, user_id=claims.user_id), timeout=ASK)

    async def revoke_refresh(self, token: str, caller: Caller) -> None:
        """Make the caller's refresh token worthless as well. Raise Unauthenticated when it is not theirs."""
        claims = self._read(token, REFRESH)
        if claims.user_id != caller.user.id:
            raise Unauthenticated("the refresh token belongs to somebody else")
        await self.revoke(claims)

    def _session(self, user: User) -> Session:
        return Session(
            access_token=self._make(user, ACCESS, self._settings.access_ttl),
            refresh_token=self._make(user, REFRESH, self._settings.refresh_ttl),
            expires_in=self._settings.access_ttl,
            user=user,
        )

    def _make(self, user: User, use: str, ttl: int, more: Mapping[str, object] | None = None) -> str:
        now = self._now()
        claims = {"iss": ISSUER, "sub": user.id, "use": use, "iat": int(now), "exp": int(now) + ttl, "jti": uuid7(now), **(more or {})}
        return jwt.encode(claims, self._key, algorithm="HS256")

    def _read(self, token: str, use: str) -> Claims:
        options: Any = {"require": ["iss", "sub", "use", "exp", "jti"], "verify_exp": False, "verify_iat": False}  # by our own clock below
        try:
            claims: Mapping[str, Any] = jwt.decode(token, self._key, algorithms=["HS256"], issuer=ISSUER, options=options)
        except jwt.InvalidTokenError:
            raise Unauthenticated("the token is not one of this hub's") from None
        if claims["use"] != use:
            raise Unauthenticated(f"this is not a token for {use}")
        if claims["exp"] <= self._now():
            raise Unauthenticated("the token has expired")
        return Claims(
            jti=str(claims["jti"]),
            user_id=str(claims["sub"]),
            use=use,
            expires_at=float(claims["exp"]),
            parent=str(claims.get("parent", "")),
            ends=float(claims.get("ends", 0.0)),
        )
