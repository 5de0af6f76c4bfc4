"""Calls of the five services' public APIs, as the member of staff who looks at the page.

A service that is down, slow or answers 5xx is a `Down`; pages then say so for their part. Every other refusal is an
`Answer` with its problem, in the reader's language.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import structlog

SECONDS = 10.0
"""How long a page waits for a service."""
FILE_SECONDS = 60.0
"""How long it waits where a file goes over."""
logger = structlog.get_logger()


class Down(Exception):
    """A service does not answer now. `service` names it."""

    def __init__(self, service: str) -> None:
        super().__init__(f"{service} does not answer")
        self.service = service


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered."""

    status: int
    body: Any
    """JSON, or the problem details of a refusal."""

    @property
    def ok(self) -> bool:
        return self.status < 400


class Refused(Exception):
    """A service refused what a page needs: there is no such thing, or this post may not read it."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(str(answer.body.get("detail", "")))
        self.answer = answer


class Calls:
    """The services, as one caller. `clients` has one client for each service's name."""

    def __init__(self, clients: Mapping[str, httpx.AsyncClient], token: Callable[[], str], language: str) -> None:
        self._clients, self._token, self._language = clients, token, language

    async def send(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
        files: Any = None,
        data: Any = None,
    ) -> Answer:
        """One request. The first part of the path names the service. Raises `Down`."""
        chosen = {name: value for name, value in (params or {}).items() if value not in (None, "")}
        seconds = FILE_SECONDS if files else SECONDS
        answer = await self._ask(method, path, headers or {}, seconds, params=chosen, json=body, files=files, data=data)
        return Answer(answer.status_code, answer.json() if answer.content else {})

    async def fetch(self, path: str) -> httpx.Response:
        """The answer of a path as it is, for a file. Raises `Down`."""
        return await self._ask("GET", path, {}, FILE_SECONDS)

    async def _ask(
        self, method: str, path: str, headers: Mapping[str, str], seconds: float, **more: Any
    ) -> httpx.Response:
        service = path.lstrip("/").partition("/")[0]
        said = {"Authorization": f"Bearer {self._token()}", "Accept-Language": self._language, **headers}
        try:
            async with asyncio.timeout(seconds):
                answer = await self._clients[service].request(method, path, headers=said, timeout=seconds, **more)
        except (httpx.HTTPError, TimeoutError) as error:
            logger.warning("console.service_down", service=service, error=type(error).__name__)
            raise Down(service) from None
        if answer.status_code >= 500:
            logger.warning("console.service_down", service=service, status=answer.status_code)
            raise Down(service)
        return answer

    async def get(self, path: str, **params: Any) -> Any:
        """The JSON of a path. Raises `Down`, and `Refused` for everything but 200."""
        answer = await self.send("GET", path, params=params)
        if not answer.ok:
            raise Refused(answer)
        return answer.body


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a page: what it shows, or which service does not answer."""

    value: Any = None
    down: str | None = None

    def __bool__(self) -> bool:
        return self.down is None


async def part(asked: Awaitable[Any]) -> Part:
    """The part of a page that one call fills. A refusal to read leaves it empty."""
    try:
        return Part(await asked)
    except Down as down:
        return Part(down=down.service)
    except Refused:
        return Part()


async def parts(*asked: Awaitable[Any]) -> list[Part]:
    """Several parts, asked for at the same time."""
    return list(await asyncio.gather(*map(part, asked)))
