"""What the commands on intent files share: reading a file with its imports, finding the topology, telling what is wrong."""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import attrs
import orjson

from paranet.compiler import compile_source, declared_topology
from paranet.compiler.sources import Gathered, as_json, gather
from paranet.errors import InvalidInput
from paranet.interop.registry import read as read_topology
from paranet.models.intent import Compiled, Diagnostic
from paranet.models.topology import Topology


@attrs.frozen(kw_only=True)
class Work:
    """A file that was compiled, as far as that went. Without a topology nothing was."""

    file: str
    gathered: Gathered
    topology: Topology | None
    diagnostics: tuple[Diagnostic, ...]
    compiled: Compiled | None

    @property
    def ok(self) -> bool:
        return self.compiled is not None and self.compiled.ok

    def report(self) -> None:
        """Write the diagnostics to stderr, a line each."""
        for found in self.diagnostics:
            print(self.gathered.show(found), file=sys.stderr)

    def diagnostics_json(self) -> list[object]:
        return [as_json(d, self.gathered) for d in self.diagnostics]


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add what every command that compiles understands."""
    command.add_argument("files", nargs="+", metavar="FILE", help="the sources, each by itself; - for standard input")
    command.add_argument("--topology", type=Path, metavar="FILE", help="a network file instead of the source's own network statements")
    command.add_argument("--json", action="store_true", help="write one JSON document")


def text_of(name: str) -> str:
    """Return the text of a file, - for standard input. Raise InvalidInput."""
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text("utf-8")
    except (OSError, ValueError) as error:
        raise InvalidInput(f"cannot read {name}: {getattr(error, 'strerror', None) or error}") from error


def compile_files(options: argparse.Namespace) -> Iterator[Work]:
    """Compile the files that the command names, one by one. Raise InvalidInput when one cannot be read."""
    for name in options.files:
        gathered = gather(name, text_of(name), _imported)
        topology, found = _topology(options.topology, gathered)
        compiled = compile_source(gathered.text, topology, imported=gathered.imported) if topology else None
        diagnostics = compiled.diagnostics if compiled else found
        yield Work(file=name, gathered=gathered, topology=topology, diagnostics=diagnostics, compiled=compiled)


def write_documents(found: Sequence[Mapping[str, object]]) -> None:
    """Write the document of the one file that was named, or the list of those of several, to stdout."""
    write_json(found[0] if len(found) == 1 else found)


def _imported(name: str) -> str | None:
    try:
        return Path(name).read_text("utf-8")
    except (OSError, ValueError):
        return None


def _topology(path: Path | None, gathered: Gathered) -> tuple[Topology | None, tuple[Diagnostic, ...]]:
    if path is None:
        return declared_topology(gathered.text, imported=gathered.imported)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}") from error
    return read_topology(data, filename=path.name).topology, ()


def write_json(body: object) -> None:
    """Write *body* to stdout."""
    print(orjson.dumps(body, option=orjson.OPT_INDENT_2).decode())
