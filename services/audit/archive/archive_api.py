"""Archives over HTTP: a matter that has ended is sealed, its archive is consulted, its masked record goes outside."""

import asyncio
import functools
import hashlib
import io
import os
import tempfile
from collections.abc import Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NamedTuple

from fastapi import APIRouter, Depends, Response

from schemas.envelope import Event
from schemas.fields import Fact, Typed
from schemas.operation import OperationArchiveRead, OperationArchiveSealed, OperationTimelineExported
from services.audit import queries
from services.audit.archive import building, first_day, index, parts
from services.audit.archive.answers import Archives, Sealed
from services.audit.archive.building import Row, Signed
from services.audit.archive.commands import ConsultArchive, ExportTimeline, SealArchive
from services.audit.archive.index import Index, Line, Outside
from services.audit.archive.parts import OTHER
from services.audit.archive.retention import Kept, kept
from services.audit.archive.shown import is_shown
from services.audit.archive.told import is_told
from services.audit.basis import must_have_regained
from services.audit.matters.marks import marks_of, matter
from services.audit.naming import names_of
from services.audit.reach import must_reach
from services.audit.review import filed
from services.audit.rights import EXPORT_TIMELINE, READ_ARCHIVE, SEAL_ARCHIVE, standing_after
from services.audit.summaries import Names, summary
from services.audit.views import METADATA
from services.kernel.core.decider import Actor, Ctx
from services.kernel.core.problems import Problem, Rejected
from services.kernel.core.units import LoadedPack
from services.kernel.delivery import operations
from services.kernel.delivery.runtime import Runtime
from services.kernel.sealed import archive, zipped
from services.kernel.sealed.archive import Unsealed
from services.kernel.sealed.first_day import PAGE
from services.kernel.sealed.trust import Trust
from services.kernel.serving import documents, http
from services.kernel.serving.commands import Answer, Caller, transact
from services.kernel.serving.streams import Streamed
from services.kernel.store.session import Session
from services.kernel.store.words import resolve
from services.kernel.tlog import Refused

ENDED = ("closed", "dismissed", "merged")
"""The states in which a matter can be sealed."""
ZIP, NDJSON = "application/zip", "application/x-ndjson"
Id = Annotated[str, Depends(http.stream_id("incident"))]


class Built(NamedTuple):
    """An archive before its seal."""

    core: building.Core
    size: int
    missing: tuple[str, ...]
    kept: Kept | None


