"""Requests that cannot be meant: a problem document, never HTML, and nothing is changed."""

import asyncio
import gzip

import aiohttp
import pytest

from tests.hub.api import Api, Client
from tests.hub.refusals import refused

JSON = {"Content-Type": "application/json"}
IMPORT = "/api/v1/topology/import"
BOUNDARIES = ("", "; boundary=x", "; boundary=" + "x" * 100)


async def test_an_unknown_route_is_a_problem(untouched: Api) -> None:
    """404 no-such-route, also when a browser asks for HTML."""
    for path in ["/nothing", "/api/v1/nothing", "/api/v2/topology", "/static/nothing.js", "/static/vendor/"]:
        await refused(untouched, 404, "no-such-route", "GET", path, headers={"Accept": "text/html"})


WRONG_METHODS = [
    ("DELETE", "/api/v1/topology", "GET, HEAD"),
    ("PATCH", "/api/v1/topology/nodes/r1", "DELETE, GET, HEAD, PUT"),
    ("GET", "/api/v1/auth/login", "POST"),
    ("POST", "/healthz", "GET, HEAD"),
    ("POST", "/ws", "GET"),
    ("PROPFIND", "/api/v1/topology/nodes", "GET, HEAD, POST"),
]


async def test_a_wrong_method_is_told_the_right_ones(untouched: Api) -> None:
    """405 with Allow (RFC 9110, 15.5.6)."""
    for method, path, allow in WRONG_METHODS:
        problem = await refused(untouched, 405, "method-not-allowed", method, path)
        assert problem["allow"] == allow


async def test_a_socket_address_without_an_upgrade_is_a_problem(untouched: Api) -> None:
    """400: a plain GET on /ws is no WebSocket."""
    await refused(untouched, 400, "bad-request", "GET", "/ws")


UNKNOWN_PARAMETERS = [
    ("GET", "/api/v1/topology?depth=3", "none"),
    ("GET", "/api/v1/topology/nodes?limt=3", "cursor, driver, limit, modality, q, region, sort, type"),
    ("DELETE", "/api/v1/topology/links/r1-r2?cascade=true", "none"),
    ("POST", "/api/v1/topology/import?dryrun=true", "dry_run, format, layout, mode"),
]


async def test_an_unknown_parameter_is_refused_with_the_known_ones(untouched: Api) -> None:
    """A typing error in `dry_run` must not write."""
    for method, path, known in UNKNOWN_PARAMETERS:
        problem = await refused(untouched, 400, "invalid", method, path)
        assert problem["detail"].endswith(f"the parameters are: {known}")


async def test_a_parameter_is_given_once(untouched: Api) -> None:
    """Which of two would count is not guessed; only what Prometheus means as a list, `match[]`, may come again."""
    problem = await refused(untouched, 400, "invalid", "GET", "/api/v1/topology/nodes?limit=1&type=router&limit=2")
    assert problem["detail"] == "?limit= is given more than once"
    await refused(untouched, 400, "invalid", "DELETE", "/api/v1/topology/nodes/r1?cascade=false&cascade=true")
    async with untouched.http.get("/prometheus/api/v1/series?match[]=a&match[]=b", headers=untouched.headers) as response:
        assert response.status == 200


async def test_an_unknown_parameter_of_a_socket_is_refused(untouched: Api) -> None:
    """At the upgrade, with 400."""
    for query in ["nods=r1", "interval=1s&nodes=r1&x=1", "changes=yes", "changes="]:
        await refused(untouched, 400, "invalid", "GET", f"/ws/telemetry?{query}")


async def test_a_limit_is_a_whole_number_within_bounds(untouched: Api) -> None:
    """400 naming the parameter."""
    for limit in ["0", "-1", "5001", "ten", "1.0", "", "１", "1" * 30]:
        problem = await refused(untouched, 400, "invalid", "GET", f"/api/v1/topology/nodes?limit={limit}")
        assert problem["detail"].startswith("?limit= must be a whole number from 1 to 5000")


async def test_a_cursor_of_a_history_is_a_revision(untouched: Api) -> None:
    """400 for anything else."""
    problem = await refused(untouched, 400, "invalid", "GET", "/api/v1/topology/history?cursor=abc")
    assert "?cursor=" in problem["detail"]


