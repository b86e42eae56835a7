"""Sign-in: JSON web tokens (RFC 7519), HS256 with a key made on first start. Who holds which role is the accounts actor's word."""

import asyncio
import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import jwt

from actors import accounts as a
from actors.accounts import User
from actors.ids import uuid7
from actors.runtime import Ref
from actors.sessions import ApiToken
from actors.sessions import Session as Family
from hub.settings import Auth
from paranet.errors import Forbidden, StorageFailed, Unauthenticated

ISSUER = "paranet-hub"
ACCESS, REFRESH, TICKET = "access", "refresh", "ticket"
TICKET_TTL = 30
"""seconds in which a ticket lets a socket in"""
MACHINE = "pnt_"
"""what tokens of machines begin with"""
ACCESS_COOKIE, REFRESH_COOKIE = "paranet_access", "paranet_refresh"
ASK = 5.0


@attrs.frozen(kw_only=True)
class Claims:
    """A token that was read and believed. Times are UNIX s. A ticket stands for the token *parent*, which ends at *ends*.

    *session* names the sign-in that the token comes from; empty for tokens of machines.
    """

    jti: str
    user_id: str
    use: str
    expires_at: float
    parent: str = ""
    ends: float = 0.0
    session: str = ""


@attrs.frozen(kw_only=True)
class Session:
    """What signing in yields."""

    access_token: str = attrs.field(repr=False)
    refresh_token: str = attrs.field(repr=False)
    expires_in: int
    user: User


@attrs.frozen(kw_only=True)
class Caller:
    """Who a request comes from, and by which token. *scopes* are those of a machine's token, None for people."""

    user: User
    claims: Claims
    scopes: tuple[str, ...] | None = None


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


def digest(token: str) -> str:
    """Return what is kept of a machine's token. It has 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()


class Believed:
    """Tokens that were checked a moment ago and need not be again, until somebody's sessions change. The newest *room* are kept."""

    def __init__(self, room: int = 10_000) -> None:
        self._room = room
        self._callers: dict[str, Caller] = {}
        self._of: dict[str, set[str]] = {}
        self.changes = 0
        """how often something was forgotten"""

    def get(self, token: str) -> Caller | None:
        """Return whose token it is, if it is known; its expiry is the asker's to look at."""
        return self._callers.get(token)

    def keep(self, token: str, caller: Caller, changes: int) -> None:
        """Remember a token that was good at that count of changes; what changed since may have been about it."""
        if changes != self.changes:
            return
        if not self._room:
            return
        if len(self._callers) >= self._room:
            oldest = next(iter(self._callers))
            self._of[self._callers.pop(oldest).user.id].discard(oldest)
        self._callers[token] = caller
        self._of.setdefault(caller.user.id, set()).add(token)

    def forget(self, user_id: str) -> None:
        """Something of this user's was revoked or changed, or with "" of anybody's."""
        self.changes += 1
        if not user_id:
            self._callers.clear()
            self._of.clear()
        for token in self._of.pop(user_id, ()):
            del self._callers[token]


