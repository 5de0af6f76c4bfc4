"""The page of a matter, and one form for each verb that a service offers on it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fastapi import APIRouter, Request, Response

from schemas.titles import Language
from services.console import verbs
from services.console.access.staff import Staff
from services.console.calls import Down, Part, parts
from services.console.labels import FINDING_STATES, STATES, WAITS
from services.console.matters.facts import described, facts_of, how, reading
from services.console.matters.timeline import MILESTONE, by_day
from services.console.packs.rules import place_title
from services.console.page import MOST_PURPOSE, Reader, reader, render
from services.console.record.awaiting import proposes
from services.console.site import Id, Signed, Site, titles
from services.console.verbs import Asked
from services.console.words import N_, translations

GROUPS: Sequence[tuple[str, Sequence[str]]] = (
    (
        N_("核实与研判"),
        (
            "request-verification", "establish-fact", "conclude-verification", "assess", "categorize", "classify",
            "grade", "set-flag", "clear-flag", "judge-harm", "judge-doubt", "screen", "review-screening",
        ),
    ),
    (
        N_("交办"),
        (
            "instruct", "assign", "designate", "accept", "return", "request-help", "accept-help", "return-help",
            "complete-help", "transfer", "move-policy", "pass-upward", "hand-to-peer", "tell-peer",
        ),
    ),
    (
        N_("办理与答复"),
        (
            "name-team", "make-plan", "start-plan", "hold-meeting", "record-handling", "receive-material",
            "propose-measure", "explain", "reply", "solve", "leave-unsolved", "order-explanation", "explain-to-office",
            "explain-delay",
        ),
    ),
    (
        N_("上报与时限"),
        (
            "report-upward", "inform-office", "decide", "ask-lead", "accept-lead", "take-lead", "give-notice",
            "report-back", "write-part",
        ),
    ),
    (N_("关联"), ("merge", "link", "offer", "split")),
    (N_("结束与以后"), ("resolve", "follow-up", "close", "reopen", "decline-round")),
)  # fmt: skip
"""The verbs of a matter in groups, in the order of the work. What a service adds stands at the end."""
NEXT: Mapping[str, Sequence[str]] = {
    "instruction": ("instruct",),
    "assignment": ("request-verification", "grade", "assign"),
    "designation": ("designate",),
    "acceptance": ("accept",),
    "verification": ("conclude-verification",),
    "handling": ("solve", "reply", "explain"),
    "review": ("review-screening",),
    "round": ("reopen", "decline-round"),
    "follow_up": ("follow-up",),
    "closing": ("close",),
}
"""What a matter waits for -> the verbs that move it on, in the order of the work. An approval has a proposal."""
VERIFYING: Mapping[str, str] = {
    "huiying.incident.verification_requested.v1": N_("要求核实："),
    "huiying.incident.verification_concluded.v1": N_("核实情况："),
}
"""The notes of a verification -> what they say."""
EVENTS = 20
"""So many entries of the timeline are asked for. The page leaves the milestones out: they repeat acts of people."""
FINDINGS = 50
FILES = {"chief", "approver", "auditor"}
"""Roles that see the sealed files of a matter."""
MOST_REPORTS = 20
"""So many reports of a matter are asked for their files."""
NAMED: Mapping[str, tuple[str, str]] = {
    "hand-to-peer": ("to", "peers"),
    "inform-office": ("to", "units"),
    "receipt": ("report", "upward"),
    "confirm-decision": ("decision", "decisions"),
    "write-part": ("notice", "notices"),
    "report-back": ("notice", "notices"),
}
"""Verb -> the field in which it names a unit or a record of the matter, and the list of these."""
TOLD: Mapping[str, str] = {
    "accepted": N_("接收"),
    "refused": N_("不接收"),
    "answered": N_("答复"),
    "returned": N_("退回"),
}
"""What the deployment that handed a matter over is told."""
BETWEEN: Mapping[str, str] = {
    "handed": N_("移交"),
    **TOLD,
    "undelivered": N_("未能送达"),
    "waiting": N_("还没有送达"),
    "taken": N_("已送达，有签名回执"),
}
"""What stands between deployments on a matter -> what it is."""
GRADED = ("huiying.incident.graded.v1", "huiying.incident.regraded.v1")
"""The notes that say why a matter has its level."""


def router(site: Site) -> APIRouter:
    """The pages of a matter."""
    pages = APIRouter()

    @pages.get("/incidents/{id}")
    async def show(
        request: Request, me: Signed, id: Id, done: str = "", proposed: str = "", purpose: str = ""
    ) -> Response:
        """The matter: what it is, whom it waits for, what may be done, what was done.

        Whoever does not work on it names a purpose to read what citizens wrote.
        """
        incident = await me.calls.get(f"/triage/v1/incidents/{id}", purpose=purpose.strip()[:MOST_PURPOSE])
        # By its id: each service would look a number up first.
        own = incident["id"]
        limits, statements, timeline, sheet, pack, lists, findings, sent = await parts(
            me.calls.get(f"/escalation/v1/incidents/{own}"),
            me.calls.get("/publish/v1/statements", incident=own, limit=50),
            me.calls.get(f"/audit/v1/incidents/{own}/timeline", newest=True, limit=EVENTS),
            me.calls.get(f"/triage/v1/incidents/{own}/facts"),
            site.pack_of(incident["unit"], incident["policy"], language=me.language),
            me.calls.get("/triage/v1/lists"),
            me.calls.get("/audit/v1/findings", incident=own, drill=incident["drill"], limit=FINDINGS),
            *([me.calls.get(f"/audit/v1/incidents/{own}/messages")] if incident["handing"] else [nothing()]),
        )
        may = set(incident["may"]) | set((limits.value or {}).get("may", ()))
        look, recorded = await reader(request), (timeline.value or {"items": ()})["items"]
        acts = [one for one in recorded if one["event"]["type"] != MILESTONE]
        return await render(
            request,
            "matter.html",
            one=incident,
            limits=limits,
            statements=statements,
            timeline=timeline,
            findings=findings,
            stages=FINDING_STATES,
            proposes=proposes(me),
            files=not FILES.isdisjoint(me.roles),
            days=by_day(acts, look),
            is_cut=len(recorded) == EVENTS,
            why=why_of(incident, pack.value or {}, await site.rules_of(pack.value or {}, me.language), me.language),
            sheet=sheet,
            verbs=grouped(may, incident["may"]),
            waiting=waiting(me, incident, limits.value or {}, statements.value or {}),
            awaited=awaited(incident),
            verifying={kind: look.gettext(said) for kind, said in VERIFYING.items()},
            pack=titles(pack.value or {}),
            categories=named(lists, "categories", me.language),
            channels=named(lists, "channels", me.language),
            peers=named(lists, "peers", me.language, "name"),
            sent=sent,
            between=BETWEEN,
            done=done,
            proposed=proposed,
            purpose=purpose.strip()[:MOST_PURPOSE],
        )

    @pages.get("/incidents/{id}/similar")
    async def similar(request: Request, me: Signed, id: Id) -> Response:
        """Matters that are like this one. They are compared anew, so the page of the matter does not wait for them."""
        incident = await me.calls.get(f"/triage/v1/incidents/{id}")
        (found,) = await parts(me.calls.get(f"/triage/v1/incidents/{id}/similar", limit=5))
        return await render(request, "matter_similar.html", one=incident, found=found)

    @pages.get("/incidents/{id}/{service}/{verb}")
    async def form(request: Request, me: Signed, id: Id, service: str, verb: str) -> Response:
        """The form of a verb."""
        return await verbs.form(request, me, await _asked(request, me, id, service, verb))

    @pages.post("/incidents/{id}/{service}/{verb}")
    async def act(request: Request, me: Signed, id: Id, service: str, verb: str) -> Response:
        """Sends the verb."""
        return await verbs.act(request, me, await _asked(request, me, id, service, verb))

    async def _asked(request: Request, me: Signed, id: Id, service: str, verb: str) -> Asked:
        operation = verbs.operation(site, service, f"incidents/{{id}}/{verb}")
        incident = await me.calls.get(f"/triage/v1/incidents/{id}")
        limits, lists = await parts(me.calls.get(f"/escalation/v1/incidents/{id}"), me.calls.get("/triage/v1/lists"))
        pack = await site.pack_of(incident["unit"], incident["policy"], language=me.language)
        if limits.down and service == "escalation" and request.method == "GET":
            raise Down(limits.down)  # without its revision nobody could say what they saw
        known = limits.value or {}
        is_fact = verb == "establish-fact"
        choices = choices_of(me, incident, known, lists.value or {}, pack, await site.packs(me.language))
        fields = operation.schema.get("properties", {})
        if "evidence" in fields:
            choices |= await _files(me, incident, await reader(request))
        has_no_file = choices.get("evidence") == [] and not (await request.form()).get("evidence")
        decides = service == "triage" and "proposal" in fields
        proposal = _read_proposal(incident, request.query_params.get("proposal")) if decides else None
        if verb == "approve":
            asked = [proposal] if proposal else [one for one in incident["proposals"] if one["may"]]
            choices["took_part"] = me.offices.members({post for one in asked for post in one["due"]})
        is_alone = choices.get("took_part") == []
        beside: dict[str, Any] = {}
        if is_fact:
            look, facts = await reader(request), facts_of(lists.value or {}, pack)
            choices["key"] = [(key, described(one, look)) for key, one in facts.items()]
            beside["hows"] = [(key, how(one, look), one.get("measure")) for key, one in facts.items()]
        return Asked(
            operation,
            verb,
            f"incidents/{incident['number']}",
            ids={"id": incident["id"]},
            choices=of_verb(verb, choices),
            needs=await _needs(verb, pack),
            version=str(incident["revision"] if service == "triage" else known.get("revision", "")),
            without=("kind",) * is_fact
            + ("evidence",) * has_no_file
            + ("proposal",) * bool(proposal)
            + ("took_part",) * is_alone
            + ("review", "edition") * (verb == "report-upward"),
            fixed={"proposal": proposal["proposal"]} if proposal else {},
            adapt=reading(facts_of(lists.value or {}, pack)) if is_fact else None,
            about=incident,
            reads=proposal["text"] if proposal else "",
            face=face_of(me, incident, pack, verb, choices),
            template="fact.html" if is_fact else "verb.html",
            beside=beside,
        )

    async def _needs(verb: str, pack: Mapping[str, Any]) -> tuple[str, ...]:
        """The fields without which the matter's pack lets a verb be refused."""
        if verb == "assign":
            lead = (await site.rules_of(pack)).get("assigning.lead", {"value": {}})["value"].get("value")
            return () if lead == "first_receiver" else ("unit",)
        return ("ground",) if verb == "return" and pack.get("return_grounds") else ()

    return pages


