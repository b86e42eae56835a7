"""What lets users in beside their password: sessions, revoked tokens, tokens of machines. In memory, and on disk before that."""

from collections.abc import Callable

import attrs

from actors.storage import Database, once


@attrs.frozen(kw_only=True)
class Session:
    """One sign-in. *current* is the id of the only refresh token that is good; whoever shows an older one has stolen it, or was robbed.

    Times are UNIX s; *renewed_at* is not kept on disk.
    """

    id: str
    user_id: str
    current: str
    expires_at: float
    renewed_at: float = 0.0


@attrs.frozen(kw_only=True)
class ApiToken:
    """A token of a machine, known by the digest of its text; it acts as its user, within *scopes*. Times are UNIX s."""

    id: str
    user_id: str
    name: str
    scopes: tuple[str, ...]
    created_at: float
    expires_at: float


class Sessions:
    """Every write is on disk when it returns."""

    def __init__(self, database: Database, now: Callable[[], float]) -> None:
        self._database = database
        self._now = now
        self.revoked: set[str] = set()
        self.open: dict[str, Session] = {}
        self.machines: dict[str, ApiToken] = {}
        """by digest"""

    async def load(self) -> None:
        """Read the tables."""
        self.revoked = {str(jti) for (jti,) in await self._database.fetch("SELECT jti FROM revoked_token")}
        rows = await self._database.fetch("SELECT id, user_id, current, expires_at FROM session")
        found = [Session(id=str(i), user_id=str(u), current=str(c), expires_at=float(e or 0)) for i, u, c, e in rows]
        self.open = {session.id: session for session in found}
        machines = await self._database.fetch("SELECT digest, id, user_id, name, scopes, created_at, expires_at FROM api_token")
        self.machines = {
            str(digest): ApiToken(
                id=str(i), user_id=str(u), name=str(n), scopes=tuple(str(s).split()), created_at=float(c or 0), expires_at=float(e or 0)
            )
            for digest, i, u, n, s, c, e in machines
        }

    async def start(self, session: Session) -> None:
        """Begin a session."""
        await self._database.write(
            once(
                "INSERT INTO session (id, user_id, current, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
                (session.id, session.user_id, session.current, self._now(), session.expires_at),
            )
        )
        self.open[session.id] = session

    async def renew(self, session: Session) -> None:
        """Give the session its next refresh token."""
        await self._database.write(
            once("UPDATE session SET current = ?, expires_at = ? WHERE id = ?", (session.current, session.expires_at, session.id))
        )
        self.open[session.id] = session

    async def end(self, session_id: str) -> None:
        """End a session; all its tokens are worthless."""
        await self._database.write(once("DELETE FROM session WHERE id = ?", (session_id,)))
        self.open.pop(session_id, None)

    async def end_all(self, user_id: str, *, but: str = "") -> None:
        """End every session of a user, but one."""
        await self._database.write(once("DELETE FROM session WHERE user_id = ? AND id <> ?", (user_id, but)))
        self.open = {s.id: s for s in self.open.values() if s.user_id != user_id or s.id == but}

    async def revoke(self, jti: str, expires_at: float) -> None:
        """Make one token worthless until it expires."""
        await self._database.write(once("INSERT OR IGNORE INTO revoked_token (jti, expires_at) VALUES (?, ?)", (jti, expires_at)))
        self.revoked.add(jti)

    async def add_machine(self, token: ApiToken, digest: str) -> None:
        """Take a machine's token in."""
        await self._database.write(
            once(
                "INSERT INTO api_token (id, user_id, name, scopes, digest, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (token.id, token.user_id, token.name, " ".join(token.scopes), digest, token.created_at, token.expires_at),
            )
        )
        self.machines[digest] = token

    async def remove_machine(self, token_id: str) -> None:
        """Make a machine's token worthless."""
        await self._database.write(once("DELETE FROM api_token WHERE id = ?", (token_id,)))
        self.machines = {digest: token for digest, token in self.machines.items() if token.id != token_id}

    def forget_user(self, user_id: str) -> None:
        """The user is gone from the database, and with it everything of theirs."""
        self.open = {s.id: s for s in self.open.values() if s.user_id != user_id}
        self.machines = {digest: token for digest, token in self.machines.items() if token.user_id != user_id}

    async def prune(self) -> None:
        """Forget what has expired."""
        tables, now = ("revoked_token", "session", "api_token"), self._now()
        await self._database.write(*(once(f"DELETE FROM {table} WHERE expires_at < ?", (now,)) for table in tables))  # noqa: S608 - fixed words
        await self.load()
