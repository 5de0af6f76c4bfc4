"""Files of statements over HTTP, for staff."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import ValidationError

from services.kernel.core.decider import Actor
from services.kernel.core.problems import NotFound, Problem
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import commands as kernel
from services.kernel.serving import documents, http, idempotency
from services.kernel.serving.answers import Done
from services.kernel.serving.commands import Answer, Caller
from services.kernel.serving.validation import malformed
from services.kernel.tasks import to_the_end
from services.kernel.uploads import pictures
from services.kernel.uploads.blobs import Blob
from services.kernel.uploads.documents import TYPE
from services.kernel.uploads.pictures import Area
from services.publish import seen
from services.publish.attaching import attaching, files, queries
from services.publish.attaching.commands import AttachFile, Covered, CoverPersons, DetachFile
from services.publish.state import State

Id = Annotated[str, Depends(http.stream_id("statement"))]
File = Annotated[str, Path(description="The file's name in the statement's `files`.", max_length=128)]
Known = Callable[[Runtime, str, Actor], Awaitable[Collection[str] | None]]
KEPT = {kind: {"schema": {"type": "string", "format": "binary"}, "example": "…"} for kind in (TYPE, *pictures.TYPES)}
FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "title"],
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "A PDF, or a picture as JPEG, PNG or WebP.",
                        },
                        "title": {"type": "string", "description": "What it shows; it goes public with the file."},
                        "persons": {
                            "type": "string",
                            "enum": ["none", "to_cover"],
                            "description": "Of a picture: whether nobody in it can be recognised, or somebody can be. "
                            "Then it goes public only when these persons are covered.",
                        },
                    },
                },
                "example": {"file": "…", "title": "修复后的路灯", "persons": "none"},
            }
        },
    }
}


def add_routes(api: APIRouter, known: Known) -> None:
    """The files of statements. `known` says which of a statement the caller may read; None without the statement."""

    async def upload(
        request: Request, actor: http.Staff, if_match: http.IfMatch = None, huiying_after: http.After = None
    ) -> Caller:
        """The caller of an upload. The body is read once, as a file, so its key comes later."""
        return await http.conditions(request, actor, if_match, None, huiying_after)

    @api.post("/statements/{id}/files", openapi_extra=FORM, **documents.answers(Done, 201))
    async def attach_file(
        runtime: http.Serving,
        request: Request,
        id: Id,
        caller: Annotated[Caller, Depends(upload)],
        idempotency_key: http.IdempotencyKey = None,
    ) -> Response:
        """Puts a document or a picture to a draft, or to a published statement for a correction that is to come.

        Only what they show is kept: a picture is drawn anew, a document written anew, without author, times, comments,
        scripts and embedded files. A locked or signed document and a form get 422, and so does a document in which
        personal numbers are found. All approvals of a draft are void.
        """
        taken = await files.take(request, runtime)
        blob = taken.blob
        try:
            command = _attach(taken)
            if text := idempotency.given(idempotency_key):
                what = f"{blob.sha256} {command.title} {command.persons or ''}".encode()
                digest = idempotency.digest_of("POST", request.scope["path"], what, caller.version)
                caller = replace(caller, key=idempotency.Key(text, digest))
        except Problem:
            files.blobs_of(runtime).delete([blob.file])
            raise
        return http.reply(await to_the_end(_recorded(runtime, caller, id, command, blob, 201)))

    @api.get("/statements/{id}/files/{file}", **documents.answers_content("The file, as it is stored.", KEPT))
    async def read_file(runtime: http.Serving, id: Id, file: File, staff: http.Staff) -> Response:
        """A file of a statement, to save, not to show in the page."""
        names = await known(runtime, id, staff)
        if names is None:
            raise NotFound(f"there is no {id} that you may read", what=id)
        async with runtime.database.read() as connection:
            row = await queries.file_of(connection, id, file) if file in names else None
        if row is None:
            raise NotFound(f"{id} has no file {file[:60]!r}", what=file[:60])
        headers = {"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"}
        return await files.sent(runtime, row, headers)

    @api.post("/statements/{id}/cover-persons", **documents.answers(Done))
    async def cover_persons(runtime: http.Serving, id: Id, command: CoverPersons, caller: http.Command) -> Response:
        """Draws black over areas of a picture, so that nobody in it can be recognised. What was below is deleted."""
        return http.reply(await to_the_end(_cover(runtime, id, command, caller)))

    @api.post("/statements/{id}/detach-file", **documents.answers(Done))
    async def detach_file(runtime: http.Serving, id: Id, command: DetachFile, caller: http.Command) -> Response:
        """Takes a file away that was never in public, and deletes it."""
        return http.reply(await to_the_end(_detach(runtime, id, command, caller)))


async def _recorded(
    runtime: Runtime, caller: Caller, id_: str, command: AttachFile | Covered, blob: Blob, status: int = 200
) -> Answer:
    """Records that the statement has the file. The bytes are deleted only if this surely failed."""
    try:
        see = partial(seen.for_statement, id_)
        answer = await kernel.execute(runtime, caller, id_, command, staff=True, see=see, status=status)
    except Problem as problem:
        if problem.status < 500:
            files.blobs_of(runtime).delete([blob.file])
        raise
    if not answer.events:
        files.blobs_of(runtime).delete([blob.file])
    return answer


async def _cover(runtime: Runtime, id_: str, command: CoverPersons, caller: Caller) -> Answer:
    """Draws the picture anew before the transaction, which decides whether that counts."""
    row = await _judged(runtime, id_, command, caller)
    areas = [Area(one.left, one.top, one.width, one.height) for one in command.areas]
    try:
        blob = await files.covered(runtime, row["stored"], row["media_type"], areas)
    except FileNotFoundError:
        raise files.missing(row["file"]) from None
    told = Covered(file=row["file"], stored=blob.file, size=blob.size, sha256=blob.sha256, areas=len(areas))
    answer = await _recorded(runtime, caller, id_, told, blob)
    if answer.events:
        files.blobs_of(runtime).delete([row["stored"]])
    return answer


async def _judged(runtime: Runtime, id_: str, command: CoverPersons, caller: Caller) -> dict[str, Any]:
    """The row of the picture, if the caller may cover persons in it. Nothing is drawn for others."""

    async def act(session: Any, ctx: Any) -> Answer:
        await session.load([id_])
        if session.streams[id_].version == 0:
            raise NotFound(f"there is no {id_}", what=id_)
        state: State = session.streams[id_].state
        ctx = kernel.with_seen(ctx, await seen.for_statement(id_, session.connection, state))
        trial = Covered(file=command.file, stored=command.file, size=0, sha256="0" * 64, areas=1)
        session.authorize(id_, trial, ctx)
        attaching.may_be_covered(state.files, command.file)
        return Answer({"row": await queries.file_of(session.connection, id_, command.file)})

    answer = await kernel.transact(runtime, replace(caller, key=None), act)
    row: dict[str, Any] | None = answer.body["row"]
    if row is None:
        raise NotFound(f"{id_} has no file {command.file[:60]!r}", what=command.file[:60])
    return row


async def _detach(runtime: Runtime, id_: str, command: DetachFile, caller: Caller) -> Answer:
    async with runtime.database.read() as connection:
        row = await queries.file_of(connection, id_, command.file)
    see = partial(seen.for_statement, id_)
    answer = await kernel.execute(runtime, caller, id_, command, staff=True, see=see)
    if row is not None and answer.events:
        files.blobs_of(runtime).delete([row["stored"]])
    return answer


def _attach(taken: files.Upload) -> AttachFile:
    blob = taken.blob
    told = {"file": blob.file, "media_type": taken.media_type, "size": blob.size, "sha256": blob.sha256}
    try:
        return AttachFile.model_validate({**told, "pages": taken.pages, **taken.fields})
    except ValidationError as error:
        raise malformed(error) from None
