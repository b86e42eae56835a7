"""Real routers: what is deployed on them is what packets do."""

import json
import re
import subprocess
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import attrs
import pytest

from actors.orders import RollBack
from paranet.controller.driver import Driver
from paranet.controller.linux.device import LinuxDriver
from paranet.controller.linux.lab import namespace_of, wired
from paranet.models.device import Row, Rows
from paranet.models.topology import Node, Topology
from paranet.models.units import Bandwidth
from paranet.orchestrator.plan import Plan, make_plan
from tests.actors.deploying import Hub, T, flash, hub, powered
from tests.namespaces import address, built, execute, needs_namespaces, remove, route
from tests.paranet.controller.simulator.networks import line

pytestmark = needs_namespaces
Wanted = dict[str, list[Row]]


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Topology]:
    """Hosts a and d with routers b and c between them, at 200 Mbit/s."""
    plain = line("a", "b", "c", "d", demand=None)
    links = [attrs.evolve(link, bandwidth=Bandwidth(2e8)) for link in plain.links.values()]
    async with built(Topology.of(plain.nodes.values(), links), tmp_path) as topology:
        yield topology


@pytest.fixture
async def house(tmp_path: Path, network: Topology, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    """A hub over them, that tries again at once."""
    monkeypatch.setattr("actors.deployment.RETRY_AFTER", 0.01)

    def driver(node: Node) -> Driver:
        return LinuxDriver(node.id, namespace_of(node.id), lambda: network)

    async with hub(tmp_path, await powered(flash()), driver=driver, topology=network) as opened:
        yield opened


async def planned(network: Topology, plan_id: str, wanted: Wanted) -> Plan:
    """A plan that puts rows on top of what the routers have now."""
    installed: dict[str, Rows] = {}
    for node in wanted:
        session = LinuxDriver(node, namespace_of(node), lambda: network)
        await session.connect()
        installed[node] = await session.read_rows()
        await session.close()
    desired = {node: {**installed[node], **{row.id: row for row in rows}} for node, rows in wanted.items()}
    return make_plan(plan_id=plan_id, topology_revision=1, installed=installed, desired=desired)


def path(network: Topology) -> Wanted:
    """The routes from a to d's loopback and back."""
    there, back = f"{address(network, 'd')}/32", f"{address(network, 'a')}/32"
    return {
        "a": [route(network, "a", there, "a-b")],
        "b": [route(network, "b", there, "b-c"), route(network, "b", back, "a-b")],
        "c": [route(network, "c", there, "c-d"), route(network, "c", back, "b-c")],
        "d": [route(network, "d", back, "c-d")],
    }


def pings(network: Topology) -> bool:
    """Tell whether a packet from a's loopback comes back from d's."""
    return execute("a", "ping", "-c", "1", "-W", "2", "-I", address(network, "a"), address(network, "d")).returncode == 0


def deny() -> Row:
    return Row(family="ip.acl", key="00010 quiet", value={"seq": 10, "action": "deny", "match": {"protocol": "icmp"}})


async def test_a_path_is_deployed_denied_and_rolled_back(house: Hub, network: Topology) -> None:
    """Ping goes, stops, goes again; what others had on the routers is as it was."""
    foreign = ("ip", "route", "add", "203.0.113.0/24", "via", address(network, "c", "b-c"))
    execute("b", *foreign).check_returncode()
    execute("b", "nft", "add", "table", "inet", "somebody").check_returncode()
    assert not pings(network)
    assert (await house.run(await planned(network, "d1", path(network)))).state == "succeeded"
    assert pings(network)
    assert (await house.run(await planned(network, "d2", {"b": [deny()]}))).state == "succeeded"
    assert not pings(network)
    back = await house.deployer.ask(RollBack(deploy_id="d2", author="t"), timeout=T)
    assert (await house.ended(back.deploy_id)).state == "succeeded"
    assert pings(network)
    back = await house.deployer.ask(RollBack(deploy_id="d1", author="t"), timeout=T)
    assert (await house.ended(back.deploy_id)).state == "succeeded"
    assert not pings(network)
    assert "203.0.113.0/24" in execute("b", "ip", "route").stdout
    assert execute("b", "nft", "list", "tables").stdout.split("\n")[0] == "table inet somebody"


async def test_one_router_that_refuses_takes_all_back(house: Hub, network: Topology) -> None:
    """A row that its kernel cannot hold is refused at staging: no router has changed."""
    wanted = path(network)
    wanted["d"].append(Row(family="ip.acl", key="1 x", value={"seq": 1, "action": "perhaps", "match": {}}))
    progress = await house.run(await planned(network, "d1", wanted))
    assert progress.state == "rolled_back"
    assert "d: " in (progress.reason or "")
    assert all(execute(node, "ip", "route", "show", "proto", "80").stdout == "" for node in "abcd")


async def test_a_router_that_is_gone_is_named(house: Hub, network: Topology) -> None:
    """It ends as failed, whether it was lost before or after the decision; the next deployment finds the others free."""
    plan = await planned(network, "d1", path(network))
    recorder = await house.follow(await house.begin(plan))
    await recorder.until(lambda r: any((i["state"], i["wave"]) == ("gating", 2) for i in r.items))
    remove("c")
    progress = await house.ended("d1")
    assert progress.state == "failed"
    assert "c" in progress.inconsistent_devices
    assert house.leases() == {}
    assert (await house.run(await planned(network, "d2", {"a": path(network)["a"]}))).state == "succeeded"


async def test_a_class_has_its_rate(house: Hub, network: Topology) -> None:
    """iperf3 measures 20 Mbit/s within 15 %, and much more outside of the class."""
    slow = Row(
        family="ip.qos",
        key="slow",
        value={"match": {"destination": f"{address(network, 'd')}/32"}, "rate": 20_000_000, "burst": 32_000},
    )
    wanted = path(network)
    wanted["b"].append(slow)
    assert (await house.run(await planned(network, "d1", wanted))).state == "succeeded"
    assert 17e6 < measured(network, "a", "d") < 23e6
    assert measured(network, "d", "a") > 60e6


def measured(network: Topology, source: str, target: str) -> float:
    """Return the bit/s that TCP gets in a second, without its slow start."""
    server = ["ip", "netns", "exec", namespace_of(target), "iperf3", "-s", "-1", "-B", address(network, target), "--forceflush"]
    with subprocess.Popen(server, stdout=subprocess.PIPE, text=True) as listening:
        assert listening.stdout is not None
        _until(listening.stdout, r"listening")
        client = ("iperf3", "-c", address(network, target), "-B", address(network, source), "-t", "1", "-O", "1", "-J")
        report = json.loads(execute(source, *client).stdout)
        listening.wait(timeout=5)
    return float(report["end"]["sum_received"]["bits_per_second"])


def _until(lines: Iterable[str], pattern: str) -> None:
    for line_ in lines:
        if re.search(pattern, line_):
            return


async def test_the_hub_finds_its_routers_by_the_topology(network: Topology) -> None:
    """What `paranet lab up` prints names driver and namespace of every node; building it again changes nothing in it."""
    assert wired(network) == network
    assert {n.management.driver for n in network.nodes.values() if n.management} == {"linux"}
