"""`paranet ask "..."`: one sentence for the assistant of a running hub; what it understood, and what it proposes."""

import argparse
import asyncio
import sys
from typing import Any

import orjson

from hub.client import HubClient
from hub.remote import add_options, client_of


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    ask = commands.add_parser("ask", help="say one sentence to the assistant of a running hub")
    ask.add_argument("sentence", nargs="+", help="what the network should do, or a question about it; English or Chinese")
    ask.add_argument("--source", action="store_true", help="print the intent source only")
    ask.add_argument("--json", action="store_true", help="print the whole answer as JSON")
    ask.add_argument("--language", choices=("en", "zh"), help="of the answer; the sentence's own by default")
    add_options(ask)
    ask.set_defaults(run=_ask)


def _ask(options: argparse.Namespace) -> int:
    answer = asyncio.run(_answer(client_of(options), options))
    if options.json:
        print(orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode())
    elif options.source:
        sys.stdout.write(answer["source"] or "")
    else:
        print(shown(answer))
    return 0 if answer["source"] or not answer["needs"] else 1


async def _answer(client: HubClient, options: argparse.Namespace) -> dict[str, Any]:
    async with client as hub:
        return await say(hub, " ".join(options.sentence), language=options.language)


async def say(hub: HubClient, message: str, conversation_id: str | None = None, language: str | None = None) -> dict[str, Any]:
    """Return the assistant's answer to *message*. Raise ParaNetError."""
    body = {"message": message, "conversation_id": conversation_id, "language": language}
    answer: dict[str, Any] = (await hub.call("POST", "/intent/chat", body=body)).json()
    return answer


def shown(answer: dict[str, Any]) -> str:
    """Return an answer as people read it: the words, the source, the options of a question, and how to deploy a proposal."""
    lines = [answer["reply"]]
    if answer["source"]:
        lines += ["", *(f"    {line}" for line in answer["source"].splitlines())]
    lines += [f"  - {', '.join(need['options'])}" for need in answer["needs"] if need["options"]]
    if answer["proposal"]:
        lines += ["", f"compile_id {answer['proposal']['compile_id']}  plan {answer['proposal']['plan_hash'][:12]}"]
    return "\n".join(lines)
