"""A file that is added to a report, from the stored bytes to the event."""

from dataclasses import replace
from functools import partial

from pydantic import ValidationError

from services.ingest import evidence, redaction, seen
from services.ingest.commands import AttachEvidence
from services.ingest.evidence_files import blobs_of
from services.kernel.core.decider import Actor, Ctx
from services.kernel.core.problems import NotFound, Problem
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import commands, idempotency
from services.kernel.serving.commands import Answer, Caller
from services.kernel.serving.validation import malformed
from services.kernel.store.session import Session


async def add(
    runtime: Runtime, path: str, id: str, caller: Caller, upload: evidence.Upload, idempotency_key: str | None
) -> Answer:
    """Records on the report that the file belongs to it. The file is deleted only if this surely failed."""
    blob = upload.blob
    try:
        command = _evidence(upload)
        if text := idempotency.given(idempotency_key):
            what = (
                f"{blob.sha256} {upload.media_type} {upload.note or ''}{redaction.written(upload.redactions)}".encode()
            )
            caller = replace(caller, key=idempotency.Key(text, idempotency.digest_of("POST", path, what)))
        see = partial(seen.for_report, id)
        answer = await commands.execute(runtime, caller, id, command, see=see, status=201)
    except Problem as problem:
        if problem.status < 500:
            blobs_of(runtime).delete([blob.file])
        raise
    if not answer.events:
        blobs_of(runtime).delete([blob.file])
    return answer


async def may_add(runtime: Runtime, id: str, actor: Actor) -> None:
    """Raises `NotFound` or `Forbidden` if the caller may not add evidence to a report."""

    async def act(session: Session, ctx: Ctx) -> Answer:
        await session.load([id])
        if session.streams[id].version == 0:
            raise NotFound(f"there is no {id}", what=id)
        known = commands.with_seen(ctx, await seen.for_report(id, session.connection, None))
        session.authorize(id, AttachEvidence(file="new", media_type="image/jpeg", size=0, sha256="0" * 64), known)
        return Answer({})

    await commands.transact(runtime, Caller(actor=actor), act)


def _evidence(upload: evidence.Upload) -> AttachEvidence:
    try:
        return AttachEvidence(
            file=upload.blob.file,
            media_type=upload.media_type,
            size=upload.blob.size,
            sha256=upload.blob.sha256,
            note=upload.note,
            covered=redaction.counted(upload.redactions) or None,
        )
    except ValidationError as error:
        raise malformed(error) from None
