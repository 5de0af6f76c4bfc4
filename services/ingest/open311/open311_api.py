"""Open311 GeoReport v2: the same intake, and the state of reports, for clients of this standard.

A POST carries the key of an integration as `api_key`. `jurisdiction_id` is the code of a unit; without it, a report
goes to the key's own unit, and a list is of all units. Answers are XML or JSON, as the path ends. A refusal is the
`errors` document of the standard, with the sentence that a problem has everywhere else; the header `Huiying-Problem`
has its stable code.
"""

import functools
import io
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Path, Request, Response
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException

from schemas.fields import UUID
from schemas.receipts import receipt_read
from schemas.titles import Language
from services.ingest import additions, evidence, intake, queries
from services.ingest.evidence_files import blobs_of
from services.ingest.keys import Keys
from services.ingest.open311 import codec, finding
from services.ingest.open311.codec import CREATES, UPDATES, Form, Format, Many
from services.kernel.core.decider import Actor
from services.kernel.core.problems import (
    Malformed,
    NotFound,
    Problem,
    TooMany,
    Unauthenticated,
    Unavailable,
    UnsupportedMedia,
)
from services.kernel.core.texts import decoded
from services.kernel.core.units import Offices
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import documents, http
from services.kernel.serving.bodies import read_body
from services.kernel.serving.commands import Caller
from services.kernel.serving.documents import DescribedRoute
from services.kernel.serving.problems import language_of
from services.kernel.serving.sign_in import SignIn, address_of
from services.kernel.tasks import to_the_end
from services.kernel.uploads import multipart
from services.kernel.uploads.contents import TEXT
from services.kernel.uploads.taking import Sent

LIMIT = 200_000
"""Bytes of a form: 4,000 characters in percent signs, and all else."""
FIELDS = 100
FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
_REPORT = re.compile(f"report-{UUID}")
Id = Annotated[str, Path(description="The id, and after a point `xml` or `json`.", max_length=120)]
As = Annotated[Format, Path(description="The format of the answer.")]
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            FORM: {
                "schema": {
                    "type": "object",
                    "description": "The arguments of the standard.",
                    "additionalProperties": {"type": "string"},
                },
                "example": {"api_key": "hy_…", "service_code": "roads.lighting", "address_string": "人民路"},
            }
        },
    }
}
_QUERY = ("jurisdiction_id", "api_key")


class Open311Route(DescribedRoute):
    """A route whose refusals are `errors` documents."""

    def _problems(self, sign_in: SignIn | None) -> Sequence[int]:
        return ()


def refusal(request: Request, problem: Problem) -> Response:
    """A problem as an `errors` document."""
    form = codec.format_of(request.scope["path"])
    status, body = codec.errors(problem, language_of(request), form)
    headers = {"Cache-Control": "no-store", "Huiying-Problem": problem.code}
    if isinstance(problem, TooMany | Unavailable):
        headers["Retry-After"] = str(problem.retry_after)
    return Response(body, status, headers, codec.MEDIA_TYPES[form])


def _answers(description: str, root: str, status: int = 200) -> dict[str, Any]:
    """For a route's decorator: the standard defines the shapes, and here stand the roots."""

    def content(name: str) -> dict[str, Any]:
        xml = documents.text(f"<{name}>…</{name}>")
        one: dict[str, Any] = {"type": "object"}
        shape = one if name in _ALONE else {"type": "array", "items": one}
        return {"text/xml": xml, "application/json": {"schema": shape}}

    told = {"description": description, "content": content(root)}
    refused = {"description": _REFUSED, "content": content("errors")}
    return {"status_code": status, "response_class": Response, "responses": {status: told, "default": refused}}


_ALONE = ("discovery", "service_definition")
"""The roots that are an object in JSON. The others are lists."""
_REFUSED = (
    "A refusal: 403 without a valid key, 404 for what is not there, 429 after many wrong keys, 503 while the service "
    "cannot answer, and 400 for all else."
)


