"""Archives over HTTP: a matter that has ended is sealed, its archive is consulted, its masked record goes outside."""

import asyncio
import functools
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NamedTuple

from fastapi import APIRouter, Depends, Response
from fastapi.responses import StreamingResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from schemas.fields import Fact, Typed
from schemas.operation import OperationArchiveRead, OperationArchiveSealed, OperationTimelineExported
from services.audit import queries
from services.audit.archive import building, index, parts
from services.audit.archive.answers import Archives, Sealed
from services.audit.archive.building import Row
from services.audit.archive.commands import ConsultArchive, ExportTimeline, SealArchive
from services.audit.archive.index import Index, Line
from services.audit.naming import names_of
from services.audit.rights import EXPORT_TIMELINE, READ_ARCHIVE, SEAL_ARCHIVE
from services.audit.summaries import Names, summary
from services.kernel.access.rights import Read
from services.kernel.core.decider import Actor, Ctx
from services.kernel.core.problems import NotFound, Rejected
from services.kernel.delivery import operations
from services.kernel.delivery.runtime import Runtime
from services.kernel.sealed import archive, zipped
from services.kernel.serving import documents, http
from services.kernel.serving.commands import Answer, Caller, transact
from services.kernel.store.session import Session

ENDED = ("huiying.incident.closed.", "huiying.incident.dismissed.", "huiying.incident.merged.")
WITHHELD = ("report", "post", "operation", "words")
"""Streams of which the masked record shows no content: reports are those of citizens."""
ZIP, NDJSON = "application/zip", "application/x-ndjson"
Id = Annotated[str, Depends(http.stream_id("incident"))]


class Built(NamedTuple):
    """An archive before its seal."""

    core: building.Core
    size: int
    missing: tuple[str, ...]


@functools.cache
def router() -> APIRouter:
    """The paths of archives."""
    routes = http.router("/audit/v1", "audit")

    @routes.post("/incidents/{id}/archive", **documents.answers(Sealed, 201))
    async def seal_archive(runtime: http.Serving, id: Id, staff: http.Staff, body: SealArchive) -> Response:
        """Seals the file of a matter that has ended: its record with proofs, its words, its files, an index.

        Each part of the pack's list of which the record has nothing needs a reason. A later seal takes nothing back.
        """
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            await _must_reach(connection, ctx, id, SEAL_ARCHIVE)
            built = await _built(runtime, connection, ctx, id, body)
        _keep(_folder(runtime) / f"{built.core.digest}.zip", built.core.content)
        reasons = "\n".join(f"{parts.TITLES.get(part, part)}：{body.reasons[part]}" for part in built.missing)
        fact = OperationArchiveSealed(
            record=id,
            sha256=built.core.digest,
            log_size=built.size,
            missing=built.missing,
            reasons=Typed(text=reasons) if reasons else None,
        )
        event = await _record(runtime, staff, fact)
        return http.json_response(_told(event), status=201)

    @routes.get("/incidents/{id}/archives", **documents.answers(Archives))
    async def list_archives(runtime: http.Serving, id: Id, staff: http.Staff) -> Response:
        """The sealed archives of a matter."""
        async with runtime.database.read() as connection:
            await _must_reach(connection, await runtime.context(connection, staff), id, READ_ARCHIVE)
            found = await building.seals(connection, id)
        return http.json_response({"items": [_told(event) for event in found]})

    content = {ZIP: documents.text("PK…")}

    @routes.post("/incidents/{id}/archive/consultation", **documents.answers_content("The archive.", content))
    async def consult_archive(runtime: http.Serving, id: Id, staff: http.Staff, body: ConsultArchive) -> Response:
        """The newest archive of a matter, as a ZIP that `huiying verify archive` checks. Each consultation is an event.

        What was erased since is not in it any more; the erasures with their proofs are.
        """
        async with runtime.database.read() as connection:
            await _must_reach(connection, await runtime.context(connection, staff), id, READ_ARCHIVE)
            found = await building.seals(connection, id)
            if not found:
                raise Rejected(f"the file of {id} was never sealed; seal it first", code="archive-not-sealed")
            told = found[-1].attributes["data"]
            file = await _assembled(runtime, connection, id, found[-1])
        try:
            fact = OperationArchiveRead(record=id, sha256=told["sha256"], purpose=Typed(text=body.purpose))
            await _record(runtime, staff, fact)
        except BaseException:
            file.close()
            raise
        headers = {"Content-Disposition": f'attachment; filename="{told["sha256"][:16]}.zip"'}
        return StreamingResponse(_stream(file), media_type=ZIP, headers=headers)

    @routes.post(
        "/incidents/{id}/timeline/export",
        **documents.answers_content("The masked record.", {NDJSON: documents.text('{"matter":1,…}')}),
    )
    async def export_timeline(runtime: http.Serving, id: Id, staff: http.Staff, body: ExportTimeline) -> Response:
        """The record of a matter with proofs, for an office or body outside or the public. `huiying verify matter`
        checks it.

        It holds no word that anybody typed. Of the events of reports it shows that they are there, and nothing else.
        """
        async with runtime.database.read() as connection:
            await _must_reach(connection, await runtime.context(connection, staff), id, EXPORT_TIMELINE)
            checkpoint = await building.signed(connection)
            rows = await building.rows(connection, id, checkpoint.size)
            if not rows:
                raise building.not_signed()
            content = await building.record_of(connection, rows, checkpoint, WITHHELD)
        fact = OperationTimelineExported(
            record=id,
            addressee=body.addressee,
            purpose=Typed(text=body.purpose),
            sha256=hashlib.sha256(content).hexdigest(),
            log_size=checkpoint.size,
        )
        await _record(runtime, staff, fact)
        headers = {"Content-Disposition": 'attachment; filename="record.ndjson"'}
        return Response(content, media_type=NDJSON, headers=headers)

    return routes


