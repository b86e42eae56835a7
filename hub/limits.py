"""How often one may ask: per user, per address, per expensive operation. Counted here, or in Redis for all hubs together."""

import time
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address, ip_network
from math import ceil
from typing import NamedTuple

from limits import RateLimitItem, parse
from limits.aio.storage import RedisStorage

from hub.auth import Caller
from hub.operations import Operation
from hub.problems import TooManyConnections
from hub.redis import LOST, Redis
from hub.settings import Limits as Settings
from hub.settings import words
from paranet.errors import TooManyRequests

EXPENSIVE = frozenset(
    {
        "intent.compile",
        "intent.parse",
        "chat.say",
        "intent.format",
        "intent.diagnose",
        "topology.import",
        "deploy.validate",
        "deploy.execute",
    }
)
"""operations that cost the hub more than a look into memory"""
RETRY = 5
"""seconds after which who had too many connections may try again"""
SIGN_IN = frozenset({"auth.login", "auth.refresh", "auth.password"})


@lru_cache(4096)
def place_of(address: str) -> str:
    """Return whom an address stands for: who has one of IPv6 has the 2**64 beside it, too (RFC 6177)."""
    if ":" not in address:
        return address
    try:
        found = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    return str(found.ipv4_mapped or IPv6Network((int(found) >> 64 << 64, 64)))


class Standing(NamedTuple):
    """Where somebody stands within a limit of *limit*: *left* more until *reset* s from now."""

    limit: int
    left: int
    reset: int

    @property
    def headers(self) -> dict[str, str]:
        """As told to clients (draft-ietf-httpapi-ratelimit-headers, the three fields that are widely understood)."""
        return {"RateLimit-Limit": str(self.limit), "RateLimit-Remaining": str(self.left), "RateLimit-Reset": str(self.reset)}


class Counters:
    """Counts within the window of *length* s that the clock is in; those of the one before are forgotten with it."""

    def __init__(self, rate: RateLimitItem) -> None:
        self.rate = rate
        self.amount = rate.amount
        self.length = rate.get_expiry()
        self.end = 0
        self._counts: dict[str, int] = {}

    def count(self, who: str, now: float) -> int:
        """Return how often this was called for *who* in this window."""
        if not 0 < self.end - now <= self.length:
            self.end = int(now // self.length + 1) * self.length
            self._counts.clear()
        used = self._counts[who] = self._counts.get(who, 0) + 1
        return used

    def __len__(self) -> int:
        return len(self._counts)


class Connections:
    """How many there are, by address and by user; of each *most* are let in. Addresses of *proxies* stand for many clients."""

    def __init__(self, most: int, proxies: str) -> None:
        self._most = most
        self._proxies = [ip_network(word) for word in words(proxies)]
        self._of: Counter[tuple[str, str]] = Counter()
        self.refused = 0

    def __len__(self) -> int:
        return sum(count for (what, _), count in self._of.items() if what == "address")

    def enter(self, address: str) -> None:
        """Count one more. Raise TooManyConnections."""
        if not self._behind(address):
            self._more("address", place_of(address))
        else:
            self._of["address", place_of(address)] += 1

    def claim(self, before: str, user_id: str) -> None:
        """Note that the requests over a connection are another user's than *before* ("" nobody's). Raise TooManyConnections."""
        self._more("user", user_id)
        if before:
            self.leave("user", before)

    def leave(self, what: str, who: str) -> None:
        """One is over; of an address, give what `place_of` says."""
        if self._of[what, who] > 1:
            self._of[what, who] -= 1
        else:
            del self._of[what, who]

    def _more(self, what: str, who: str) -> None:
        if self._of[what, who] >= self._most:
            self.refused += 1
            raise TooManyConnections(f"this {what} has {self._most} connections open", retry_after=RETRY)
        self._of[what, who] += 1

    def _behind(self, address: str) -> bool:
        return bool(self._proxies) and any(ip_address(address) in network for network in self._proxies)


class Limits:
    """Asked before every operation. Without Redis, or while it is away, each hub counts for itself."""

    def __init__(self, settings: Settings, redis: Redis | None, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._user, self._address = Counters(parse(settings.user)), Counters(parse(settings.address))
        self._sign_in = Counters(parse(settings.sign_in))
        self._expensive = {name: Counters(parse(settings.expensive)) for name in EXPENSIVE}
        self._redis = redis
        self._shared: RedisStorage | None = None
        self.refused = 0

    async def check(self, operation: Operation, caller: Caller | None, address: str) -> Standing:
        """Count one use and return how the caller stands. Raise TooManyRequests."""
        name, who = operation.name, caller.user.id if caller else place_of(address)
        if name in SIGN_IN:
            await self._count(self._sign_in, "sign-in", place_of(address))
        if name in EXPENSIVE:
            await self._count(self._expensive[name], name, who)
        return await (self._count(self._user, "user", who) if caller else self._count(self._address, "address", who))

    async def refuse(self, address: str) -> None:
        """Count somebody who came with a token that is not good. Raise TooManyRequests."""
        await self._count(self._address, "address", place_of(address))

    async def _count(self, counters: Counters, what: str, who: str) -> Standing:
        now = self._now()
        used, end = counters.count(who, now), counters.end
        if self._redis is not None and self._redis.up:
            used = max(used, await self._together(self._redis, f"{what}:{who}:{end - counters.length}", int(end - now) + 1))
        left, reset = counters.amount - used, ceil(end - now)
        if left < 0:
            self.refused += 1
            raise TooManyRequests(
                f"at most {counters.rate} for {what.replace('-', ' ')}; come again in {reset} s",
                retry_after=reset,
                limit=counters.amount,
                window=counters.length,
            )
        return Standing(counters.amount, left, reset)

    async def _together(self, redis: Redis, key: str, seconds: int) -> int:
        """Count for all hubs, for so many seconds; 0 when Redis has just gone."""
        if self._shared is None:
            pool = redis.client.connection_pool
            self._shared = RedisStorage("redis://", implementation="redispy", key_prefix="paranet:limit", connection_pool=pool)
        try:
            return await self._shared.incr(key, seconds)
        except LOST as error:
            redis.lost(error)
            return 0
