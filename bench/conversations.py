"""200 conversations that stream at once: how late the first token is, and how late the event loop.

Tokens come from a source in this process, as a model's would, one every 20 ms in each conversation. Run: python -m bench.conversations
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from actors.accounts import Role
from actors.answering import Answer, Asked, Emit
from actors.channels import Outlets, Subscribe
from actors.chat import Chats, Say
from actors.conversations import Conversations, Said
from actors.frames import Frame
from actors.runtime import ActorSystem
from actors.storage import Database

RESULTS = Path(__file__).parent / "results" / "conversations.json"
CONVERSATIONS = 200
TOKENS = 100
PACE = 0.02
TICK = 0.01


class Listener:
    """Notes when each conversation's first token arrives, and how many frames there are."""

    def __init__(self) -> None:
        self.first: dict[str, float] = {}
        self.frames = 0
        self.done = 0

    def push(self, frame: Frame) -> bool:
        for payload in frame.payloads:
            body: Mapping[str, Any] = json.loads(payload)
            self.frames += 1
            for item in body.get("items", ()):
                if item["kind"] == "delta":
                    self.first.setdefault(body["ch"], time.perf_counter())
                self.done += item["kind"] == "done"
        return True


async def run() -> dict[str, float]:
    """Return the figures in ms."""
    sent: dict[str, float] = {}
    gate = asyncio.Event()

    async def answering(asked: Asked, _before: tuple[Said, ...], emit: Emit) -> Answer:
        await gate.wait()
        await asyncio.sleep(int(asked.text) % 20 / 1000)
        for n in range(TOKENS):
            if n == 0:
                sent[asked.text] = time.perf_counter()
            await emit({"kind": "delta", "text": "word "})
            await asyncio.sleep(PACE)
        return Answer(reply="word " * TOKENS)

    listener, outlets = Listener(), Outlets()
    outlets.add("bench", listener)
    lags: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        database = await Database.open(Path(folder) / "control.sqlite3", "control")
        async with ActorSystem() as system:
            store = Conversations(database)
            chats = await system.spawn("chat", lambda: Chats(store, outlets, time.time, answering, per_minute=10_000, idle=600.0))
            channels: dict[str, str] = {}
            for n in range(CONVERSATIONS):
                say = Say(conversation_id=None, text=str(n), owner="u", author="u", role=Role.VIEWER)
                begun = await chats.ask(say, timeout=30)
                channels[str(n)] = f"chat/{begun.conversation_id}"
                await chats.ask(Subscribe(channel=channels[str(n)], subscriber="bench", reply_to=n, reader="u"), timeout=30)
            gate.set()
            cpu, wall = time.process_time(), time.perf_counter()
            while listener.done < CONVERSATIONS:
                began = time.perf_counter()
                await asyncio.sleep(TICK)
                lags.append((time.perf_counter() - began - TICK) * 1e3)
            share = (time.process_time() - cpu) / (time.perf_counter() - wall)
        await database.close()
    late = sorted((listener.first[channels[n]] - at) * 1e3 for n, at in sent.items())
    lags.sort()
    return {
        "first_token_p50_ms": round(late[len(late) // 2], 2),
        "first_token_p99_ms": round(late[int(len(late) * 0.99)], 2),
        "loop_lag_p50_ms": round(lags[len(lags) // 2], 2),
        "loop_lag_p99_ms": round(lags[int(len(lags) * 0.99)], 2),
        "cpu_share": round(share, 2),
        "frames_a_token": round(listener.frames / CONVERSATIONS / TOKENS, 2),
    }


def main() -> None:
    """Measure, print and write the result."""
    result = asyncio.run(run())
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    for name, value in result.items():
        print(f"{name:24} {value:g}")


if __name__ == "__main__":
    main()
