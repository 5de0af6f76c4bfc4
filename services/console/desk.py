"""The inbox of a post, and the board of an office: lists of the desk, by the time that is left."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from fastapi import APIRouter, Request, Response

from services.console.calls import parts
from services.console.labels import LISTS
from services.console.page import go, render
from services.console.site import Signed, Site
from services.console.words import N_

ROWS = 100
GROUPS: Mapping[str, str] = {
    "overdue": N_("已超时"),
    "hour": N_("1 小时内"),
    "day": N_("24 小时内"),
    "later": N_("以后"),
    "none": N_("没有在走的时限"),
}
"""Group of rows -> its title, the most urgent first."""
HOUR, DAY = 3600.0, 86400.0
Group = Literal["overdue", "hour", "day", "later", "none"]


def group_of(row: Mapping[str, Any]) -> Group:
    """How soon the first limit of a matter ends. A limit that stands still or was deferred presses nobody."""
    left = [one["seconds_left"] for one in row["limits"] if one["state"] in ("running", "breached")]
    if not left:
        return "none"
    first = min(left)
    if first < 0:
        return "overdue"
    return "hour" if first < HOUR else "day" if first < DAY else "later"


def grouped(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """The rows of a page in groups, empty ones left out; the order within a group stays."""
    found: dict[str, list[Mapping[str, Any]]] = {name: [] for name in GROUPS}
    for row in rows:
        found[group_of(row)].append(row)
    return [(name, of) for name, of in found.items() if of]


def router(site: Site) -> APIRouter:
    """The pages of the desk."""
    pages = APIRouter()

    @pages.get("")
    @pages.get("/")
    async def home(me: Signed) -> Response:
        """The inbox is where a day begins."""
        return go("inbox")

    @pages.get("/inbox")
    async def inbox(request: Request, me: Signed, cursor: str | None = None) -> Response:
        """What waits for an act of this post."""
        return await _page(request, me, "inbox", cursor, "inbox.html")

    @pages.get("/board")
    async def board(request: Request, me: Signed, list: str = "open", cursor: str | None = None) -> Response:
        """The matters of the office and those below it, the most urgent first."""
        return await _page(request, me, list if list in LISTS else "open", cursor, "board.html")

    @pages.get("/receipts")
    async def receipts(request: Request, me: Signed, cursor: str | None = None) -> Response:
        """The reports upward and notices sideways that wait for a receipt of this office."""
        found = await me.calls.get("/escalation/v1/reports-to-confirm", limit=ROWS, cursor=cursor)
        return await render(request, "receipts.html", found=found)

    async def _page(request: Request, me: Signed, name: str, cursor: str | None, template: str) -> Response:
        path = "/triage/v1/desk/gaps" if name == "gaps" else f"/triage/v1/desk/{name}"
        rows, counts, duty, packs = await parts(
            me.calls.get(path, limit=ROWS, cursor=cursor),
            me.calls.get("/triage/v1/desk"),
            me.calls.get("/escalation/v1/roster", unit=me.unit),
            site.packs(),
        )
        found = rows.value or {"items": [], "next": None}
        return await render(
            request,
            template,
            name=name,
            rows=rows,
            groups=[] if name == "gaps" else grouped(found["items"]),
            gaps=found["items"] if name == "gaps" else [],
            further=found["next"],
            counts=(counts.value or {}).get("lists", {}),
            counts_down=counts.down,
            duty=duty,
            pack=titles(*(packs.value or ())),
            group_titles=GROUPS,
        )

    return pages


def titles(*packs: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The titles of the codes of packs: levels, clocks, flags, kinds of answer, grounds of a return.

    A list shows matters of several packs; where two of them give one code different titles, the last one counts.
    """
    kinds = {"levels": "level", "clocks": "clock", "flags": "flag", "answer_kinds": "answer_kind"}
    kinds |= {"return_grounds": "ground", "periods": "period", "harm_scale": "harm"}
    return {
        kind: {one[code]: one["title"] for pack in packs for one in pack.get(kind, ())} for kind, code in kinds.items()
    }
