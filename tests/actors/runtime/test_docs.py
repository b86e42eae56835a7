"""docs/actors.md says what is true."""

import re
import subprocess
import sys
from pathlib import Path

import actors.runtime
from actors.runtime import inspect, lifecycle, operate

ROOT = Path(actors.runtime.__file__).parents[2]
PAGE = (ROOT / "docs" / "actors.md").read_text(encoding="utf-8")


def test_example_runs() -> None:
    """The example, taken out of the page as it stands, prints what its last comment says."""
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    ran = subprocess.run([sys.executable, "-W", "error", "-c", example], capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)
    assert (ran.stdout, ran.stderr) == ("6\n", "")


def test_reasons_are_listed() -> None:
    """Every reason for a dead letter that the runtime knows is in the table, and no other."""
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "actors" / "runtime").glob("*.py"))
    known = set(re.findall(r'(?:bury|_refused|finish)\((?:envelope, )?"([a-z-]+)"', source))
    known |= set(re.findall(r'dead_letters\.add\(self\.path, message, "([a-z-]+)"', source)) | {"full", "drained"}
    table = PAGE[PAGE.index("## Dead letters") : PAGE.index("## What operators")]
    assert set(re.findall(r"^\| `([a-z-]+)`", table, re.MULTILINE)) == known


def test_functions_exist() -> None:
    """What the page names for operators is there."""
    table = PAGE[PAGE.index("## What operators") : PAGE.index("## OTP and Pekko")]
    names = [name for row in re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]
    assert len(names) > 12
    for name in names:
        assert hasattr(inspect, name) or hasattr(operate, name), name


def test_figures() -> None:
    """The limits on the page are those of the code."""
    assert f"after {lifecycle.BATCH} messages or {lifecycle.SLICE_NS // 1_000_000} ms" in PAGE
    assert f"is finished, for {lifecycle.STOP_GRACE:g} s" in PAGE
