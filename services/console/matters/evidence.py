"""The files of a report: what is there, and adding more by choice, paste or drop."""

import json
import secrets
from collections.abc import Mapping, Sequence
from hashlib import sha256
from urllib.parse import quote

import structlog
from fastapi import APIRouter, Request, Response
from starlette.datastructures import FormData, UploadFile

from schemas.problems import PREFIX
from services.console.calls import Answer, Refused
from services.console.page import HEADERS, MOST_PURPOSE, go, reader, render
from services.console.site import Id, Signed, Site, problem_of
from services.console.words import N_
from services.kernel.uploads import contents

MOST = 10
"""Files that a person adds at once."""
REUSED = f"{PREFIX}idempotency-key-reused"
"""What ingest says of a file that this form added before with another note."""
PLACES = ("x", "y", "w", "h", "on")
ROWS = 6
"""Rows for boxes that the page has without script."""
BELOW = {
    "face": N_("脸、头像"),
    "name": N_("姓名、昵称"),
    "number": N_("号码、车牌、账号"),
    "address": N_("住址"),
    "signature": N_("签名、印章"),
    "minor": N_("未成年人"),
    "other": N_("其他"),
}
Box = Mapping[str, str]
"""A box as it was typed; `on` is its page."""
logger = structlog.get_logger()


def router(site: Site) -> APIRouter:
    """The pages of evidence."""
    pages = APIRouter()

    @pages.get("/reports/{id}/evidence")
    async def show(request: Request, me: Signed, id: Id) -> Response:
        """The files of a report."""
        return await _page(request, me, id)

    @pages.post("/reports/{id}/evidence")
    async def attach(request: Request, me: Signed, id: Id) -> Response:
        """Adds files one after the other. What was added before a refusal stays, and the page says which file it is.

        The form that comes back has the same key: a file that is sent with it once more is not stored a second time.
        """
        look = await reader(request)
        async with request.form() as sent:
            note = str(sent.get("note", "")).strip()
            files = [one for one in sent.getlist("file") if isinstance(one, UploadFile) and one.filename]
            if not files or len(files) > MOST:
                told = look.gettext(N_("请选择文件，一次最多 %(most)d 个")) % {"most": MOST}
                return await _page(request, me, id, 422, told, note)
            key, again = str(sent.get("form.key", "")), False
            for at, file in enumerate(files):
                content = await file.read()
                answer = await me.calls.send(
                    "POST",
                    f"/ingest/v1/reports/{id}/evidence",
                    files={"file": ("file", content, _type_of(file))},
                    data={"note": note} if note else None,
                    headers={"Idempotency-Key": f"{key}-{sha256(content).hexdigest()}"},
                )
                if answer.body.get("type") == REUSED:
                    again = True
                elif not answer.ok:
                    told = look.gettext(N_("“%(file)s”没有存入：%(why)s 在它之前的 %(count)d 个已存入。"))
                    told %= {"file": file.filename, "why": problem_of(answer, me), "count": at}
                    return await _page(request, me, id, answer.status, told, note, key)
        return go(f"reports/{id}/evidence?done={'again' if again else 'yes'}")

    @pages.get("/reports/{id}/evidence/cover")
    async def covering(request: Request, me: Signed, id: Id) -> Response:
        """The page on which a picture is covered before it is stored."""
        return await _covering(request, id)

    @pages.post("/reports/{id}/evidence/cover")
    async def cover(request: Request, me: Signed, id: Id) -> Response:
        """Stores a file with the boxes of the form. A refusal brings them back; the file is chosen again."""
        look = await reader(request)
        async with request.form() as sent:
            typed, note, key = _boxes(sent), str(sent.get("note", "")).strip(), str(sent.get("form.key", ""))
            file = sent.get("file")
            if not isinstance(file, UploadFile) or not file.filename:
                return await _covering(request, id, 422, look.gettext(N_("请选择文件。")), typed, note)
            data = {"redactions": _redactions(typed)} | ({"note": note} if note else {})
            answer = await me.calls.send(
                "POST",
                f"/ingest/v1/reports/{id}/evidence",
                files={"file": ("file", await file.read(), _type_of(file))},
                data=data,
                headers={"Idempotency-Key": key},
            )
        if not answer.ok:
            return await _covering(request, id, answer.status, problem_of(answer, me), typed, note)
        return go(f"reports/{id}/evidence?done=yes")

    @pages.post("/reports/{id}/evidence/preview")
    async def preview(request: Request, me: Signed, id: Id) -> Response:
        """The picture, or a page of a document, as the server would store it. Nothing is stored."""
        look = await reader(request)
        async with request.form() as sent:
            typed, file = _boxes(sent), sent.get("file")
            if not isinstance(file, UploadFile) or not file.filename:
                return await _covering(request, id, 422, look.gettext(N_("请选择文件。")), typed)
            answer = await me.calls.fetch(
                f"/ingest/v1/reports/{id}/evidence/preview",
                method="POST",
                files={"file": ("file", await file.read(), _type_of(file))},
                data={"redactions": _redactions(typed), "page": str(sent.get("page", "")).strip() or "1"},
            )
        if answer.status_code != 200:
            refused = Answer(answer.status_code, answer.json())
            return await _covering(request, id, answer.status_code, problem_of(refused, me), typed)
        return Response(answer.content, headers={**HEADERS, "Content-Type": answer.headers["content-type"]})

    @pages.get("/reports/{id}/evidence/{file}")
    async def fetch(me: Signed, id: Id, file: Id, purpose: str = "") -> Response:
        """A file, to save. It is never shown as a page of the console."""
        asked = f"?purpose={quote(purpose.strip()[:MOST_PURPOSE])}" if purpose.strip() else ""
        answer = await me.calls.fetch(f"/ingest/v1/reports/{id}/evidence/{file}{asked}")
        if answer.status_code != 200:
            raise Refused(Answer(answer.status_code, answer.json()))
        kept = ("content-type", "content-disposition")
        told = {name: answer.headers[name] for name in kept if name in answer.headers}
        return Response(answer.content, headers={**HEADERS, **told})

    async def _page(
        request: Request,
        me: Signed,
        id: str,
        status: int = 200,
        error: str | None = None,
        note: str = "",
        key: str = "",
    ) -> Response:
        purpose = request.query_params.get("purpose", "").strip()[:MOST_PURPOSE]
        one = await me.calls.get(f"/ingest/v1/reports/{id}", purpose=purpose)
        return await render(
            request,
            "evidence.html",
            status,
            one=one,
            purpose=purpose,
            error=error,
            note=note,
            done=request.query_params.get("done", ""),
            most=MOST,
            key=key or secrets.token_urlsafe(18),
        )

    return pages


