"""The files of a report: what is there, and adding more by choice, paste or drop."""

import secrets
from hashlib import sha256
from urllib.parse import quote

import structlog
from fastapi import APIRouter, Request, Response
from starlette.datastructures import UploadFile

from schemas.problems import PREFIX
from services.console.calls import Answer, Refused
from services.console.page import HEADERS, MOST_PURPOSE, go, reader, render
from services.console.site import Id, Signed, Site, problem_of
from services.console.words import N_

MOST = 10
"""Files that a person adds at once."""
REUSED = f"{PREFIX}idempotency-key-reused"
"""What ingest says of a file that this form added before with another note."""
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
                    files={"file": (file.filename, content, file.content_type or "application/octet-stream")},
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
