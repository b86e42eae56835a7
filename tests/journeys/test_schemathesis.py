"""schemathesis against a running hub: whatever fits its description, or does not, is answered as described.

Short by default; SCHEMATHESIS_EXAMPLES=500 makes it a long one.
"""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, reject, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from tests.journeys.hub import Hub, running, signed_in

pytestmark = pytest.mark.journey

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "3"))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
LEFT_OUT = frozenset({"auth.logout", "chat.say"})
"""the first ends the session that asks, the second streams"""
PROFILE = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES < 10,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.timeout(3600 if EXAMPLES > 10 else 120)
async def test_every_answer_is_as_described(tmp_path: Path) -> None:
    """No 5xx, no status, type or body that the description does not name, whether or not the request is a proper one."""
    async with running(tmp_path / "data", "--demo") as hub, signed_in(hub) as client:
        token = client.headers["Authorization"]
        wrong = await asyncio.to_thread(faults, hub, token)
    assert wrong == []


def faults(hub: Hub, token: str) -> list[str]:
    """Ask everything; return what was answered otherwise than described."""
    schema = schemathesis.openapi.from_url(f"{hub.url}/openapi.json")
    found = []
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation: Any = result.ok()
        if operation.definition.raw["operationId"] in LEFT_OUT:
            continue
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try:
                _ask(operation.as_strategy(generation_mode=mode), hub.url, token)
            except BaseExceptionGroup as group:
                found += [f"{operation.label}: {error}" for error in group.exceptions]
            except AssertionError as error:
                found.append(f"{operation.label}: {error}")
    return found


def _ask(cases: Any, url: str, token: str) -> None:
    @PROFILE
    @given(case=cases)
    def ask(case: Case[Any]) -> None:
        try:
            answer = case.call(base_url=url, headers={"Authorization": token}, timeout=30)
        except ValueError:
            reject()  # the client itself cannot send to such an address
        case.validate_response(answer, checks=CHECKS)

    ask()
