"""The editor of packs: written, checked, compared, tried on cases, on one matter and on those of the record; adopted
last. Each step is a page, and nothing takes effect before the last one.
"""

import asyncio
import hashlib
import re
import time
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from schemas.fields import instant
from services.console.access.staff import Staff
from services.console.calls import Answer, Down, Refused, part_of_path
from services.console.labels import DIFFERS
from services.console.packs.drafts import Draft
from services.console.packs.lines import changes
from services.console.packs.rules import may_try
from services.console.page import go, reader, render
from services.console.site import Signed, Site, language, problem_of, seconds, site_of
from services.console.verbs import told_of
from services.console.words import N_, plain, typed_moment

LONGEST = 262_144
"""Characters of a text, as the services take it."""
MATTERS, SECONDS = 2_000, 8.0
"""A dry run ends after so many matters or seconds, and says so."""
SHOWN = 200
"""Differences that are shown."""
DAYS = 30
"""Days before now since which matters are judged, if nobody says otherwise."""
CHANGED = N_("这份草稿已在另一个页面改过。您写的还在下面，再保存一次就以它为准；要看另一份，请另开这个页面。")
TOO_LONG = N_("文本太长，最多 %(longest)d 字。")


async def mine(request: Request, me: Signed, id: str) -> Draft:
    """A draft of the person who looks at the page."""
    _must_try(me)
    found = await site_of(request).drafts.find(me.session.account.id, id)
    if found is None:
        raise Refused(Answer(404, {}))
    return found


Mine = Annotated[Draft, Depends(mine)]


