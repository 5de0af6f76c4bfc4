"""Statements: the list, one statement with its texts and its chain, and a form for each verb."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import httpx
from fastapi import APIRouter, Request, Response

from schemas import problems
from schemas.titles import FORMS
from services.console import forms, verbs
from services.console.access.staff import Staff
from services.console.calls import Answer, Down, Part, Refused, parts
from services.console.forms import Choices, Control
from services.console.labels import ACTS, DELIVERIES, FINDINGS, PHASES
from services.console.matters import in_public
from services.console.matters.matter import choices_of
from services.console.page import HEADERS, Reader, go, reader, render
from services.console.site import Id, Signed, Site
from services.console.verbs import Asked
from services.console.words import N_, form_title, translations
from services.kernel.core.difference import difference, figures

ROWS = 100
NO_MATTER: dict[str, Any] = {"facts": (), "reports": (), "proposals": (), "drill": False}
"""What a form needs of a matter, where there is none."""
DECIDING = ("check", "approve", "reject")
"""Verbs before which a person reads the list of checks."""
OF_FILES = ("attach-file", "cover-persons", "detach-file")
"""Verbs that the page of files does."""
WRITING = ("revise", "correct")
"""Verbs that write another text."""
UNPUBLISHED = ("drafted", "submitted", "approved")
"""Phases in which nobody outside has read the text."""
SIGNED = ("approve", "reject", "cannot-judge", "publish", "correct", "withdraw")
"""Verbs that the post signs with its key."""


def router(site: Site) -> APIRouter:
    """The pages of statements."""
    pages = APIRouter()

    @pages.get("/statements")
    async def statements(request: Request, me: Signed, state: str = "", cursor: str | None = None) -> Response:
        """The statements that the post may read, the newest draft first."""
        chosen = state if state in PHASES else None
        found = await me.calls.get("/publish/v1/statements", state=chosen, limit=ROWS, cursor=cursor)
        return await render(request, "statements.html", found=found, state=chosen)

    @pages.get("/statements/new")
    async def new(request: Request, me: Signed, incident: Id | None = None, template: str = "") -> Response:
        """The editor of a draft on a matter, or of a notice, which is about none; it may begin with a template."""
        asked = await _draft(me, incident, template) if incident else await _notice(me, template)
        return await verbs.form(request, me, asked)

    @pages.post("/statements/new")
    async def draft(request: Request, me: Signed, incident: Id | None = None, template: str = "") -> Response:
        """Begins a draft."""
        asked = await _draft(me, incident, template) if incident else await _notice(me, template)
        return await _sent(request, me, asked)

    async def _sent(request: Request, me: Signed, asked: Asked) -> Response:
        """Sends the text of the editor, or shows how it differs from the one before it, and sends nothing."""
        sent, before = await request.form(), asked.beside.get("before")
        if "form.compare" not in sent or before is None:
            return await verbs.act(request, me, asked)
        look, sheet = await reader(request), asked.beside["sheet"]
        title, text = (in_public.filled(str(sent.get(name, "")).strip(), sheet, look) for name in ("title", "text"))
        told = {"compared": in_public.compared(before, title or before["title"] or "", text)}
        return await verbs.again(request, me, replace(asked, beside={**asked.beside, **told}))

    async def _notice(me: Signed, template: str) -> Asked:
        (offered,) = await parts(me.calls.get("/publish/v1/templates"))
        return Asked(
            verbs.operation(site, "publish", "statements"),
            "draft",
            "statements",
            choices=choices_of(me, NO_MATTER, {}, {}, {}, ()),
            without=("incident_id", "kind", "form", "facts", "waive"),
            fixed={"kind": "status", "form": "notice"},
            onward="statements/{id}",
            present={name: text for name, text in _begun(offered, template).items() if name in ("title", "text")},
            template="editor.html",
            beside=_beside(Part({"items": ()}), "statements/new/preview") | _offered(offered, "?"),
        )

    async def _draft(me: Signed, incident: Id, template: str) -> Asked:
        about = await me.calls.get(f"/triage/v1/incidents/{incident}")
        lists, sheet, offered, public = await parts(
            me.calls.get("/triage/v1/lists"),
            me.calls.get(f"/triage/v1/incidents/{incident}/facts"),
            me.calls.get("/publish/v1/templates", incident=about["id"]),
            in_public.said(me.calls, about["id"]),
        )
        pack = await site.pack_of(about["unit"], about["policy"], language=me.language)
        return Asked(
            verbs.operation(site, "publish", "statements"),
            "draft",
            f"incidents/{about['number']}",
            choices=choices_of(me, about, {}, lists.value or {}, pack, ()) | {"form": _forms(me)},
            without=("incident_id",),
            fixed={"incident_id": about["id"]},
            onward="statements/{id}",
            present=_begun(offered, template),
            about=about,
            template="editor.html",
            beside=_beside(sheet, f"statements/new/preview?incident={about['number']}", before=in_public.last(public))
            | _offered(offered, f"?incident={about['number']}&", titles_of(sheet, me.language)),
        )

    @pages.post("/statements/new/preview")
    async def look_before(request: Request, me: Signed, incident: Id | None = None) -> Response:
        """The page that the draft in the editor would have on the bulletin."""
        sent = await request.form()
        typed = {name: str(sent.get(name, "")).strip() for name in ("unit", "kind", "form", "title", "text")}
        named = {name: text for name, text in typed.items() if text}
        named |= {"incident_id": incident} if incident else {"kind": "status", "form": "notice"}
        return _page(await me.calls.fetch("/publish/v1/preview", method="POST", body=named))

    @pages.get("/statements/{id}")
    async def show(request: Request, me: Signed, id: Id, done: str = "", old: str = "", new: str = "") -> Response:
        """A statement as the public will see it, the difference to its last text, and its chain of approvals."""
        one = await me.calls.get(f"/publish/v1/statements/{id}")
        deliveries, history, sheet, public = await parts(
            me.calls.get("/publish/v1/deliveries", statement=one["number"]),
            me.calls.get(f"/publish/v1/statements/{id}/history"),
            _sheet(me, one),
            _public(me, one),
        )
        before = in_public.last(public, one["id"]) if one["state"] in UNPUBLISHED else None
        names = titles_of(sheet, me.language)
        texts = [act for act in (history.value or {"items": ()})["items"] if act["draft"] and act["text"] is not None]
        compared = _compared(texts, old, new, names) if len(texts) > 1 else {}
        return await render(
            request,
            "statement.html",
            one=one,
            history=history,
            texts=texts,
            facts=names,
            check_titles={gate["gate"]: gate["title"] for gate in one["checks"]},
            acts=ACTS,
            deliveries=deliveries,
            became=DELIVERIES,
            found=FINDINGS,
            titled=_titled,
            done=_became(done, one),
            held=_held(one["held"], me.language),
            owed=await in_public.owed(me.calls, one, await reader(request)) if one["outdated"] else None,
            may_draft="draft" in (public.value or {"may": ()})["may"],
            before=before,
            against=before
            and in_public.compared(before, one["resolved_title"] or "", one["resolved_text"] or one["draft"] or ""),
            **compared,
        )

    @pages.get("/statements/{id}/preview")
    async def look(me: Signed, id: Id) -> Response:
        """The statement's page on the bulletin, as it would be published now."""
        return await _preview(me, id, {})

    @pages.post("/statements/{id}/preview")
    async def look_at(request: Request, me: Signed, id: Id) -> Response:
        """The same with the text of the editor."""
        sent = await request.form()
        typed = {name: str(sent.get(name, "")) for name in ("title", "text", "reason")}
        return await _preview(me, id, {name: text for name, text in typed.items() if text.strip()})

    async def _preview(me: Staff, id: str, typed: Mapping[str, str]) -> Response:
        return _page(await me.calls.fetch(f"/publish/v1/statements/{id}/preview", method="POST", body=typed))

    @pages.get("/statements/{id}/{verb}")
    async def form(request: Request, me: Signed, id: Id, verb: str) -> Response:
        """The form of a verb, filled in with the present text where the verb changes it."""
        if verb in OF_FILES:
            return go(f"statements/{id}/files")
        return await verbs.form(request, me, await _asked(me, id, verb))

    @pages.post("/statements/{id}/{verb}")
    async def act(request: Request, me: Signed, id: Id, verb: str) -> Response:
        """Sends the verb."""
        if verb in OF_FILES:
            return go(f"statements/{id}/files")
        return await _sent(request, me, await _asked(me, id, verb))

    async def _asked(me: Signed, id: Id, verb: str) -> Asked:
        operation = verbs.operation(site, "publish", f"statements/{{id}}/{verb}")
        one = await me.calls.get(f"/publish/v1/statements/{id}")
        about, lists, sheet = await parts(_matter(me, one), me.calls.get("/triage/v1/lists"), _sheet(me, one))
        if about.down and verb in WRITING:
            raise Down(about.down)  # without the facts a save would let them go
        incident = about.value or NO_MATTER | {"drill": one["drill"]}
        pack = await site.pack_of(one["unit"], incident.get("policy"), language=me.language)
        choices = choices_of(me, incident, {}, lists.value or {}, pack, ())
        # A matter that went on elsewhere shows none of its facts here; those of the statement stay.
        choices["facts"] = list(({key: key for key in one["facts"]} | dict(choices["facts"])).items())
        choices["form"] = _forms(me)
        mine = [gate for gate in one["checks"] if gate["mine"]]
        choices["gate"] = [(gate["gate"], gate["title"] or gate["gate"]) for gate in mine]
        choices["items"] = list({item["item"]: item["title"] for gate in mine for item in gate["items"]}.items())
        choices["took_part"] = me.offices.members(one["due"])
        choices["attachments"] = [(file["file"], file["title"] or file["file"]) for file in one["files"]]
        is_writing = verb in WRITING
        return Asked(
            operation,
            verb,
            f"statements/{one['number']}",
            ids={"id": one["id"]},
            choices=choices,
            without=(
                *(() if choices["took_part"] else ("took_part",)),
                *(() if one["incident_id"] else ("form", "facts", "waive")),
                *(() if choices["items"] else ("items",)),
                *(() if one["files"] else ("attachments",)),
            ),
            version=str(one["revision"]),
            present=_marks(one) | (_written(one) | _attached(one) if is_writing else {}),
            about=about.value,
            named=f"{one['number']} {one['title'] or ''}".strip(),
            reads="" if is_writing else one["resolved_text"] or "",
            adapt=partial(_with_facts, one) if verb == "revise" and one["incident_id"] else None,
            template="editor.html" if is_writing else "verb.html",
            beside={"names": titles_of(sheet, me.language)}
            | _beside(sheet, f"statements/{one['number']}/preview", one)
            | ({"checks": one["checks"], "waived": one["waived"]} if verb in DECIDING else {}),
            signs=me.post if verb in SIGNED else None,
            face=_face(me, one, titles_of(sheet, me.language)),
        )

    return pages


