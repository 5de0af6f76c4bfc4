"""The services: whether each answers, and what waits for a person there."""

import asyncio
from typing import Any

import httpx
from fastapi import APIRouter, Request, Response

from services.console.calls import Answer, Refused
from services.console.forms import SERVICES
from services.console.labels import ATTENTION, PARTS
from services.console.page import render
from services.console.site import Signed, Site

SECONDS = 3.0


def router(site: Site) -> APIRouter:
    """The page of the services."""
    pages = APIRouter()

    @pages.get("/health")
    async def health(request: Request, me: Signed) -> Response:
        """For administrators and auditors."""
        if not {"admin", "auditor"} & set(me.roles):
            raise Refused(Answer(403, {}))
        found = await asyncio.gather(*(_of(service) for service in SERVICES))
        return await render(
            request, "health.html", services=list(zip(SERVICES, found, strict=True)), parts=PARTS, attention=ATTENTION
        )

    async def _of(service: str) -> Any:
        """What a service says of itself: its attention, or why it takes no commands; None if it does not answer."""
        try:
            async with asyncio.timeout(SECONDS):
                answer = await site.clients[service].get("/readyz")
                return answer.json()["services"].get(service)
        except (httpx.HTTPError, TimeoutError, ValueError, KeyError):
            return None

    return pages
