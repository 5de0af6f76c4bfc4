"""Dead letters: what the services set aside, by cause, oldest first; one or many are delivered again or discarded.

A form carries ids and never positions. What is chosen is shown once more before anything is done, and each record has
its own result.
"""

import re
from collections.abc import Sequence

from fastapi import APIRouter, Request, Response

from schemas.fields import UUID
from services.console.access.staff import Staff
from services.console.calls import Answer, Refused, parts
from services.console.forms import SERVICES
from services.console.labels import CAUSES, PARTS
from services.console.page import Reader, go, reader, render
from services.console.site import Id, Signed, Site
from services.console.words import N_
from services.console.worklist import many

VERBS = ("redrive", "discard")
PAGE = 100
_NAMED = re.compile(f"({'|'.join(SERVICES)})/({UUID})")


def router(site: Site) -> APIRouter:
    """The pages of dead letters."""
    pages = APIRouter()

    @pages.get("/dead-letters")
    async def letters(request: Request, me: Signed, cause: str = "") -> Response:
        """All services' open dead letters, by cause."""
        return await _list(request, me, cause)

    @pages.post("/dead-letters")
    async def chosen(request: Request, me: Signed) -> Response:
        """The chosen records once more, before anything is done."""
        sent = await request.form()
        verb, named = str(sent.get("verb", "")), _named([str(one) for one in sent.getlist("letter")])
        look = await reader(request)
        if verb not in VERBS:
            raise Refused(Answer(404, {}))
        if not named:
            return await _list(request, me, "", 422, error=look.gettext(N_("请先选中要处理的消息。")))
        left = max(len(named) - many.MOST, 0)
        return await render(request, "letters_confirm.html", verb=verb, named=named[: many.MOST], left=left, reason="")

    @pages.post("/dead-letters/settle")
    async def settle(request: Request, me: Signed) -> Response:
        """Does it, record by record, and says what became of each."""
        sent, look = await request.form(), await reader(request)
        verb, named = str(sent.get("verb", "")), _named([str(one) for one in sent.getlist("letter")])
        reason = str(sent.get("reason", "")).strip()
        if verb not in VERBS or not named:
            raise Refused(Answer(404, {}))
        if not reason:
            told = look.gettext(N_("请填写理由，它写进记录。"))
            shown = {"verb": verb, "named": named[: many.MOST], "left": 0}
            return await render(request, "letters_confirm.html", 422, **shown, reason=reason, error=told)
        acts = [_act(service, id_, verb, reason, look) for service, id_ in named[: many.MOST]]
        results = await many.done(me, acts, look)
        return await render(request, "many_done.html", verb=verb, results=results, back="dead-letters")

    @pages.get("/dead-letters/{service}/{id}")
    async def letter(request: Request, me: Signed, service: str, id: Id) -> Response:
        """One record: why it was set aside, what is in it, and what can be done."""
        return await _one(request, me, service, id)

    @pages.post("/dead-letters/{service}/{id}")
    async def act(request: Request, me: Signed, service: str, id: Id) -> Response:
        """Delivers it again, or discards it."""
        sent, look = await request.form(), await reader(request)
        verb, reason = str(sent.get("verb", "")), str(sent.get("reason", "")).strip()
        if verb not in VERBS:
            raise Refused(Answer(404, {}))
        if not reason:
            return await _one(request, me, service, id, 422, error=look.gettext(N_("请填写理由，它写进记录。")))
        ((_, told),) = await many.done(me, [_act(_known(service), id, verb, reason, look)], look)
        if told:
            return await _one(request, me, service, id, 409, reason=reason, error=told)
        return go(f"dead-letters?done={verb}")

    async def _list(request: Request, me: Staff, cause: str, status: int = 200, error: str | None = None) -> Response:
        if not {"admin", "auditor"} & set(me.roles):
            raise Refused(Answer(403, {}))
        if cause and cause not in CAUSES:
            raise Refused(Answer(404, {}))
        asked = {"cause": cause or None, "limit": PAGE}
        found = await parts(*(me.calls.get(f"/{service}/v1/dead-letters", **asked) for service in SERVICES))
        of_service = list(zip(SERVICES, found, strict=True))
        rows = [(service, row) for service, one in of_service for row in (one.value or {"items": ()})["items"]]
        counts = dict.fromkeys(CAUSES, 0)
        for _, one in of_service:
            for name, count in (one.value or {"causes": {}})["causes"].items():
                counts[name] += count
        groups = [
            (name, sorted((row for row in rows if row[1]["cause"] == name), key=lambda row: row[1]["since"]))
            for name in CAUSES
        ]
        return await render(
            request,
            "letters.html",
            status,
            groups=[(name, of) for name, of in groups if of],
            counts=counts,
            down=[one for one in found if one.down],
            refused=all(one.value is None and not one.down for one in found),
            causes=CAUSES,
            cause=cause,
            further=any((one.value or {}).get("next") for one in found),
            may="admin" in me.roles,
            done=str(request.query_params.get("done", "")),
            error=error,
        )

    async def _one(
        request: Request,
        me: Staff,
        service: str,
        id: str,
        status: int = 200,
        reason: str = "",
        error: str | None = None,
    ) -> Response:
        one = await me.calls.get(f"/{_known(service)}/v1/dead-letters/{id}")
        return await render(
            request, "letter.html", status, service=service, one=one, causes=CAUSES, reason=reason, error=error
        )

    return pages


def _known(service: str) -> str:
    if service not in SERVICES:
        raise Refused(Answer(404, {}))
    return service


def _named(given: Sequence[str]) -> list[tuple[str, str]]:
    """The records that a form names, each once."""
    return [(match[1], match[2]) for one in dict.fromkeys(given) if (match := _NAMED.fullmatch(one))]


def _act(service: str, id_: str, verb: str, reason: str, look: Reader) -> many.Act:
    link, path = f"dead-letters/{service}/{id_}", f"/{service}/v1/dead-letters/{id_}/{verb}"
    return many.Act(look.gettext(PARTS[service]), link, service, path, {"reason": reason}, code=id_[-8:])
