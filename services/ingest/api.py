"""HTTP of ingest: reports, one or many, and additions to a report.

`Authorization: Bearer` takes an integration's key (`hy_…`) or a staff token for reports and additions.
"""

import asyncio
import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from schemas.ingest import ReportErased
from services.ingest import additions, answers, batch, decider, evidence, intake, queries, receipts, seen, waiting
from services.ingest.cloudevents import events_api
from services.ingest.commands import (
    Erase,
    JudgeAnswer,
    KeyListing,
    KeyRequest,
    KeyRevocation,
    Reach,
    Refuse,
    Report,
)
from services.ingest.evidence_files import blobs_of
from services.ingest.form import forms_api
from services.ingest.form.pace import Paces
from services.ingest.imports import imports_api
from services.ingest.keys import Keys
from services.ingest.rights import READ_REPORT, RIGHTS, Filed, reading
from services.kernel.access.integrations import PREFIX
from services.kernel.core.commands import Command
from services.kernel.core.decider import Actor, Ctx
from services.kernel.core.problems import NotFound, Problem, TooMany, UnsupportedMedia
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import commands, documents, erasure, http, operating, readings, sign_in
from services.kernel.serving.answers import Done
from services.kernel.serving.commands import Answer, Caller
from services.kernel.serving.paging import Cursor, Limit
from services.kernel.serving.problems import language_of
from services.kernel.serving.sign_in import SignIn, address_of
from services.kernel.store.session import Session
from services.kernel.tasks import to_the_end
from services.kernel.uploads import apart, pictures
from services.kernel.uploads.documents import TYPE
from services.kernel.uploads.taking import looking

NDJSON = "application/x-ndjson"
LINES = (NDJSON, "application/ndjson", "application/jsonl", "application/jsonlines", "")
"""Media types of a batch. A client may also send none."""


LINE = (
    '{"unit": "town-east", "channel": "board", "subject": "卫生院门前路灯不亮", "text": "已经四天不亮。", '
    '"discovered_at": "2026-03-02T09:00:00+08:00"}\n'
)
ReportId = Annotated[str, Depends(http.stream_id("report"))]
KeyId = Annotated[str, Depends(http.stream_id("key"))]
FileName = Annotated[str, Path(description="The file, as the report names it in its `evidence`.")]


async def _judge(request: Request, credential: str) -> Actor:
    if credential.startswith(PREFIX):
        return await http.asked(request).part(Keys).sign_in(request, credential)
    return await sign_in.staff(request, credential)


sender = SignIn(_judge, sign_in.KEY, sign_in.STAFF)
"""An integration by its key, or a member of staff by their token."""


