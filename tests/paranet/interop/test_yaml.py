"""paranet.interop.yaml"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paranet.errors import InvalidInput
from paranet.interop import yaml
from tests.strategies import plain

LAUGHS = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in range(ord("b"), ord("k"))
)


def test_words_are_those_of_yaml_1_2() -> None:
    """Norway, dates, times and addresses are strings; numbers, truth and null are what JSON calls so."""
    read = yaml.parse(b"{a: no, b: 12:30, c: 2018-12-01, d: 007, e: 1e3, f: -2, g: true, h: ~, i: 0.0.0.0, j: '1'}")
    expected = {
        "a": "no",
        "b": "12:30",
        "c": "2018-12-01",
        "d": "007",
        "e": 1000.0,
        "f": -2,
        "g": True,
        "h": None,
        "i": "0.0.0.0",
        "j": "1",
    }
    assert read == expected


def test_aliases_and_merge_keys() -> None:
    """As containerlab's files use them; a key of its own counts before a merged one."""
    read = yaml.parse(b"base: &b {kind: linux, image: x}\nr1: {<<: *b, image: y}\nr2: *b\nr3: {<<: [{kind: a}, *b]}\n")
    assert [read[name] for name in ("r1", "r2", "r3")] == [
        {"kind": "linux", "image": "y"}, {"kind": "linux", "image": "x"}, {"kind": "a", "image": "x"},
    ]  # fmt: skip


@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    ("data", "place", "message"),
    [
        (LAUGHS, "line 7", "aliases counted in full"),
        (b"[" * 3000, "line 1", "nested more than"),
        (b"&a [*a]", "line 1, column 5", "stands inside of it"),
        (b"a: 1\na: 2\n", "line 2, column 1", "is there twice"),
        (b"a: [1\n", "line 2, column 1", "did not find"),
        (b"!!python/object/apply:os.system [x]", "line 1", "the tag"),
        (b"a: !!binary aGk=", "line 1, column 4", "the tag"),
        (b"--- 1\n--- 2\n", "line 2", "several documents"),
        (b"? [a]\n: 1\n", "line 1, column 3", "a key must be a word"),
        (b"a: 1e999", "line 1, column 4", "too large"),
        (b"\xff\xfe\xff", "line 1", "is not YAML"),
    ],
)
def test_harm_is_refused_with_its_line(data: bytes, place: str, message: str) -> None:
    """Quickly, and before anything large is built."""
    with pytest.raises(InvalidInput) as caught:
        yaml.parse(data)
    assert caught.value.detail.startswith(place)
    assert message in caught.value.detail


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), plain, max_size=3))
def test_what_is_written_is_read_back(value: dict[str, object]) -> None:
    """Words that look like something else are quoted."""
    assert yaml.parse(yaml.write(value)) == value
