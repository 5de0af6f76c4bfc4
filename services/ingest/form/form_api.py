"""The public form of a unit at `/form/{unit}`, and the page for receipts at `/receipt`. Nobody signs in.

The same form that is sent twice is one report. A receipt is a secret: it comes in the body of a request, never in an
address. An address that sends too much gets 429; it is counted under a digest whose salt is soon forgotten.
"""

import functools
import os
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Annotated, Any, cast, get_args

import structlog
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import ValidationError

from schemas.titles import Language
from services.ingest import additions, evidence, intake, receipts
from services.ingest.commands import JudgeAnswer
from services.ingest.evidence_files import blobs_of
from services.ingest.form import codec, offered, posted
from services.ingest.form.codec import LONGEST, Filled
from services.ingest.form.offered import Offered
from services.ingest.form.pace import Paces
from services.ingest.form.site import HEADERS, STYLE, Site
from services.kernel.core.decider import Actor
from services.kernel.core.problems import (
    NotFound,
    Problem,
    Rejected,
    TooMany,
    Unavailable,
    UnsupportedMedia,
)
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import http
from services.kernel.serving.commands import Answer, Caller
from services.kernel.serving.paging import must_be_known
from services.kernel.serving.sign_in import address_of
from services.kernel.serving.validation import malformed
from services.kernel.tasks import to_the_end
from services.kernel.uploads import contents
from services.kernel.uploads.taking import Sent

Unit = Annotated[str, Path(description="The unit's code.", max_length=64)]
Lang = Annotated[str | None, Query(max_length=8, description="`en`: the page in English. By default it is Chinese.")]
_DIGITS = 16
"""Bytes of chance in a token."""
PAGES = 30
"""The most pages of a document that anybody sends."""
WAITING, EACH, BUSY = 8, 2, 60
"""So many forms with files are taken at once, so many from one address. Who comes then waits so many seconds."""
THREAD = ThreadPoolExecutor(1, "form")
"""Draws what anybody sends, one file at a time, so that files of staff and integrations never wait for it."""
logger = structlog.get_logger()


class Queue:
    """The forms that have files at work in this process, by address."""

    def __init__(self, runtime: Runtime) -> None:
        self.forms = Counter[str]()

    @contextmanager
    def place(self, address: str) -> Iterator[None]:
        """A place while files are drawn. Raises `TooMany` if there is none."""
        if self.forms.total() >= WAITING or self.forms[address] >= EACH:
            raise TooMany(f"many files come in just now; wait {BUSY} s", BUSY, code="form-busy", seconds=BUSY)
        self.forms[address] += 1
        try:
            yield
        finally:
            self.forms -= Counter([address])


def refusal(request: Request, problem: Problem) -> Response:
    """A problem as a page."""
    runtime = http.asked(request)
    language = "en" if request.query_params.get("lang") == "en" else "zh"
    site = Site(runtime.settings, cast(Language, language))
    told = problem.body(site.language)
    answer = site.page("said.html", "form/", problem.status, heading=told["title"], sentence=told["detail"])
    answer.headers["Huiying-Problem"] = problem.code
    if isinstance(problem, TooMany | Unavailable):
        answer.headers["Retry-After"] = str(problem.retry_after)
    return answer


