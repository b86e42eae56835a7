"""What all tests share."""

from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, settings

from tests.namespaces import needs_namespaces

settings.register_profile("paranet", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("paranet")


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """Keep a file's tests in one process, and all that build namespaces: these have one set of names on a machine."""
    for item in items:
        builds = any(mark == needs_namespaces.mark for mark in item.iter_markers())
        item.add_marker(pytest.mark.xdist_group("namespaces" if builds else str(item.path)))
