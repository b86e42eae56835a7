"""`paranet compile`, `verify` and `fmt`: compilers for people and scripts, without a hub."""

import io
import json
from pathlib import Path

import pytest

from hub.cli import main
from paranet.compiler.sources import gather

NETWORK = """
network lab {
    node a :router { address: "10.0.0.1/32" }
    node b :router { address: "10.0.0.2/32" }
    link { endpoints: [a, b] }
}
"""
ROUTE = "route ab { from: a; to: b }\n"


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a network, a source that imports it and a broken one; it is the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "lab.pn").write_text(NETWORK)
    (tmp_path / "good.pn").write_text('import "parts/lab.pn"\n' + ROUTE)
    (tmp_path / "bad.pn").write_text('import "parts/lab.pn"\nroute ab { from: a; to: c }\n')
    return tmp_path


def test_compile(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows by device, or the words of a platform."""
    assert main(["compile", "good.pn"]) == 0
    assert capsys.readouterr().out.startswith('# a\nip.route 10.0.0.2/32 {"next_hops":[{"node":"b"')
    assert main(["compile", "good.pn", "--platform", "frr"]) == 0
    assert capsys.readouterr().out == "# a\nip route 10.0.0.2/32 10.0.0.2\n\n"


def test_compile_tells_errors_as_compilers_do(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """file:line:col: error code: message; exit code 1, nothing on stdout."""
    assert main(["compile", "bad.pn"]) == 1
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "bad.pn:2:25: error PN209: there is no node 'c'\n")


def test_errors_of_imported_files_are_theirs(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An error in an imported file has that file's name and line."""
    (lab / "parts" / "lab.pn").write_text(NETWORK.replace("node b", "node"))
    assert main(["verify", "good.pn"]) == 1
    assert capsys.readouterr().err.startswith("parts/lab.pn:4:")


def test_json(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same as one document."""
    assert main(["compile", "good.pn", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], [d["node"] for d in found["devices"]], found["paths"][0]["hops"]) == (True, ["a"], ["a", "b"])
    assert main(["compile", "bad.pn", "--json"]) == 1
    (fault,) = json.loads(capsys.readouterr().out)["diagnostics"]
    assert (fault["file"], fault["line"], fault["column"], fault["code"]) == ("bad.pn", 2, 25, "PN209")


def test_verify(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0 and the number of checks when all holds; 1 and each violation when not."""
    assert main(["verify", "good.pn"]) == 0
    assert "nothing to object to" in capsys.readouterr().out
    (lab / "torn.pn").write_text((lab / "good.pn").read_text() + "acl shut { deny: { from: a; to: b }; at: b }\n")
    assert main(["verify", "torn.pn", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["verification"]["violations"]


def test_topology_file(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Any file that can be imported will do for a topology."""
    (lab / "net.json").write_text(
        json.dumps({"nodes": [{"id": "a"}, {"id": "b"}], "links": [{"id": "l", "source": {"node": "a"}, "target": {"node": "b"}}]})
    )
    (lab / "alone.pn").write_text(ROUTE)
    assert main(["compile", "alone.pn", "--topology", "net.json"]) == 0
    assert main(["compile", "alone.pn"]) == 1
    assert main(["compile", "alone.pn", "--topology", "none.json"]) == 1
    assert "cannot read none.json" in capsys.readouterr().err


def test_fmt(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """To standard output, checked, or in place."""
    (lab / "x.pn").write_text("route  a{from:r1}")
    assert main(["fmt", "x.pn"]) == 0
    assert capsys.readouterr().out == "route a { from: r1 }\n"
    assert main(["fmt", "--check", "x.pn"]) == 1
    assert main(["fmt", "--write", "x.pn"]) == 0
    assert (lab / "x.pn").read_text() == "route a { from: r1 }\n"
    assert main(["fmt", "--check", "x.pn"]) == 0
    (lab / "x.pn").write_text("route {")
    assert main(["fmt", "--write", "x.pn"]) == 1
    assert capsys.readouterr().err.endswith("x.pn:1:7: error PN107: the block opened in line 1 is never closed (add a '}')\n")


def test_several_files(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each by itself; one that is wrong fails them all; JSON is a list then."""
    assert main(["compile", "good.pn", "bad.pn"]) == 1
    shown = capsys.readouterr()
    assert (shown.out[:3], shown.err) == ("# a", "bad.pn:2:25: error PN209: there is no node 'c'\n")
    assert main(["verify", "good.pn", "good.pn"]) == 0
    assert capsys.readouterr().out.count("good.pn: ") == 2
    assert main(["verify", "good.pn", "bad.pn", "--json"]) == 1
    assert [(d["file"], d["ok"]) for d in json.loads(capsys.readouterr().out)] == [("good.pn", True), ("bad.pn", False)]


def test_exit_codes(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """1 for a file that cannot be read, 2 for a command that makes no sense."""
    assert main(["compile", "nothing.pn"]) == 1
    assert "cannot read nothing.pn" in capsys.readouterr().err
    for wrong in (["compile"], ["verify", "good.pn", "--nonsense"], ["compile", "good.pn", "--platform", "ios"], ["fmt"]):
        with pytest.raises(SystemExit) as ended:
            main(wrong)
        assert ended.value.code == 2


def test_standard_input(lab: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """- reads a source from there; imports are relative to the working directory."""
    monkeypatch.setattr("sys.stdin", io.StringIO((lab / "good.pn").read_text()))
    assert main(["compile", "-", "--platform", "frr"]) == 0
    assert "ip route" in capsys.readouterr().out


def test_imports_in_a_ring() -> None:
    """A file that imports itself, or is imported again, is read once; the ring is an error of the compiler's."""
    files = {"a.pn": 'import "b.pn"', "b.pn": 'import "c.pn"\nimport "d/../c.pn"', "c.pn": "// c"}
    found = gather("a.pn", files["a.pn"], files.get)
    assert [name for _, name in found.places] == ["c.pn", "b.pn", "a.pn"]
    assert found.place(2) == ("b.pn", 1)
    ring = gather("a.pn", 'import "a.pn"', {"a.pn": 'import "a.pn"'}.get)
    assert ring.imported == frozenset()
