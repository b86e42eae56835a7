"""`paranet chat`: a conversation with the assistant of a running hub; proposals are deployed when the person says so."""

import argparse
import asyncio
import sys
from typing import Any

from hub.client import HubClient
from hub.commands.ask import say, shown
from hub.remote import add_options, client_of
from paranet.errors import ParaNetError

HELP = "Say what the network should do, or ask about it. `deploy` deploys what was proposed last, `new` begins anew, `exit` ends."


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    chat = commands.add_parser("chat", help="talk to the assistant of a running hub")
    chat.add_argument("--conversation", metavar="ID", help="go on with this conversation")
    add_options(chat)
    chat.set_defaults(run=_chat)


def _chat(options: argparse.Namespace) -> int:
    try:
        asyncio.run(_talk(client_of(options), options.conversation))
    except (KeyboardInterrupt, EOFError):
        print()
    return 0


async def _talk(client: HubClient, conversation: str | None) -> None:
    print(HELP, file=sys.stderr)
    proposal: dict[str, Any] | None = None
    async with client as hub:
        await hub.call("GET", "/auth/me")
        while (line := (await asyncio.to_thread(input, "> ")).strip()) not in ("exit", "quit"):
            try:
                if line == "new":
                    conversation = proposal = None
                elif line == "deploy":
                    print(await _deploy(hub, proposal))
                    proposal = None
                elif line:
                    answer = await say(hub, line, conversation)
                    conversation, proposal = answer["conversation_id"], answer["proposal"]
                    print(shown(answer))
            except ParaNetError as error:
                print(error.detail, file=sys.stderr)


async def _deploy(hub: HubClient, proposal: dict[str, Any] | None) -> str:
    """Deploy a proposal: the person at the keyboard has just confirmed it."""
    if proposal is None:
        return "Nothing is proposed."
    started = (await hub.call("POST", "/deploy/execute", body={"compile_id": proposal["compile_id"]})).json()
    return f"Deployment {started['deploy_id']}: {started['state']}"
