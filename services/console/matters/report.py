"""A new report: one page of fields, a look at it before it is sent, then its number and receipt."""

import asyncio
import secrets

from fastapi import APIRouter, Request, Response

from services.console import forms
from services.console.calls import Answer, Down, Part, part, parts
from services.console.forms import Control
from services.console.page import go, reader, render
from services.console.site import Signed, Site, problem_of
from services.console.verbs import told_of

FIELDS = ("unit", "channel", "subject", "text", "discovered_at", "place", "category", "request", "url", "reply_ref")
"""The fields of the page, in the order in which a person tells them."""

COMPARED = ("unit", "subject", "text", "place")
"""The fields by which a matter is compared with others."""
ENOUGH = 4
"""So many signs of a subject say what it is about."""
MOST = 500
"""So many signs of a field are compared while somebody types."""
PATIENCE = 3.0
"""Seconds for which a page waits until triage has taken a report in."""


def router(site: Site) -> APIRouter:
    """The pages of a new report."""
    pages = APIRouter()

    @pages.get("/reports/new")
    async def new(request: Request, me: Signed) -> Response:
        """The empty form, for the office of the post."""
        typed = site.typed(request, me.session.account.id)
        made = forms.filled(await _controls(me), typed or {"unit": me.unit})
        return await render(request, "report.html", controls=made, key=secrets.token_urlsafe(18), checked=None)

    @pages.post("/reports/new")
    async def send(request: Request, me: Signed) -> Response:
        """First a look at what was typed, then the report itself."""
        sent, look = await request.form(), await reader(request)
        made = forms.filled(await _controls(me), sent)
        body, made = forms.body(made, look.zone, look.now, look.gettext)
        key = str(sent.get("form.key", ""))
        if any(one.fault for one in made):
            return await render(request, "report.html", 422, controls=made, key=key, checked=None)
        if not sent.get("checked"):
            stored, similar = await asyncio.gather(
                part(me.calls.send("POST", "/ingest/v1/reports/preview", body=body)), part(_similar(me, body))
            )
            if stored.value and not stored.value.ok:
                return await _refused(request, me, made, stored.value)
            words = {name: value for name, value in (stored.value.body if stored.value else {}).items() if value}
            return await render(
                request, "report.html", controls=made, key=key, checked=body | words, stored=stored, similar=similar
            )
        if sent.get("checked") == "back":
            return await render(request, "report.html", controls=made, key=key, checked=None)
        try:
            answer = await me.calls.send("POST", "/ingest/v1/reports", body=body, headers={"Idempotency-Key": key})
        except Down as down:
            told = told_of(down, look)
            return await render(request, "report.html", 503, controls=made, key=key, checked=None, error=told)
        if not answer.ok:
            return await _refused(request, me, made, answer)
        return await render(request, "reported.html", taken=answer.body, subject=body["subject"])

    @pages.post("/reports/similar")
    async def similar(request: Request, me: Signed) -> Response:
        """The known matters that are like what somebody is typing: a part of the page, for a script."""
        sent = await request.form()
        body = {name: str(sent.get(name, "")).strip()[:MOST] for name in COMPARED}
        enough = len(body["subject"]) >= ENOUGH
        found = (await parts(_similar(me, body)))[0] if enough else Part([])
        return await render(request, "similar.html", similar=found)

    @pages.get("/reports/{id}")
    async def matter_of(request: Request, me: Signed, id: str) -> Response:
        """Leads to the matter to which a report belongs. A moment after the sending there is none yet."""
        until = asyncio.get_running_loop().time() + PATIENCE
        while True:
            found = await me.calls.get("/triage/v1/incidents", report_id=id)
            if found["items"]:
                return go(f"incidents/{found['items'][0]['number']}")
            if asyncio.get_running_loop().time() > until:
                return await render(request, "waiting.html", 202)
            await asyncio.sleep(0.1)

    async def _refused(request: Request, me: Signed, made: list[Control], answer: Answer) -> Response:
        """The form once more, with what ingest says."""
        told = problem_of(answer, me, {one.name: one.choices for one in made})
        told = forms.named(told, forms.titles_of(made), me.language)
        made = forms.faults_of(answer.body | {"detail": told}, made)
        key = secrets.token_urlsafe(18)
        return await render(request, "report.html", answer.status, controls=made, key=key, checked=None, error=told)

    async def _similar(me: Signed, body: dict[str, str]) -> object:
        asked = {name: body[name] for name in COMPARED if body.get(name)}
        asked.setdefault("text", asked["subject"])
        answer = await me.calls.send("POST", "/triage/v1/similar", body=asked)
        return answer.body["items"] if answer.ok else []

    async def _controls(me: Signed) -> list[Control]:
        operation = site.documents.command("ingest", "reports")
        assert operation is not None
        lists = (await parts(me.calls.get("/triage/v1/lists")))[0].value or {}
        is_english = me.language == "en"
        choices = {
            name: [(one["code"], one["title_en"] if is_english else one["title"]) for one in lists.get(of, ())]
            for name, of in (("channel", "channels"), ("category", "categories"))
        }
        made = {
            one.name: one
            for one in forms.controls(operation, {**choices, "units": me.offices.names(drill=me.is_drill)}, me.language)
        }
        return [made[name] for name in FIELDS]

    return pages
