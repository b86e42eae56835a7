"""`paranet user`: who may sign in. On the data directory while no hub runs on it, else through the running hub."""

import argparse
import asyncio
import getpass
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import orjson

from actors.accounts import Accounts, AddUser, ChangeUser, GetUsers
from actors.people import Person, Role
from actors.runtime import ActorSystem, Ref
from actors.storage import Database
from hub.house import claim
from hub.remote import Remote, add_options
from hub.rest.users import ROLES, NewUser, UserChange
from hub.settings import load
from paranet.codec import structure
from paranet.errors import NotFound, StorageFailed

ASK = 10.0
USERS = "/auth/users"
Work = Callable[[Ref], Awaitable[list[Person]]]


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    user = commands.add_parser("user", help="add users, change passwords, list who may sign in")
    actions = user.add_subparsers(required=True, metavar="ACTION")
    add = actions.add_parser("add", help="take somebody in; the password is asked for, or a line of standard input")
    add.add_argument("name")
    add.add_argument("--role", choices=ROLES, default=ROLES[0], help="%(default)s by default")
    add.set_defaults(run=_add)
    passwd = actions.add_parser("passwd", help="give somebody a new password; their sessions end")
    passwd.add_argument("name")
    passwd.set_defaults(run=_passwd)
    everybody = actions.add_parser("list", help="list all users")
    everybody.set_defaults(run=_list)
    for action in (add, passwd, everybody):
        action.add_argument("--data-dir", type=Path, help="of the hub (server.data_dir)")
        action.add_argument("--settings", type=Path, help="settings file instead of ./settings.toml")
        add_options(action)


def _add(options: argparse.Namespace) -> int:
    body = {"username": options.name, "password": _password(), "role": options.role}
    new = structure(body, NewUser)

    async def work(accounts: Ref) -> list[Person]:
        return [await accounts.ask(AddUser(username=new.username, role=Role[new.role.upper()], password=new.password), timeout=ASK)]

    if not _here(options, work):
        _print(Remote.of(options).ask("POST", USERS, data=orjson.dumps(body)).json())
    return 0


def _passwd(options: argparse.Namespace) -> int:
    body = {"password": _password()}
    change = structure(body, UserChange)

    async def work(accounts: Ref) -> list[Person]:
        found = [p for p in await accounts.ask(GetUsers(), timeout=ASK) if p.user.username.lower() == options.name.lower()]
        if not found:
            raise NotFound(f"there is no user {options.name!r}")
        return [await accounts.ask(ChangeUser(id=found[0].user.id, password=change.password), timeout=ASK)]

    if not _here(options, work):
        hub = Remote.of(options)
        users = hub.ask("GET", USERS, query={"limit": "1000"}).json()["items"]
        ids = [user["id"] for user in users if user["username"].lower() == options.name.lower()]
        if not ids:
            raise NotFound(f"there is no user {options.name!r}")
        _print(hub.ask("PUT", f"{USERS}/{ids[0]}", data=orjson.dumps(body)).json())
    return 0


def _list(options: argparse.Namespace) -> int:
    async def work(accounts: Ref) -> list[Person]:
        return list(await accounts.ask(GetUsers(), timeout=ASK))

    if not _here(options, work):
        for user in Remote.of(options).ask("GET", USERS, query={"limit": "1000"}).json()["items"]:
            _print(user)
    return 0


def _here(options: argparse.Namespace, work: Work) -> bool:
    """Do it on the data directory and print what came of it; False when a hub runs there."""
    flags = {"server": {"data_dir": options.data_dir}} if options.data_dir else {}
    folder = load(options.settings, flags).server.data_dir
    if not (folder / "control.sqlite3").is_file():
        raise StorageFailed(f"{folder} is no data directory: start the hub once, or name it with --data-dir")
    try:
        lock = claim(folder)
    except StorageFailed as busy:
        if "in use" in busy.detail:
            return False
        raise
    with closing(lock):
        for person in asyncio.run(_alone(folder, work)):
            user = person.user
            _print({"id": user.id, "username": user.username, "role": user.role.word})
    return True


async def _alone(folder: Path, work: Work) -> list[Person]:
    """Have the accounts of the folder do it, without the rest of the hub."""
    database = await Database.open(folder / "control.sqlite3", "control")
    try:
        async with ActorSystem(now=time.time) as system:
            return await work(await system.spawn("accounts", lambda: Accounts(database, time.time, _never, None)))
    finally:
        await database.close()


def _never(password: str) -> None:
    sys.stderr.write(f"admin was missing and is there again, with password {password}\n")


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    return getpass.getpass("Password: ")


def _print(user: dict[str, str]) -> None:
    print(f"{user['id']}  {user['role']:8}  {user['username']}")
