"""Where a matter stands, for the public: by its number, or by the receipt of a report. Nobody signs in.

A receipt is a secret. It comes in the body of a request, never in an address, and is neither kept nor logged. An
address that asks too often for what nobody may be told gets 429.
"""

import functools
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import parse_instant
from services.kernel.core.problems import Malformed, NotFound, TooLarge, TooMany
from services.kernel.core.units import Offices
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import bodies, documents, http
from services.kernel.serving.documents import DescribedRoute
from services.kernel.serving.sign_in import FAILURES, Tries, address_of
from services.publish.bulletin.pages import DRAWN, Lang, language
from services.publish.bulletin.shown import moment, zone_name
from services.publish.bulletin.site import HTML, Site, headers
from services.publish.progress import finding
from services.publish.progress.answers import LONGEST, AskStatus, PublicStatus
from services.publish.progress.finding import Told

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
UNTOLD = "there is nothing to tell of this number or receipt; compare it with what you were given"
Number = Annotated[str | None, Query(max_length=LONGEST, description="The number of a matter, no receipt.")]


@functools.cache
def router() -> APIRouter:
    """`/bulletin/status` and `/bulletin/status.json`, public."""
    pages, api = http.router("", "status", DescribedRoute), http.router("", "status")

    told = documents.answers(PublicStatus)
    told["responses"] |= {429: documents.problem(429)}

    @api.post("/bulletin/status.json", **told)
    async def read_status(runtime: http.Serving, request: Request, body: AskStatus) -> Response:
        """Where a matter stands. The code is a matter's number, or a receipt of a report.

        By a number, only a matter is told on which a statement was published. Any other number is 404, as one that
        does not exist.
        """
        async with runtime.database.read() as connection:
            offices = await runtime.offices(connection)
            told = await finding.find(runtime, connection, offices, body.code)
        if told is None:
            _count(request)
            raise NotFound(UNTOLD, code="status-untold")
        return http.json_response(_as_json(runtime, offices, told), headers={"Cache-Control": "no-store"})

    @pages.get("/bulletin/status", **DRAWN)
    async def show_status(
        runtime: http.Serving, request: Request, number: Number = None, lang: Lang = None
    ) -> Response:
        """The page that tells where a matter stands. With a number it tells it at once."""

        async def asked(connection: AsyncConnection, offices: Offices) -> Told | None:
            return await finding.by_number(connection, offices, number or "")

        return await _answered(runtime, request, lang, asked if number else None)

    @pages.post("/bulletin/status", include_in_schema=False)
    async def ask_status(runtime: http.Serving, request: Request, lang: Lang = None) -> Response:
        """The same for what somebody typed, a number or a receipt."""
        try:
            typed = (await bodies.read_form(request, "code"))[:LONGEST]
        except (Malformed, TooLarge):
            typed = "?"

        async def asked(connection: AsyncConnection, offices: Offices) -> Told | None:
            return await finding.find(runtime, connection, offices, typed)

        return await _answered(runtime, request, lang, asked if typed.strip() else None)

    return APIRouter(routes=[*pages.routes, *api.routes])


async def _answered(runtime: Runtime, request: Request, lang: str | None, asked: Any) -> Response:
    async with runtime.database.read() as connection:
        offices = await runtime.offices(connection)
        try:
            site = Site(runtime.settings, offices, language(lang))
        except Malformed:
            return Site(runtime.settings, offices).missing()
        if asked is None:
            return _page(site)
        told = await asked(connection, offices)
    if told is not None:
        return _page(site, "told", zone=zone_name(offices.zone, site.language), told=_readable(told, offices, site))
    try:
        _count(request)
    except TooMany as problem:
        response = _page(site, "too_many", 429, wait=problem.retry_after)
        response.headers["Retry-After"] = str(problem.retry_after)
        return response
    return _page(site, "untold", 404)


def _count(request: Request) -> None:
    """Counts a question that got no answer. Raises `TooMany` if the address asked too many of them."""
    if not hasattr(request.app.state, "status_tries"):
        request.app.state.status_tries = Tries()
    times, wait = request.app.state.status_tries.add(address_of(request))
    if times >= FAILURES:
        detail = f"this address asked too often for what nobody is told; wait {wait} s"
        raise TooMany(detail, wait, code="status-too-many", seconds=wait)


def _name(offices: Offices, code: str) -> str:
    return offices.ever[code].name if code in offices.ever else code


def _as_json(runtime: Runtime, offices: Offices, told: Told) -> dict[str, Any]:
    def unit(code: str | None) -> dict[str, str] | None:
        return {"code": code, "name": _name(offices, code)} if code else None

    return {
        "by": told.by,
        "state": told.state,
        "received_at": told.received_at,
        "unit": unit(told.unit),
        "handled_by": unit(told.assigned),
        "number": told.number,
        "went_on_from": told.asked,
        "erased": told.erased,
        "limits": [
            {"kind": limit.kind, "due": limit.due, "standing": limit.standing, "met_at": limit.met_at}
            for limit in told.limits
        ],
        "answers": [
            {
                "at": answer.at,
                "how": answer.how,
                "number": answer.number,
                "title": answer.title,
                "url": runtime.settings.link(f"bulletin/statements/{answer.id}") if answer.id else None,
                "withdrawn": answer.withdrawn,
                "place": answer.place,
            }
            for answer in told.answers
        ],
    }


def _readable(told: Told, offices: Offices, site: Site) -> dict[str, Any]:
    """The same for the template, with times and names for readers."""

    def at(text: str | None) -> Any:
        return moment(parse_instant(text), offices.zone, site.language) if text else None

    return {
        "by": told.by,
        "state": told.state,
        "received": at(told.received_at),
        "unit": _name(offices, told.unit),
        "handled_by": _name(offices, told.assigned) if told.assigned else None,
        "number": told.number,
        "asked": told.asked,
        "erased": told.erased,
        "limits": [
            {"kind": limit.kind, "due": at(limit.due), "standing": limit.standing, "met": at(limit.met_at)}
            for limit in told.limits
        ],
        "answers": [
            {
                "at": at(one.at),
                "how": one.how,
                "id": one.id,
                "title": one.title,
                "withdrawn": one.withdrawn,
                "place": one.place,
            }
            for one in told.answers
        ],
    }


def _page(site: Site, verdict: str = "", status: int = 200, **values: Any) -> Response:
    """The page with an answer, or without one. Nobody keeps it."""
    drawn = site.draw("status.html", "status", **({"verdict": verdict, "zone": "", "wait": 0} | values))
    kept = {"Cache-Control": "no-store", "Content-Security-Policy": POLICY}
    return Response(drawn, status, headers(site.language) | kept, HTML)
