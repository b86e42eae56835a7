"""`paranet lab`: a topology file as network namespaces of this machine, to deploy on. Needs root."""

import argparse
import asyncio
import os
from pathlib import Path

from paranet.errors import Forbidden, NotFound
from paranet.interop.registry import read, write


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    lab = commands.add_parser("lab", help="build a topology of network namespaces on this machine (root)")
    actions = lab.add_subparsers(required=True, metavar="ACTION")
    up = actions.add_parser("up", help="build it, and print it as JSON with its interfaces, addresses and drivers, to be imported")
    up.add_argument("file", type=Path, help="a topology in any format of docs/formats.md")
    up.set_defaults(run=_up)
    down = actions.add_parser("down", help="remove every namespace that `lab up` made")
    down.set_defaults(run=_down)


def _up(options: argparse.Namespace) -> int:
    from paranet.controller.linux import lab

    _check_root()
    try:
        topology = lab.wired(read(options.file.read_bytes(), filename=options.file.name).topology)
    except OSError as error:
        raise NotFound(f"{options.file}: {error.strerror}") from error
    asyncio.run(lab.up(topology))
    print(write(topology, format="json").decode())
    return 0


def _down(_options: argparse.Namespace) -> int:
    from paranet.controller.linux import lab

    _check_root()
    asyncio.run(lab.down())
    return 0


def _check_root() -> None:
    if os.geteuid() != 0:
        raise Forbidden("network namespaces need root: sudo paranet lab ...")
