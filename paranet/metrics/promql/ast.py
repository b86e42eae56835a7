"""What a PromQL expression is made of, after parsing: our own small tree, times in ms."""

from typing import Literal

import attrs

from paranet.metrics.matchers import Matcher

At = int | Literal["start", "end"] | None


@attrs.frozen(kw_only=True, cache_hash=True)
class Number:
    """A literal."""

    value: float


@attrs.frozen(kw_only=True, cache_hash=True)
class Text:
    """A string literal."""

    value: str


@attrs.frozen(kw_only=True, cache_hash=True)
class Selector:
    """An instant vector selector; *alternatives* are matcher lists of which one must pass whole."""

    alternatives: tuple[tuple[Matcher, ...], ...]
    offset: int = 0
    at: At = None


@attrs.frozen(kw_only=True, cache_hash=True)
class Range:
    """A selector's samples within the *window* before each step."""

    selector: Selector
    window: int


@attrs.frozen(kw_only=True, cache_hash=True)
class Subquery:
    """An expression evaluated every *step* (None: the default) within the *window* before each step."""

    inner: "Node"
    window: int
    step: int | None
    offset: int = 0
    at: At = None


@attrs.frozen(kw_only=True, cache_hash=True)
class Call:
    """A function of arguments."""

    name: str
    args: tuple["Node", ...]


@attrs.frozen(kw_only=True, cache_hash=True)
class Aggregate:
    """An aggregation over groups `by` (*keep*) or `without` labels."""

    op: str
    inner: "Node"
    param: "Node | None"
    keep: bool
    labels: tuple[str, ...]


@attrs.frozen(kw_only=True, cache_hash=True)
class Matching:
    """How the two sides of an operator find each other. *fill* are values for what is missing on a side."""

    on: bool = False
    labels: tuple[str, ...] = ()
    card: Literal["one-to-one", "many-to-one", "one-to-many", "many-to-many"] = "one-to-one"
    include: tuple[str, ...] = ()
    fill: tuple[float | None, float | None] = (None, None)


@attrs.frozen(kw_only=True, cache_hash=True)
class Binary:
    """Two expressions and an operator."""

    op: str
    left: "Node"
    right: "Node"
    matching: Matching
    bool: bool = False


@attrs.frozen(kw_only=True, cache_hash=True)
class Negate:
    """Unary minus."""

    inner: "Node"


Node = Number | Text | Selector | Range | Subquery | Call | Aggregate | Binary | Negate


def children(node: Node) -> tuple[Node, ...]:
    """Return the expressions directly below."""
    match node:
        case Range():
            return (node.selector,)
        case Subquery() | Negate():
            return (node.inner,)
        case Call():
            return node.args
        case Aggregate():
            return (node.inner,) if node.param is None else (node.param, node.inner)
        case Binary():
            return node.left, node.right
        case _:
            return ()
