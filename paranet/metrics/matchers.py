"""Label matchers. Regular expressions are RE2's, anchored at both ends, so that no pattern can take exponential time."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import attrs
import re2

from paranet.errors import InvalidInput

Operator = Literal["=", "!=", "=~", "!~"]
Test = Callable[[str], bool]

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


@functools.lru_cache(maxsize=1024)
def pattern(text: str) -> Any:
    """Return a compiled RE2 pattern. Raise InvalidInput."""
    try:
        return re2.compile(text, _OPTIONS)
    except re2.error as error:
        said = error.args[0]
        raise InvalidInput(f"bad regular expression {text[:60]!r}: {said.decode() if isinstance(said, bytes) else said}") from None


@attrs.frozen(cache_hash=True)
class Matcher:
    """One condition on a label; a label that is not there has the empty value."""

    name: str
    operator: Operator
    value: str

    @property
    def test(self) -> Test:
        """What a value must pass."""
        return _test(self.operator, self.value)

    def __str__(self) -> str:
        return f"{self.name}{self.operator}{self.value!r}"


@functools.lru_cache(maxsize=4096)
def _test(operator: Operator, value: str) -> Test:
    if operator == "=":
        return lambda text: text == value
    if operator == "!=":
        return lambda text: text != value
    compiled = pattern(f"(?s:{value})")
    if operator == "=~":
        return lambda text: compiled.fullmatch(text) is not None
    return lambda text: compiled.fullmatch(text) is None


def matches(labels: Mapping[str, str], alternatives: Sequence[Sequence[Matcher]]) -> bool:
    """Tell whether labels pass all matchers of at least one alternative."""
    return any(all(m.test(labels.get(m.name, "")) for m in matchers) for matchers in alternatives)
