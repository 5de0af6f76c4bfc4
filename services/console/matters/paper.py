"""Paper for when everything is down: a form in the order of the screen, and its entry later with both times."""

import asyncio
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

import segno
from fastapi import APIRouter, Request, Response

from schemas.fields import parse_instant
from services.console import forms
from services.console.access.staff import Staff
from services.console.calls import Down, parts
from services.console.forms import Control
from services.console.matters.matter import grouped, waiting
from services.console.matters.report import FIELDS
from services.console.page import Reader, go, reader, render
from services.console.site import HOME, Signed, Site, problem_of
from services.console.verbs import told_of
from services.console.words import N_, translations

ON_PAPER: Sequence[str] = tuple(
    name for field in FIELDS for name in ((field, "written_at") if field == "discovered_at" else (field,))
)
"""The fields of a report on paper: those of the screen, with the second time after the first."""
SOURCE = "paper"
"""What sends a paper's number: one paper that is entered twice is one report."""
SIGNS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Digits and letters that nobody takes for another one."""
NUMBER = re.compile(f"P[0-9]{{6}}-[{SIGNS}]{{6}}")
MOST = 20
"""Forms that are printed at once."""
CAUSES: Mapping[str, str] = {
    "power": N_("停电"),
    "line": N_("网络中断"),
    "system": N_("系统停用"),
    "outdoors": N_("在现场，不在电脑旁"),
}
"""Why something was written on paper -> its title."""
TICKED = 20
"""With more choices than these, a field of the paper is a line."""


def router(site: Site) -> APIRouter:
    """The pages of paper forms."""
    pages = APIRouter()

    @pages.get("/paper")
    async def overview(request: Request, me: Signed) -> Response:
        """What can be printed, and where what was written is entered."""
        return await render(request, "paper.html", unit=me.unit, most=MOST)

    @pages.get("/paper/report")
    async def blank(request: Request, me: Signed, copies: str = "1") -> Response:
        """Empty forms of reports, each with its own number."""
        look = await reader(request)
        count = min(max(int(copies), 1), MOST) if copies.isdecimal() and len(copies) < 4 else 1
        day = look.now.astimezone(look.zone)
        numbers = [f"P{day:%y%m%d}-{''.join(secrets.choice(SIGNS) for _ in range(6))}" for _ in range(count)]
        sheets = [(number, drawn(f"paper/enter?paper={number}")) for number in numbers]
        controls = numbered(await _controls(me))
        return await render(request, "paper_report.html", sheets=sheets, controls=controls, unit=me.unit, ticked=TICKED)

    @pages.get("/paper/matter")
    async def of_matter(request: Request, me: Signed, number: str = "") -> Response:
        """An empty form for what is done on a matter."""
        one = await me.calls.get(f"/triage/v1/incidents/{quote(number.strip(), safe='')}") if number.strip() else None
        if one is None:
            return go("paper")
        code = drawn(f"paper/act?number={one['number']}")
        return await render(request, "paper_matter.html", one=one, code=code)

    @pages.get("/paper/act")
    async def of_act(request: Request, me: Signed, number: str = "", sent: str = "") -> Response:
        """Which line of a matter's paper is entered, and its times. They lead to the form of the act.

        The address has codes and times alone, and no word of the paper.
        """
        named = quote(number.strip(), safe="")
        if not named:
            return await render(request, "paper_act.html", one=None, controls=[])
        incident, (limits,) = await asyncio.gather(
            me.calls.get(f"/triage/v1/incidents/{named}"), parts(me.calls.get(f"/escalation/v1/incidents/{named}"))
        )
        look = await reader(request)
        made = forms.filled(
            _of_act(me, acts_of(site, me, incident, limits.value or {}, look), look), request.query_params
        )
        if not sent:
            return await render(request, "paper_act.html", one=incident, controls=made, limits=limits)
        body, made = forms.body(made, look.zone, look.now, look.gettext)
        done, wrote = (parse_instant(body[name]) if name in body else None for name in ("done_at", "written_at"))
        faults = {
            "done_at": done and done > look.now and N_("还没有到这个时间"),
            "written_at": done and wrote and not done <= wrote <= look.now and N_("写下的时间应在办理之后、现在之前"),
        }
        for one in made:
            if one.kind == "choice" and one.value and one.value not in dict(one.choices):
                faults[one.name] = N_("请从列出的里面选")
        made = [one.at_fault(look.gettext(told)) if (told := faults.get(one.name)) else one for one in made]
        if any(one.fault for one in made):
            return await render(request, "paper_act.html", 422, one=incident, controls=made, limits=limits)
        reason = look.gettext(CAUSES[body["cause"]])
        if wrote:
            reason = look.gettext(N_("%(cause)s，%(at)s 写在纸上")) % {"cause": reason, "at": _typed(wrote, look)}
        else:
            reason = look.gettext(N_("%(cause)s，写在纸上")) % {"cause": reason}
        assert done is not None, "the form asks for it"
        joint = "&" if "?" in body["act"] else "?"
        late = urlencode({"happened_at": _typed(done, look), "late_reason": reason})
        return go(f"incidents/{incident['number']}/{body['act']}{joint}{late}")

    @pages.get("/paper/enter")
    async def enter(request: Request, me: Signed, paper: str = "") -> Response:
        """The form of a paper's entry, field by field in its order."""
        typed = site.typed(request, me.session.account.id)
        made = forms.filled(await _controls(me), typed or {"unit": me.unit, "paper": paper})
        return await _page(request, made, secrets.token_urlsafe(18))

    @pages.post("/paper/enter")
    async def send(request: Request, me: Signed) -> Response:
        """First a look at both times, then the report itself."""
        sent, look = await request.form(), await reader(request)
        made = forms.filled(await _controls(me), sent)
        body, made = forms.body(made, look.zone, look.now, look.gettext)
        number, key = str(body.pop("paper", "")).strip().upper(), str(sent.get("form.key", ""))
        if number and not NUMBER.fullmatch(number):
            told = look.gettext(N_("纸表的编号写成 P261126-7K3FQ2 的样子；不是本系统印的纸，就不填"))
            made = [one.at_fault(told) if one.name == "paper" else one for one in made]
        if any(one.fault for one in made):
            return await _page(request, made, key, 422)
        if number:
            body |= {"source": SOURCE, "external_id": number}
        if sent.get("checked") != "yes":
            return await _page(request, made, key, checked=body if sent.get("checked") != "back" else None)
        try:
            answer = await me.calls.send("POST", "/ingest/v1/reports", body=body, headers={"Idempotency-Key": key})
        except Down as down:
            return await _page(request, made, key, 503, told=told_of(down, look))
        if not answer.ok:
            told = problem_of(answer, me, {one.name: one.choices for one in made})
            made = forms.faults_of(answer.body | {"detail": told}, made)
            return await _page(request, made, secrets.token_urlsafe(18), answer.status, told=told)
        return await render(
            request, "paper_entered.html", taken=answer.body, body=body, times=await _times(request, body)
        )

    def drawn(path: str) -> str:
        """A QR code of a page, as a picture."""
        address = f"{site.settings.public_url.rstrip('/')}{HOME}/{path}"
        return segno.make(address, error="m").svg_data_uri(scale=3)

    async def _page(
        request: Request,
        made: Sequence[Control],
        key: str,
        status: int = 200,
        *,
        checked: dict[str, Any] | None = None,
        told: str | None = None,
    ) -> Response:
        times = await _times(request, checked) if checked else None
        shown: dict[str, Any] = {"controls": numbered(made), "key": key, "checked": checked, "times": times}
        return await render(request, "paper_enter.html", status, **shown, error=told)

    async def _times(request: Request, body: dict[str, Any]) -> dict[str, Any]:
        """Both times of a paper beside that of its entry, and how long it lay."""
        now = (await reader(request)).now
        known = parse_instant(body["discovered_at"])
        written = parse_instant(body["written_at"]) if "written_at" in body else None
        return {
            "known": body["discovered_at"],
            "written": body.get("written_at"),
            "entered": now.isoformat(),
            "until_written": (written - known).total_seconds() if written else None,
            "until_entered": (now - known).total_seconds(),
        }

    async def _controls(me: Staff) -> list[Control]:
        operation = site.documents.command("ingest", "reports")
        assert operation is not None
        lists = (await parts(me.calls.get("/triage/v1/lists")))[0].value or {}
        title = "title_en" if me.language == "en" else "title"
        choices = {
            name: [(one["code"], one[title]) for one in lists.get(of, ())]
            for name, of in (("channel", "channels"), ("category", "categories"))
        }
        found = {
            one.name: one
            for one in forms.controls(operation, {**choices, "units": me.offices.names(drill=me.is_drill)}, me.language)
        }
        return [_form_number(me), *(found[name] for name in ON_PAPER)]

    return pages


