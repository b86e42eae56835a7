"""Rows of every kind in the words of every platform."""

import json
import re
from itertools import pairwise

from paranet.compiler import compile_source
from paranet.compiler.render import PLATFORMS, path_collection, render, render_all
from paranet.models.device import Row
from tests.paranet.compiler.networks import MIX

SOURCE = """
route ip   { from: r1; to: r3; backup: disjoint }
route p4   { from: h8; to: h9; protocol: p4 }
route name { from: c1; to: "/video/ch1"; strategy: multicast }
route far  { from: g1; to: region("harbour") }
acl shut   { seq: 10; deny: { from: h1; to: prefix("10.3.0.0/24"); port: 22-23 }; when: 08:00..18:00 }
qos gold   { match: { from: h1; to: h2; app: video }; rate: 8Mbps; dscp: 46; priority: 5 }
cache hot  { at: c1; prefix: "/video"; capacity: 88MB }
multicast tv { group: 232.1.1.1; from: h1; members: [h2] }
multicast p4tv { group: 232.1.1.2; from: h8; members: [h9]; protocol: p4 }
"""
RESULT = compile_source(SOURCE, MIX)


def text(platform: str, node: str) -> str:
    return render(platform, MIX.nodes[node], RESULT.rows[node], MIX)


def test_every_platform_has_something_to_say() -> None:
    """Each platform shows some row, and no platform shows nothing as text."""
    assert RESULT.ok, RESULT.diagnostics
    shown = {p for node, rows in RESULT.rows.items() for p in render_all(MIX.nodes[node], rows, MIX)}
    assert shown == set(PLATFORMS)


def test_backups() -> None:
    """A backup has a worse distance in FRR and a worse metric in Linux."""
    assert "ip route 10.255.0.3/32 10.255.0.4 200\n" in text("frr", "r1")
    assert "ip route replace 10.255.0.3/32 via 10.255.0.4 proto 155 metric 200\n" in text("iproute2", "r1")


def test_filters_and_classes() -> None:
    """nft drops what is denied, marks and limits what is a class."""
    shown = text("iproute2", "r1")
    rule = 'nft \'add rule inet paranet rules ip saddr 10.1.0.10/32 ip daddr 10.3.0.0/24 tcp dport 22-23 meta hour "08:00"-"18:00" drop'
    assert rule in shown
    assert "udp dport 5004-5005 ip dscp set 46" in shown
    assert "limit rate over 1000000 bytes/second burst 15000 bytes drop" in shown


def test_nfdc() -> None:
    """nfdc creates the faces before the routes that use them."""
    lines = text("nfdc", "c1").splitlines()
    assert lines == [
        "nfdc face create remote udp4://10.255.2.2:6363 persistency permanent",
        "nfdc route add prefix /video/ch1 nexthop udp4://10.255.2.2:6363 cost 1",
        "nfdc strategy set prefix /video/ch1 strategy /localhost/nfd/strategy/multicast/v=4",
        "# nfd.conf: tables { cs_policy lru }  ; for /video",
        "nfdc cs config capacity 10000 admit on serve on",
    ]


def test_p4runtime() -> None:
    """The runtime file names tables, actions and groups as the tutorials' do."""
    found = json.loads(text("p4runtime", "p2"))
    assert found["target"] == "bmv2"
    (entry,) = [e for e in found["table_entries"] if "10.9.0.10" in str(e.get("match"))]
    assert entry["match"] == {"hdr.ipv4.dstAddr": ["10.9.0.10", 32]}
    assert entry["action_name"] == "MyIngress.ipv4_forward"
    assert entry["action_params"]["port"] == 2
    (group,) = found["multicast_group_entries"]
    assert group["replicas"] == [{"egress_port": 2, "instance": 1}]


def row(node: str, family: str) -> Row:
    return next(r for r in RESULT.rows[node] if r.family == family)