@functools.cache
def router() -> APIRouter:
    """The paths of the standard, and mySociety's updates."""
    api = http.router("/open311/v2", "open311_api", Open311Route)

    @api.get("/discovery.{format}", **_answers("Where the service is.", "discovery"))
    async def find_endpoint(runtime: http.Serving, request: Request, format: As) -> Response:
        """Where the service is, and which formats it has."""
        _asked(request, ())
        settings = runtime.settings
        async with runtime.database.read() as connection:
            offices = await runtime.offices(connection)
        told = codec.discovery(
            settings.link("open311/v2"),
            _changed(offices),
            settings.site_contact or offices.site_name or settings.site_name,
            "密钥由单位管理员发放。Ask the administrator of the office for a key.",
        )
        return _answer("discovery", told, format)

    @api.get("/services.{format}", **_answers("The services.", "services"))
    async def list_services(runtime: http.Serving, request: Request, format: As) -> Response:
        """The categories of matters, as services."""
        offices, _ = await _of(runtime, _asked(request, ()))
        return _answer("services", codec.services(offices.lists, _spoken(request)), format)

    @api.get("/services/{id}.{format}", **_answers("The attributes of a service.", "service_definition"))
    async def define_service(runtime: http.Serving, request: Request, id: Id, format: As) -> Response:
        """The further fields of a report. None is required."""
        offices, _ = await _of(runtime, _asked(request, ()))
        return _answer("service_definition", codec.definition(offices.lists, id, _spoken(request)), format)

    @api.post("/requests.{format}", openapi_extra=BODY, **_answers("The report.", "service_requests", 201))
    async def create_request(runtime: http.Serving, request: Request, format: As) -> Response:
        """Takes a report in. The same `attribute[external_id]` again gets the first answer, with 200."""
        form = await _form(request, CREATES)
        actor = await _sender(request, form.given.get("api_key"))
        unit, now = form.given.get("jurisdiction_id", actor.unit or ""), runtime.time_source.now()
        try:
            report = codec.report(form, unit, actor.post, runtime.lists, now)
            prepared = intake.prepare(report, actor, runtime)
            answer = await runtime.part(intake.Together).receive(prepared, Caller(actor=actor))
        except Malformed as problem:
            if problem.members.get("field") == "unit":  # the decision looks at the units, so nothing here does
                raise _nowhere(unit) from None
            raise
        told = {
            "service_request_id": answer.body["report_id"],
            "service_notice": codec.notice(answer.body["receipt"], form.dropped),
            "account_id": None,
        }
        return _answer("service_requests", Many("request", [told]), format, answer.status)

    @api.get("/tokens/{id}.{format}", **_answers("The report of a receipt.", "service_requests"))
    async def read_token(runtime: http.Serving, request: Request, id: Id, format: As) -> Response:
        """The report of a receipt. A POST answers with the report's id at once, so nobody needs this."""
        _asked(request, ())
        digest = runtime.keys.digest("receipt", receipt_read(id))
        async with runtime.database.read() as connection:
            found = await queries.of_receipt(connection, digest)
        if found is None:
            raise NotFound("there is no such receipt; write the code as it was given", code="receipt-unknown")
        return _answer("service_requests", Many("request", [{"service_request_id": found, "token": id}]), format)

    @api.get("/requests.{format}", **_answers("The reports.", "service_requests"))
    async def list_requests(runtime: http.Serving, request: Request, format: As) -> Response:
        """The newest 1,000 reports of at most 90 days.

        With a key they are the sender's own. Without one, they are reports on whose matter something was published. By
        `service_request_id` they are those that are named.
        """
        names = ("service_request_id", "service_code", "start_date", "end_date", "status")
        asked = _asked(request, names)
        actor = await _reader(request, asked)
        offices, unit = await _of(runtime, _firsts(asked))
        wanted = codec.wanted(asked, runtime.time_source.now())
        return await _list(runtime, request, offices, wanted, format, unit, actor)

    @api.get("/requests/{id}.{format}", **_answers("The report.", "service_requests"))
    async def read_request(runtime: http.Serving, request: Request, id: Id, format: As) -> Response:
        """The state of one report, by the id that its sender got."""
        offices, _ = await _of(runtime, _asked(request, ()))
        return await _list(runtime, request, offices, codec.Wanted("", "", (id,)), format)

    @api.get("/servicerequestupdates.{format}", **_answers("What was said.", "service_requests_updates"))
    async def list_updates(runtime: http.Serving, request: Request, format: As) -> Response:
        """What offices said in public on reports, the oldest first: mySociety's extension.

        With a key it is of the sender's own reports, without one of all.
        """
        asked = _asked(request, ("start_date", "end_date"))
        actor = await _reader(request, asked)
        offices, unit = await _of(runtime, _firsts(asked))
        since, until = codec.span(asked, runtime.time_source.now())
        async with runtime.database.read() as connection:
            found = await finding.updates(
                connection, offices, since, until, unit=unit, sender=actor.post if actor else None
            )
        return _answer("service_requests_updates", found, format)

    @api.post(
        "/servicerequestupdates.{format}",
        openapi_extra=BODY,
        **_answers("The update.", "service_request_updates", 201),
    )
    async def add_update(runtime: http.Serving, request: Request, format: As) -> Response:
        """Adds a text to a report of the same sender, as evidence. The same `update_id` again adds nothing."""
        form = await _form(request, UPDATES)
        actor = await _sender(request, form.given.get("api_key"))
        await _of(runtime, form.given)
        id_ = codec.needed(form.given, "service_request_id").strip()
        if not _REPORT.fullmatch(id_):
            raise NotFound(f"there is no request {id_[:60]!r}", what=id_[:60])
        mark = form.given.get("update_id") or form.given.get("update_id_ext")
        sent = Sent(io.BytesIO(codec.update(form).encode()), TEXT, "utf-8", None)
        upload = await evidence.keep(sent, None, blobs_of(runtime), runtime.settings, runtime.lists.telephones)
        key = f"open311 {mark[:100]}" if mark else None
        answer = await to_the_end(additions.add(runtime, f"/open311/v2/{id_}", id_, Caller(actor=actor), upload, key))
        told = {"update_id": answer.body["events"][0]["id"], "account_id": None}
        if form.dropped:
            told["service_notice"] = codec.notice(None, form.dropped)
        return _answer("service_request_updates", Many("request_update", [told]), format, answer.status)

    return api


