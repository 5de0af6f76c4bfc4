"""The console, joined: pages, the check of every form, what a page shows when a service is down."""

import hmac
import importlib
from collections.abc import Awaitable, Callable
from urllib.parse import unquote_to_bytes

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Scope

from services.console import page
from services.console.access.sessions import digest
from services.console.calls import Down, Refused
from services.console.labels import PARTS
from services.console.site import HOME, SignedOut, Site, language, problem_of, session_of
from services.console.words import N_, translations
from services.kernel.core.problems import Problem
from services.kernel.core.texts import check_text, decoded
from services.kernel.serving.bodies import read_body
from services.kernel.serving.documents import NO_TELEMETRY

PAGES = (
    "access.entering",
    "access.sso",
    "worklist.desk",
    "matters.timeline",
    "worklist.live",
    "worklist.register",
    "worklist.supervision",
    "record.findings",
    "record.review",
    "record.archives",
    "record.log",
    "record.matters",
    "record.readings",
    "record.inspections",
    "record.referrals",
    "record.drills",
    "record.trainings",
    "matters.press",
    "matters.matter",
    "matters.report",
    "matters.evidence",
    "matters.channels",
    "matters.files",
    "matters.statement",
    "numbers.statistics",
    "rosters.duty",
    "rosters.notices",
    "rosters.periods",
    "matters.paper",
    "worklist.finding",
    "packs.rules",
    "packs.drafting",
    "operations.repairs",
    "operations.integrations",
    "operations.imports",
    "operations.subscriptions",
    "operations.public_forms",
    "operations.mailboxes",
    "access.people",
    "offices.units",
    "offices.setup",
    "offices.tour",
    "operations.health",
)
"""The modules of the pages."""
SAFE = ("GET", "HEAD", "OPTIONS")
OPEN = ("/sign-in", "/first-run", "/language")
"""Forms before a session has a word of its own. Their origin is checked all the same."""
SIGNED = "/provider/sign-out"
"""What the provider itself sends. Its signature stands for the origin."""
UNREADABLE = N_("提交的内容不完整，或有不能保存的字符。请改正后再提交。")
FAULT = N_("这是系统的差错，已经记入日志。请告诉系统管理员现在的时间和这一页的名称。")
LONGEST = 2_000_000
"""Bytes of a form. A Chinese character has nine."""
FILED = ("/evidence", "/evidence/cover", "/evidence/preview", "/files", "/imports")
"""The ends of paths to which files go."""
LONGEST_FILES = 100_000_000
"""Bytes of a form with files, of somebody who signed in."""
KINDS = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
logger = structlog.get_logger()


