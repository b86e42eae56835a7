"""Answers to questions, from facts that are given."""

import pytest

from paranet.agent.answers import Facts, LinkFact, answer
from paranet.agent.known import Known
from paranet.agent.phrases import understand
from paranet.models.topology import Endpoint, Link, Node, Topology

NODES = tuple(Node(id=name) for name in ("oslo", "rome", "bonn", "nice"))
LINKS = (
    Link(id="oslo--rome", source=Endpoint(node="oslo"), target=Endpoint(node="rome")),
    Link(id="rome--bonn", source=Endpoint(node="rome"), target=Endpoint(node="bonn")),
    Link(id="bonn--nice", source=Endpoint(node="bonn"), target=Endpoint(node="nice"), enabled=False),
)
TOPOLOGY = Topology.of(NODES, LINKS)
FACTS = Facts(
    topology=TOPOLOGY,
    links=(
        LinkFact(link="oslo--rome", node="oslo", utilization=0.9),
        LinkFact(link="rome--bonn", node="rome", utilization=0.1, drops=12.0),
    ),
    up={"oslo": True, "rome": True, "bonn": False, "nice": True},
)


def told(text: str, facts: Facts = FACTS) -> str:
    found = understand(text, Known(TOPOLOGY))
    assert found.question is not None
    return answer(found.question, facts, found.language)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("can oslo reach bonn?", "No intent carries traffic from oslo to bonn. Over the links there is a way: oslo > rome > bonn."),
        ("is there a path from oslo to nice?", "There is no way over the links either."),
        ("which links lose packets?", "link rome--bonn out of rome loses 12 packets a second."),
        ("which links are down?", "Links that are down: "),
        ("which nodes are offline?", "1 are down: bonn."),
        ("which links are over eighty percent?", "1 of 2 links are above 80%: oslo--rome (oslo) 90%."),
        ("奥斯陆能到罗马吗？", "oslo > rome"),
        ("哪些节点不在线？", "有 1 个节点不在线：bonn。"),
        ("哪些链路超过百分之八十？", "2 条链路中有 1 条高于 80%"),
    ],
)
def test_a_question_is_answered_as_narrowly_as_it_is_asked(asked: str, expected: str) -> None:
    """About what is down, lost or reached, not about everything."""
    assert expected in told(asked)


def test_what_is_read_of_a_time_past_says_since_when() -> None:
    """The worst of that time is no news of now."""
    facts = Facts(topology=TOPOLOGY, links=FACTS.links, since="08:30")
    assert told("which links were above 80% in the last 30 minutes?", facts).endswith("(The worst since 08:30.)")


def test_nothing_out_of_order_is_said_too() -> None:
    """With no facts against it."""
    facts = Facts(topology=Topology.of(NODES, LINKS[:2]), up=dict.fromkeys(TOPOLOGY.nodes, True), links=FACTS.links[:1])
    assert told("which nodes are down?", facts) == "Every node is up."
    assert told("which links are down?", facts) == "No link is down."
    assert told("which links drop packets?", facts) == "No link loses packets."
