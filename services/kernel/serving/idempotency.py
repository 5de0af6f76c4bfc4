"""Idempotency keys: for a week, a repeated request gets the first answer.

The store reveals neither the key, the sender nor the request: it holds digests under the deployment's secret, and the
sealed answer. A key belongs to its sender, a person or an integration, and to one method, path, body and `If-Match`.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import instant
from services.kernel.core.decider import Actor
from services.kernel.core.problems import Malformed
from services.kernel.delivery.runtime import Runtime
from services.kernel.store import sql
from services.kernel.store.session import Conflict

REMEMBERED = timedelta(days=7)
PRUNE_SECONDS = 60.0
PRUNED_TOGETHER = 500
"""One transaction removes at most this many rows, so that nobody waits for it."""


@dataclass(frozen=True, slots=True)
class Key:
    """An idempotency key, and the digest of its request."""

    text: str
    digest: str


def given(header: str | None) -> str | None:
    """The key in a header. An empty header is no key."""
    return (header or "").strip() or None


def digest_of(method: str, path: str, body: bytes, version: int | None = None) -> str:
    """The parts that must be the same when a key comes again. `path` includes the query."""
    parts = (method.encode(), path.encode(), str(version).encode(), body)
    return hashlib.sha256(b"\n".join(parts)).hexdigest()


class Memory:
    """The remembered answers to one sender."""

    def __init__(self, runtime: Runtime, actor: Actor) -> None:
        self._runtime, self._actor = runtime, actor
        self._table = runtime.tables["idempotency"]

    async def hold(self, connection: AsyncConnection, key: str) -> None:
        """Locks the key until the transaction ends."""
        await sql.lock(connection, sql.Hold("idempotency", [self._place(key)]))

    async def knows(self, connection: AsyncConnection, key: str) -> bool:
        """Whether a request with this key was answered. It changes nothing."""
        table, now = self._table, instant(self._runtime.time_source.now())
        chosen = select(table.c.key).where(table.c.key == self._place(key), table.c.until > now)
        return (await connection.execute(chosen)).first() is not None

    async def find(self, connection: AsyncConnection, keys: Sequence[Key]) -> Mapping[str, bytes | Malformed]:
        """The remembered answers by the keys' texts. Raises `Malformed` if a key came with another request."""
        places, table = {self._place(key.text): key for key in keys}, self._table
        rows = (await connection.execute(select(table).where(table.c.key.in_(list(places))))).mappings().all()
        now = instant(self._runtime.time_source.now())
        found: dict[str, bytes | Malformed] = {}
        over: list[str] = []
        for row in rows:
            key = places[row["key"]]
            if row["until"] <= now:
                over.append(row["key"])
            elif row["digest"] != self._digest(key):
                found[key.text] = Malformed(
                    "this idempotency key was used with another request; take a new key for a new request",
                    code="idempotency-key-reused",
                    field="Idempotency-Key",
                )
            else:
                found[key.text] = self._runtime.keys.open("answer", row["response"], row["key"])
        if over:
            await connection.execute(delete(table).where(table.c.key.in_(over)))
        return found

    async def keep(self, connection: AsyncConnection, answers: Sequence[tuple[Key, bytes]]) -> None:
        """Remembers answers. Raises `Conflict` if a key is remembered already."""
        until = instant(self._runtime.time_source.now() + REMEMBERED)
        rows = []
        for key, answer in answers:
            place = self._place(key.text)
            sealed = self._runtime.keys.seal("answer", answer, place)
            rows.append({"key": place, "digest": self._digest(key), "response": sealed, "until": until})
        try:
            await sql.insert(connection, self._table, sorted(rows, key=lambda row: row["key"]))
        except IntegrityError as error:
            raise Conflict("another request with the same idempotency key came at the same time") from error

    def _place(self, key: str) -> str:
        actor = self._actor
        return self._runtime.keys.digest("caller", actor.post, actor.unit or "", actor.person or "", key)

    def _digest(self, key: Key) -> str:
        return self._runtime.keys.digest("request", key.digest)


async def prune(runtime: Runtime) -> int:
    """Forgets answers that are too old, a few rows in each transaction. Returns how many there were."""
    table, gone = runtime.tables["idempotency"], 0
    while True:
        over = select(table.c.key).where(table.c.until <= instant(runtime.time_source.now())).limit(PRUNED_TOGETHER)
        async with runtime.database.transaction() as connection:
            removed = (await connection.execute(delete(table).where(table.c.key.in_(over)))).rowcount
        gone += removed
        if removed < PRUNED_TOGETHER:
            return gone


async def keep_pruning(runtime: Runtime) -> None:
    """Background work of the leader."""
    while True:
        await asyncio.sleep(PRUNE_SECONDS)
        await prune(runtime)
