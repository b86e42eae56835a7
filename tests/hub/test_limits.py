"""Limits: how often one may ask, and how the answer says so."""

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from limits import parse

from hub import settings as s
from hub.limits import EXPENSIVE, SIGN_IN, Counters, place_of
from hub.rest import OPERATIONS
from hub.settings import Settings
from tests.hub.api import sign_in
from tests.hub.houses import opened


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
        ("no:address", "no:address"),
    ],
)
def test_who_has_an_address_has_those_beside_it(address: str, place: str) -> None:
    """Limits of an address are those of its /64 where addresses cost nothing."""
    assert place_of(address) == place


def midday() -> float:
    """Stand still in the middle of an hour: limits count by the clock's own hours."""
    return 1_800_001_800.0


def limited(settings: Settings, **limits: Any) -> Settings:
    return attrs.evolve(settings, limits=s.Limits(**limits))


async def test_a_user_may_ask_so_often(settings: Settings) -> None:
    """Every answer says what is left; one more is 429 with the time to wait. Others are not affected."""
    async with opened(limited(settings, user="3/hour"), now=midday) as (_, client):
        viewer, operator = await sign_in(client, "viewer"), await sign_in(client, "operator")
        left = []
        for _ in range(3):
            status, _, headers = await viewer.call("GET", "/auth/me")
            left.append((status, headers["RateLimit-Limit"], headers["RateLimit-Remaining"]))
        assert left == [(200, "3", "2"), (200, "3", "1"), (200, "3", "0")]
        status, body, headers = await viewer.call("GET", "/auth/me")
        assert (status, body["code"]) == (429, "too-many-requests")
        assert 0 < int(headers["Retry-After"]) <= 3600
        assert (await operator.call("GET", "/auth/me"))[0] == 200


async def test_an_expensive_operation_has_its_own_limit(settings: Settings) -> None:
    """The rest goes on."""
    async with opened(limited(settings, expensive="1/hour"), now=midday) as (_, client):
        operator = await sign_in(client, "operator")
        statuses = [(await operator.call("POST", "/intent/compile", json={"source": ""}))[0] for _ in range(2)]
        assert statuses[0] != 429
        assert statuses[1] == 429
        assert (await operator.call("GET", "/auth/me"))[0] == 200


async def test_an_address_may_try_so_often_to_sign_in(settings: Settings) -> None:
    """Whatever the names; who is signed in is not affected."""
    async with opened(limited(settings, sign_in="2/hour"), now=midday) as (_, client):
        viewer = await sign_in(client, "viewer")
        statuses = []
        for name in ("a", "b"):
            async with client.post("/api/v1/auth/login", json={"username": name, "password": "x"}) as response:
                statuses.append(response.status)
        assert statuses == [401, 429]
        assert (await viewer.call("GET", "/auth/me"))[0] == 200


async def test_bad_tokens_count_against_the_address(settings: Settings) -> None:
    """Guessing tokens is stopped as well."""
    async with opened(limited(settings, address="2/hour"), now=midday) as (_, client):
        statuses = []
        for _ in range(3):
            async with client.get("/api/v1/auth/me", headers={"Authorization": "Bearer guess"}) as response:
                statuses.append(response.status)
        assert statuses == [401, 401, 429]


