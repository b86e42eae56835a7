"""`paranet verify`: whether the network would do what a source says, without a hub."""

import argparse
import sys
from collections.abc import Mapping

from hub.commands.sources import Work, add_arguments, compile_files, write_documents
from paranet.codec import unstructure
from paranet.models.intent import Report
from paranet.verifier import Promises, Verifier


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    command = commands.add_parser("verify", help="prove what an intent file would do")
    add_arguments(command)
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    found = [(work, _judged(work)) for work in compile_files(options)]
    if options.json:
        write_documents([_document(work, report) for work, report in found])
    else:
        for work, report in found:
            _tell(work, report)
    return 0 if all(report.ok for _, report in found) else 1


def _judged(work: Work) -> Report:
    if work.compiled is None or work.topology is None or not work.compiled.ok:
        return Report(ok=False, checked={})
    rows = {node: {row.id: row for row in held} for node, held in work.compiled.rows.items()}
    return Verifier(work.topology, rows, Promises.of(work.compiled)).report()


def _document(work: Work, report: Report) -> Mapping[str, object]:
    return {"file": work.file, "ok": report.ok, "diagnostics": work.diagnostics_json(), "verification": unstructure(report)}


def _tell(work: Work, report: Report) -> None:
    work.report()
    for violation in report.violations:
        hops = f" ({' > '.join(violation.witness.hops)})" if violation.witness.hops else ""
        print(f"{work.file}: error {violation.check}: {violation.message}{hops}", file=sys.stderr)
    if report.ok:
        print(f"{work.file}: {sum(report.checked.values())} checks, nothing to object to")
