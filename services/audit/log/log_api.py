"""The log of all events as strangers check it: checkpoints, proofs, tiles and keys. They hold ids and digests alone.

The formats are those of C2SP: signed notes, `tlog-proof`, the body of `tlog-witness`, `tlog-tiles` below
`/audit/v1/log/`. Checkpoints, proofs and tiles of hashes are public. Entries name streams and times of everything that
the offices did, so they are for auditors at the root of the tree.
"""

import functools
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from services.audit.basis import must_have_regained
from services.audit.log import growing, keys, log_answers, proving, witnessing
from services.audit.rights import READ_LOG
from services.audit.views import CHECKPOINTS, TIMELINE
from services.kernel.core.problems import NotFound
from services.kernel.serving import documents, http
from services.kernel.serving.paging import Number
from services.kernel.tlog import Refused, tiles, tree
from services.kernel.tlog.leaf import leaf_of
from services.kernel.tlog.tiles import Tile
from services.kernel.tlog.witness import Request

TEXT, BYTES = "text/plain; charset=utf-8", "application/octet-stream"
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
SOON = {"Cache-Control": "no-cache"}
CHECKPOINT = {"text/plain": documents.text(log_answers.INCLUSION.partition("\n\n")[2])}
CONSISTENCY = {"text/plain": documents.text(log_answers.CONSISTENCY)}
INCLUSION = {"text/plain": documents.text(log_answers.INCLUSION)}
CONTENT = {BYTES: documents.text("\x00…")}
Id = Annotated[str, Query(description="The event's id.")]
Size = Annotated[
    Number | None, Query(description="The size of a signed checkpoint. By default the newest.", alias="size")
]
Rest = Annotated[str, Path(description="The number of the tile, as tlog-tiles writes it: `x001/234`, `005.p/17`.")]


@functools.cache
def router() -> APIRouter:
    """The paths of the log."""
    api = http.router("/audit/v1/log", "log_api")

    @api.get("/checkpoint", **documents.or_missing(documents.answers_content("The signed note.", CHECKPOINT)))
    async def read_checkpoint(runtime: http.Serving, size: Size = None) -> Response:
        """The newest signed checkpoint, or that of a size, with the cosignatures of witnesses (tlog-checkpoint)."""
        async with runtime.database.read() as connection:
            _, note = await proving.checkpoint(connection, size)
        return Response(note, media_type=TEXT, headers=SOON)

    @api.get("/proof/inclusion", **documents.or_missing(documents.answers_content("The proof.", INCLUSION)))
    async def prove_inclusion(runtime: http.Serving, event_id: Id, size: Size = None) -> Response:
        """The proof that an event stands in the log (tlog-proof). It is checked without this system, and offline."""
        async with runtime.database.read() as connection:
            proof, _, _ = await proving.inclusion(connection, event_id, size)
        name = {"Content-Disposition": f'attachment; filename="{event_id}.tlog-proof"'}
        return Response(proof.written, media_type=TEXT, headers=SOON | name)

    @api.get("/proof/inclusion.json", **documents.or_missing(documents.answers(log_answers.Inclusion)))
    async def read_inclusion(runtime: http.Serving, event_id: Id, size: Size = None) -> Response:
        """The same proof in parts, with the entry of the event."""
        async with runtime.database.read() as connection:
            proof, signed, event = await proving.inclusion(connection, event_id, size)
            root = await growing.root(connection, signed)
        leaf = leaf_of(event)
        told = {
            "event_id": event_id,
            "position": proof.position,
            "entry": leaf.entry.decode(),
            "leaf": leaf.hash.hex(),
            "path": [one.hex() for one in proof.path],
            "size": signed,
            "root": root.hex(),
            "checkpoint": proof.checkpoint.decode(),
        }
        return http.json_response(told, headers=SOON)

    @api.get("/proof/consistency", **documents.or_missing(documents.answers_content("The proof.", CONSISTENCY)))
    async def prove_consistency(
        runtime: http.Serving,
        old: Annotated[Number, Query(description="The smaller size, signed or not.")],
        size: Size = None,
    ) -> Response:
        """The proof that the log at a size begins with the log at a smaller one: the body of `add-checkpoint`."""
        async with runtime.database.read() as connection:
            signed, note = await proving.checkpoint(connection, size)
            if old > signed:
                raise NotFound(f"the log of size {old} is no beginning of the log of size {signed}", what=str(old))
            await must_have_regained(connection, signed)
            path = await growing.hashes(connection, tree.consistency(old, signed))
        return Response(Request(old, tuple(path), note).written, media_type=TEXT, headers=SOON)

    @api.get("/keys", **documents.answers(log_answers.LogKeys))
    async def list_keys_of_log(runtime: http.Serving) -> Response:
        """The public keys of the log with their times, that of the witness, and whose cosignatures it asks for."""
        async with runtime.database.read() as connection:
            rows = await keys.every(connection)
        names = ("vkey", "use", "made_at", "revoked_at")
        told = {
            "origin": next((row["name"] for row in rows if row["use"] == "log"), ""),
            "keys": [{name: row[name] for name in names} for row in rows],
            "witnesses": [witness.key.vkey for witness in witnessing.configured(runtime.settings)],
        }
        return http.json_response(told, headers=SOON)

    @api.get("/tile/entries/{number:path}", **documents.answers_content("The entries.", CONTENT))
    async def read_entries(runtime: http.Serving, staff: http.Staff, number: Rest) -> Response:
        """Up to 256 entries, each behind its length in two bytes (tlog-tiles). For auditors at the root of the tree."""
        async with runtime.database.read() as connection:
            READ_LOG.require_all(await runtime.context(connection, staff))
            tile = await _tile(connection, f"tile/entries/{number}")
            first = tile.number * tiles.TILE
            t = TIMELINE.c
            chosen = select(t.bytes).where(t.position >= first, t.position < first + tile.width).order_by(t.position)
            rows = (await connection.execute(chosen)).scalars().all()
        content = tiles.bundle(leaf_of(Event.parse(bytes_)).entry for bytes_ in rows)
        return Response(content, media_type=BYTES, headers={"Cache-Control": "private, max-age=31536000, immutable"})

    @api.get("/tile/{level}/{number:path}", **documents.answers_content("The hashes.", CONTENT))
    async def read_tile(
        runtime: http.Serving, level: Annotated[str, Path(description="The level, from 0 on.")], number: Rest
    ) -> Response:
        """Up to 256 hashes of the tree, one behind the other (tlog-tiles). From tiles a client makes its own proofs."""
        async with runtime.database.read() as connection:
            tile = await _tile(connection, f"tile/{level}/{number}")
            content = tile.content(await growing.rows(connection, tile.rows))
        return Response(content, media_type=BYTES, headers=FOREVER)

    return api


async def _tile(connection: AsyncConnection, path: str) -> Tile:
    """The tile of a path, if the signed log has it. Raises `NotFound`, or `Unavailable` while audit regains it."""
    signed = (
        await connection.execute(select(CHECKPOINTS.c.size).order_by(CHECKPOINTS.c.size.desc()).limit(1))
    ).scalar()
    try:
        tile = Tile.parse(path)
    except Refused:
        at = f"/audit/v1/log/{path}"
        raise NotFound(
            f"there is no path {at[:80]}; {http.DOCUMENTS} lists all paths",
            code="no-such-path",
            path=at[:80],
            documents=http.DOCUMENTS,
        ) from None
    if not tile.within(signed or 0):
        raise NotFound(f"the signed log has no {path[:80]!r}", what=path[:80])
    await must_have_regained(connection, signed)
    return tile
