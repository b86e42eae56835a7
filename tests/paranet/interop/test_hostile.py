"""Files that mean harm, or nothing at all, get a refusal and cost little."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paranet.errors import Fault, InvalidInput, InvalidTopology, UnknownFormat
from paranet.interop.registry import formats, read

LAUGHS = b"""<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>
<graphml>&c;</graphml>"""
EXTERNAL = b'<!DOCTYPE graphml [<!ENTITY x SYSTEM "file:///etc/passwd">]><graphml><graph><node id="&x;"/></graph></graphml>'
DTD = b'<!DOCTYPE graphml SYSTEM "http://127.0.0.1:1/graphml.dtd"><graphml/>'

HOSTILE = {
    "billion laughs": (LAUGHS, "line 2"),
    "external entity": (EXTERNAL, "line 1"),
    "DTD": (DTD, "line 1"),
    "truncated": (b"<graphml>\n<graph><node", "line 2, column 8"),
    "undefined entity": (b"<graphml>&nbsp;</graphml>", "line 1, column 10"),
    "wrong bytes": (b'<?xml version="1.0" encoding="utf-8"?><graphml>\xff</graphml>', "line 1, column 48"),
    "unknown encoding": (b'<?xml version="1.0" encoding="nope"?><graphml/>', "line 1"),
    "no text encoding": (b'<?xml version="1.0" encoding="hex"?><graphml/>', "line 1"),
    "multi-byte encoding": (b'<?xml version="1.0" encoding="shift_jis"?><graphml/>', "line 1"),
    "deep XML": (b"<a>" * 10_000 + b"</a>" * 10_000, "a"),
    "deep graphs": (b"<graphml><graph>" + b'<node id="1"><graph>' * 5_000 + b"</graph></node>" * 5_000 + b"</graph></graphml>", "node"),
    "not GraphML": (b"<svg/>", "line 1"),
    "deep JSON": (b'{"nodes":' * 10_000, "line 1, column 9218"),
    "deep properties": (b'{"nodes":[{"id":"a","properties":' + b'{"a":' * 100 + b"1" + b"}" * 102 + b"]}", ""),
    "NaN": (b'{"nodes": [{"id": "a", "location": {"latitude": NaN}}]}', "line 1, column 49"),
    "infinity": (b'{"nodes": [{"id": "a", "location": {"latitude": 1e999}}]}', "line 1, column 49"),
    "lone surrogate": (b'{"nodes": [{"id": "\\ud800"}]}', "line 1, column 20"),
}


@pytest.mark.timeout(5)
@pytest.mark.parametrize(("data", "place"), HOSTILE.values(), ids=HOSTILE.keys())
def test_harm_is_refused(data: bytes, place: str) -> None:
    """The refusal is one of the documented errors and names a place."""
    with pytest.raises((InvalidInput, InvalidTopology)) as caught:
        read(data)
    first = caught.value.errors[0]
    assert isinstance(first, Fault)
    assert first.path.startswith(place)


def test_entities_are_refused_by_name() -> None:
    """The message says what it was about the file."""
    with pytest.raises(InvalidInput, match="line 2: a DTD and its entity declarations are refused"):
        read(LAUGHS)


@pytest.mark.parametrize("data", [b"", b" \n", b"\x00\x01\x02", b"\x89PNG\r\n\x1a\n", b"\xff\xfe\xff\xfe"])
def test_garbage_has_no_format(data: bytes) -> None:
    """What no format begins like is unknown, and every reader refuses it."""
    with pytest.raises(UnknownFormat):
        read(data)
    for name in formats():
        with pytest.raises((InvalidInput, InvalidTopology)):
            read(data, format=name)


@given(st.binary(), st.sampled_from([None, *formats()]))
def test_random_bytes_raise_documented_errors_only(data: bytes, name: str | None) -> None:
    """Whatever comes, the caller gets one of three errors, if any: a few bytes may be a file that says nothing."""
    with contextlib.suppress(InvalidInput, InvalidTopology, UnknownFormat):
        read(data, format=name)


@given(st.lists(st.sampled_from([*"<>/=\"' ", "graphml", "graph", "node", "edge", "key", "data", "id", "0", "for", "&lt;", "<!--", "?"])))
def test_random_markup_raises_documented_errors_only(words: list[str]) -> None:
    """Bytes that look like the real thing reach further in."""
    data = "<graphml>" + "".join(words)
    with pytest.raises((InvalidInput, InvalidTopology, UnknownFormat)):
        read(data.encode(), format="graphml")


@given(
    st.lists(st.tuples(st.sampled_from(["0", "1", "", "é"]), st.text(max_size=5)), max_size=4),
    st.lists(
        st.tuples(st.sampled_from(["0", "1", "9"]), st.sampled_from(["0", "1", ""]), st.sampled_from(["NaN", "1", "x", ""])), max_size=4
    ),
    st.sampled_from(["label", "Latitude", "LinkSpeedRaw", "bandwidth", "latency", "id", "cost"]),
    st.sampled_from(["string", "double", "int", "boolean", "odd"]),
)
def test_odd_graphs_raise_documented_errors_only(
    nodes: list[tuple[str, str]], edges: list[tuple[str, str, str]], name: str, kind: str
) -> None:
    """Well-formed files with odd content are read or refused."""
    body = "".join(f'<node id="{i}"><data key="k">{_escaped(text)}</data></node>' for i, text in nodes)
    body += "".join(f'<edge source="{a}" target="{b}"><data key="k">{text}</data></edge>' for a, b, text in edges)
    declared = f'<key id="k" attr.name="{name}" attr.type="{kind}"/>'
    with contextlib.suppress(InvalidInput, InvalidTopology):
        read(f"<graphml>{declared}<graph>{body}</graph></graphml>".encode(), format="graphml")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