def _read_proposal(incident: Mapping[str, Any], named: str | None) -> Mapping[str, Any] | None:
    """The proposal that an address names. Its text stands above the form, so the form decides on no other one."""
    return next((one for one in incident["proposals"] if str(one["proposal"]) == named and one["text"]), None)


async def _files(me: Staff, incident: Mapping[str, Any], look: Reader) -> dict[str, list[tuple[str, str]]]:
    """The files of the matter's reports, to choose from; nothing if ingest does not answer, so that ids are typed."""
    reports = incident["reports"][:MOST_REPORTS]
    found = await parts(*(me.calls.get(f"/ingest/v1/reports/{one['id']}") for one in reports))
    if any(one.down for one in found):
        return {}
    files = [file for one in found if one.value for file in one.value["evidence"]]
    said = (f"{look.moment(one['attached_at'])} {one['media_type']} {one.get('note') or ''}".strip() for one in files)
    return {"evidence": list(zip((one["file"] for one in files), said, strict=True))}


class Waiting(NamedTuple):
    """A verb on one record of a matter, such as the approval of a proposal."""

    verb: str
    to: str
    """Its form, below `/console`."""
    about: str
    """What it is about, in a few words."""


def awaited(incident: Mapping[str, Any]) -> str:
    """What the matter waits for. If it is handled and answered, it waits until its handler says that it is done."""
    ball, handled = incident["ball"] or {}, incident["handled"]
    is_done = ball.get("for") == "handling" and handled["problem"] and handled["answer"]
    return N_("办结") if is_done else WAITS.get(ball.get("for", ""), "")


