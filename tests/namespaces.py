"""Real routers for tests: whether this machine can have them, and what they are asked."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import gettempdir
from typing import TextIO
from unittest.mock import patch

import pytest

from paranet.controller.linux import lab
from paranet.models.device import Row
from paranet.models.topology import Topology

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _missing() -> str | None:
    if os.geteuid() != 0:
        return "root"
    absent = [tool for tool in ("ip", "tc", "nft", "ping", "iperf3") if shutil.which(tool, path=PATH) is None]
    if absent:
        return ", ".join(absent)
    probe = f"pn-probe-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True, check=False)
    subprocess.run(["ip", "netns", "del", probe], capture_output=True, check=False)
    return None if made.returncode == 0 else "network namespaces"


_WITHOUT = _missing()
_OPTIONAL = os.environ.get("CI") != "true"
needs_namespaces = pytest.mark.skipif(_OPTIONAL and _WITHOUT is not None, reason=f"this machine has no {_WITHOUT}")
_claims: list[TextIO] = []


def claim() -> None:
    """Wait until nobody else on this machine builds namespaces: they have one set of names."""
    if not _claims:
        _claims.append((Path(gettempdir()) / "paranet-namespaces.lock").open("w"))
        fcntl.flock(_claims[0], fcntl.LOCK_EX)


def release() -> None:
    """Let others build."""
    while _claims:
        _claims.pop().close()


@asynccontextmanager
async def built(topology: Topology, folder: Path) -> AsyncIterator[Topology]:
    """Build the topology for as long as the block runs, with a record of its own."""
    wired = lab.wired(topology)
    with patch.object(lab, "RECORD", folder / "lab"):
        await lab.up(wired)
        try:
            yield wired
        finally:
            await lab.down()


def execute(node: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command on a node."""
    return subprocess.run(["ip", "netns", "exec", lab.namespace_of(node), *command], capture_output=True, text=True, check=False)


def remove(node: str) -> None:
    """Have a node vanish."""
    subprocess.run(["ip", "netns", "del", lab.namespace_of(node)], check=True)


def address(topology: Topology, node: str, link: str | None = None) -> str:
    """Return a node's address on a link, or its loopback."""
    name = "lo"
    if link is not None:
        ends = (topology.links[link].source, topology.links[link].target)
        name = next(end.interface or "" for end in ends if end.node == node)
    found = next(i.address for i in topology.nodes[node].interfaces if i.name == name)
    return (found or "").partition("/")[0]


def hop(topology: Topology, node: str, link: str) -> dict[str, object]:
    """Return a next hop over a link of *node*."""
    ends = (topology.links[link].source, topology.links[link].target)
    near = next(end for end in ends if end.node == node)
    far = next(end for end in ends if end.node != node)
    return {"node": far.node, "link": link, "interface": near.interface, "address": address(topology, far.node, link), "weight": 1}


def route(topology: Topology, node: str, prefix: str, *links: str) -> Row:
    """Return a route of *node* over its links."""
    return Row(family="ip.route", key=prefix, value={"next_hops": [hop(topology, node, link) for link in links]})
