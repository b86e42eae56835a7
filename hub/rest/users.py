"""Users and their roles, for admins; tokens for machines, for everybody's own."""

import re
from typing import Any

import attrs

from actors.accounts import AddUser, ChangeUser, GetMachines, GetUser, GetUsers, RemoveMachine, RemoveUser, Role
from actors.people import Person
from actors.runtime import Ref
from actors.sessions import ApiToken
from hub.bodies import Length, Range, page_of
from hub.operations import Access, Call, Operation, Reply, page
from hub.rest.auth import API, ASK
from hub.times import Time, rfc3339
from paranet.errors import BadField, NotFound, WrongState

USERNAME = re.compile(r"[a-z0-9_][a-z0-9._@-]{0,63}", re.IGNORECASE | re.ASCII)
ROLES = tuple(role.word for role in Role)
SCOPE = re.compile(r"\*|read|(topology|intent|chat|deploy|monitor|alerts|prometheus|lab|system|auth)(:read)?")
LONGEST = 366 * 86400
"""seconds that a machine's token may last"""


def _check_name(_instance: object, attribute: "attrs.Attribute[str]", value: str | None) -> None:
    if value is not None and USERNAME.fullmatch(value) is None:
        raise BadField(attribute.name, f"{value[:60]!r} is not a user name: letters, digits and . _ - @, at most 64")


def _check_role(_instance: object, attribute: "attrs.Attribute[str]", value: str | None) -> None:
    if value is not None and value not in ROLES:
        raise BadField(attribute.name, f"must be one of {', '.join(ROLES)}")


def _check_scopes(_instance: object, attribute: "attrs.Attribute[Any]", value: tuple[str, ...]) -> None:
    if not value or len(value) > 20 or not all(SCOPE.fullmatch(scope) for scope in value):
        raise BadField(attribute.name, "must be scopes such as *, read, topology, monitor:read")


_PASSWORD = Length(8, 1024)
_ROLE_WORDS = {"schema": {"enum": list(ROLES)}}


@attrs.frozen(kw_only=True)
class NewUser:
    """Somebody to take in."""

    username: str = attrs.field(validator=_check_name)
    password: str = attrs.field(repr=False, validator=_PASSWORD)
    role: str = attrs.field(validator=_check_role, metadata=_ROLE_WORDS)


@attrs.frozen(kw_only=True)
class UserChange:
    """What is left out or null stays as it is. A new password ends the user's sessions."""

    username: str | None = attrs.field(default=None, validator=_check_name)
    password: str | None = attrs.field(default=None, repr=False, validator=_PASSWORD)
    role: str | None = attrs.field(default=None, validator=_check_role, metadata={"schema": {"enum": [*ROLES, None]}})


@attrs.frozen(kw_only=True)
class UserBody:
    """A user as admins see it."""

    id: str
    username: str
    role: str
    created_at: Time


@attrs.frozen(kw_only=True)
class NewToken:
    """A token for a machine: acts as you within *scopes* (`*`, `read`, `topology`, `monitor:read` ..), for *expires_in* s."""

    name: str = attrs.field(validator=Length(1, 128))
    scopes: tuple[str, ...] = attrs.field(validator=_check_scopes)
    expires_in: int = attrs.field(default=30 * 86400, validator=Range(1, LONGEST))


@attrs.frozen(kw_only=True)
class TokenBody:
    """What is known of a machine's token."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: Time
    expires_at: Time


@attrs.frozen(kw_only=True)
class TokenMade:
    """The token itself is shown this once."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: Time
    expires_at: Time
    token: str = attrs.field(repr=False)


def _accounts(call: Call) -> Ref:
    return call.house.system.ref("accounts")


async def get_users(call: Call) -> Reply:
    """Return the users, paged by id."""
    limit, after = call.integer("limit", 100, 1, 1000), call.query.get("cursor", "")
    people = await _accounts(call).ask(GetUsers(), timeout=ASK)
    found = [_shown(person) for person in people if person.user.id > after]
    return Reply(body=page(found[: limit + 1], limit, lambda user: str(user.id)))


async def add_user(call: Call) -> Reply:
    """Take somebody in."""
    body = call.read(NewUser)
    request = AddUser(username=body.username, role=Role[body.role.upper()], password=body.password)
    person = await _accounts(call).ask(request, timeout=ASK)
    return Reply(status=201, body=_shown(person), location=f"{API}/users/{person.user.id}")


async def get_user(call: Call) -> Reply:
    """Return one user."""
    return Reply(body=_shown(await _accounts(call).ask(GetUser(id=call.path["id"]), timeout=ASK)))


