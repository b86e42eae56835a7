"""`paranet fmt`: intent files in their canonical form."""

import argparse
import sys
from pathlib import Path

from hub.commands.sources import text_of, write_json
from paranet.compiler.format import format_source
from paranet.compiler.sources import as_json, gather
from paranet.errors import InvalidInput


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    command = commands.add_parser("fmt", help="write intent files in their canonical form")
    command.add_argument("files", nargs="+", metavar="FILE", help="the source, - for standard input")
    how = command.add_mutually_exclusive_group()
    how.add_argument("--check", action="store_true", help="change nothing; fail when a file is in another form")
    how.add_argument("--write", action="store_true", help="change the files instead of writing to standard output")
    command.add_argument("--json", action="store_true", help="write one JSON document")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    told: list[object] = []
    failed = False
    for name in options.files:
        source = text_of(name)
        text, found = format_source(source)
        gathered = gather(name, source, lambda _: None)
        failed = failed or bool(found) or (options.check and text != source)
        told.append({"file": name, "changed": text != source, "diagnostics": [as_json(d, gathered) for d in found]})
        if options.json:
            _write(options, name, source, text)
            continue
        for diagnostic in found:
            print(gathered.show(diagnostic), file=sys.stderr)
        if options.check and text != source:
            print(f"{name}: not in canonical form", file=sys.stderr)
        if not options.check and not options.write and not found:
            print(text, end="")
        _write(options, name, source, text)
    if options.json:
        write_json(told)
    return 1 if failed else 0


def _write(options: argparse.Namespace, name: str, source: str, text: str) -> None:
    if options.write and name != "-" and text != source:
        try:
            Path(name).write_text(text, "utf-8")
        except OSError as error:
            raise InvalidInput(f"cannot write {name}: {error.strerror}") from error
