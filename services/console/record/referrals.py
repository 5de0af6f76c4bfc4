"""Serious neglect that is passed on to the competent body, and good work that is praised: by post, never by name."""

import asyncio
from collections.abc import Mapping
from operator import itemgetter
from typing import Any

from fastapi import APIRouter, Request, Response

from services.console import verbs
from services.console.access.staff import Staff
from services.console.calls import parts
from services.console.labels import REFERRAL_STATES, SCOPES
from services.console.page import reader, render
from services.console.record.fresh import fresh
from services.console.site import Id, Signed, Site
from services.console.verbs import Asked
from services.console.words import N_, translations
from services.console.worklist.desk import address, filters, nothing

PATH, ROWS, ACTS = "/audit/v1/referrals", 50, 100
FILTERS = {"unit": N_("单位"), "kind": N_("种类"), "state": N_("状态"), "drill": N_("范围")}
"""What narrows the list: parameter of the address -> its title."""
KINDS, PROPOSES = ("neglect", "praise"), {"chief", "auditor"}
STANDS = ("stands", "upheld")


def router(site: Site) -> APIRouter:
    """The pages of referrals."""
    pages = APIRouter()

    @pages.get("/record/referrals")
    async def listed(request: Request, me: Signed, cursor: str | None = None) -> Response:
        """Referrals in the order in which they were proposed. Nothing is ranked or added up."""
        text, units, look = translations(me.language).gettext, me.offices.below(me.unit), await reader(request)
        choices = {
            "unit": [one for one in me.offices.names() if one[0] in units],
            "kind": [(code, look.title(code)) for code in KINDS],
            "state": [(code, text(title)) for code, (_, _, title) in REFERRAL_STATES.items()],
            "drill": [(code, text(title)) for code, title in SCOPES.items()],
        }
        ways = filters(request, me, "record/referrals", FILTERS, choices)
        given, is_unknown = {one.name: one.value for one in ways}, any(one.is_unknown for one in ways)
        (found,) = await parts(nothing() if is_unknown else me.calls.get(PATH, limit=ROWS, cursor=cursor, **given))
        return await render(
            request,
            "referrals.html",
            found=found,
            filters=ways,
            is_unknown=is_unknown,
            stages=REFERRAL_STATES,
            proposes=not PROPOSES.isdisjoint(me.roles),
            next_at=address("record/referrals", **given, cursor=(found.value or {}).get("next")),
        )

    @pages.get("/record/referrals/new")
    async def proposing(request: Request, me: Signed) -> Response:
        """The form of a proposal."""
        return await verbs.form(request, me, await _proposed(me))

    @pages.post("/record/referrals/new")
    async def propose(request: Request, me: Signed) -> Response:
        """Proposes it."""
        return await verbs.act(request, me, await _proposed(me))

    @pages.get("/record/referrals/{id}")
    async def show(request: Request, me: Signed, id: Id, done: str = "") -> Response:
        """One referral: what it rests on, what the post said, what was decided."""
        one = await fresh(me, f"{PATH}/{id}", _is_shown, waits=bool(done))
        return await render(
            request, "referral.html", one=one, done=done, stages=REFERRAL_STATES, is_waiting=not _is_shown(one)
        )

    @pages.get("/record/referrals/{id}/{verb}")
    async def form(request: Request, me: Signed, id: Id, verb: str) -> Response:
        """The form of a verb."""
        return await verbs.form(request, me, await _asked(me, id, verb))

    @pages.post("/record/referrals/{id}/{verb}")
    async def act(request: Request, me: Signed, id: Id, verb: str) -> Response:
        """Sends the verb."""
        return await verbs.act(request, me, await _asked(me, id, verb))

    async def _proposed(me: Staff) -> Asked:
        asked = {"limit": ACTS, "newest": True}
        stand = await asyncio.gather(*(me.calls.get("/audit/v1/findings", state=one, **asked) for one in STANDS))
        known = sorted((f for one in stand for f in one["items"]), key=itemgetter("made_at"), reverse=True)
        units = [one for one in me.offices.names() if one[0] in me.offices.below(me.unit)]
        findings = [(f["id"], f["explanation"]) for f in known]
        posts = dict.fromkeys(post.partition("@")[0] for post, _ in me.offices.posts())
        choices = {"unit": units, "findings": findings, "post": [(code, _title(me, code)) for code in posts]}
        operation = verbs.operation(site, "audit", "referrals")
        onward = "record/referrals/{id}"
        return Asked(operation, "propose-referral", "record/referrals", choices=choices, onward=onward)

    async def _asked(me: Staff, id: str, verb: str) -> Asked:
        operation = verbs.operation(site, "audit", f"referrals/{{id}}/{verb}")
        one = await me.calls.get(f"{PATH}/{id}")
        heard = translations(me.language).gettext(N_("岗位的意见"))
        return Asked(
            operation,
            verb,
            f"record/referrals/{one['id']}",
            ids={"id": one["id"]},
            version=str(one["revision"]),
            named=me.offices.post(f"{one['post']}@{one['unit']}"),
            face={"heard": (heard, (one["heard"] or {}).get("text") or "")} if verb != "state-own-view" else {},
        )

    return pages


def _title(me: Staff, code: str) -> str:
    """The title of a post of this code, without its unit."""
    posts = (post for one in me.offices.units.values() for post in one["posts"])
    return next((post["title"] for post in posts if post["post"].partition("@")[0] == code), code)


def _is_shown(one: Mapping[str, Any]) -> bool:
    """Whether the answer shows every decision. The record takes a moment to hold the newest."""
    return 1 + sum(one[name] is not None for name in ("heard", "decided", "receipt")) >= int(one["revision"])
