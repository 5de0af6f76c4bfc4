"""The keys with which posts sign what they decide on statements.

The public halves are events, which every service reads that reads statements. The private halves are sealed under the
deployment's secret, in a table of publish's database that no event and no topic shows.
"""

from contextlib import suppress
from dataclasses import replace
from typing import Any

from sqlalchemy import Select, delete, select

from schemas.fields import Typed, instant
from schemas.operation import OperationPostKeyMade, OperationPostKeyRevoked
from services.kernel.access.signatures import sealed
from services.kernel.access.signing import SigningKey
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import NotFound
from services.kernel.core.units import PostKey
from services.kernel.delivery import operations
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving.commands import Answer, Caller, Prepare, transact
from services.kernel.store import sql
from services.kernel.store.session import Session
from services.publish.approving.signing import Signer, submitted
from services.publish.state import State
from services.publish.views import METADATA, POST_SECRETS

USE = "post-key"


def signing(runtime: Runtime, stream: str) -> Prepare:
    """What gives a decision on a statement the key of the actor's post.

    A post without a key gets one by its first decision. For the system signs the post that ordered the publication.
    """

    async def prepare(session: Session, ctx: Ctx) -> Ctx:
        found = session.streams[stream]
        state: State = found.state
        post = state.scheduled_post if ctx.actor.post == "system" else ctx.actor.post
        if not post:
            return ctx
        key = await _current(runtime, session, post)
        if key is None:
            key = SigningKey.new()
            await _add(runtime, session, ctx, post, key)
            keys = {**ctx.offices.post_keys, key.kid: PostKey(post, key.public_hex, ctx.now)}
            ctx = replace(ctx, offices=replace(ctx.offices, post_keys=keys))
        signer = Signer(key.kid, key.sign_detached, post, found.version + 1, await _salts(session, state))
        return replace(ctx, seen={**ctx.seen, "signer": signer})

    return prepare


async def create(runtime: Runtime, caller: Caller, post: str) -> str:
    """Makes a key for a post that has none. Returns the id of the key that signs. Raises `Malformed`."""
    return await _renew(runtime, caller, post, also=False)


async def rotate(runtime: Runtime, caller: Caller, post: str) -> str:
    """Makes a key that signs for a post from now on. What the former ones signed stays valid. Raises `Malformed`."""
    return await _renew(runtime, caller, post, also=True)


async def revoke(runtime: Runtime, caller: Caller, kid: str, reason: str, post: str | None = None) -> None:
    """Ends a key from now on. The post's next decision makes another one. A repetition changes nothing.

    Raises `NotFound`, also for a key of another post than the one that is named.
    """

    async def act(session: Session, ctx: Ctx) -> Answer:
        key = ctx.offices.post_keys.get(kid)
        if key is None or post not in (None, key.post):
            whose = f" of {post}" if post else " of a post"
            raise NotFound(f"there is no key {kid}{whose}; `huiying keys post list` shows all keys", what=kid)
        await _hold(session, key.post)
        if key.revoked_at is None:
            # Now that the post's decisions wait, it ends after all that it signed.
            ctx = replace(ctx, now=runtime.time_source.now())
            ended = OperationPostKeyRevoked(key=kid, reason=Typed(text=reason))
            await operations.record(session, ctx, sealed(ended, instant(ctx.now), runtime.keys.digest))
            await sql.remove(session.connection, POST_SECRETS, [(kid,)])
        return Answer({})

    await transact(runtime, caller, act)


async def every(runtime: Runtime) -> list[dict[str, Any]]:
    """Every key, oldest first: `kid`, `post`, `public`, `made_at`, `revoked_at`, and whether it `signs` now."""
    table, signs = METADATA.tables["post_keys"], dict[str, str]()
    async with runtime.database.read() as connection:
        for row in (await connection.execute(_sealed())).mappings():
            if row["post"] not in signs and _opened(runtime, row):
                signs[row["post"]] = row["kid"]
        chosen = select(table).where(table.c.public.is_not(None)).order_by(table.c.made_at, table.c.kid)
        rows = (await connection.execute(chosen)).mappings().all()
    names = ("kid", "post", "public", "made_at", "revoked_at")
    return [{name: row[name] for name in names} | {"signs": signs.get(row["post"]) == row["kid"]} for row in rows]


async def _renew(runtime: Runtime, caller: Caller, post: str, *, also: bool) -> str:
    """The id of the key that signs for the post afterwards: with `also`, always a new one."""

    async def act(session: Session, ctx: Ctx) -> Answer:
        ctx.offices.post(post)
        key = await _current(runtime, session, post)
        if key is None or also:
            key = SigningKey.new()
            await _add(runtime, session, ctx, post, key)
        return Answer({"kid": key.kid})

    return str((await transact(runtime, caller, act)).body["kid"])


async def _current(runtime: Runtime, session: Session, post: str) -> SigningKey | None:
    """The post's newest key that opens under the present secret. Nobody ends it before the transaction does."""
    await _hold(session, post)
    for row in (await session.connection.execute(_sealed().where(POST_SECRETS.c.post == post))).mappings():
        if key := _opened(runtime, row):
            return key
    return None


def _sealed() -> Select[Any]:
    """The private halves of keys that were not revoked, the newest first. A restored store may hold others."""
    public = METADATA.tables["post_keys"]
    chosen = select(POST_SECRETS).join(public, public.c.kid == POST_SECRETS.c.kid)
    return chosen.where(public.c.revoked_at.is_(None)).order_by(POST_SECRETS.c.made_at.desc(), POST_SECRETS.c.kid)


def _opened(runtime: Runtime, row: Any) -> SigningKey | None:
    with suppress(ValueError):
        return SigningKey.of(runtime.keys.open(USE, row["sealed"], row["kid"]))
    return None


async def _hold(session: Session, post: str) -> None:
    await sql.lock(session.connection, sql.Hold("post-key", [post]))


async def _add(runtime: Runtime, session: Session, ctx: Ctx, post: str, key: SigningKey) -> None:
    """The key signs from now on. The private halves of the former ones are not needed any more."""
    made = OperationPostKeyMade(key=key.kid, post=post, public=key.public_hex)
    await operations.record(session, ctx, sealed(made, instant(ctx.now), runtime.keys.digest))
    await session.connection.execute(delete(POST_SECRETS).where(POST_SECRETS.c.post == post))
    private = runtime.keys.seal(USE, key.raw, key.kid)
    row = {"kid": key.kid, "post": post, "made_at": instant(ctx.now), "sealed": private}
    await sql.insert(session.connection, POST_SECRETS, [row])


async def _salts(session: Session, state: State) -> dict[str, str]:
    contents = METADATA.tables["contents"]
    refs = [*(words.ref for words in submitted(state)), *(one.title.ref for one in state.files.all)]
    chosen = select(contents.c.ref, contents.c.salt).where(contents.c.ref.in_(refs))
    return {ref: bytes(salt).hex() for ref, salt in await session.connection.execute(chosen)}
