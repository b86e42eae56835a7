"""Templates of labels and annotations: `{{ $labels.x }}`, `{{ $value }}`, and the usual functions, in Go's notation."""

import math
import re
from collections.abc import Callable, Mapping, Sequence

from paranet.errors import InvalidInput
from paranet.metrics.matchers import pattern as compiled
from paranet.metrics.promql.selecting import number_text

_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_WORD = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|`[^`]*`|\|(?!\|)|[^\s|]+)""")
_VERB = re.compile(r"%([-+ 0]*\d*(?:\.\d+)?)([a-zA-Z%])")

Operand = str | float


def _humanized(value: float, base: float, prefixes: str, small: str = "") -> str:
    if value == 0 or not math.isfinite(value):
        return f"{value:.4g}"
    prefix = ""
    if abs(value) >= 1:
        for p in prefixes:
            if abs(value) < base:
                break
            prefix, value = p, value / base
    else:
        for p in small:
            if abs(value) >= 1:
                break
            prefix, value = p, value * base
    return f"{value:.4g}{prefix}"


def _duration(value: float) -> str:
    if not math.isfinite(value):
        return f"{value:.4g}"
    if abs(value) < 1:
        return _humanized(value, 1000, "", "mµnp") + "s"
    sign, whole = ("-" if value < 0 else ""), int(abs(value))
    days, hours, minutes, seconds = whole // 86400, whole // 3600 % 24, whole // 60 % 60, whole % 60
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {seconds}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {seconds}s"
    if minutes:
        return f"{sign}{minutes}m {seconds}s"
    return f"{value:.4g}s"


def _number(value: Operand) -> float:
    try:
        return float(value)
    except ValueError:
        raise InvalidInput(f"{value!r} is no number") from None


def _printf(arguments: Sequence[Operand]) -> str:
    form, *rest = arguments
    values = iter(rest)

    def one(match: "re.Match[str]") -> str:
        flags, verb = match[1], match[2]
        if verb == "%":
            return "%"
        value = next(values, "")
        if verb in "fgeFGE":
            return f"%{flags}{verb}" % _number(value)
        if verb == "d":
            return f"%{flags}d" % int(_number(value))
        return str(text_of(value)) if verb in "sv" else f'"{text_of(value)}"'

    return _VERB.sub(one, str(form))


def text_of(value: Operand) -> str:
    """Return a value as templates print it."""
    return number_text(value) if isinstance(value, float) else value


FUNCTIONS: Mapping[str, Callable[[Sequence[Operand]], Operand]] = {
    "humanize": lambda a: _humanized(_number(a[0]), 1000, "kMGTPEZY", "mµnpfazy"),
    "humanize1024": lambda a: _humanized(_number(a[0]), 1024, "kMGTPEZY") + ("i" if abs(_number(a[0])) >= 1024 else ""),
    "humanizeDuration": lambda a: _duration(_number(a[0])),
    "humanizePercentage": lambda a: f"{_number(a[0]) * 100:.4g}%",
    "printf": _printf,
    "title": lambda a: text_of(a[0]).title(),
    "toUpper": lambda a: text_of(a[0]).upper(),
    "toLower": lambda a: text_of(a[0]).lower(),
    "print": lambda a: " ".join(map(text_of, a)),
    "value": lambda a: a[0],
    "reReplaceAll": lambda a: _replaced(text_of(a[0]), text_of(a[1]), text_of(a[2])),
}


def _replaced(pattern: str, replacement: str, text: str) -> str:
    return str(compiled(pattern).sub(re.sub(r"\$\{?(\w+)\}?", r"\\\1", replacement), text))


def _operand(word: str, labels: Mapping[str, str], value: float) -> Operand:
    if word in ("$value", ".Value"):
        return value
    for prefix in ("$labels.", ".Labels."):
        if word.startswith(prefix):
            return labels.get(word.removeprefix(prefix), "")
    if word[0] == '"':
        return word[1:-1].replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")
    if word[0] == "`":
        return word[1:-1]
    return _number(word)


def _evaluated(action: str, labels: Mapping[str, str], value: float) -> Operand:
    words = _WORD.findall(action)
    if not words or "".join(words) != re.sub(r"\s+(?=(?:[^\"`]*[\"`][^\"`]*[\"`])*[^\"`]*$)", "", action):
        raise InvalidInput(f"the template {{{{ {action[:60]} }}}} cannot be read")
    stages: list[list[str]] = [[]]
    for word in words:
        if word == "|":
            stages.append([])
        else:
            stages[-1].append(word)
    result: Operand | None = None
    for stage in stages:
        if not stage:
            raise InvalidInput("a stage of a template's pipeline is empty")
        function = FUNCTIONS.get(stage[0])
        operands = [_operand(word, labels, value) for word in stage[function is not None :]]
        if result is not None:
            operands.append(result)
        if function is None:
            if len(operands) != 1:
                raise InvalidInput(f"the template function {stage[0][:40]!r} is not known")
            result = operands[0]
        elif not operands:
            raise InvalidInput(f"{stage[0]} needs an argument")
        else:
            try:
                result = function(operands)
            except (IndexError, TypeError, ValueError) as error:
                raise InvalidInput(f"{stage[0]}: {error}") from None
    return result if result is not None else ""


def expand(text: str, labels: Mapping[str, str], value: float) -> str:
    """Return the text with its actions carried out. Raise InvalidInput."""
    if "{{" not in text:
        return text
    found = _ACTION.sub(lambda match: text_of(_evaluated(match[1], labels, value)), text)
    if "{{" in _ACTION.sub("", text):
        raise InvalidInput("a {{ is not closed")
    return found


def check(text: str) -> None:
    """Raise InvalidInput if a template cannot be expanded."""
    expand(text, {}, 0.0)
