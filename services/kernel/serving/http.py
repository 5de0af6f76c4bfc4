"""The border to HTTP: strict JSON, problem details, callers and conditions. It is the same for all services."""

import asyncio
import importlib
import inspect
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, FastAPI, Header, Path, Request, Response
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.params import Query
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.exc import DBAPIError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas.fields import UUID
from services.kernel import metrics
from services.kernel.access.signing import PublicKeys
from services.kernel.core import traces
from services.kernel.core.decider import Actor
from services.kernel.core.problems import (
    Forbidden,
    Malformed,
    NotAllowed,
    NotFound,
    Problem,
    UnsupportedMedia,
)
from services.kernel.delivery import operations
from services.kernel.delivery.runtime import Runtime
from services.kernel.delivery.tracing import ASKED, Asked
from services.kernel.serving import documents, idempotency, records
from services.kernel.serving.bodies import StrictRequest, Timed, Unpacked
from services.kernel.serving.commands import Answer, Caller
from services.kernel.serving.documents import Application, DescribedRoute
from services.kernel.serving.gate import Gate, Plain
from services.kernel.serving.gauges import LOOK_SECONDS, Gauges
from services.kernel.serving.idempotency import Key
from services.kernel.serving.problems import language_of, problem_response
from services.kernel.serving.sign_in import Failures, StaffTokens, signed_in
from services.kernel.serving.validation import malformed
from services.kernel.store import failures
from services.kernel.tasks import side_by_side

DOCUMENTS = "/openapi.json"
"""The path of the API's documents."""
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_VERSION = re.compile(r'^"?(\d{1,9})"?$')
_CODING = re.compile(r'-(?:gzip|br)"$')
_AFTER = re.compile(rf"^([a-z]+-{UUID})@(\d{{1,9}})$")


class StrictRoute(DescribedRoute):
    """A route that knows the caller before it reads the body, and reads JSON by `parse_json` within the size limit."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        takes_json = self.body_field is not None
        known = sorted(one.alias for one in get_flat_params(self.dependant) if isinstance(one.field_info, Query))

        sign_in = documents.sign_in_of(self.dependant)

        async def handle(request: Request) -> Response:
            if sign_in is not None:
                await sign_in(request)
            _check_parameters(request, known)
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if takes_json and kind and kind != "application/json" and not kind.endswith("+json"):
                raise UnsupportedMedia(f"send application/json, not {kind}", known=["application/json"], kind=kind)
            try:
                answer = await handler(StrictRequest(request.scope, request.receive))
            except HTTPException as error:
                # FastAPI turns any error from reading the body into a bare 400.
                if isinstance(error.__cause__, Problem):
                    raise error.__cause__ from None
                raise
            if sign_in is not None:
                answer.headers["Cache-Control"] = "no-store"
            return answer

        return handle


def _check_parameters(request: Request, known: Sequence[str]) -> None:
    """Raises if a query parameter would be ignored: because it is unknown, or because it stands twice."""
    if not request.scope["query_string"]:
        return
    seen = set()
    for name, _ in request.query_params.multi_items():
        if name not in known:
            there = f"there are {', '.join(known)}" if known else "there is none here"
            raise Malformed(
                f"{name[:60]} is no parameter; {there}", code="parameter-unknown", field=name[:60], known=known
            )
        if name in seen:
            raise Malformed(f"the parameter {name} stands twice; send it once", code="parameter-twice", field=name)
        seen.add(name)


def router(prefix: str, tag: str, route_class: type[DescribedRoute] = StrictRoute) -> APIRouter:
    """A router of a service. Each operation has a description, and bodies are strict by default."""
    return APIRouter(
        prefix=prefix,
        tags=[tag],
        route_class=route_class,
        strict_content_type=False,
        generate_unique_id_function=documents.operation_id,
    )


def stream_id(kind: str) -> Callable[..., Coroutine[Any, Any, str]]:
    """A dependency that takes `id` from the path: the id of a stream of this kind, or its number. Others get 404."""
    pattern, either = re.compile(f"{kind}-{UUID}"), " or its number" if kind in records.NUMBERED else ""

    async def checked(
        request: Request,
        id: Annotated[str, Path(description=f"The {kind}'s id, `{kind}-` and a UUID{either and f',{either}'}.")],
    ) -> str:
        found = id if pattern.fullmatch(id) else await records.find(asked(request), kind, id)
        if found is None:
            raise NotFound(f"there is no {kind} {id[:60]!r}", what=id[:60])
        return found

    return checked


def asked(request: Request) -> Runtime:
    """The service of a path; of a path that no service has, the first one."""
    of_paths: Mapping[str, Runtime] = request.app.state.of_paths
    return of_paths.get(_first(request.scope["path"]), next(iter(of_paths.values())))


async def _asked(request: Request) -> Runtime:
    return asked(request)


def _first(path: str) -> str:
    return path.lstrip("/").partition("/")[0]


Serving = Annotated[Runtime, Depends(_asked)]
"""The service that answers. Routes are made once for each process, so they hold no runtime."""
Staff = Annotated[Actor, Depends(signed_in)]
IfMatch = Annotated[
    str | None,
    Header(description='The `revision` that you saw, `3` or `"3"`. If it is not the newest, the command is refused.'),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        max_length=200,
        description="The client's own mark of this request. A repetition with the same mark gets the first answer.",
    ),
]
After = Annotated[
    str | None,
    Header(description="`stream@version` of another service's event. This service first takes it in, then decides."),
]


async def caller(
    request: Request,
    actor: Staff,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
    huiying_after: After = None,
) -> Caller:
    """The caller and the conditions, for commands of staff."""
    return await conditions(request, actor, if_match, idempotency_key, huiying_after)


async def conditions(
    request: Request, actor: Actor, if_match: str | None, idempotency_key: str | None, huiying_after: str | None
) -> Caller:
    """The conditions of a command from its headers. Raises `Malformed` with the header's name."""
    version = after = key = None
    if if_match is not None:
        found = _VERSION.match(tag_as_sent(if_match))
        if not found:
            raise Malformed(
                'If-Match takes one version, 7 or "7"', code="header-malformed", field="If-Match", known=["7", '"7"']
            )
        version = int(found[1])
    if huiying_after is not None:
        found = _AFTER.match(huiying_after.strip())
        if not found:
            raise Malformed(
                "Huiying-After takes stream@version",
                code="header-malformed",
                field="Huiying-After",
                known=["stream@version"],
            )
        after = (found[1], int(found[2]))
    if text := idempotency.given(idempotency_key):
        body = await request.body()
        key = Key(text, idempotency.digest_of(request.method, _target(request), body, version))
    return Caller(actor=actor, version=version, key=key, after=after)


