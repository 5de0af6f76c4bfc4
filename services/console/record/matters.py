"""Matters as they were at any time, by codes; the same list as a file; and the questions that a unit keeps.

Words are no part of an address, so whoever looks for words goes to the page of search.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from schemas.fields import instant, parse_instant
from services.console import verbs
from services.console.access.staff import Staff
from services.console.calls import Answer, Refused, parts
from services.console.labels import CLOCK_STATES, LOOKED_FOR, SCOPES, STATES
from services.console.page import Reader, go, reader, render
from services.console.record.axes import Axes, axes
from services.console.site import Id, Signed, Site, problem_of, titles
from services.console.verbs import Asked
from services.console.words import N_, translations, typed_day
from services.console.worklist.desk import Filter, address, filters

ROWS = 50
PATH, SAVED, HERE = "/audit/v1/incidents", "/audit/v1/saved-queries", "record/matters"
CODES = {
    "unit": N_("责任单位"),
    "state": N_("状态"),
    "level": N_("等级"),
    "category": N_("类别"),
    "clock": N_("时限"),
    "clock_state": N_("时限的情况"),
    "type": N_("有哪类记录"),
    "post": N_("办过的岗位"),
    "drill": N_("范围"),
}
"""What narrows the list and can be kept: parameter of the address -> its title."""
DAYS = {"from": N_("立案从"), "to": N_("到")}
"""The first and the last day on which matters were opened, in the zone of the unit."""
FORMER = ("unit", "level", "category", "clock", "type", "post")
"""What lists may lose while the record keeps it."""
LIMITS = ("running", "met", "cancelled", "breached")
FORMATS = ("csv", "ndjson")


def router(site: Site) -> APIRouter:
    """The pages of matters as they were."""
    pages = APIRouter()

    @pages.get("/record/matters")
    async def matters(request: Request, me: Signed, cursor: str | None = None, done: str = "") -> Response:
        """The list at an instant of what happened, as known at an instant of what was recorded."""
        look, choices = await reader(request), await _choices(me)
        at = axes(request, look)
        given, ways, faults = _given(request, me, look, choices, at)
        found = None if faults else await me.calls.send("GET", PATH, params=given | {"limit": ROWS, "cursor": cursor})
        saved, packs = await parts(me.calls.get(SAVED), site.packs(me.language))
        chosen = {one.name: one.value for one in ways if one.value}
        further = found.body["next"] if found and found.ok else None
        return await render(
            request,
            "matters.html",
            found=found.body if found and found.ok else None,
            saved=saved,
            faults=[*faults, *([problem_of(found, me, choices)] if found and not found.ok else [])],
            filters=ways,
            chosen=chosen,
            axes=at,
            pack=titles(*(packs.value or ())),
            categories=dict(choices["category"]),
            next_at=further and address(HERE, **chosen, **at.kept, cursor=further),
            files=[(kind, address(f"{HERE}/export", format=kind, **chosen, **at.kept)) for kind in FORMATS],
            save_at=address(f"{HERE}/save", **_typed({name: chosen[name] for name in CODES if name in chosen})),
            done=done,
        )

    @pages.get("/record/matters/export")
    async def export(request: Request, me: Signed, format: str = "csv") -> Response:
        """The whole list as a file."""
        look = await reader(request)
        given, _, faults = _given(request, me, look, await _choices(me), axes(request, look))
        if faults or format not in FORMATS:
            raise Refused(Answer(404, {}))
        chosen = {name: value for name, value in given.items() if value}
        answer = await me.calls.save("GET", f"{PATH}/export?{urlencode({**chosen, 'format': format})}")
        if isinstance(answer, Answer):
            raise Refused(answer)
        return answer

    @pages.get("/record/matters/save")
    async def saving(request: Request, me: Signed) -> Response:
        """The form in which a unit keeps what the list asks, under a name."""
        return await verbs.form(request, me, await _asked(request, me))

    @pages.post("/record/matters/save")
    async def save(request: Request, me: Signed) -> Response:
        """Keeps it."""
        return await verbs.act(request, me, await _asked(request, me))

    @pages.get("/record/matters/saved/{id}")
    async def run(request: Request, me: Signed, id: Id) -> Response:
        """Asks a question that the unit keeps, as it is meant now."""
        one, look = await _kept(me, id), await reader(request)
        asked = dict(one["asked"])
        for name in DAYS:
            if name in asked:
                asked[name] = parse_instant(asked[name]).astimezone(look.zone).date().isoformat()
        return go(address(HERE, **asked))

    @pages.get("/record/matters/saved/{id}/{verb}")
    async def form(request: Request, me: Signed, id: Id, verb: str) -> Response:
        """The form that changes or removes a question."""
        return await verbs.form(request, me, await _asked(request, me, id, verb))

    @pages.post("/record/matters/saved/{id}/{verb}")
    async def act(request: Request, me: Signed, id: Id, verb: str) -> Response:
        """Changes or removes it."""
        return await verbs.act(request, me, await _asked(request, me, id, verb))

    async def _choices(me: Staff) -> dict[str, Sequence[tuple[str, str]]]:
        text, is_english = translations(me.language).gettext, me.language == "en"
        lists, packs = await parts(me.calls.get("/triage/v1/lists"), site.packs(me.language))
        known, pack = (lists.value or {}).get("categories", ()), titles(*(packs.value or ()))
        return {
            "unit": me.offices.names(),
            "state": [(code, text(title)) for code, title in STATES.items()],
            "level": [*pack["levels"].items()],
            "category": [(one["code"], one["title_en"] if is_english else one["title"]) for one in known],
            "clock": [*pack["clocks"].items()],
            "clock_state": [(code, text(CLOCK_STATES[code])) for code in LIMITS],
            "type": [(code, text(title)) for code, title in LOOKED_FOR.items()],
            "post": me.offices.posts(),
            "drill": [(code, text(title)) for code, title in SCOPES.items()],
        }

    async def _asked(request: Request, me: Staff, id: str = "", verb: str = "saved-queries") -> Asked:
        one: Mapping[str, Any] = await _kept(me, id) if id else {"asks": {}, "title": "", "revision": ""}
        return Asked(
            verbs.operation(site, "audit", f"saved-queries/{{id}}/{verb}" if id else verb),
            verb,
            HERE,
            ids={"id": id} if id else {},
            choices=_widened(await _choices(me), one["asks"], await reader(request)),
            present={**_typed(one["asks"]), "title": one["title"] or ""},
            version=str(one["revision"]),
            named=one["title"] or "",
        )

    return pages


def _typed(asks: Mapping[str, Any]) -> dict[str, Any]:
    """A question as it is typed in a form, where whether it asks for exercises is a yes or a no."""
    scope = {"true": "yes", "false": "no"}.get(str(asks.get("drill")).lower())
    asked = {name: value for name, value in asks.items() if value is not None}
    return {**asked, **({"drill": scope} if scope else {})}


def _widened(
    choices: Mapping[str, Sequence[tuple[str, str]]], chosen: Mapping[str, Any], look: Reader
) -> dict[str, Sequence[tuple[str, str]]]:
    """The choices, with what is chosen though no list has it any more: the record may still have matters of it.

    The service knows what stands in the record, and says so of anything else.
    """
    found = dict(choices)
    for name in FORMER:
        code = chosen.get(name)
        if code and found[name] and code not in dict(found[name]):
            found[name] = [*found[name], (code, look.gettext(N_("%(code)s（已停用）")) % {"code": str(code)[:60]})]
    return found


def _begin(day: date, look: Reader) -> datetime:
    """The first instant of a day, in the zone of the unit."""
    return datetime.combine(day, time(), look.zone)


async def _kept(me: Staff, id: str) -> Mapping[str, Any]:
    """A question that the unit keeps. Raises `Refused`."""
    found = (one for one in (await me.calls.get(SAVED))["items"] if one["id"] == id)
    if (one := next(found, None)) is None:
        raise Refused(Answer(404, {}))
    return one  # type: ignore[no-any-return]


def _given(
    request: Request, me: Staff, look: Reader, choices: Mapping[str, Sequence[tuple[str, str]]], at: Axes
) -> tuple[dict[str, str | None], list[Filter], list[str]]:
    """The parameters of the list, the ways to narrow it, and what is wrong with the address."""
    ways = filters(request, me, HERE, CODES | DAYS, _widened(choices, request.query_params, look), **at.kept)
    given: dict[str, str | None] = {**at.asked, **{one.name: one.value for one in ways}}
    faults = [*at.faults, *[""] * any(one.is_unknown for one in ways)]
    first, last = (typed_day(given[name] or "") for name in DAYS)
    given["from"] = instant(_begin(first, look)) if first else None
    # In UTC, since a day may end with an hour that comes twice.
    end = _begin(last + timedelta(days=1), look).astimezone(UTC) if last else None
    given["to"] = instant(end - timedelta(microseconds=1)) if end else None
    if first and last and last < first:
        faults.append(look.gettext(N_("结束的日子早于开始的日子。请对调。")))
    return given, ways, faults
