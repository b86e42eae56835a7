"""`paranet topology`: files into a running hub, out of it, and what lies between revisions."""

import argparse
import re
import sys
from collections.abc import Mapping
from importlib import resources
from pathlib import Path, PurePath
from typing import Any

import orjson

from hub.remote import Answer, Progress, Remote, add_options
from paranet.errors import ParaNetError
from paranet.interop import node_link
from paranet.interop.registry import FORMATS, formats, read, write

TOPOHUB = "topohub:"
LARGE = 2**18
"""bytes from which on a bar shows how far an upload is"""
DIFFERENT = 3
"""the exit code of `diff --exit-code` when there is a difference"""
_WIDTH = 40
_KEY = re.compile(r"\w+(?:/\w+)+", re.ASCII)


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    topology = commands.add_parser("topology", help="take topologies into a running hub and out of it")
    actions = topology.add_subparsers(required=True, metavar="ACTION")
    take = actions.add_parser("import", help="take a file in")
    _add_file(take)
    take.add_argument("--merge", action="store_true", help="on top of what is there, instead of in its place")
    take.add_argument("--dry-run", action="store_true", help="only show what would change")
    take.add_argument("--if-revision", type=int, metavar="N", help="only if the hub's topology is still at revision N")
    take.set_defaults(run=_import)
    give = actions.add_parser("export", help="give the topology out")
    give.add_argument("--format", choices=[f.name for f in FORMATS], help="by default what the name of the file tells, else json")
    give.add_argument("-o", "--output", type=Path, help="a file, instead of standard output")
    give.set_defaults(run=_export)
    diff = actions.add_parser("diff", help="show what a file, or one revision, would change")
    _add_file(diff, needed=False)
    diff.add_argument("--from", type=int, dest="before", metavar="N", help="compare this revision instead of a file")
    diff.add_argument("--to", type=int, dest="after", metavar="N", help="with this one; the newest by default")
    diff.add_argument("--exit-code", action="store_true", help=f"exit with {DIFFERENT} if there is a difference")
    diff.set_defaults(run=_diff)
    for action in (take, give, diff):
        add_options(action)


def _add_file(parser: argparse.ArgumentParser, *, needed: bool = True) -> None:
    parser.add_argument("file", nargs=None if needed else "?", help=f"a file, - for standard input, or {TOPOHUB}GROUP/NAME")
    parser.add_argument("--format", choices=formats(), help="by default what the file's name and content tell")
    parser.add_argument("--demand-unit", metavar="UNIT", help=f"take the demands of a {TOPOHUB} network in, as numbers of UNIT (Mbps)")
    parser.add_argument("--json", action="store_true", help="print the hub's answer as it is")


def _import(options: argparse.Namespace) -> int:
    headers = {"If-Match": f'"{options.if_revision}"'} if options.if_revision is not None else {}
    query = {"mode": "merge" if options.merge else "replace", "dry_run": "true" if options.dry_run else "false"}
    answer = _send(options, query, headers)
    body = answer.json()
    _show(options, body, "would be revision" if options.dry_run else "revision", body["revision"] + options.dry_run)
    return 0


def _export(options: argparse.Namespace) -> int:
    name = options.format or (_named_by(options.output) if options.output else None) or "json"
    answer = Remote.of(options).ask("GET", "/topology/export", query={"format": name})
    if options.output:
        options.output.write_bytes(answer.body)
    else:
        sys.stdout.buffer.write(answer.body)
    return 0


def _named_by(file: PurePath) -> str | None:
    """Return the format that a name speaks for: the plainest of those with its suffix."""
    fitting = [f for f in FORMATS if file.name.lower().endswith(f.suffixes)]
    first = [f for f in fitting if file.name.lower().endswith(f.suffixes[0])]
    plain = [f for f in first if f.name in ("json", "yaml")]
    return next((f.name for f in (*plain, *first, *fitting)), None)


def _diff(options: argparse.Namespace) -> int:
    if (options.file is None) == (options.before is None):
        raise ParaNetError("diff takes a file or --from REVISION, one of the two")
    if options.file is not None:
        body = _send(options, {"mode": "replace", "dry_run": "true"}, {}).json()
        _show(options, body, "against revision", body["revision"])
    else:
        query = {"from": str(options.before)} | ({"to": str(options.after)} if options.after is not None else {})
        body = Remote.of(options).ask("GET", "/topology/diff", query=query).json()
        _show(options, body, f"revision {body['from']} to", body["to"])
    return DIFFERENT if options.exit_code and _lines(body) else 0


def _send(options: argparse.Namespace, query: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
    data = _content(options)
    return Remote.of(options).ask(
        "POST",
        "/topology/import",
        query={**query, "format": options.format} if options.format else query,
        headers={**headers, "Content-Type": "application/octet-stream"},
        data=data,
        progress=_bar() if len(data) > LARGE and sys.stderr.isatty() else None,
    )


def _content(options: argparse.Namespace) -> bytes:
    if options.file.startswith(TOPOHUB):
        return _from_topohub(options.file.removeprefix(TOPOHUB), options.demand_unit)
    if options.file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(options.file).read_bytes()
    except OSError as error:
        raise ParaNetError(f"{options.file}: {error.strerror or error}") from None


def _from_topohub(key: str, unit: str | None) -> bytes:
    """Return a network of the TopoHub collection as node-link JSON, or as our own with its demands."""
    try:
        data = (resources.files("topohub") / "data" / f"{key}.json").read_bytes() if _KEY.fullmatch(key) else None
    except ModuleNotFoundError:
        raise ParaNetError("the collection is not installed: pip install 'paranet-hub[topologies]'") from None
    except OSError:
        data = None
    if data is None:
        raise ParaNetError(f"TopoHub has no network {key!r}: names are like topozoo/Abilene, sndlib/polska, backbone/africa")
    if unit is None:
        return data
    return write(node_link.with_demands(read(data, format="node-link").topology, unit))


def _bar() -> Progress:
    def show(sent: int, size: int) -> None:
        done = sent * _WIDTH // size
        end = "\n" if sent == size else ""
        print(f"\r[{'#' * done}{' ' * (_WIDTH - done)}] {100 * sent // size:3d} %", end=end, file=sys.stderr, flush=True)

    return show


def _show(options: argparse.Namespace, body: Mapping[str, Any], title: str, revision: int) -> None:
    """Print what changed, a line each, and to standard error what was assumed."""
    if options.json:
        print(orjson.dumps(body, option=orjson.OPT_INDENT_2).decode())
        return
    for warning in body.get("warnings", ()):
        print(f"note: {warning['path']}: {warning['message']}", file=sys.stderr)
    lines = _lines(body)
    if not lines:
        print("no difference")
        return
    print(f"{title} {revision}")
    print("\n".join(lines))


def _lines(body: Mapping[str, Any]) -> list[str]:
    signs = (("added", "+"), ("changed", "~"), ("removed", "-"))
    lines = [f"{sign} {kind[:-1]} {part_id}" for side, sign in signs for kind, ids in body[side].items() for part_id in ids]
    return [*lines, *(["~ properties"] if body["properties"] else [])]
