"""What the statements of one source may speak of, and the reading of names, prefixes and regions."""

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface, ip_network

import attrs

from paranet.compiler import values
from paranet.compiler.ast import Attribute, Call, Statement, Token, Value
from paranet.compiler.declare import Declared
from paranet.compiler.diagnostics import Log, suggestion
from paranet.compiler.ir import End
from paranet.compiler.names import Names
from paranet.compiler.owners import Owners
from paranet.models.geometry import inside
from paranet.models.producers import NAME
from paranet.models.topology import ID, Modality, Topology

Network = IPv4Network | IPv6Network
MARGIN = 0.01
"""Degrees around the nodes of a region that only they describe."""


@attrs.frozen
class Area:
    """A region: its polygon, and the nodes in it."""

    polygon: tuple[tuple[float, float], ...]
    nodes: tuple[str, ...]


class Context:
    """The network and the names of one source. Every reader reports what does not fit and returns None."""

    def __init__(self, topology: Topology, declared: Declared, log: Log, scope: str | None) -> None:
        self.topology = topology
        self.log = log
        self.groups: dict[str, tuple[str, ...]] = {}
        self.names = Names(topology.nodes.values(), topology.links.keys(), log, declared=declared.nodes.keys(), groups=self.groups)
        self.owners = Owners(topology)
        self._areas: dict[str, Area] = {}
        self._scope = f"{scope}/" if scope else ""
        self._seen: dict[str, tuple[str, Token]] = {}
        self._networks: dict[str, Network] = {}
        self._hosts: dict[str, Network] = {}
        self._texts: dict[Network, str] = {}

    def scoped(self, name: str) -> str:
        """Return the id of the intent called *name*."""
        return self._scope + name

    def forget(self, intent: str) -> None:
        """Let the id be taken again."""
        del self._seen[intent]

    def intent(self, statement: Statement) -> str | None:
        """Return the intent's id, unique within the source."""
        keyword = statement.keyword.text
        place = statement.name or statement.keyword
        if statement.name is None:
            name = f"{keyword}@{place.line}"
            name = f"{name}:{place.column}" if self._scope + name in self._seen else name
        elif ID.fullmatch(name := statement.name.text) is None:
            message = f"{name[:60]!r} cannot name a {keyword}: letters, digits and . : _ - only, at most 128, no leading sign"
            self.log.error("PN214", place.span, message)
            return None
        intent = self._scope + name
        if intent in self._seen:
            what, first = self._seen[intent]
            self.log.error("PN213", place.span, f"there is a {what} {name!r} already, in line {first.line}")
            return None
        self._seen[intent] = keyword, place
        return intent

    def speaking(self, value: Value, attribute: str, modality: Modality) -> str | None:
        """Return the node that *value* names if it speaks *modality*."""
        node = self.names.node(value, attribute)
        return node if node is not None and self.speaks(node, value, modality) else None

    def speaks(self, node: str, value: Value, modality: Modality) -> bool:
        modalities = self.topology.nodes[node].modalities
        if modality not in modalities:
            spoken = ", ".join(modalities) or "nothing"
            self.log.error("PN219", value.span, f"node {node!r} does not speak {modality}, only {spoken}")
        return modality in modalities

    def nodes(self, attribute: Attribute, modality: Modality | None = None) -> tuple[str, ...] | None:
        """Return the nodes of a list of nodes and groups, None when one of them cannot be read."""
        if modality and isinstance(attribute.value, Token) and attribute.value.text not in self.groups:
            node = self.speaking(attribute.value, attribute.name.text, modality)
            return (node,) if node else None
        found: list[str | None] = []
        for value in values.members(attribute.value):
            if isinstance(value, Token) and value.text in self.groups and not self.names.find(value.text):
                members = self.groups[value.text]
                found += [n if modality is None or self.speaks(n, value, modality) else None for n in members]
            elif modality is None:
                found.append(self.names.node(value, attribute.name.text))
            else:
                found.append(self.speaking(value, attribute.name.text, modality))
        read = tuple(dict.fromkeys(n for n in found if n is not None))
        if not found:
            self.log.error("PN207", attribute.value.span, f"{attribute.name.text!r} names no node")
        return read if found and None not in found else None

    def avoided(self, found: Mapping[str, Attribute]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the nodes and the links that `avoid` names."""
        nodes: list[str] = []
        links: list[str] = []
        for value in values.members(found["avoid"].value) if "avoid" in found else ():
            if isinstance(value, Token) and value.text in self.groups and not self.names.find(value.text):
                nodes += self.groups[value.text]
                continue
            node, link = self.names.node_or_link(value, "avoid")
            nodes += [node] if node else []
            links += [link] if link else []
        return tuple(dict.fromkeys(nodes)), tuple(dict.fromkeys(links))

    def destination(self, value: Value, modality: Modality = Modality.IP) -> tuple[str, Network] | None:
        """Return the node that a node, a prefix or prefix(...) leads to, and the prefix."""
        if isinstance(value, Call) and value.function.text == "prefix":
            return self._owner(value, self.prefix(value), modality)
        if isinstance(value, Token) and _is_ip(value.text) and not self.names.find(value.text):
            return self._owner(value, self.prefix(value), modality)
        target = self.speaking(value, "to", modality)
        return (target, self._host(target)) if target else None

    def text(self, network: Network) -> str:
        """Return the network as text, which the library makes anew every time."""
        if network not in self._texts:
            self._texts[network] = str(network)
        return self._texts[network]

    def _host(self, node: str) -> Network:
        """Return the prefix that holds nothing but the router address of *node*."""
        if node not in self._hosts:
            self._hosts[node] = ip_network(self.owners.addresses[node])
        return self._hosts[node]

    def prefix(self, value: Token | Call) -> Network | None:
        """Return the IP prefix that *value* is or holds."""
        token = self._argument(value, 'one prefix, such as prefix("10.2.0.0/16")')
        if token is None:
            return None
        if token.text in self._networks:
            return self._networks[token.text]
        hint = "such as 10.2.0.0/16 or 2001:db8::/32"
        if "%" not in token.text:  # scoped addresses mean something on one link only
            try:
                return self._networks.setdefault(token.text, ip_network(token.text))
            except ValueError:
                pass
            with suppress(ValueError):
                hint = f"did you mean {ip_network(token.text, strict=False)}?"
        self.log.error("PN216", token.span, f"{token.text!r} is not an IP prefix", hint=hint)
        return None

    def name(self, value: Value) -> str | None:
        """Return the NDN name that *value* is or holds."""
        token = self._argument(value, "one name, such as '/video/ch1'")
        if token is None:
            return None
        name = token.text.rstrip("/") or token.text[:1]
        if NAME.fullmatch(name) is None:
            self.log.error("PN228", token.span, f"{token.text!r} is not a name of NDN", hint="write it like a path: /video/ch1")
            return None
        return name

    def _argument(self, value: Value, wanted: str) -> Token | None:
        if isinstance(value, Token):
            return value
        if isinstance(value, Call) and value.function.text == "prefix" and len(value.arguments) == 1:
            argument = value.arguments[0]
            if isinstance(argument, Token):
                return argument
        if isinstance(value, Call) and value.function.text == "prefix":
            self.log.error("PN207", value.span, f"prefix(...) takes {wanted}")
        else:
            self.log.error("PN207", value.span, f"expected {wanted}, not {values.kind(value)}")
        return None

    def _owner(self, value: Value, prefix: Network | None, modality: Modality) -> tuple[str, Network] | None:
        if prefix is None:
            return None
        owners = self.owners.of(prefix)
        if not owners:
            self.log.error("PN217", value.span, f"no node has an interface in {prefix}")
        elif len(owners) > 1:
            shown = ", ".join(owners[:5]) + (", ..." if len(owners) > 5 else "")
            hint = "write a longer prefix, or the node itself"
            self.log.error("PN218", value.span, f"{len(owners)} nodes have interfaces in {prefix}: {shown}", hint=hint)
        elif self.speaks(owners[0], value, modality):
            return owners[0], prefix
        return None

    def add_region(self, name: str, polygon: tuple[tuple[float, float], ...]) -> None:
        located = (n for n in self.topology.nodes.values() if n.location)
        self._areas[name] = Area(polygon, tuple(n.id for n in located if n.location and inside(n.location, polygon)))

    @property
    def areas(self) -> Mapping[str, Area]:
        """The regions met so far, by name."""
        return self._areas

    def region(self, value: Value) -> str | None:
        """Return the name of the region that `region("midtown")` or a word means: one of the source, else one of the nodes."""
        token: Value | None = value
        if isinstance(value, Call):
            token = value.arguments[0] if value.function.text == "region" and len(value.arguments) == 1 else None
        if not isinstance(token, Token):
            self.log.error("PN207", value.span, f'write region("name"), not {values.kind(value)}')
            return None
        if token.text not in self._areas:
            self._of_nodes(token.text)
        if token.text in self._areas:
            return token.text
        known = {*self._areas, *(n.region for n in self.topology.nodes.values() if n.region)}
        self.log.error("PN227", token.span, f"there is no region {token.text!r}", hint=suggestion(token.text, known))
        return None

    def _of_nodes(self, name: str) -> None:
        """Make a region of the nodes that say they are in it: the box around them."""
        members = [n for n in self.topology.nodes.values() if n.region == name and n.location]
        if members:
            latitudes = [n.location.latitude for n in members if n.location]
            longitudes = [n.location.longitude for n in members if n.location]
            south, north = max(min(latitudes) - MARGIN, -90), min(max(latitudes) + MARGIN, 90)
            west, east = max(min(longitudes) - MARGIN, -180), min(max(longitudes) + MARGIN, 180)
            self._areas[name] = Area(((south, west), (south, east), (north, east), (north, west)), tuple(n.id for n in members))

    def end(self, attribute: Attribute) -> tuple[End, ...] | None:
        """Return the ends of a flow: nodes, groups, prefixes, and lists of these."""
        ends: list[End | None] = []
        for value in values.members(attribute.value):
            is_prefix = isinstance(value, Call) and value.function.text == "prefix"
            if is_prefix or (isinstance(value, Token) and _is_ip(value.text) and not self.names.find(value.text)):
                assert isinstance(value, (Call, Token))
                prefix = self.prefix(value)
                ends.append(End(nodes=tuple(self.owners.of(prefix)), prefixes=(str(prefix),)) if prefix else None)
            else:
                ends += self._behind(attribute, value)
        return tuple(e for e in ends if e) if None not in ends else None

    def _behind(self, attribute: Attribute, value: Value) -> Iterable[End | None]:
        if isinstance(value, Call) and value.function.text == "region":
            region = self.region(value)
            nodes: Collection[str] | None = self._areas[region].nodes if region else None
        else:
            nodes = self.nodes(attrs.evolve(attribute, value=value), Modality.IP)
        return [None] if nodes is None else [End(nodes=(n,), prefixes=self.addresses(n)) for n in nodes]

    def addresses(self, node: str) -> tuple[str, ...]:
        """Return the addresses that packets of *node* carry, as prefixes."""
        own = {ip_interface(i.address).ip for i in self.topology.nodes[node].interfaces if i.address}
        return tuple(str(ip_network(a)) for a in sorted(own | {self.owners.addresses[node]}, key=lambda a: (a.version, int(a))))


def _is_ip(word: str) -> bool:
    """Tell whether *word* is meant as an address or a prefix."""
    if word[:1].isalpha() and ":" not in word and "/" not in word:
        return False
    try:
        ip_address(word)
    except ValueError:
        return "/" in word
    return True
