"""The keys that sign the log's checkpoints, and the one with which this deployment cosigns as a witness.

The public halves are events on the stream of checkpoints: every service reads them before what they sign, and a restore
does not undo a revocation. The private halves are sealed under the deployment's secret, in a table that no event fills.
"""

from contextlib import suppress
from typing import Any, Literal
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.checkpoints import CHECKPOINTS, CheckpointKeyMade, CheckpointKeyRevoked
from schemas.fields import Typed, instant
from services.audit.views import LOG_SECRETS, METADATA
from services.kernel.access.checkpoints import seal_of
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import NotFound
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving.commands import Answer, Caller, transact
from services.kernel.store import sql
from services.kernel.store.session import Session
from services.kernel.tlog.note import COSIGNATURE, ED25519, Signer, Verifier

Use = Literal["log", "witness"]
USE = "log-key"
KINDS: dict[str, int] = {"log": ED25519, "witness": COSIGNATURE}
PATHS: dict[str, str] = {"log": "audit/v1/log", "witness": "witness"}
KEYS = METADATA.tables["log_keys"]


async def make_first(runtime: Runtime) -> None:
    """Makes the key of the log, and that of the witness, unless one can sign. Only the leader calls it."""
    for use in ("log", "witness"):
        async with runtime.database.read() as connection:
            known = await signers(runtime, connection, use)
        if not known:
            await rotate(runtime, Caller(), use)


async def rotate(runtime: Runtime, caller: Caller, use: Use = "log") -> str:
    """Makes a key that signs from now on. Returns its verifier key.

    Once more the former key of the log signs too, so that who knows only that one learns that the log goes on.
    """
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw().hex()

    async def act(session: Session, ctx: Ctx) -> Answer:
        name = await _name(runtime, session.connection, use)
        await _load(session)
        former = await _sealed(session.connection, use)
        made = CheckpointKeyMade(use=use, origin=name, key=public, seal="0" * 64)
        seal = seal_of(made, instant(ctx.now), runtime.keys.digest)
        session.append(CHECKPOINTS, [made.model_copy(update={"seal": seal})], ctx)
        if use == "witness":
            await sql.remove(session.connection, LOG_SECRETS, [(row["key"],) for row in former])
        sealed = runtime.keys.seal(USE, private.private_bytes_raw(), public)
        row = {"key": public, "made_at": instant(ctx.now), "sealed": sealed}
        await sql.insert(session.connection, LOG_SECRETS, [row])
        return Answer({"vkey": Verifier(name, bytes.fromhex(public), KINDS[use]).vkey})

    return str((await transact(runtime, caller, act)).body["vkey"])


async def revoke(runtime: Runtime, caller: Caller, vkey: str, reason: str) -> None:
    """Ends a key: its signatures count for nothing. If no other key can sign, a new one is made.

    A repetition changes nothing. Raises `NotFound`.
    """
    ended: list[Use] = []

    async def act(session: Session, ctx: Ctx) -> Answer:
        rows = await every(session.connection)
        row = next((row for row in rows if vkey in (row["vkey"], row["key"])), None)
        if row is None:
            raise NotFound(f"there is no key {vkey[:300]}; `huiying keys log list` shows all keys", what=vkey[:300])
        if row["revoked_at"] is None:
            await _load(session)
            gone = CheckpointKeyRevoked(key=row["key"], reason=Typed(text=reason), seal="0" * 64)
            seal = seal_of(gone, instant(ctx.now), runtime.keys.digest)
            session.append(CHECKPOINTS, [gone.model_copy(update={"seal": seal})], ctx)
            await sql.remove(session.connection, LOG_SECRETS, [(row["key"],)])
        ended.append(row["use"])
        return Answer({})

    await transact(runtime, caller, act)
    async with runtime.database.read() as connection:
        left = await signers(runtime, connection, ended[-1])
    if not left:
        await rotate(runtime, caller, ended[-1])


async def every(connection: AsyncConnection) -> list[dict[str, Any]]:
    """Every key, oldest first: `vkey`, `use`, `key`, `name`, `made_at`, `revoked_at`."""
    rows = (await connection.execute(select(KEYS).order_by(KEYS.c.made_at, KEYS.c.key))).mappings()
    return [{**row, "vkey": Verifier(row["name"], bytes.fromhex(row["key"]), KINDS[row["use"]]).vkey} for row in rows]


async def believed(connection: AsyncConnection, use: Use = "log") -> list[Verifier]:
    """The public keys of a use that were not revoked, oldest first."""
    return [
        Verifier(row["name"], bytes.fromhex(row["key"]), KINDS[use])
        for row in await every(connection)
        if row["use"] == use and row["revoked_at"] is None
    ]


async def signers(runtime: Runtime, connection: AsyncConnection, use: Use) -> list[Signer]:
    """The keys that can sign, oldest first: nobody revoked them, and they open under the present secret."""
    found = []
    for row in await _sealed(connection, use):
        with suppress(ValueError):
            private = Ed25519PrivateKey.from_private_bytes(runtime.keys.open(USE, row["sealed"], row["key"]))
            found.append(Signer(row["name"], private, KINDS[use]))
    return found


async def forget(connection: AsyncConnection, former: list[Signer]) -> None:
    """Removes the private halves of keys that have signed for the last time."""
    await sql.remove(connection, LOG_SECRETS, [(signer.verifier.public.hex(),) for signer in former])


async def _sealed(connection: AsyncConnection, use: Use) -> list[Any]:
    chosen = (
        select(LOG_SECRETS, KEYS.c.name)
        .join(KEYS, KEYS.c.key == LOG_SECRETS.c.key)
        .where(KEYS.c.use == use, KEYS.c.revoked_at.is_(None))
        .order_by(LOG_SECRETS.c.made_at, LOG_SECRETS.c.key)
    )
    return list((await connection.execute(chosen)).mappings())


async def _name(runtime: Runtime, connection: AsyncConnection, use: Use) -> str:
    """The name of the use: that of its first key, whatever the settings say later."""
    chosen = select(KEYS.c.name).where(KEYS.c.use == use).limit(1)
    known: str | None = (await connection.execute(chosen)).scalar()
    settings = runtime.settings
    address = urlsplit(settings.link(PATHS[use]))
    return known or (settings.log_origin if use == "log" else "") or f"{address.netloc}{address.path}"


async def _load(session: Session) -> None:
    if CHECKPOINTS not in session.streams:
        await session.load_head(CHECKPOINTS)