def waiting(
    me: Staff, incident: Mapping[str, Any], limits: Mapping[str, Any], statements: Mapping[str, Any]
) -> list[Waiting]:
    """What waits for the post: the next steps of the matter, its texts and proposals, what units told each other."""
    own = f"incidents/{incident['number']}"
    steps = _steps(me, incident)
    step = [Waiting(verb, f"{own}/triage/{verb}", "") for verb in dict.fromkeys(steps) if verb in incident["may"]]
    if {"reply", "explain"} & set(steps) and "draft" in statements.get("may", ()) and not statements["items"]:
        step.append(Waiting("draft", f"statements/new?incident={incident['number']}", ""))
    handing = incident["handing"] or {}
    if handing.get("came_from") and not handing["told"] and "tell-peer" in incident["may"]:
        step.append(Waiting("tell-peer", f"{own}/triage/tell-peer", handing["came_from"]))
    if "closing_account" in incident["owes"] and "draft" in statements.get("may", ()):
        about = translations(me.language).gettext(N_("结案说明"))
        step.append(Waiting("draft", f"statements/new?incident={incident['number']}&form=closing_account", about))
    written = [
        Waiting(verb, f"statements/{one['number']}", f"{one['number']} {(one['title'] or '')[:20]}".strip())
        for one in statements.get("items", ())
        for verb in ("submit", "approve", "publish")
        if verb in one["may"]
    ]
    proposed = [
        Waiting(verb, f"{own}/triage/{verb}?proposal={one['proposal']}", (one["text"] or "")[:20])
        for one in incident["proposals"]
        for verb in one["may"]
    ]
    reported = [
        Waiting(
            verb,
            f"{own}/escalation/{verb}?report={one['report']}&accepted=yes",
            me.offices.post(f"{one['addressee']}@{one['to']}"),
        )
        for one in limits.get("reports", ())
        if one["state"] == "waiting"
        for verb in one["may"]
    ]
    noticed = [
        Waiting(verb, f"{own}/escalation/{verb}?notice={one['notice']}", me.offices.unit(one["unit"]))
        for one in limits.get("notices", ())
        if one["to"] == me.unit
        for verb in one["may"]
    ]
    return step + written + proposed + reported + noticed


