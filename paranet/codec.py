"""Between plain JSON values and attrs classes, strictly: nothing is coerced, no key is ignored, every fault has its path."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, TypeVar, get_args, get_origin

import cattrs
from cattrs.errors import (
    AttributeValidationNote,
    ClassValidationError,
    ForbiddenExtraKeysError,
    IterableValidationError,
    IterableValidationNote,
)

from paranet.errors import BadField, Fault, InvalidInput
from paranet.models.units import Bandwidth, Ratio, Seconds, parse_bandwidth, parse_ratio, parse_seconds

T = TypeVar("T")
MAX_FAULTS = 100
MAX_DEPTH = 64  # of free values such as `properties`; what is read must be writable again, and orjson writes 254 levels

_NAMES = {str: "a string", bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "an object", type(None): "null"}
Hook = Callable[[Any, Any], Any]


def _must_be(wanted: str, value: object) -> ValueError:
    return ValueError(f"must be {wanted}, not {_NAMES.get(type(value), type(value).__name__)}")


def _exactly(kind: type) -> Hook:
    wanted = {str: "a string", bool: "true or false", int: "a whole number"}[kind]

    def hook(value: Any, _type: Any) -> Any:
        if type(value) is not kind:
            raise _must_be(wanted, value)
        return value

    return hook


def _number(value: Any, _type: Any) -> float:
    if type(value) not in (int, float):
        raise _must_be("a number", value)
    return float(value)


def _quantity(parse: Callable[[str], float]) -> Hook:
    def hook(value: Any, _type: Any) -> float:
        if isinstance(value, str):
            return parse(value)
        if type(value) not in (int, float):
            raise _must_be("a number or a string with a unit", value)
        return float(value)

    return hook


def _enum(value: Any, cls: Any) -> Any:
    try:
        return cls(value)
    except ValueError:
        raise ValueError(f"must be one of {', '.join(str(m.value) for m in cls)}") from None


def _check_depth(value: object, left: int) -> None:
    if left == 0:
        raise ValueError(f"must not be nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            if isinstance(item, (dict, list)):
                _check_depth(item, left - 1)


def _collection(converter: cattrs.Converter) -> Callable[[Any], Hook]:
    """Structure `tuple[X, ...]` from a JSON array only (a string is no list) and `Mapping[str, X]` from an object only."""

    def factory(cls: Any) -> Hook:
        is_mapping = get_origin(cls) is not tuple
        inner = get_args(cls)[1 if is_mapping else 0]
        hook = converter.get_structure_hook(inner)

        def structure(value: Any, _type: Any) -> Any:
            if not isinstance(value, dict if is_mapping else list):
                raise _must_be("an object" if is_mapping else "a list", value)
            if inner is object:
                _check_depth(value, MAX_DEPTH)
                return value if is_mapping else tuple(value)
            found: list[Any] = []
            errors: list[Exception] = []
            for i, item in value.items() if isinstance(value, dict) else enumerate(value):
                try:
                    found.append(hook(item, inner))
                except Exception as error:  # collected, then raised as one group by cattrs' own custom
                    error.__notes__ = [*getattr(error, "__notes__", []), IterableValidationNote("", i, inner)]
                    errors.append(error)
                    if len(errors) >= MAX_FAULTS:
                        break
            if errors:
                raise IterableValidationError("", errors, cls)
            return dict(zip(value, found, strict=True)) if is_mapping else tuple(found)

        return structure

    return factory


def _is_collection(cls: Any) -> bool:
    origin: Any = get_origin(cls)
    return origin is tuple or origin is Mapping


def make_converter() -> cattrs.Converter:
    """Return a strict converter of its own; hubs and tests may add hooks to it."""
    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    for kind in (str, bool, int):
        converter.register_structure_hook(kind, _exactly(kind))
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(Bandwidth, _quantity(parse_bandwidth))
    converter.register_structure_hook(Seconds, _quantity(parse_seconds))
    converter.register_structure_hook(Ratio, _quantity(parse_ratio))
    converter.register_structure_hook_func(lambda t: t is object or t is Any, lambda value, _: value)
    converter.register_structure_hook(StrEnum, _enum)
    converter.register_structure_hook_factory(_is_collection, _collection(converter))
    return converter


_CONVERTER = make_converter()


def structure(value: object, cls: type[T], *, path: str = "") -> T:
    """Return *value* (plain JSON) as *cls*. Raise InvalidInput naming every fault, paths rooted at *path*."""
    try:
        return _CONVERTER.structure(value, cls)
    except Exception as error:  # cattrs raises whatever a hook raised; all of it is the input's fault
        faults = list(_faults(error, path))[:MAX_FAULTS]
        first = faults[0]
        detail = f"{first.path}: {first.message}" if first.path else first.message
        raise InvalidInput(detail, errors=faults) from None


def unstructure(value: object) -> Any:
    """Return *value* as plain JSON."""
    return _CONVERTER.unstructure(value)


def _faults(error: BaseException, path: str) -> "list[Fault]":
    if isinstance(error, (ClassValidationError, IterableValidationError)):
        with_notes, without = error.group_exceptions()
        found: list[Fault] = []
        for inner, note in with_notes:
            found += _faults(inner, _below(path, note))
        for inner in without:
            found += _faults(inner, path)
        return found
    if isinstance(error, ForbiddenExtraKeysError):
        return [Fault(path=_dotted(path, name), message="there is no such field") for name in sorted(map(str, error.extra_fields))]
    if isinstance(error, BadField):
        return [Fault(path=_dotted(path, error.field), message=error.message)]
    if isinstance(error, KeyError):
        return [Fault(path=path, message="is required")]
    if isinstance(error, ValueError):
        return [Fault(path=path, message=str(error) or "is not valid")]
    return [Fault(path=path, message="must be an object")]


def _below(path: str, note: AttributeValidationNote | IterableValidationNote) -> str:
    if isinstance(note, AttributeValidationNote):
        return _dotted(path, note.name)
    return f"{path}[{note.index}]" if isinstance(note.index, int) else _dotted(path, str(note.index))


def _dotted(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
