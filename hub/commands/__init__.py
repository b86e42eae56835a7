"""The commands of the command line, one file each; every one registers its own arguments."""

from hub.commands import ask, chat, deploy, fmt, lab, openapi, rules, serve, topology, user, verify, watch
from hub.commands import compile as compile_

COMMANDS = (serve, compile_, verify, fmt, topology, watch, deploy, ask, chat, lab, rules, user, openapi)
