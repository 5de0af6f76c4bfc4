"""The pages and feeds of the bulletin over HTTP."""

import functools
from collections.abc import Callable, Coroutine
from datetime import datetime, tzinfo
from typing import Annotated, Any, get_args

import orjson
from fastapi import APIRouter, Path, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import instant, parse_instant
from schemas.publish import StatementKind
from schemas.titles import Language
from services.kernel.core.problems import Malformed, NotFound
from services.kernel.core.units import Offices
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import documents, http, records
from services.kernel.serving.documents import DescribedRoute
from services.kernel.serving.paging import must_be_known
from services.kernel.settings import picture_type
from services.kernel.store import word_index
from services.kernel.store.views import Row
from services.publish import answers
from services.publish.attaching import api as attaching
from services.publish.attaching import files
from services.publish.attaching import queries as attached
from services.publish.bulletin import alerts, linked, queries
from services.publish.bulletin.feeds import ATOM, FEED, Cursor, atom, json_feed
from services.publish.bulletin.kept import Kept
from services.publish.bulletin.shown import Choices, Found, Narrowed, month_title, readable, zone_name
from services.publish.bulletin.site import HEADERS, HTML, Site, answer, headers, packaged, read, unchanged
from services.publish.rows import Page

PER_PAGE = 20
PER_FEED = 50
MOST_WORDS = 8
"""At most so many words are looked for."""
JSON_FEED = "application/feed+json; charset=utf-8"
PAGE = {"text/html": documents.text("<!doctype html>…")}
DRAWN = documents.or_missing(documents.answers_content("The page.", PAGE), PAGE)
"""For the decorator of a route that draws a page for everybody."""
Unit = Annotated[str | None, Query(max_length=64, description="Only statements of this unit and those below it.")]
Kind = Annotated[str | None, Query(max_length=16, description="Only statements of this kind.")]
State = Annotated[str | None, Query(max_length=16, description="`current`, `corrected` or `withdrawn`.")]
Month = Annotated[str | None, Query(max_length=7, description="Only what was first published in a month, `2026-03`.")]
Words = Annotated[
    str | None, Query(max_length=100, description="Words, each of which stands in a title, text or reason in public.")
]
Lang = Annotated[str | None, Query(max_length=8, description="`en`: labels in English. By default they are Chinese.")]
"""Only the address names the language, so that a cache in between needs no `Vary`."""


class PageRoute(DescribedRoute):
    """A route that answers with the kept page before it reads the parameters, which takes most of an answer's time."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        draw = super().get_route_handler()

        async def handle(request: Request) -> Response:
            same = http.asked(request).part(Kept).find(request)
            return await draw(request) if same is None else same

        return handle


@functools.cache
def router() -> APIRouter:
    """`/bulletin`, public."""
    pages = http.router("/bulletin", "bulletin", PageRoute)
    feeds = http.router("/bulletin", "bulletin")

    @pages.get("", include_in_schema=False)
    async def without_slash(runtime: http.Serving) -> Response:
        """Redirects to the page."""
        return Response(status_code=308, headers={"Location": runtime.settings.link("bulletin/")})

    @pages.get("/", **DRAWN)
    async def show_bulletin(
        runtime: http.Serving,
        request: Request,
        unit: Unit = None,
        kind: Kind = None,
        state: State = None,
        month: Month = None,
        words: Words = None,
        cursor: Cursor = None,
        lang: Lang = None,
    ) -> Response:
        """The statements, the latest change first. A blank parameter is like an absent one."""
        asked = Narrowed(*((value and value.strip()) or None for value in (unit, kind, state, month, words)))
        kept = runtime.part(Kept)
        async with runtime.database.read() as connection:
            mark = await kept.mark(connection)
            if (same := kept.find(request, mark)) is not None:
                return same
            offices = mark.offices
            site = Site(runtime.settings, offices)
            try:
                site = Site(runtime.settings, offices, language(lang))
                choices = await choices_for(connection, offices, site.language)
                page = await found(connection, site, offices, PER_PAGE, cursor, asked, choices)
            except Malformed:
                return site.missing()
        body = site.draw(
            "index.html",
            page=page,
            choices=choices,
            narrowed=asked._asdict(),
            first=cursor is None,
            zone=page.zone,
            linked=linked.office(
                page.unit_name or site.office, site.full(unit=unit), site.logo and site.url + site.logo, site.contact
            ),
        )
        return kept.keep(request, mark, body, site.language, form=True)

    @pages.get("/statements/{id}", **DRAWN)
    async def show_statement(
        runtime: http.Serving,
        request: Request,
        id: Annotated[str, Path(description="The statement's id or its number.")],
        lang: Lang = None,
    ) -> Response:
        """One statement with all its texts, corrections and its withdrawal."""
        kept = runtime.part(Kept)
        async with runtime.database.read() as connection:
            mark = await kept.mark(connection)
        if (same := kept.find(request, mark)) is not None:
            return same
        named, offices = await records.find(runtime, "statement", id) or id, mark.offices
        async with runtime.database.read() as connection:
            row = await queries.public_statement(connection, named)
        site, zone = Site(runtime.settings, offices), offices.zone
        try:
            site = Site(runtime.settings, offices, language(lang))
        except Malformed:
            return site.missing()
        if row is None:
            return site.missing()
        item, named_zone = readable(row, zone, site.language), zone_name(zone, site.language)
        related = item["updates"] and site.full(f"statements/{item['updates']['id']}")
        data = linked.statement(
            item, site.full(f"statements/{row['id']}"), site.full(unit=row["unit"]), related, f"{site.url}files/"
        )
        place = f"statements/{row['id']}"
        body = site.draw("statement.html", place, item=item, zone=named_zone, linked=data)
        return kept.keep(request, mark, body, site.language)

    @pages.get("/files/{file}", **documents.or_missing(documents.answers_content("The file.", attaching.KEPT), PAGE))
    async def read_public_file(
        runtime: http.Serving,
        request: Request,
        file: Annotated[str, Path(description="The file, as the page links it.", max_length=128)],
        lang: Lang = None,
    ) -> Response:
        """A file that is or was in public with a statement. A document is to save."""
        async with runtime.database.read() as connection:
            row = await attached.public_file(connection, file)
            site = Site(runtime.settings, await runtime.offices(connection), "en" if lang == "en" else "zh")
        if row is None or not await files.is_kept(runtime, row):  # also for who has it: a cache lets go of it then
            return site.missing()
        kind = row["media_type"].rpartition("/")[2]
        shown = "attachment" if kind == "pdf" else "inline"
        told = {"Content-Disposition": f'{shown}; filename="{row["number"]}-{row["sha256"][:8]}.{kind}"'}
        if (same := unchanged(request, row["sha256"])) is not None:
            return same
        try:
            return await files.sent(runtime, row, HEADERS | told | {"ETag": f'"{row["sha256"]}"'})
        except NotFound:
            return site.missing()

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
            page = await found(connection, site, offices, PER_FEED, cursor, Narrowed(unit))
        return answer(request, atom(runtime, site, page, cursor), ATOM, site.language)

    @feeds.get("/feed.json", **documents.answers(answers.Feed, media_type="application/feed+json"))
    async def read_json_feed(
        runtime: http.Serving, request: Request, cursor: Cursor = None, unit: Unit = None, lang: Lang = None
    ) -> Response:
        """JSON Feed 1.1, with the same entries."""
        async with runtime.database.read() as connection:
            offices = await runtime.offices(connection)
            site = Site(runtime.settings, offices, language(lang))
            page = await found(connection, site, offices, PER_FEED, cursor, Narrowed(unit))
        return answer(request, orjson.dumps(json_feed(site, page, cursor)), JSON_FEED, site.language)

    alerts.add_routes(feeds, PER_FEED)

    @pages.get("/style.css", include_in_schema=False)
    async def style(request: Request) -> Response:
        """The pages' style sheet."""
        return answer(request, packaged("style.css"), "text/css; charset=utf-8", is_file=True)

    @pages.get("/logo", include_in_schema=False)
    async def logo(runtime: http.Serving, request: Request) -> Response:
        """The logo of the settings."""
        if runtime.settings.site_logo is None:
            async with runtime.database.read() as connection:
                return Site(runtime.settings, await runtime.offices(connection)).missing()
        content = read(runtime.settings.site_logo)
        return answer(request, content, str(picture_type(content)), is_file=True)

    @pages.get("/icon.svg", include_in_schema=False)
    async def icon(request: Request) -> Response:
        """The pages' icon."""
        return answer(request, packaged("icon.svg"), "image/svg+xml", is_file=True)

    return APIRouter(routes=[*pages.routes, *feeds.routes])


