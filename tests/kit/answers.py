"""Compares every answer in this process with the API's documents."""

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from fastapi import Request, Response

from services.kernel.core.problems import Problem
from services.kernel.serving.http import StrictRoute


@contextmanager
def held_against_documents() -> Iterator[None]:
    """Meanwhile, an answer of another shape, or of a status that the operation does not name, is a defect."""
    inner = StrictRoute.get_route_handler

    def get_route_handler(route: StrictRoute) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = inner(route)

        async def handle(request: Request) -> Response:
            try:
                answer = await handler(request)
            except Problem as problem:
                check(route, problem.status, None)
                raise
            check(route, answer.status_code, getattr(answer, "body", None))
            return answer

        return handle

    with mock.patch.object(StrictRoute, "get_route_handler", get_route_handler):
        yield


def check(route: StrictRoute, status: int, body: bytes | None) -> None:
    """Raises if the answer differs from the documents. It does not look at streamed bodies."""
    if not route.include_in_schema or status in (304, 500):
        return
    told = route.responses.get(status)
    assert told is not None, f"{route.path} answers {status}, which its documents do not name"
    if body is not None and "model" in told:
        told["model"].model_validate_json(body, strict=True)
