"""The API's description (OpenAPI 3.1), made from the table of operations, the classes behind their bodies and the table of errors."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from http import HTTPStatus

import attrs
import orjson

from hub.auth import ACCESS_COOKIE
from hub.operations import Operation
from hub.problems import STATUS, Problem
from hub.repeats import REPEATABLE
from hub.rest import OPERATIONS
from hub.samples import OPEN, sample
from hub.schema import Json, Schemas
from hub.shapes import Shape, shape_of
from paranet import __version__
from paranet.errors import Fault

JSON, PROBLEM, OCTETS = "application/json", "application/problem+json", "application/octet-stream"
BYTES: Json = {"type": "string", "format": "binary"}
"""so that generators of clients take a file; by OpenAPI 3.1 alone no schema would be needed"""
GRAPHML = '<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><graph edgedefault="undirected"><node id="r1"/></graph></graphml>'
"""a file of a format that is no JSON"""
_PART = re.compile(r"{(\w+)(?::[^{}]*)?}")

_COMMON = (400, 404, 415, 422, 429, 431, 500, 502, 503, 504)
_GUARDED = (401, 403)
_WRITES = (409, 412, 413)
_WORDED = (400, 422, 503)
"""statuses of refusals, by what kind of operation can meet them"""

PARAMETERS: Mapping[str, Json] = {
    "limit": {"description": "at most so many items", "schema": {"type": "integer", "minimum": 1}},
    "cursor": {"description": "the `next` of the page before", "schema": {"type": "string"}},
    "start": {"description": "UNIX time in ms", "schema": {"type": "integer", "minimum": 0}},
    "end": {"description": "UNIX time in ms", "schema": {"type": "integer", "minimum": 0}},
    "window": {"description": "ms", "schema": {"type": "integer", "minimum": 1}},
    "names": {"description": "names of metrics, commas between", "schema": {"type": "string"}},
    "nodes": {"description": "ids of nodes, commas between", "schema": {"type": "string"}},
    "mode": {"description": "instead of what is there, or on top of it", "schema": {"type": "string", "enum": ["replace", "merge"]}},
    "dry_run": {"description": "only say what would be done", "schema": {"type": "string", "enum": ["false", "true"]}},
    "cascade": {"description": "take what depends on it along", "schema": {"type": "string", "enum": ["false", "true"]}},
}
"""what is known of a query parameter by its name; any other is text"""

TAKEN: Mapping[str, Json] = {
    "If-None-Match": {"description": "the ETag of what one has: 304 when that is the newest", "schema": {"type": "string"}},
    "If-Match": {"description": "the ETag of what one has seen: 412 when somebody has changed it since", "schema": {"type": "string"}},
    "Idempotency-Key": {
        "description": "asked again with the same key within a day, it is not done again but answered as before (`Idempotency-Replayed`)",
        "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
    },
    "Prefer": {"description": "`wait=30` answers when it has ended, after so many seconds at most", "schema": {"type": "string"}},
}
"""headers that requests may have"""

TAGS: Mapping[str, str] = {
    "auth": "Signing in and out, users, tokens of machines",
    "topology": "The network as it should be known",
    "intent": "What the network is to do: compile, prove, preview",
    "chat": "The assistant",
    "deploy": "Bringing it onto the devices, in waves, with a way back",
    "monitor": "What was measured, and alarms",
    "system": "The hub itself",
}


@attrs.frozen(kw_only=True)
class ProblemBody(Problem):
    """An error (RFC 9457): `code` is stable, `errors` names the places at fault; some codes have further members."""


def document(operations: Iterable[Operation] = OPERATIONS) -> Json:
    """Return the whole document, plain JSON, always in the same order."""
    schemas = Schemas()
    schemas.of(ProblemBody, "out")
    schemas.of(Fault, "out")
    operations = tuple(operations)
    shapes = {operation.name: shape_of(operation) for operation in operations}
    for shape in shapes.values():  # replies first: a class that is both read and written has the plain name as what is written
        if shape.reply is not None:
            schemas.of(shape.reply, "out")
    paths: dict[str, Json] = defaultdict(dict)
    for operation in operations:
        paths[_PART.sub(r"{\1}", operation.path)][operation.method.lower()] = _operation(operation, shapes[operation.name], schemas)
    _exemplify(paths, schemas.components)
    used = {operation.name.partition(".")[0] for operation in operations}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ParaNet Hub",
            "version": __version__,
            "description": "Programs, proves, deploys and watches multi-modal networks (IP, NDN, GEO, P4). "
            "The same operations are answered over WebSocket, by their operationId, in `ask` frames.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": TAGS.get(name, name)} for name in dict.fromkeys((*TAGS, *sorted(used))) if name in used],
        "paths": dict(paths),
        "components": {
            "schemas": dict(sorted(schemas.components.items())),
            "responses": _refusals(),
            "headers": _HEADERS,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An access token of /auth/login, or a token of a machine."},
                "cookie": {"type": "apiKey", "in": "cookie", "name": ACCESS_COOKIE, "description": "Set by /auth/login for browsers."},
            },
        },
    }


def _exemplify(paths: Mapping[str, Json], components: Mapping[str, Json]) -> None:
    """Give every JSON answer an example, now that all schemas are known."""
    for operation in (operation for path in paths.values() for operation in path.values()):
        for response in operation["responses"].values():
            for media, content in response.get("content", {}).items():
                if media.endswith("json") and content["schema"]:
                    content["example"] = OPEN.get(operation["operationId"]) or sample(content["schema"], components)


_HEADERS: Json = {
    "ETag": {"description": "the revision; for If-None-Match and If-Match", "schema": {"type": "string"}},
    "Location": {"description": "where the new thing is", "schema": {"type": "string"}},
    "Retry-After": {"description": "seconds", "schema": {"type": "integer"}},
    "X-Request-Id": {"description": "names this request in the hub's log", "schema": {"type": "string"}},
}


def _operation(operation: Operation, shape: Shape, schemas: Schemas) -> Json:
    found: Json = {
        "operationId": operation.name,
        "tags": [operation.name.partition(".")[0]],
        "summary": operation.summary,
        "x-role": operation.access.name.lower(),
        "security": [{"bearer": []}, {"cookie": []}] if operation.access else [],
    }
    text = getattr(operation.handler, "func", operation.handler).__doc__  # a partial has the docstring of partial
    if text:
        found["description"] = " ".join(text.split())
    parameters = _parameters(operation, shape)
    if parameters:
        found["parameters"] = parameters
    if shape.body is not None or shape.takes:
        found["requestBody"] = _body(shape, schemas)
    found["responses"] = _responses(operation, shape, schemas)
    return found


def _parameters(operation: Operation, shape: Shape) -> list[Json]:
    found = [
        {"name": n, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}} for n in _PART.findall(operation.path)
    ]
    found += [
        {"name": n, "in": "query", **PARAMETERS.get(n, {"schema": {"type": "string"}})}
        for n in sorted(operation.query)
        if f"{n}[]" not in operation.query
    ]
    found += [{"name": name, "in": "header", **TAKEN[name]} for name in _taken(operation, shape)]
    return found


def _taken(operation: Operation, shape: Shape) -> Iterable[str]:
    """Return the request headers that mean something to an operation."""
    if 304 in shape.statuses:
        yield "If-None-Match"
    if operation.name.startswith("topology.") and operation.method != "GET":
        yield "If-Match"
    if operation.name in REPEATABLE | {"deploy.execute", "deploy.roll-back"}:
        yield "Idempotency-Key"
    if 202 in shape.statuses:
        yield "Prefer"


def _body(shape: Shape, schemas: Schemas) -> Json:
    content: dict[str, Json] = {media: {"schema": BYTES if media == OCTETS else {}} for media in shape.takes}
    if "multipart/form-data" in content:
        file = {"type": "string", "contentMediaType": "application/octet-stream"}
        schema = {"type": "object", "properties": {"file": file}, "required": ["file"]}
        content["multipart/form-data"] = {"schema": schema, "example": {"file": GRAPHML}}
    if OCTETS in content:
        content[OCTETS]["example"] = GRAPHML
    if shape.body is not None:
        content[JSON] = {"schema": schemas.of(shape.body, "in")}
    if shape.example is not None:
        content[JSON]["example"] = shape.example
    fields = attrs.fields(shape.body) if isinstance(shape.body, type) else ()
    optional = bool(fields) and all(field.default is not attrs.NOTHING for field in fields)
    return {"required": not optional, "content": content}


def _responses(operation: Operation, shape: Shape, schemas: Schemas) -> Json:
    found: Json = {}
    for status in shape.statuses or (200,):
        response: Json = {
            "description": HTTPStatus(status).phrase,
            "headers": {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}},
        }
        if status in (201, 202):
            response["headers"]["Location"] = {"$ref": "#/components/headers/Location"}
        if 304 in shape.statuses:
            response["headers"]["ETag"] = {"$ref": "#/components/headers/ETag"}
        if status not in (204, 304):
            content: dict[str, Json] = {media: {"schema": {}} for media in shape.gives}
            if shape.reply is not None or not content:
                content[JSON] = {"schema": schemas.of(shape.reply, "out") if shape.reply is not None else {}}
            response["content"] = content
        found[str(status)] = response
    refusals = (*_COMMON, *_GUARDED, *(_WRITES if operation.method != "GET" else ()))
    found |= {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(refusals)}
    return found | (_faults(shape, schemas) if shape.fault is not None else {})


def _faults(shape: Shape, schemas: Schemas) -> Json:
    """Return the refusals that the operation words itself; those from before it is reached are problems all the same."""
    content = {JSON: {"schema": schemas.of(shape.fault, "out")}, PROBLEM: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}
    return {str(status): {"description": HTTPStatus(status).phrase, "content": content} for status in _WORDED}


def _refusals() -> Json:
    """Return a response for each status that an error of the table has."""
    codes: dict[int, list[str]] = defaultdict(list)
    for error, status in STATUS.items():
        codes[status].append(error.code)
    titles = {error.code: error.title for error in STATUS}
    found: Json = {}
    for status, names in sorted(codes.items()):
        example = {"type": f"urn:paranet:error:{names[0]}", "title": titles[names[0]], "status": status, "detail": "What is wrong here."}
        example |= {"instance": "/api/v1/topology/nodes", "code": names[0], "errors": []}
        response: Json = {
            "description": f"{HTTPStatus(status).phrase}: {', '.join(names)}",
            "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/ProblemBody"}, "example": example}},
        }
        if status in (429, 503):
            response["headers"] = {"Retry-After": {"$ref": "#/components/headers/Retry-After"}}
        found[str(status)] = response
    return found


@cache
def encoded() -> bytes:
    """Return the document of this hub as it is served."""
    return orjson.dumps(document(), option=orjson.OPT_INDENT_2)
