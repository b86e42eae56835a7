"""The languages of the pages: chosen, negotiated, complete."""

import re
from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request

from hub.web.languages import COOKIE, LANGUAGES, catalogue, language_of
from hub.web.views import SIGNED_IN, STATIC

TEMPLATES = STATIC.parent / "templates"
CALL = re.compile(r"""(?<![\w.$])(?:t|_)\(\s*"((?:[^"\\]|\\.)*)\"""")
SAID = re.compile(
    r"""(?:>|\b(?:title|label|placeholder|text|confirm|none|note|name)=")\s*([^<>"$`{}=;]*[A-Za-z]{3,}[^<>"$`{}=;]*?)\s*(?:<|")"""
)
NAMES = {"MTU", "NDN", "GEO", "ParaNet Hub", "PromQL", "Redis"}
HOLE = re.compile(r"\{(\w+)\}")
ROLES = {"viewer", "operator", "admin"}


def _written() -> set[str]:
    """Return every text that a template or a script asks for."""
    files: list[Path] = [*TEMPLATES.glob("*.html"), *STATIC.glob("*.js")]
    found = {text.replace('\\"', '"') for file in files for text in CALL.findall(file.read_text())}
    return found | {page.name for page in SIGNED_IN} | ROLES


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


def test_the_hub_s_own_words_have_a_translation() -> None:
    """The pages have a word for every check of the verifier and for each message of a deployment, but for one that carries an error."""
    root = Path(__file__).resolve().parents[2]
    words = (STATIC / "hub-words.js").read_text()
    checks = re.findall(r'^  "?([\w-]+)"?: t\(', words[: words.index("STATES")], re.MULTILINE)
    judged = "".join(file.read_text() for file in (root / "paranet" / "verifier").glob("*.py"))
    assert set(re.findall(r'(?:count|violate|_unmet|_lost)\(\s*"([\w-]+)"', judged)) - set(checks) == set()
    engine = "".join((root / "actors" / file).read_text() for file in ("deployment.py", "deployer.py"))
    said = set(re.findall(r'(?:message=(?:reason or )?|_drop\([^\n]*, )f?"([^"{]+)', engine))
    assert "decided: every device keeps the change" in said
    assert {text for text in said if f'"{text}"' not in words and f"^{text}" not in words} == {"its turn came and it cannot be done: "}
