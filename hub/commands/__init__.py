"""The commands of the command line, one file each; every one registers its own arguments."""

from hub.commands import compile as compile_
from hub.commands import deploy, fmt, lab, serve, topology, verify, watch

COMMANDS = (serve, compile_, verify, fmt, topology, watch, deploy, lab)
