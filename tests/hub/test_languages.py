"""The languages of the pages: chosen, negotiated, complete."""

import ast
import re
from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request

from hub.problems import STATUS
from hub.web.languages import COOKIE, LANGUAGES, catalogue, language_of
from hub.web.views import SIGNED_IN, STATIC
from paranet.compiler.diagnostics import CATALOGUE

ROOT = Path(__file__).resolve().parents[2]
HUB_WORDS = (STATIC / "hub-words.js").read_text()
SENTENCES = set(re.findall(r'^  "(.+)",$', HUB_WORDS, re.MULTILINE))
CODES = {error.code for error in STATUS} | set(CATALOGUE)
TEMPLATES = STATIC.parent / "templates"
CALL = re.compile(r"""(?<![\w.$])(?:t|_)\(\s*"((?:[^"\\]|\\.)*)\"""")
SAID = re.compile(
    r"""(?:>|\b(?:title|label|placeholder|text|confirm|none|note|name)=")\s*([^<>"$`{}=;]*[A-Za-z]{3,}[^<>"$`{}=;]*?)\s*(?:<|")"""
)
NAMES = {"MTU", "NDN", "GEO", "ParaNet Hub", "PromQL", "Redis"}
HOLE = re.compile(r"\{(\w+)\}")
ROLES = {"viewer", "operator", "admin"}


def _written() -> set[str]:
    """Return every text that a template or a script asks for, and every code."""
    files: list[Path] = [*TEMPLATES.glob("*.html"), *STATIC.glob("*.js")]
    found = {text.replace('\\"', '"') for file in files for text in CALL.findall(file.read_text())}
    return found | {page.name for page in SIGNED_IN} | ROLES | SENTENCES | CODES


@pytest.mark.parametrize(
    ("headers", "language"),
    [
        ({}, "en"),
        ({"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}, "zh"),
        ({"Accept-Language": "fr-FR,en;q=0.8,zh;q=0.5"}, "en"),
        ({"Accept-Language": "*,;q=x"}, "en"),
        ({"Accept-Language": "zh", "Cookie": f"{COOKIE}=en"}, "en"),
        ({"Cookie": f"{COOKIE}=xx"}, "en"),
    ],
)
def test_a_choice_comes_before_the_browser(headers: dict[str, str], language: str) -> None:
    """What was chosen counts, else what the browser prefers, else English."""
    assert language_of(make_mocked_request("GET", "/", headers=headers)) == language


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en"}))
def test_every_text_is_translated(language: str) -> None:
    """A catalogue has every text of the pages and no other, with the same values in it."""
    words = catalogue(language)
    assert _written() - set(words) == set()
    assert set(words) - _written() == set()
    assert [text for text, told in words.items() if set(HOLE.findall(text)) != set(HOLE.findall(told))] == []


@pytest.mark.parametrize("script", sorted(file.name for file in STATIC.glob("*.js")))
def test_no_text_is_written_past_the_catalogues(script: str) -> None:
    """What stands in the markup of a script goes through t(), but for names that are the same everywhere."""
    lines = (STATIC / script).read_text().splitlines()
    markup = [line for line in lines if ("<" in line and "html`" in line) or line.lstrip().startswith("<")]
    said = {
        text
        for line in markup
        for text in SAID.findall(re.sub(r"\$\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}", "", line))
        if " " in text or text[0].isupper()
    }
    assert said - NAMES == set()


def test_every_check_has_a_word() -> None:
    """The pages have a word for every check of the verifier."""
    checks = re.findall(r'^  "?([\w-]+)"?: t\(', HUB_WORDS[: HUB_WORDS.index("STATES")], re.MULTILINE)
    judged = "".join(file.read_text() for file in (ROOT / "paranet" / "verifier").glob("*.py"))
    assert set(re.findall(r'(?:count|violate|_unmet|_lost)\(\s*"([\w-]+)"', judged)) - set(checks) == set()


def test_what_a_deployment_tells_has_a_sentence() -> None:
    """Whatever a deployment, a gate or a step on a device gives as message or reason is known to the pages, and they know nothing else."""
    sentences = {HOLE.sub("{}", text) for text in SENTENCES}
    assert _told() - sentences == set()
    everything = {
        text for folder in ("actors", "paranet") for file in (ROOT / folder).rglob("*.py") for text in _texts(ast.parse(file.read_text()))
    }
    client = set(re.findall(r'Unavailable\("([^"]+)"\)', (STATIC / "paranet-client.js").read_text()))
    assert sentences - everything - client - {"{}: {}"} == set()


def _told() -> set[str]:
    """Return the texts that reach a deployment's events, with {} for what they hold."""
    found: set[str] = set()
    for name in ("actors/deployment.py", "actors/deployer.py", "actors/steps.py", "actors/device.py", "actors/gates.py"):
        for node in ast.walk(ast.parse((ROOT / name).read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in CARRIERS:
                found |= {text for part in [*node.args, *(k.value for k in node.keywords if k.arg != "phase")] for text in _texts(part)}
            elif isinstance(node, ast.Return) and node.value is not None and name.endswith("gates.py"):
                found |= _texts(node.value)
    return {text for text in found if re.search(r"\w.* ", text) and not text.startswith(" ")}


CARRIERS = {"self._note", "self._drop", "self._go_back", "self._progress.event", "progress.event", "DeviceError"}


def _texts(tree: ast.AST) -> set[str]:
    """Return the string literals below, f-strings with {} for each value."""
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node) if part is not node}
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            found.add("".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            found.add(node.value)
    return found
