"""Pages as they were last drawn, so that a rush of readers costs one drawing."""

import time
from typing import NamedTuple

from fastapi import Request, Response
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.titles import Language
from services.kernel.core.units import Offices
from services.kernel.delivery.runtime import Runtime
from services.publish.bulletin.site import HTML, answer, digest
from services.publish.views import METADATA

MOST = 256
"""Pages that a process keeps."""
BYTES = 32_000_000
"""So many bytes of pages it keeps at most. A page of twenty long statements has megabytes."""
SECONDS = 5.0
"""No page is kept for longer. Transactions of PostgreSQL may become visible in another order than their events have."""
FRESH = 0.25
"""For so many seconds a process believes that no other one published. What it published itself it sees at once."""
_EVENTS = METADATA.tables["events"]
_LAST = select(func.max(_EVENTS.c.seq))

_Address = tuple[str, bytes]
"""Path and query. The path may hold a question mark that was written as `%3F`."""


class Mark(NamedTuple):
    """What a page rests on: the service's last event, and the offices."""

    event: int | None
    offices: Offices

    def is_same(self, other: "Mark") -> bool:
        return self.event == other.event and self.offices is other.offices


class _Page(NamedTuple):
    mark: Mark
    until: float
    body: bytes
    digest: str
    language: Language
    form: bool


class Kept:
    """The pages of a process, by their whole address."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._pages: dict[_Address, _Page] = {}
        self._bytes = 0
        self._known: tuple[Mark, int, float] | None = None
        """The last mark, what this process had changed by then, and until when it counts."""

    async def mark(self, connection: AsyncConnection) -> Mark:
        """The mark of what is drawn from now on."""
        changes, until = self._runtime.changes, time.monotonic() + FRESH
        offices = await self._runtime.offices(connection)
        mark = Mark((await connection.execute(_LAST)).scalar(), offices)
        self._known = mark, changes, until
        return mark

    def find(self, request: Request, mark: Mark | None = None) -> Response | None:
        """The answer with the page that was drawn for this address, if nothing changed since.

        Without a mark the last one counts, as long as it is fresh.
        """
        page, now = self._pages.get(_address(request)), time.monotonic()
        if mark is None and self._known is not None:
            known, changes, until = self._known
            mark = known if changes == self._runtime.changes and now < until else None
        if page is None or mark is None or now > page.until or not page.mark.is_same(mark):
            return None
        return answer(request, page.body, HTML, page.language, page.form, page.digest)

    def keep(self, request: Request, mark: Mark, body: bytes, language: Language, form: bool = False) -> Response:
        """The answer with a fresh page."""
        self._forget(_address(request))
        self._bytes += len(body)
        until = time.monotonic() + SECONDS
        self._pages[_address(request)] = _Page(mark, until, body, digest(body), language, form)
        while len(self._pages) > MOST or self._bytes > BYTES:
            self._forget(next(iter(self._pages)))
        return answer(request, body, HTML, language, form)

    def _forget(self, address: _Address) -> None:
        if (page := self._pages.pop(address, None)) is not None:
            self._bytes -= len(page.body)


def _address(request: Request) -> _Address:
    return request.scope["path"], request.scope["query_string"]