def _target(request: Request) -> str:
    return f"{request.scope['path']}?{request.scope['query_string'].decode('latin-1')}"


Command = Annotated[Caller, Depends(caller)]


def tag_as_sent(tag: str) -> str:
    """An `ETag` as the service sent it.

    A proxy that compresses makes it weak (nginx), or appends the coding (Apache).
    """
    return _CODING.sub('"', tag.strip().removeprefix("W/"))


def reply(answer: Answer) -> Response:
    """The answer to a command, with its version as `ETag`."""
    headers = {} if answer.version is None else {"ETag": f'"{answer.version}"'}
    return Response(orjson.dumps(answer.body), answer.status, headers, "application/json")


def json_response(
    body: Any, *, version: int | None = None, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A plain JSON answer."""
    told = dict(headers or {}) | ({} if version is None else {"ETag": f'"{version}"'})
    return Response(orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS), status, told, "application/json")


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
            first = scope["path"].lstrip("/").partition("/")[0]
            name = first if first in self._services else self._services[0]
            metrics.REQUESTS.labels(name, scope["method"], status).observe(time.perf_counter() - began)


class _Traced:
    """Tells the span of each request that records events; plain ASGI."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked, status = Asked(Headers(scope=scope).get(traces.HEADER)), 500

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        before = ASKED.set(asked)
        try:
            await self._app(scope, receive, observed)
        finally:
            ASKED.reset(before)
            # The template of the route, since a path names records.
            asked.answered(scope["method"], getattr(scope.get("route"), "path", ""), status)


class HeadAsGet:
    """Answers HEAD for every GET: the same without its body. Plain ASGI.

    `request.state.is_head` is set, for a GET whose body would never end.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        state = {**scope.get("state", {}), "is_head": True}
        await self._app({**scope, "method": "GET", "state": state}, receive, without_body)


def _methods(app: FastAPI, scope: Scope) -> list[str]:
    """Every method of a path; none if there is no such path."""
    found = [
        method
        for method in METHODS
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in app.routes)
    ]
    if "GET" in found:
        found.insert(1, "HEAD")
    return [*found, "OPTIONS"] if found else []


async def _recorded(
    request: Request, problem: Problem, keep: Callable[[Runtime, Actor, Any], Awaitable[None]]
) -> Response:
    """The answer to a refusal, after it was recorded."""
    runtime = asked(request)
    answered: Problem = problem
    try:
        await keep(runtime, request.state.actor, problem)
    except Problem as other:
        answered = other
    except (DBAPIError, OSError) as error:
        answered = failures.problem_of(error, runtime.failing)
    return _refusal(request, answered)


def _refusal(request: Request, problem: Problem) -> Response:
    """A problem, in the form of the standard that the path follows. Who signed the caller in may count refusals."""
    if problem.status < 500 and (told := getattr(request.state, "refused", None)) is not None:
        told(problem.code)
    says = request.app.state.says.get(_first(request.scope["path"]), _usually)
    answer: Response = says(request, problem)
    return answer


def _usually(request: Request, problem: Problem) -> Response:
    return problem_response(problem, language_of(request))


async def _unread(scope: Scope, problem: Problem) -> Response:
    return _refusal(Request(scope), problem)


def application(runtimes: Sequence[Runtime], *, title: str, keys: PublicKeys) -> FastAPI:
    """One HTTP application for one service, or for all of them embedded. `keys` verify staff tokens.

    A module of an API may have a `refusal(request, problem)`: a standard may give refusals another form.
    """
    modules = {module: runtime for runtime in runtimes for module in runtime.service.apis}
    app = Application(
        title=title,
        version="1",
        description=documents.ABOUT,
        openapi_tags=[_tag(module, runtime) for module, runtime in modules.items()],
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=documents.NO_TELEMETRY,
    )
    app.state.staff, app.state.failures = StaffTokens(runtimes[0], keys), Failures()
    app.state.of_paths = {runtime.service.name: runtime for runtime in runtimes}
    app.state.says = dict[str, Any]()

    @app.exception_handler(Problem)
    async def _problem(request: Request, problem: Problem) -> Response:
        if problem.code in operations.SEPARATED and problem.record is not None:
            return await _recorded(request, problem, operations.separate)
        return _refusal(request, problem)

    @app.exception_handler(Forbidden)
    async def _forbidden(request: Request, problem: Forbidden) -> Response:
        """Each refusal is recorded as an event before it is answered, on every route."""
        return await _recorded(request, problem, operations.refuse)

    @app.exception_handler(RequestValidationError)
    async def _validation(request: Request, error: RequestValidationError) -> Response:
        return _refusal(request, malformed(error))

    @app.exception_handler(TimeoutError)
    @app.exception_handler(DBAPIError)
    async def _store(request: Request, error: DBAPIError | TimeoutError) -> Response:
        return _refusal(request, failures.problem_of(error, asked(request).failing))

    @app.exception_handler(HTTPException)
    async def _routing(request: Request, error: HTTPException) -> Response:
        """The router's error for an unknown path, or a path without this method."""
        path, methods = request.scope["path"][:200], _methods(app, request.scope)
        if request.method == "OPTIONS" and (methods or path == "*"):
            return Response(status_code=204, headers={"Allow": ", ".join(methods or (*METHODS, "HEAD", "OPTIONS"))})
        if not methods:
            sentence = f"there is no path {path}; {DOCUMENTS} lists all paths"
            problem: Problem = NotFound(sentence, code="no-such-path", path=path, documents=DOCUMENTS)
        else:
            sentence = f"{path} takes {', '.join(methods)}, not {request.method}"
            problem = NotAllowed(sentence, path=path, method=request.method, known=methods)
        answer = _refusal(request, problem)
        if methods:
            answer.headers["Allow"] = ", ".join(methods)
        return answer

    app.add_middleware(Gate, answer_seconds=runtimes[0].settings.answer_seconds, says=_unread)
    app.add_middleware(HeadAsGet)
    app.add_middleware(Unpacked)
    app.add_middleware(Timed)
    if any(runtime.traces for runtime in runtimes):
        app.add_middleware(_Traced)
    app.add_middleware(_Measure, services=[runtime.service.name for runtime in runtimes])
    app.add_middleware(Plain)

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> Response:
        """Whether the process answers."""
        return json_response({"status": "ok"})

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        """Whether commands are possible now.

        It names the services that are not ready, and the work that waits for a person.
        """
        state: dict[str, Any] = {}
        status = 200
        for runtime in runtimes:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await runtime.ready_to_serve()
                    state[runtime.service.name] = await operations.attention(runtime)
                if runtime.alarms:
                    state[runtime.service.name] |= {"alarms": sorted(runtime.alarms.values())}
            except Problem as problem:
                state[runtime.service.name] = problem.detail
                status = 503
            except (DBAPIError, OSError) as error:
                state[runtime.service.name] = failures.problem_of(error, runtime.failing).detail
                status = 503
        return json_response({"status": "ok" if status == 200 else "unavailable", "services": state}, status=status)

    gauges = [Gauges(runtime) for runtime in runtimes]

    @app.get("/metrics", include_in_schema=False)
    async def prometheus() -> Response:
        """Prometheus' text format."""
        await side_by_side(of_service.read() for of_service in gauges)
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    for module, runtime in modules.items():
        loaded = importlib.import_module(module)
        routes = loaded.router().routes
        # `include_router` would make every route again at the first request.
        app.router.routes += routes
        app.state.of_paths |= {_first(route.path): runtime for route in routes}
        if hasattr(loaded, "refusal"):
            app.state.says |= {_first(route.path): loaded.refusal for route in routes}
    return app


def _tag(module: str, runtime: Runtime) -> dict[str, str]:
    """The tag of a module's operations, with the module's own description."""
    name = module.rpartition(".")[2]
    about = inspect.cleandoc(importlib.import_module(module).__doc__ or "")
    return {"name": runtime.service.name if name == "api" else name, "description": about}
