"""HTTP of imports: a file in, progress and refused rows out; the runs of a unit; the shipped mappings."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from functools import cache, partial
from importlib.resources import files
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from python_multipart.multipart import parse_options_header
from sqlalchemy import select

from schemas.fields import UnitCode, instant
from schemas.said import said_in
from services.ingest.commands import ImportListing, ReceiveReport, Source
from services.ingest.imports import answers, form
from services.ingest.imports.mapping import Mapping as Map
from services.ingest.imports.run import Reading, Run, Slots, Wanted, digest_of, opened
from services.ingest.imports.views import COUNTS
from services.ingest.rights import RIGHTS
from services.ingest.views import IMPORT_NOTES, IMPORTS
from services.kernel.core.decider import Actor
from services.kernel.core.problems import Malformed, NotFound
from services.kernel.delivery.runtime import Runtime
from services.kernel.rules.documents import DocumentError, read_bytes
from services.kernel.serving import documents, http, paging
from services.kernel.serving.paging import Cursor, Limit
from services.kernel.serving.problems import language_of
from services.kernel.serving.sign_in import SignIn
from services.kernel.serving.streams import Duplex

NDJSON = "application/x-ndjson"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SILENT = timedelta(minutes=2)
"""A run without an end that says nothing for so long has broken off, as after a crash."""
LINE_EXAMPLE = '{"channel": "board", "subject": "路灯", "text": "不亮", "discovered_at": "2026-03-02T09:00:00+08:00"}\n'
CSV_EXAMPLE = "subject,text,channel,discovered_at\n路灯不亮,已经四天不亮。,board,2026-03-02 09:00\n"


def shipped() -> Mapping[str, bytes]:
    """The texts of the shipped mappings by their names."""
    return _shipped()


@cache
def _shipped() -> Mapping[str, bytes]:
    there = files("services.ingest.imports") / "mappings"
    return {
        file.name.removesuffix(".yaml"): file.read_bytes()
        for file in sorted(there.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".yaml")
    }


def add_routes(api: APIRouter, sender: SignIn) -> None:
    """Adds the paths of imports. `sender` says who may send."""
    _add_intake(api, sender)

    @api.get("/imports/mappings", **documents.answers(answers.Mappings))
    async def list_mappings(actor: Annotated[Actor, Depends(sender)]) -> Response:
        """The shipped mappings, each with its text, which may be changed and sent with a file."""
        found = [(text, read(text, name)) for name, text in shipped().items()]
        items = [
            {
                "name": mapping.mapping,
                "title": mapping.title,
                "columns": {field: rule.column for field, rule in mapping.rules.items() if rule.column},
                "text": text.decode(),
            }
            for text, mapping in found
        ]
        return http.json_response({"items": items})

    @api.get("/imports", **documents.answers(answers.Imports))
    async def list_imports(
        runtime: http.Serving, staff: http.Staff, limit: Limit = 50, cursor: Cursor = None
    ) -> Response:
        """The imports of the caller's unit and the units below it, newest first, for administrators.

        A run that is not ended and was silent for two minutes is `broken_off`: it is sent again to go on.
        """
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            RIGHTS[ImportListing].require(staff.unit, ctx)
            noted = [IMPORT_NOTES.c[name].label(f"noted_{name}") for name in ("at", *COUNTS)]
            chosen = (
                select(IMPORTS, *noted)
                .select_from(IMPORTS.outerjoin(IMPORT_NOTES, IMPORT_NOTES.c.run == IMPORTS.c.run))
                .where(IMPORTS.c.unit.in_(sorted(ctx.offices.below(staff.unit or ""))))
                .order_by(IMPORTS.c.run.desc())
                .limit(limit + 1)
            )
            if cursor is not None:
                chosen = chosen.where(IMPORTS.c.run < paging.place_of(cursor, str)[0])
            rows = [dict(row) for row in (await connection.execute(chosen)).mappings()]
        kept, further = paging.page(rows, limit, lambda row: (row["run"],))
        silent = instant(ctx.now - SILENT)
        return http.json_response({"items": [_told(row, silent) for row in kept], "next": further})


def _told(row: Mapping[str, Any], silent: str) -> dict[str, Any]:
    """A run with its state. One that has not ended is told with what it noted last."""
    is_over = row["outcome"] is not None
    heard = row["noted_at"] or row["begun_at"] or ""
    state = row["outcome"] if is_over else "running" if heard > silent else "broken_off"
    counts = {name: row[name] if is_over else row[f"noted_{name}"] or 0 for name in COUNTS}
    told = {name: row[name] for name in ("unit", "mapping", "sha256", "form", "by", "begun_at", "ended_at")}
    return {"id": row["run"], "state": state, **told, **counts}


def _add_intake(api: APIRouter, sender: SignIn) -> None:
    binary = {"schema": {"type": "string", "format": "binary"}}
    fields = {
        "mapping": {"type": "string", "description": "A mapping, as YAML. It stands before the file."},
        "file": {"type": "string", "format": "binary", "description": "The file."},
    }
    asked: dict[str, Any] = {
        "requestBody": {
            "required": True,
            "content": {
                NDJSON: {**binary, "example": LINE_EXAMPLE},
                "text/csv": {**binary, "example": CSV_EXAMPLE},
                XLSX: {**binary, "example": "…"},
                "multipart/form-data": {
                    "schema": {"type": "object", "required": ["mapping", "file"], "properties": fields},
                    "example": {"mapping": "…", "file": "…"},
                },
            },
        }
    }

    @api.post("/imports", openapi_extra=asked, **documents.answers(answers.ImportLine, media_type=NDJSON))
    async def import_reports(
        runtime: http.Serving,
        request: Request,
        actor: Annotated[Actor, Depends(sender)],
        mapping: Annotated[str | None, Query(description="The name of a shipped mapping.", max_length=100)] = None,
        unit: Annotated[
            UnitCode | None,
            Query(description="The office that receives reports of rows that name none. Yours, without."),
        ] = None,
        source: Annotated[Source | None, Query(description="The sending system; else the mapping says it.")] = None,
        dry_run: Annotated[bool, Query(description="Only try the file: nothing is kept.")] = False,
    ) -> Response:
        """Takes a file of reports in: CSV, XLSX or lines of JSON, told apart by their content.

        The body is the file, with the name of a shipped mapping, or a form with `mapping` and then `file`. Lines of
        JSON are answered while the file is read: first `began`, then `progress`, at most one a second; when all rows
        were read, `sample` of a trial, `refused` rows with their problems, and `ended`.

        A row is known again by its `external_id`; if it has none, by its unit, words, place and times. So a file that
        broke off or was corrected is sent again, whole. Columns that the mapping does not name are dropped; `dropped`
        names them. A `'` that keeps a cell of a table from being a formula is no part of it. A trial compares rows with
        those of earlier files only.
        """
        unit = unit or actor.unit or ""
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, actor)
        RIGHTS[ReceiveReport].require(ctx.offices.unit(unit).code, ctx)
        slots = runtime.part(Slots)
        slots.take()
        reading = Reading(request.stream())
        try:
            run = await _begun(runtime, request, actor, reading, (mapping, unit, source, dry_run))
        except BaseException:
            reading.close()
            slots.leave()
            raise

        def close() -> None:
            reading.close()
            slots.leave()

        return Duplex(_lines(run), close=close, media_type=NDJSON, headers={"X-Accel-Buffering": "no"})


async def _begun(
    runtime: Runtime,
    request: Request,
    actor: Actor,
    reading: Reading,
    asked: tuple[str | None, str, str | None, bool],
) -> Run:
    name, unit, source, dry_run = asked
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    language = language_of(request)
    parts, text = reading.parts(), None
    if kind == b"multipart/form-data":
        if name is not None:
            raise Malformed("send a mapping in the form, or name one; not both", code="mapping-twice", field="mapping")
        text, parts = await reading.ask(partial(form.taken, parts, options.get(b"boundary", b"")))
    elif name is None:
        known = sorted(shipped())
        raise Malformed(
            f"name a mapping ({', '.join(known)}), or send a form with mapping and file",
            code="mapping-missing",
            field="mapping",
            known=known,
        )
    else:
        text = shipped().get(name)
    if text is None:
        known = sorted(shipped())
        raise NotFound(
            f"there is no mapping {name!r}; there are {', '.join(known)}", code="mapping-unknown", known=known
        )
    mapping = _checked(text, language)
    made = f"{mapping.mapping}.{unit}"
    wanted = Wanted(mapping, digest_of(text), unit, source or mapping.source or made, dry_run)
    table = await reading.ask(partial(opened, parts, mapping, runtime.settings, reading.files))
    run = Run(runtime, actor, wanted, table, reading, language)
    await run.begin()
    return run


def read(text: bytes, origin: str) -> Map:
    """The mapping of a text. Raises `DocumentError`."""
    return read_bytes(text, origin).model(Map)


def _checked(text: bytes, language: Any) -> Map:
    try:
        return read(text, "mapping")
    except DocumentError as error:
        faults = [fault._asdict() | {"message": said_in(fault.message, language)} for fault in error.faults]
        raise Malformed(f"the mapping cannot be used: {error}", code="mapping-unusable", faults=faults) from None


async def _lines(run: Run) -> AsyncGenerator[bytes, None]:
    """The answer. A progress line comes at most each second, and ever more rarely: a client that reads the answer only
    when it has sent the file must find room for it between here and there.
    """
    began = time.monotonic()
    going = asyncio.create_task(run.go())
    try:
        table, mapping = run.table, run.wanted.mapping
        told = {"run": run.id, "mapping": mapping.mapping, "form": table.kind, "dry_run": run.wanted.dry_run}
        read_by = {"columns": table.columns, "header": mapping.header, "delimiter": mapping.delimiter or ","}
        yield _line(began={**told, **read_by, "dropped": [*table.dropped]})
        while True:
            pause = max(1.0, (time.monotonic() - began) / 50)
            await asyncio.wait({going}, timeout=pause)
            if going.done():
                break
            yield _line(progress={"line": run.line, "bytes": run.reading.size, **_counts(run)})
        going.result()
        for sample in run.samples:
            yield _line(sample=sample)
        for refused in run.refused:
            yield refused
        problem = {"problem": run.problem.body(run.language)} if run.problem else {}
        more = {"left_off": run.left_off, "dropped": [*table.dropped], "bytes": run.reading.size}
        yield _line(ended={"run": run.id, "state": run.state, **_counts(run), **more, **problem})
    finally:
        if not going.done():
            going.cancel()
            await asyncio.wait({going})
            await run.end()


def _counts(run: Run) -> dict[str, int]:
    return {name: getattr(run.tally, name) for name in COUNTS}


def _line(**said: Any) -> bytes:
    return orjson.dumps(said) + b"\n"