def acts_of(
    site: Site, me: Staff, incident: Mapping[str, Any], limits: Mapping[str, Any], look: Reader
) -> list[tuple[str, str]]:
    """The acts that this post may do on a matter now and that can be entered later: the end of its form, and its title.

    What waits for the post stands first.
    """
    own, may = f"incidents/{incident['number']}/", set(incident["may"]) | set(limits.get("may", ()))
    waits = [
        (one.to.removeprefix(own), f"{look.title(one.verb)} {one.about}".strip())
        for one in waiting(me, incident, limits, {})
    ]
    listed = [
        (f"{service}/{verb}", look.title(verb)) for _, of in grouped(may, incident["may"]) for service, verb in of
    ]
    found = dict(waits) | {to: title for to, title in listed if to not in dict(waits)}
    return [(to, title) for to, title in found.items() if _comes_late(site, to)]


def _comes_late(site: Site, to: str) -> bool:
    service, verb = to.partition("?")[0].split("/")
    operation = site.documents.command(service, f"incidents/{{id}}/{verb}")
    return operation is not None and "happened_at" in operation.schema.get("properties", {})


def _of_act(me: Staff, acts: Sequence[tuple[str, str]], look: Reader) -> list[Control]:
    """The fields of a line on a matter's paper that lead to the form of its act."""
    said = look.gettext
    causes = tuple((code, said(title)) for code, title in CAUSES.items())
    return [
        Control("act", "choice", True, said(N_("办了什么")), said(N_("只列出本岗位现在能办的")), tuple(acts)),
        Control("done_at", "time", True, said(N_("实际办理时间")), said(N_("照纸上的填，写成 11-25 21:07"))),
        Control("written_at", "time", False, said(N_("写下时间"))),
        Control("cause", "choice", True, said(N_("为何写在纸上")), "", causes),
    ]


def _typed(at: datetime, look: Reader) -> str:
    return f"{at.astimezone(look.zone):%Y-%m-%d %H:%M}"


def _form_number(me: Staff) -> Control:
    said = translations(me.language).gettext
    return Control("paper", "line", False, said(N_("纸表编号")), said(N_("在纸的右上角；同一岗位录两次也只算一件")))


def numbered(made: Sequence[Control]) -> list[Control]:
    """The controls with the numbers that stand on the paper."""
    return [replace(one, title=f"{at}. {one.title}") for at, one in enumerate(made, 1)]
