"""The review of a matter: read as it prints, written, adopted, evaluated, sent and signed for; and lessons."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from services.console import verbs
from services.console.access.staff import Staff
from services.console.calls import Answer, Refused, parts
from services.console.forms import Choices, Control
from services.console.labels import LESSON_STATES, REVIEW_STATES
from services.console.page import Reader, reader, render
from services.console.record.fresh import fresh
from services.console.site import Id, Signed, Site
from services.console.verbs import Asked, Body
from services.console.words import N_, translations
from services.console.worklist.desk import address, filters, nothing

ROWS = 50
FILTERS = {"unit": N_("单位"), "state": N_("进展"), "overdue": N_("期限"), "drill": N_("范围")}
"""What narrows the list of lessons: parameter of the address -> its title."""
FORMS = ("html", "pdf", "docx")
LANGUAGES = ("zh", "en")
SEND = "report-upward"
"""The one verb of another service: the written report goes as any other report upward."""
PRINTED = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def router(site: Site) -> APIRouter:
    """The pages of reviews. They stand before those of the matter, whose paths would take them in."""
    pages = APIRouter()

    @pages.get("/record/lessons")
    async def lessons(request: Request, me: Signed, cursor: str | None = None) -> Response:
        """The lessons of the office and those below it, until they are done or dropped."""
        text, below, look = translations(me.language).gettext, me.offices.below(me.unit), await reader(request)
        choices = {
            "unit": [one for one in me.offices.names() if one[0] in below],
            "state": [(code, look.title(f"lesson_{code}")) for code in LESSON_STATES],
            "overdue": [("true", text(N_("已过期限")))],
            "drill": [("true", text(N_("演练")))],
        }
        ways = filters(request, me, "record/lessons", FILTERS, choices)
        given, is_unknown = {one.name: one.value for one in ways}, any(one.is_unknown for one in ways)
        (found,) = await parts(
            nothing() if is_unknown else me.calls.get("/audit/v1/lessons", limit=ROWS, cursor=cursor, **given)
        )
        return await render(
            request,
            "lessons.html",
            found=found,
            filters=ways,
            is_unknown=is_unknown,
            stages=LESSON_STATES,
            next_at=address("record/lessons", **given, cursor=(found.value or {}).get("next")),
        )

    @pages.get("/incidents/{id}/review")
    async def show(request: Request, me: Signed, id: Id, done: str = "", edition: str = "") -> Response:
        """The review: its text, what the record shows, evaluations, lessons, and what was sent."""
        about = await me.calls.get(f"/triage/v1/incidents/{id}")
        one = await _read(me, about["id"], done, edition)
        (limits,) = await parts(me.calls.get(f"/escalation/v1/incidents/{about['id']}"))
        may = set((limits.value or {}).get("may", ()))
        return await render(
            request,
            "review.html",
            about=about,
            one=one,
            done=done,
            is_waiting=one is not None and not _is_shown(one, done) and not edition,
            sends=SEND in may and one is not None and one["adopted"] is not None,
            signs="receipt" in may,
            stages=REVIEW_STATES,
            lesson_stages=LESSON_STATES,
            forms=FORMS,
            languages=LANGUAGES,
        )

    @pages.get("/incidents/{id}/review.{form}")
    async def printed(request: Request, me: Signed, id: Id, form: str, lang: str = "zh", edition: str = "") -> Response:
        """The report as it prints, as a page or a file."""
        if form not in FORMS or lang not in LANGUAGES or not (edition.isdecimal() or not edition):
            raise Refused(Answer(404, {}))
        about = await me.calls.get(f"/triage/v1/incidents/{id}")
        more = f"&edition={edition}" if edition else ""
        answer = await me.calls.fetch(f"/audit/v1/incidents/{about['id']}/review.{form}?lang={lang}{more}")
        if answer.is_error:
            raise Refused(Answer(answer.status_code, answer.json()))
        kept = {name: answer.headers[name] for name in ("Content-Type", "Content-Disposition")}
        return Response(answer.content, headers=PRINTED | kept)

    @pages.get("/incidents/{id}/review/{verb}")
    async def form(request: Request, me: Signed, id: Id, verb: str) -> Response:
        """The form of a verb."""
        return await verbs.form(request, me, await _asked(request, me, id, verb))

    @pages.post("/incidents/{id}/review/{verb}")
    async def act(request: Request, me: Signed, id: Id, verb: str) -> Response:
        """Sends the verb."""
        return await verbs.act(request, me, await _asked(request, me, id, verb))

    async def _asked(request: Request, me: Staff, id: str, verb: str) -> Asked:
        about = await me.calls.get(f"/triage/v1/incidents/{id}")
        one = await me.calls.get(f"/audit/v1/incidents/{about['id']}/review", lang="zh")
        back = f"incidents/{about['number']}/review"
        if verb == SEND:
            return await _sending(request, me, about, one, back)
        operation = verbs.operation(site, "audit", f"incidents/{{id}}/review/{verb}")
        present: dict[str, Any] = {}
        if verb == "edit-review":
            english = await me.calls.get(f"/audit/v1/incidents/{about['id']}/review", lang="en")
            present = {"text": one["text"] or "", "english": english["text"] if one["has_english"] else ""}
        reads = await _both(me, about["id"], one, await reader(request)) if verb == "adopt-review" else ""
        return Asked(
            operation,
            verb,
            back,
            ids={"id": about["id"]},
            choices=_choices(me, one),
            version=str(one["revision"]),
            without=("edition",) if verb == "adopt-review" else (),
            fixed={"edition": one["edition"]} if verb == "adopt-review" else {},
            present=present,
            about=about,
            adapt=partial(_with_english, present) if verb == "edit-review" else None,
            reads=reads,
        )

    async def _sending(
        request: Request, me: Staff, about: Mapping[str, Any], one: Mapping[str, Any], back: str
    ) -> Asked:
        if one["adopted"] is None:
            raise Refused(Answer(404, {}))
        limits, look = await me.calls.get(f"/escalation/v1/incidents/{about['id']}"), await reader(request)
        said = look.gettext(N_("总结报告第 %(edition)d 版，见“总结”一页。")) % {"edition": one["adopted"]}
        return Asked(
            verbs.operation(site, "escalation", f"incidents/{{id}}/{SEND}"),
            SEND,
            back,
            ids={"id": about["id"]},
            choices={"to": me.offices.above(one["unit"])},
            version=str(limits["revision"]),
            without=("form", "proposal", "review", "edition"),
            fixed={"form": "written", "review": one["id"], "edition": one["adopted"]},
            present={"text": said},
            about=about,
        )

    return pages


async def _both(me: Staff, id: str, one: Mapping[str, Any], look: Reader) -> str:
    """The text that is adopted, in both languages: the English edition prints the second one."""
    if one["has_english"]:
        english = (await me.calls.get(f"/audit/v1/incidents/{id}/review", lang="en"))["text"] or ""
    else:
        english = look.gettext(N_("没有英文文本，英文版印中文文本。"))
    return f"{one['text'] or ''}\n\n{look.gettext(N_('英文文本'))}\n\n{english}"


def _with_english(
    present: Mapping[str, Any], body: Body, made: list[Control], choices: Choices, look: Reader
) -> tuple[Body, list[Control]]:
    """The body without an English text that stands as it was while the Chinese one changed: it would be another one."""
    text, english = (" ".join(str(body.get(name) or "").split()) for name in ("text", "english"))
    was, then = (" ".join(str(present[name] or "").split()) for name in ("text", "english"))
    if text != was and english == then:
        return {name: value for name, value in body.items() if name != "english"}, made
    return body, made


def _choices(me: Staff, one: Mapping[str, Any]) -> dict[str, list[tuple[str, str]]]:
    upward = me.offices.above(one["unit"])
    return {
        "unit": me.offices.names(drill=one["drill"]),
        "units": me.offices.names(drill=one["drill"]),
        "posts": me.offices.posts(drill=one["drill"]),
        "members": upward,
        "took_part": upward,
        "lesson": [
            (str(of["lesson"]), f"{of['lesson']} {(of['text'] or '')[:60]}")
            for of in one["lessons"]
            if of["state"] == "open"
        ],
        "evaluation": [
            (str(of["evaluation"]), str(of["evaluation"])) for of in one["evaluations"] if of["conclusion"] is None
        ],
    }


async def _read(me: Staff, incident: str, done: str, edition: str) -> Mapping[str, Any] | None:
    """A review; None before its first draft."""
    try:
        path = f"/audit/v1/incidents/{incident}/review"
        return await fresh(me, path, lambda one: _is_shown(one, done), waits=bool(done), edition=edition)
    except Refused as refused:
        if str(refused.answer.body.get("type", "")).endswith(":review-not-drafted"):
            return None
        raise


def _is_shown(one: Mapping[str, Any], done: str) -> bool:
    """Whether the answer shows every decision, and what was just sent. The record takes a moment to hold the newest."""
    return bool(one["revision_shown"] >= one["revision"] and (one["sent"] or done != SEND))
