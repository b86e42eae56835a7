"""`paranet openapi`: the API's description, for generators of clients."""

import argparse
import sys

from hub.openapi import encoded
from hub.typescript import definitions


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    command = commands.add_parser("openapi", help="print the description of the REST API (OpenAPI 3.1)")
    command.add_argument("--typescript", action="store_true", help="TypeScript definitions of bodies and frames instead")
    command.set_defaults(run=_print)


def _print(options: argparse.Namespace) -> int:
    sys.stdout.write(definitions() if options.typescript else encoded().decode() + "\n")
    return 0