def _steps(me: Staff, incident: Mapping[str, Any]) -> list[str]:
    """The verbs that move the matter on from where it stands; the post may not have the right to all of them."""
    waits, handled, known = (incident["ball"] or {}).get("for", ""), incident["handled"], incident["verification"]
    is_proposed = any(one["state"] == "proposed" and one["of"] != "measure" for one in incident["proposals"])
    # If all is handled and the work cannot end, the answer does not say yet what was found.
    is_answered = is_proposed or (handled["answer"] and not handled["problem"])
    is_ended = awaited(incident) == N_("办结") and "resolve" in incident["may"]
    done = {
        "request-verification": known["asked"] or known["outcome"],
        "grade": incident["level"],
        "solve": handled["problem"],
        "reply": is_answered,
        "explain": is_answered,
    }
    # The ball is with one unit at a time, while another one may have been asked to verify.
    found = ["conclude-verification"] if me.unit in known["asked"] else []
    if is_ended:
        found.append("resolve")
    elif "handler" in me.roles and incident["assigned"] == me.unit and incident["state"] == "accepted":
        # Much can be done while the matter waits for others.
        found += NEXT["handling"]
    if waits != "handling":
        found += NEXT.get(waits, ())
    shares = [one for one in incident["shares"] if one["part"] == "helper" and one["unit"] == me.unit]
    for share in shares:
        if not share["completed_at"]:
            found.append("complete-help" if share["accepted_at"] else "accept-help")
    found += ["explain-to-office"] if set(incident["owes"]) - {"closing_account"} else []
    return [verb for verb in found if not done.get(verb)]


