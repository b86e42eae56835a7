"""What a draft means in the user's own language."""

import re
from collections.abc import Iterable, Mapping
from functools import cache

from paranet.agent.lexicon import texts
from paranet.agent.writing import Statement

_CALL = re.compile(r'(?:prefix|region)\("?([^")]*)"?\)')
_CHINESE = re.compile(r"[\u3400-\u9fff]")


def language_of(text: str) -> str:
    """Return `zh` for a text with Chinese in it, else `en`."""
    return "zh" if _CHINESE.search(text) else "en"


@cache
def say(language: str) -> Mapping[str, Mapping[str, str]]:
    """Return the assistant's sentences in a language."""
    return texts(f"say-{language}.toml")


def tell(statements: Iterable[Statement], notes: Iterable[tuple[str, str]], language: str) -> str:
    """Return what the statements do, and what was taken for granted, as sentences."""
    words = say(language)
    lines = [_plain(_told(s, words["say"])) + words["say"]["end"] for s in statements]
    told = [(words["note"].get(n) or words["ask"][n]).format(about=about) for n, about in notes]
    return ("" if language == "zh" else " ").join(dict.fromkeys([*lines, *told]))


def _plain(text: str) -> str:
    return _CALL.sub(r"\1", text).replace("[", "").replace("]", "").replace('"', "")


def _told(statement: Statement, words: Mapping[str, str]) -> str:
    values = dict(statement.attributes)
    if statement.keyword in ("acl", "qos"):
        return _traffic_told(statement, values, words)
    rest: tuple[str, ...]
    if statement.keyword == "route":
        kind = {"ndn": "route-ndn", "geo": "route-geo"}.get(values.get("protocol", ""), "route")
        rest = ("via", "avoid", "bandwidth", "latency", "ecmp", "backup", "producer")
    else:
        kind, rest = statement.keyword, ("policy", "ttl", "avoid", "bandwidth")
    head = words[kind].format(**values, name=statement.name)
    return head + "".join(words[n].format(value=values[n]) for n in rest if n in values)


def _traffic_told(statement: Statement, values: Mapping[str, str], words: Mapping[str, str]) -> str:
    match = dict(statement.match)
    what = " ".join(v for n, v in (("protocol", match.get("protocol", "")), ("port", match.get("port", ""))) if v)
    ends = "".join(words[n].format(value=match[n]) for n in ("from", "to") if n in match)
    chinese = words["from"].startswith("从")
    traffic = f"{ends}{what}流量" if chinese and (ends or what) else f"{what or words['all']}{'' if chinese else ends}"
    kind = statement.inner
    if statement.keyword == "qos":
        kind = "limit" if "dscp" not in values else "background" if statement.name.startswith("background") else "priority"
    told = words[kind].format(traffic=traffic, **values)
    if "when" in values:
        start, _, end = values["when"].partition("..")
        told += words["when"].format(start=start, end=end)
    return told
