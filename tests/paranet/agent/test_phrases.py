"""What holds for every sentence, and the finer points of names."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paranet.agent.known import Known
from paranet.agent.lexicon import fold, lexicon
from paranet.agent.phrases import understand
from paranet.compiler import compile_source
from paranet.models.topology import Interface, Node, Topology
from tests.paranet.agent.networks import campus, demo

DEMO = Known(demo())
WORDS = st.sampled_from(
    (
        *(
            [
                "connect",
                "block",
                "limit",
                "from",
                "to",
                "via",
                "avoid",
                "not",
                "only",
                "and",
                ",",
                ".",
                "london",
                "paris",
                "students",
                "10",
                "gbps",
                "ssh",
                "4pm",
                "between",
                "cache",
                "/video",
                "the",
            ]
        ),
        *(
            [
                "禁止",
                "从",
                "到",
                "巴黎",
                "经过",
                "每周",
                "10GB",
                "不",
                "被",
                "的",
                "组播",
                "232.1.1.1",
                "region",
                "with",
                "3",
                "paths",
                "why",
                "?",
                "remove",
                "firewall",
                "伦敦",
                "，",
                "。",
            ]
        ),
    )
)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(WORDS, max_size=25).map(" ".join)))
def test_nothing_that_is_said_makes_it_raise(text: str) -> None:
    """There is a source, a need or a question; spans lie in the text; a source is always readable."""
    found = understand(text, DEMO)
    assert found.source or found.needs or found.question or found.removes
    assert all(0 <= u.start < u.end <= len(text) for u in found.unknown)
    assert all(text[e.start : e.end] == e.text for e in found.entities)
    codes = {d.code for d in compile_source(found.source, DEMO.topology).diagnostics}
    assert not codes & {"PN101", "PN102", "PN103", "PN104", "PN105", "PN106", "PN107", "PN201", "PN203", "PN205", "PN209", "PN213", "PN214"}


@given(st.text())
def test_folding_keeps_every_character_in_its_place(text: str) -> None:
    """So that spans are those of the text as it was typed."""
    assert len(fold(text)) == len(text)


def network(*nodes: Node) -> Known:
    return Known(Topology.of(nodes))


def node(node_id: str, number: int, **more: object) -> Node:
    return Node(id=node_id, interfaces=(Interface(name="lo", address=f"10.0.0.{number}/32"),), **more)  # type: ignore[arg-type]  # of a test


def test_an_alias_is_a_name() -> None:
    """Under the properties `alias` and `aliases`."""
    known = network(node("x1", 1, properties={"alias": "the vault"}), node("x2", 2, properties={"aliases": ["总行", "Head Office"]}))
    assert understand("connect the vault to head office", known).source == "route x1-x2 { from: x1; to: x2 }\n"
    assert understand("把总行连到the vault", known).source == "route x2-x1 { from: x2; to: x1 }\n"


def test_two_nodes_of_one_name_are_asked_about() -> None:
    """With the ids as options."""
    known = network(node("a1", 1, name="Paris"), node("a2", 2, name="Paris"), node("b", 3, name="Rome"))
    found = understand("connect Paris to Rome", known)
    assert found.source == ""
    assert found.needs[0].options == ("a1", "a2")


def test_an_address_is_the_node_that_has_it() -> None:
    """Not a prefix."""
    assert understand("connect 10.255.0.1 to vienna", DEMO).source == "route amsterdam-vienna { from: amsterdam; to: vienna }\n"


def test_a_misspelt_name_lowers_confidence_and_is_told() -> None:
    """The reader sees what was taken for it."""
    found = understand("connect stokholm to viena", DEMO)
    assert found.source == "route stockholm-vienna { from: stockholm; to: vienna }\n"
    assert found.confidence < 1
    assert "stokholm → stockholm" in found.explanation


def test_short_names_are_told_from_words_by_their_case() -> None:
    """`IT` is the region of Milan, `it` is not."""
    assert "IT" in understand("block traffic from IT to london", DEMO).source
    assert "IT" not in understand("block traffic from paris to london so that it stops", DEMO).source


def test_what_a_word_means_is_found_by_any_other_word_for_it() -> None:
    """A node called `dpi` does deep packet inspection, one called `labs` is 实验室."""
    known = Known(campus())
    first = understand("make traffic from internet to labs pass through deep packet inspection", known)
    assert first.source == understand("从互联网到实验室的流量必须经过深度包检测", known).source


def test_removing_names_the_set_that_goes() -> None:
    """One of those in force; with none fitting they are offered."""
    known = DEMO.with_installed(["limit-london/limit-london", "madrid-vienna/madrid-vienna"])
    found = understand("remove the limit for london", known)
    assert (found.removes, found.name, found.source) == (True, "limit-london", "")
    assert understand("去掉马德里到维也纳的路由", known).name == "madrid-vienna"
    assert understand("remove the cache for rome", known).needs[0].options == ("limit-london", "madrid-vienna")


def test_who_is_named_is_never_dropped_in_silence() -> None:
    """Who plays no part is asked about; two names with nothing between are not certain."""
    assert "berlin" in understand("berlin connect madrid to vienna at milan", DEMO).needs[0].question
    found = understand("connect madrid to vienna paris", DEMO)
    assert found.confidence < 0.7
    assert "vienna, paris" in found.explanation


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("block ssh from paris to london with 20 ms", "20 ms"),
        ("limit milan to 5 Mbps via zurich", "zurich"),
        ("connect madrid to vienna with 5 GB of /video in the cache at paris for 3 paths", "3 paths"),
        ("send the traffic of paris to berlin unless it rains", "unless it rains"),
        ("cache /video at madrid with 10GB avoiding paris", "paris"),
        ("把马德里连到维也纳，除非下雨", "除非下雨"),
        ("从伦敦到巴黎带宽5兆或10兆", "10兆"),
    ],
)
def test_what_a_statement_cannot_carry_is_asked_about(text: str, about: str) -> None:
    """No part of a wish is dropped: the question names it."""
    found = understand(text, DEMO)
    assert found.source == ""
    assert any(about in need.question for need in found.needs)


def test_words_that_nobody_knows_are_named_beside_the_source() -> None:
    """What is left out is asked about; a sentence of such words is not understood."""
    found = understand("connect madrid to vienna blorpwise", DEMO)
    assert found.source == "route madrid-vienna { from: madrid; to: vienna }\n"
    assert [u.text for u in found.unknown] == ["blorpwise"]
    assert "blorpwise" in found.needs[0].question
    assert found.confidence < 0.7
    assert understand("gnarf the blorp zwick from madrid to vienna frumiously mimsy wabe", DEMO).source == ""


def test_a_word_that_is_misspelt_is_told() -> None:
    """What was taken for it stands in the explanation, and it is less certain."""
    found = understand("connct madrid to vienna wtih a latncy below 30 ms", DEMO)
    assert found.source == "route madrid-vienna { from: madrid; to: vienna; latency: 30ms }\n"
    assert "latncy → latency" in found.explanation
    assert found.confidence < 1


def test_traditional_characters_mean_the_same() -> None:
    """As do full width and capitals."""
    plain = understand("维也纳到米兰的流量请走苏黎世，时延低于30ms", DEMO).source
    assert plain
    assert understand("維也納到米蘭的流量請走蘇黎世，時延低於30ms", DEMO).source == plain
    assert understand("维也纳到米兰的流量请走苏黎世，时延低于３０ＭＳ", DEMO).source == plain


def test_a_name_of_the_network_is_not_taken_for_a_word() -> None:
    """A node may be called like a word that says nothing."""
    known = network(node("nice", 1), node("case", 2), node("point", 3))
    assert understand("connect nice to case via point", known).source == "route nice-case { from: nice; to: case; via: point }\n"


@pytest.mark.parametrize(
    "piece",
    [
        "london, ",
        "伦敦、",
        "connect a and ",
        "block ssh, ",
        "paris 10 mbps, ",
        "不",
        "(",
        "1:",
        "two hundred and ",
        "firewall and ",
        "9-17 ",
        "port 80, ",
    ],
)
def test_hostile_text_takes_bounded_time(piece: str) -> None:
    """4000 characters of anything: a tenth of a second or so of processor time."""
    began = time.process_time()
    found = understand(piece * (4000 // len(piece)), DEMO)
    assert time.process_time() - began < 1.5
    assert found.source or found.needs or found.question


def test_no_phrase_of_the_tables_is_empty() -> None:
    """Each application can be told by something."""
    assert all(app.flows or app.sites for app in lexicon().apps.values())
