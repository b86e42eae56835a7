"""hub.schema"""

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import Any, Literal

import attrs
import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.schema import Schemas, schema_of
from hub.ws.protocol import FRAMES
from paranet.codec import structure, unstructure
from paranet.errors import InvalidInput
from paranet.models.topology import Link, Node
from paranet.models.units import Bandwidth, Seconds


class Colour(StrEnum):
    """A word."""

    RED = "red"
    BLUE = "blue"


class Size(IntEnum):
    """A number."""

    SMALL = 1


@attrs.frozen(kw_only=True)
class Leaf:
    """A leaf
    of the tree."""

    colour: Colour = Colour.RED


@attrs.frozen(kw_only=True)
class Tree:
    """Refers to itself."""

    name: str = attrs.field(validator=attrs.validators.max_len(8))
    height: int = attrs.field(default=1, validator=[attrs.validators.ge(0), attrs.validators.lt(100)])
    grafted: "Tree | None" = None
    leaves: tuple[Leaf, ...] = ()


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (str, {"type": "string"}),
        (int | None, {"type": ["integer", "null"]}),
        (tuple[float, ...], {"type": "array", "items": {"type": "number"}}),
        (tuple[int, str], {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2, "maxItems": 2}),
        (Mapping[str, bool], {"type": "object", "additionalProperties": {"type": "boolean"}}),
        (Mapping[str, object], {"type": "object"}),
        (Literal["a", "b"], {"enum": ["a", "b"]}),
        (Colour, {"type": "string", "enum": ["red", "blue"]}),
        (Size, {"type": "integer", "enum": [1]}),
        (Colour | None, {"anyOf": [{"type": "string", "enum": ["red", "blue"]}, {"type": "null"}]}),
        (object, {}),
        (int | Any, {}),
    ],
)
def test_a_type_has_its_schema(kind: Any, schema: dict[str, Any]) -> None:
    """Scalars, collections, words and unions of them."""
    assert schema_of(kind) == schema


def test_what_never_crosses_the_wire_has_none() -> None:
    """A class without fields is no value."""
    with pytest.raises(TypeError, match="has no schema"):
        schema_of(Schemas)


def test_what_is_read_may_lack_defaults_and_holds_nothing_else() -> None:
    """Docstring, bounds and defaults are told; a class within itself is a reference."""
    schema = schema_of(Tree)
    assert schema["$ref"] == "#/$defs/Tree"
    tree = schema["$defs"]["Tree"]
    assert tree["required"] == ["name"]
    assert tree["additionalProperties"] is False
    assert tree["properties"]["name"] == {"type": "string", "maxLength": 8}
    assert tree["properties"]["height"] == {"type": "integer", "minimum": 0, "exclusiveMaximum": 100, "default": 1}
    assert tree["properties"]["grafted"] == {"anyOf": [{"$ref": "#/$defs/Tree"}, {"type": "null"}]}
    assert schema["$defs"]["Leaf"]["description"] == "A leaf of the tree."


def test_what_is_written_is_whole_and_may_grow() -> None:
    """Every field is there; a later version may add some."""
    schema = schema_of(Leaf, mode="out")
    assert schema == {
        "type": "object",
        "description": "A leaf of the tree.",
        "properties": {"colour": {"type": "string", "enum": ["red", "blue"]}},
        "required": ["colour"],
    }


def test_quantities_are_read_with_units_and_written_without() -> None:
    """As the codec does."""
    assert schema_of(Bandwidth)["type"] == ["number", "string"]
    assert schema_of(Seconds, mode="out") == {"type": "number", "description": "s"}


def test_a_class_read_and_written_has_two_names() -> None:
    """Since the two differ; namesakes of other modules are told apart as well."""
    schemas = Schemas()
    namesake = attrs.make_class("Leaf", {"size": attrs.field(type=int)})
    namesake.__module__ = "some.bush"
    assert schemas.of(Leaf, "out") == {"$ref": "#/components/schemas/Leaf"}
    assert schemas.of(Leaf, "in") == {"$ref": "#/components/schemas/LeafInput"}
    assert schemas.of(namesake, "out") == {"$ref": "#/components/schemas/BushLeaf"}
    assert set(schemas.components) == {"Leaf", "LeafInput", "BushLeaf"}


@pytest.mark.parametrize("cls", [*FRAMES.values(), Node, Link, Tree])
@pytest.mark.parametrize("mode", ["in", "out"])
def test_schemas_are_schemas(cls: type, mode: Literal["in", "out"]) -> None:
    """By the metaschema of the draft that OpenAPI 3.1 builds on."""
    jsonschema.Draft202012Validator.check_schema(schema_of(cls, mode=mode))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 200) | st.sampled_from(["x", "red", "too long a name"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "height", "leaves", "colour", "grafted"]), inner),
    max_leaves=6,
)


@given(VALUES | st.builds(lambda **more: {"name": "x", **more}, height=VALUES, leaves=st.lists(VALUES, max_size=2)))
def test_schema_and_codec_agree(value: object) -> None:
    """What the codec reads is what the schema allows, and what it then writes is what the schema promises."""
    allowed = jsonschema.Draft202012Validator(schema_of(Tree)).is_valid(value)
    try:
        tree = structure(value, Tree)
    except InvalidInput:
        assert not allowed
    else:
        assert allowed
        jsonschema.validate(unstructure(tree), schema_of(Tree, mode="out"), cls=jsonschema.Draft202012Validator)
