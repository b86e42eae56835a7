"""Statements to operations: every name resolved, every value read, nothing decided yet about how the network does it."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from paranet.compiler.ast import Attribute, Directive, Item, Statement
from paranet.compiler.context import Context
from paranet.compiler.diagnostics import Log, suggestion
from paranet.compiler.flows import read_acl, read_qos
from paranet.compiler.ir import GlobalIR, Operation
from paranet.compiler.places import read_cache, read_group, read_multicast, read_region
from paranet.compiler.policy import specific
from paranet.compiler.routes import read_route

KEYWORDS = ("network", "node", "link", "route", "policy", "qos", "acl", "cache", "region", "multicast", "group", "import")
_READERS: Mapping[str, Callable[[Statement, Context], Sequence[Operation]]] = {
    "route": read_route,
    "acl": read_acl,
    "qos": read_qos,
    "cache": read_cache,
    "multicast": read_multicast,
}


def check_statements(items: Iterable[Item], log: Log, imported: Collection[str] | None) -> None:
    """Report what may not stand at the top of a source. *imported* are the files that were read, None where none may be."""
    for item in items:
        if isinstance(item, Attribute):
            log.error("PN215", item.name.span, f"the attribute {item.name.text!r} stands outside any statement")
        elif isinstance(item, Directive) and item.keyword.text == "import":
            _check_import(item, log, imported)
        elif isinstance(item, Directive) or item.keyword.text not in KEYWORDS:
            hint = None if log.full else suggestion(item.keyword.text, KEYWORDS) or f"there are {', '.join(KEYWORDS)}"
            log.error("PN201", item.keyword.span, f"there is no statement {item.keyword.text!r}", hint=hint)
        elif item.keyword.text == "import":
            log.error("PN207", item.span, "import takes a file's name", hint='write import "other.pn"')


def _check_import(item: Directive, log: Log, imported: Collection[str] | None) -> None:
    if imported is None:
        hint = "paste what is in it, or compile on the command line"
        log.error("PN226", item.argument.span, f"cannot import {item.argument.text!r}: there are no files here", hint=hint)
    elif item.argument.text not in imported:
        log.error("PN226", item.argument.span, f"cannot import {item.argument.text!r}: it cannot be read, or imports itself")


def lower(items: Iterable[Item], context: Context) -> GlobalIR:
    """Return the operations that *items* ask for; those with an error are left out and reported. Groups and regions come first."""
    statements = [i for i in items if isinstance(i, Statement)]
    for statement in statements:
        if statement.keyword.text == "group":
            read_group(statement, context)
    operations: list[Operation] = []
    for statement in statements:
        if statement.keyword.text == "region":
            operations += read_region(statement, context)
    for statement in statements:
        read: Statement | None = statement
        if statement.keyword.text == "policy":
            read = specific(statement, context)
        if read and (reader := _READERS.get(read.keyword.text)):
            operations += reader(read, context)
    return GlobalIR(operations=tuple(operations))
