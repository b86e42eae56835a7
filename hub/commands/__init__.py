"""The commands of the command line, one file each; every one registers its own arguments."""

from hub.commands import ask, chat, fmt, openapi, serve, topology, user, verify, watch
from hub.commands import compile as compile_

COMMANDS = (serve, compile_, verify, fmt, topology, watch, ask, chat, user, openapi)