def test_program_and_p4info_agree() -> None:
    """The P4_16 source has the tables, keys, sizes, actions and parameters that the pipeline's row says."""
    source = text("p4", "p2")
    info = row("p2", "p4.pipeline").value["p4info"]
    assert isinstance(info, dict)
    actions = {n: re.findall(r"bit<(\d+)> (\w+)", p) for n, p in re.findall(r"action (\w+)\((.*?)\)", source)}
    said = {a["name"].split(".")[1]: [(str(p["bits"]), p["name"]) for p in a["params"]] for a in info["actions"]}
    assert actions == said
    widths = dict(re.findall(r"bit<(\d+)>\s+(\w+);", source[source.index("header ipv6_t") : source.index("struct headers")]))
    assert widths["128"] == "dstAddr"
    for table in info["tables"]:
        body = re.search(rf"table {table['name'].split('.')[1]} \{{(.*?)size = (\d+);", source, re.DOTALL)
        assert body is not None
        assert int(body[2]) == table["size"]
        assert re.findall(r"(hdr[\w.]+): (\w+);", body[1]) == [(m["name"], m["kind"]) for m in table["match"]]
        assert all(f" {a.split('.')[1]};" in body[1] for a in table["actions"])
    assert source.count("{") == source.count("}")


def test_the_p4info_is_the_programs() -> None:
    """Every table with its fields, kinds, widths, actions and size; every action with its parameters; ids are unique and of their kind."""
    shown, source = text("p4info", "p2"), text("p4", "p2")
    ids = {name: int(i) for i, name in re.findall(r'preamble \{ id: (\d+) name: "([\w.]+)"', shown)}
    assert len(set(ids.values())) == len(ids)
    blocks = re.findall(r"^(tables|actions) \{\n(.*?)^\}", shown, re.MULTILINE | re.DOTALL)
    info = row("p2", "p4.pipeline").value["p4info"]
    assert isinstance(info, dict)
    names = [re.findall(r'name: "([\w.]+)" alias', body)[0] for kind, body in blocks if kind == "tables"]
    assert names == [t["name"] for t in info["tables"]]
    for table in info["tables"]:
        body = next(body for _, body in blocks if f'name: "{table["name"]}" alias' in body)
        fields = re.findall(r'name: "([\w.]+)" bitwidth: (\d+) match_type: (\w+)', body)
        assert fields == [(m["name"], str(m["bits"]), m["kind"].upper()) for m in table["match"]]
        assert [int(i) for i in re.findall(r"action_refs \{ id: (\d+) \}", body)] == [ids[a] for a in table["actions"]]
        written = source.partition(f"table {table['name'].split('.')[1]} ")[2].partition("size")[0]
        assert ("DEFAULT_ONLY" in body) is ("@defaultonly NoAction;" in written)
        assert f"size: {table['size']}" in body
        assert ids[table["name"]] >> 24 == 2
    for action in info["actions"]:
        body = next(body for _, body in blocks if f'name: "{action["name"]}" alias' in body)
        params = re.findall(r'params \{ id: \d+ name: "(\w+)" bitwidth: (\d+)', body)
        assert params == [(p["name"], str(p["bits"])) for p in action["params"]]
        assert ids[action["name"]] >> 24 == 1


def test_entries_fit_the_p4info() -> None:
    """Every table entry names a table, an action and parameters that its switch has."""
    for rows in RESULT.rows.values():
        for entry in (r.value for r in rows if r.family == "p4.table"):
            info = next(r for r in rows if r.family == "p4.pipeline").value["p4info"]
            assert isinstance(info, dict)
            table = next(t for t in info["tables"] if t["name"] == entry["table"])
            assert entry["action"] in table["actions"]
            assert [m["name"] for m in table["match"]] == list(entry["match"])  # type: ignore[call-overload]  # a mapping
            action = next(a for a in info["actions"] if a["name"] == entry["action"])
            assert [p["name"] for p in action["params"]] == list(entry["params"])  # type: ignore[call-overload]  # a mapping


def test_geojson() -> None:
    """A place, a closed counterclockwise ring and the way on."""
    found = json.loads(text("geojson", "g1"))
    kinds = {f["geometry"]["type"]: f for f in found["features"]}
    assert kinds["Point"]["geometry"]["coordinates"] == [-74.0, 40.0]
    ring = kinds["Polygon"]["geometry"]["coordinates"][0]
    assert ring[0] == ring[-1]
    assert sum((b[0] - a[0]) * (b[1] + a[1]) for a, b in pairwise(ring)) < 0
    assert kinds["LineString"]["properties"]["mode"] == "perimeter"


def test_paths_on_a_map() -> None:
    """Paths over located nodes are lines; the others are left out."""
    found = path_collection(RESULT.paths, MIX)
    assert [f["properties"]["intent"] for f in found["features"]] == ["far"]
    assert found["features"][0]["geometry"]["coordinates"][-1] == [-73.94, 40.0]
