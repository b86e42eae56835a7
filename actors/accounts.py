"""Accounts: owns users, their roles and the tokens that were revoked before their time."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum

import argon2
import attrs

from actors.ids import uuid7
from actors.runtime import Actor, Message, Request, handles
from actors.storage import Database
from paranet.errors import Unauthenticated

log = logging.getLogger(__name__)

PRUNE_EVERY = 3600.0


class Role(IntEnum):
    """What a user may do; each includes those below."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        """The role as it is written on the wire."""
        return self.name.lower()


@attrs.frozen(kw_only=True)
class User:
    """Somebody who may sign in."""

    id: str
    username: str
    role: Role


@attrs.frozen(kw_only=True)
class Authenticate(Request[User]):
    """Check a password. Raise Unauthenticated, in the same time whether or not the user exists."""

    username: str
    password: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class CheckToken(Request[User]):
    """Return the user of a token whose signature was checked already. Raise Unauthenticated when it is revoked or the user gone."""

    jti: str
    user_id: str


@attrs.frozen(kw_only=True)
class RevokeToken(Request[bool]):
    """Make a token worthless until it expires (UNIX time, s). False when it was worthless already."""

    jti: str
    expires_at: float
    user_id: str | None = None


@attrs.frozen(kw_only=True)
class SessionsChanged(Message):
    """A token of the user was revoked, or the user is another now; told to who keeps sessions open."""

    user_id: str


@attrs.frozen(kw_only=True)
class Prune(Message):
    """Forget revocations of tokens that have expired."""


class Accounts(Actor):
    """Passwords are argon2id hashes (RFC 9106); hashing runs on a thread, two at a time, and never delays a token check."""

    jobs_limit = 2

    def __init__(
        self,
        database: Database,
        now: Callable[[], float],
        first_password: Callable[[str], None],
        admin_password: str | None,
        listeners: Sequence[str] = (),
    ) -> None:
        self._database = database
        self._now = now
        self._show_first_password = first_password
        self._admin_password = admin_password
        self._listeners = listeners
        self._hasher = argon2.PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)

    async def on_start(self) -> None:
        await self._make_admin()
        self._users: dict[str, User] = {}
        self._hashes: dict[str, tuple[User, str]] = {}
        for user_id, username, password, role in await self._database.fetch("SELECT id, username, password, role FROM account"):
            user = User(id=str(user_id), username=str(username), role=Role[str(role).upper()])
            self._users[user.id] = user
            self._hashes[user.username.lower()] = user, str(password)
        self._revoked = {str(jti) for (jti,) in await self._database.fetch("SELECT jti FROM revoked_token")}
        self._nobody = await asyncio.to_thread(self._hasher.hash, secrets.token_hex())
        self.timers.every("prune", Prune(), interval=PRUNE_EVERY)

    async def _make_admin(self) -> None:
        """Make `admin` on the first start; its password comes from the settings or is made up and shown once."""
        if await self._database.fetch("SELECT 1 FROM account LIMIT 1"):
            return
        password = self._admin_password or secrets.token_urlsafe(12)
        hashed = await asyncio.to_thread(self._hasher.hash, password)
        async with self._database.transaction() as tx:
            await tx.execute(
                "INSERT INTO account (id, username, password, role, created_at) VALUES (?, 'admin', ?, 'admin', ?)",
                (uuid7(self._now()), hashed, self._now()),
            )
        if not self._admin_password:
            self._show_first_password(password)

    def inspect(self) -> Mapping[str, object]:
        return {"users": len(self._users), "revoked_tokens": len(self._revoked)}

    @handles
    async def authenticate(self, message: Authenticate) -> User:
        user, hashed = self._hashes.get(message.username.lower(), (None, self._nobody))
        return await self.defer(self._verify(user, hashed, message.password))

    async def _verify(self, user: User | None, hashed: str, password: str) -> User:
        try:
            await asyncio.to_thread(self._hasher.verify, hashed, password)
        except argon2.exceptions.VerificationError:
            user = None
        if user is None:
            raise Unauthenticated("the user name or the password is wrong")
        return user

    @handles
    async def check_token(self, message: CheckToken) -> User:
        user = self._users.get(message.user_id)
        if user is None or message.jti in self._revoked:
            raise Unauthenticated("the token is no longer valid")
        return user

    @handles
    async def revoke(self, message: RevokeToken) -> bool:
        if message.jti in self._revoked:
            return False
        async with self._database.transaction() as tx:
            await tx.execute("INSERT OR IGNORE INTO revoked_token (jti, expires_at) VALUES (?, ?)", (message.jti, message.expires_at))
        self._revoked.add(message.jti)
        if message.user_id is not None:
            for listener in self._listeners:
                self.system.ref(listener).tell(SessionsChanged(user_id=message.user_id))
        return True

    @handles
    async def prune(self, message: Prune) -> None:
        async with self._database.transaction() as tx:
            await tx.execute("DELETE FROM revoked_token WHERE expires_at < ?", (self._now(),))
        self._revoked = {str(jti) for (jti,) in await self._database.fetch("SELECT jti FROM revoked_token")}