@functools.cache
def router() -> APIRouter:
    """The paths of archives."""
    routes = http.router("/audit/v1", "audit")

    @routes.post("/incidents/{id}/archive", **documents.answers(Sealed, 201))
    async def seal_archive(runtime: http.Serving, id: Id, staff: http.Staff, body: SealArchive) -> Response:
        """Seals the file of a matter that has ended: its record with proofs, its words, its files, an index.

        Each part of the pack's list of which the record has nothing needs a reason. A later seal takes nothing back.
        Whether it has ended is what audit has taken in by then; the list of archives tells what came to light later.
        """
        async with runtime.database.read() as connection:
            await must_have_regained(connection)
            ctx = await runtime.context(connection, staff)
            await must_reach(connection, ctx, id, SEAL_ARCHIVE)
        built = await _built(runtime, ctx, id, body)
        path = _folder(runtime) / f"{built.core.digest}.zip"
        is_new = not path.exists()
        await asyncio.to_thread(_keep, path, built.core.content)
        reasons = "\n".join(f"{parts.TITLES.get(part, part)}：{body.reasons[part]}" for part in built.missing)
        fact = OperationArchiveSealed(
            record=id,
            sha256=built.core.digest,
            log_size=built.size,
            missing=built.missing,
            reasons=Typed(text=reasons) if reasons else None,
            kept_until=built.kept.until if built.kept else None,
            kept_by=built.kept.by if built.kept else None,
        )
        try:
            event = await _record(runtime, staff, fact, ends=id)
        except Problem:
            # Nothing was recorded, so no file of it stays.
            if is_new:
                path.unlink(missing_ok=True)
            raise
        return http.json_response(_told(event), status=201)

    @routes.get("/incidents/{id}/archives", **documents.answers(Archives))
    async def list_archives(runtime: http.Serving, id: Id, staff: http.Staff) -> Response:
        """The sealed archives of a matter, who got one or the masked record, what the caller may do, and which parts of
        a file the record lacks now. Consultations are told to units above the reader's and to auditors of the root, as
        readings are, and everybody is told of their own post's.
        """
        async with runtime.database.read() as connection:
            await must_have_regained(connection)
            ctx = await runtime.context(connection, staff)
            await must_reach(connection, ctx, id, READ_ARCHIVE)
            found = await building.packages(connection, id, OperationArchiveSealed)
            told = await building.packages(connection, id, OperationArchiveRead, OperationTimelineExported)
            given = [event for event in told if is_told(event, ctx)]
            purposes = await resolve(connection, METADATA, [event.words.get("purpose") for event in given])
            newest, _ = await queries.head(connection)
            own = await building.own(connection, id, newest)
            then = {seal.id: await building.own(connection, id, seal.attributes["data"]["log_size"]) for seal in found}
            lacking = await building.lacking(connection, id, newest, _parts_of(ctx, own))
        possible = {SEAL_ARCHIVE: _has_ended(own), READ_ARCHIVE: bool(found), EXPORT_TIMELINE: True}
        body = {
            "items": [_told(seal, ended=_had_ended(own, then[seal.id], seal)) for seal in found],
            "given": [_given(event) | {"purpose": purposes(event.words.get("purpose"))} for event in given],
            "lacking": lacking,
            "may": [
                right.act for right, is_so in possible.items() if is_so and not ctx.actor.roles.isdisjoint(right.roles)
            ],
        }
        return http.json_response(body)

    content = {ZIP: documents.text("PK…")}

    @routes.post("/incidents/{id}/archive/consultation", **documents.answers_content("The archive.", content))
    async def consult_archive(runtime: http.Serving, id: Id, staff: http.Staff, body: ConsultArchive) -> Response:
        """The newest archive of a matter, as a ZIP that `huiying verify archive` checks. Each consultation is an event.

        What was erased since is not in it any more; the erasures with their proofs are.
        """
        async with runtime.database.read() as connection:
            await must_have_regained(connection)
            await must_reach(connection, await runtime.context(connection, staff), id, READ_ARCHIVE)
            found = await building.packages(connection, id, OperationArchiveSealed)
            if not found:
                raise Rejected(f"the file of {id} was never sealed; seal it first", code="archive-not-sealed")
            checkpoint, trust = await building.believed(connection)
            seal = await building.placed(connection, found[-1], checkpoint)
        told = seal.event.attributes["data"]
        file = await _assembled(runtime, seal, checkpoint)
        try:
            await asyncio.to_thread(_must_be_proven, file, trust)
            fact = OperationArchiveRead(record=id, sha256=told["sha256"], purpose=Typed(text=body.purpose))
            await _record(runtime, staff, fact)
        except BaseException:
            file.close()
            raise
        headers = {"Content-Disposition": f'attachment; filename="{told["sha256"][:16]}.zip"'}
        pieces = iter(functools.partial(file.read, zipped.PIECE), b"")
        return Streamed(pieces, close=file.close, media_type=ZIP, headers=headers)

    @routes.post(
        "/incidents/{id}/timeline/export",
        **documents.answers_content("The masked record.", {NDJSON: documents.text('{"matter":1,…}'), **content}),
    )
    async def export_timeline(runtime: http.Serving, id: Id, staff: http.Staff, body: ExportTimeline) -> Response:
        """The record of a matter with proofs, for an office or body outside or the public. `huiying verify matter`
        checks it.

        Published statements stand in it as they were published; it holds no other word that anybody typed. Of the
        events of reports, and of what nobody decided to show, it shows that they are there, and nothing else.
        """
        async with runtime.database.read() as connection:
            await must_have_regained(connection)
            await must_reach(connection, await runtime.context(connection, staff), id, EXPORT_TIMELINE)
            checkpoint, trust = await building.believed(connection)
            ctx = await runtime.context(connection, staff)
            number = await queries.number(connection, id, checkpoint.size) or id
            said = await names_of(runtime, connection, checkpoint.size, "zh")
        rows = await building.rows(runtime.database, id, checkpoint.size)
        if not rows:
            raise building.not_signed()
        content = await building.record_of(runtime.database, rows, checkpoint, is_shown)
        await asyncio.to_thread(building.must_prove, content, trust)
        fact = OperationTimelineExported(
            record=id,
            addressee=body.addressee,
            purpose=Typed(text=body.purpose),
            sha256=hashlib.sha256(content).hexdigest(),
            log_size=checkpoint.size,
        )
        await _record(runtime, staff, fact)
        if not body.package:
            headers = {"Content-Disposition": 'attachment; filename="record.ndjson"'}
            return Response(content, media_type=NDJSON, headers=headers)
        told = await asyncio.to_thread(_outside, rows, number, said, checkpoint, fact.sha256, ctx.offices.zone)
        base = number.lower() if zipped.is_name(number.lower()) else id
        file = io.BytesIO()
        zipped.write(file, [zipped.entry(f"{base}/index.html", told), zipped.entry(f"{base}/record.ndjson", content)])
        headers = {"Content-Disposition": 'attachment; filename="record.zip"'}
        return Response(file.getvalue(), media_type=ZIP, headers=headers)

    return routes


