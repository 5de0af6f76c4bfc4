"""The border to HTTP: strict JSON, problem details, who asks and under which conditions. The same for all services."""

import importlib
import re
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated, Any

import orjson
import structlog
from fastapi import APIRouter, Depends, FastAPI, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.kernel import metrics
from services.kernel.access import identity
from services.kernel.core.decider import Actor
from services.kernel.core.problems import (
    KINDS,
    Malformed,
    NotFound,
    NotJson,
    Problem,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnsupportedMedia,
)
from services.kernel.delivery import operations
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving.commands import Answer, Caller, Key, request_digest
from services.kernel.store import database

PROBLEM = "application/problem+json"
PROBLEM_SCHEMA = {
    "title": "Problem",
    "description": "Problem details (RFC 9457). `type` is stable; some problems have further members.",
    "type": "object",
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What was wrong and what to do."},
        "field": {"type": "string", "description": "The place in the request."},
        "version": {"type": "integer", "description": "The newest version, where another one was named."},
    },
    "required": ["type", "title", "status", "detail"],
}
MAX_DEPTH = 32
MAX_BODY = 1_000_000
AUTHOR_FIELDS = frozenset(
    {
        "author",
        "author_id",
        "author_name",
        "user",
        "user_id",
        "username",
        "nickname",
        "account",
        "account_id",
        "poster",
        "poster_id",
        "reporter",
        "name",
        "first_name",
        "last_name",
        "real_name",
        "phone",
        "mobile",
        "tel",
        "email",
        "e_mail",
        "wechat",
        "qq",
        "ip",
        "ip_address",
        "device",
        "device_id",
        "id_card",
        "id_number",
        "identity",
        "profile",
        "profile_url",
        "avatar",
        "petitioner",
        "student",
        "patient",
        "contact",
        "gender",
        "age",
        "address_home",
    }
)
_VERSION = re.compile(r'^(?:W/)?"?(\d{1,9})"?$')
_AFTER = re.compile(r"^([a-z]+-[0-9a-f-]{36})@(\d{1,9})$")
log = structlog.get_logger()


def parse_json(body: bytes) -> Any:
    """The JSON in a body, or `NotJson`/`Malformed` with what is wrong. Refuses deep nesting and null characters."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise NotJson(f"the body is not JSON in UTF-8: {error}") from None
    _check_value(value, "", 0)
    return value


def _check_value(value: Any, place: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise Malformed(f"the JSON is nested more than {MAX_DEPTH} deep", field=place or None)
    if isinstance(value, str):
        if "\x00" in value:
            raise Malformed(f"{place or 'the text'} holds a null character; send text without it", field=place or None)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if "\x00" in name:
                raise Malformed("a field name holds a null character", field=place or None)
            _check_value(inner, f"{place}.{name}" if place else name, depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _check_value(inner, f"{place}.{index}" if place else str(index), depth + 1)


async def read_body(request: Request, limit: int = MAX_BODY) -> bytes:
    """The whole body, or `TooLarge` as soon as it is known to be larger."""
    told = request.headers.get("content-length", "")
    if told.isdigit() and int(told) > limit:
        raise TooLarge(f"the body has {told} bytes; at most {limit} are taken")
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise TooLarge(f"the body has more than {limit} bytes")
        parts.append(part)
    return b"".join(parts)


class _StrictRequest(Request):
    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            self._body = await read_body(self)
        return self._body

    async def json(self) -> Any:
        return parse_json(await self.body())


class StrictRoute(APIRoute):
    """A route whose JSON is read by `parse_json` within the size limit."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        takes_json = self.body_field is not None

        async def handle(request: Request) -> Response:
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if takes_json and kind and kind != "application/json" and not kind.endswith("+json"):
                raise UnsupportedMedia(f"send application/json, not {kind}")
            try:
                return await handler(_StrictRequest(request.scope, request.receive))
            except HTTPException as error:
                # FastAPI wraps whatever reading the body raises in a bare 400.
                if isinstance(error.__cause__, Problem):
                    raise error.__cause__ from None
                raise

        return handle


