"""`paranet lab`: a topology file as namespaces of this machine."""

import json
from pathlib import Path

import pytest

from hub.cli import main
from paranet.controller.linux import lab
from paranet.controller.linux.namespaces import exists
from paranet.interop.registry import read, write
from paranet.models.topology import Endpoint, Interface, Link, Node, Topology
from tests.namespaces import address, execute, needs_namespaces
from tests.paranet.controller.simulator.networks import line


@needs_namespaces
def test_up_builds_what_the_file_says_and_down_removes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is printed can be imported; neighbours reach each other at the link's rate; a second time is refused."""
    monkeypatch.setattr(lab, "RECORD", tmp_path / "lab")
    file = tmp_path / "net.json"
    file.write_bytes(write(line("a", "b")))
    try:
        assert main(["lab", "up", str(file)]) == 0
        topology = read(capsys.readouterr().out.encode(), format="json").topology
        assert execute("a", "ping", "-c", "1", "-W", "1", address(topology, "b", "a-b")).returncode == 0
        (shaped,) = [d for d in json.loads(execute("a", "tc", "-j", "qdisc", "show", "dev", "to-b").stdout) if d["kind"] == "tbf"]
        assert shaped["options"]["rate"] * 8 == topology.links["a-b"].bandwidth
        assert main(["lab", "up", str(file)]) == 1
        assert "lab down" in capsys.readouterr().err
    finally:
        assert main(["lab", "down"]) == 0
    assert not any(exists(lab.namespace_of(node)) for node in "ab")
    assert main(["lab", "down"]) == 0


@needs_namespaces
async def test_what_cannot_be_built_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two links on one interface: the kernel refuses the second, and the rest is taken away again."""
    monkeypatch.setattr(lab, "RECORD", tmp_path / "lab")
    ends = Endpoint(node="a", interface="eth0"), Endpoint(node="b", interface="eth0")
    twice = Topology.of([Node(id="a"), Node(id="b")], [Link(id=i, source=ends[0], target=ends[1]) for i in "xy"])
    with pytest.raises(Exception, match="ip -b"):
        await lab.up(lab.wired(twice))
    assert not exists("pn-a")


def test_a_file_that_is_not_there_is_an_error(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, exit code 1; so it is for who is not root."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert main(["lab", "up", "/nowhere/net.json"]) == 1
    assert "/nowhere/net.json" in capsys.readouterr().err
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert main(["lab", "down"]) == 1
    assert "root" in capsys.readouterr().err


def test_what_is_missing_is_made_up() -> None:
    """Interfaces with addresses for every end, a loopback for every node; what is there stays."""
    nodes = [
        Node(id="a", interfaces=(Interface(name="eth0", address="10.1.0.1/30"), Interface(name="lo", address="10.0.0.1/32"))),
        Node(id="b"),
    ]
    links = [Link(id="one", source=Endpoint(node="a", interface="eth0"), target=Endpoint(node="b"))]
    links.append(Link(id="two", source=Endpoint(node="b", interface="a name that is too long"), target=Endpoint(node="a")))
    made = lab.wired(Topology.of(nodes, links))
    for link in made.links.values():
        for end in (link.source, link.target):
            assert any(i.name == end.interface and i.address for i in made.nodes[end.node].interfaces)
    assert {i.address for i in made.nodes["a"].interfaces if i.name == "lo"} == {"10.0.0.1/32"}
    assert any(i.name == "lo" for i in made.nodes["b"].interfaces)
    assert lab.wired(made) == made


@pytest.mark.parametrize("node", ["r1", "r/1", "x" * 100, "ü"])
def test_namespaces_have_names_of_their_own(node: str) -> None:
    """Which a path can hold."""
    assert lab.namespace_of(node).startswith("pn-")
    assert "/" not in lab.namespace_of(node)
    assert len(lab.namespace_of(node)) < 100
    assert lab.namespace_of(node) != lab.namespace_of(f"{node}-")
