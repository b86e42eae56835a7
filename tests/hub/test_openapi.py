"""hub.openapi, hub.typescript"""

import json
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, get_args

import jsonschema
import pytest
from openapi_spec_validator import validate

from hub.openapi import document, encoded
from hub.operations import Access, Operation, Reply
from hub.problems import STATUS
from hub.rest import OPERATIONS
from hub.samples import OPEN
from hub.shapes import SHAPES, described, shape_of
from hub.typescript import definitions
from paranet.codec import structure
from tests.hub.api import Api, Client

DOCS = Path(__file__).parents[2] / "docs"
QUERIES: dict[str, str | None] = {"topology.diff": "?from=0", "intent.compare": None}
"""what reads need to be asked with; None: things that the test does not have"""


@pytest.fixture(scope="module")
def doc() -> dict[str, Any]:
    """The description of this hub."""
    return document()


def operations(doc: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the operations of a description by operationId."""
    return {o["operationId"]: o for methods in doc["paths"].values() for o in methods.values()}


def test_it_is_openapi(doc: dict[str, Any]) -> None:
    """By the schema of OpenAPI 3.1 and with every reference leading somewhere."""
    validate(doc)


def test_every_operation_is_in_it_with_its_role(doc: dict[str, Any]) -> None:
    """Under its name, with the access of the table; open ones ask for no token."""
    found = operations(doc)
    assert {name: o["x-role"] for name, o in found.items()} == {o.name: o.access.name.lower() for o in OPERATIONS}
    assert {name for name, o in found.items() if o["security"] == []} == {o.name for o in OPERATIONS if not o.access}


def test_every_error_of_the_table_is_in_it(doc: dict[str, Any]) -> None:
    """Under its status, as problem+json."""
    responses = doc["components"]["responses"]
    for error, status in STATUS.items():
        assert error.code in responses[str(status)]["description"]
        assert set(responses[str(status)]["content"]) == {"application/problem+json"}


def test_what_operations_answer_is_described() -> None:
    """An operation that says nothing is described as answering anything, which helps nobody."""
    assert [o.name for o in OPERATIONS if not described(o)] == []


def test_no_shape_is_left_over() -> None:
    """What describes operations that are gone, or that speak for themselves, goes as well."""
    assert set(SHAPES) - {o.name for o in OPERATIONS} == set()


def test_every_body_has_an_example_that_is_taken() -> None:
    """By the codec, as the class that the operation reads."""
    for operation in OPERATIONS:
        shape = shape_of(operation)
        if shape.body is not None:
            assert shape.example is not None, operation.name
            kinds = get_args(shape.body) if isinstance(shape.body, UnionType) else (shape.body,)
            structure(shape.example, kinds[0])


def test_every_answer_has_an_example_that_fits(doc: dict[str, Any]) -> None:
    """Of JSON, refusals too; whatever a client's author reads is allowed by the schema beside it."""
    for where, content in answers(doc):
        assert content["schema"] == {} or "example" in content, where
        jsonschema.validate(content.get("example"), {**content["schema"], "components": doc["components"]}, jsonschema.Draft202012Validator)


async def test_examples_work(square: Api, doc: dict[str, Any]) -> None:
    """The source compiles, the file is read, and what schemas leave open has the members that a hub really answers."""
    bodies = {name: o["requestBody"]["content"] for name, o in operations(doc).items() if "requestBody" in o}
    status, _, _ = await square.call("POST", "/intent/compile", json=bodies["intent.compile"]["application/json"]["example"])
    assert status == 201
    for media, content in bodies["topology.import"].items():
        example = content["example"]
        more = {"json": example} if media == "application/json" else {"data": example["file"] if isinstance(example, dict) else example}
        assert (await square.call("POST", "/topology/import?mode=merge&dry_run=true", **more))[0] == 200, media
    parse = bodies["intent.parse"]["application/json"]["example"]
    answered = {
        "system.info": await square.call("GET", "/system/info"),
        "topology.diff": await square.call("GET", "/topology/diff?from=0"),
        "intent.parse": await square.call("POST", "/intent/parse", json=parse),
        "chat.say": await square.call("POST", "/intent/chat", json={"message": parse["text"]}),
    }
    assert answered.keys() == OPEN.keys()
    for name, (_, body, _) in answered.items():
        assert body.keys() == OPEN[name].keys(), name


def answers(doc: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the content of every JSON answer, and where it is."""
    responses = [(f"{name} {s}", r) for name, o in operations(doc).items() for s, r in o["responses"].items()]
    responses += doc["components"]["responses"].items()
    for where, response in responses:
        for media, content in response.get("content", {}).items():
            if media.endswith("json"):
                yield where, content


def test_an_operation_that_says_nothing_is_described_all_the_same() -> None:
    """With any answer, the statuses of its method and its parameters."""

    async def nothing(_call: object) -> Reply:
        """Do nothing."""
        return Reply()

    row = Operation(
        name="odd.do", method="POST", path="/odd/{id}", access=Access.ADMIN, handler=nothing, summary="Do", query=frozenset({"limit"})
    )
    found = operations(document([row]))["odd.do"]
    assert found["responses"]["200"]["content"] == {"application/json": {"schema": {}}}
    assert {p["name"]: p["schema"]["type"] for p in found["parameters"]} == {"id": "string", "limit": "integer"}
    assert {"401", "403", "404", "409", "429"} < found["responses"].keys()
    assert found["description"] == "Do nothing."


def test_the_stored_description_is_that_of_this_hub() -> None:
    """So that a change of the API is seen in review: `paranet openapi > docs/openapi.json`."""
    assert (DOCS / "openapi.json").read_bytes() == encoded() + b"\n"


def test_the_stored_definitions_are_those_of_this_hub() -> None:
    """`paranet openapi --typescript > docs/paranet.d.ts`."""
    assert (DOCS / "paranet.d.ts").read_text(encoding="utf-8") == definitions()


def test_definitions_name_only_what_they_define() -> None:
    """Every operation is there, and no type is left open by mistake."""
    text = definitions()
    for operation in OPERATIONS:
        assert f'"{operation.name}": {{ body: ' in text
    assert "undefined" not in text


async def test_the_hub_serves_it_to_everybody(anonymous: Client) -> None:
    """With an ETag."""
    async with anonymous.get("/openapi.json") as response:
        assert response.status == 200
        assert await response.read() == encoded()
        tag = response.headers["ETag"]
    async with anonymous.get("/openapi.json", headers={"If-None-Match": tag}) as response:
        assert response.status == 304


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
async def test_the_pages_take_everything_from_this_hub(anonymous: Client, page: str) -> None:
    """No address of another site is in them, and inline scripts carry the nonce of the policy."""
    async with anonymous.get(page) as response:
        assert response.status == 200
        text = await response.text()
        policy = response.headers["Content-Security-Policy"]
    assert "http" not in text
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy


async def test_answers_are_as_described(square: Api, doc: dict[str, Any]) -> None:
    """What a hub with a network answers to every plain read fits its schema."""
    found = operations(doc)
    wrong = []
    for operation in OPERATIONS:
        if (
            operation.method != "GET"
            or not operation.path.startswith("/api/")
            or "{" in operation.path
            or operation.access > Access.OPERATOR
            or shape_of(operation).gives
        ):
            continue
        query = QUERIES.get(operation.name, "")
        if query is None:
            continue
        status, body, _ = await square.call("GET", operation.path.removeprefix("/api/v1") + query)
        schema = {**found[operation.name]["responses"]["200"]["content"]["application/json"]["schema"], "components": doc["components"]}
        errors = [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(body)] if status == 200 else [status]
        wrong += [(operation.name, error) for error in errors]
    assert wrong == []


def test_the_description_is_always_the_same() -> None:
    """Its order does not depend on the run."""
    assert json.dumps(document()) == json.dumps(document())