async def change_user(call: Call) -> Reply:
    """Change name, role or password. It counts at once, also for whoever is signed in."""
    body = call.read(UserChange)
    role = Role[body.role.upper()] if body.role is not None else None
    request = ChangeUser(id=call.path["id"], username=body.username, role=role, password=body.password)
    return Reply(body=_shown(await _accounts(call).ask(request, timeout=ASK)))


async def remove_user(call: Call) -> Reply:
    """Let somebody go; their sessions and tokens end at once."""
    assert call.caller is not None
    if call.path["id"] == call.caller.user.id:
        raise WrongState("nobody removes themselves: let another admin do it")
    await _accounts(call).ask(RemoveUser(id=call.path["id"]), timeout=ASK)
    return Reply(status=204)


async def get_tokens(call: Call) -> Reply:
    """Return your tokens for machines."""
    assert call.caller is not None
    found = await _accounts(call).ask(GetMachines(user_id=call.caller.user.id), timeout=ASK)
    return Reply(body={"items": [TokenBody(**_token(token)) for token in found], "next": None})


async def get_token(call: Call) -> Reply:
    """Return what is known of one of your tokens."""
    assert call.caller is not None
    found = await _accounts(call).ask(GetMachines(user_id=call.caller.user.id), timeout=ASK)
    for token in found:
        if token.id == call.path["id"]:
            return Reply(body=TokenBody(**_token(token)))
    raise NotFound(f"you have no token {call.path['id'][:60]!r}")


async def add_token(call: Call) -> Reply:
    """Make a token for a machine. It can do what you can, within its scopes, but nothing to accounts."""
    assert call.caller is not None
    body = call.read(NewToken)
    text, token = await call.house.tokens.make_machine(call.caller.user, body.name, body.scopes, body.expires_in)
    return Reply(status=201, body=TokenMade(token=text, **_token(token)), location=f"{API}/tokens/{token.id}")


async def remove_token(call: Call) -> Reply:
    """Make one of your tokens worthless."""
    assert call.caller is not None
    await _accounts(call).ask(RemoveMachine(user_id=call.caller.user.id, id=call.path["id"]), timeout=ASK)
    return Reply(status=204)


def _shown(person: Person) -> UserBody:
    user = person.user
    return UserBody(id=user.id, username=user.username, role=user.role.word, created_at=Time(rfc3339(person.created_at) or ""))


def _token(token: ApiToken) -> dict[str, Any]:
    times = {"created_at": rfc3339(token.created_at), "expires_at": rfc3339(token.expires_at)}
    return {"id": token.id, "name": token.name, "scopes": token.scopes, **times}


_USERS, _TOKENS = f"{API}/users", f"{API}/tokens"
_ANNA = {"username": "anna", "password": "correct horse battery", "role": "operator"}
_PROBE = {"name": "probe", "scopes": ["monitor"], "expires_in": 86400}


def _row(name: str, method: str, path: str, access: Access, handler: Any, summary: str, **more: Any) -> Operation:
    return Operation(name=f"auth.{name}", method=method, path=path, access=access, handler=handler, summary=summary, **more)


OPERATIONS = (
    _row(
        "users.list",
        "GET",
        _USERS,
        Access.ADMIN,
        get_users,
        "Return the users",
        query=frozenset({"limit", "cursor"}),
        reply=page_of(UserBody),
    ),
    _row("users.add", "POST", _USERS, Access.ADMIN, add_user, "Add a user", body=NewUser, reply=UserBody, statuses=(201,), example=_ANNA),
    _row("users.get", "GET", f"{_USERS}/{{id}}", Access.ADMIN, get_user, "Return a user", reply=UserBody),
    _row(
        "users.change",
        "PUT",
        f"{_USERS}/{{id}}",
        Access.ADMIN,
        change_user,
        "Change a user",
        body=UserChange,
        reply=UserBody,
        example={"role": "viewer"},
    ),
    _row("users.remove", "DELETE", f"{_USERS}/{{id}}", Access.ADMIN, remove_user, "Remove a user", statuses=(204,)),
    _row("tokens.list", "GET", _TOKENS, Access.VIEWER, get_tokens, "Return my tokens for machines", reply=page_of(TokenBody)),
    _row("tokens.get", "GET", f"{_TOKENS}/{{id}}", Access.VIEWER, get_token, "Return one of my tokens", reply=TokenBody),
    _row(
        "tokens.add",
        "POST",
        _TOKENS,
        Access.VIEWER,
        add_token,
        "Make a token for a machine",
        body=NewToken,
        reply=TokenMade,
        statuses=(201,),
        example=_PROBE,
    ),
    _row("tokens.remove", "DELETE", f"{_TOKENS}/{{id}}", Access.VIEWER, remove_token, "Remove a token", statuses=(204,)),
)
