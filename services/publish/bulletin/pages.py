"""The pages and feeds of the bulletin over HTTP."""

import functools
from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kernel.core.problems import Malformed
from services.kernel.core.units import Offices
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import documents, http, records
from services.kernel.serving.documents import DescribedRoute
from services.kernel.serving.paging import must_be_known
from services.kernel.store.views import Row
from services.publish import answers
from services.publish.bulletin import queries
from services.publish.bulletin.feeds import atom, json_feed
from services.publish.bulletin.shown import Found, readable, zone_name
from services.publish.bulletin.site import HEADERS, HTML, Site, answer, packaged

PER_PAGE = 20
PER_FEED = 50
ATOM = "application/atom+xml; charset=utf-8"
JSON_FEED = "application/feed+json; charset=utf-8"
FEED = {"application/atom+xml": documents.text("<feed>…</feed>")}
PAGE = {"text/html": documents.text("<!doctype html>…")}
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the page before.")]
Unit = Annotated[str | None, Query(max_length=64, description="Only statements of this unit and those below it.")]


@functools.cache
def router() -> APIRouter:
    """`/bulletin`, public."""
    pages = http.router("/bulletin", "bulletin", DescribedRoute)
    feeds = http.router("/bulletin", "bulletin")

    async def found(
        connection: AsyncConnection, offices: Offices, limit: int, cursor: str | None, unit: str | None
    ) -> Found:
        zone = offices.zone
        speaking = await queries.speaking_units(connection)
        named = sorted((code, offices.ever[code].name) for code in speaking if code in offices.ever)
        must_be_known("unit", unit, offices.ever)
        chosen = None if unit is None else offices.below(unit)
        page = await queries.public_page(connection, limit=limit, cursor=cursor, units=chosen)
        return Found([readable(row, zone) for row in page.rows], page.next, zone_name(zone), unit, named)

    @pages.get("", include_in_schema=False)
    async def without_slash(runtime: http.Serving) -> Response:
        """Redirects to the page."""
        return Response(status_code=308, headers={"Location": runtime.settings.link("bulletin/")})

    @pages.get("/", **documents.answers_content("The page.", PAGE))
    async def show_bulletin(
        runtime: http.Serving, request: Request, cursor: Cursor = None, unit: Unit = None
    ) -> Response:
        """The statements, the latest change first."""
        async with runtime.database.read() as connection:
            offices = await runtime.offices(connection)
            site = Site(runtime.settings, offices)
            try:
                page = await found(connection, offices, PER_PAGE, cursor, unit)
            except Malformed:
                return site.missing()
        return site.page(request, "index.html", page=page, first=cursor is None, zone=page.zone)

    @pages.get("/statements/{id}", **documents.answers_content("The page.", PAGE))
    async def show_statement(
        runtime: http.Serving,
        request: Request,
        id: Annotated[str, Path(description="The statement's id or its number.")],
    ) -> Response:
        """One statement with all its texts, corrections and its withdrawal."""
        named = await records.find(runtime, "statement", id) or id
        async with runtime.database.read() as connection:
            offices = await runtime.offices(connection)
            row = await queries.public_statement(connection, named)
        site, zone = Site(runtime.settings, offices), offices.zone
        if row is None:
            return site.missing()
        return site.page(request, "statement.html", item=readable(row, zone), zone=zone_name(zone))

    @feeds.get(
        "/feed.atom",
        **documents.answers_content("The feed.", FEED),
    )
    async def read_atom_feed(
        runtime: http.Serving, request: Request, cursor: Cursor = None, unit: Unit = None
    ) -> Response:
        """Atom (RFC 4287).

        An entry keeps its id. A correction or withdrawal raises `updated` and stands first in the title.
        """
        async with runtime.database.read() as connection:
            offices = await runtime.offices(connection)
            page = await found(connection, offices, PER_FEED, cursor, unit)
        site = Site(runtime.settings, offices)
        return answer(request, atom(runtime, site, page, cursor), ATOM)

    @feeds.get("/feed.json", **documents.answers(answers.Feed, media_type="application/feed+json"))
    async def read_json_feed(
        runtime: http.Serving, request: Request, cursor: Cursor = None, unit: Unit = None
    ) -> Response:
        """JSON Feed 1.1, with the same entries."""
        async with runtime.database.read() as connection:
            offices = await runtime.offices(connection)
            page = await found(connection, offices, PER_FEED, cursor, unit)
        return answer(request, orjson.dumps(json_feed(Site(runtime.settings, offices), page, cursor)), JSON_FEED)

    @pages.get("/style.css", include_in_schema=False)
    async def style(request: Request) -> Response:
        """The pages' style sheet."""
        return answer(request, packaged("style.css"), "text/css; charset=utf-8")

    @pages.get("/icon.svg", include_in_schema=False)
    async def icon(request: Request) -> Response:
        """The pages' icon."""
        return answer(request, packaged("icon.svg"), "image/svg+xml")

    return APIRouter(routes=[*pages.routes, *feeds.routes])


def preview(runtime: Runtime, row: Row, offices: Offices) -> Response:
    """The page of a statement that is not published so. It says so, and nobody keeps it."""
    site, zone = Site(runtime.settings, offices), offices.zone
    body = site.draw("statement.html", item=readable(row, zone), zone=zone_name(zone), preview=True)
    return Response(body, 200, HEADERS | {"Cache-Control": "no-store"}, HTML)
