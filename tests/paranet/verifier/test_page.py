"""docs/verifier.md lists every check."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
NAMED = re.compile(r'(?:violate|_lost|count)\(\s*(?:[a-z_.]+, )?"([a-z][a-z-]*)"|check(?:: str)? ?= ?"([a-z-]+)"')


def test_checks() -> None:
    """The table of checks has exactly those that the code makes."""
    source = "".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "paranet/verifier").glob("*.py")))
    made = {one or other for one, other in NAMED.findall(source)}
    table = (ROOT / "docs/verifier.md").read_text(encoding="utf-8").partition("| check |")[2].partition("\n\n")[0]
    listed = {name for line in table.splitlines()[2:] for name in re.findall(r"`([a-z-]+)`", line.split("|")[1])}
    assert listed == made