async def choices_for(connection: AsyncConnection, offices: Offices, language: Language) -> Choices:
    """What a reader can choose: the units that ever spoke and those above them, and the months of publications."""
    speaking = await queries.speaking_units(connection, offices)
    units = sorted({above for code in speaking for above in offices.above(code)})
    spoken, months = await queries.publications(connection), list[str]()
    if spoken is not None:
        first, last = (parse_instant(at).astimezone(offices.zone) for at in spoken)
        counted = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
        months = [f"{month // 12:04}-{month % 12 + 1:02}" for month in reversed(counted)]
    return Choices(
        [(code, offices.ever[code].name) for code in units],
        [(month, month_title(month, language)) for month in months],
    )


async def found(
    connection: AsyncConnection,
    site: Site,
    offices: Offices,
    limit: int,
    cursor: str | None,
    asked: Narrowed,
    choices: Choices | None = None,
) -> Found:
    """A page of what the reader asked for. Raises `Malformed` for an unknown code and a wrong cursor."""
    must_be_known("unit", asked.unit, offices.ever)
    must_be_known("kind", asked.kind, get_args(StatementKind))
    must_be_known("state", asked.state, queries.STATES)
    must_be_known("month", asked.month, [month for month, _ in choices.months] if choices else ())
    words, zone = (asked.words or "").split()[:MOST_WORDS], offices.zone
    too_short = next((word for word in words if not word_index.pairs_of(word)), "")
    wanted = queries.Wanted(
        None if asked.unit is None else offices.below(asked.unit),
        asked.kind,
        asked.state,
        _span(asked.month, zone) if asked.month else None,
        words,
    )
    rows, complete = Page([], None), True
    if not too_short:
        rows, complete = await queries.public_page(connection, wanted, limit=limit, cursor=cursor)
    return Found(
        [readable(row, zone, site.language) for row in rows.rows],
        rows.next,
        zone_name(zone, site.language),
        asked,
        offices.ever[asked.unit].name if asked.unit else "",
        complete,
        too_short,
    )


def _span(month: str, zone: tzinfo) -> tuple[str, str]:
    """The instants in which a month of the readers' zone begins and ends."""
    year, number = map(int, month.split("-"))
    begin, end = datetime(year, number, 1, tzinfo=zone), datetime(year + number // 12, number % 12 + 1, 1, tzinfo=zone)
    return instant(begin), instant(end)


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
