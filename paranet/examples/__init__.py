"""A network to begin with: twelve European cities, their traffic, and the intents that carry it."""

from importlib.resources import files


def demo() -> bytes:
    """Return the demo network as native JSON (see `paranet.interop`)."""
    return (files(__name__) / "demo.json").read_bytes()


def demo_intents() -> str:
    """Return the intents for the demo network: a route for each of its demands."""
    return (files(__name__) / "demo.pn").read_text(encoding="utf-8")