def application(site: Site) -> FastAPI:
    """The console as an application, below `/console`."""
    app = FastAPI(title="Huiying console", openapi_url=None, redirect_slashes=False, telemetry=NO_TELEMETRY)
    app.state.site = site

    @app.middleware("http")
    async def guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        """A form comes from our own page, and carries the word of its session."""
        if request.method not in SAFE and (problem := await _unreadable(request)):
            title, told = N_("这个请求没有被接受"), translations(language(request)).gettext(problem[1])
            return await page.render(request, "refused.html", problem[0], title=title, told=told)
        is_form = request.method not in SAFE and request.scope["path"] != HOME + SIGNED
        if is_form and not (_is_own(request, site) and await _has_word(request, site)):
            logger.warning("console.foreign_form", path=request.scope["path"])
            told = translations(language(request)).gettext(N_("请回到上一页，刷新后再提交。"))
            return await page.render(request, "refused.html", 403, title=N_("这个表单已失效"), told=told)
        answer = await call_next(request)
        for name, value in page.HEADERS.items():
            answer.headers.setdefault(name, value)
        return answer

    @app.exception_handler(SignedOut)
    async def _signed_out(request: Request, problem: SignedOut) -> Response:
        return page.go(problem.to.removeprefix(f"{HOME}/"))

    @app.exception_handler(Down)
    async def _down(request: Request, problem: Down) -> Response:
        is_kept = request.method == "POST" and await site.keep(request)
        return await page.render(request, "down.html", 503, service=PARTS[problem.service], is_kept=is_kept)

    @app.exception_handler(Refused)
    async def _refused(request: Request, problem: Refused) -> Response:
        status = problem.answer.status
        title = N_("没有这一页，或本岗位无权查看") if status in (403, 404) else N_("这个请求没有被接受")
        return await page.render(
            request,
            "refused.html",
            status,
            title=title,
            told=problem_of(problem.answer, getattr(request.state, "staff", None)),
        )

    @app.exception_handler(HTTPException)
    async def _missing(request: Request, problem: HTTPException) -> Response:
        title = N_("没有这一页，或本岗位无权查看") if problem.status_code == 404 else N_("这个请求没有被接受")
        return await page.render(request, "refused.html", problem.status_code, title=title, told="")

    @app.exception_handler(RequestValidationError)
    async def _incomplete(request: Request, problem: RequestValidationError) -> Response:
        """A parameter of the address is missing or wrong."""
        return await page.render(request, "refused.html", 404, title=N_("没有这一页，或本岗位无权查看"), told="")

    @app.exception_handler(Exception)
    async def _failed(request: Request, problem: Exception) -> Response:
        """A fault of the console itself. The server logs it with its trace."""
        told = translations(language(request)).gettext(FAULT)
        return await page.render(request, "refused.html", 500, title=N_("这一页打不开"), told=told)

    @app.get(f"{HOME}/static/{{version}}/{{name}}")
    async def file(version: str, name: str) -> Response:
        """Styles and scripts. Their address changes with their content."""
        if name not in page.STATIC or page.static(name) != f"{HOME}/static/{version}/{name}":
            raise HTTPException(404)
        kind = KINDS[name.rpartition(".")[2]]
        kept = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(page.content(name), headers=kept, media_type=f"{kind}; charset=utf-8")

    for name in PAGES:
        app.include_router(importlib.import_module(f"services.console.{name}").router(site), prefix=HOME)
    return app


async def unreadable(app: FastAPI, scope: Scope, problem: Problem) -> Response:
    """The page for an address or a header with null characters or bytes that are not UTF-8. It shows none of them."""
    request = Request({**scope, "app": app, "path": HOME, "raw_path": HOME.encode(), "query_string": b""})
    told = translations(language(request)).gettext(
        N_("地址里有不能识别的字符。请从页面上的链接打开；粘贴来的地址请对照原文重新输入。")
    )
    answer = await page.render(request, "refused.html", problem.status, title=N_("这个地址读不出"), told=told)
    for name, value in page.HEADERS.items():
        answer.headers.setdefault(name, value)
    return answer


async def _unreadable(request: Request) -> tuple[int, str] | None:
    """The status and the sentence of a form that no page, store or service could take whole; None for all others."""
    try:
        has_files = request.scope["path"].endswith(FILED) and await session_of(request) is not None
        body = await read_body(request, LONGEST_FILES if has_files else LONGEST)
        request._body = body  # noqa: SLF001, for whoever reads the form after this
        if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            decoded(unquote_to_bytes(body.replace(b"+", b" ")), "form")
        async with request.form() as form:
            for text in (text for pair in form.multi_items() for text in pair if isinstance(text, str)):
                check_text(text, "form")
                text.encode()
    except Problem as problem:
        return problem.status, N_("内容太长，请缩短后再提交。") if problem.status == 413 else UNREADABLE
    except (HTTPException, UnicodeEncodeError):
        return 400, UNREADABLE
    return None


def _is_own(request: Request, site: Site) -> bool:
    """Whether the browser says that the form is of our own page."""
    if told := request.headers.get("sec-fetch-site"):
        return told == "same-origin"
    origin = request.headers.get("origin")
    own = {site.settings.public_url.rstrip("/"), f"{request.url.scheme}://{request.headers.get('host', '')}"}
    return origin is not None and origin in own


async def _has_word(request: Request, site: Site) -> bool:
    if request.scope["path"].removeprefix(HOME).startswith(OPEN):
        return True
    session = request.cookies.get(site.cookie)
    if not session:
        return True
    async with request.form() as form:
        given = request.headers.get("x-csrf") or str(form.get("csrf", ""))
    return hmac.compare_digest(given.encode(), site.csrf(digest(session)).encode())
