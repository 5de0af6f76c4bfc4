"""Calls of the five services' public APIs, as the member of staff who looks at the page.

A service that is down, slow or answers 5xx is a `Down`; pages then say so for their part. Every other refusal is an
`Answer` with its problem, in the reader's language.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import structlog
from fastapi import Response

from schemas.titles import Language
from services.console.words import N_, translations
from services.kernel.serving.streams import Streamed

SECONDS = 10.0
"""How long a page waits for a service."""
FILE_SECONDS = 60.0
"""How long it waits where a file goes over."""
EARLY = (":not-signed-yet", ":words-not-here-yet", ":printing-not-installed")
"""Refusals with 503 that say something about the record, and not about the service."""
logger = structlog.get_logger()


def part_of_path(text: str) -> str:
    """A text as one part of a path: it leads to no other path, and adds no query."""
    return quote(text, safe="").replace(".", "%2E")


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

    def __init__(self, clients: Mapping[str, httpx.AsyncClient], token: Callable[[], str], language: Language) -> None:
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
        is_long: bool = False,
    ) -> Answer:
        """One request. The first part of the path names the service. `is_long` is true for one that may take its time.

        Raises `Down`.
        """
        chosen = {name: value for name, value in (params or {}).items() if value not in (None, "")}
        seconds = FILE_SECONDS if files or is_long else SECONDS
        answer = await self._ask(method, path, headers or {}, seconds, params=chosen, json=body, files=files, data=data)
        try:
            return Answer(answer.status_code, answer.json() if answer.content else {})
        except json.JSONDecodeError:
            raise Down(path.lstrip("/").partition("/")[0]) from None

    async def fetch(self, path: str, *, method: str = "GET", body: Any = None, **form: Any) -> httpx.Response:
        """The answer of a path as it is, for a file or a page; `form` is what httpx takes. Raises `Down`."""
        return await self._ask(method, path, {}, FILE_SECONDS, json=body, **form)

    async def save(
        self, method: str, path: str, *, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer | Response:
        """The file with which a path answers, in pieces as they come; or its refusal. Raises `Down`."""
        answer = await self._ask(method, path, headers or {}, FILE_SECONDS, streams=True, json=body)
        if answer.is_error:
            return Answer(answer.status_code, answer.json())
        kept = {name: answer.headers[name] for name in ("Content-Type", "Content-Disposition")}
        return Streamed(answer.aiter_bytes(), close=answer.aclose, headers=kept)

    async def lines(self, path: str, **sent: Any) -> "Answer | AsyncIterator[dict[str, Any]]":
        """A file goes over, for as long as it takes. Returns the lines of JSON that come back, or the refusal.

        `sent` is what httpx takes: params, files or content. Raises `Down`, the lines do so too.
        """
        answer = await self._ask("POST", path, {}, None, streams=True, **sent)
        if answer.is_error:
            return Answer(answer.status_code, answer.json())
        return self._lines(answer, path.lstrip("/").partition("/")[0])

    async def _lines(self, answer: httpx.Response, service: str) -> AsyncIterator[dict[str, Any]]:
        try:
            async for line in answer.aiter_lines():
                yield json.loads(line)
        except (httpx.HTTPError, ValueError) as error:
            logger.warning("console.service_down", service=service, error=type(error).__name__)
            raise Down(service) from None
        finally:
            await answer.aclose()

    async def _ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        seconds: float | None,
        *,
        streams: bool = False,
        **more: Any,
    ) -> httpx.Response:
        service = path.lstrip("/").partition("/")[0]
        said = {"Authorization": f"Bearer {self._token()}", "Accept-Language": self._language, **headers}
        try:
            async with asyncio.timeout(seconds):
                client = self._clients[service]
                asked = client.build_request(
                    method,
                    path,
                    headers=said,
                    timeout=seconds or httpx.Timeout(SECONDS, read=None, write=FILE_SECONDS),
                    **more,
                )
                answer = await client.send(asked, stream=streams)
                if streams and answer.is_error:
                    await answer.aread()
        except (httpx.HTTPError, TimeoutError) as error:
            logger.warning("console.service_down", service=service, error=type(error).__name__)
            raise Down(service) from None
        except (httpx.InvalidURL, ValueError):
            # Only what came from outside can be no request: too long an address, a header that is not ASCII.
            told = translations(self._language).gettext(N_("提交的内容太长，或有不能保存的字符。请改正后再提交。"))
            return httpx.Response(400, json={"detail": told})
        if answer.status_code >= 500 and not _is_early(answer):
            logger.warning("console.service_down", service=service, status=answer.status_code)
            raise Down(service)
        return answer

    async def get(self, path: str, **params: Any) -> Any:
        """The JSON of a path. Raises `Down`, and `Refused` for everything but 200."""
        answer = await self.send("GET", path, params=params)
        if not answer.ok:
            raise Refused(answer)
        return answer.body


def _is_early(answer: httpx.Response) -> bool:
    """Whether a service works, and asks to try again in a moment, since the log has to hold something first."""
    if answer.status_code != 503:
        return False
    try:
        problem = answer.json()
    except ValueError:
        return False
    return isinstance(problem, dict) and str(problem.get("type")).endswith(EARLY)


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
