"""Who sends how much to whom, and how that goes up and down."""

import math
from collections.abc import Sequence
from ipaddress import ip_address
from random import Random
from zlib import crc32

import attrs

from paranet.controller.simulator.forwarding import Address
from paranet.models.topology import Modality, Topology

PERIOD = 600.0  # s, of the slow swing
SWING = 0.2
NOISE = 0.02
MAX_PAIRS = 4_000
"""flows of a network without demands: each is traced hop by hop whenever the network changes"""


@attrs.frozen(kw_only=True)
class Flow:
    """Traffic from one node to another at *rate* bit/s on average, of a *group* with others. *counted* flows have series of their own."""

    id: str
    source: str
    target: str
    rate: float
    modality: Modality
    phase: float
    counted: bool
    group: Address | None = None


def flows(topology: Topology, *, seed: int, background_load: float) -> list[Flow]:
    """Return the topology's demands, or the background of a topology that has none."""
    if not topology.demands:
        return gravity(topology, seed=seed, load=background_load)
    return [
        Flow(
            id=d.id,
            source=d.source,
            target=d.target,
            rate=d.rate,
            modality=d.modality,
            phase=_phase(seed, f"{d.source}>{d.group}" if d.group else d.id),  # the members of a group get the same packets
            counted=True,
            group=ip_address(d.group) if d.group else None,
        )
        for d in topology.demands.values()
    ]


def gravity(topology: Topology, *, seed: int, load: float) -> list[Flow]:
    """Return demands between all ordered pairs of IP nodes, in proportion to the capacity attached to both.

    Each node offers *load* times its own attached capacity. Where there are more than MAX_PAIRS pairs a node offers all
    of it to a seeded sample of the others. Source: Roughan et al., "Experience in measuring backbone traffic variability",
    ACM SIGCOMM Internet Measurement Workshop, 2002.
    """
    mass = attached_capacity(topology)
    nodes = [n.id for n in topology.nodes.values() if Modality.IP in n.modalities and mass[n.id]]
    everybody = len(nodes) * (len(nodes) - 1) <= MAX_PAIRS
    found = []
    for source in nodes:
        if everybody:
            others = [n for n in nodes if n != source]
        else:
            share = max(1, MAX_PAIRS // len(nodes))
            others = [n for n in _random(seed, source).sample(nodes, share + 1) if n != source][:share]
        total = sum(mass[n] for n in others)
        for target in others:
            rate = load * mass[source] * mass[target] / total
            pair = f"{source}>{target}"
            found.append(
                Flow(id=pair, source=source, target=target, rate=rate, modality=Modality.IP, phase=_phase(seed, pair), counted=False)
            )
    return found


def attached_capacity(topology: Topology) -> dict[str, float]:
    """Return the summed bandwidth in bit/s of the enabled links at each node."""
    found = dict.fromkeys(topology.nodes, 0.0)
    for link in topology.links.values():
        if link.enabled:
            found[link.source.node] += link.bandwidth
            found[link.target.node] += link.bandwidth
    return found


def rates(offered: Sequence[Flow], *, seed: int, at: float) -> list[float]:
    """Return bit/s of each flow at time *at* (s): a slow swing of 20 % with a phase of its own, and 2 % of noise."""
    noise = _random(seed, at).random
    angle = 2 * math.pi * at / PERIOD
    return [f.rate * (1 + SWING * math.sin(angle + f.phase) + NOISE * (2 * noise() - 1)) for f in offered]


def _phase(seed: int, flow_id: str) -> float:
    return crc32(f"{seed}/{flow_id}".encode()) / 2**32 * 2 * math.pi


def _random(seed: int, what: object) -> Random:
    return Random(f"{seed}/{what!r}")  # noqa: S311 - repeatable on purpose
