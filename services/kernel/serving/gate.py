"""What comes with a request beside its body is text like any other: it passes the same gate as JSON does."""

from urllib.parse import unquote_to_bytes

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from services.kernel.core.problems import Malformed, NotFound, Problem
from services.kernel.core.texts import decoded
from services.kernel.serving.problems import language_of, problem_response

KEPT = {b"idempotency-key": "Idempotency-Key", b"if-match": "If-Match", b"huiying-after": "Huiying-After"}
"""Headers that are compared or kept. Others are for the way here alone."""


class Gate:
    """Refuses a request whose path, query or headers hold null characters or bytes that are no UTF-8."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                _check(scope)
            except Problem as problem:
                answer = problem_response(problem, language_of(Request(scope)))
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)


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
