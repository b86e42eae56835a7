"""Plans: what a deployment will change on each device, computed on what is installed now."""

import hashlib
from collections.abc import Collection, Mapping, Sequence

import attrs
import orjson

from paranet.codec import unstructure
from paranet.errors import RowConflict
from paranet.models.device import Delta, Row, RowKey, Rows, fingerprint
from paranet.orchestrator.diff import desired_rows, diff


@attrs.frozen(kw_only=True)
class DevicePlan:
    """*delta* takes the device from the state named *base* (its transaction id) to the wanted one; its inverse leads back."""

    node: str
    base: str
    delta: Delta


@attrs.frozen(kw_only=True)
class Plan:
    """Everything one deployment does. *hash* is SHA-256 over the rest."""

    plan_id: str
    compile_id: str | None
    rolls_back: str | None
    topology_revision: int
    devices: tuple[DevicePlan, ...]
    hash: str

    @property
    def nodes(self) -> tuple[str, ...]:
        """The devices touched, sorted: the order in which they are leased."""
        return tuple(device.node for device in self.devices)

    @property
    def base(self) -> str:
        """Names the changes and what they were computed on, whoever plans them and when."""
        return _digest([self.topology_revision, unstructure(self.devices)])


def make_plan(
    *,
    plan_id: str,
    topology_revision: int,
    installed: Mapping[str, Rows],
    desired: Mapping[str, Rows],
    compile_id: str | None = None,
    rolls_back: str | None = None,
) -> Plan:
    """Return the plan from *installed* to *desired* (rows by node); devices without a change are left out."""
    devices = tuple(
        DevicePlan(node=node, base=fingerprint(installed[node]), delta=delta)
        for node in sorted(desired)
        if (delta := diff(installed[node], desired[node]))
    )
    body = {
        "plan_id": plan_id,
        "compile_id": compile_id,
        "rolls_back": rolls_back,
        "topology_revision": topology_revision,
        "devices": unstructure(devices),
    }
    return Plan(
        plan_id=plan_id,
        compile_id=compile_id,
        rolls_back=rolls_back,
        topology_revision=topology_revision,
        devices=devices,
        hash=_digest(body),
    )


def _digest(body: object) -> str:
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()


def wanted_rows(installed: Mapping[str, Rows], compiled: Mapping[str, Sequence[Row]], intents: Collection[str]) -> dict[str, Rows]:
    """Return every device's rows once *intents* own exactly the compiled rows. Raise RowConflict naming node, row and owners."""
    wanted: dict[str, Rows] = {}
    for node, rows in installed.items():
        try:
            wanted[node] = desired_rows(rows, compiled.get(node, ()), intents)
        except RowConflict as conflict:
            conflict.detail = f"{node}: {conflict.detail}"
            conflict.extra["node"] = node
            raise
    return wanted


def scope_of(intents: Collection[str], name: str | None, installed: Mapping[str, Rows]) -> frozenset[str]:
    """Return the intents a compilation speaks for: its own and, when it has a *name*, all that were deployed under that name."""
    scope = set(intents)
    if name is not None:
        scope |= {o for rows in installed.values() for row in rows.values() for o in row.owners if o.startswith(f"{name}/")}
    return frozenset(scope)


def conflicts(
    installed: Mapping[str, Rows], compiled: Mapping[str, Sequence[Row]], intents: Collection[str]
) -> tuple[Mapping[str, object], ...]:
    """Return every row (node, row, owners) that is compiled with a value other than the one in which somebody else holds it."""
    return tuple(
        {"node": node, "row": list(row.id), "owners": others}
        for node, rows in compiled.items()
        for row in rows
        if (held := installed.get(node, {}).get(row.id)) and not held.same_state(row)
        if (others := [o for o in held.owners if o not in intents]) or not held.owners
    )


def rolled_back_rows(installed: Mapping[str, Rows], plan: Plan) -> dict[str, Rows]:
    """Return every device's rows without what *plan* did, other people's later work kept.

    Raise RowConflict where they overlap: it names the first such row, and all of them in `conflicts`.
    """
    wanted: dict[str, Rows] = {node: dict(rows) for node, rows in installed.items()}
    found: list[RowConflict] = []
    for device in plan.devices:
        rows = dict(wanted.get(device.node, {}))
        for change in device.delta.changes:
            try:
                _undo(device.node, rows, change.id, change.before, change.after)
            except RowConflict as conflict:
                found.append(conflict)
        wanted[device.node] = rows
    if found:
        found[0].extra["conflicts"] = [dict(conflict.extra) for conflict in found]
        raise found[0]
    return wanted


def _undo(node: str, rows: dict[RowKey, Row], key: RowKey, before: Row | None, after: Row | None) -> None:
    now = rows.get(key)
    if (now is None) != (after is None) or (now is not None and after is not None and not now.same_state(after)):
        raise _conflict(node, key, now.owners if now else (), "was changed by later work")
    ours = set(after.owners if after else ()) | set(before.owners if before else ())
    others = tuple(o for o in (now.owners if now else ()) if o not in ours)
    if before is None and now is not None and others:
        rows[key] = attrs.evolve(now, owners=others)
    elif before is None:
        rows.pop(key, None)
    elif others and after is not None and not before.same_state(after):
        raise _conflict(node, key, others, "is wanted by others too")
    else:
        rows[key] = attrs.evolve(before, owners=tuple(sorted({*before.owners, *others})))


def _conflict(node: str, key: RowKey, owners: Sequence[str], why: str) -> RowConflict:
    return RowConflict(f"{node}: {' '.join(key)} {why}", node=node, row=list(key), owners=list(owners))