async def test_a_cursor_that_no_page_gave_is_refused(untouched: Api) -> None:
    """These cursors are ids; `abc` is none, and guessing would show a wrong page."""
    for path in ["/api/v1/intent/history", "/api/v1/deploy/history"]:
        await refused(untouched, 400, "invalid", "GET", f"{path}?cursor=abc")


async def test_a_choice_is_one_of_its_words(untouched: Api) -> None:
    """400 with the words there are."""
    for query in ["mode=append", "dry_run=yes", "dry_run="]:
        problem = await refused(untouched, 400, "invalid", "POST", f"/api/v1/topology/import?{query}", json={"nodes": []})
        assert "must be one of" in problem["detail"]


async def test_a_version_is_one_that_the_hub_gave(untouched: Api) -> None:
    """If-Match with anything else never counts as no condition."""
    for tag in ["x", '"x"', "-1", '"1', '"1", "2"']:
        await refused(untouched, 400, "invalid", "PUT", "/api/v1/topology/nodes/r1", json={"name": "x"}, headers={"If-Match": tag})


async def test_a_time_range_is_one(untouched: Api) -> None:
    """400."""
    for query in ["start=5&end=1", "start=-1", "end=soon"]:
        await refused(untouched, 400, "invalid", "GET", f"/api/v1/monitor/metrics?{query}")


# -- what aiohttp answers by itself


RAW = {
    "no HTTP": b"nonsense\r\n\r\n",
    "a bad version": b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    "a bad header": b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
    "a long header": b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
    "a bad length": b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "both lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}


async def raw_answer(client: Client, request: bytes) -> bytes:
    """Send bytes to the hub; return all that comes back until it closes the connection."""
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(request)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    return answer


async def test_what_is_no_http_gets_no_html(anonymous: Client) -> None:
    """400 without markup and without a trace, also when HTML is what the client would like best."""
    for kind in RAW:
        answer = await raw_answer(anonymous, RAW[kind].replace(b"\r\n", b"\r\nAccept: text/html\r\n", 1))
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.")
        assert b" 400 " in head.split(b"\r\n")[0]
        assert b"html" not in head.lower()
        assert b"<" not in body
        assert b"Traceback" not in body


async def test_an_expectation_that_cannot_be_met_is_a_problem(untouched: Api) -> None:
    """`Expect: 200-ok` is 417 at aiohttp; here it is a problem document like any other."""
    async with untouched.http.post("/api/v1/auth/login", data=b"{}", headers={"Expect": "200-ok"}) as response:
        assert response.content_type == "application/problem+json"


async def test_a_broken_multipart_body_is_refused(untouched: Api) -> None:
    """Without a boundary, or without what it announces."""
    for boundary in BOUNDARIES:
        await refused(
            untouched, 400, "invalid", "POST", IMPORT, data=b"nothing", headers={"Content-Type": f"multipart/form-data{boundary}"}
        )


async def test_a_form_without_a_file_is_refused(untouched: Api) -> None:
    """There is nothing to import."""
    form = aiohttp.FormData({"comment": "no file"}, default_to_multipart=True)
    await refused(untouched, 400, "invalid", "POST", IMPORT, data=form)


@pytest.mark.parametrize("body", [b'{"nodes": []', gzip.compress(b'{"nodes": []}')[:-12]], ids=["none", "half"])
async def test_a_body_that_is_not_what_its_encoding_says_is_a_problem(untouched: Api, body: bytes) -> None:
    """Content-Encoding: gzip on what is no gzip or only half of it: 400, not 500."""
    await refused(untouched, 400, "invalid", "POST", IMPORT, data=body, headers={**JSON, "Content-Encoding": "gzip"})


async def test_nothing_outside_of_static_is_served(anonymous: Client) -> None:
    """However the way out is written."""
    for path in ["/static/../views.py", "/static/%2e%2e/views.py", "/static/..%2fviews.py", "/static//etc/passwd"]:
        answer = await raw_answer(anonymous, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert answer.split(b" ", 2)[1] in (b"403", b"404")
        assert b"def " not in answer
        assert b"root:" not in answer
