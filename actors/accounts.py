"""Accounts: owns users, their roles, their sessions and the tokens that were revoked before their time."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence

import argon2
import attrs

from actors.ids import uuid7
from actors.people import Failures, People, Person
from actors.people import Role as Role
from actors.people import User as User
from actors.runtime import Actor, Message, Request, handles
from actors.sessions import ApiToken, Session, Sessions
from actors.storage import Database
from paranet.errors import NotFound, Unauthenticated

log = logging.getLogger(__name__)

PRUNE_EVERY = 3600.0
SAME_MOMENT = 10.0
"""seconds"""


@attrs.frozen(kw_only=True)
class Authenticate(Request[User]):
    """Check a password. Raise Unauthenticated, in the same time whether or not the user exists."""

    username: str
    password: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class GetDelay(Request[float]):
    """Return the seconds that the next attempt to sign in under this name has to wait."""

    username: str


@attrs.frozen(kw_only=True)
class CheckToken(Request[User]):
    """Return the user of a token whose signature was checked already. Raise Unauthenticated when it is revoked or the user gone.

    *session* is empty for tokens that belong to none.
    """

    jti: str
    user_id: str
    session: str = ""


@attrs.frozen(kw_only=True)
class CheckMachine(Request[tuple[User, ApiToken]]):
    """Return whose token of a machine has this digest. Raise Unauthenticated."""

    digest: str


@attrs.frozen(kw_only=True)
class OpenSession(Request[None]):
    """Begin a session whose first refresh token is *current*."""

    session: Session


@attrs.frozen(kw_only=True)
class RenewSession(Request[User]):
    """Trade refresh token *spent* for that of *session*. Raise Unauthenticated; a token that was spent before ends the session.

    *shared*: the token is a cookie, which two pages of one browser may send at the same moment; the later one is only refused.
    """

    session: Session
    spent: str
    shared: bool = False


@attrs.frozen(kw_only=True)
class EndSession(Request[None]):
    """End one session of the user, or all of them when *id* is empty."""

    user_id: str
    id: str = ""


@attrs.frozen(kw_only=True)
class RevokeToken(Request[bool]):
    """Make a token worthless until it expires (UNIX time, s). False when it was worthless already."""

    jti: str
    expires_at: float
    user_id: str | None = None


@attrs.frozen(kw_only=True)
class GetUsers(Request[tuple[Person, ...]]):
    """Return all users by id."""


@attrs.frozen(kw_only=True)
class GetUser(Request[Person]):
    """Return one. Raise NotFound."""

    id: str


@attrs.frozen(kw_only=True)
class AddUser(Request[Person]):
    """Take somebody in. Raise AlreadyExists."""

    username: str
    role: Role
    password: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class ChangeUser(Request[Person]):
    """Change what is not None. Raise NotFound, AlreadyExists, WrongState. A new password ends the user's sessions, but *keep*."""

    id: str
    username: str | None = None
    role: Role | None = None
    password: str | None = attrs.field(default=None, repr=False)
    keep: str = ""


@attrs.frozen(kw_only=True)
class RemoveUser(Request[None]):
    """Let somebody go, with sessions and tokens. Raise NotFound, WrongState."""

    id: str


@attrs.frozen(kw_only=True)
class AddMachine(Request[None]):
    """Take a machine's token in."""

    token: ApiToken
    digest: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class GetMachines(Request[tuple[ApiToken, ...]]):
    """Return a user's tokens for machines, oldest first."""

    user_id: str


@attrs.frozen(kw_only=True)
class RemoveMachine(Request[None]):
    """Make a machine's token worthless. Raise NotFound when the user has none with this id."""

    user_id: str
    id: str


@attrs.frozen(kw_only=True)
class SessionsChanged(Message):
    """A token of the user was revoked, or the user is another now; told to who keeps sessions open. "" stands for any user."""

    user_id: str


@attrs.frozen(kw_only=True)
class ChangedElsewhere(Message):
    """Another hub on this database has changed the user or ended a session of theirs; "" when nobody knows whose."""

    user_id: str


@attrs.frozen(kw_only=True)
class Prune(Message):
    """Forget revocations of tokens that have expired."""