async def _built(runtime: Runtime, ctx: Ctx, incident: str, body: SealArchive) -> Built:
    database = runtime.database
    async with database.read() as connection:
        newest, _ = await queries.head(connection)
        own = await building.own(connection, incident, newest)
        _must_have_ended(incident, own)
        checkpoint, trust = await building.believed(connection)
        number = await queries.number(connection, incident, checkpoint.size) or incident
        said = await names_of(runtime, connection, checkpoint.size, "zh")
    rows = await building.rows(database, incident, newest)
    if rows and rows[-1].position >= checkpoint.size:
        raise building.not_signed()
    named = building.named_in(rows)
    words = await building.words_of(database, named)
    here = building.files_of(runtime.settings.data, named)
    files = await asyncio.to_thread(building.unaltered, here, named)
    away = sorted(token for token in named.files if token not in files and token not in named.erased)
    wanted = _parts_of(ctx, own)
    missing = parts.lacking((row.event for row in rows), wanted)
    parts.must_have_reasons(missing, body.reasons)
    async with database.read() as connection:
        reviewed = await filed.pages(runtime, connection, incident, checkpoint.size)
        lacking = {ref for ref in named.words if ref not in words}
        gone = await building.gone(connection, lacking - named.erased, checkpoint)
        family = await queries.family(connection, incident, checkpoint.size, None)
        left = await queries.gone(connection, family, queries.Axes(checkpoint.size))
    record = await building.record_of(database, rows, checkpoint)
    kept_ = kept(own, _pack_of(ctx, own))
    packs, sudden = ctx.offices.packs, first_day.sudden(own, ctx.offices.packs)
    reasons = {part: body.reasons[part] for part in missing}

    def core() -> building.Core:
        """In a thread: a matter may have tens of thousands of events."""
        lines = [_line(row, said, files) for row in rows]
        reviews = tuple(path.removeprefix("data/") for path in reviewed)
        is_drill = any(event.drill for event in own)
        told = Index(
            number, _unit(own, said), lines, reasons, away, said.offices.zone, reviews, drill=is_drill, kept=kept_
        )
        apart = {f"{archive.WORDS}{ref}.txt": content for ref, content in words.items()}
        tokens = {f"{archive.FILES}{token}": token for token in files}
        day = dict[str, bytes]()
        if sudden is not None:
            told = told._replace(first_day=first_day.place(PAGE))
            evidence = first_day.Evidence(
                frozenset([*apart, *tokens]), frozenset(here) - files.keys(), building.erasures(rows, gone)
            )
            within = first_day.window(rows, own, left, sudden)
            day = first_day.files(rows, within, evidence, told, said, packs)
        fixed = {
            archive.RECORD: record,
            "data/index.html": index.html(told),
            "data/index.txt": index.text(told),
            "data/parts.json": building.parts_file(wanted, reasons, away, sudden),
            **reviewed,
            **day,
        }
        base = number.lower() if zipped.is_name(number.lower()) else incident
        digests = {path: named.files[token] for path, token in tokens.items()}
        made = building.core(base, fixed, apart, digests, kept_)
        seal = Unsealed(incident, made.digest, checkpoint.size)
        with tempfile.TemporaryFile() as file:
            placed = {path: files[token] for path, token in tokens.items()}
            building.must_hold(file, building.whole(base, made.content, apart | gone, placed), trust, seal, checkpoint)
        return made

    with building.fitting():
        made = await asyncio.to_thread(core)
    return Built(made, checkpoint.size, missing, kept_)


