"""The commands of the command line, one file each; every one registers its own arguments."""

from hub.commands import openapi, serve

COMMANDS = (serve, openapi)
