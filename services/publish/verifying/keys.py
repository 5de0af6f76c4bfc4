"""The keys with which the bulletin signs statements.

The public halves are events: everybody can see when a key began, and a revocation comes back after a restore. The
private halves are sealed under the deployment's secret, in a table of publish's database that no event and no topic
shows.
"""

from contextlib import suppress
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import Typed, instant
from schemas.operation import OperationStatementKeyMade, OperationStatementKeyRevoked
from services.kernel.access.signing import SigningKey, jwk_of
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import NotFound, Unavailable
from services.kernel.delivery import operations
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving.commands import Answer, Caller, transact
from services.kernel.store import sql
from services.kernel.store.session import Session
from services.publish.views import STATEMENT_KEYS, STATEMENT_SECRETS

USE = "statement-key"


async def make_first(runtime: Runtime) -> None:
    """Makes a key unless there is one that can sign. Only the leader calls it, after recovery.

    A key that was sealed under another secret cannot: its private half is lost, and what it signed counts on.
    """
    async with runtime.database.read() as connection:
        known = await _newest(runtime, connection)
    if known is None:
        await rotate(runtime, Caller())


async def rotate(runtime: Runtime, caller: Caller) -> str:
    """Makes a key that signs from now on. The former ones stay valid for verifying. Returns its id."""
    key = SigningKey.new()

    async def act(session: Session, ctx: Ctx) -> Answer:
        await _add(runtime, session, ctx, key)
        return Answer({})

    await transact(runtime, caller, act)
    return key.kid


async def revoke(runtime: Runtime, caller: Caller, kid: str, reason: str) -> None:
    """Ends a key: what it signed counts for nothing. If no other key can sign, a new one is made with it.

    A repetition changes nothing. Raises `NotFound`.
    """

    async def act(session: Session, ctx: Ctx) -> Answer:
        row = await _row(session.connection, kid)
        if row is None:
            raise NotFound(f"there is no key {kid}; `huiying keys bulletin list` shows all keys", what=kid)
        if row["revoked_at"] is None:
            fact = OperationStatementKeyRevoked(key=kid, reason=Typed(text=reason))
            await operations.record(session, ctx, fact)
            await sql.remove(session.connection, STATEMENT_SECRETS, [(kid,)])
            if await _newest(runtime, session.connection, without=kid) is None:
                await _add(runtime, session, ctx, SigningKey.new())
        return Answer({})

    await transact(runtime, caller, act)


async def current(runtime: Runtime, connection: AsyncConnection) -> SigningKey:
    """The key that signs now. Raises `Unavailable` before the service has made its first one."""
    key = await _newest(runtime, connection)
    if key is None:
        raise Unavailable(
            "the bulletin has no key yet; it makes one when the service has recovered", 2, code="no-statement-key"
        )
    return key


async def every(connection: AsyncConnection) -> list[dict[str, Any]]:
    """Every key, oldest first: `kid`, `public`, `made_at`, `revoked_at`."""
    chosen = select(STATEMENT_KEYS).order_by(STATEMENT_KEYS.c.made_at, STATEMENT_KEYS.c.kid)
    return [dict(row) for row in (await connection.execute(chosen)).mappings() if row["public"]]


def web_keys(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The believed public keys as a JSON Web Key Set with their times, and the revoked ones by id alone."""
    believed = [row for row in rows if row["revoked_at"] is None]
    return {
        "keys": [jwk_of(row["public"]) | {"made_at": row["made_at"]} for row in believed],
        "revoked": [
            {name: row[name] for name in ("kid", "made_at", "revoked_at")} for row in rows if row["revoked_at"]
        ],
    }


async def _add(runtime: Runtime, session: Session, ctx: Ctx, key: SigningKey) -> None:
    await operations.record(session, ctx, OperationStatementKeyMade(key=key.kid, public=key.public_hex))
    sealed = runtime.keys.seal(USE, key.raw, key.kid)
    row = {"kid": key.kid, "made_at": instant(ctx.now), "sealed": sealed}
    await sql.insert(session.connection, STATEMENT_SECRETS, [row])


async def _row(connection: AsyncConnection, kid: str) -> dict[str, Any] | None:
    chosen = select(STATEMENT_KEYS).where(STATEMENT_KEYS.c.kid == kid)
    found = (await connection.execute(chosen)).mappings().first()
    return dict(found) if found and found["public"] else None


async def _newest(runtime: Runtime, connection: AsyncConnection, without: str = "") -> SigningKey | None:
    """The newest key that can sign: nobody revoked it, and its private half was sealed under the present secret."""
    chosen = (
        select(STATEMENT_SECRETS)
        .join(STATEMENT_KEYS, STATEMENT_KEYS.c.kid == STATEMENT_SECRETS.c.kid)
        .where(STATEMENT_KEYS.c.revoked_at.is_(None), STATEMENT_KEYS.c.kid != without)
        .order_by(STATEMENT_SECRETS.c.made_at.desc(), STATEMENT_SECRETS.c.kid)
    )
    for row in (await connection.execute(chosen)).mappings():
        with suppress(ValueError):
            return SigningKey.of(runtime.keys.open(USE, row["sealed"], row["kid"]))
    return None
