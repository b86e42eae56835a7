"""Requests that are to be refused."""

import json
from typing import Any

from tests.hub.api import Api


async def refused(api: Api, status: int, code: str, method: str, path: str, **more: Any) -> dict[str, Any]:
    """Send (*path* is the whole one); check that the answer is a whole problem document (RFC 9457) without a trace; return it."""
    headers = {**api.headers, **more.pop("headers", {})}
    async with api.http.request(method, path, headers=headers, **more) as response:
        text = await response.text()
        assert response.content_type == "application/problem+json", text
        assert "Traceback" not in text
        assert ".py" not in text
        body: dict[str, Any] = json.loads(text)
        assert (response.status, body["status"], body["code"]) == (status, status, code), body
        assert body["type"] == f"urn:paranet:error:{code}"
        assert body["instance"] == response.request_info.url.path
        assert body["title"]
        assert body["detail"]
        assert isinstance(body["errors"], list)
        body["allow"] = response.headers.get("Allow")
        return body


def paths(problem: dict[str, Any]) -> list[str]:
    """Return the places that a problem names."""
    return [fault["path"] for fault in problem["errors"]]
