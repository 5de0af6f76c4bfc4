"""Keys of integrations. A key is made once, shown once, kept as a digest, and revoked for good by its id.

An integration is its own identity: the reports of its keys belong to it alone. Its id comes from its unit and name.
"""

import asyncio
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

import structlog
from fastapi import Request
from sqlalchemy import update
from sqlalchemy.exc import DBAPIError

from schemas.fields import Typed, instant
from schemas.operation import OperationKeyMade, OperationKeyRevoked
from services.ingest import queries
from services.ingest.commands import KeyRequest, KeyRevocation, Scope
from services.ingest.rights import RIGHTS
from services.ingest.views import KEY_USES, REFUSED
from services.kernel.access.integrations import PREFIX, key_digest
from services.kernel.core.decider import Actor, Ctx
from services.kernel.core.ids import derived
from services.kernel.core.problems import NotFound, Rejected, Unauthenticated, Unavailable
from services.kernel.delivery import operations
from services.kernel.delivery.runtime import Runtime
from services.kernel.logging import brief
from services.kernel.serving.commands import Answer, Caller, transact
from services.kernel.serving.sign_in import Remembered
from services.kernel.store import sql
from services.kernel.store.session import Session

SCOPE: Scope = "ingest"
"""The scope of keys that send reports."""
ROLES: Mapping[Scope, str] = {"ingest": "integration", "probe": "probe"}
"""What a key of a scope lets its holder do."""
NOTED = timedelta(hours=1)
"""How exact the last use of a key is."""
AGAIN = timedelta(minutes=1)
"""How long after a note that was lost the next one is tried."""
NOTE_SECONDS = 0.2
"""How long a request may wait for its note."""
COUNT_SECONDS = 1.0
"""How long refusals are gathered before they are written."""
logger = structlog.get_logger()


def new_key() -> str:
    """A random key."""
    return PREFIX + secrets.token_urlsafe(32)


def integration_id(unit: str, name: str) -> str:
    """The integration with this name in a unit."""
    return f"integration-{derived('integration', unit, name)}"


def owner(row: Any) -> Actor:
    """The integration that a key's row names."""
    return Actor(row.integration, row.unit, frozenset({ROLES[row.scope]}))


class Refusals(NamedTuple):
    """What was refused of an integration and is not written yet."""

    times: int
    code: str
    """The problem of the last one."""
    at: str
    """When that was."""


class Keys:
    """Finds the owner of a key, makes keys and revokes them."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._remembered = Remembered(self._look_up)
        self._noted: dict[str, datetime] = {}
        self._refused: dict[str, Refusals] = {}
        self._counting: asyncio.Task[None] | None = None

    async def sign_in(self, request: Request, key: str) -> Actor:
        """The integration that owns the key. Raises `Unauthenticated`. Refusals of the request will be counted."""
        actor = await self._remembered.actor(key)
        request.state.refused = partial(self.refused, actor)
        return actor

    def refused(self, actor: Actor, *codes: str) -> None:
        """Counts what an integration sent and was not taken, by the codes of the problems, the last one at the end.

        It is written a little later, and lost with a kill.
        """
        if codes and not actor.is_staff:
            before = self._refused.get(actor.post)
            times = len(codes) + (before.times if before else 0)
            self._refused[actor.post] = Refusals(times, codes[-1], instant(self._runtime.time_source.now()))
            if self._counting is None:
                self._counting = asyncio.create_task(self._count())

    async def _count(self) -> None:
        try:
            while self._refused:
                await asyncio.sleep(COUNT_SECONDS)
                counts, self._refused = self._refused, {}
                try:
                    await self._write(counts)
                except (DBAPIError, OSError, Unavailable) as error:
                    for integration, lost in counts.items():
                        newer = self._refused.get(integration)
                        kept = newer._replace(times=newer.times + lost.times) if newer else lost
                        self._refused[integration] = kept
                    logger.warning("key.refusals_not_counted", error=brief(error))
        finally:
            self._counting = None

    async def _write(self, counts: Mapping[str, Refusals]) -> None:
        async with self._runtime.database.transaction() as connection:
            for integration, one in sorted(counts.items()):
                last = {"code": one.code, "at": one.at}
                await sql.add_missing(connection, REFUSED, [{"integration": integration, "count": 0, **last}])
                more = update(REFUSED).where(REFUSED.c.integration == integration)
                await connection.execute(more.values(count=REFUSED.c.count + one.times, **last))

    async def _look_up(self, key: str) -> Actor:
        async with self._runtime.database.read() as connection:
            row = await queries.key_of(connection, key_digest(key))
        if row is None or row.revoked_at is not None or row.scope not in ROLES:
            raise Unauthenticated(
                "this key is unknown or was revoked; ask the office's administrator for a new one", code="key-unknown"
            )
        await self.note(row.id)
        return owner(row)

    async def note(self, id_: str) -> None:
        """Notes that a key was used, at most once an hour for each process. A slow store holds up no request for it.

        It is a note and no event: one that is lost is written with a use a minute later.
        """
        now = self._runtime.time_source.now()
        if (noted := self._noted.get(id_)) is not None and now - noted < NOTED:
            return
        self._noted[id_] = now
        if not self._runtime.recovered:
            return
        try:
            async with asyncio.timeout(NOTE_SECONDS), self._runtime.database.transaction() as connection:
                await sql.upsert(connection, KEY_USES, [{"id": id_, "used_at": instant(now)}])
        except (DBAPIError, OSError) as error:
            self._noted[id_] = now - NOTED + AGAIN
            logger.info("key.use_not_noted", error=brief(error))

    async def make(self, caller: Caller, request: KeyRequest) -> dict[str, str]:
        """A new key with its id and integration. Only its digest is kept. A repeated request makes none."""
        key = new_key()

        async def act(session: Session, ctx: Ctx) -> Answer:
            ctx.offices.unit(request.unit)
            RIGHTS[KeyRequest].require(request.unit, ctx)
            id_ = ctx.ids.new("key")
            name = request.name or id_
            integration = integration_id(request.unit, name)
            fact = OperationKeyMade(
                key=id_,
                integration=integration,
                name=name,
                unit=request.unit,
                scope=request.scope,
                digest=key_digest(key),
            )
            await operations.record(session, ctx, fact)
            return Answer({"id": id_, "integration": integration, "name": name, "digest": key_digest(key)})

        body = dict((await transact(self._runtime, caller, act)).body)
        if body.pop("digest") != key_digest(key):
            raise Rejected(
                f"this request made the key {body['id']} already, and a key is shown only once; "
                "revoke it if nobody has it, and ask for another one",
                code="key-shown-already",
                key=body["id"],
            )
        return {"key": key, **body}

    async def revoke(self, caller: Caller, id_: str, reason: str | None = None) -> None:
        """Ends a key. Raises `NotFound` if no key has this id. A repetition changes nothing."""

        async def act(session: Session, ctx: Ctx) -> Answer:
            row = await queries.key(session.connection, id_)
            if row is None:
                raise NotFound(f"there is no key {id_}; `huiying keys list` shows all keys", what=id_)
            RIGHTS[KeyRevocation].require(row.unit, ctx)
            if row.revoked_at is None:
                told = Typed(text=reason) if reason else None
                await operations.record(session, ctx, OperationKeyRevoked(key=id_, unit=row.unit, reason=told))
            return Answer({})

        await transact(self._runtime, caller, act)
        self._remembered.forget()