async def _must_reach(connection: AsyncConnection, ctx: Ctx, incident: str, right: Read) -> None:
    """Raises `NotFound` or `Forbidden` unless the actor's unit has a part in the matter, not only had one."""
    if not await queries.knows(connection, incident):
        raise NotFound(f"there is no incident {incident[:60]!r}", what=incident[:60])
    if right.units(ctx) is None:
        return
    known = await queries.standings(connection, incident)
    reading = right.of_matter(known, incident, ctx)
    if reading is None or reading.until is not None:
        raise right.refused(known[incident].accountable if incident in known else None, ctx)


async def _built(runtime: Runtime, connection: AsyncConnection, ctx: Ctx, incident: str, body: SealArchive) -> Built:
    newest, _ = await queries.head(connection)
    known = await building.rows(connection, incident, newest)
    own = [row.event for row in known if row.event.stream == incident]
    if not any(event.type.startswith(ENDED) for event in own):
        raise Rejected(f"{incident} goes on; its file is sealed when it has ended", code="archive-not-ended")
    checkpoint = await building.signed(connection)
    rows = await building.rows(connection, incident, checkpoint.size)
    if len(rows) < len(known):
        raise building.not_signed()
    named = building.named_in(rows)
    words = await building.words_of(connection, named)
    here = building.files_of(runtime.settings.data, named)
    files = await asyncio.to_thread(building.unaltered, here, named)
    away = sorted(token for token in named.files if token not in files and token not in named.erased)
    wanted = _parts_of(ctx, own)
    missing = parts.lacking((row.event for row in rows), wanted)
    parts.must_have_reasons(missing, body.reasons)
    number = await queries.number(connection, incident, checkpoint.size) or incident
    said = await names_of(runtime, connection, checkpoint.size, "zh")
    lines = [_line(row, said, files) for row in rows]
    told = Index(number, _unit(own), lines, {part: body.reasons[part] for part in missing}, away, ctx.offices.zone)
    fixed = {
        archive.RECORD: await building.record_of(connection, rows, checkpoint),
        "data/index.html": index.html(told),
        "data/index.txt": index.text(told),
        "data/parts.json": building.parts_file(wanted, told.missing, away),
    }
    apart = {f"{archive.WORDS}{ref}.txt": content for ref, content in words.items()}
    digests = {f"{archive.FILES}{token}": named.files[token] for token in files}
    base = number.lower() if zipped.is_name(number.lower()) else incident
    return Built(building.core(base, fixed, apart, digests), checkpoint.size, missing)


