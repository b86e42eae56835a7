"""Users and their password hashes: in memory, and in the table `account` before that."""

from collections.abc import Callable
from enum import IntEnum

import attrs

from actors.storage import Database, once
from paranet.errors import AlreadyExists, NotFound, WrongState


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
class Person:
    """A user with what only the accounts know. *created_at* is UNIX time in s."""

    user: User
    hashed: str = attrs.field(repr=False)
    created_at: float


class People:
    """The users of this hub. Names have no case."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._by_id: dict[str, Person] = {}
        self._by_name: dict[str, Person] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    async def load(self) -> None:
        """Read the table."""
        self._by_id, self._by_name = {}, {}
        rows = await self._database.fetch("SELECT id, username, role, password, created_at FROM account")
        for user_id, username, role, hashed, created_at in rows:
            user = User(id=str(user_id), username=str(username), role=Role[str(role).upper()])
            self._keep(Person(user=user, hashed=str(hashed), created_at=float(created_at or 0)))

    def all(self) -> list[Person]:
        """Return everybody, in the order of ids."""
        return [self._by_id[user_id] for user_id in sorted(self._by_id)]

    def named(self, username: str) -> Person | None:
        """Return who has this name."""
        return self._by_name.get(username.lower())

    def find(self, user_id: str) -> Person | None:
        """Return who has this id."""
        return self._by_id.get(user_id)

    def get(self, user_id: str) -> Person:
        """Return who has this id. Raise NotFound."""
        found = self._by_id.get(user_id)
        if found is None:
            raise NotFound(f"there is no user {user_id[:60]!r}")
        return found

    async def add(self, person: Person) -> None:
        """Take somebody in. Raise AlreadyExists."""
        user = person.user
        self._must_be_free(user.username)
        await self._database.write(
            once(
                "INSERT INTO account (id, username, role, password, created_at) VALUES (?, ?, ?, ?, ?)",
                (user.id, user.username, user.role.word, person.hashed, person.created_at),
            )
        )
        self._keep(person)

    async def change(self, person: Person) -> None:
        """Put somebody in the place of who has the same id. Raise NotFound, AlreadyExists, WrongState when no admin would be left."""
        before, user = self.get(person.user.id), person.user
        if user.username.lower() != before.user.username.lower():
            self._must_be_free(user.username)
        if user.role < Role.ADMIN:
            self._must_leave_an_admin(before)
        await self._database.write(
            once(
                "UPDATE account SET username = ?, role = ?, password = ? WHERE id = ?",
                (user.username, user.role.word, person.hashed, user.id),
            )
        )
        del self._by_name[before.user.username.lower()]
        self._keep(person)

    async def remove(self, user_id: str) -> None:
        """Let somebody go. Raise NotFound, WrongState when no admin would be left."""
        person = self.get(user_id)
        self._must_leave_an_admin(person)
        await self._database.write(once("DELETE FROM account WHERE id = ?", (user_id,)))
        del self._by_id[user_id], self._by_name[person.user.username.lower()]

    def _keep(self, person: Person) -> None:
        self._by_id[person.user.id] = self._by_name[person.user.username.lower()] = person

    def _must_be_free(self, username: str) -> None:
        if username.lower() in self._by_name:
            raise AlreadyExists(f"there is a user {username!r} already")

    def _must_leave_an_admin(self, person: Person) -> None:
        if person.user.role is Role.ADMIN and sum(p.user.role is Role.ADMIN for p in self._by_id.values()) == 1:
            raise WrongState("nobody would be left who may add users")


class Failures:
    """How often signing in to an account failed lately, whether or not there is such an account. Slows guessing, denies nobody."""

    FREE = 5
    """failures that cost nothing"""
    LONGEST = 3.0
    """seconds that the owner has to wait at most"""
    FORGET = 900.0
    """seconds after which failures are forgotten"""
    NAMES = 10_000

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._counts: dict[str, tuple[int, float]] = {}

    def count(self, username: str) -> None:
        """Note a failure."""
        name = self._key(username)
        failed = self._recent(name) + 1
        self._counts.pop(name, None)
        self._counts[name] = failed, self._now()
        if len(self._counts) > self.NAMES:
            del self._counts[next(iter(self._counts))]

    def clear(self, username: str) -> None:
        """The owner came in."""
        self._counts.pop(self._key(username), None)

    def delay(self, username: str) -> float:
        """Return the seconds that the next attempt has to wait."""
        over = self._recent(self._key(username)) - self.FREE
        return min(self.LONGEST, 0.25 * 2.0 ** min(over, 10)) if over >= 0 else 0.0

    def _recent(self, name: str) -> int:
        failed, at = self._counts.get(name, (0, 0.0))
        return failed if self._now() - at < self.FORGET else 0

    @staticmethod
    def _key(username: str) -> str:
        return username.lower()[:128]
