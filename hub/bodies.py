"""What bodies are made of: classes derived from others, and validators that name the field and describe themselves."""

from types import UnionType
from typing import Any, get_type_hints

import attrs

from hub.times import Time
from paranet.errors import BadField

TIMES = frozenset({"at", "started_at", "ended_at", "eta", "created_at", "expires_at", "last_used_at"})


def timed(cls: type) -> type:
    """Return the class as handlers write it: UNIX times as RFC 3339 text."""
    hints = get_type_hints(cls)
    for name in TIMES & hints.keys():
        hints[name] = Time | None if isinstance(hints[name], UnionType) else Time
    made = attrs.make_class(
        cls.__name__, {f.name: attrs.field(type=hints[f.name], default=f.default) for f in attrs.fields(cls)}, kw_only=True
    )
    made.__doc__, made.__module__ = cls.__doc__, cls.__module__
    return made


def page_of(cls: type, **more: Any) -> type:
    """Return the class of a page of such things; *more* are further members."""
    fields = {"items": tuple[cls, ...], "next": str | None, **more}  # type: ignore[valid-type]  # a type made at run time
    made = attrs.make_class(f"{cls.__name__}Page", {name: attrs.field(type=kind) for name, kind in fields.items()}, kw_only=True)
    made.__doc__, made.__module__ = "A page; `next` is the cursor of the following one.", cls.__module__
    return made


@attrs.frozen
class Length:
    """Validator: text from *low* to *high* characters. The text, which may be a secret, is not repeated."""

    low: int
    high: int

    @property
    def schema(self) -> dict[str, Any]:
        """What it demands, as JSON Schema."""
        return {"minLength": self.low, "maxLength": self.high}

    def __call__(self, _instance: object, attribute: "attrs.Attribute[Any]", value: str | None) -> None:
        if value is not None and not self.low <= len(value) <= self.high:
            raise BadField(attribute.name, f"must be {self.low} to {self.high} characters")


@attrs.frozen
class Range:
    """Validator: a whole number from *low* to *high*."""

    low: int
    high: int

    @property
    def schema(self) -> dict[str, Any]:
        """What it demands, as JSON Schema."""
        return {"minimum": self.low, "maximum": self.high}

    def __call__(self, _instance: object, attribute: "attrs.Attribute[Any]", value: int) -> None:
        if not self.low <= value <= self.high:
            raise BadField(attribute.name, f"must be from {self.low} to {self.high}, not {value}")