def _parts_of(ctx: Ctx, own: list[Event]) -> tuple[str, ...]:
    """The parts of the file by the pack of the matter."""
    packs = ctx.offices.packs
    pack = next((packs[one.policy] for one in reversed(own) if one.policy and one.policy in packs), None)
    listed = pack.model.archive if pack else None
    return tuple(part.code for part in listed.parts) if listed else tuple(parts.TITLES)


def _unit(own: list[Event]) -> str:
    return next((event.unit for event in reversed(own) if event.unit), "-")


def _line(row: Row, names: Names, files: dict[str, Path]) -> Line:
    named = building.named_in([row])
    links = [(f"文字 {ref[-12:]}", f"words/{ref}.txt") for ref in named.words]
    links += [(f"文件 {token[:12]}", f"files/{token}") for token in named.files if token in files]
    event = row.event
    return Line(event.time, summary(event, names), parts.part_of(event), tuple(links))


async def _assembled(runtime: Runtime, connection: AsyncConnection, incident: str, event: Event) -> BinaryIO:
    """The archive as a temporary file, which goes when it is closed."""
    checkpoint = await building.signed(connection)
    seal = await building.placed(connection, event, checkpoint)
    told = event.attributes["data"]
    path = _folder(runtime) / f"{told['sha256']}.zip"
    try:
        fixed = path.read_bytes()
    except FileNotFoundError:
        lost = f"{path.name} is not in the folder of archives; seal the file anew"
        raise Rejected(lost, code="archive-not-sealed") from None
    base, listed = building.listed_in(fixed)
    rows = await building.rows(connection, incident, told["log_size"])
    named = building.named_in(rows)
    words = await building.words_of(connection, named)
    places = {ref: f"{archive.WORDS}{ref}.txt" for ref in named.words}
    more = {place: words[ref] for ref, place in places.items() if place in listed and ref in words}
    found = building.files_of(runtime.settings.data, named)
    files = {f"{archive.FILES}{token}": file for token, file in found.items() if f"{archive.FILES}{token}" in listed}
    lacking = {one.rpartition("/")[2] for one in listed if one.startswith(archive.FILES) and one not in files}
    lacking |= {ref for ref in named.words if ref not in words}
    more |= await building.proving(connection, seal, checkpoint, told["log_size"])
    more |= await building.gone(connection, lacking - named.erased, checkpoint)
    file = tempfile.TemporaryFile()  # noqa: SIM115, the answer closes it
    await asyncio.to_thread(zipped.write, file, building.whole(base, fixed, more, files))
    file.seek(0)
    return file


async def _stream(file: BinaryIO) -> AsyncIterator[bytes]:
    with file:
        while piece := file.read(zipped.PIECE):
            yield piece


async def _record(runtime: Runtime, staff: Actor, fact: Fact) -> Event:
    """Records what was done with a package."""

    async def act(session: Session, ctx: Ctx) -> Answer:
        event = await operations.record(session, ctx, fact)
        return Answer({"event": event.bytes.decode()})

    answer = await transact(runtime, Caller(actor=staff), act)
    return Event.parse(answer.body["event"].encode())


def _told(event: Event) -> dict[str, Any]:
    data = event.attributes["data"]
    named = {name: data[name] for name in ("sha256", "log_size")}
    by = {"sealed_at": event.time_text, "by": event.actor, "unit": event.unit}
    return {"incident_id": data["record"], **named, "missing": data.get("missing", []), **by}


def _folder(runtime: Runtime) -> Path:
    return runtime.settings.data / "archives"


def _keep(path: Path, content: bytes) -> None:
    """Makes a file durable. It has its content's name, so writing it again changes nothing."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