@functools.cache
def router() -> APIRouter:
    """The paths of ingest."""
    api = http.router("/ingest/v1", "ingest")
    erasure.add_route(api, "ingest")
    operating.add_routes(api, "ingest")

    async def sending(
        request: Request,
        actor: Annotated[Actor, Depends(sender)],
        idempotency_key: http.IdempotencyKey = None,
        if_match: http.IfMatch = None,
        huiying_after: http.After = None,
    ) -> Caller:
        return await http.conditions(request, actor, if_match, idempotency_key, huiying_after)

    async def follow(runtime: Runtime, caller: Caller, id: str, command: Command) -> Response:
        """The handler of one command on a report."""
        return http.reply(await commands.execute(runtime, caller, id, command, see=partial(seen.for_report, id)))

    @asynccontextmanager
    async def opened(runtime: Runtime, id: str, actor: Actor) -> AsyncIterator[tuple[AsyncConnection, list[Event]]]:
        """A transaction that reads, and how much of a report the actor may read. Raises if that is nothing."""
        async with runtime.database.read() as connection:
            events = await queries.events_of(connection, id)
            if not events:
                raise NotFound(f"there is no {id}", what=id)
            yield connection, await _readable(connection, events, await runtime.context(connection, actor))

    @api.post("/reports", **documents.answers(answers.Taken, 201, also={200: "The same report was taken in before."}))
    async def send_report(runtime: http.Serving, body: Report, caller: Annotated[Caller, Depends(sending)]) -> Response:
        """Takes one report in: 201 with `report_id` and `receipt`.

        An exact repetition gets 200 with those of the first report.

        Other content under the same `source` and `external_id` gets 409 with the `report_id` of the first report.
        """
        prepared = intake.prepare(body, caller.actor, runtime)
        if caller.key is None and caller.after is None:
            return http.reply(await runtime.part(intake.Together).receive(prepared, caller))

        async def act(session: Session, ctx: Ctx) -> Answer:
            (outcome,) = await intake.receive(session, [(prepared, ctx)])
            if isinstance(outcome, Problem):
                raise outcome
            return outcome

        return http.reply(await commands.transact(runtime, caller, act))

    @api.post("/reports/preview", **documents.answers(answers.MaskedReport))
    async def preview_report(runtime: http.Serving, body: Report, actor: Annotated[Actor, Depends(sender)]) -> Response:
        """A report's words as they would be stored, with personal data masked. Nothing is kept.

        The report is refused where `sendReport` would refuse it. Only `source` and `external_id` are not compared with
        those of earlier reports.
        """
        command = intake.prepare(body, actor, runtime).command
        async with runtime.database.read() as connection:
            decider.receive(command, await runtime.context(connection, actor))
        words = {name: getattr(command.report, name) for name in answers.MaskedReport.model_fields if name != "masked"}
        return http.json_response(answers.MaskedReport(**words, masked=command.masked).model_dump(mode="json"))

    lines: dict[str, Any] = {
        "requestBody": {
            "required": True,
            "content": {
                NDJSON: {
                    "schema": {"type": "string", "description": "One report on each line, as for `sendReport`."},
                    "example": LINE,
                }
            },
        }
    }

    @api.post("/reports/batch", openapi_extra=lines, **documents.answers(answers.BatchLine, media_type=NDJSON))
    async def send_reports(
        runtime: http.Serving,
        request: Request,
        actor: Annotated[Actor, Depends(sender)],
        idempotency_key: http.IdempotencyKey = None,
    ) -> Response:
        """Takes reports in, one on each line. When all were read, answers one line for each, in the same order.

        An answer is `{"line", "status", "report_id", "receipt"}` or `{"line", "status", "problem"}`, with `line` from
        1. Empty lines are counted and not answered. An idempotency key counts for each line as `<key>/<line>`. A line
        with a 2xx answer is durable. A line with 503 may be sent again.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in LINES:
            raise UnsupportedMedia(f"send {NDJSON}, one report a line, not {kind}", known=[NDJSON], kind=kind)
        spool = await batch.take(
            runtime, actor, idempotency_key, request.scope["path"], request.stream(), language_of(request)
        )
        return batch.send(spool, media_type=NDJSON)

    events_api.add_route(api, sender)
    imports_api.add_routes(api, sender)

    @api.get("/reports/{id}", **documents.answers(answers.StoredReport))
    async def read_report(
        runtime: http.Serving,
        id: ReportId,
        actor: Annotated[Actor, Depends(sender)],
        purpose: readings.Purpose = None,
    ) -> Response:
        """One report, for the integration that sent it and for staff over its unit.

        Reading its words is an event. Staff whose unit does not work on the matter name a `purpose`; without it,
        `text`, `url` and `request` are null and `withheld` is true.
        """
        async with opened(runtime, id, actor) as (connection, events):
            body = await queries.report(connection, events)
            works = await seen.works_on(connection, events[0], actor)
        if actor.is_staff and not await readings.read(runtime, actor, id, purpose, works=works):
            body = readings.withheld(body, "text", "url", "request")
        return http.json_response(body, version=body["version"])

    kept = {kind: {"schema": {"type": "string", "format": "binary"}, "example": "…"} for kind in evidence.MEDIA_TYPES}
    file: dict[str, Any] = {
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": ["file"],
                        "properties": {
                            "file": {"type": "string", "format": "binary", "description": "The file."},
                            "note": {"type": "string", "description": "A note on the file."},
                            "redactions": {
                                "type": "string",
                                "description": "Boxes of black, as a list in JSON: `x`, `y`, `w`, `h` in pixels of the "
                                "upright picture, `page` of a PDF, and `reason`: what is below.",
                            },
                        },
                    },
                    "example": {
                        "file": "…",
                        "note": "现场照片",
                        "redactions": '[{"x": 120, "y": 80, "w": 240, "h": 60, "reason": "number"}]',
                    },
                },
                **kept,
            },
        }
    }

    @api.post("/reports/{id}/evidence", openapi_extra=file, **documents.answers(Done, 201))
    async def attach_evidence(
        runtime: http.Serving,
        request: Request,
        id: ReportId,
        actor: Annotated[Actor, Depends(sender)],
        note: Annotated[str | None, Query(description="A note on a file that is the body itself.")] = None,
        idempotency_key: http.IdempotencyKey = None,
    ) -> Response:
        """Adds a file: the body itself (`?note=`), or the field `file` of a form, perhaps with `note` and `redactions`.

        A picture is drawn anew: only what it shows is stored, upright and in sRGB, HEIC as JPEG. A PDF is drawn, too:
        each page becomes a picture. `redactions` are covered in black before anything is stored; the original never is.
        A damaged file gets 422, and so does a box that goes beyond the picture; too many pixels or pages get 413. MP3
        and MP4 are stored unchanged, with any data on their author and place. A text is masked and stored in UTF-8.
        Content of another type than named is 415, and so is an archive.
        """
        upload = await evidence.take(request, note, blobs_of(runtime), runtime.settings, runtime.lists.telephones)
        return http.reply(
            await to_the_end(
                additions.add(runtime, request.scope["path"], id, Caller(actor=actor), upload, idempotency_key)
            )
        )

    shown = {kind: kept[kind] for kind in pictures.TYPES}
    looked = {
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": ["file"],
                        "properties": {
                            "file": {"type": "string", "format": "binary", "description": "A picture or a PDF."},
                            "redactions": {"type": "string", "description": "Boxes of black, as with the evidence."},
                            "page": {"type": "string", "description": "The page of a PDF, from 1."},
                        },
                    },
                    "example": {"file": "…", "redactions": '[{"x": 120, "y": 80, "w": 240, "h": 60}]'},
                }
            },
        }
    }

    @api.post(
        "/reports/{id}/evidence/preview",
        openapi_extra=looked,
        **documents.answers_content("The picture as it would be stored, or one page as JPEG.", shown),
    )
    async def preview_evidence(
        runtime: http.Serving, request: Request, id: ReportId, actor: Annotated[Actor, Depends(sender)]
    ) -> Response:
        """Shows how a picture or a page of a PDF would be kept, with its boxes. Nothing is stored."""
        await additions.may_add(runtime, id, actor)
        async with evidence.previewed(request, runtime.settings) as (sent, boxes, page):
            drawn = partial(evidence.preview, runtime.settings, boxes, page)
            content = await looking(sent, drawn, apart.THREADS)
        kind = "image/jpeg" if sent.media_type == TYPE else pictures.READ[sent.media_type]
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        return Response(content, headers=headers, media_type=kind)

    @api.get("/reports/{id}/evidence/{file}", **documents.answers_content("The file, as it is stored.", kept))
    async def read_evidence(
        runtime: http.Serving, id: ReportId, file: FileName, staff: http.Staff, purpose: readings.Purpose = None
    ) -> Response:
        """A file of a report's evidence, for staff over its unit: to save, not to show in the page.

        `file` is its name in the report's `evidence`. An erased file gets 404. Reading it is an event. Staff whose unit
        does not work on the matter name a `purpose`.
        """
        async with opened(runtime, id, staff) as (connection, events):
            found = queries.attached(events, file)
            works = await seen.works_on(connection, events[0], staff)
        if found is None:
            raise NotFound(f"{id} has no evidence {file[:60]!r}", what=file[:60])
        try:
            source = await asyncio.to_thread(blobs_of(runtime).path(found.file).open, "rb")
        except FileNotFoundError:
            raise NotFound(
                f"{file} is not in the evidence folder; restore that from its backup", code="file-missing", file=file
            ) from None
        if not await readings.read(runtime, staff, id, purpose, works=works):
            source.close()
            raise readings.purpose_needed()
        headers = {
            "Content-Disposition": "attachment",
            "Content-Length": str(found.size),
            "X-Content-Type-Options": "nosniff",
        }
        return batch.send(source, headers=headers, media_type=found.media_type)

    @api.post("/reports/{id}/reach", **documents.answers(Done))
    async def measure_reach(
        runtime: http.Serving, id: ReportId, body: Reach, caller: Annotated[Caller, Depends(sending)]
    ) -> Response:
        """Adds dated totals of attention."""
        return await follow(runtime, caller, id, body)

    @api.post("/reports/{id}/refuse", **documents.answers(Done))
    async def refuse_report(runtime: http.Serving, id: ReportId, body: Refuse, caller: http.Command) -> Response:
        """Decides that this report gets no answer, with the reason."""
        return await follow(runtime, caller, id, body)

    @api.post("/reports/{id}/erase", **documents.answers(Done))
    async def erase_report(runtime: http.Serving, id: ReportId, body: Erase, caller: http.Command) -> Response:
        """Deletes the words and files of this report here, and orders every service to do the same.

        The first call asks. The call of another person of a unit above deletes; at the root, another person of the
        root.
        """
        return http.reply(await to_the_end(forget(runtime, id, caller, body)))

    async def forget(runtime: Runtime, id: str, caller: Caller, command: Erase) -> Answer:
        files: tuple[str, ...] = ()

        async def act(session: Session, ctx: Ctx) -> Answer:
            nonlocal files
            await session.load([id])
            if session.streams[id].version == 0:
                raise NotFound(f"there is no {id}", what=id)
            known = commands.with_seen(ctx, await seen.for_report(id, session.connection, None))
            events = commands.decide(session, id, command, known, caller)
            for event in events:
                if isinstance(event.data, ReportErased):
                    files = event.data.files
                    await session.erase(event.data.refs, announce=True)
            return commands.answer(session, id, events)

        answer = await commands.transact(runtime, caller, act)
        blobs_of(runtime).delete(files)
        return answer

    stated = documents.answers(answers.Status)
    stated["responses"] |= {
        304: {"description": "Nothing changed since the state that `If-None-Match` names."},
        429: documents.problem(429),
    }

    @api.get("/receipts/{receipt}", **stated)
    async def read_receipt(
        runtime: http.Serving,
        request: Request,
        receipt: Annotated[str, Path(description="The receipt's code.", max_length=20)],
        wait: Annotated[
            int, Query(ge=0, le=waiting.LONGEST, description="How many seconds to wait for news, with `If-None-Match`.")
        ] = 0,
        if_none_match: Annotated[
            str | None, Header(description="The `ETag` of the state that is known already.", max_length=200)
        ] = None,
    ) -> Response:
        """The state of the sender's report and the limits of its matter that were extended. The code is enough.

        With the `ETag` of an earlier answer in `If-None-Match`, an unchanged state gets 304. `wait` holds that answer
        back until the state changes. An address that asks too often for receipts that nobody has gets 429.
        """
        known = http.tag_as_sent(if_none_match or "").strip('"')
        try:
            tag, found = await receipts.news(runtime, receipt, known, wait if known else 0)
        except NotFound:
            _must_not_guess(runtime, request)
            raise
        # Nobody signed in, and the words may be erased: no proxy keeps them.
        headers = {"Cache-Control": "no-store", "ETag": f'"{tag}"'}
        if found is None:
            return Response(status_code=304, headers=headers)
        return http.json_response(found, headers=headers)

    @api.post("/receipts/{receipt}/helpfulness", **documents.answers(Done))
    async def judge_answer(
        runtime: http.Serving,
        request: Request,
        receipt: Annotated[str, Path(description="The receipt's code.", max_length=20)],
        body: JudgeAnswer,
    ) -> Response:
        """The sender of a report says whether the latest answer helped, once for each answer. The code is enough."""
        try:
            return http.reply(await receipts.judge(runtime, receipt, body))
        except NotFound:
            _must_not_guess(runtime, request)
            raise

    forms_api.add_routes(api)

    @api.get("/keys", **documents.answers(answers.Keys))
    async def list_keys(runtime: http.Serving, staff: http.Staff, limit: Limit = 50, cursor: Cursor = None) -> Response:
        """The keys of the caller's unit and the units below it, for administrators.

        It shows neither a key nor its digest.
        """
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            RIGHTS[KeyListing].require(staff.unit, ctx)
            items, further = await queries.keys(connection, ctx.offices.below(staff.unit or ""), cursor, limit)
        return http.json_response({"items": items, "next": further})

    @api.post("/keys", **documents.answers(answers.KeyMade, 201))
    async def make_key(runtime: http.Serving, body: KeyRequest, caller: http.Command) -> Response:
        """Makes a key for an integration and shows it once. Only its digest is kept.

        A repetition with the same `Idempotency-Key` is refused and makes no second key.
        """
        return http.json_response(await runtime.part(Keys).make(caller, body), status=201)

    @api.post("/keys/{id}/revoke", **documents.answers(answers.KeyRevoked))
    async def revoke_key(
        runtime: http.Serving, id: KeyId, staff: http.Staff, body: KeyRevocation | None = None
    ) -> Response:
        """Ends a key by its id. Other processes follow within a second."""
        await runtime.part(Keys).revoke(Caller(actor=staff), id, body.reason if body else None)
        return http.json_response({"id": id, "revoked": True})

    return api


async def _readable(connection: AsyncConnection, events: list[Event], ctx: Ctx) -> list[Event]:
    received = events[0]
    filed = Filed(received.unit, received.actor, received=received.recorded)
    found = reading(filed, await seen.belongings(connection, received.stream), ctx)
    if found is None:
        raise READ_REPORT.refused(received.unit, ctx)
    return [event for event in events if found.covers(event.recorded_text)]


def _must_not_guess(runtime: Runtime, request: Request) -> None:
    """Counts a receipt that nobody has. Raises `TooMany` for an address that asked for many."""
    if (seconds := runtime.part(Paces).receipts.wait(address_of(request))) is not None:
        detail = f"this address asked for too many receipts that nobody has; wait {seconds} s"
        raise TooMany(detail, seconds, code="receipt-too-many", seconds=seconds)