async def _list(
    runtime: Runtime,
    request: Request,
    offices: Offices,
    wanted: codec.Wanted,
    format: Format,
    unit: str | None = None,
    actor: Actor | None = None,
) -> Response:
    async with runtime.database.read() as connection:
        sender = actor.post if actor else None
        found = await finding.requests(connection, offices, wanted, _spoken(request), unit=unit, sender=sender)
    if wanted.ids is not None and len(wanted.ids) == 1 and not found.entries:
        raise NotFound(f"there is no request {wanted.ids[0][:60]!r}", what=wanted.ids[0][:60])
    return _answer("service_requests", found, format)


def _answer(root: str, value: Any, format: Format, status: int = 200) -> Response:
    body = codec.written(root, value, format)
    return Response(body, status, {"Cache-Control": "no-store"}, codec.MEDIA_TYPES[format])


def _spoken(request: Request) -> Language:
    """Chinese, unless the client asks for English."""
    return language_of(request) if request.headers.get("accept-language") else "zh"


def _changed(offices: Offices) -> str:
    """What changes when units, lists or packs do. It sorts by time as far as these count their versions."""
    versions = sorted(int(basis.rpartition("@")[2]) for basis in offices.basis)
    return f"{sum(versions):08d}"


def _asked(request: Request, names: Sequence[str]) -> dict[str, list[str]]:
    """The parameters of a query that have a value. Raises `Malformed` for an unknown one."""
    found: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        if not value.strip():
            continue
        if name not in (*_QUERY, *names):
            there = ", ".join((*_QUERY, *names))
            raise Malformed(
                f"{name[:60]} is no parameter; there are {there}",
                code="parameter-unknown",
                field=name[:60],
                known=[*_QUERY, *names],
            )
        found.setdefault(name, []).append(value)
    return found