class Accounts(Actor):
    """Passwords are argon2id hashes (RFC 9106); hashing runs on a thread, two at a time, and never delays a token check.

    *forget* is called with the id of a user, "" for all, before anybody is answered that something of that user's was revoked;
    *announce* tells other hubs of it.
    """

    jobs_limit = 2

    def __init__(
        self,
        database: Database,
        now: Callable[[], float],
        first_password: Callable[[str], None],
        admin_password: str | None,
        listeners: Sequence[str] = (),
        forget: Callable[[str], None] = lambda _: None,
        announce: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._now = now
        self._show_first_password = first_password
        self._admin_password = admin_password
        self._listeners = listeners
        self._forget = forget
        self._announce = announce
        self._hasher = argon2.PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
        self._people = People(database)
        self._sessions = Sessions(database, now)
        self._failures = Failures(now)

    async def on_start(self) -> None:
        await self._people.load()
        await self._make_admin()
        await self._sessions.load()
        self._nobody = await self._hash(secrets.token_hex())
        self.timers.every("prune", Prune(), interval=PRUNE_EVERY)

    async def _make_admin(self) -> None:
        """Make `admin` on the first start; its password comes from the settings or is made up and shown once."""
        if len(self._people):
            return
        password = self._admin_password or secrets.token_urlsafe(12)
        await self._people.add(self._person("admin", Role.ADMIN, await self._hash(password)))
        if not self._admin_password:
            self._show_first_password(password)

    def _person(self, username: str, role: Role, hashed: str) -> Person:
        now = self._now()
        return Person(user=User(id=uuid7(now), username=username, role=role), hashed=hashed, created_at=now)

    async def _hash(self, password: str) -> str:
        return await asyncio.to_thread(self._hasher.hash, password)

    def inspect(self) -> Mapping[str, object]:
        sessions = self._sessions
        return {
            "users": len(self._people),
            "sessions": len(sessions.open),
            "revoked_tokens": len(sessions.revoked),
            "machines": len(sessions.machines),
        }

    @handles
    async def authenticate(self, message: Authenticate) -> User:
        person = self._people.named(message.username)
        return await self.defer(self._verify(person, message))

    async def _verify(self, person: Person | None, message: Authenticate) -> User:
        try:
            await asyncio.to_thread(self._hasher.verify, person.hashed if person else self._nobody, message.password)
        except argon2.exceptions.VerificationError:
            person = None
        if person is None:
            self._failures.count(message.username)
            raise Unauthenticated("the user name or the password is wrong")
        self._failures.clear(message.username)
        return person.user

    @handles
    async def delay(self, message: GetDelay) -> float:
        return self._failures.delay(message.username)

    # -- tokens and sessions

    @handles
    async def check_token(self, message: CheckToken) -> User:
        person = self._people.find(message.user_id)
        sessions = self._sessions
        if person is None or message.jti in sessions.revoked:
            raise Unauthenticated("the token is no longer valid")
        if message.session and message.session not in sessions.open:
            raise Unauthenticated("the session is over")
        return person.user

    @handles
    async def check_machine(self, message: CheckMachine) -> tuple[User, ApiToken]:
        token = self._sessions.machines.get(message.digest)
        person = self._people.find(token.user_id) if token else None
        if token is None or person is None or token.expires_at <= self._now():
            raise Unauthenticated("the token is no longer valid")
        return person.user, token

    @handles
    async def open_session(self, message: OpenSession) -> None:
        self._people.get(message.session.user_id)
        await self._sessions.start(message.session)

    @handles
    async def renew_session(self, message: RenewSession) -> User:
        renewed = message.session
        session, person = self._sessions.open.get(renewed.id), self._people.find(renewed.user_id)
        if session is None or person is None or session.user_id != renewed.user_id:
            raise Unauthenticated("the session is over")
        if session.current != message.spent:
            if message.shared and self._now() - session.renewed_at < SAME_MOMENT:
                raise Unauthenticated("the refresh token was used a moment ago")
            log.warning("a refresh token of %s was used twice: the session is ended", person.user.username)
            await self._sessions.end(session.id)
            self._changed(session.user_id)
            raise Unauthenticated("the refresh token was used before; sign in again")
        await self._sessions.renew(attrs.evolve(renewed, renewed_at=self._now()))
        return person.user

    @handles
    async def end_session(self, message: EndSession) -> None:
        if message.id:
            await self._sessions.end(message.id)
        else:
            await self._sessions.end_all(message.user_id)
        self._changed(message.user_id)

    @handles
    async def revoke(self, message: RevokeToken) -> bool:
        if message.jti in self._sessions.revoked:
            return False
        await self._sessions.revoke(message.jti, message.expires_at)
        if message.user_id is not None:
            self._changed(message.user_id)
        return True

    @handles
    async def prune(self, message: Prune) -> None:
        await self._sessions.prune()

    @handles
    async def changed_elsewhere(self, message: ChangedElsewhere) -> None:
        await self._people.load()
        await self._sessions.load()
        self._tell(message.user_id)

    def _changed(self, user_id: str) -> None:
        self._tell(user_id)
        self._announce(user_id)

    def _tell(self, user_id: str) -> None:
        self._forget(user_id)
        for listener in self._listeners:
            self.system.ref(listener).tell(SessionsChanged(user_id=user_id))

    # -- users

    @handles
    async def get_users(self, message: GetUsers) -> tuple[Person, ...]:
        return tuple(self._people.all())

    @handles
    async def get_user(self, message: GetUser) -> Person:
        return self._people.get(message.id)

    @handles
    async def add_user(self, message: AddUser) -> Person:
        person = self._person(message.username, message.role, await self._hash(message.password))
        await self._people.add(person)
        return person

    @handles
    async def change_user(self, message: ChangeUser) -> Person:
        before = self._people.get(message.id)
        wanted = {name: value for name in ("username", "role") if (value := getattr(message, name)) is not None}
        changed = attrs.evolve(before, user=attrs.evolve(before.user, **wanted))
        if message.password is not None:
            changed = attrs.evolve(changed, hashed=await self._hash(message.password))
        await self._people.change(changed)
        if message.password is not None:
            await self._sessions.end_all(message.id, but=message.keep)
        self._changed(message.id)
        return changed

    @handles
    async def remove_user(self, message: RemoveUser) -> None:
        await self._people.remove(message.id)
        self._sessions.forget_user(message.id)
        self._changed(message.id)

    # -- machines

    @handles
    async def add_machine(self, message: AddMachine) -> None:
        await self._sessions.add_machine(message.token, message.digest)

    @handles
    async def get_machines(self, message: GetMachines) -> tuple[ApiToken, ...]:
        found = [token for token in self._sessions.machines.values() if token.user_id == message.user_id]
        return tuple(sorted(found, key=lambda token: token.id))

    @handles
    async def remove_machine(self, message: RemoveMachine) -> None:
        found = [t for t in self._sessions.machines.values() if t.id == message.id and t.user_id == message.user_id]
        if not found:
            raise NotFound(f"there is no token {message.id[:60]!r}")
        await self._sessions.revoke(message.id, found[0].expires_at)  # for sockets that it opened
        await self._sessions.remove_machine(message.id)
        self._changed(message.user_id)
