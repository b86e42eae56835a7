"""paranet.codec"""

from collections.abc import Mapping

import attrs
import pytest

from paranet.codec import MAX_DEPTH, MAX_FAULTS, structure, unstructure
from paranet.errors import Fault, InvalidInput
from paranet.models.topology import Demand, Link, Location, Modality, Node


@attrs.frozen(kw_only=True)
class Thing:
    text: str = ""
    whole: int = 0
    flag: bool = False
    number: float = 0.0
    maybe: int | None = None
    words: tuple[str, ...] = ()
    by_name: Mapping[str, Location] = attrs.field(factory=dict)
    free: Mapping[str, object] = attrs.field(factory=dict)
    things: tuple[Location, ...] = ()


LINK = {"id": "l", "source": {"node": "a"}, "target": {"node": "b"}}


def faults(value: object, cls: type, path: str = "") -> list[tuple[str, str]]:
    with pytest.raises(InvalidInput) as caught:
        structure(value, cls, path=path)
    return [(fault.path, fault.message) for fault in caught.value.errors if isinstance(fault, Fault)]


@pytest.mark.parametrize(
    ("value", "path", "message"),
    [
        ({"text": 1}, "text", "must be a string, not a number"),
        ({"whole": 7.9}, "whole", "must be a whole number, not a number"),
        ({"whole": True}, "whole", "must be a whole number, not a boolean"),
        ({"flag": "false"}, "flag", "must be true or false, not a string"),
        ({"number": "1"}, "number", "must be a number, not a string"),
        ({"number": None}, "number", "must be a number, not null"),
        ({"maybe": "1"}, "maybe", "must be a whole number, not a string"),
        ({"words": "abc"}, "words", "must be a list, not a string"),
        ({"words": ["a", 2]}, "words[1]", "must be a string, not a number"),
        ({"free": []}, "free", "must be an object, not a list"),
        ({"by_name": {"x": {"latitude": 1}}}, "by_name.x.longitude", "is required"),
        ({"by_name": {"x": 3}}, "by_name.x", "must be an object"),
        ({"things": [{"latitude": 1, "longitude": 2, "height": 3}]}, "things[0].height", "there is no such field"),
        ({"things": [{"latitude": -91, "longitude": 2}]}, "things[0].latitude", "must be at least -90 and at most 90, not -91.0"),
        ([], "", "must be an object"),
        (None, "", "must be an object"),
    ],
)
def test_nothing_is_coerced(value: object, path: str, message: str) -> None:
    """Every kind of fault has its path and says what is wanted."""
    assert faults(value, Thing) == [(path, message)]


def test_all_faults_are_told() -> None:
    """A caller corrects them all at once."""
    assert [path for path, _ in faults({"text": 1, "words": [1, "a", 2], "x": 1}, Thing)] == ["text", "words[0]", "words[2]", "x"]


def test_faults_are_bounded() -> None:
    """A long list of nonsense does not make a long answer."""
    assert len(faults({"words": [1] * 10_000}, Thing)) == MAX_FAULTS


def test_paths_begin_where_the_caller_says() -> None:
    """A part of a larger body keeps its place in it."""
    assert faults({"text": 1}, Thing, "items[3]") == [("items[3].text", "must be a string, not a number")]


@pytest.mark.parametrize(
    ("field", "given", "value"),
    [("bandwidth", "10 Gbps", 1e10), ("bandwidth", 5, 5.0), ("latency", "5ms", 0.005), ("loss", "1%", 0.01), ("loss", 0.5, 0.5)],
)
def test_quantities_are_numbers_or_texts(field: str, given: object, value: float) -> None:
    """Bare numbers are SI, strings carry units."""
    assert getattr(structure({**LINK, field: given}, Link), field) == value


@pytest.mark.parametrize(
    ("field", "given", "message"),
    [
        ("bandwidth", "fast", "'fast' is not a bandwidth"),
        ("bandwidth", True, "must be a number or a string with a unit, not a boolean"),
        ("bandwidth", 0, "must be above 0"),
        ("latency", "5 parsec", "'parsec' is not a unit of time"),
        ("loss", 2, "must be at least 0 and at most 1"),
    ],
)
def test_bad_quantities_have_their_path(field: str, given: object, message: str) -> None:
    """The fault is at the field, not at the link."""
    ((path, found),) = faults({**LINK, field: given}, Link)
    assert path == field
    assert found.startswith(message)


def test_choices_are_listed() -> None:
    """A word that is none of the choices is told which there are."""
    demand = {"id": "d", "source": "a", "target": "b", "rate": 1, "modality": "ipx"}
    assert faults(demand, Demand) == [("modality", "must be one of ip, ndn, geo, p4")]


def test_free_values_have_a_bounded_depth() -> None:
    """What is read can be written: JSON writers and Python's stack have an end."""
    value: object = 1
    for _ in range(MAX_DEPTH - 1):
        value = [value]
    structure({"free": {"x": value}}, Thing)
    assert faults({"free": {"x": [value]}}, Thing) == [("free", f"must not be nested deeper than {MAX_DEPTH} levels")]


def test_values_become_plain_json_and_come_back() -> None:
    """Structuring what was unstructured gives the same value."""
    node = Node(id="r1", type="p4_switch", location=Location(latitude=1, longitude=2), properties={"rack": [1, {"unit": None}]})
    plain = unstructure(node)
    assert plain["modalities"] == [Modality.IP, Modality.P4] or plain["modalities"] == (Modality.IP, Modality.P4)
    assert structure({**plain, "modalities": ["ip", "p4"], "interfaces": []}, Node) == node
