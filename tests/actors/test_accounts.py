"""actors.accounts"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from actors.accounts import Accounts, Authenticate, CheckToken, Prune, RevokeToken, Role, User
from actors.runtime import ActorSystem, Ref
from actors.runtime.inspect import describe, state_of
from actors.storage import Database
from paranet.errors import Unauthenticated
from tests.actors.conftest import Clock

T = 10.0
PASSWORD = "correct horse battery"


@asynccontextmanager
async def signing_in(
    folder: Path, now: Clock, *, password: str | None = PASSWORD, show: Callable[[str], None] = lambda _: None
) -> AsyncIterator[tuple[Ref, ActorSystem]]:
    """The accounts of the folder's database, for as long as the block runs."""
    database = await Database.open(folder / "control.sqlite3", "control")
    try:
        async with ActorSystem(now=now) as system:
            yield await system.spawn("accounts", lambda: Accounts(database, now, show, password)), system
    finally:
        await database.close()


@pytest.fixture
async def accounts(tmp_path: Path, clock: Clock) -> AsyncIterator[Ref]:
    """Accounts with the admin only."""
    async with signing_in(tmp_path, clock) as (ref, _):
        yield ref


def files_below(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


async def admin(accounts: Ref) -> User:
    return await accounts.ask(Authenticate(username="admin", password=PASSWORD), timeout=T)


@pytest.mark.parametrize("name", ["admin", "Admin", "ADMIN"])
async def test_the_right_password_signs_in(accounts: Ref, name: str) -> None:
    """User names have no case."""
    user = await accounts.ask(Authenticate(username=name, password=PASSWORD), timeout=T)
    assert (user.username, user.role, user.role.word) == ("admin", Role.ADMIN, "admin")


@pytest.mark.parametrize(("name", "password"), [("admin", "wrong"), ("admin", ""), ("nobody", PASSWORD), ("", "")])
async def test_anything_else_does_not(accounts: Ref, name: str, password: str) -> None:
    """The refusal does not tell whether the user exists."""
    with pytest.raises(Unauthenticated) as caught:
        await accounts.ask(Authenticate(username=name, password=password), timeout=T)
    assert caught.value.detail == "the user name or the password is wrong"


async def test_a_password_is_made_up_and_shown_once(tmp_path: Path, clock: Clock) -> None:
    """When the settings have none, on the first start and never again; it works after a restart."""
    shown: list[str] = []
    for _ in range(2):
        async with signing_in(tmp_path, clock, password=None, show=shown.append) as (accounts, _system):
            assert len(shown) == 1
            assert (await accounts.ask(Authenticate(username="admin", password=shown[0]), timeout=T)).role is Role.ADMIN


async def test_a_given_password_is_not_shown(tmp_path: Path, clock: Clock) -> None:
    """Nor does a later setting change the one that is kept."""
    shown: list[str] = []
    async with signing_in(tmp_path, clock, show=shown.append) as (accounts, _):
        user = await admin(accounts)
    async with signing_in(tmp_path, clock, password="another", show=shown.append) as (accounts, _):
        assert await admin(accounts) == user
    assert not shown


async def test_the_database_holds_no_password(tmp_path: Path, clock: Clock) -> None:
    """Only an argon2id hash; messages and what operators see do not show it either."""
    async with signing_in(tmp_path, clock) as (accounts, system):
        cell = system.cell(accounts.path)
        assert cell is not None
        assert PASSWORD not in repr((describe(cell), state_of(cell), Authenticate(username="admin", password=PASSWORD)))
    stored = files_below(tmp_path)
    assert PASSWORD.encode() not in stored
    assert b"$argon2id$" in stored


async def test_a_token_counts_until_it_is_revoked(accounts: Ref) -> None:
    """Others of the same user go on counting; revoking twice is told."""
    user = await admin(accounts)
    assert await accounts.ask(CheckToken(jti="one", user_id=user.id), timeout=T) == user
    assert await accounts.ask(RevokeToken(jti="one", expires_at=2e9), timeout=T) is True
    assert await accounts.ask(RevokeToken(jti="one", expires_at=2e9), timeout=T) is False
    with pytest.raises(Unauthenticated):
        await accounts.ask(CheckToken(jti="one", user_id=user.id), timeout=T)
    assert await accounts.ask(CheckToken(jti="two", user_id=user.id), timeout=T) == user


async def test_a_token_of_nobody_does_not_count(accounts: Ref) -> None:
    """Whoever it names must be there."""
    with pytest.raises(Unauthenticated):
        await accounts.ask(CheckToken(jti="one", user_id="somebody"), timeout=T)


async def test_a_revocation_survives_a_restart(tmp_path: Path, clock: Clock) -> None:
    """A token that was given up does not come back with the hub."""
    async with signing_in(tmp_path, clock) as (accounts, _):
        user = await admin(accounts)
        await accounts.ask(RevokeToken(jti="one", expires_at=clock.now + 60), timeout=T)
    async with signing_in(tmp_path, clock) as (accounts, _):
        with pytest.raises(Unauthenticated):
            await accounts.ask(CheckToken(jti="one", user_id=user.id), timeout=T)


async def test_revocations_are_forgotten_when_the_token_has_expired(tmp_path: Path, clock: Clock) -> None:
    """Not before."""
    async with signing_in(tmp_path, clock) as (accounts, system):
        user = await admin(accounts)
        await accounts.ask(RevokeToken(jti="short", expires_at=clock.now + 60), timeout=T)
        await accounts.ask(RevokeToken(jti="long", expires_at=clock.now + 600), timeout=T)
        clock.now += 300
        accounts.tell(Prune())
        with pytest.raises(Unauthenticated):
            await accounts.ask(CheckToken(jti="long", user_id=user.id), timeout=T)
        cell = system.cell(accounts.path)
        assert cell is not None
        assert state_of(cell)["revoked_tokens"] == 1


async def test_hashing_does_not_delay_token_checks(accounts: Ref) -> None:
    """A check that comes after a crowd of sign-ins is answered before them."""
    user = await admin(accounts)
    answered: list[str] = []

    async def sign_in() -> None:
        await admin(accounts)
        answered.append("sign-in")

    async def check() -> None:
        await accounts.ask(CheckToken(jti="one", user_id=user.id), timeout=T)
        answered.append("check")

    await asyncio.gather(*(sign_in() for _ in range(6)), check())
    assert answered[0] == "check"
