"""Keys of integrations: made once, shown once, kept as a digest, withdrawn for good."""

import time

from schemas.operation import OperationConfigured
from services.ingest import queries
from services.ingest.commands import KeyRequest, KeyWithdrawal
from services.ingest.rights import RIGHTS
from services.ingest.views import KEY_MADE, KEY_WITHDRAWN
from services.kernel.access import identity
from services.kernel.core.decider import Actor, Ctx
from services.kernel.core.problems import NotFound, Unauthenticated
from services.kernel.delivery import operations
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving.commands import Answer, Caller, transact
from services.kernel.store.session import Session

PREFIX = "hy_"
FRESH = 1.0
"""Seconds after which a key is looked up again: the longest that a withdrawn key goes on working elsewhere."""
REMEMBERED = 10_000


class Keys:
    """Whose key it is, with a short memory."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._known: dict[str, tuple[Actor, float]] = {}

    async def actor(self, key: str, scope: str) -> Actor:
        """The integration's post. Raises `Unauthenticated`."""
        digest, now = identity.key_digest(key), time.monotonic()
        if (known := self._known.get(digest)) and known[1] > now:
            return known[0]
        async with self._runtime.database.read() as connection:
            row = await queries.api_key(connection, digest)
        if row is None or row.withdrawn or row.scope != scope:
            raise Unauthenticated(
                "this key is unknown or was withdrawn; ask the office's administrator for a new one", code="key-unknown"
            )
        actor = Actor(f"integration@{row.unit}", row.unit, frozenset({"integration"}))
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[digest] = (actor, now + FRESH)
        return actor

    async def make(self, caller: Caller, request: KeyRequest) -> str:
        """A new key; only its digest is kept."""
        key = identity.new_key()
        value = f"{request.scope}:{identity.key_digest(key)}"

        async def act(session: Session, ctx: Ctx) -> Answer:
            ctx.offices.unit(request.unit)
            RIGHTS[KeyRequest].require(request.unit, ctx)
            await operations.record(session, ctx, OperationConfigured(setting=KEY_MADE, value=value, unit=request.unit))
            return Answer({})

        await transact(self._runtime, caller, act)
        return key

    async def withdraw(self, caller: Caller, key: str) -> None:
        """Ends a key. Raises `NotFound` where it was never made; a repetition changes nothing."""
        digest = identity.key_digest(key)

        async def act(session: Session, ctx: Ctx) -> Answer:
            row = await queries.api_key(session.connection, digest)
            if row is None:
                raise NotFound("no such key was made here", what="key")
            RIGHTS[KeyWithdrawal].require(row.unit, ctx)
            if not row.withdrawn:
                value = f"{row.scope}:{digest}"
                await operations.record(
                    session, ctx, OperationConfigured(setting=KEY_WITHDRAWN, value=value, unit=row.unit)
                )
            return Answer({})

        await transact(self._runtime, caller, act)
        self._known.pop(digest, None)
