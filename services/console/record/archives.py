"""The files of matters: sealing one, consulting what was sealed, and the masked record for somebody outside."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from services.console import verbs
from services.console.access.staff import Staff
from services.console.calls import Answer, Refused, parts
from services.console.forms import Choices, Control
from services.console.labels import FILE_PARTS
from services.console.page import Reader, reader, render
from services.console.site import Id, Signed, Site
from services.console.verbs import Asked, Body
from services.console.worklist.desk import address

ROWS = 20
ENDED = ("closed", "dismissed", "merged")
"""The states of a matter that is over."""
SEALED = "operation.archive_sealed"
PATHS: Mapping[str, str] = {
    "seal-archive": "incidents/{id}/archive",
    "read-archive": "incidents/{id}/archive/consultation",
    "export-timeline": "incidents/{id}/timeline/export",
}
"""Verb -> its path below audit's."""
REASON = "reasons."
"""The beginning of the name of a field for why a part is lacking."""
LONGEST = 1000


def router(site: Site) -> APIRouter:
    """The pages of archives. They stand before those of the matter, whose paths would take them in."""
    pages = APIRouter()

    @pages.get("/record/archives")
    async def listed(request: Request, me: Signed, cursor: str | None = None) -> Response:
        """The seals that the office and those below it made, in the order of the record."""
        found = await me.calls.get("/audit/v1/events", type=SEALED, limit=ROWS, cursor=cursor)
        named = [one["data"]["record"] for one in found["items"]]
        matters = await parts(*(me.calls.get(f"/triage/v1/incidents/{id_}") for id_ in named))
        rows = [one for one in zip(found["items"], matters, strict=True) if not _is_gone(one[1].value, me)]
        today = _today(await reader(request))
        past = {
            matter.value["id"]: matter.value for seal, matter in rows if matter.value and _is_past(seal["data"], today)
        }
        files = await parts(*(me.calls.get(f"/audit/v1/incidents/{id_}/archives") for id_ in past))
        due = {
            due_of(file.value["items"], matter, today)
            for matter, file in zip(past.values(), files, strict=True)
            if file.value
        }
        return await render(
            request,
            "archives.html",
            rows=rows,
            due=due,
            next_at=found["next"] and address("record/archives", cursor=found["next"]),
        )

    @pages.get("/incidents/{id}/archive")
    async def show(request: Request, me: Signed, id: Id, done: str = "") -> Response:
        """The archives of a matter, and what this post may do with its file."""
        about = await me.calls.get(f"/triage/v1/incidents/{id}")
        found = await me.calls.get(f"/audit/v1/incidents/{about['id']}/archives")
        due = due_of(found["items"], about, _today(await reader(request)))
        return await render(
            request, "archive.html", about=about, found=found, due=due, file_parts=FILE_PARTS, done=done
        )

    @pages.get("/incidents/{id}/archive/{verb}")
    async def form(request: Request, me: Signed, id: Id, verb: str) -> Response:
        """The form of a verb."""
        return await verbs.form(request, me, await _asked(request, me, id, verb))

    @pages.post("/incidents/{id}/archive/{verb}")
    async def act(request: Request, me: Signed, id: Id, verb: str) -> Response:
        """Sends the verb. A consultation and an export answer with the file."""
        return await verbs.act(request, me, await _asked(request, me, id, verb))

    async def _asked(request: Request, me: Staff, id: str, verb: str) -> Asked:
        if verb not in PATHS:
            raise Refused(Answer(404, {}))
        about, look = await me.calls.get(f"/triage/v1/incidents/{id}"), await reader(request)
        found = await me.calls.get(f"/audit/v1/incidents/{about['id']}/archives")
        lacking = found["lacking"] if verb == "seal-archive" else ()
        return Asked(
            verbs.operation(site, "audit", PATHS[verb]),
            verb,
            f"incidents/{about['number']}/archive",
            ids={"id": about["id"]},
            without=("reasons",),
            more=[Control(f"{REASON}{part}", "line", True, _title(part, look), longest=LONGEST) for part in lacking],
            adapt=_reasons,
            about=about,
            saves=verb != "seal-archive",
            is_long=verb == "seal-archive",
            template="archive_verb.html",
        )

    return pages


def due_of(seals: Sequence[Mapping[str, Any]], matter: Mapping[str, Any], today: str) -> str | None:
    """The digest of the archive of a matter whose day has passed, of its `seals`, oldest first; None if none is due.

    The last one counts for the matter, and none while the matter goes on: when it ends anew, its file is sealed anew.
    """
    is_due = bool(seals) and matter["state"] in ENDED and _is_past(seals[-1], today)
    return seals[-1]["sha256"] if is_due else None


def _is_past(seal: Mapping[str, Any], today: str) -> bool:
    return bool(seal.get("kept_until")) and seal["kept_until"] < today


def _today(look: Reader) -> str:
    return look.now.astimezone(look.zone).date().isoformat()


def _is_gone(matter: Mapping[str, Any] | None, me: Staff) -> bool:
    """Whether a matter was an exercise of an office that has ended. No list shows it."""
    return bool(matter and matter["drill"] and matter["unit"] not in me.offices.units)


def _title(part: str, look: Reader) -> str:
    return look.gettext(FILE_PARTS.get(part, part))


def _reasons(body: Body, made: list[Control], choices: Choices, look: Reader) -> tuple[Body, list[Control]]:
    """The body with the reasons by their parts."""
    reasons: dict[str, Any] = {
        name.removeprefix(REASON): value for name, value in body.items() if name.startswith(REASON)
    }
    others = {name: value for name, value in body.items() if not name.startswith(REASON)}
    return others | ({"reasons": reasons} if reasons else {}), made