class Tokens:
    """Makes and checks tokens; asks *accounts* who they belong to. What *believed* holds was checked since that user's last change."""

    def __init__(
        self,
        key: bytes,
        settings: Auth,
        accounts: Ref,
        now: Callable[[], float] = time.time,
        believed: Believed | None = None,
    ) -> None:
        self._key = key
        self._settings = settings
        self._accounts = accounts
        self._now = now
        self._believed = believed or Believed(0)

    def seal(self, text: bytes) -> str:
        """Return a digest by which nobody without the hub's key can tell, or guess, what the text was."""
        return hmac.digest(self._key, text, "sha256").hex()

    async def sign_in(self, username: str, password: str) -> Session:
        """Return a new session. Raise Unauthenticated."""
        user = await self.prove(username, password)
        family = self._family(uuid7(self._now()), user.id)
        await self._accounts.ask(a.OpenSession(session=family), timeout=ASK)
        return self._session(user, family)

    async def prove(self, username: str, password: str) -> User:
        """Return whose password it is. Raise Unauthenticated. After failures under this name it takes longer, also for the owner."""
        delay = await self._accounts.ask(a.GetDelay(username=username), timeout=ASK)
        if delay:
            await asyncio.sleep(delay)
        return await self._accounts.ask(a.Authenticate(username=username, password=password), timeout=ASK)

    async def refresh(self, token: str, *, shared: bool = False) -> Session:
        """Trade a refresh token for new ones; the old one is spent. Raise Unauthenticated. *shared*: it came as a cookie."""
        claims = self._read(token, REFRESH)
        await self.still(claims)
        family = self._family(claims.session, claims.user_id)
        user = await self._accounts.ask(a.RenewSession(session=family, spent=claims.jti, shared=shared), timeout=ASK)
        return self._session(user, family)

    def known(self, token: str) -> Caller | None:
        """Return whose token it is, if it was checked before and is still good."""
        known = self._believed.get(token)
        return known if known is not None and known.claims.expires_at > self._now() else None

    async def check(self, token: str) -> Caller:
        """Return who an access token or a machine's token belongs to. Raise Unauthenticated."""
        known = self.known(token)
        if known is not None:
            return known
        changes = self._believed.changes
        caller = await (self._check_machine(token) if token.startswith(MACHINE) else self._check(token))
        self._believed.keep(token, caller, changes)
        return caller

    async def _check(self, token: str) -> Caller:
        claims = self._read(token, ACCESS)
        return Caller(user=await self.still(claims), claims=claims)

    async def _check_machine(self, token: str) -> Caller:
        user, known = await self._accounts.ask(a.CheckMachine(digest=digest(token)), timeout=ASK)
        claims = Claims(jti=known.id, user_id=user.id, use=ACCESS, expires_at=known.expires_at)
        return Caller(user=user, claims=claims, scopes=known.scopes)

    async def make_machine(self, user: User, name: str, scopes: tuple[str, ...], expires_in: float) -> tuple[str, ApiToken]:
        """Return a new token for a machine that acts as *user*, and what is known of it; its text is not kept."""
        now = self._now()
        text = MACHINE + secrets.token_urlsafe(32)
        token = ApiToken(id=uuid7(now), user_id=user.id, name=name, scopes=scopes, created_at=now, expires_at=now + expires_in)
        await self._accounts.ask(a.AddMachine(token=token, digest=digest(text)), timeout=ASK)
        return text, token

    def ticket(self, caller: Caller) -> str:
        """Return what lets one socket of the caller in, once, for whoever cannot set headers. Raise Forbidden."""
        if caller.scopes is not None:
            raise Forbidden("a machine's token opens sockets by itself, in the Authorization header or in `hello`")
        claims = caller.claims
        return self._make(caller.user, TICKET, TICKET_TTL, {"parent": claims.jti, "ends": claims.expires_at, "sid": claims.session})

    async def admit(self, ticket: str) -> Caller:
        """Take a ticket; it is worth nothing afterwards. Raise Unauthenticated."""
        claims = self._read(ticket, TICKET)
        if not await self._accounts.ask(a.RevokeToken(jti=claims.jti, expires_at=claims.expires_at), timeout=ASK):
            raise Unauthenticated("the ticket was used before")
        parent = Claims(jti=claims.parent, user_id=claims.user_id, use=ACCESS, expires_at=claims.ends, session=claims.session)
        return Caller(user=await self.still(parent), claims=parent)

    async def still(self, claims: Claims) -> User:
        """Return the user of a token that was believed before, as it is now. Raise Unauthenticated when it was revoked."""
        return await self._accounts.ask(a.CheckToken(jti=claims.jti, user_id=claims.user_id, session=claims.session), timeout=ASK)

    async def end(self, claims: Claims) -> None:
        """Make the token worthless, and the session it comes from."""
        await self._accounts.ask(a.RevokeToken(jti=claims.jti, expires_at=claims.expires_at, user_id=claims.user_id), timeout=ASK)
        if claims.session:
            await self._accounts.ask(a.EndSession(user_id=claims.user_id, id=claims.session), timeout=ASK)

    async def read_refresh(self, token: str) -> Claims:
        """Return what a refresh token that is still good says. Raise Unauthenticated."""
        claims = self._read(token, REFRESH)
        await self.still(claims)
        return claims

    def _family(self, session_id: str, user_id: str) -> Family:
        now = self._now()
        return Family(id=session_id, user_id=user_id, current=uuid7(now), expires_at=now + self._settings.refresh_ttl)

    def _session(self, user: User, family: Family) -> Session:
        return Session(
            access_token=self._make(user, ACCESS, self._settings.access_ttl, {"sid": family.id}),
            refresh_token=self._make(user, REFRESH, self._settings.refresh_ttl, {"sid": family.id, "jti": family.current}),
            expires_in=self._settings.access_ttl,
            user=user,
        )

    def _make(self, user: User, use: str, ttl: int, more: Mapping[str, object]) -> str:
        now = self._now()
        claims = {"iss": ISSUER, "sub": user.id, "use": use, "iat": int(now), "exp": int(now) + ttl, "jti": uuid7(now), **more}
        return jwt.encode(claims, self._key, algorithm="HS256")

    def _read(self, token: str, use: str) -> Claims:
        options: Any = {"require": ["iss", "sub", "use", "exp", "jti"], "verify_exp": False, "verify_iat": False}  # by our own clock below
        try:
            claims: Mapping[str, Any] = jwt.decode(token, self._key, algorithms=["HS256"], issuer=ISSUER, options=options)
        except (jwt.InvalidTokenError, UnicodeEncodeError):
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
            session=str(claims.get("sid", "")),
        )
