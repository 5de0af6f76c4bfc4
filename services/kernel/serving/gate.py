"""The outer layers of a request: its path, query and headers pass the gate of all text, and each answer is plain."""

from collections.abc import Awaitable, Callable
from urllib.parse import unquote_to_bytes

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.kernel.core.problems import Malformed, NotFound, Problem
from services.kernel.core.texts import decoded
from services.kernel.serving.problems import language_of, problem_response
from services.kernel.store import failures
from services.kernel.store.database import answer_within

KEPT = {b"idempotency-key": "Idempotency-Key", b"if-match": "If-Match", b"huiying-after": "Huiying-After"}
"""Headers that are compared or stored. Others are only for transport."""
PLAIN = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
"""What an answer says to a browser unless it says something else: it is data, and nothing in it runs."""


Says = Callable[[Scope, Problem], Awaitable[Response]]


class Plain:
    """Gives each answer the headers of `PLAIN` that it does not have. No other layer stands around this one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in PLAIN.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


class Gate:
    """Refuses a request whose path, query or headers hold null characters or bytes that are not UTF-8.

    An error that nothing else handles is a defect. It is answered here, since the server would log its text. The store
    has `answer_seconds` for each transaction and reading of a request. `says` answers what cannot be read; the usual
    answer is a problem.
    """

    def __init__(self, app: ASGIApp, answer_seconds: float, says: Says | None = None) -> None:
        self._app, self._answer_seconds, self._says = app, answer_seconds, says or _usual

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def observed(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        answer_within.set(self._answer_seconds)
        try:
            try:
                _check(scope)
            except Problem as refusal:
                await (await self._says(scope, refusal))(scope, receive, observed)
                return
            await self._app(scope, receive, observed)
        except Exception as error:
            if begun:
                raise
            problem = error if isinstance(error, Problem) else failures.defect(error, path=scope["path"])
            answer = problem_response(problem, language_of(Request(scope)))
            await answer(scope, receive, send)


async def _usual(scope: Scope, problem: Problem) -> Response:
    return problem_response(problem, language_of(Request(scope)))


def _check(scope: Scope) -> None:
    raw = scope.get("raw_path") or scope["path"].encode()
    try:
        decoded(unquote_to_bytes(raw.partition(b"?")[0]), "path")
    except Malformed as fault:
        raise NotFound(f"there is nothing here: {fault.detail}", code="path-unreadable") from None
    for pair in scope["query_string"].split(b"&"):
        name, _, value = (unquote_to_bytes(part) for part in pair.replace(b"+", b" ").partition(b"="))
        decoded(value, decoded(name, "query"))
    for name, value in scope["headers"]:
        if name in KEPT:
            decoded(value, KEPT[name])