def router(site: Site) -> APIRouter:
    """The pages of drafts."""
    pages = APIRouter()

    @pages.get("/pack-drafts")
    async def drafts(request: Request, me: Signed) -> Response:
        """The drafts of the person, and versions from which one can begin."""
        _must_try(me)
        return await _list(request, me)

    @pages.post("/pack-drafts")
    async def begin(request: Request, me: Signed) -> Response:
        """A new draft: the text of a version, or an empty one."""
        _must_try(me)
        base = str((await request.form()).get("base", ""))
        text = ""
        if base:
            text = (await me.calls.get(f"/triage/v1/packs/{part_of_path(base)}"))["written"] or ""
        made = await site.drafts.begin(me.session.account.id, base, text, seconds())
        if made is None:
            look = await reader(request)
            return await _list(request, me, 409, error=look.gettext(N_("草稿已满 20 份，请先删去不用的。")))
        return go(f"pack-drafts/{made}")

    @pages.get("/pack-drafts/{id}")
    async def write(request: Request, me: Signed, draft: Mine) -> Response:
        """The text, with what the check says of it."""
        return await _text(request, me, draft, draft.text)

    @pages.post("/pack-drafts/{id}")
    async def keep(request: Request, me: Signed, draft: Mine) -> Response:
        """Keeps the text as it was typed, and checks it."""
        text = _typed(await request.form(), "text")
        if (fault := await _too_long(request, text)) is not None:
            return await _text(request, me, draft, text, 422, error=fault)
        if (fault := await _changed(request, draft.text, text)) is not None:
            return await _text(request, me, draft, text, 409, error=fault)
        await site.drafts.keep(me.session.account.id, draft.id, seconds(), text=text)
        return go(f"pack-drafts/{draft.id}")

    @pages.post("/pack-drafts/{id}/drop")
    async def drop(request: Request, me: Signed, draft: Mine) -> Response:
        """Throws the draft away."""
        await site.drafts.drop(me.session.account.id, draft.id)
        return go("pack-drafts")

    @pages.get("/pack-drafts/{id}/difference")
    async def difference(request: Request, me: Signed, draft: Mine, to: str = "") -> Response:
        """What the draft changes of the version from which it began, or of another one."""
        others = [f"{one['pack']}@{one['version']}" for one in await site.packs(me.language)]
        to = to if to in others else draft.base
        before = (await me.calls.get(f"/triage/v1/packs/{part_of_path(to)}"))["written"] or "" if to else ""
        return await render(
            request,
            "pack_difference.html",
            name="",
            to=to,
            others=others,
            hunks=await asyncio.to_thread(changes, before, draft.text),
            draft=draft,
        )

    @pages.get("/pack-drafts/{id}/cases")
    async def cases(request: Request, me: Signed, draft: Mine) -> Response:
        """The cases, and how they go."""
        return await _cases(request, me, draft)

    @pages.post("/pack-drafts/{id}/cases")
    async def keep_cases(request: Request, me: Signed, draft: Mine) -> Response:
        """Keeps the cases as they were typed, and runs them."""
        text = _typed(await request.form(), "cases")
        if (fault := await _too_long(request, text)) is not None:
            return await _cases(request, me, draft, text, 422, error=fault)
        if (fault := await _changed(request, draft.cases or "", text)) is not None:
            return await _cases(request, me, draft, text, 409, error=fault)
        await site.drafts.keep(me.session.account.id, draft.id, seconds(), cases=text)
        return go(f"pack-drafts/{draft.id}/cases")

    @pages.get("/pack-drafts/{id}/explain")
    async def explain(request: Request, me: Signed, draft: Mine) -> Response:
        """The form that takes a case or a matter."""
        return await _explain(request, draft, {"facts": draft.facts, "number": ""})

    @pages.post("/pack-drafts/{id}/explain")
    async def explained(request: Request, me: Signed, draft: Mine) -> Response:
        """Which rules of the draft give level, limits, chain and reports."""
        sent, look = await request.form(), await reader(request)
        typed = {"facts": _typed(sent, "facts"), "number": str(sent.get("number", "")).strip()}
        if (fault := await _too_long(request, typed["facts"])) is not None:
            return await _explain(request, draft, typed, 422, error=fault)
        if not typed["facts"] and not typed["number"]:
            told = look.gettext(N_("请填写事项编号，或写一份案情。"))
            return await _explain(request, draft, typed, 422, error=told)
        await site.drafts.keep(me.session.account.id, draft.id, seconds(), facts=typed["facts"])
        body: dict[str, Any] = {"text": draft.text}
        try:
            if typed["number"]:
                asked = await me.calls.send("GET", "/triage/v1/packs/matters", params={"incident": typed["number"]})
                if not asked.ok or not asked.body["items"]:
                    told = problem_of(asked, me) if not asked.ok else look.gettext(N_("没有这个编号的事项。"))
                    return await _explain(request, draft, typed, 422, error=told)
                body["matter"] = asked.body["items"][0]
            else:
                body["facts"] = typed["facts"]
            answer = await me.calls.send("POST", "/escalation/v1/packs/explain", body=body)
        except Down as down:
            return await _explain(request, draft, typed, 503, error=told_of(down, look))
        if not answer.ok:
            return await _explain(request, draft, typed, answer.status, error=problem_of(answer, me))
        return await _explain(request, draft, typed, said=answer.body)

    @pages.get("/pack-drafts/{id}/dry-run")
    async def dry_run(request: Request, me: Signed, draft: Mine, since: str = "") -> Response:
        """How many of the matters on record would be late by the draft, and what else would differ."""
        look = await reader(request)
        at = typed_moment(since if ":" in since else f"{since} 00:00", look.zone, look.now) if since else None
        shown: dict[str, Any] = {"draft": draft, "since": since, "ran": None, "kinds": DIFFERS}
        if since and at is None:
            return await render(request, "pack_dry_run.html", 422, error=look.gettext(N_("写成 2026-11-25")), **shown)
        if not since:
            at = instant(look.now - timedelta(days=DAYS))
            shown["since"] = (look.now - timedelta(days=DAYS)).astimezone(look.zone).strftime("%Y-%m-%d")
        try:
            ran = await _judge(me, draft.text, str(at))
        except Down as down:
            return await render(request, "pack_dry_run.html", 503, error=told_of(down, look), **shown)
        except Refused as refused:
            told = problem_of(refused.answer, me)
            return await render(request, "pack_dry_run.html", refused.answer.status, error=told, **shown)
        return await render(request, "pack_dry_run.html", **shown | {"ran": ran})

    @pages.get("/pack-drafts/{id}/adopt")
    async def adopt(request: Request, me: Signed, draft: Mine) -> Response:
        """The last step: who works by it, and from when."""
        return await _adopt(request, me, draft, {"unit": me.unit, "since": "", "lessons": ""})

    @pages.post("/pack-drafts/{id}/adopt")
    async def adopted(request: Request, me: Signed, draft: Mine) -> Response:
        """Brings the pack into the record, and lets a unit work by it."""
        sent, look = await request.form(), await reader(request)
        typed = {name: str(sent.get(name, "")).strip() for name in ("unit", "since", "lessons")}
        since = typed_moment(typed["since"], look.zone, look.now) if typed["since"] else None
        if typed["since"] and since is None:
            return await _adopt(request, me, draft, typed, 422, error=look.gettext(N_("写成 11-25 21:07 或 21:07")))
        lessons = re.split(r"[\s,、;]+", plain(typed["lessons"]).strip(" ,、;")) if typed["lessons"] else []
        if not all(one.isdecimal() and len(one) < 10 for one in lessons):
            return await _adopt(request, me, draft, typed, 422, error=look.gettext(N_("经验教训只写编号。")))
        try:
            body = {"text": draft.text, "lessons": [int(one) for one in lessons]}
            loaded = await me.calls.send("POST", "/triage/v1/packs", body=body)
            if not loaded.ok:
                return await _adopt(request, me, draft, typed, loaded.status, error=problem_of(loaded, me))
            checked = (await me.calls.send("POST", "/triage/v1/packs/check", body={"text": draft.text})).body
            name = f"{checked['pack']}@{checked['version']}"
            site.look_again()
            if not typed["unit"]:
                return go(f"packs/{name}?done=load-pack")
            answer = await me.calls.send(
                "POST", "/triage/v1/packs/assign", body={"unit": typed["unit"], "pack": name, "since": since}
            )
        except Down as down:
            return await _adopt(request, me, draft, typed, 503, error=told_of(down, look))
        if not answer.ok:
            told = look.gettext(N_("制度已收进记录，还没有启用：%(told)s")) % {"told": problem_of(answer, me)}
            return await _adopt(request, me, draft, typed, answer.status, error=told)
        return go(f"packs/{name}?done=assign-pack")

    async def _list(request: Request, me: Staff, status: int = 200, error: str | None = None) -> Response:
        found = await site.drafts.of(me.session.account.id)
        heads = [(one, _head(one.text)) for one in found]
        return await render(
            request,
            "pack_drafts.html",
            status,
            drafts=heads,
            packs=await site.packs(me.language),
            in_force=(await site.pack_of(me.unit, language=me.language)).get("policy"),
            error=error,
        )

    async def _text(
        request: Request, me: Staff, draft: Draft, text: str, status: int = 200, error: str | None = None
    ) -> Response:
        checked, down = await _checked(me, text)
        faults = checked["faults"] if checked else []
        lines = text.splitlines()
        near = [(fault, _near(lines, fault["line"])) for fault in faults]
        return await render(
            request,
            "pack_draft.html",
            status,
            draft=draft,
            text=text,
            seen=_digest(draft.text),
            checked=checked,
            near=near,
            down=down,
            error=error,
        )

    async def _cases(
        request: Request,
        me: Staff,
        draft: Draft,
        typed: str | None = None,
        status: int = 200,
        error: str | None = None,
    ) -> Response:
        given = typed if typed is not None else draft.cases
        answer = None
        if error is None:
            body = {"text": draft.text} | ({} if given is None else {"cases": given})
            try:
                answer = await me.calls.send("POST", "/escalation/v1/packs/run-cases", body=body)
            except Down as down:
                status, error = 503, told_of(down, await reader(request))
            else:
                error = None if answer.ok else problem_of(answer, me)
                status = answer.status
        ran = answer.body if answer is not None and answer.ok else None
        shown = given if given is not None else ran["text"] if ran else ""
        seen = _digest(draft.cases or "")
        return await render(
            request, "pack_cases.html", status, draft=draft, ran=ran, cases=shown, seen=seen, error=error
        )

    async def _explain(
        request: Request,
        draft: Draft,
        typed: dict[str, str],
        status: int = 200,
        said: dict[str, Any] | None = None,
        error: str | None = None,
    ) -> Response:
        said = said and site.spoken(said, language(request))
        return await render(request, "pack_explain.html", status, draft=draft, typed=typed, said=said, error=error)

    async def _adopt(
        request: Request, me: Staff, draft: Draft, typed: dict[str, str], status: int = 200, error: str | None = None
    ) -> Response:
        checked, down = await _checked(me, draft.text)
        units = [(code, me.offices.unit(code)) for code in me.offices.units]
        return await render(
            request,
            "pack_adopt.html",
            status,
            draft=draft,
            checked=checked,
            typed=typed,
            units=units,
            down=down,
            error=error,
        )

    return pages


