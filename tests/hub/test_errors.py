"""Every error is in the table and on the page."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import actors
import hub
import paranet
from hub.problems import STATUS
from hub.ws.protocol import RETRYABLE
from paranet.errors import ParaNetError

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
ROW = re.compile(r"\| `(?P<code>[a-z-]+)` \| (?P<status>\d{3}) \| (?P<when>.+?) \| (?P<what>.+?) \|")


def below(cls: type[ParaNetError]) -> Iterator[type[ParaNetError]]:
    """Yield a class and all its subclasses."""
    yield cls
    for inner in cls.__subclasses__():
        yield from below(inner)


@pytest.fixture(scope="module")
def errors() -> set[type[ParaNetError]]:
    """Every error that the three packages define."""
    for package in (paranet, actors, hub):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    return {cls for cls in below(ParaNetError) if cls.__module__.partition(".")[0] in ("paranet", "actors", "hub")}


def documented() -> dict[str, int]:
    """Return status by code as docs/errors.md has them."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return {row["code"]: int(row["status"]) for line in lines if (row := ROW.fullmatch(line))}


def test_every_error_has_a_status_and_no_other(errors: set[type[ParaNetError]]) -> None:
    """A subclass without a row would be a KeyError in the middleware."""
    assert set(STATUS) == errors


def test_every_code_is_one_error(errors: set[type[ParaNetError]]) -> None:
    """Codes are unique, in small letters."""
    codes = [cls.code for cls in errors]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in codes)


def test_every_error_has_a_title_of_its_own(errors: set[type[ParaNetError]]) -> None:
    """It is what the caller reads when there is no detail."""
    assert len({cls.title for cls in errors}) == len(errors)


def test_the_page_lists_every_error_with_its_status() -> None:
    """The same codes and statuses, nothing more and nothing less."""
    assert documented() == {cls.code: status for cls, status in STATUS.items()}


def test_the_page_is_sorted_by_status() -> None:
    """So that it can be searched."""
    statuses = list(documented().values())
    assert statuses == sorted(statuses)


def test_only_errors_of_the_server_may_be_tried_again() -> None:
    """`retryable` in an error frame is for 429 and 5xx that pass."""
    assert {cls.code for cls, status in STATUS.items() if status in RETRYABLE} == {
        "assistant-failed",
        "device-error",
        "too-many-requests",
        "actor-stopped",
        "mailbox-full",
        "storage-failed",
        "too-fast",
        "too-many-clients",
        "too-many-connections",
        "too-many-sockets",
        "ask-timeout",
    }
