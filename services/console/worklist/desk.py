"""The inbox of a post, and the board of an office: lists of the desk, by the time that is left."""

import asyncio
import re
import secrets
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from schemas.fields import NUMBER, UUID
from services.console.access.staff import Staff
from services.console.calls import Answer, Down, Part, Refused, part_of_path, parts
from services.console.labels import FINDING_STATES, LISTS
from services.console.matters import in_public
from services.console.page import go, reader, render
from services.console.record import awaiting
from services.console.site import Signed, Site, Watching, titles
from services.console.words import N_, translations, typed_day
from services.console.worklist import many

ROWS = 100
_TICKED = re.compile(rf"(?P<report>{UUID}) (?P<matter>{NUMBER}|incident-{UUID}) (?P<version>\d{{1,9}})")
LIST = "desk_list.html"
"""The list of a page without its frame."""
GROUPS: Mapping[str, str] = {
    "overdue": N_("已超时"),
    "hour": N_("1 小时内"),
    "day": N_("24 小时内"),
    "later": N_("以后"),
    "none": N_("没有在走的时限"),
}
"""How soon a matter is due -> the title of its group, the most urgent first."""
FILTERS: Mapping[str, str] = {"unit": N_("单位"), "level": N_("等级"), "category": N_("类别"), "soon": N_("时限")}
"""What narrows the board: parameter of the address -> its title."""
AWAITED: Mapping[str, Sequence[str]] = {
    "drafted": ("revise",),
    "submitted": ("approve", "check"),
    "approved": ("publish",),
}
"""Phase of a statement -> the acts for which it waits; a post that may do several sees the first."""


def _update(me: Staff, statement: Mapping[str, Any]) -> str:
    """What this post does about a public text with a fact that was revised: correct it, or draft another one."""
    if "correct" in statement["may"]:
        return "correct"
    return "draft" if "handler" in me.roles and statement["unit"] == me.unit else ""


@dataclass(frozen=True, slots=True)
class Filter:
    """One way to narrow a list: what can be chosen, and what is."""

    name: str
    title: str
    choices: Sequence[tuple[str, str]]
    value: str = ""
    without: str = ""
    """The address of the list without it."""
    is_day: bool = False
    """Whether a day is chosen, written `2026-11-23`."""

    @property
    def shown(self) -> str:
        """The title of what is chosen."""
        return dict(self.choices).get(self.value, self.value)

    @property
    def is_unknown(self) -> bool:
        """Whether the address names what nobody can choose. Then the list stays empty, and the page says why."""
        if self.is_day:
            return bool(self.value) and typed_day(self.value) is None
        # Without an answer of the service that has the choices, nobody knows.
        return bool(self.value and self.choices) and self.value not in dict(self.choices)


def filters(
    request: Request,
    me: Staff,
    place: str,
    names: Mapping[str, str],
    choices: Mapping[str, Sequence[tuple[str, str]]],
    **kept: str,
) -> list[Filter]:
    """The ways to narrow a list, with what its address chooses. A name without choices is a day."""
    text = translations(me.language).gettext
    given = {of: request.query_params.get(of, "") for of in names}
    return [
        Filter(
            of,
            text(title),
            choices.get(of, ()),
            given[of],
            address(place, **kept, **given | {of: ""}),
            of not in choices,
        )
        for of, title in names.items()
    ]


