"""Rows on a real router read back as they were written, whatever they say."""

from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest

from paranet.controller.linux.device import LinuxDriver
from paranet.controller.linux.lab import namespace_of
from paranet.errors import DeviceError
from paranet.models.device import Change, Delta, Row
from paranet.models.topology import Topology
from tests.namespaces import built, execute, hop, needs_namespaces
from tests.paranet.controller.simulator.networks import line

pytestmark = needs_namespaces


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Topology]:
    async with built(line("a", "b", "c"), tmp_path) as topology:
        yield topology


@pytest.fixture
async def router(network: Topology) -> AsyncIterator[LinuxDriver]:
    """Router b, between two others."""
    session = LinuxDriver("b", namespace_of("b"), lambda: network)
    await session.connect()
    yield session
    await session.close()


def rows(network: Topology) -> list[Row]:
    west, east = hop(network, "b", "a-b"), hop(network, "b", "b-c")
    acl = {
        "seq": 10,
        "action": "deny",
        "match": {"source": "10.0.0.0/8", "protocol": "tcp", "destination_port": "80-90"},
        "when": "08:00..18:00",
    }
    return [
        Row(family="ip.route", key="10.1.0.0/24", value={"next_hops": [east]}),
        Row(family="ip.route", key="10.2.0.0/24", value={"next_hops": [east, {**west, "weight": 3}], "backup": [west]}),
        Row(family="ip.route", key="10.3.0.0/24", value={"next_hops": []}),
        Row(family="ip.route", key="0.0.0.0/0", value={"next_hops": [west]}),
        Row(family="ip.acl", key="00010 work/web", value=acl),
        Row(family="ip.acl", key="00020 z", value={"seq": 20, "action": "permit", "match": {"protocol": "udp", "source_port": "53"}}),
        Row(family="ip.acl", key="00030 six", value={"seq": 30, "action": "deny", "match": {"destination": "2001:db8::/32"}}),
        Row(
            family="ip.qos",
            key="gold",
            value={"match": {"destination": "10.7.0.0/16"}, "rate": 1e7, "burst": 20000, "dscp": 46, "priority": 2},
        ),
    ]


async def change(router: LinuxDriver, *changes: Change) -> None:
    await router.stage(Delta(changes=changes), base=await router.transaction_id())
    await router.commit(confirm_within=None)


async def test_every_kind_of_row_reads_back(router: LinuxDriver, network: Topology) -> None:
    """All at once, and gone again without a trace."""
    wanted = rows(network)
    await change(router, *(Change(before=None, after=row) for row in wanted))
    assert await router.read_rows() == {row.id: row for row in wanted}
    await change(router, *(Change(before=row, after=None) for row in wanted))
    assert await router.read_rows() == {}
    assert execute("b", "nft", "list", "ruleset").stdout == ""
    assert "htb" not in execute("b", "tc", "qdisc", "show").stdout


async def test_a_changed_row_replaces_the_one_before(router: LinuxDriver, network: Topology) -> None:
    """Several ways become one, a backup goes, a class gets another rate."""
    wanted = {row.id: row for row in rows(network)}
    await change(router, *(Change(before=None, after=row) for row in wanted.values()))
    many, gold = wanted["ip.route", "10.2.0.0/24"], wanted["ip.qos", "gold"]
    one = attrs.evolve(many, value={"next_hops": [hop(network, "b", "a-b")]})
    slower = attrs.evolve(gold, value={**gold.value, "rate": 5_000_000})
    await change(router, Change(before=many, after=one), Change(before=gold, after=slower))
    assert await router.read_rows() == {**wanted, one.id: one, slower.id: slower}


async def test_what_somebody_does_to_a_class_is_seen(router: LinuxDriver, network: Topology) -> None:
    """The rate is what the ports have, not what was said once."""
    gold = rows(network)[-1]
    await change(router, Change(before=None, after=gold))
    execute("b", "tc", "qdisc", "del", "dev", "to-a", "parent", "1:1").check_returncode()
    assert (await router.read_rows())[gold.id].value["rate"] == 0


async def test_a_refusal_in_the_middle_takes_back_what_was_done(router: LinuxDriver, network: Topology) -> None:
    """A link that went away in the meantime: the routes before it are not left behind."""
    first, second = rows(network)[0], Row(family="ip.route", key="10.9.0.0/24", value={"next_hops": [hop(network, "b", "a-b")]})
    delta = Delta(changes=(Change(before=None, after=first), Change(before=None, after=second)))
    await router.stage(delta, base=await router.transaction_id())
    execute("b", "ip", "link", "set", "to-a", "down").check_returncode()
    with pytest.raises(DeviceError, match="kernel refused"):
        await router.commit(confirm_within=None)
    assert await router.read_rows() == {}


async def test_counters_tell_what_went_over_the_ports(router: LinuxDriver, network: Topology) -> None:
    """By link and interface, in bytes, with the utilization from the second reading on."""
    await router.counters()
    execute("a", "ping", "-c", "3", "-i", "0.01", "-s", "1000", (str(hop(network, "a", "a-b")["address"])))
    found = {(s.metric, s.labels.get("link")): s.value for s in await router.counters()}
    assert found["paranet_link_receive_bytes_total", "a-b"] > 3000
    assert 0 < found["paranet_link_utilization_ratio", "a-b"] <= 1