def router(prefix: str, tag: str) -> APIRouter:
    """A router of a service, with strict bodies and the problems of the design in its OpenAPI."""
    problems: dict[int | str, dict[str, Any]] = {
        kind.status: {
            "description": kind.title,
            "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for kind in KINDS
    }
    return APIRouter(prefix=prefix, tags=[tag], route_class=StrictRoute, responses=problems, strict_content_type=False)


def problem_response(problem: Problem) -> Response:
    """RFC 9457."""
    headers = {}
    if isinstance(problem, Unavailable):
        headers["Retry-After"] = str(problem.retry_after)
    if isinstance(problem, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    return Response(orjson.dumps(problem.body()), problem.status, headers, PROBLEM)


def malformed(error: RequestValidationError | Any) -> Malformed:
    """A validation error as one sentence; an author's field gets its own, since none is ever taken."""
    errors = error.errors()
    first = errors[0]
    places = [".".join(str(part) for part in item["loc"] if part not in ("body", "query", "path")) for item in errors]
    for item, place in zip(errors, places, strict=True):
        if item["type"] == "extra_forbidden":
            name = str(item["loc"][-1])
            if name.lower() in AUTHOR_FIELDS:
                return Malformed(f"{place} is not taken: no identity of who wrote or reported is kept", field=place)
            return Malformed(f"{place} is not a field here; leave it out", field=place)
    message = str(first["msg"]).removeprefix("Value error, ")
    return Malformed(f"{places[0] or 'the body'}: {message}", field=places[0] or None)


def stream_id(kind: str) -> Callable[[str], str]:
    """A dependency that takes `id` from the path: the id of a stream of this kind. Anything else is 404."""
    pattern = re.compile(rf"{kind}-[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}")

    def checked(id: str) -> str:
        if not pattern.fullmatch(id):
            raise NotFound(f"there is no {kind} {id[:60]!r}")
        return id

    return checked


def signed_in(request: Request) -> Actor:
    """The staff member's post, from the bearer token."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("send Authorization: Bearer with a staff token")
    return identity.staff_of(request.app.state.secret, token.strip())


Staff = Annotated[Actor, Depends(signed_in)]


async def caller(
    request: Request,
    actor: Staff,
    if_match: Annotated[str | None, Header()] = None,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
    huiying_after: Annotated[str | None, Header()] = None,
) -> Caller:
    """Who asks and under which conditions, for commands of staff."""
    return await conditions(request, actor, if_match, idempotency_key, huiying_after)


async def conditions(
    request: Request, actor: Actor, if_match: str | None, idempotency_key: str | None, huiying_after: str | None
) -> Caller:
    """The conditions of a command from its headers. Raises `Malformed` with the header's name."""
    version = after = key = None
    if if_match is not None:
        found = _VERSION.match(if_match.strip())
        if not found:
            raise Malformed('If-Match takes one version, 7 or "7"', field="If-Match")
        version = int(found[1])
    if huiying_after is not None:
        found = _AFTER.match(huiying_after.strip())
        if not found:
            raise Malformed("Huiying-After takes stream@version", field="Huiying-After")
        after = (found[1], int(found[2]))
    if idempotency_key is not None:
        key = Key(idempotency_key, request_digest(request.method, request.url.path, await request.body()))
    return Caller(actor=actor, version=version, key=key, after=after)


Command = Annotated[Caller, Depends(caller)]


def reply(answer: Answer) -> Response:
    """A command's answer, with its version as `ETag`."""
    headers = {} if answer.version is None else {"ETag": f'"{answer.version}"'}
    return Response(orjson.dumps(answer.body), answer.status, headers, "application/json")


def json_response(body: Any, *, version: int | None = None, status: int = 200) -> Response:
    """A plain JSON answer."""
    headers = {} if version is None else {"ETag": f'"{version}"'}
    return Response(orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS), status, headers, "application/json")


class _Measure:
    """Times requests; plain ASGI, so that streams pass untouched."""

    def __init__(self, app: ASGIApp, services: Sequence[str]) -> None:
        self._app, self._services = app, services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, observed)
        finally:
            first = scope["path"].split("/")[1]
            name = first if first in self._services else self._services[0]
            metrics.REQUESTS.labels(name, scope["method"], status).observe(time.perf_counter() - began)


class _Application(FastAPI):
    """Brings the schema of problem details, which every operation of `router` names."""

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        document.setdefault("components", {}).setdefault("schemas", {}).setdefault("Problem", PROBLEM_SCHEMA)
        return document


def application(runtimes: Sequence[Runtime], *, title: str, secret: bytes) -> FastAPI:
    """One HTTP application for one service, or for all of them embedded."""
    app = _Application(title=title, version="1", docs_url=None, redoc_url=None)
    app.state.secret = secret
    app.state.runtimes = tuple(runtimes)

    @app.exception_handler(Problem)
    async def _problem(request: Request, problem: Problem) -> Response:
        return problem_response(problem)

    @app.exception_handler(RequestValidationError)
    async def _validation(request: Request, error: RequestValidationError) -> Response:
        return problem_response(malformed(error))

    @app.exception_handler(DBAPIError)
    async def _database(request: Request, error: DBAPIError) -> Response:
        return problem_response(database.translate(error))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        kind = next((kind for kind in KINDS if kind.status == error.status_code), None)
        if kind is not None:
            return problem_response(kind(str(error.detail)))
        body = {"type": "about:blank", "title": str(error.detail), "status": error.status_code}
        return Response(orjson.dumps(body), error.status_code, error.headers, PROBLEM)

    @app.exception_handler(Exception)
    async def _defect(request: Request, error: Exception) -> Response:
        log.error("request.failed", path=request.url.path, error=repr(error), exc_info=error)
        return problem_response(
            Problem("the service has a defect here; it was logged. Nothing of the request was kept")
        )

    app.add_middleware(_Measure, services=[runtime.service.name for runtime in runtimes])

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> Response:
        """Whether the process answers."""
        return json_response({"status": "ok"})

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        """Whether commands would be taken now; says which service would not, and what waits for a person."""
        state: dict[str, Any] = {}
        status = 200
        for runtime in runtimes:
            try:
                await runtime.ready_to_serve()
                state[runtime.service.name] = await operations.attention(runtime)
            except Problem as problem:
                state[runtime.service.name] = problem.detail
                status = 503
            except (DBAPIError, OSError) as error:
                state[runtime.service.name] = f"the store cannot be reached: {type(error).__name__}"
                status = 503
        return json_response({"status": "ok" if status == 200 else "unavailable", "services": state}, status=status)

    @app.get("/metrics", include_in_schema=False)
    async def prometheus() -> Response:
        """Prometheus' text format; what waits for a person is read from the stores, whichever process put it there."""
        for runtime in runtimes:
            try:
                waiting = await operations.attention(runtime)
            except (DBAPIError, OSError):
                continue
            for kind, count in waiting.items():
                metrics.ATTENTION.labels(runtime.service.name, kind).set(count)
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    for runtime in runtimes:
        for module in runtime.service.apis:
            app.include_router(importlib.import_module(module).router(runtime))
    return app
