"""Keys of integrations: which systems send reports, since when and when last; made, shown once, withdrawn.

Below them stand the keys with which posts sign. They change on the command line alone.
"""

import secrets
from typing import Any

from fastapi import APIRouter, Request, Response

from services.console.access.staff import Staff
from services.console.calls import Answer, Down, Refused, parts
from services.console.page import go, reader, render
from services.console.site import Id, Signed, Site, problem_of
from services.console.verbs import told_of
from services.console.words import N_

KEYS = "/ingest/v1/keys"


def router(site: Site) -> APIRouter:
    """The pages of keys."""
    pages = APIRouter()

    @pages.get("/keys")
    async def keys(request: Request, me: Signed, done: str = "", cursor: str = "") -> Response:
        """The keys of the administrator's unit and of those below it, by unit."""
        return await _list(request, me, {"unit": me.unit, "name": ""}, cursor=cursor, done=done)

    @pages.post("/keys")
    async def make(request: Request, me: Signed) -> Response:
        """A new key, which is shown this once."""
        _must_administer(me)
        sent, look = await request.form(), await reader(request)
        typed = {name: str(sent.get(name, "")).strip() for name in ("unit", "name")}
        if not all(typed.values()):
            return await _list(request, me, typed, 422, error=look.gettext(N_("请选择单位，并填写系统名称。")))
        try:
            # Loaded again, the page of a new key makes no second one.
            key = {"Idempotency-Key": str(sent.get("form.key", "")) or secrets.token_urlsafe(18)}
            answer = await me.calls.send("POST", KEYS, body=typed, headers=key)
        except Down as down:
            return await _list(request, me, typed, 503, error=told_of(down, look))
        if not answer.ok:
            return await _list(request, me, typed, answer.status, error=problem_of(answer, me))
        return await render(request, "key_made.html", made=answer.body, unit=typed["unit"])

    @pages.get("/keys/{id}/revoke")
    async def ask(request: Request, me: Signed, id: Id) -> Response:
        """The form that withdraws a key."""
        return await _revoking(request, me, id)

    @pages.post("/keys/{id}/revoke")
    async def revoke(request: Request, me: Signed, id: Id) -> Response:
        """Withdraws a key for good."""
        sent, look = await request.form(), await reader(request)
        reason = str(sent.get("reason", "")).strip()
        if not reason:
            return await _revoking(request, me, id, 422, error=look.gettext(N_("请填写理由，它写进记录。")))
        try:
            answer = await me.calls.send("POST", f"{KEYS}/{id}/revoke", body={"reason": reason})
        except Down as down:
            return await _revoking(request, me, id, 503, reason, told_of(down, look))
        if not answer.ok:
            return await _revoking(request, me, id, answer.status, reason, problem_of(answer, me))
        return go("keys?done=revoke-key")

    async def _revoking(
        request: Request, me: Staff, id: str, status: int = 200, reason: str = "", error: str | None = None
    ) -> Response:
        _must_administer(me)
        return await render(request, "key_revoke.html", status, id=id, reason=reason, error=error)

    async def _list(
        request: Request,
        me: Staff,
        typed: dict[str, str],
        status: int = 200,
        *,
        cursor: str = "",
        done: str = "",
        error: str | None = None,
    ) -> Response:
        _must_administer(me)
        of_systems, of_posts = await parts(
            me.calls.get(KEYS, limit=200, cursor=cursor), me.calls.get("/publish/v1/post-keys")
        )
        found: dict[str, Any] = of_systems.value or {"items": [], "next": None}
        rows = sorted(
            found["items"], key=lambda one: (one["revoked_at"] is not None, one["unit"] or "", one["name"] or "")
        )
        units = [(code, me.offices.unit(code)) for code in me.offices.units if _is_below(me, code)]
        return await render(
            request,
            "keys.html",
            status,
            keys=rows,
            next=found["next"],
            units=units,
            typed=typed,
            key=secrets.token_urlsafe(18),
            of_systems=of_systems,
            of_posts=of_posts,
            done=done,
            error=error,
        )

    return pages


def _is_below(me: Staff, unit: str | None) -> bool:
    while unit:
        if unit == me.unit:
            return True
        unit = me.offices.units.get(unit, {}).get("parent")
    return False


def _must_administer(me: Staff) -> None:
    if "admin" not in me.roles:
        raise Refused(Answer(403, {}))
