"""What all tests share."""

from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

from tests import namespaces

settings.register_profile("paranet", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("paranet")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """Have who builds namespaces do so alone on this machine, until a test follows that needs none."""
    if _builds(item):
        namespaces.claim()
    try:
        return (yield)
    finally:
        if nextitem is None or not _builds(nextitem):
            namespaces.release()


def _builds(item: pytest.Item) -> bool:
    return any(mark == namespaces.needs_namespaces.mark for mark in item.iter_markers())
