"""What somebody gets who installs the wheel."""

import configparser
import email
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from paranet import __version__

ROOT = Path(__file__).parent.parent
PACKAGES = ("hub", "actors", "paranet")
SOURCES = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")
BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of a copy of the tree, built without an index by the build backend that pyproject.toml names."""
    pytest.importorskip("setuptools", minversion="77", reason="the build backend is not installed")
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tree / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in SOURCES:
        shutil.copy(ROOT / file, tree / file)
    done = subprocess.run([sys.executable, "-c", BUILD, str(out)], cwd=tree, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = out.glob("*.whl")
    return zipfile.ZipFile(built)


def expected(*folders: str, suffixes: tuple[str, ...] = ()) -> set[str]:
    """Return the files of the tree below the folders, as a wheel names them; hidden ones are no part of it."""
    found = {file for folder in folders for file in (ROOT / folder).rglob("*") if file.is_file() and "__pycache__" not in file.parts}
    return {str(f.relative_to(ROOT)) for f in found if not f.name.startswith(".") and (not suffixes or f.suffix in suffixes)}


def metadata(wheel: zipfile.ZipFile, name: str) -> str:
    (path,) = (n for n in wheel.namelist() if n.endswith(f".dist-info/{name}"))
    return wheel.read(path).decode()


def test_every_module_is_in_it(wheel: zipfile.ZipFile) -> None:
    """All three packages, whole."""
    assert expected(*PACKAGES, suffixes=(".py",)) <= set(wheel.namelist())


@pytest.mark.parametrize(
    ("folder", "least"),
    [
        ("hub/web/templates", "network.html"),
        ("hub/web/static", "app.js"),
        ("actors/storage/migrations", "0001_initial.sql"),
        ("paranet/examples", "demo.json"),
    ],
)
def test_what_is_read_at_run_time_is_in_it(wheel: zipfile.ZipFile, folder: str, least: str) -> None:
    """Pages, libraries, migrations and examples, every file of the folder."""
    wanted = expected(folder)
    assert any(file.endswith(least) for file in wanted)
    assert wanted - set(wheel.namelist()) == set()


def test_nothing_else_is_in_it(wheel: zipfile.ZipFile) -> None:
    """No tests, no benchmarks, nothing left over from a run."""
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
    assert not [name for name in wheel.namelist() if name.endswith((".pyc", ".sqlite3", ".lock"))]


def test_it_brings_the_command(wheel: zipfile.ZipFile) -> None:
    """`paranet`, which is there."""
    scripts = configparser.ConfigParser()
    scripts.read_string(metadata(wheel, "entry_points.txt"))
    module, _, function = scripts["console_scripts"]["paranet"].partition(":")
    assert f"def {function}(" in wheel.read(f"{module.replace('.', '/')}.py").decode()


def test_it_says_what_it_is(wheel: zipfile.ZipFile) -> None:
    """Name, version, licence; the version is the one that the hub shows."""
    found = email.message_from_string(metadata(wheel, "METADATA"))
    assert (found["Name"], found["Version"]) == ("paranet-hub", __version__)
    assert found["License"] == "MIT" or found["License-Expression"] == "MIT"
    assert found["Requires-Python"] == ">=3.11"


def test_the_version_is_known_from_the_metadata() -> None:
    """The tree that runs these tests is installed, so that the version is no guess."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert setup["metadata"]["version"] == __version__
