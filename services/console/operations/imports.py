"""Files of reports: which were sent and what became of their rows; a trial, and sending one.

While a large file goes over, the page that comes grows by a line a second. So it works without script.
"""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Request, Response
from markupsafe import Markup
from starlette.datastructures import FormData, UploadFile

from services.console.access.staff import Staff
from services.console.calls import Answer, Down, parts
from services.console.page import HEADERS, Reader, environment, reader, render
from services.console.site import Signed, Site, problem_of
from services.console.verbs import told_of
from services.console.words import N_
from services.kernel.serving import sheets
from services.kernel.serving.refused import tables
from services.kernel.serving.streams import Streamed

IMPORTS = "/ingest/v1/imports"
MOST = 500
"""Refused rows that a page shows. The tables on the page have all that came."""
LINK = 1_500_000
"""Bytes of a table in a link. Browsers take an address of two million characters, and four stand for three bytes."""
HERE = Markup("<!--here-->")
"""Where the page goes on when more is known."""
SOON = 1.0
"""Seconds for which the page waits whether the file is done, and from one line of progress to the next."""
PIECE = 65_536
HTML = "text/html; charset=utf-8"


@dataclass(slots=True)
class Sending:
    """A file on its way, and what came back."""

    file: UploadFile
    sent: int = 0
    """The bytes that ingest has taken, about. It takes rows in while it reads, and does not read ahead."""
    began: dict[str, Any] = field(default_factory=dict)
    ended: dict[str, Any] | None = None
    samples: list[dict[str, Any]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    answer: Answer | None = None
    """The refusal of the file."""

    async def pieces(self) -> AsyncIterator[bytes]:
        """The file."""
        while piece := await self.file.read(PIECE):
            yield piece
            self.sent += len(piece)

    async def go(self, me: Staff, asked: Mapping[str, str], own: str) -> None:
        """Sends the file and reads the answer. Raises `Down`."""
        if own:
            parts_ = {"mapping": (None, own), "file": (self.file.filename, _Counted(self))}
            answer = await me.calls.lines(IMPORTS, params=asked, files=parts_)
        else:
            answer = await me.calls.lines(IMPORTS, params=asked, content=self.pieces())
        if isinstance(answer, Answer):
            self.answer = answer
            return
        async for line in answer:
            self._take(line, me)

    def _take(self, line: Mapping[str, Any], me: Staff) -> None:
        match line:
            case {"began": began}:
                self.began = began
            case {"sample": sample}:
                self.samples.append(sample)
            case {"refused": row}:
                self.refused.append({**row, "why": problem_of(Answer(422, row["problem"]), me)})
            case {"ended": ended}:
                why = problem_of(Answer(422, ended["problem"]), me) if ended.get("problem") else ""
                self.ended = {**ended, "why": why}


class _Counted:
    """The file for a form. What was read of it before counts as sent."""

    def __init__(self, sending: Sending) -> None:
        self._sending, self._file = sending, sending.file.file

    def read(self, size: int = -1) -> bytes:
        self._sending.sent = self._file.tell()
        return self._file.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def router(site: Site) -> APIRouter:
    """The pages of imports."""
    pages = APIRouter()

    @pages.get("/imports")
    async def show(request: Request, me: Signed, cursor: str = "") -> Response:
        """The imports of the unit and of those below it, for its administrators, and the form for duty officers."""
        return await _page(request, me, {"unit": me.unit, "dry_run": "yes"}, cursor=cursor)

    @pages.post("/imports")
    async def take(request: Request, me: Signed) -> Response:
        """Sends a file, or tries it."""
        form = await request.form()
        answer = await _taken(request, me, form)
        if not isinstance(answer, Streamed):
            await form.close()
        return answer

    async def _taken(request: Request, me: Staff, form: FormData) -> Response:
        look = await reader(request)
        typed = {name: str(form.get(name, "")).strip() for name in ("unit", "mapping", "own", "dry_run")}
        file = form.get("file")
        if not isinstance(file, UploadFile) or not file.filename:
            return await _page(request, me, typed, 422, error=look.gettext(N_("请选择要导入的文件。")))
        asked = {"unit": typed["unit"], "dry_run": "true" if typed["dry_run"] else "false"}
        if not typed["own"]:
            asked["mapping"] = typed["mapping"]
        sending = Sending(file)
        going = asyncio.create_task(sending.go(me, asked, typed["own"].replace("\r\n", "\n")))
        frame = await render(request, "import_run.html", name=file.filename, goes_on=HERE, tries=bool(typed["dry_run"]))
        if not (await asyncio.wait({going}, timeout=SOON))[0]:
            pieces = _growing(bytes(frame.body).decode(), sending, going, look, me)
            told = {**HEADERS, "X-Accel-Buffering": "no"}
            return Streamed(pieces, close=form.close, media_type=HTML, headers=told)
        try:
            going.result()
        except Down as down:
            return await _page(request, me, typed, 503, error=told_of(down, look))
        if sending.answer is not None:
            return await _page(request, me, typed, sending.answer.status, error=problem_of(sending.answer, me))
        shown = bytes(frame.body).decode().replace(HERE, _result(sending, look))
        return Response(shown, media_type=HTML, headers=HEADERS)

    async def _page(
        request: Request,
        me: Staff,
        typed: Mapping[str, str],
        status: int = 200,
        *,
        cursor: str = "",
        error: str | None = None,
    ) -> Response:
        below = me.offices.below(me.unit)
        runs, mappings = await parts(
            me.calls.get(IMPORTS, limit=50, cursor=cursor), me.calls.get(f"{IMPORTS}/mappings")
        )
        return await render(
            request,
            "imports.html",
            status,
            runs=runs,
            mappings=mappings,
            units=[(code, me.offices.unit(code)) for code in me.offices.units if code in below],
            typed={"mapping": "", "own": "", **typed},
            error=error,
        )

    return pages


async def _growing(
    page: str, sending: Sending, going: asyncio.Task[None], look: Reader, me: Staff
) -> AsyncIterator[str]:
    """The page in pieces: what it begins with, a line a second, and the result."""
    progress = environment(look.language).get_template("import_progress.html")
    head, _, tail = page.partition(HERE)
    yield head
    try:
        while not (await asyncio.wait({going}, timeout=SOON))[0]:
            yield progress.render(sent=sending.sent, size=sending.file.size or 0)
        try:
            going.result()
            told = problem_of(sending.answer, me) if sending.answer else ""
        except Down as down:
            told = told_of(down, look)
        yield _result(sending, look, told)
        yield tail
    finally:
        going.cancel()


def _result(sending: Sending, look: Reader, told: str = "") -> str:
    rows = [(row, row["why"]) for row in sending.refused]
    notes = (look.gettext(N_("原来的行")), look.gettext(N_("退回原因")))
    saved = list(tables(sending.began, rows, notes, LINK)) if rows else []
    kind = sheets.KIND.replace(" ", "")
    return (
        environment(look.language)
        .get_template("import_ended.html")
        .render(
            one=sending,
            told=told,
            refused=sending.refused[:MOST],
            hidden=max(0, len(sending.refused) - MOST),
            files=[f"data:{kind};base64,{b64encode(text.encode()).decode()}" for _, text in saved],
            too_long=len(rows) - sum(count for count, _ in saved),
            reader=look,
        )
    )