def _outside(rows: Sequence[Row], number: str, said: Names, checkpoint: Signed, sha256: str, zone: tzinfo) -> bytes:
    """The index of a masked record."""
    lines: list[Line] = []
    texts: dict[int, tuple[str, str]] = {}
    for row in building.without_gaps(rows, is_shown):
        event, data = row.event, row.event.attributes["data"]
        if is_shown(event):
            if event.kind == "statement" and isinstance(data.get("text"), str):
                texts[len(lines)] = (str(data.get("title", "")), data["text"])
            lines.append(Line(event.time, summary(event, said), OTHER, ()))
        else:
            # Of these, the record shows when they were recorded and nothing else.
            what = "有一条反映，内容不对外提供" if event.kind == "report" else "有一条记录，内容不对外提供"
            lines.append(Line(event.recorded, what, OTHER, ()))
    events = [row.event for row in rows]
    own = [event for event in events if event.kind == "incident"]
    is_drill = any(event.drill for event in own)
    return index.outside(Outside(number, _unit(own, said), lines, texts, checkpoint.size, sha256, zone, drill=is_drill))


def _has_ended(own: list[Event]) -> bool:
    """Whether the matter is over after these events, and was not reopened."""
    newest = {mark.kind: mark.value for event in own for mark in marks_of(event)}
    return matter(newest).state in ENDED


def _had_ended(own: list[Event], then: list[Event], seal: Event) -> bool:
    """Whether the matter was over when it was sealed. Another service may have reopened it, and audit heard later.

    What the seal covers counts by its place, since the clocks of services differ a little.
    """
    covered = {event.id for event in then}
    return _has_ended([one for one in own if one.id in covered or one.recorded_text <= seal.recorded_text])


def _must_have_ended(incident: str, own: list[Event]) -> None:
    if not _has_ended(own):
        raise Rejected(f"{incident} goes on; its file is sealed when it has ended", code="archive-not-ended")


def _pack_of(ctx: Ctx, own: list[Event]) -> LoadedPack | None:
    """The pack of the matter, with the values that its unit set."""
    packs = ctx.offices.packs
    pack = next((packs[one.policy] for one in reversed(own) if one.policy and one.policy in packs), None)
    unit = standing_after(own).accountable
    return ctx.offices.effective(pack, unit) if pack and unit and unit in ctx.offices.units else pack


def _parts_of(ctx: Ctx, own: list[Event]) -> tuple[str, ...]:
    """The parts of the file by the pack of the matter."""
    pack = _pack_of(ctx, own)
    listed = pack.model.archive if pack else None
    return tuple(part.code for part in listed.parts) if listed else tuple(parts.TITLES)


def _unit(own: list[Event], names: Names) -> str:
    unit = standing_after(own).accountable
    return (names.unit(unit, own[-1]) or unit) if unit else "-"