@hypothesis(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3)), max_size=40))
def test_counts_are_exact_and_forgotten(calls: list[tuple[str, int]]) -> None:
    """By key and window; of windows that are over nothing is left once another begins."""
    counters, now = Counters(parse("5/2 second")), 0.0
    seen: dict[tuple[str, int], int] = {}
    for who, later in calls:
        now += later
        end = int(now // 2) * 2 + 2
        seen[who, end] = seen.get((who, end), 0) + 1
        assert counters.count(who, now) == seen[who, end]
        assert counters.end == end
    assert len(counters) <= 2


# -- whom a request comes from


@pytest.mark.parametrize(
    ("proxies", "forwarded", "seen"),
    [
        ("", "203.0.113.9", "127.0.0.1"),
        ("127.0.0.0/8", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.0/8", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("127.0.0.0/8, 203.0.113.0/24", "198.51.100.1, 203.0.113.9", "198.51.100.1"),
        ("127.0.0.0/8", "nonsense", "nonsense"),
        ("10.0.0.0/8", "203.0.113.9", "127.0.0.1"),
    ],
)
async def test_only_trusted_proxies_are_believed(settings: Settings, proxies: str, forwarded: str, seen: str) -> None:
    """The nearest hop that is no proxy of ours is the client: what stands before it anybody may have written."""
    behind = attrs.evolve(settings, server=attrs.evolve(settings.server, trusted_proxies=proxies))
    async with opened(behind) as (_, client):
        admin = await sign_in(client, "admin")
        await admin.call("POST", "/topology/nodes", json={"id": "r1"}, headers={"X-Forwarded-For": forwarded})
        _, body, _ = await admin.call("GET", "/system/audit")
        assert next(e["remote"] for e in body["items"] if e["action"] == "topology.nodes.add") == seen


async def test_cookies_are_secure_behind_a_proxy_that_speaks_https(settings: Settings) -> None:
    """And browsers are told to stay with it."""
    behind = attrs.evolve(settings, server=attrs.evolve(settings.server, trusted_proxies="127.0.0.1"))
    async with opened(behind) as (_, client):
        body = {"username": "viewer", "password": "correct horse battery"}
        async with client.post("/api/v1/auth/login", json=body, headers={"X-Forwarded-Proto": "https"}) as response:
            assert all(cookie["secure"] for cookie in response.cookies.values())
            assert "Strict-Transport-Security" in response.headers
        async with client.post("/api/v1/auth/login", json=body) as response:
            assert not any(cookie["secure"] for cookie in response.cookies.values())


# -- pages of other sites

APP = "https://app.example"
ASKS = {"Origin": APP, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization"}


async def test_pages_of_listed_sites_may_ask(settings: Settings) -> None:
    """Before and after; refusals can be read too. Cookies are never asked for."""
    listed = attrs.evolve(settings, server=attrs.evolve(settings.server, origins=f"{APP}, https://other.example"))
    async with opened(listed) as (_, client):
        async with client.options("/api/v1/topology", headers=ASKS) as response:
            assert response.status == 204
            assert response.headers["Access-Control-Allow-Origin"] == APP
            assert "PUT" in response.headers["Access-Control-Allow-Methods"]
        async with client.get("/api/v1/topology", headers={"Origin": APP}) as response:
            assert response.status == 401
            assert response.headers["Access-Control-Allow-Origin"] == APP
            assert "Access-Control-Allow-Credentials" not in response.headers
            assert response.headers["Vary"] == "Origin"


@pytest.mark.parametrize("origins", ["", "https://other.example"])
async def test_pages_of_other_sites_may_not(settings: Settings, origins: str) -> None:
    """Off by default, and for those that are not listed."""
    async with opened(attrs.evolve(settings, server=attrs.evolve(settings.server, origins=origins))) as (_, client):
        async with client.options("/api/v1/topology", headers=ASKS) as response:
            assert response.status == 405
            assert "Access-Control-Allow-Origin" not in response.headers
        async with client.get("/healthz", headers={"Origin": APP}) as response:
            assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize(("given_id", "kept"), [("abc-1", True), ("x" * 65, False), ("a b", False), ("", False)])
async def test_every_answer_names_its_request(settings: Settings, given_id: str, kept: bool) -> None:
    """By the id that the client gave if it is a plain one, else by one of the hub's."""
    async with opened(settings) as (_, client), client.get("/api/v1/topology", headers={"X-Request-Id": given_id}) as response:
        assert (response.headers["X-Request-Id"] == given_id) is kept
        assert response.headers["X-Request-Id"]


def test_every_operation_that_is_limited_is_there() -> None:
    """A limit on a name that was changed would limit nothing."""
    assert {operation.name for operation in OPERATIONS} >= EXPENSIVE | SIGN_IN
