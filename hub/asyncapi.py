"""The WebSocket protocol as an AsyncAPI 3 document, generated from the classes that read and describe its frames."""

from typing import Any

import attrs

from hub.schema import Mode, Schemas
from hub.ws.endpoint import ROUTES
from hub.ws.protocol import CHANNELS, FRAMES, SUBPROTOCOL
from hub.ws.replies import REPLIES
from paranet import __version__

Json = dict[str, Any]


def document() -> Json:
    """Return the document."""
    schemas = Schemas()
    received = {name: _message(name, cls, "in", schemas) for name, cls in FRAMES.items()}
    sent = {name: _message(name, cls, "out", schemas) for name, cls in REPLIES.items()}
    messages = {f"client.{name}": message for name, message in received.items()} | {
        f"hub.{name}": message for name, message in sent.items()
    }
    channels = {_name(path): _channel(path, listen.__doc__ or "", list(messages)) for path, listen in ROUTES}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "ParaNet Hub",
            "version": __version__,
            "description": "Named, ordered event streams and every REST operation over one socket. Frames are JSON objects in text "
            f"messages; the subprotocol is `{SUBPROTOCOL}`. Streams: "
            + ", ".join(f"`{name}{'<id>' if name.endswith('/') else ''}` ({route.access.name.lower()})" for name, route in CHANNELS.items())
            + ".",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": {
            operation: _operation(action, side, names, channels)
            for operation, action, side, names in (("listen", "receive", "client", FRAMES), ("tell", "send", "hub", REPLIES))
        },
        "components": {"messages": messages, "schemas": dict(sorted(schemas.components.items()))},
    }


def _message(name: str, cls: type, mode: Mode, schemas: Schemas) -> Json:
    """Return a frame: the class's members and its kind in `type`."""
    schema = schemas.of(cls, mode)
    if "$ref" in schema:
        schema = schemas.components.pop(schema["$ref"].rpartition("/")[2])
    properties = {"type": {"const": name}} | {key.rstrip("_"): value for key, value in schema["properties"].items()}
    required = ["type", *(field.name.rstrip("_") for field in attrs.fields(cls) if field.default is attrs.NOTHING)]
    payload = {"type": "object", "properties": properties, "required": required}
    return {"name": name, "summary": schema.get("description", ""), "payload": payload}


def _name(path: str) -> str:
    return path.strip("/").replace("/", "_").replace("{", "").replace("}", "")


def _channel(path: str, what: str, messages: list[str]) -> Json:
    found: Json = {
        "address": path,
        "description": what,
        "messages": {name.replace(".", "_"): {"$ref": f"#/components/messages/{name}"} for name in messages},
    }
    if "{id}" in path:
        found["parameters"] = {"id": {"description": "what it is about"}}
    return found


def _operation(action: str, side: str, names: Any, channels: Json) -> Json:
    channel = next(iter(channels))
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{side}_{name}"} for name in names],
    }