def _line(row: Row, names: Names, files: dict[str, Path]) -> Line:
    named = building.named_in([row])
    links = [(f"文字 {ref[-12:]}", f"words/{ref}.txt") for ref in named.words]
    links += [(f"文件 {token[:12]}", f"files/{token}") for token in named.files if token in files]
    event = row.event
    return Line(event.time, summary(event, names), parts.part_of(event.type), tuple(links))


async def _assembled(runtime: Runtime, seal: Row, checkpoint: Signed) -> BinaryIO:
    """The archive as a temporary file, which goes when it is closed."""
    database, told = runtime.database, seal.event.attributes["data"]
    path = _folder(runtime) / f"{told['sha256']}.zip"
    try:
        fixed = await asyncio.to_thread(path.read_bytes)
    except FileNotFoundError:
        lost = f"{path.name} is not in the folder of archives; seal the file anew"
        raise Rejected(lost, code="archive-not-sealed") from None
    base, listed = building.listed_in(fixed)
    # What belongs to the matter by today's tables may be more than what was sealed.
    named = building.named_in(await asyncio.to_thread(building.recorded_in, fixed))
    words = await building.words_of(database, named)
    places = {ref: f"{archive.WORDS}{ref}.txt" for ref in named.words}
    more = {place: words[ref] for ref, place in places.items() if place in listed and ref in words}
    found = building.files_of(runtime.settings.data, named)
    files = {f"{archive.FILES}{token}": file for token, file in found.items() if f"{archive.FILES}{token}" in listed}
    lacking = {one.rpartition("/")[2] for one in listed if one.startswith(archive.FILES) and one not in files}
    lacking |= {ref for ref in named.words if ref not in words}
    async with database.read() as connection:
        more |= await building.proving(connection, seal, checkpoint, told["log_size"])
        more |= await building.gone(connection, lacking - named.erased, checkpoint)
    file = tempfile.TemporaryFile()  # noqa: SIM115, the answer closes it
    with building.fitting():
        await asyncio.to_thread(zipped.write, file, building.whole(base, fixed, more, files))
    file.seek(0)
    return file


def _must_be_proven(file: BinaryIO, trust: Trust) -> None:
    """Raises `Rejected` if the package would not be proven, for example since one of its files was altered here."""
    try:
        archive.verify(file, trust)
    except Refused as wrong:
        raise Rejected(
            f"the archive would not be proven, so it is not given out: {wrong}. Put back from a backup what was "
            "altered. Nothing was recorded",
            code="archive-altered",
            error=str(wrong),
        ) from wrong
    file.seek(0)


async def _record(runtime: Runtime, staff: Actor, fact: Fact, ends: str | None = None) -> Event:
    """Records what was done with a package. Raises `Rejected` if the incident `ends` goes on now."""

    async def act(session: Session, ctx: Ctx) -> Answer:
        if ends is not None:
            newest, _ = await queries.head(session.connection)
            _must_have_ended(ends, await building.own(session.connection, ends, newest))
        event = await operations.record(session, ctx, fact)
        return Answer({"event": event.bytes.decode()})

    answer = await transact(runtime, Caller(actor=staff), act)
    return Event.parse(answer.body["event"].encode())


def _told(event: Event, *, ended: bool = True) -> dict[str, Any]:
    data = event.attributes["data"]
    named = {name: data[name] for name in ("sha256", "log_size")}
    by = {"sealed_at": event.time_text, "by": event.actor, "unit": event.unit}
    until = {name: data.get(name) for name in ("kept_until", "kept_by")}
    return {"incident_id": data["record"], **named, "missing": data.get("missing", []), **by, "ended": ended, **until}


def _given(event: Event) -> dict[str, Any]:
    data = event.attributes["data"]
    act = READ_ARCHIVE if isinstance(event.data, OperationArchiveRead) else EXPORT_TIMELINE
    by = {"at": event.time_text, "by": event.actor, "unit": event.unit}
    return {"act": act.act, "sha256": data["sha256"], **by, "addressee": data.get("addressee")}


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
