"""`paranet verify`: whether the network would do what a source says, without a hub."""

import argparse
import sys

from hub.commands.sources import add_arguments, compile_file, write_json
from paranet.codec import unstructure
from paranet.models.intent import Report
from paranet.verifier import Promises, Verifier


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    command = commands.add_parser("verify", help="prove what an intent file would do")
    add_arguments(command)
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    work = compile_file(options)
    report = Report(ok=False, checked={})
    if work.compiled and work.compiled.ok and work.topology:
        rows = {node: {row.id: row for row in found} for node, found in work.compiled.rows.items()}
        report = Verifier(work.topology, rows, Promises.of(work.compiled)).report()
    if options.json:
        write_json({"ok": report.ok, "diagnostics": work.diagnostics_json(), "verification": unstructure(report)})
        return 0 if report.ok else 1
    work.report()
    for violation in report.violations:
        hops = f" ({' > '.join(violation.witness.hops)})" if violation.witness.hops else ""
        print(f"{options.file}: error {violation.check}: {violation.message}{hops}", file=sys.stderr)
    if report.ok:
        print(f"{sum(report.checked.values())} checks, nothing to object to")
    return 0 if report.ok else 1
