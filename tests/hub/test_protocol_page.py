"""docs/protocol.md says what is implemented: its examples are frames, its tables are the code's."""

import json
import re
from pathlib import Path

import pytest

from hub.ws import endpoint
from hub.ws.closecodes import CloseCode
from hub.ws.protocol import FRAMES, channel_route, parse
from hub.ws.replies import REPLIES

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
CLIENT, SERVER = (part.partition("\n## ")[0] for part in re.split(r"\n## Frames of the (?:client|hub)\n", PAGE)[1:])
ROLES = re.findall(r"^\| `([\w/<>]+)` \| (viewer|operator|admin) \|", PAGE, re.MULTILINE)


def test_every_frame_of_the_client_has_an_example_that_parses() -> None:
    """And no example is of a frame that there is not."""
    examples = re.findall(r"`(\{.+?\})`[:|  ]", CLIENT)
    assert {json.loads(text)["type"] for text in examples} == set(FRAMES)
    for text in examples:
        parse(text)


def test_every_example_of_the_hub_is_json() -> None:
    """But for data and items, which are shown elsewhere."""
    examples = re.findall(r"^\| `(\{.+?\})` \|", SERVER, re.MULTILINE)
    kinds = [json.loads(text.replace("{...}", "{}").replace("[...]", "[]"))["type"] for text in examples]
    assert set(kinds) == set(REPLIES)
    assert kinds == ["welcome", "ok", "snapshot", "events", "lag", "resync", "error", "ping", "expiring", "bye"]


@pytest.mark.parametrize(
    "block", re.findall(r"```json\n(.+?)```", PAGE, re.DOTALL), ids=["topology", "telemetry", "actors", "deployments", "deploy"]
)
def test_every_item_is_json(block: str) -> None:
    """One object each."""
    assert isinstance(json.loads(block), dict)


def test_every_channel_is_listed_with_its_role() -> None:
    """The role that the code asks for."""
    assert [name for name, _ in ROLES] == ["topology", "telemetry", "alerts", "log", "actors", "deployments", "deploy/<id>"]
    assert [channel_route(name.replace("<id>", "1")).access.name.lower() for name, _ in ROLES] == [role for _, role in ROLES]


def test_every_address_is_listed() -> None:
    """In the order of the table of routes."""
    assert re.findall(r"^\| `(/ws[^`]*)` \|", PAGE, re.MULTILINE) == [path for path, _ in endpoint.ROUTES]


def test_every_close_code_is_listed() -> None:
    """With its name, where it is ours."""
    listed = {int(code): name.strip() for code, name in re.findall(r"^\| (\d{4}) \| ([a-z ]*)\|", PAGE, re.MULTILINE)}
    assert {int(code): "" if code < 4000 else code.name.lower().replace("_", " ") for code in CloseCode} | {1009: ""} == listed
