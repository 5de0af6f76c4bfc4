"""The pages and feeds of the bulletin over HTTP."""

import functools
from typing import Annotated, get_args

import orjson
from fastapi import APIRouter, Path, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.titles import Language
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
from services.publish.bulletin.site import HTML, Site, answer, headers, packaged

PER_PAGE = 20
PER_FEED = 50
ATOM = "application/atom+xml; charset=utf-8"
JSON_FEED = "application/feed+json; charset=utf-8"
FEED = {"application/atom+xml": documents.text("<feed>…</feed>")}
PAGE = {"text/html": documents.text("<!doctype html>…")}
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the page before.")]
Unit = Annotated[str | None, Query(max_length=64, description="Only statements of this unit and those below it.")]
Lang = Annotated[str | None, Query(max_length=8, description="`en`: labels in English. By default they are Chinese.")]
"""Only the address names the language, so that a cache in between needs no `Vary`."""


@functools.cache
def router() -> APIRouter:
    """`/bulletin`, public."""
    pages = http.router("/bulletin", "bulletin", DescribedRoute)
    feeds = http.router("/bulletin", "bulletin")

    async def found(
        connection: AsyncConnection, site: Site, offices: Offices, limit: int, cursor: str | None, unit: str | None
    ) -> Found:
        zone, language = offices.zone, site.language
        speaking = await queries.speaking_units(connection)
        named = sorted((code, offices.ever[code].name) for code in speaking if code in offices.ever)
        must_be_known("unit", unit, offices.ever)
        chosen = None if unit is None else offices.below(unit)
        page = await queries.public_page(connection, limit=limit, cursor=cursor, units=chosen)
        items = [readable(row, zone, language) for row in page.rows]
        return Found(items, page.next, zone_name(zone, language), unit, named)

    @pages.get("", include_in_schema=False)
    async def without_slash(runtime: http.Serving) -> Response:
        """Redirects to the page."""
        return Response(status_code=308, headers={"Location": runtime.settings.link("bulletin/")})

    @pages.get("/", **documents.answers_content("The page.", PAGE))
    async def show_bulletin(
        runtime: http.Serving, request: Request, cursor: Cursor = None, unit: Unit = None, lang: Lang = None
    ) -> Response:
        """The statements, the latest change first."""
        async with runtime.database.read() as connection:
            offices = await runtime.offices(connection)
            site = Site(runtime.settings, offices)
            try:
                site = Site(runtime.settings, offices, language(lang))
                page = await found(connection, site, offices, PER_PAGE, cursor, unit)
            except Malformed:
                return site.missing()
        narrowed = {"unit": unit}
        return site.page(
            request, "index.html", page=page, narrowed=narrowed, cursor=cursor, first=cursor is None, zone=page.zone
        )

    @pages.get("/statements/{id}", **documents.answers_content("The page.", PAGE))
    async def show_statement(
        runtime: http.Serving,
        request: Request,
        id: Annotated[str, Path(description="The statement's id or its number.")],
        lang: Lang = None,
    ) -> Response:
        """One statement with all its texts, corrections and its withdrawal."""
        named = await records.find(runtime, "statement", id) or id
        async with runtime.database.read() as connection:
            offices = await runtime.offices(connection)
            row = await queries.public_statement(connection, named)
        site, zone = Site(runtime.settings, offices), offices.zone
        try:
            site = Site(runtime.settings, offices, language(lang))
        except Malformed:
            return site.missing()
        if row is None:
            return site.missing()
        item, named_zone = readable(row, zone, site.language), zone_name(zone, site.language)
        return site.page(request, "statement.html", f"statements/{row['id']}", item=item, zone=named_zone)

    @feeds.get(
        "/feed.atom",
        **documents.answers_content("The feed.", FEED),
    )
    async def read_atom_feed(
        runtime: http.Serving, request: Request, cursor: Cursor = None, unit: Unit = None, lang: Lang = None
    ) -> Response:
        """Atom (RFC 4287).

        An entry keeps its id. A correction or withdrawal raises `updated` and stands first in the title.
        """
        async with runtime.database.read() as connection:
            offices = await runtime.offices(connection)
            site = Site(runtime.settings, offices, language(lang))
            page = await found(connection, site, offices, PER_FEED, cursor, unit)
        return answer(request, atom(runtime, site, page, cursor), ATOM, site.language)

    @feeds.get("/feed.json", **documents.answers(answers.Feed, media_type="application/feed+json"))
    async def read_json_feed(
        runtime: http.Serving, request: Request, cursor: Cursor = None, unit: Unit = None, lang: Lang = None
    ) -> Response:
        """JSON Feed 1.1, with the same entries."""
        async with runtime.database.read() as connection:
            offices = await runtime.offices(connection)
            site = Site(runtime.settings, offices, language(lang))
            page = await found(connection, site, offices, PER_FEED, cursor, unit)
        return answer(request, orjson.dumps(json_feed(site, page, cursor)), JSON_FEED, site.language)

    @pages.get("/style.css", include_in_schema=False)
    async def style(request: Request) -> Response:
        """The pages' style sheet."""
        return answer(request, packaged("style.css"), "text/css; charset=utf-8")

    @pages.get("/icon.svg", include_in_schema=False)
    async def icon(request: Request) -> Response:
        """The pages' icon."""
        return answer(request, packaged("icon.svg"), "image/svg+xml")

    return APIRouter(routes=[*pages.routes, *feeds.routes])


def language(lang: str | None) -> Language:
    """The language that an address names. Raises `Malformed` for another one."""
    must_be_known("lang", lang, get_args(Language))
    return "en" if lang == "en" else "zh"


def preview(runtime: Runtime, row: Row, offices: Offices) -> Response:
    """The page of a statement that is not published so. It says so, and nobody keeps it."""
    site, zone = Site(runtime.settings, offices), offices.zone
    place = f"statements/{row['id']}"
    body = site.draw("statement.html", place, item=readable(row, zone), zone=zone_name(zone), preview=True)
    return Response(body, 200, headers(site.language) | {"Cache-Control": "no-store"}, HTML)
