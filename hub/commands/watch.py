"""`paranet watch CHANNEL`: what a channel of a running hub says, one JSON object a line, until it is interrupted."""

import argparse
import asyncio
import sys
from contextlib import suppress

import orjson

from hub.client import HubClient
from hub.remote import add_options, client_of


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    watch = commands.add_parser("watch", help="print a channel of a running hub as it goes on")
    watch.add_argument("channel", help="topology, telemetry, actors, deploy/ID and others")
    watch.add_argument("--since", metavar="EPOCH:OFFSET", help="go on after this position")
    watch.add_argument("--nodes", metavar="A,B", help="telemetry of these nodes only")
    watch.add_argument("--metrics", metavar="X,Y", help="these metrics only")
    watch.add_argument("--labels", metavar="NAME=VALUE,..", help="series with these labels only")
    watch.add_argument("--interval", metavar="TIME", help="at most once in this time, such as 1s")
    watch.add_argument("--changes", action="store_true", help="only values that are others than before")
    watch.add_argument("--count", type=int, metavar="N", help="stop after so many lines")
    add_options(watch)
    watch.set_defaults(run=_watch)


def _watch(options: argparse.Namespace) -> int:
    with suppress(KeyboardInterrupt, BrokenPipeError):
        asyncio.run(_print(client_of(options), options))
    return 0


async def _print(client: HubClient, options: argparse.Namespace) -> None:
    wanted = {name: value.split(",") for name in ("nodes", "metrics", "labels") if (value := getattr(options, name))}
    more = {name: value for name in ("interval", "changes") if (value := getattr(options, name))}
    left = options.count
    async with client as hub:
        async for update in hub.watch(options.channel, since=options.since, **wanted, **more):
            items = [update.items] if isinstance(update.items, dict) else update.items
            for item in items:
                sys.stdout.write(orjson.dumps(item).decode() + "\n")
                left = None if left is None else left - 1
                if left == 0:
                    return
            sys.stdout.flush()