def face_of(
    me: Staff, incident: Mapping[str, Any], pack: Mapping[str, Any], verb: str, choices: Mapping[str, Any]
) -> dict[str, tuple[str, str]]:
    """What a matter shows, for who finds that another person was faster. `unit` is what the verb's field changes."""
    text, titled = translations(me.language).gettext, titles(pack)
    ball, assigned = incident["ball"] or {}, me.offices.unit(incident["assigned"])
    named_facts = dict(choices["facts"])
    facts = "；".join(f"{named_facts[one['key']]}：{one['value']}" for one in incident["facts"])
    unit = {"transfer": me.offices.unit(incident["unit"])}.get(verb, assigned)
    waits = me.offices.post(ball["post"]) if ball.get("post") else me.offices.unit(ball.get("unit"))
    return {
        "state": (text(N_("状态")), text(STATES[incident["state"]])),
        "accountable": (text(N_("责任单位")), me.offices.unit(incident["unit"])),
        "unit": (text(N_("责任单位") if verb == "transfer" else N_("承办单位")), unit),
        "ball": (text(N_("在谁手上")), waits),
        "level": (text(N_("等级")), titled["levels"].get(incident["level"], incident["level"] or "")),
        "answer_kind": (text(N_("答复类型")), titled["answer_kinds"].get(incident["answer_kind"], "")),
        "flag": (
            text(N_("标识")),
            "、".join(titled["flags"].get(one["flag"], one["flag"]) for one in incident["flags"]),
        ),
        "value": (text(N_("事实")), facts),
    }


def place_of(proposed: Mapping[str, str]) -> str:
    """Where the pack has the rule of a proposal: `major/clicks` is a condition of a level, `otherwise` is none."""
    level, _, condition = proposed["rule"].partition("/")
    return f"levels.{level}" if condition == "otherwise" else f"levels.{level}.conditions.{condition}"


def why_of(
    incident: Mapping[str, Any],
    pack: Mapping[str, Any],
    rules: Mapping[str, Mapping[str, Any]],
    language: Language,
) -> dict[str, Any]:
    """Why a matter has its level: who graded it and with which words, what the pack proposes, and from where."""
    proposed, graded = incident["proposed"], [note for note in incident["notes"] if note["type"] in GRADED]
    return {
        "graded": graded[-1] if graded else None,
        "rule": proposed and rules.get(place_of(proposed)),
        "rule_words": proposed and place_title(place_of(proposed), language),
        "level": rules.get(f"levels.{incident['level']}"),
        "documents": {one["document"]: one["title"] for one in pack.get("documents", ())},
        "pack": pack.get("title", ""),
    }


