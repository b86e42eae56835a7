"""What the Linux preview says, said to Linux: three network namespaces that do what the verifier promised."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

import pytest

from paranet.compiler import compile_source, declared_topology
from paranet.compiler.render import render
from paranet.verifier import Promises, Verifier

NETWORK = """
network lab {
    node h1 :host   { interfaces: { eth0: "10.1.0.10/24" } }
    node r1 :router { interfaces: { eth1: "10.1.0.1/24"; eth2: "10.2.0.1/24" } }
    node h2 :host   { interfaces: { eth0: "10.2.0.10/24" } }
    link { endpoints: ["h1:eth0", "r1:eth1"] }
    link { endpoints: ["r1:eth2", "h2:eth0"] }
}
"""
INTENTS = """
route there { from: h1; to: h2 }
route back  { from: h2; to: h1 }
acl   shut  { deny: { from: h1; to: h2; port: 22 } }
qos   slow  { match: { from: h1; to: h2; protocol: udp; port: 9 }; rate: 8kbps; burst: 15kB; at: r1 }
"""
# 33 is SO_RCVBUFFORCE: room for all of them, however late the receiver gets its turn
RECEIVE = (
    "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.setsockopt(1, 33, 2**22); "
    "s.bind(('', {port})); s.settimeout(5.0); print('ready', flush=True)\n"
)
COUNT = """n = 0
try:
    while True: n += len(s.recv(2000)) > 0; s.settimeout(1.0)
except TimeoutError: print(n)
"""
SEND = "import socket; s = socket.socket(type=socket.SOCK_DGRAM)\nfor _ in range(200): s.sendto(bytes(972), ('10.2.0.10', {port}))\n"
CONNECT = """import socket
s = socket.socket(); s.settimeout(1.0)
try: s.connect(('10.2.0.10', {port}))
except ConnectionRefusedError: print('refused')
except TimeoutError: print('nothing')
"""


def run(*command: str, text: str | None = None) -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _possible() -> bool:
    if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "nft", "sysctl"))):
        return False
    name = f"paranet-{os.getpid()}"
    made = subprocess.run(("ip", "netns", "add", name), capture_output=True).returncode == 0
    return subprocess.run(("ip", "netns", "delete", name), capture_output=True).returncode == 0 and made


pytestmark = pytest.mark.skipif(os.environ.get("CI") != "true" and not _possible(), reason="needs root, ip, nft and network namespaces")


def within(node: str, *command: str, text: str | None = None) -> str:
    return run("ip", "netns", "exec", f"paranet-{os.getpid()}-{node}", *command, text=text)


@pytest.fixture(scope="module")
def lab() -> Iterator[None]:
    """h1 - r1 - h2 as namespaces, with addresses and the rows' commands, and nothing else."""
    topology, found = declared_topology(NETWORK)
    assert topology is not None, found
    result = compile_source(INTENTS, topology)
    assert result.ok, result.diagnostics
    rows = {node: {row.id: row for row in held} for node, held in result.rows.items()}
    report = Verifier(topology, rows, Promises.of(result)).report()
    assert report.ok, report.violations
    name = f"paranet-{os.getpid()}-{{}}".format
    try:
        for node_id in topology.nodes:
            run("ip", "netns", "add", name(node_id))
        for link in topology.links.values():
            a, b = link.source, link.target
            ends = ("netns", name(a.node), "type", "veth", "peer", "name", b.interface or "", "netns", name(b.node))
            run("ip", "link", "add", a.interface or "", *ends)
        for node in topology.nodes.values():
            inside = partial(within, node.id)
            for interface in node.interfaces:
                inside("ip", "address", "add", interface.address or "", "dev", interface.name)
                inside("ip", "link", "set", interface.name, "up")
            inside("sysctl", "-qw", "net.ipv4.ip_forward=1")
            inside("sh", "-e", text=render("iproute2", node, result.rows.get(node.id, ()), topology))
        yield
    finally:
        for node_id in topology.nodes:
            subprocess.run(("ip", "netns", "delete", name(node_id)), capture_output=True)


def received(port: int) -> int:
    """How many of 200 datagrams from h1 to a port of h2 arrive."""
    listen = ("ip", "netns", "exec", f"paranet-{os.getpid()}-h2", sys.executable, "-c", RECEIVE.format(port=port) + COUNT)
    with subprocess.Popen(listen, stdout=subprocess.PIPE, text=True) as listening:
        assert listening.stdout is not None
        assert listening.stdout.readline() == "ready\n"
        within("h1", sys.executable, "-c", SEND.format(port=port))
        return int(listening.stdout.read())


def test_a_route(lab: None) -> None:
    """Packets arrive, and their answers: the port is refused by h2 itself."""
    assert within("h1", sys.executable, "-c", CONNECT.format(port=80)) == "refused\n"


def test_a_deny(lab: None) -> None:
    """What is denied meets silence."""
    assert within("h1", sys.executable, "-c", CONNECT.format(port=22)) == "nothing\n"


def test_a_class(lab: None) -> None:
    """Of a burst no more passes than the class allows; another port's packets pass all."""
    assert received(10) == 200
    assert 10 <= received(9) <= 20