def _must_try(me: Staff) -> None:
    if not may_try(me):
        raise Refused(Answer(403, {}))


def _typed(sent: Any, name: str) -> str:
    """A text as it was typed, with the ends of lines that files have."""
    return str(sent.get(name, "")).replace("\r\n", "\n")


async def _too_long(request: Request, text: str) -> str | None:
    if len(text) <= LONGEST:
        return None
    return (await reader(request)).gettext(TOO_LONG) % {"longest": LONGEST}


def _digest(text: str) -> str:
    """What a form carries of the text that it was opened with."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


async def _changed(request: Request, kept: str, typed: str) -> str | None:
    """A fault if another page saved something else since the form was opened."""
    seen = (await request.form()).get("seen")
    if seen == _digest(kept) or typed == kept:
        return None
    return (await reader(request)).gettext(CHANGED)


async def _checked(me: Staff, text: str) -> tuple[dict[str, Any] | None, Down | None]:
    """What triage says of a text; None for an empty one, or if triage is down."""
    if not text.strip():
        return None, None
    try:
        answer = await me.calls.send("POST", "/triage/v1/packs/check", body={"text": text})
    except Down as down:
        return None, down
    if not answer.ok:
        raise Refused(answer)
    found: dict[str, Any] = answer.body
    return found, None


def _near(lines: list[str], line: int) -> list[tuple[int, str]]:
    """The lines around a fault."""
    first = max(line - 2, 1)
    return [(number, lines[number - 1]) for number in range(first, min(line + 2, len(lines) + 1))] if line else []


def _head(text: str) -> str:
    """The title that a text gives itself; it need not be a pack."""
    return next((line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("title:")), "")


async def _judge(me: Staff, text: str, since: str) -> dict[str, Any]:
    """The matters since a time, judged by a text. Raises `Down` and `Refused`."""
    began, cursor = time.monotonic(), None
    found: dict[str, Any] = {"matters": 0, "counts": {}, "differences": [], "missed": set(), "cut": False}
    while True:
        page = await me.calls.get("/triage/v1/packs/matters", since=since, cursor=cursor)
        body = {"text": text, "matters": page["items"]}
        answer = await me.calls.send("POST", "/escalation/v1/packs/dry-run", body=body)
        if not answer.ok:
            raise Refused(answer)
        found["matters"] += answer.body["matters"]
        for kind, count in answer.body["counts"].items():
            found["counts"][kind] = found["counts"].get(kind, 0) + count
        found["missed"] |= {one["incident"] for one in answer.body["differences"] if one["kind"] == "missed"}
        found["differences"] += answer.body["differences"][: SHOWN - len(found["differences"])]
        cursor = page["next"]
        if cursor is None:
            return found
        if found["matters"] >= MATTERS or time.monotonic() - began > SECONDS:
            return found | {"cut": True}
        await asyncio.sleep(0)