def _firsts(asked: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {name: values[0] for name, values in asked.items()}


async def _of(runtime: Runtime, given: Mapping[str, Any]) -> tuple[Offices, str | None]:
    """The offices, and the unit that `jurisdiction_id` names; None without it. Raises `NotFound` for an unknown one."""
    async with runtime.database.read() as connection:
        offices = await runtime.offices(connection)
    offices.known()
    told = given.get("jurisdiction_id")
    unit = told[0] if isinstance(told, list) else told
    if unit is not None and unit not in offices.units:
        raise _nowhere(unit)
    return offices, unit


def _nowhere(unit: str) -> NotFound:
    return NotFound(f"there is no jurisdiction {unit[:60]!r}; it is the code of a unit", what=unit[:60])


async def _sender(request: Request, key: str | None) -> Actor:
    """The integration of a key, from `api_key` or as a bearer. Raises `Unauthenticated` or `TooMany`."""
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    credential = (key or (bearer if scheme.lower() == "bearer" else "")).strip()
    if not credential:
        raise Unauthenticated("api_key is missing: send the key that the office's administrator made")
    try:
        request.state.actor = await http.asked(request).part(Keys).sign_in(request, credential)
    except Unauthenticated as problem:
        request.app.state.failures.add(address_of(request), problem.detail)
        raise
    actor: Actor = request.state.actor
    return actor


async def _reader(request: Request, asked: Mapping[str, Sequence[str]]) -> Actor | None:
    """The integration that asks, if it says so."""
    key = asked.get("api_key", [None])[0]
    return await _sender(request, key) if key or request.headers.get("authorization") else None


async def _form(request: Request, names: Sequence[str]) -> Form:
    """The arguments of a POST. Raises `Malformed`, `TooLarge` or `UnsupportedMedia`."""
    _asked(request, ())
    body = await read_body(request, LIMIT)
    kind = parse_options_header(request.headers.get("content-type") or "")[0].decode("latin-1").lower()
    if kind == MULTIPART:
        pairs = await _parts(request, body)
    elif kind in (FORM, ""):
        pairs = _pairs(body)
    else:
        raise UnsupportedMedia(f"send {FORM}, not {kind[:60]}", known=[FORM, MULTIPART], kind=kind[:60])
    return codec.form([(decoded(name, "name"), decoded(value, "form")) for name, value in pairs], names)


def _pairs(body: bytes) -> list[tuple[bytes, bytes]]:
    """Latin-1 keeps every byte as it is, escaped or not."""
    try:
        texts = parse_qsl(body.decode("latin-1"), encoding="latin-1", keep_blank_values=True, max_num_fields=FIELDS)
    except ValueError:
        raise _unreadable() from None
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in texts]


async def _parts(request: Request, body: bytes) -> list[tuple[bytes, bytes]]:
    """The texts of a form in parts. A file is refused: evidence has a path of its own."""

    async def whole() -> AsyncIterator[bytes]:
        yield body

    headers = Headers({"content-type": f"{request.headers['content-type']}; charset=latin-1"})
    try:
        parser = multipart.Parser(headers, whole(), max_files=0, max_fields=FIELDS, max_part_size=LIMIT)  # type: ignore[arg-type]
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError, LookupError):
        raise _unreadable() from None
    return [(name.encode("latin-1"), str(value).encode("latin-1")) for name, value in form.multi_items()]


def _unreadable() -> Malformed:
    return Malformed("the form cannot be read; send its fields, and no file", code="form-unreadable")
