"""`paranet deploy FILE`: compile on a running hub, deploy, show how far every wave is, and end with the outcome as exit code."""

import argparse
import asyncio
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TextIO

from hub.client import HubClient
from hub.commands.sources import text_of, write_json
from hub.remote import add_options, client_of

EXIT = {"succeeded": 0, "rolled_back": 3, "cancelled": 4, "failed": 5}
"""exit code by ending; 1 is for what could not be begun, 2 for a wrong command line"""
WIDTH = 24
_DONE = ("committed", "confirmed")


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    command = commands.add_parser("deploy", help="compile an intent file on a running hub and deploy it")
    command.add_argument("file", help="the source, - for standard input")
    command.add_argument("--name", help="intents of the same name replace each other as a set")
    command.add_argument("--strategy", choices=("canary", "all-at-once"), default="canary", help="%(default)s")
    command.add_argument("--dry-run", action="store_true", help="only tell what would change, and whether it may")
    command.add_argument("--key", metavar="TEXT", help="an Idempotency-Key: asking again gives the same deployment")
    command.add_argument("--json", action="store_true", help="write the ending as one JSON document")
    add_options(command)
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    return asyncio.run(deploy(client_of(options), options, text_of(options.file)))


async def deploy(client: HubClient, options: argparse.Namespace, source: str) -> int:
    """Compile *source*, deploy it and follow it; return the exit code."""
    async with client as hub:
        compiled = (await hub.call("POST", "/intent/compile", body={"source": source, "name": options.name})).json()
        order = {"compile_id": compiled["id"], "strategy": {"kind": options.strategy}, "dry_run": options.dry_run}
        headers = {"Idempotency-Key": options.key} if options.key else {}
        answer = (await hub.call("POST", "/deploy/execute", body=order, headers=headers)).json()
        if options.dry_run:
            return _tell_validation(answer, as_json=options.json)
        deploy_id = str(answer["deploy_id"])
        board = Board(sys.stderr, answer)
        async for update in hub.watch(f"deploy/{deploy_id}"):
            for event in update.items:
                board.take(event)
            if board.state in EXIT:
                break
        ended = (await hub.call("GET", f"/deploy/status/{deploy_id}")).json()
    _tell_ending(ended, as_json=options.json)
    return EXIT[ended["state"]]


def _tell_validation(found: Mapping[str, Any], *, as_json: bool) -> int:
    if as_json:
        write_json(found)
        return 0 if found["ok"] else 1
    for device in found["changes"]:
        counts = ", ".join(f"{len(rows)} {what}" for what, rows in device["diff"].items() if rows)
        print(f"{device['node']}: {counts}")
    for conflict in found["conflicts"]:
        print(f"conflict on {conflict['node']}: {' '.join(conflict['row'])} belongs to {', '.join(conflict['owners']) or 'somebody else'}")
    for violation in found["verification"]["violations"]:
        print(f"{violation['check']}: {violation['message']}")
    for lease in found["leases"]:
        print(f"{lease['node']} is held by deployment {lease['deploy_id']}")
    print("it may be deployed" if found["ok"] else "it may not be deployed")
    return 0 if found["ok"] else 1


def _tell_ending(ended: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        write_json(ended)
        return
    devices = sum(len(wave["devices"]) for wave in ended["waves"])
    reason = f": {ended['reason']}" if ended["reason"] else ""
    print(f"{ended['deploy_id']} {ended['state']}, {devices} devices{reason}")
    if ended["inconsistent_devices"]:
        print(f"look at {', '.join(ended['inconsistent_devices'])}")


class Board:
    """A bar for each wave on a terminal, a line for each step of the whole elsewhere."""

    def __init__(self, out: TextIO, status: Mapping[str, Any]) -> None:
        self._out = out
        self._live = out.isatty()
        self._waves = [[device["node"] for device in wave["devices"]] for wave in status["waves"]]
        self._done: set[str] = set()
        self._shown = 0
        self.state = ""

    def take(self, event: Mapping[str, Any]) -> None:
        """Show one event of the deployment's channel."""
        self.state = event["state"]
        if event["device"]:
            (self._done.add if event["step"] in _DONE else self._done.discard)(event["device"])
        if self._live:
            self._draw(event)
        elif not event["device"]:
            wave = f" wave {event['wave'] + 1}/{len(self._waves)}" if event["wave"] is not None else ""
            print(f"{event['percent']:3}% {event['state']}{wave} {event['message']}".rstrip(), file=self._out)

    def lines(self) -> list[str]:
        """Return the bars."""
        found = []
        for i, nodes in enumerate(self._waves, 1):
            done = sum(node in self._done for node in nodes)
            full = WIDTH * done // max(1, len(nodes))
            found.append(f"wave {i}/{len(self._waves)} [{'#' * full}{'.' * (WIDTH - full)}] {done}/{len(nodes)}")
        return found

    def _draw(self, event: Mapping[str, Any]) -> None:
        eta = event.get("eta")
        left = f", {max(0.0, eta - time.time()):.0f} s left" if isinstance(eta, (int, float)) else ""
        at = datetime.fromtimestamp(event["at"]).astimezone().strftime("%H:%M:%S")
        lines = [*self.lines(), f"{at} {event['percent']:3}% {event['state']}{left} {event['message']}".rstrip()]
        up = f"\x1b[{self._shown}A" if self._shown else ""
        self._out.write(up + "".join(f"\r\x1b[K{line}\n" for line in lines))
        self._out.flush()
        self._shown = len(lines)