@functools.cache
def router() -> APIRouter:
    """The pages."""
    pages = APIRouter(include_in_schema=False)

    @pages.get("/form/")
    async def list_open_forms(runtime: http.Serving, lang: Lang = None) -> Response:
        """The units that take reports by a form."""
        site, found = await _site(runtime, lang)
        units = [(one.unit, site.name_of(one.unit)) for one in found.values() if one.open]
        return site.page("index.html", "form/", units=units)

    @pages.get("/form/style.css")
    async def style() -> Response:
        """The style of the pages."""
        kept = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(STYLE, 200, HEADERS | kept, "text/css; charset=utf-8")

    @pages.get("/form/{unit}")
    async def show_form(runtime: http.Serving, unit: Unit, lang: Lang = None) -> Response:
        """The form of a unit."""
        site, found = await _site(runtime, lang)
        return _form(runtime, site, _open(found, site, unit))

    @pages.post("/form/{unit}")
    async def fill_form(runtime: http.Serving, request: Request, unit: Unit, lang: Lang = None) -> Response:
        """Takes a report in: 201 with the receipt on the page, 200 if the same form was taken in before."""
        if (wait := runtime.part(Paces).forms.wait(address_of(request))) is not None:
            raise TooMany(f"this address has sent many forms; wait {wait} s", wait, code="form-too-many", seconds=wait)
        site, found = await _site(runtime, lang)
        form = _open(found, site, unit)
        async with posted.posted(request, runtime.settings.evidence_limit) as sent:
            filled = codec.filled(sent.fields)
            now = runtime.time_source.now()
            if faults := filled.faults():
                return _form(runtime, site, form, filled, 422, faults=faults, files=len(sent.files))
            if not codec.counts(filled.token, unit, now, runtime.keys.digest):
                return _form(runtime, site, form, _anew(runtime, unit, filled), 409, note="old", files=len(sent.files))
            _must_not_flood(runtime, request, sent.files)
            try:
                uploads = await _kept(runtime, address_of(request), sent.files)
            except Problem as problem:
                if problem.status >= 500 or isinstance(problem, TooMany):
                    raise
                said = problem.body(site.language)["detail"]
                return _form(runtime, site, form, filled, 422, unkept=said, files=len(sent.files))
        try:
            answer, masked, kept = await to_the_end(_taken(runtime, site, unit, filled, uploads))
        except Rejected as problem:
            if problem.code != "id-taken":
                raise
            first = intake.receipt(runtime.keys.digest, problem.members["report_id"])
            again = _anew(runtime, unit, filled)
            return _form(runtime, site, form, again, 409, note="taken", first=first, files=len(sent.files))
        told = {"receipt": answer.body["receipt"], "again": answer.status == 200, "masked": masked}
        told |= {"files": kept, "missed": len(uploads) - kept}
        return site.page("taken.html", f"form/{unit}", answer.status, **told)

    @pages.get("/receipt")
    async def show_receipt(runtime: http.Serving, lang: Lang = None) -> Response:
        """The page on which somebody types a receipt."""
        site, _ = await _site(runtime, lang)
        return _receipt(site)

    @pages.post("/receipt")
    async def ask_receipt(runtime: http.Serving, request: Request, lang: Lang = None) -> Response:
        """Where the report with a receipt stands."""
        site, _ = await _site(runtime, lang)
        async with posted.posted(request, 0) as sent:
            return await _asked(runtime, request, site, dict(sent.fields).get("code", ""))

    @pages.post("/receipt/helpfulness")
    async def say_helpfulness(runtime: http.Serving, request: Request, lang: Lang = None) -> Response:
        """Whether the latest answer helped, once for each answer."""
        site, _ = await _site(runtime, lang)
        async with posted.posted(request, 0) as sent:
            given = dict(sent.fields)
        code, helps, reason = (given.get(name, "").strip() for name in ("code", "helps", "reason"))
        if helps not in ("yes", "no"):
            return await _asked(runtime, request, site, code, note="choose", status=422)
        try:
            command = JudgeAnswer(helps=helps == "yes", reason="\n".join(reason.splitlines()) or None)
            await receipts.judge(runtime, code, command)
        except ValidationError as error:
            raise malformed(error) from None
        except NotFound:
            return _unknown(runtime, request, site)
        except Rejected as problem:
            if problem.code not in ("answer-judged", "no-answer-yet"):
                raise
            return await _asked(runtime, request, site, code, note=problem.code, status=409)
        return await _asked(runtime, request, site, code, note="said")

    return pages


async def _site(runtime: Runtime, lang: str | None) -> tuple[Site, dict[str, Offered]]:
    must_be_known("lang", lang, get_args(Language))
    async with runtime.database.read() as connection:
        offices = await runtime.offices(connection)
        found = await offered.forms(connection, offices)
    return Site(runtime.settings, "en" if lang == "en" else "zh", offices), found


def _open(found: dict[str, Offered], site: Site, unit: str) -> Offered:
    """The form of a unit that takes reports. Raises `NotFound`: closed or never there is the same to the public."""
    if unit not in found or not found[unit].open:
        name = site.name_of(unit[:64])
        raise NotFound(f"{name!r} takes no reports by a form now", code="form-closed", unit=name)
    return found[unit]


def _token(runtime: Runtime, unit: str) -> str:
    return codec.token(unit, secrets.token_hex(_DIGITS), runtime.time_source.now(), runtime.keys.digest)


def _anew(runtime: Runtime, unit: str, form: Filled) -> Filled:
    """The same content in a new form."""
    return form._replace(token=_token(runtime, unit))


def _form(
    runtime: Runtime, site: Site, form: Offered, filled: Filled | None = None, status: int = 200, **more: Any
) -> Response:
    filled = filled or Filled(_token(runtime, form.unit), dict.fromkeys(LONGEST, ""))
    values = {"faults": {}, "note": "", "first": "", "unkept": "", "files": 0} | more
    return site.page(
        "form.html",
        f"form/{form.unit}",
        status,
        unit=form.unit,
        unit_name=site.name_of(form.unit),
        introduction=form.introduction,
        form=filled,
        longest=LONGEST,
        accept=",".join(evidence.MEDIA_TYPES),
        most_files=posted.FILES,
        megabytes=runtime.settings.evidence_limit // 1_000_000,
        **values,
    )


