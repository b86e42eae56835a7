"""The laboratory: break the simulated network on purpose, and mend it."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import attrs

from actors.laboratory import LINKS, NODES, STEPS, ChangeRow, GetLab, LabState, Tamper
from hub.operations import Access, Call, Operation, Reply
from paranet.codec import unstructure
from paranet.errors import InvalidInput
from paranet.models.device import Row

API = "/api/v1/lab"
ASK = 10.0


@attrs.frozen(kw_only=True)
class Step:
    """Body of POST /lab/nodes/{id}/refuse and /lose: which step of a deployment."""

    step: str = "commit"


@attrs.frozen(kw_only=True)
class RowBody:
    """Body of PUT /lab/nodes/{id}/rows."""

    family: str
    key: str
    value: Mapping[str, object]


async def state(call: Call) -> Reply:
    """Return what is broken now."""
    return _shown(await call.house.system.ref("lab").ask(GetLab(), timeout=ASK))


async def tamper(call: Call, action: str) -> Reply:
    """Do one of the actions to a link or a node."""
    step = call.read(Step).step if action in STEPS and call.body else "commit"
    return await _done(call, Tamper(action=action, target=call.path["id"], step=step))


async def put_row(call: Call) -> Reply:
    """Install or replace a row behind the hub's back."""
    body = call.read(RowBody)
    row = Row(family=body.family, key=body.key, value=body.value)
    return await _done(call, ChangeRow(node=call.path["id"], row=row))


async def delete_row(call: Call) -> Reply:
    """Remove the row ?family= ?key= behind the hub's back."""
    family, key = call.query.get("family"), call.query.get("key")
    if not family or not key:
        raise InvalidInput("?family= and ?key= name the row")
    return await _done(call, ChangeRow(node=call.path["id"], key=(family, key)))


async def _done(call: Call, request: Tamper | ChangeRow) -> Reply:
    return _shown(await call.house.system.ref("lab").ask(request, timeout=ASK))


def _shown(found: LabState) -> Reply:
    return Reply(body=unstructure(found))


def _row(name: str, method: str, path: str, handler: Any, summary: str, *query: str) -> Operation:
    return Operation(
        name=f"lab.{name}",
        method=method,
        path=f"{API}{path}",
        access=Access.OPERATOR,
        handler=handler,
        summary=summary,
        query=frozenset(query),
    )


OPERATIONS = (
    _row("state", "GET", "", state, "What is broken on purpose"),
    *(_row(f"{a}-link", "POST", f"/links/{{id}}/{a}", partial(tamper, action=a), f"{a.capitalize()} a simulated link") for a in LINKS),
    *(
        _row(f"{a}-node", "POST", f"/nodes/{{id}}/{a}", partial(tamper, action=a), f"{a.capitalize()} a simulated node")
        for a in (*NODES, *STEPS)
    ),
    _row("change-row", "PUT", "/nodes/{id}/rows", put_row, "Change a row behind the hub's back"),
    _row("remove-row", "DELETE", "/nodes/{id}/rows", delete_row, "Remove a row behind the hub's back", "family", "key"),
)
