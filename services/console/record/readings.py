"""Who read what citizens wrote, and what for: for the unit above and for auditors. Nothing is added up."""

import re

from fastapi import APIRouter, Request, Response

from schemas.fields import NUMBER, UUID
from services.console.calls import parts
from services.console.page import reader, render
from services.console.record.axes import axes
from services.console.site import Signed, Site
from services.console.words import N_
from services.console.worklist.desk import address, filters, nothing

ROWS = 50
FILTERS = {"unit": N_("单位")}
RECORD = re.compile(rf"{NUMBER}|(?:incident|report)-{UUID}")


def router(site: Site) -> APIRouter:
    """The page of readings."""
    pages = APIRouter()

    @pages.get("/record/readings")
    async def readings(request: Request, me: Signed, record: str = "", cursor: str | None = None) -> Response:
        """Readings by post, the newest first."""
        record, below = record.strip(), me.offices.below(me.unit)
        choices = {"unit": [one for one in me.offices.names() if one[0] in below]}
        at = axes(request, await reader(request))
        ways = filters(request, me, "record/readings", FILTERS, choices, record=record, **at.kept)
        is_no_record = bool(record and not RECORD.fullmatch(record))
        is_wrong = is_no_record or bool(at.faults) or any(one.is_unknown for one in ways)
        unit = ways[0].value
        asked = {"record": record, "unit": unit, "limit": ROWS, "cursor": cursor, **at.asked}
        found = None if is_wrong else await me.calls.get("/audit/v1/readings", **asked)
        items = found["items"] if found else []
        named = list(dict.fromkeys(one["record"] for one in items if one["record"].startswith("incident-")))
        matters = await parts(*(me.calls.get(f"/triage/v1/incidents/{id_}") if id_ else nothing() for id_ in named))
        numbers = {id_: of.value["number"] for id_, of in zip(named, matters, strict=True) if of.value}
        return await render(
            request,
            "readings.html",
            items=items,
            numbers=numbers,
            record=record,
            found=found,
            axes=at,
            is_wrong=is_wrong,
            is_no_record=is_no_record,
            filters=ways,
            next_at=found
            and found["next"]
            and address("record/readings", record=record, unit=unit, **at.kept, cursor=found["next"]),
        )

    return pages
