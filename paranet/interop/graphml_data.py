"""GraphML's typed data: `<key>` declares an attribute, `<data key=...>` gives one node or edge its value."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from xml.etree.ElementTree import Element

import attrs

from paranet.errors import BadField, Fault

_INTEGER = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_BOOLEAN = {"true": True, "1": True, "false": False, "0": False}
_ENTRY = re.compile(r"[\x00-\x1f]")


def shown(text: str) -> str:
    """Return the file's word for a thing as a message quotes it: short, on one line."""
    return _ENTRY.sub(" ", text[:60])


class Attributes:
    """The data of one node or edge. Names are found whatever their case; what `take` returned is not in `rest` any more."""

    def __init__(self, values: dict[str, object]) -> None:
        self._values = values
        self._spelled: dict[str, str] = {}
        for name in values:
            self._spelled.setdefault(name.lower(), name)

    def peek(self, *names: str) -> str | None:
        """Return the first of *names* (lower case) that says anything, as one line of text."""
        found = self._find(names)
        return found and found[1]

    def take(self, *names: str) -> str | None:
        """Return what `peek` does; it counts as used."""
        found = self._find(names)
        return found and self._use(*found)

    def number(self, *names: str, parse: Callable[[str], float] = float) -> float | None:
        """Take a number. Raise BadField when it is none or not finite."""
        found = self._find(names)
        return None if found is None else _finite(self._spelled[found[0]], self._use(*found), parse)

    def put(self, name: str, value: object) -> None:
        """Add a value under a name of its own."""
        self._values[name] = value

    def rest(self) -> dict[str, object]:
        """Return what nobody took, under the file's own names."""
        return self._values

    def _find(self, names: tuple[str, ...]) -> tuple[str, str] | None:
        for name in names:
            spelled = self._spelled.get(name)
            if spelled in self._values and (text := " ".join(str(self._values[spelled]).split())):
                return name, text
        return None

    def _use(self, name: str, text: str) -> str:
        del self._values[self._spelled[name]]
        return text


def _finite(name: str, text: str, parse: Callable[[str], float]) -> float:
    try:
        value = parse(text)
    except ValueError:
        raise BadField(name, f"{shown(text)!r} is not a number or its unit is not known") from None
    if not math.isfinite(value):
        raise BadField(name, f"{shown(text)!r} is not a finite number")
    return value


@attrs.frozen(kw_only=True)
class _Key:
    name: str
    domain: str
    kind: str
    default: str | None


class Keys:
    """The attributes that a file declares, and what was odd about the values it gave them."""

    def __init__(self, keys: Mapping[str, _Key]) -> None:
        self._keys = keys
        self._defaults = [key for key in keys.values() if key.default is not None]
        self._odd: Counter[tuple[str, str]] = Counter()

    @classmethod
    def of(cls, root: Element) -> "Keys":
        """Read the declarations of a document."""
        found = {}
        for element in root:
            if element.tag == "key":
                default = next((child.text or "" for child in element if child.tag == "default"), None)
                key_id = element.get("id", "")
                found[key_id] = _Key(
                    name=element.get("attr.name") or key_id,
                    domain=element.get("for", "all"),
                    kind=element.get("attr.type", "string"),
                    default=default,
                )
        return cls(found)

    def attributes(self, element: Element) -> Attributes:
        """Return the data of a node or an edge, defaults included."""
        values: dict[str, object] = {}
        for child in element:
            if child.tag == "data":
                name, value = self._value(child)
                if name in values:
                    self._odd["twice", name] += 1
                else:
                    values[name] = value
        for key in self._defaults:
            if key.domain in (element.tag, "all"):
                values.setdefault(key.name, self._typed(key, key.default or ""))
        return Attributes({name: value for name, value in values.items() if value is not None})

    def warnings(self) -> Iterable[Fault]:
        """Yield one line for every attribute whose values were not what it was declared to hold."""
        for (oddity, name), n in self._odd.items():
            message = {
                "undeclared": f"{n} values belong to no declared key; they are kept as text",
                "untyped": f"{n} values are not of the declared type; they are kept as text",
                "twice": f"{n} values are given twice at one place; the first is kept",
                "drawing": f"{n} drawings are not kept, but for their labels",
            }[oddity]
            yield Fault(path=f"key {shown(name)}", message=message)

    def _value(self, data: Element) -> tuple[str, object]:
        key_id = data.get("key", "")
        key = self._keys.get(key_id)
        if len(data):  # yEd keeps a drawing here, with the label inside
            self._odd["drawing", key.name if key else key_id] += 1
            labels = (e.text for e in data.iter() if e.tag in ("NodeLabel", "EdgeLabel"))
            return "label", next((text for text in labels if text and text.strip()), None)
        if key is None:
            self._odd["undeclared", key_id] += 1
            return key_id, data.text or ""
        return key.name, self._typed(key, data.text or "")

    def _typed(self, key: _Key, text: str) -> object:
        """Return *text* as its key says; text that is not, and numbers that JSON has no word for, stay text."""
        plain = text.strip()
        value: object = None
        if key.kind == "boolean":
            value = _BOOLEAN.get(plain.lower())
        elif key.kind in ("int", "long"):
            value = int(plain) if _INTEGER.fullmatch(plain) and -(2**63) <= int(plain) < 2**63 else None
        elif key.kind in ("float", "double"):
            value = _finite_or_none(plain)
        else:
            return text
        if value is None and plain:
            self._odd["untyped", key.name] += 1
        return text if value is None else value


def _finite_or_none(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
