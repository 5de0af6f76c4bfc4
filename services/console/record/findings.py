"""Findings against units: their list, each with what it rests on, the hearing of the unit, and the decision."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from services.console import verbs
from services.console.access.staff import Staff
from services.console.calls import Answer, Refused, parts
from services.console.labels import FINDING_STATES
from services.console.packs.rules import place_title
from services.console.page import Reader, reader, render
from services.console.record.awaiting import PATH, below, decides, proposes
from services.console.record.axes import axes
from services.console.record.fresh import fresh
from services.console.site import Id, Signed, Site, titles
from services.console.verbs import Asked
from services.console.words import N_, translations
from services.console.worklist.desk import address, filters, nothing

ROWS, BEHIND, ACTS = 50, 20, 200
"""So many findings stand on a page, of so many events it tells what they say, and from so many one is proposed."""
FILTERS = {"unit": N_("单位"), "kind": N_("种类"), "state": N_("状态"), "drill": N_("范围")}
"""What narrows the list: parameter of the address -> its title."""
KINDS = (
    "late_report", "omitted_report", "concealed_report", "late_reply", "perfunctory_answer", "ineffective_handling",
    "non_cooperation", "answer_apart", "receipt_missed", "corrected_late", "duty_gap", "separation_attempt",
    "erased_in_limit",
)  # fmt: skip
DECIDES = ("confirm-finding", "reject-finding")


def router(site: Site) -> APIRouter:
    """The pages of findings."""
    pages = APIRouter()

    @pages.get("/findings")
    async def listed(request: Request, me: Signed, cursor: str | None = None) -> Response:
        """Findings against the office and those below it, in the order in which they were made."""
        text, below = translations(me.language).gettext, me.offices.below(me.unit)
        look = await reader(request)
        choices = {
            "unit": [one for one in me.offices.names() if one[0] in below],
            "kind": [(code, look.title(code)) for code in KINDS],
            "state": [(code, text(title)) for code, (_, _, title) in FINDING_STATES.items()],
            "drill": [("true", text(N_("演练")))],
        }
        at = axes(request, look)
        ways = filters(request, me, "findings", FILTERS, choices, **at.kept)
        given, is_unknown = {one.name: one.value for one in ways}, any(one.is_unknown for one in ways)
        is_wrong = is_unknown or bool(at.faults)
        (found,) = await parts(
            nothing() if is_wrong else me.calls.get(PATH, limit=ROWS, cursor=cursor, **given, **at.asked)
        )
        return await render(
            request,
            "findings.html",
            found=found,
            filters=ways,
            is_wrong=is_wrong,
            axes=at,
            chosen=given,
            stages=FINDING_STATES,
            next_at=address("findings", **given, **at.kept, cursor=(found.value or {}).get("next")),
        )

    @pages.get("/findings/new")
    async def proposing(request: Request, me: Signed, incident: str) -> Response:
        """The form in which an auditor proposes one by hand."""
        return await verbs.form(request, me, await _proposed(request, me, incident))

    @pages.post("/findings/new")
    async def propose(request: Request, me: Signed, incident: str) -> Response:
        """Proposes it. The unit is then heard."""
        return await verbs.act(request, me, await _proposed(request, me, incident))

    @pages.get("/findings/{id}")
    async def show(request: Request, me: Signed, id: Id, done: str = "") -> Response:
        """A finding: one sentence, its rule and numbers, the events behind it, the hearing, the decision."""
        one = await fresh(me, f"{PATH}/{id}", lambda one: _shows(one, done), waits=bool(done))
        pack, *events = await parts(
            site.pack_of(one["unit"], one["policy"], language=me.language),
            *(me.calls.get(f"/audit/v1/events/{behind['event']}") for behind in one["events"][:BEHIND]),
        )
        known = pack.value or {}
        return await render(
            request,
            "finding.html",
            one=one,
            rule=place_title(one["rule"], me.language),
            source=one["source"] and site.spoken(one["source"], me.language),
            events=list(zip(one["events"], events, strict=False)),
            left=max(len(one["events"]) - BEHIND, 0),
            documents={of["document"]: of["title"] for of in known.get("documents", ())},
            pack=titles(known),
            stages=FINDING_STATES,
            done=done,
            is_waiting=not _shows(one, done),
            is_for_another=one["state"] == "heard" and decides(me, one["unit"]),
        )

    @pages.get("/findings/{id}/{verb}")
    async def form(request: Request, me: Signed, id: Id, verb: str) -> Response:
        """The form of a verb."""
        return await verbs.form(request, me, await _asked(request, me, id, verb))

    @pages.post("/findings/{id}/{verb}")
    async def act(request: Request, me: Signed, id: Id, verb: str) -> Response:
        """Sends the verb."""
        return await verbs.act(request, me, await _asked(request, me, id, verb))

    async def _asked(request: Request, me: Staff, id: str, verb: str) -> Asked:
        operation = verbs.operation(site, "audit", f"findings/{{id}}/{verb}")
        one, look = await me.calls.get(f"{PATH}/{id}"), await reader(request)
        heard = look.gettext(N_("单位的意见"))
        return Asked(
            operation,
            verb,
            f"findings/{one['id']}",
            ids={"id": one["id"]},
            version=str(one["revision"]),
            named=one["explanation"],
            face={"heard": (heard, (one["heard"] or {}).get("text") or "")} if verb in DECIDES else {},
            template="finding_verb.html",
            beside={"finding": one},
        )

    async def _proposed(request: Request, me: Staff, incident: str) -> Asked:
        if not proposes(me):
            raise Refused(Answer(403, {}))
        about = await me.calls.get(f"/triage/v1/incidents/{incident}")
        found = await me.calls.get(f"/audit/v1/incidents/{about['id']}/timeline", newest=True, limit=ACTS)
        look = await reader(request)
        return Asked(
            verbs.operation(site, "audit", "findings"),
            "propose-finding",
            f"incidents/{about['number']}",
            choices={"unit": below(me), "events": [_said(item, look) for item in found["items"]]},
            without=("incident",),
            fixed={"incident": about["id"]},
            about=about,
            onward="findings/{id}",
        )

    return pages


def _shows(one: Mapping[str, Any], done: str) -> bool:
    """Whether a finding shows what was just done on it."""
    if done == "state-view":
        return bool(one["heard"] and one["heard"]["answered"])
    # Who decided alone at the root may still say the contrary; nobody may say anything on what is decided.
    return done not in DECIDES or bool(one["decided"] or (one["asked"] and one["may"]))


def _said(item: Mapping[str, Any], look: Reader) -> tuple[str, str]:
    """An event of the timeline as a choice."""
    return item["event"]["id"], f"{look.moment(item['event']['recordedtime'])} {item['summary']}"