def grouped(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """The rows of a page in groups, empty ones left out; the order within a group stays."""
    found: dict[str, list[Mapping[str, Any]]] = {name: [] for name in GROUPS}
    for row in rows:
        found[row["soon"]].append(row)
    return [(name, of) for name, of in found.items() if of]


def address(place: str, **asked: str | None) -> str:
    """The address of a list within the console, with what is chosen."""
    told = urlencode({name: value for name, value in asked.items() if value})
    return f"{place}?{told}" if told else place


def _reports(ticked: Sequence[Any]) -> list[tuple[str, str, str]]:
    """The reports that a form names, each once: id, the matter's number or id, and the revision that was seen."""
    found = (_TICKED.fullmatch(str(one)) for one in dict.fromkeys(ticked))
    return [(one["report"], one["matter"], one["version"]) for one in found if one]


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
        return await _page(
            request,
            me,
            "inbox",
            cursor,
            "inbox.html",
            statements=_statements(request, me),
            findings=awaiting.waiting(me),
        )

    @pages.get("/board")
    async def board(request: Request, me: Signed, list: str = "open", cursor: str | None = None) -> Response:
        """The matters of the office and those below it, the most urgent first."""
        return await _page(request, me, _known(list), cursor, "board.html")

    @pages.get("/desk/rows")
    async def rows(
        request: Request, me: Watching, list: str = "open", cursor: str | None = None, ids: str | None = None
    ) -> Response:
        """The list of a page alone, or of it only some matters: what a live page asks for."""
        return await _page(request, me, _known(list), cursor, LIST, ids)

    @pages.get("/receipts")
    async def receipts(request: Request, me: Signed, cursor: str | None = None) -> Response:
        """The reports upward and notices sideways that wait for a receipt of this office."""
        return await _receipts(request, me, cursor)

    @pages.post("/receipts")
    async def chosen(request: Request, me: Signed, cursor: str | None = None) -> Response:
        """The chosen reports once more, before a receipt of any is given."""
        named = _reports((await request.form()).getlist("report"))
        if not named:
            look = await reader(request)
            return await _receipts(request, me, cursor, 422, error=look.gettext(N_("请先选中要回执的上报。")))
        found = await me.calls.get("/escalation/v1/reports-to-confirm", limit=ROWS, cursor=cursor)
        return await render(
            request,
            "receipts_confirm.html",
            named=named[: many.MOST],
            left=max(len(named) - many.MOST, 0),
            rows={row["report"]: row for row in found["items"]},
            key=secrets.token_urlsafe(18),
        )

    @pages.post("/receipts/give")
    async def give(request: Request, me: Signed) -> Response:
        """Gives a receipt of each, and says what became of it."""
        sent, look = await request.form(), await reader(request)
        named, key = _reports(sent.getlist("report")), str(sent.get("form.key", ""))
        if not named:
            raise Refused(Answer(404, {}))
        acts = [
            many.Act(
                number,
                f"incidents/{number}",
                "escalation",
                f"/escalation/v1/incidents/{number}/receipt",
                {"report": report, "accepted": True},
                version,
                key=f"{key}{report}" if key else "",
            )
            for report, number, version in named[: many.MOST]
        ]
        results = await many.done(me, acts, look)
        return await render(request, "many_done.html", verb="receipt", results=results, back="receipts")

    async def _receipts(
        request: Request, me: Staff, cursor: str | None, status: int = 200, error: str | None = None
    ) -> Response:
        found = await me.calls.get("/escalation/v1/reports-to-confirm", limit=ROWS, cursor=cursor)
        ticked = any("receipt" in one["may"] for one in found["items"])
        return await render(request, "receipts.html", status, found=found, ticked=ticked, cursor=cursor, error=error)

    async def _statements(request: Request, me: Staff) -> Part:
        """The statements that wait for an act of this post, each with this act, and for outdated ones what is owed."""
        look = await reader(request)
        states = (me.calls.get("/publish/v1/statements", state=state, limit=ROWS) for state in AWAITED)
        *found, stale = await parts(*states, me.calls.get("/publish/v1/statements", outdated=True, limit=ROWS))
        if down := next((one.down for one in (*found, stale) if one.down), None):
            return Part(down=down)
        outdated = [(item, act) for item in (stale.value or {"items": ()})["items"] if (act := _update(me, item))]
        owed = await asyncio.gather(*(in_public.owed(me.calls, item, look) for item, _ in outdated))
        return Part(
            [(item, act, due) for (item, act), due in zip(outdated, owed, strict=True)]
            + [
                (item, verb, None)
                for one, awaited in zip(found, AWAITED.values(), strict=True)
                for item in (one.value or {"items": ()})["items"]
                # A draft waits for its writers once it was sent back; else it lies where they left it.
                if item["state"] != "drafted" or item["rejection"]
                for verb in [verb for verb in awaited if verb in item["may"]][:1]
            ]
        )

    async def _page(
        request: Request,
        me: Staff,
        name: str,
        cursor: str | None,
        template: str,
        ids: str | None = None,
        statements: Awaitable[Part | None] | None = None,
        findings: Awaitable[Part | None] | None = None,
    ) -> Response:
        ways = [] if name in ("inbox", "gaps") else await _filters(request, me, name)
        asked = {one.name: one.value for one in ways if one.value}
        is_unknown = any(one.is_unknown for one in ways)
        few: dict[str, str | None] = {} if name == "gaps" else {**asked, "incidents": ids}
        asking = parts(
            nothing()
            if is_unknown
            else me.calls.get(f"/triage/v1/desk/{part_of_path(name)}", limit=ROWS, cursor=cursor, **few),
            nothing() if ids else me.calls.get("/triage/v1/desk"),
            nothing() if ids else me.calls.get("/escalation/v1/reports-to-confirm", limit=1),
            site.packs(me.language),
        )
        (rows, counts, receipts, packs), waiting, against = await asyncio.gather(
            asking, statements or nothing(), findings or nothing()
        )
        if rows.down and template == LIST:
            raise Down(rows.down)
        found = rows.value or {"items": [], "next": None}
        place = {} if name == "inbox" else {"list": name, **asked}
        return await render(
            request,
            template,
            name=name,
            is_inbox=name == "inbox",
            rows=rows,
            groups=[] if name == "gaps" else grouped(found["items"]),
            totals=found.get("counts", {}),
            gaps=found["items"] if name == "gaps" else [],
            further=found["next"] and not ids,
            next_at=address("inbox" if name == "inbox" else "board", **place, cursor=found["next"]),
            rows_at=address("desk/rows", list=name, **asked, cursor=cursor),
            counts=(counts.value or {}).get("lists", {}),
            receipts=(receipts.value or {}).get("count", ""),
            pack=titles(*(packs.value or ())),
            group_titles=GROUPS,
            filters=ways,
            is_unknown=is_unknown,
            statements=waiting,
            findings=against,
            stages=FINDING_STATES,
        )

    async def _filters(request: Request, me: Staff, name: str) -> list[Filter]:
        text, is_english = translations(me.language).gettext, me.language == "en"
        lists, packs = await parts(me.calls.get("/triage/v1/lists"), site.packs(me.language))
        known = (lists.value or {}).get("categories", ())
        choices = {
            "unit": me.offices.names(),
            "level": [*titles(*(packs.value or ()))["levels"].items()],
            "category": [(one["code"], one["title_en"] if is_english else one["title"]) for one in known],
            "soon": [(code, text(title)) for code, title in GROUPS.items()],
        }
        return filters(request, me, "board", FILTERS, choices, list=name)

    return pages


def _known(name: str) -> str:
    if name not in LISTS:
        raise Refused(Answer(404, {}))
    return name


async def nothing() -> None:
    """In place of a call that a part of a page does without."""
