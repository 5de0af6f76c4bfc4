"""Inspections of offices: scope, remarks with remedies and dates, and the end."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from services.console import verbs
from services.console.access.staff import Staff
from services.console.calls import parts
from services.console.labels import INSPECTION_STATES, REMARK_STATES, SCOPES
from services.console.page import reader, render
from services.console.record.awaiting import below
from services.console.record.fresh import fresh
from services.console.site import Id, Signed, Site
from services.console.verbs import Asked
from services.console.words import N_, translations
from services.console.worklist.desk import address, filters, nothing

PATH, ROWS, ACTS = "/audit/v1/inspections", 50, 100
FILTERS = {"unit": N_("单位"), "state": N_("状态"), "drill": N_("范围")}
"""What narrows the list: parameter of the address -> its title."""
INSPECTS = {"chief", "auditor"}
OF_REMARK = {
    "report-remedy": ("due",),
    "accept-remedy": ("reported",),
    "return-remedy": ("reported",),
    "withdraw-remark": ("due", "reported"),
}
"""Verb on a remark -> in which states of the remark it is offered."""


def router(site: Site) -> APIRouter:
    """The pages of inspections."""
    pages = APIRouter()

    @pages.get("/record/inspections")
    async def listed(request: Request, me: Signed, cursor: str | None = None) -> Response:
        """Inspections of the office and those below it, in the order in which they began."""
        text, units = translations(me.language).gettext, me.offices.below(me.unit)
        choices = {
            "unit": [one for one in me.offices.names() if one[0] in units],
            "state": [(code, text(title)) for code, (_, _, title) in INSPECTION_STATES.items()],
            "drill": [(code, text(title)) for code, title in SCOPES.items()],
        }
        ways = filters(request, me, "record/inspections", FILTERS, choices)
        given, is_unknown = {one.name: one.value for one in ways}, any(one.is_unknown for one in ways)
        (found,) = await parts(nothing() if is_unknown else me.calls.get(PATH, limit=ROWS, cursor=cursor, **given))
        return await render(
            request,
            "inspections.html",
            found=found,
            filters=ways,
            is_unknown=is_unknown,
            stages=INSPECTION_STATES,
            opens=_opens(me),
            next_at=address("record/inspections", **given, cursor=(found.value or {}).get("next")),
        )

    @pages.get("/record/inspections/new")
    async def opening(request: Request, me: Signed) -> Response:
        """The form in which an inspection is opened."""
        return await verbs.form(request, me, _opened(me))

    @pages.post("/record/inspections/new")
    async def begin(request: Request, me: Signed) -> Response:
        """Opens it."""
        return await verbs.act(request, me, _opened(me))

    @pages.get("/record/inspections/{id}")
    async def show(request: Request, me: Signed, id: Id, done: str = "") -> Response:
        """One inspection: what is looked into, each remark and what came of it."""
        one = await fresh(me, f"{PATH}/{id}", _is_shown, waits=bool(done))
        stages, remarks = INSPECTION_STATES, REMARK_STATES
        is_waiting = not _is_shown(one)
        return await render(
            request, "inspection.html", one=one, done=done, stages=stages, remarks=remarks, is_waiting=is_waiting
        )

    @pages.get("/record/inspections/{id}/{verb}")
    async def form(request: Request, me: Signed, id: Id, verb: str) -> Response:
        """The form of a verb."""
        return await verbs.form(request, me, await _asked(request, me, id, verb))

    @pages.post("/record/inspections/{id}/{verb}")
    async def act(request: Request, me: Signed, id: Id, verb: str) -> Response:
        """Sends the verb."""
        return await verbs.act(request, me, await _asked(request, me, id, verb))

    def _opened(me: Staff) -> Asked:
        operation = verbs.operation(site, "audit", "inspections")
        choices = {"unit": below(me)}
        onward = "record/inspections/{id}"
        return Asked(operation, "open-inspection", "record/inspections", choices=choices, onward=onward)

    async def _asked(request: Request, me: Staff, id: str, verb: str) -> Asked:
        operation = verbs.operation(site, "audit", f"inspections/{{id}}/{verb}")
        one, look = await me.calls.get(f"{PATH}/{id}"), await reader(request)
        at = OF_REMARK.get(verb, ())
        remarks = [
            (str(r["remark"]), f"{r['remark']} {r['text'] or ''}"[:60]) for r in one["remarks"] if r["state"] in at
        ]
        choices: dict[str, Any] = {"remark": remarks} if at else {}
        if verb == "make-remark":
            found = await me.calls.get("/audit/v1/findings", unit=one["unit"], limit=ACTS, newest=True)
            choices["finding"] = [(f["id"], f["explanation"]) for f in found["items"] if f["unit"] == one["unit"]]
        return Asked(
            operation,
            verb,
            f"record/inspections/{one['id']}",
            ids={"id": one["id"]},
            choices=choices,
            version=str(one["revision"]),
            named=look.gettext(N_("对%(unit)s的检查")) % {"unit": me.offices.unit(one["unit"])},
        )

    return pages


def _opens(me: Staff) -> bool:
    return not INSPECTS.isdisjoint(me.roles) and bool(below(me))


def _is_shown(one: Mapping[str, Any]) -> bool:
    """Whether the answer shows every decision. The record takes a moment to hold the newest."""
    shown = 1 + sum(1 + len(remark["steps"]) for remark in one["remarks"]) + (one["ended_at"] is not None)
    return shown >= int(one["revision"])