async def _matter(me: Staff, one: Mapping[str, Any]) -> Any:
    """The matter of a statement; None for a notice, which is about none."""
    return await me.calls.get(f"/triage/v1/incidents/{one['incident_id']}") if one["incident_id"] else None


async def _sheet(me: Staff, one: Mapping[str, Any]) -> Any:
    """The fact sheet of a statement's matter; an empty one for a notice."""
    if one["incident_id"] is None:
        return {"items": ()}
    return await me.calls.get(f"/triage/v1/incidents/{one['incident_id']}/facts")


async def _public(me: Staff, one: Mapping[str, Any]) -> Any:
    """The public statements of a statement's matter; none for a notice, which follows no other."""
    return await in_public.said(me.calls, one["incident_id"]) if one["incident_id"] else {"items": (), "may": ()}


def _beside(
    sheet: Part, preview: str, one: Mapping[str, Any] | None = None, before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What stands beside the text of the editor.

    `one` is the statement, if it is begun. `before` is the one with which the text is compared: by default its present
    text.
    """
    told = {"findings": one["findings"], "waived": one["waived"][forms.ROWS - 1 :]} if one else {}
    usual = {"sheet": sheet, "preview": preview, "found": FINDINGS, "findings": (), "waived": (), "offered": ()}
    return usual | {"before": before or one, "is_begun": one is not None} | told


def _begun(offered: Part, template: str) -> dict[str, Any]:
    """What a template puts into the fields of a draft; nothing if none is chosen, or facts are missing."""
    chosen = next((one for one in _items(offered) if one["code"] == template and not one["missing"]), None)
    return {name: chosen[name] for name in ("kind", "form", "title", "text")} if chosen else {}


def _offered(offered: Part, query: str, facts: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The templates as the editor lists them: name, form, address, and the facts that one still needs."""
    shown = [
        (one["name"], one["form"], f"{query}template={one['code']}", _titled(one["missing"], facts or {}))
        for one in _items(offered)
    ]
    return {"offered": shown}


def _items(offered: Part) -> Sequence[Mapping[str, Any]]:
    return (offered.value or {"items": ()})["items"]  # type: ignore[no-any-return]


def _page(answer: httpx.Response) -> Response:
    """A page that publish drew, as a page of the console. Raises `Refused` for any other answer."""
    if answer.status_code != 200:
        raise Refused(Answer(answer.status_code, answer.json()))
    return Response(answer.content, headers=HEADERS, media_type="text/html; charset=utf-8")


def titles_of(sheet: Part, language: str) -> dict[str, str]:
    """Fact -> its title in the language of the page."""
    title = "title_en" if language == "en" else "title"
    return {one["key"]: one[title] for one in (sheet.value or {"items": ()})["items"]}


def _held(code: str | None, language: str) -> str:
    """What stands against a publication at its instant."""
    if code is None:
        return ""
    return problems.TYPES[code].title_zh if language == "zh" else code.replace("-", " ")


def _became(done: str, one: Mapping[str, Any]) -> str:
    """The verb that was done, as what came of it: a time for a publication published nothing yet."""
    if done == "publish" and one["scheduled_at"]:
        return "schedule"
    return "reject" if done == "check" and one["state"] == "drafted" else done


def _compared(texts: Sequence[Mapping[str, Any]], old: str, new: str, names: Mapping[str, str]) -> dict[str, Any]:
    """The difference of two texts of a statement: by default of the last one to the one before."""
    by_number = {str(text["draft"]): text for text in texts}
    after = by_number.get(new, texts[-1])
    before = by_number.get(old) or by_number.get(str(after["draft"] - 1), texts[0])
    changed = difference(before["text"], after["text"])
    titles = difference(before["title"] or "", after["title"] or "") if before["title"] != after["title"] else []
    added, gone = (
        [names.get(key, key) for key in one["facts"] or () if key not in (other["facts"] or ())]
        for one, other in ((after, before), (before, after))
    )
    return {
        "old": before,
        "new": after,
        "changed": changed,
        "figures": figures(changed),
        "titles_changed": titles,
        "facts_changed": (added, gone) if added or gone else None,
    }


def _marks(one: Mapping[str, Any]) -> dict[str, str]:
    """What was stated of a text, as a form has it: who writes on or approves sees it, and need not state it anew."""
    return {mark: "yes" if one[mark] else "no" for mark in ("secret", "major_information")}


def _attached(one: Mapping[str, Any]) -> dict[str, Any]:
    """The files that are in public, as they are ticked in the form of a correction."""
    return {"attachments": [file["file"] for file in one["files"] if file["shown"]]}


def _forms(me: Staff) -> list[tuple[str, str]]:
    return [(code, form_title(code, me.language)) for code in FORMS]


def _written(one: Mapping[str, Any]) -> dict[str, Any]:
    waivers = {
        f"waive.{at}.{name}": value
        for at, waived in enumerate(one["waived"][: forms.ROWS - 1])
        for name, value in (("figures", "\n".join(waived["figures"])), ("reason", waived["reason"]))
    }
    return {
        "form": one["form"],
        "title": one["title"],
        "text": one["text"] or one["draft"],
        "facts": list(one["facts"]),
        **waivers,
    }


def _face(me: Staff, one: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """What a statement shows, for who finds that another person was faster."""
    text = translations(me.language).gettext
    return {
        "state": (text(N_("状态")), text(PHASES[one["state"]])),
        "title": (text(N_("标题")), one["title"] or ""),
        "text": (text(N_("内容")), one["text"] or one["draft"] or ""),
        "facts": (text(N_("依据的事实")), "、".join(names.get(key, key) for key in one["facts"])),
    }


def _titled(keys: Sequence[str], names: Mapping[str, str]) -> str:
    return "、".join(names.get(key, key) for key in keys)


def _with_facts(
    one: Mapping[str, Any], body: dict[str, Any], made: list[Control], choices: Choices, look: Reader
) -> tuple[dict[str, Any], list[Control]]:
    """The body of a revision with the facts that are ticked and the waivers that stand in the form.

    None is a list, too, since without one they stay. Waivers for which the form has no entry are kept.
    """
    waive = [*body.get("waive", []), *one["waived"][forms.ROWS - 1 :]]
    return body | {"facts": body.get("facts", []), "waive": waive}, made
