"""The command line. Results go to stdout, everything else to stderr; a failure is one line and a non-zero exit."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from hub.commands import COMMANDS
from paranet import __version__
from paranet.errors import BadSettings, ParaNetError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    options = parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except ParaNetError as error:
        print(f"paranet: {error.detail}", file=sys.stderr)
        return 2 if isinstance(error, BadSettings) else 1
    except BrokenPipeError:  # the reader has seen enough, as `head` does; Python would complain once more when it flushes
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = argparse.ArgumentParser(prog="paranet", description="Program, prove, deploy and watch a multi-modal network.")
    top.add_argument("--version", action="version", version=f"paranet {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.register(commands)
    return top


def entry() -> NoReturn:
    """Run as a program."""
    sys.exit(main())
