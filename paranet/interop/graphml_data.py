"""GraphML's typed data: `<key>` declares an attribute, `<data key=...>` gives one node or edge its value."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from xml.etree.ElementTree import Element

import attrs

from paranet.errors import Fault
from paranet.interop.attributes import Attributes, shown

_INTEGER = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_BOOLEAN = {"true": True, "1": True, "false": False, "0": False}


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
            if child.tag != "data":
                continue
            key = self._keys.get(child.get("key", ""))
            if key is None or len(child):
                name, value = self._unusual(child, key)
            else:
                name, value = key.name, self._typed(key, child.text or "")
            if name in values:
                self._odd["twice", name] += 1
            elif value is not None:
                values[name] = value
        for key in self._defaults:
            if key.domain in (element.tag, "all"):
                values.setdefault(key.name, self._typed(key, key.default or ""))
        return Attributes(values)

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

    def _unusual(self, data: Element, key: _Key | None) -> tuple[str, object]:
        key_id = data.get("key", "")
        if len(data):  # yEd keeps a drawing here, with the label inside
            self._odd["drawing", key.name if key else key_id] += 1
            labels = (e.text for e in data.iter() if e.tag in ("NodeLabel", "EdgeLabel"))
            return "label", next((text for text in labels if text and text.strip()), None)
        self._odd["undeclared", key_id] += 1
        return key_id, data.text or ""

    def _typed(self, key: _Key, text: str) -> object:
        """Return *text* as its key says; text that is not, and numbers that JSON has no word for, stay text."""
        if key.kind == "string":
            return text
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
