"""The stream of a live list: ids of matters that changed, and a beat. The page asks for the rows themselves."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress

from fastapi import APIRouter, Request, Response

from services.console.page import HEADERS
from services.console.site import Site, Watching, still_watching
from services.console.worklist.following import Listener, event
from services.kernel.serving.streams import Streamed

BEAT = 20.0
"""Seconds between two beats of a stream. At each, its session is looked at."""
KIND = "text/event-stream"
HEADERS_OF_STREAM = {**HEADERS, "X-Accel-Buffering": "no"}
"""Proxies pass each event on at once, and nothing is stored."""


def router(site: Site) -> APIRouter:
    """The stream."""
    pages = APIRouter()

    @pages.get("/changes")
    async def changes(request: Request, me: Watching) -> Response:
        """The ids of the matters of this office that change, as they change."""
        if getattr(request.state, "is_head", False):
            return Response(headers=HEADERS_OF_STREAM, media_type=KIND)
        listener, told = Listener(me.calls), request.headers.get("last-event-id", "")
        last = int(told) if told.isascii() and told.isdigit() and len(told) < 19 else None
        events = _events(request, site, me.unit, me.post, listener, last)
        return Streamed(events, headers=HEADERS_OF_STREAM, media_type=KIND)

    return pages


async def _events(
    request: Request, site: Site, unit: str, post: str, listener: Listener, last: int | None
) -> AsyncIterator[str]:
    """Events until the browser goes, the session ends or the server does."""
    site.followers.join(unit, listener, last)
    beat = time.monotonic() + BEAT
    try:
        yield "retry: 3000\n\n" + event("beat", "now")
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(beat - time.monotonic()):
                    await listener.news.wait()
            if time.monotonic() >= beat:
                # Also while there is more and more news: whoever has signed out hears of nothing.
                if not await still_watching(request, post):
                    yield event("ended", "all")
                    return
                beat = time.monotonic() + BEAT
                yield event("beat", "now")
                continue
            if listener.said == "ended":
                # The browser comes back by itself, when the server does.
                return
            yield "".join(listener.take())
    finally:
        site.followers.leave(unit, listener)
