"""Where a unit says what it published: its channels, and what is to be posted by hand."""

import asyncio
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from services.console import verbs
from services.console.access.staff import Staff
from services.console.calls import Answer, Down, Part, Refused, parts
from services.console.labels import DELIVERIES
from services.console.matters.matter import named
from services.console.page import render
from services.console.site import Id, Signed, Site
from services.console.verbs import Asked

CHANNELS, POSTED = "/publish/v1/channels", "/publish/v1/deliveries"
ROWS = 50
QUESTIONS = 20
"""Of so many reports on a page, it is read where their questions stand."""


def router(site: Site) -> APIRouter:
    """The pages of channels and of postings."""
    pages = APIRouter()

    @pages.get("/channels")
    async def channels(request: Request, me: Signed, unit: str = "", done: str = "") -> Response:
        """The channels of a unit."""
        code = unit or me.unit
        found = await me.calls.get(CHANNELS, unit=code)
        return await render(request, "channels.html", found=found, unit=code, done=done)

    @pages.get("/channels/new")
    async def new(request: Request, me: Signed, unit: str = "") -> Response:
        """The form of a further channel."""
        return await verbs.form(request, me, _new(unit or me.unit))

    @pages.post("/channels/new")
    async def place(request: Request, me: Signed, unit: str = "") -> Response:
        """Gives a unit a further channel, and shows the secret of a webhook."""
        return await verbs.act(request, me, _new(unit or me.unit))

    @pages.get("/channels/{id}/{verb}")
    async def form(request: Request, me: Signed, id: Id, verb: str, unit: str = "") -> Response:
        """The form of a verb of a channel."""
        return await verbs.form(request, me, await _asked(me, unit or me.unit, id, verb))

    @pages.post("/channels/{id}/{verb}")
    async def act(request: Request, me: Signed, id: Id, verb: str, unit: str = "") -> Response:
        """Sends the verb."""
        return await verbs.act(request, me, await _asked(me, unit or me.unit, id, verb))

    @pages.get("/postings")
    async def postings(
        request: Request, me: Signed, done: str = "", cursor: str | None = None, after: str | None = None
    ) -> Response:
        """What is to be posted by hand, with the text to copy; what no channel took."""
        by_hand, owed, failed, lists = await parts(
            me.calls.get(POSTED, state="due", kind="by_hand", limit=ROWS, cursor=cursor),
            me.calls.get("/publish/v1/replies", state="due", limit=QUESTIONS, cursor=after),
            me.calls.get(POSTED, state="failed", limit=ROWS),
            me.calls.get("/triage/v1/lists"),
        )
        asked = await _places(me, owed)
        further = {
            "cursor": by_hand.value["next"] if by_hand.value else None,
            "after": owed.value["next"] if owed.value else None,
        }
        return await render(
            request,
            "postings.html",
            by_hand=by_hand,
            owed=owed,
            failed=failed,
            asked=asked,
            channels=named(lists, "channels", me.language),
            further={name: urlencode({name: value}) for name, value in further.items() if value},
            became=DELIVERIES,
            done=done,
        )

    @pages.get("/statements/{id}/confirm")
    async def confirming(request: Request, me: Signed, id: Id, channel: str = "", report: str = "") -> Response:
        """The form in which somebody says where a text was posted, and what stands there."""
        return await verbs.form(request, me, await _confirm(me, id, channel, report))

    @pages.post("/statements/{id}/confirm")
    async def confirm(request: Request, me: Signed, id: Id, channel: str = "", report: str = "") -> Response:
        """Sends it. Another text than the approved one comes back with the difference."""
        return await verbs.act(request, me, await _confirm(me, id, channel, report))

    @pages.get("/statements/{id}/retry")
    async def retrying(request: Request, me: Signed, id: Id, channel: str = "") -> Response:
        """Asks once more before a text is sent again."""
        return await verbs.form(request, me, await _retry(me, id, channel))

    @pages.post("/statements/{id}/retry")
    async def retry(request: Request, me: Signed, id: Id, channel: str = "") -> Response:
        """Lets a text go again to a channel."""
        return await verbs.act(request, me, await _retry(me, id, channel))

    def _new(unit: str) -> Asked:
        operation = verbs.operation(site, "publish", "channels")
        back = f"channels?unit={unit}"
        return Asked(
            operation, "place-channel", back, without=("unit",), fixed={"unit": unit}, once="channel_secret.html"
        )

    async def _asked(me: Staff, unit: str, id: str, verb: str) -> Asked:
        operation = verbs.operation(site, "publish", f"channels/{{id}}/{verb}")
        found = await me.calls.get(CHANNELS, unit=unit)
        one = next((one for one in found["items"] if one["id"] == id), None)
        is_signed = one is not None and one["kind"] == "webhook"
        return Asked(
            operation,
            verb,
            f"channels?unit={unit}",
            ids={"id": id},
            version=str(one["version"]) if one else "",
            present={name: one[name] for name in ("title", "address")} if one else {},
            without=() if is_signed else ("renew_secret",),
            named=one["title"] if one else "",
            once="channel_secret.html",
        )

    async def _confirm(me: Staff, id: str, channel: str, report: str) -> Asked:
        if not channel and not report:
            raise Refused(Answer(404, {}))
        one = await me.calls.get(f"/publish/v1/statements/{id}")
        listed = f"{POSTED}" if channel else "/publish/v1/replies"
        query = {"statement": one["number"]} if channel else {"limit": 200}
        (found,) = await parts(me.calls.get(listed, **query))
        rows = (found.value or {"items": ()})["items"]
        due = next((row for row in rows if _is_meant(row, one["id"], channel, report)), None)
        return Asked(
            verbs.operation(site, "publish", "statements/{id}/confirm"),
            "confirm",
            "postings",
            ids={"id": one["id"]},
            version=str(one["revision"]),
            without=("channel", "report"),
            fixed={"channel": channel} if channel else {"report": report},
            named=f"{one['number']} {one['title'] or ''}".strip(),
            template="confirm.html",
            beside={"to_post": due["text"] if due else None, "place": due["place"] if due and channel else None},
        )

    async def _retry(me: Staff, id: str, channel: str) -> Asked:
        if not channel:
            raise Refused(Answer(404, {}))
        one = await me.calls.get(f"/publish/v1/statements/{id}")
        return Asked(
            verbs.operation(site, "publish", "statements/{id}/retry"),
            "retry",
            f"statements/{one['number']}",
            ids={"id": one["id"]},
            version=str(one["revision"]),
            without=("channel",),
            fixed={"channel": channel},
            named=f"{one['number']} {one['title'] or ''}".strip(),
        )

    return pages


def _is_meant(row: dict[str, Any], statement: str, channel: str, report: str) -> bool:
    if row["statement_id"] != statement:
        return False
    return bool(row["channel"] == channel and row["text"]) if channel else bool(row["report_id"] == report)


async def _places(me: Staff, owed: Part) -> dict[str, dict[str, Any]]:
    """Report -> where its question stands, as far as the post may read the report."""
    ids = list(dict.fromkeys(row["report_id"] for row in (owed.value or {"items": ()})["items"]))
    found = await asyncio.gather(*(_place(me, id_) for id_ in ids))
    return {id_: one for id_, one in zip(ids, found, strict=True) if one}


async def _place(me: Staff, id_: str) -> dict[str, Any] | None:
    try:
        return dict(await me.calls.get(f"/ingest/v1/reports/{id_}"))
    except (Down, Refused):
        return None
