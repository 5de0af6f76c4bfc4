"""Mailboxes whose mails become reports: whether each is read, and what was set aside."""

from datetime import timedelta

from fastapi import APIRouter, Request, Response

from schemas.fields import instant
from services.console.calls import Answer, Refused
from services.console.page import render
from services.console.site import Signed, Site

MAILBOXES = "/ingest/v1/mailboxes"
LATE = timedelta(hours=2)
"""A mailbox is read once an hour at least, and a long reading is over by then."""


def router(site: Site) -> APIRouter:
    """The page of mailboxes."""
    pages = APIRouter()

    @pages.get("/mailboxes")
    async def listed(request: Request, me: Signed) -> Response:
        """The mailboxes of the administrator's unit and of those below it."""
        if "admin" not in me.roles:
            raise Refused(Answer(403, {}))
        own = me.offices.below(me.unit)
        rows = [one for one in (await me.calls.get(MAILBOXES))["items"] if one["unit"] in own]
        return await render(request, "mailboxes.html", rows=rows, late=instant(site.now() - LATE))

    return pages