async def _kept(runtime: Runtime, address: str, files: Sequence[tuple[Any, str]]) -> list[evidence.Upload]:
    """The files as they are kept. Raises the problem of the first one that is not; then none is."""
    blobs, kept = blobs_of(runtime), list[evidence.Upload]()
    if not files:
        return kept
    settings = runtime.settings.model_copy(update={"evidence_pages": min(PAGES, runtime.settings.evidence_pages)})
    with runtime.part(Queue).place(address):
        try:
            for file, named in files:
                kind = _kind(contents.recognised(file) or named)
                sent = Sent(file, kind, None, None)
                kept.append(await evidence.keep(sent, None, blobs, settings, runtime.lists.telephones, threads=THREAD))
        except BaseException:
            blobs.delete([one.blob.file for one in kept])
            raise
    return kept


def _kind(kind: str) -> str:
    """The media type as which a file is judged."""
    known = list(evidence.MEDIA_TYPES)
    if kind not in known:
        raise UnsupportedMedia(f"evidence is one of {', '.join(known)}, not {kind[:60]}", known=known, kind=kind[:60])
    return kind


async def _taken(
    runtime: Runtime, site: Site, unit: str, filled: Filled, uploads: Sequence[evidence.Upload]
) -> tuple[Answer, int, int]:
    """The answer, how many places were masked, and how many files were added.

    A second sending adds what the first one could not. A file that surely no event names is deleted: no erasure would
    find it.
    """
    actor: Actor = codec.sender(unit)
    try:
        report = codec.report(filled, unit, site.language, runtime.time_source.now())
        prepared = intake.prepare(report, actor, runtime)
        answer = await runtime.part(intake.Together).receive(prepared, Caller(actor=actor))
    except BaseException:
        blobs_of(runtime).delete([one.blob.file for one in uploads])
        raise
    id_, added = answer.body["report_id"], 0
    try:
        for upload in uploads:
            key = f"form {filled.token} {upload.blob.sha256}"
            await additions.add(runtime, f"/form/{unit}", id_, Caller(actor=actor), upload, key)
            added += 1
    except Problem as problem:
        # The report is in, so its sender must get the receipt.
        logger.warning("form.files_not_added", report=id_, code=problem.code, files=len(uploads) - added)
    finally:
        # The file that failed is left: `add` deleted it if it surely failed, and the sweep finds it otherwise.
        blobs_of(runtime).delete([one.blob.file for one in uploads[added + 1 :]])
    return answer, sum(prepared.command.masked.values()), added


async def _asked(
    runtime: Runtime, request: Request, site: Site, code: str, note: str = "", status: int = 200
) -> Response:
    if not code.strip():
        return _receipt(site)
    try:
        found = await receipts.state(runtime, code[:200])
    except NotFound:
        return _unknown(runtime, request, site)
    at = site.moment
    told = {
        "state": found["state"],
        "received": at(found["received_at"]),
        "answers": [{"at": at(one["at"]), "helps": one["helps"]} for one in found["answers"]],
        "extensions": [one | {"due": at(one["due"]), "at": at(one["at"])} for one in found["extensions"]],
    }
    return _receipt(site, status, told=told, note=note, code=code)


def _must_not_flood(runtime: Runtime, request: Request, files: Sequence[tuple[Any, str]]) -> None:
    """Counts the bytes of the files. Raises `TooMany` for an address that sent too many."""
    size = sum(file.seek(0, os.SEEK_END) for file, _ in files)
    if size and (wait := runtime.part(Paces).bytes.wait(address_of(request), size)) is not None:
        detail = f"this address has sent many files; wait {wait} s"
        raise TooMany(detail, wait, code="form-too-many", seconds=wait)


def _unknown(runtime: Runtime, request: Request, site: Site) -> Response:
    """The answer to every code that no report has. A right code is answered even if many wrong ones came before."""
    if (wait := runtime.part(Paces).receipts.wait(address_of(request))) is None:
        return _receipt(site, 404, note="unknown")
    answer = _receipt(site, 429, note="too-many", wait=wait)
    answer.headers["Retry-After"] = str(wait)
    return answer


def _receipt(site: Site, status: int = 200, **more: Any) -> Response:
    values = {"told": None, "note": "", "code": "", "wait": 0} | more
    return site.page("receipt.html", "receipt", status, **values)
