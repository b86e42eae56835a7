"""hub -> actors -> paranet, never back; and what is pure stays pure."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = ("paranet", "actors", "hub")
PURE = ("models", "interop", "compiler", "verifier", "orchestrator", "metrics", "codec.py", "errors.py")
IMPURE = {
    *("aiohttp", "aiofiles", "aiojobs", "aiosqlite", "asyncio", "concurrent", "ctypes", "datetime", "fcntl", "http", "io", "logging"),
    *("multiprocessing", "os", "random", "secrets", "select", "selectors", "shutil", "signal", "socket", "socketserver", "sqlite3"),
    *("ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib", "uuid", "uvloop"),
}
"""modules that do I/O, read a clock or throw dice"""


def files(*folders: str) -> list[Path]:
    """Return every Python file below the folders of the tree."""
    return sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))


def name(file: Path) -> str:
    return str(file.relative_to(ROOT))


def imports(file: Path) -> Iterator[tuple[str, str | None, int]]:
    """Yield every import, wherever in the file it stands, as (module, name out of it, line)."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(file)}:{node.lineno}: a relative import"
            yield from ((node.module or "", alias.name, node.lineno) for alias in node.names)


def offences(file: Path, forbidden: set[str]) -> list[str]:
    return [f"{name(file)}:{line} imports {module}" for module, _, line in imports(file) if module.partition(".")[0] in forbidden]


def test_the_files_are_found() -> None:
    """A rule over no files would always hold."""
    assert all(len(files(folder)) > 10 for folder in (*OURS, "tests"))
    assert len(pure_files()) > 20


@pytest.mark.parametrize(
    ("storey", "forbidden"),
    [("paranet", {"actors", "hub", "aiohttp", "tests"}), ("actors", {"hub", "aiohttp", "tests"}), ("hub", {"tests"})],
)
def test_imports_point_down(storey: str, forbidden: set[str]) -> None:
    """Nothing knows what stands above it."""
    assert [o for file in files(storey) for o in offences(file, forbidden)] == []


def pure_files() -> list[Path]:
    return [file for part in PURE for file in ([ROOT / "paranet" / part] if part.endswith(".py") else files(f"paranet/{part}"))]


def test_what_is_pure_does_no_io() -> None:
    """No clock, no dice, no event loop, no files: time and ids come in as arguments."""
    assert [o for file in pure_files() for o in offences(file, IMPURE)] == []


def test_what_is_pure_knows_no_driver() -> None:
    """Nor any language model."""
    bad = [
        f"{name(file)}:{line} imports {module}"
        for file in pure_files()
        for module, _, line in imports(file)
        if module.startswith(("paranet.controller", "paranet.agent"))
    ]
    assert bad == []


def test_what_is_pure_opens_nothing() -> None:
    """Files of the package itself are read through importlib.resources."""
    bad = [
        f"{name(file)}:{node.lineno}"
        for file in pure_files()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Name) and node.id in ("open", "input", "print", "exec", "eval")
    ]
    assert bad == []


def private(word: str | None) -> bool:
    return word is not None and word.startswith("_") and not word.startswith("__")


def test_nobody_imports_private_names() -> None:
    """Neither of our own modules nor of other people's."""
    bad = [
        f"{name(file)}:{line} imports {module}.{what or ''}"
        for file in files(*OURS, "tests", "bench")
        for module, what, line in imports(file)
        if private(what) or any(private(part) for part in module.split("."))
    ]
    assert bad == []


def test_every_module_says_what_it_is_for() -> None:
    """In a docstring; an empty package need not."""
    texts = {name(file): file.read_text(encoding="utf-8") for file in files(*OURS)}
    assert [file for file, text in texts.items() if text.strip() and not ast.get_docstring(ast.parse(text))] == []
