"""The caller, at the border to HTTP: checked before a body is read.

Failures are counted, and logged without the key or token. An address that fails too often gets 429. A valid sign-in
from the same address is never refused.
"""

import asyncio
import hashlib
import ipaddress
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import structlog
from fastapi import Request
from sqlalchemy import select

from services.kernel import metrics
from services.kernel.access import tokens
from services.kernel.access.signing import PublicKeys
from services.kernel.core.decider import Actor
from services.kernel.core.problems import TooMany, Unauthenticated
from services.kernel.delivery.runtime import Runtime

FRESH = 1.0
"""Seconds after which a key or token is looked up again. A revoked one works at most this long."""
REMEMBERED = 10_000
"""The most keys, tokens and addresses in memory."""
FAILURES = 20
WINDOW = 60.0
"""An address may fail so many times in so many seconds with 401. Further failures get 429."""
logger = structlog.get_logger()


class Remembered:
    """The owner of a key or token, kept for a short time by its digest."""

    def __init__(self, look_up: Callable[[str], Awaitable[Actor]]) -> None:
        self._look_up = look_up
        self._known: dict[bytes, tuple[Actor, float]] = {}
        self._asked: dict[bytes, asyncio.Task[Actor]] = {}
        """Look-ups under way. Requests that come at the same time share one."""

    async def actor(self, credential: str) -> Actor:
        """The owner. Raises the errors of the look-up."""
        digest, now = hashlib.sha256(credential.encode()).digest(), time.monotonic()
        if (known := self._known.get(digest)) and known[1] > now:
            return known[0]
        if digest not in self._asked:
            self._asked[digest] = asyncio.create_task(self._ask(digest, credential))
        return await asyncio.shield(self._asked[digest])

    async def _ask(self, digest: bytes, credential: str) -> Actor:
        mine, now = asyncio.current_task(), time.monotonic()
        try:
            actor = await self._look_up(credential)
            if self._asked.get(digest) is mine:
                if len(self._known) >= REMEMBERED:
                    self._known.clear()
                self._known[digest] = (actor, now + FRESH)
            return actor
        finally:
            if self._asked.get(digest) is mine:
                del self._asked[digest]

    def forget(self) -> None:
        """Forgets everything, also what is being looked up, so that it is looked up again."""
        self._known.clear()
        self._asked.clear()


class StaffTokens:
    """Members of staff by their tokens."""

    def __init__(self, runtime: Runtime, keys: PublicKeys) -> None:
        self._runtime, self._keys = runtime, keys
        self._remembered = Remembered(self._look_up)

    async def actor(self, token: str) -> Actor:
        """The post that acts. Raises `Unauthenticated`, and `Unavailable` before the offices are known."""
        return await self._remembered.actor(token)

    async def _look_up(self, token: str) -> Actor:
        runtime = self._runtime
        claims = tokens.read(token, self._keys, runtime.settings.deployment, datetime.now(UTC))
        table = runtime.tables["revoked_tokens"]
        async with runtime.database.read() as connection:
            revoked = await connection.execute(select(table.c.token).where(table.c.token == claims.jti))
            if revoked.first() is not None:
                raise Unauthenticated("the token was revoked; sign in again", code="token-revoked")
            return tokens.actor(claims, await runtime.offices(connection))


class _Failed(NamedTuple):
    until: float
    times: int


class Tries:
    """What failed, by address, only in memory."""

    def __init__(self) -> None:
        self._failed: dict[str, _Failed] = {}

    def add(self, address: str) -> tuple[int, int]:
        """Counts a failure: how many there were before in this window, and in how many seconds it ends."""
        now = time.monotonic()
        before = self._failed.get(address)
        until, times = before if before and before.until > now else _Failed(now + WINDOW, 0)
        if len(self._failed) >= REMEMBERED:
            self._failed = {of: failed for of, failed in self._failed.items() if failed.until > now}
            if len(self._failed) >= REMEMBERED:
                self._failed.clear()
        self._failed[address] = _Failed(until, times + 1)
        return times, int(until - now) + 1


class Failures:
    """Failed sign-ins by address."""

    def __init__(self) -> None:
        self._tries = Tries()

    def add(self, address: str, reason: str) -> None:
        """Counts and logs a failure. Raises `TooMany` if the address has failed too often."""
        times, wait = self._tries.add(address)
        limited = times >= FAILURES
        metrics.SIGN_INS_FAILED.labels("429" if limited else "401").inc()
        if not limited:
            logger.warning("sign_in.failed", address=address, reason=reason)
            return
        if times == FAILURES:
            logger.warning("sign_in.limited", address=address, failures=times, seconds=WINDOW)
        raise TooMany(
            f"this address failed to sign in too often; wait {wait} s, and send a valid key or token",
            wait,
            seconds=wait,
        )


Judge = Callable[[Request, str], Awaitable[Actor]]


STAFF, KEY = "staffToken", "integrationKey"
SCHEMES: Mapping[str, Mapping[str, str]] = {
    STAFF: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A member of staff: a short-lived token that names unit, post, roles and person.",
    },
    KEY: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "hy_…",
        "description": "An integration: a key that an administrator made for it.",
    },
}
"""The ways of signing in, as OpenAPI names them."""


class SignIn:
    """A dependency that gives the caller, by one of these schemes. A route calls it before it reads the body."""

    def __init__(self, judge: Judge, *schemes: str) -> None:
        self._judge, self.schemes = judge, schemes

    async def __call__(self, request: Request) -> Actor:
        """The actor. Raises `Unauthenticated` or `TooMany`."""
        if not hasattr(request.state, "actor"):
            request.state.actor = await self._ask(request)
        found: Actor = request.state.actor
        return found

    async def _ask(self, request: Request) -> Actor:
        scheme, _, credential = request.headers.get("authorization", "").partition(" ")
        credential = credential.strip()
        if scheme.lower() != "bearer" or not credential:
            raise Unauthenticated("send Authorization: Bearer with a staff token, or a key where reports are sent")
        try:
            return await self._judge(request, credential)
        except Unauthenticated as problem:
            request.app.state.failures.add(address_of(request), problem.detail)
            raise


def address_of(request: Request) -> str:
    """The unit of the limit: an address, or one customer's network if the customer has many addresses."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return host
    # An IPv4 address in IPv6 form: all of these are in one network of 64 bits.
    return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))


async def staff(request: Request, token: str) -> Actor:
    """The member of staff of a token. Raises `Unauthenticated`."""
    known: StaffTokens = request.app.state.staff
    return await known.actor(token)


signed_in = SignIn(staff, STAFF)
"""A member of staff, by their token."""
