"""Trainings by post: courses, lectures and drills, without a person."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response

from services.console import verbs
from services.console.access.staff import Staff
from services.console.calls import parts
from services.console.page import render
from services.console.site import Id, Signed, Site
from services.console.verbs import Asked
from services.console.words import N_
from services.console.worklist.desk import address, filters, nothing

PATH, ROWS, YEARS, FIRST = "/audit/v1/trainings", 50, 5, 1
FILTERS = {"unit": N_("单位"), "year": N_("年份")}
"""What narrows the list: parameter of the address -> its title."""
KEEPS = {"chief", "admin"}


def router(site: Site) -> APIRouter:
    """The pages of trainings."""
    pages = APIRouter()

    @pages.get("/record/trainings")
    async def listed(request: Request, me: Signed, cursor: str | None = None) -> Response:
        """When each post of a unit was last trained, and the entries of a year."""
        now, units = _now(), me.offices.below(me.unit)
        choices = {
            "unit": [one for one in me.offices.names() if one[0] in units],
            "year": [(str(year), str(year)) for year in range(now.year, now.year - YEARS, -1)],
        }
        ways = filters(request, me, "record/trainings", FILTERS, choices)
        given, is_unknown = {one.name: one.value for one in ways}, any(one.is_unknown for one in ways)
        unit, year = given.get("unit") or me.unit, given.get("year") or str(now.year)
        asked: list[Any] = [
            nothing() if is_unknown else me.calls.get(f"{PATH}/posts", unit=unit, year=year),
            nothing() if is_unknown else me.calls.get(PATH, limit=ROWS, cursor=cursor, **given),
        ]
        posts, found = await parts(*asked)
        return await render(
            request,
            "trainings.html",
            posts=posts,
            found=found,
            filters=ways,
            is_unknown=is_unknown,
            unit=unit,
            year=year,
            keeps=not KEEPS.isdisjoint(me.roles),
            next_at=address("record/trainings", **given, cursor=(found.value or {}).get("next")),
        )

    @pages.get("/record/trainings/new")
    async def entering(request: Request, me: Signed) -> Response:
        """The form in which a training is recorded."""
        return await verbs.form(request, me, _recorded(me))

    @pages.post("/record/trainings/new")
    async def enter(request: Request, me: Signed) -> Response:
        """Records it."""
        return await verbs.act(request, me, _recorded(me))

    @pages.get("/record/trainings/{id}/withdraw-training")
    async def withdrawing(request: Request, me: Signed, id: Id) -> Response:
        """The form in which a wrong entry is withdrawn."""
        return await verbs.form(request, me, _withdrawn(id))

    @pages.post("/record/trainings/{id}/withdraw-training")
    async def withdraw(request: Request, me: Signed, id: Id) -> Response:
        """Withdraws it."""
        return await verbs.act(request, me, _withdrawn(id))

    def _recorded(me: Staff) -> Asked:
        units = me.offices.below(me.unit)
        named = [one for one in me.offices.names() if one[0] in units]
        posts = [
            (post["post"], me.offices.post(post["post"]))
            for code, one in me.offices.units.items()
            if code in units
            for post in one["posts"]
            if not post["members"]
        ]
        choices: dict[str, Any] = {"unit": named, "given_by": me.offices.names(), "posts": posts}
        operation = verbs.operation(site, "audit", "trainings")
        return Asked(operation, "record-training", "record/trainings", choices=choices, onward="record/trainings")

    def _withdrawn(id: str) -> Asked:
        operation = verbs.operation(site, "audit", "trainings/{id}/withdraw-training")
        return Asked(operation, "withdraw-training", "record/trainings", ids={"id": id}, version=str(FIRST))

    def _now() -> datetime:
        return site.now()

    return pages