def choices_of(
    me: Staff,
    incident: Mapping[str, Any],
    limits: Mapping[str, Any],
    lists: Mapping[str, Any],
    pack: Mapping[str, Any],
    packs: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Field -> the values among which it chooses, with their titles.

    An exercise stays among units for exercises, and a real matter among the others.
    """
    is_english, drill = me.language == "en", bool(incident.get("drill"))

    def named(one: Mapping[str, Any]) -> str:
        return str(one["title_en"] if is_english and one.get("title_en") else one["title"])

    facts, text = facts_of(lists, pack), translations(me.language).gettext
    return {
        "units": me.offices.names(drill=drill),
        "posts": me.offices.posts(drill=drill),
        "above": me.offices.above(me.unit),
        "level": [(one["level"], one["title"]) for one in pack.get("levels", ())],
        "answer_kind": [(one["answer_kind"], one["title"]) for one in pack.get("answer_kinds", ())],
        "flag": [(one["flag"], one["title"]) for one in pack.get("flags", ())],
        "harm": [(str(one["harm"]), one["title"]) for one in pack.get("harm_scale", ())],
        "ground": [(one["ground"], one["title"]) for one in pack.get("return_grounds", ())],
        "no_reply_ground": [(one["ground"], one["title"]) for one in pack.get("no_reply_grounds", ())],
        "category": [(one["code"], named(one)) for one in lists.get("categories", ())],
        "channel": [(one["code"], named(one)) for one in lists.get("channels", ())],
        "key": [(key, named(one)) for key, one in facts.items()],
        "facts": [(one["key"], named(facts.get(one["key"], {"title": one["key"]}))) for one in incident["facts"]],
        "clock": [
            (one["clock"], titles(pack)["clocks"].get(one["clock"].partition("#")[0], one["clock"]))
            for one in limits.get("clocks", ())
            if one["state"] in ("running", "breached")
        ],
        "clocks": list(titles(pack)["clocks"].items()),
        "reports": [(one["id"], one["subject"] or one["id"]) for one in incident["reports"]],
        "proposal": [(str(one["proposal"]), (one["text"] or "")[:60]) for one in incident["proposals"] if one["may"]],
        "peers": [(one["name"], named(one)) for one in lists.get("peers", ()) if one["hands"]],
        "said": [(code, text(title)) for code, title in TOLD.items()],
        "pack": [(f"{one['pack']}@{one['version']}", one["title"]) for one in packs],
        "upward": [
            (one["report"], me.offices.post(f"{one['addressee']}@{one['to']}")) for one in limits.get("reports", ())
        ],
        "notices": [(one["notice"], me.offices.unit(one["to"])) for one in limits.get("notices", ())],
        "decisions": [(one["decision"], (one["reason"] or "")[:60]) for one in limits.get("decisions", ())],
    }


def of_verb(verb: str, known: dict[str, Any]) -> dict[str, Any]:
    """The values for a verb: the same name of a field can mean another list there, or a text."""
    if verb == "screen":
        return known | {"ground": known["no_reply_ground"]}
    if verb == "report-upward":
        return {name: values for name, values in known.items() if name != "proposal"} | {"to": known["above"]}
    if verb in NAMED:
        field, of = NAMED[verb]
        return known | {field: known[of]}
    return known


async def nothing() -> dict[str, Any]:
    """The answer of a part that is not asked for."""
    return {"items": []}


def named(lists: Part, of: str, language: str, code: str = "code") -> dict[str, str]:
    """Code -> title of one of the deployment's lists."""
    title = "title_en" if language == "en" else "title"
    return {one[code]: one[title] for one in (lists.value or {}).get(of, ())}


def grouped(may: set[str], of_triage: Sequence[str]) -> list[tuple[str, list[tuple[str, str]]]]:
    """The verbs in groups, each with its service."""
    found, placed = [], set()
    for title, of_group in GROUPS:
        here = [("triage" if verb in of_triage else "escalation", verb) for verb in of_group if verb in may]
        placed |= {verb for _, verb in here}
        if here:
            found.append((title, here))
    if left := sorted(may - placed - {"approve", "reject", "cannot-judge", "receipt"}):
        found.append((N_("其他"), [("triage" if verb in of_triage else "escalation", verb) for verb in left]))
    return found
