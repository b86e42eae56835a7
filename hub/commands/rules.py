"""`paranet rules test FILE`: unit tests of alert rules, in promtool's YAML."""

import argparse
import sys
from pathlib import Path

import orjson

from paranet.codec import unstructure
from paranet.errors import InvalidInput
from paranet.metrics.alerts.defaults import DEFAULTS
from paranet.metrics.alerts.ruletest import load_yaml, rules_of, run


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    rules = commands.add_parser("rules", help="alert rules")
    inner = rules.add_subparsers(required=True, metavar="COMMAND")
    test = inner.add_parser("test", help="run unit tests of rules")
    test.add_argument("file", type=Path, nargs="+", help="tests in promtool's YAML; rule_files are found beside them")
    test.set_defaults(run=_test)


def _test(options: argparse.Namespace) -> int:
    failed = False
    for file in options.file:
        text = _read(file)
        names = load_yaml(text).get("rule_files") or []
        known = [rule for name in names for found in sorted(file.parent.glob(str(name))) for rule in rules_of(load_yaml(_read(found)))]
        outcome = run(text, known if names else DEFAULTS)
        for failure in outcome.failures:
            print(orjson.dumps(unstructure(failure), option=orjson.OPT_INDENT_2).decode(), file=sys.stderr)
        print(f"{file}: {'ok' if outcome.ok else 'FAILED'}, {outcome.tests} tests, {len(outcome.failures)} failures")
        failed |= not outcome.ok
    return int(failed)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file} cannot be read: {error}") from None
