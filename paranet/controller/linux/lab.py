"""A topology as network namespaces of this machine: a router each, veth pairs between them, rates by tbf. Needs root."""

import asyncio
import hashlib
import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, ip_interface
from itertools import count
from pathlib import Path

import attrs

from paranet.controller.linux.namespaces import exists, inside
from paranet.errors import AlreadyExists, DeviceError
from paranet.models.addressing import router_addresses
from paranet.models.topology import Endpoint, Interface, Link, Management, Node, Topology

LINKS = IPv4Network("172.16.0.0/12")
"""links without addresses of their own get /31 nets from here"""
RECORD = Path("/run/paranet-lab")
"""the namespaces that were made, one a line, so that taking down removes those and no others"""
_NAME = re.compile(r"[A-Za-z][\w.-]{0,14}")


def namespace_of(node_id: str) -> str:
    """Return the name of a node's namespace."""
    plain = re.sub(r"[^\w.-]", "-", node_id)
    return f"pn-{plain}" if plain == node_id and len(plain) < 60 else f"pn-{plain[:40]}-{hashlib.sha256(node_id.encode()).hexdigest()[:8]}"


def wired(topology: Topology) -> Topology:
    """Return the topology as it can be built: every end of a link an interface with an address, every node a loopback and its driver."""
    nodes = {node.id: list(node.interfaces) for node in topology.nodes.values()}
    nets = LINKS.subnets(new_prefix=31)
    links = [_wired(link, nodes, [str(address) for address in next(nets)]) for link in topology.links.values()]
    loopbacks = router_addresses(topology)
    made = []
    for node in topology.nodes.values():
        ports = nodes[node.id]
        if not any(p.name == "lo" and p.address for p in ports):
            ports = [Interface(name="lo", address=str(loopbacks[node.id])), *(p for p in ports if p.name != "lo")]
        management = Management(driver="linux", address=namespace_of(node.id))
        made.append(attrs.evolve(node, interfaces=tuple(ports), management=management))
    return Topology.of(made, links, topology.demands.values())


def _wired(link: Link, nodes: dict[str, list[Interface]], addresses: Sequence[str]) -> Link:
    ends = []
    for end in (link.source, link.target):
        ports = nodes[end.node]
        name = end.interface if end.interface and _NAME.fullmatch(end.interface) else _free(ports)
        ends.append(Endpoint(node=end.node, interface=name))
    both = [next((p for p in nodes[e.node] if p.name == e.interface and p.address), None) for e in ends]
    for end, port, address in zip(ends, both, addresses, strict=True):
        if None in both and end.interface is not None:
            ports = [p for p in nodes[end.node] if p.name != end.interface]
            nodes[end.node] = [
                *ports,
                attrs.evolve(port, address=f"{address}/31") if port else Interface(name=end.interface, address=f"{address}/31"),
            ]
    return attrs.evolve(link, source=ends[0], target=ends[1])


def _free(ports: Sequence[Interface]) -> str:
    taken = {p.name for p in ports}
    return next(name for i in count() if (name := f"eth{i}") not in taken)


async def up(topology: Topology) -> None:
    """Build a wired topology. Raise AlreadyExists or DeviceError; what was begun is taken away again."""
    names = {node.id: namespace_of(node.id) for node in topology.nodes.values()}
    there = [name for name in names.values() if exists(name)]
    if there:
        raise AlreadyExists(f"namespace {there[0]} is there already: paranet lab down", ids=there)
    _remember(names.values())
    try:
        await _run(["ip", "-b", "-"], [f"netns add {name}" for name in names.values()])
        await _run(["ip", "-b", "-"], [_veth(link, names) for link in topology.links.values()])
        await asyncio.gather(*(_configure(node, topology, names[node.id]) for node in topology.nodes.values()))
    except DeviceError:
        await down()
        raise


def _veth(link: Link, names: dict[str, str]) -> str:
    near, far = (f"{end.interface} netns {names[end.node]} mtu {link.mtu}" for end in (link.source, link.target))
    return f"link add {near} type veth peer name {far}"


async def _configure(node: Node, topology: Topology, namespace: str) -> None:
    addressed = [(p.name, str(ip_interface(p.address))) for p in node.interfaces if p.address]
    ports = {
        (e.interface, link.bandwidth, link.enabled)
        for link in topology.links_of(node.id)
        for e in (link.source, link.target)
        if e.node == node.id
    }
    wired_names = {"lo", *(name for name, _, _ in ports)}
    commands = [f"addr add {address} dev {name}" for name, address in addressed if name in wired_names]
    commands += ["link set lo up", *(f"link set {name} up" for name, _, enabled in ports if enabled)]
    await _run(["ip", "-n", namespace, "-b", "-"], commands)
    await inside(namespace, _forward)
    shapes = [
        f"qdisc add dev {name} root handle 1: tbf rate {int(rate)}bit burst {_burst(rate)} latency 50ms" for name, rate, _ in ports if name
    ]
    await _run(["ip", "netns", "exec", namespace, "tc", "-b", "-"], shapes)


def _forward() -> None:
    for switch in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        (Path("/proc/sys/net") / switch).write_text("1", encoding="ascii")


def _burst(rate: float) -> int:
    """Return bytes that may go at once: a timer tick's worth (tc-tbf(8)), and at least a large packet."""
    return int(min(max(64_000, rate / 8 / 100), 2**28))


async def down() -> int:
    """Remove every namespace that was made here; return how many there were."""
    names = [name for name in _remembered() if exists(name)]
    if names:
        await _run(["ip", "-b", "-"], [f"netns del {name}" for name in names])
    RECORD.unlink(missing_ok=True)  # noqa: ASYNC240 - a file in memory
    return len(names)


def _remember(names: Iterable[str]) -> None:
    with RECORD.open("a", encoding="utf-8") as record:
        record.writelines(f"{name}\n" for name in names)


def _remembered() -> list[str]:
    return RECORD.read_text(encoding="utf-8").split() if RECORD.exists() else []


async def _run(command: Sequence[str], lines: Sequence[str]) -> None:
    if not lines:
        return
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
    _, said = await process.communicate("".join(f"{line}\n" for line in lines).encode())
    if process.returncode:
        reason = said.decode(errors="replace").strip().splitlines()
        raise DeviceError(f"{' '.join(command[:4])}: {reason[0] if reason else process.returncode}")
