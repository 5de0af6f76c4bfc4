"""Paper for when everything is down: a form in the order of the screen, and its entry later with both times."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import segno
from fastapi import APIRouter, Request, Response

from schemas.fields import parse_instant
from services.console import forms
from services.console.access.staff import Staff
from services.console.calls import Down, parts
from services.console.forms import Control
from services.console.matters.report import FIELDS
from services.console.page import go, reader, render
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
        code = drawn(f"incidents/{one['number']}")
        return await render(request, "paper_matter.html", one=one, code=code)

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
            one.name: one for one in forms.controls(operation, {**choices, "units": me.offices.names()}, me.language)
        }
        return [_form_number(me), *(found[name] for name in ON_PAPER)]

    return pages


def _form_number(me: Staff) -> Control:
    said = translations(me.language).gettext
    return Control("paper", "line", False, said(N_("纸表编号")), said(N_("在纸的右上角；同一岗位录两次也只算一件")))


def numbered(made: Sequence[Control]) -> list[Control]:
    """The controls with the numbers that stand on the paper."""
    return [replace(one, title=f"{at}. {one.title}") for at, one in enumerate(made, 1)]
