"""`paranet compile`: what a source means for every device, without a hub."""

import argparse
from collections.abc import Mapping

import orjson

from hub.commands.sources import Work, add_arguments, compile_files, write_documents
from paranet.codec import unstructure
from paranet.compiler.render import PLATFORMS, render


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    command = commands.add_parser("compile", help="show what an intent file means for every device")
    add_arguments(command)
    command.add_argument("--platform", choices=PLATFORMS, help="write it in the words of a platform")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    works = list(compile_files(options))
    if options.json:
        write_documents([_document(work) for work in works])
    else:
        for work in works:
            work.report()
            _show(work, options.platform)
    return 0 if all(work.ok for work in works) else 1


def _document(work: Work) -> Mapping[str, object]:
    rows = work.compiled.rows if work.compiled else {}
    return {
        "file": work.file,
        "ok": work.ok,
        "diagnostics": work.diagnostics_json(),
        "devices": [{"node": node, "rows": unstructure(found)} for node, found in rows.items()],
        "paths": unstructure(work.compiled.paths) if work.compiled else [],
    }


def _show(work: Work, platform: str | None) -> None:
    for node, rows in (work.compiled.rows if work.compiled else {}).items():
        assert work.topology is not None
        if platform is None:
            lines = [f"{r.family} {r.key} {orjson.dumps(r.value).decode()}\n" for r in rows if r.family != "p4.pipeline"]
            text = "".join(lines)
        else:
            text = render(platform, work.topology.nodes[node], rows, work.topology)
        if text:
            print(f"# {node}\n{text}")