async def _covering(
    request: Request, id: str, status: int = 200, error: str = "", typed: Sequence[Box] = (), note: str = ""
) -> Response:
    look = await reader(request)
    empty = dict.fromkeys(PLACES, "") | {"reason": "other"}
    return await render(
        request,
        "redact.html",
        status,
        id=id,
        error=error,
        note=note,
        boxes=[*typed, *([empty] * max(1, ROWS - len(typed)))],
        reasons=[(value, look.gettext(said)) for value, said in BELOW.items()],
        key=secrets.token_urlsafe(18),
    )


def _boxes(sent: FormData) -> list[Box]:
    """The boxes of a form, as they were typed, without those in which nothing was."""
    columns = [[str(one).strip() for one in sent.getlist(f"box.{name}")] for name in (*PLACES, "reason")]
    rows = [dict(zip((*PLACES, "reason"), row, strict=False)) for row in zip(*columns, strict=False)]
    return [row for row in rows if any(row[name] for name in ("x", "y", "w", "h"))]


def _redactions(typed: Sequence[Box]) -> str:
    """The boxes as ingest takes them. What is no number goes as it is, and ingest says so."""
    named = {"on": "page"}
    told = [
        {
            named.get(name, name): int(text) if text.isdecimal() and len(text) < 10 else text
            for name, text in box.items()
            if text
        }
        for box in typed
    ]
    return json.dumps(told)


def _type_of(file: UploadFile) -> str:
    """The type of a file by its content. Browsers name none for HEIC, and some make one up."""
    shown = contents.recognised(file.file)
    file.file.seek(0)
    return shown or file.content_type or "application/octet-stream"
