"""The public bulletin: statements under the office's own name, for everyone, without signing in.

Only published texts appear, with every earlier text, correction and withdrawal. Drills never appear. Pages need no
script and load nothing from elsewhere. Every answer has a strong `ETag` over everything that it shows. Links begin with
the deployment's public address, whatever `Host` says.
"""

import functools
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from importlib import resources
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo

import orjson
from fastapi import APIRouter, Path, Query, Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import parse_instant
from schemas.titles import titled
from services.kernel.core.ids import derived
from services.kernel.core.problems import Malformed
from services.kernel.core.units import Offices
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import documents, http, records
from services.kernel.serving.documents import DescribedRoute
from services.kernel.serving.paging import must_be_known
from services.kernel.settings import Settings
from services.kernel.store.views import Row
from services.publish import answers, queries

PER_PAGE = 20
PER_FEED = 50
HTML = "text/html; charset=utf-8"
ATOM = "application/atom+xml; charset=utf-8"
JSON_FEED = "application/feed+json; charset=utf-8"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of the last change of an empty bulletin."""
FEED = {"application/atom+xml": documents.text("<feed>…</feed>")}
PAGE = {"text/html": documents.text("<!doctype html>…")}
ACTS = {"publication": "发布", "correction": "更正", "withdrawal": "撤回"}
Item = dict[str, Any]
"""A statement of the public view, ready for the templates."""
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the page before.")]
Unit = Annotated[str | None, Query(max_length=64, description="Only statements of this unit and those below it.")]

templates = Environment(
    loader=PackageLoader("services.publish"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class Moment(NamedTuple):
    """An instant in two forms: for machines, and for readers in the one time zone of the bulletin."""

    iso: str
    local: str


class Found(NamedTuple):
    """A page of statements, with the data for its links."""

    items: list[Item]
    next: str | None
    zone: str
    unit: str | None
    units: list[tuple[str, str]]
    """Code and name of each unit that a reader can filter by."""


def moment(at: datetime, zone: tzinfo) -> Moment:
    """`2026年3月2日 17:00` in the zone."""
    here = at.astimezone(zone)
    return Moment(at.isoformat().replace("+00:00", "Z"), f"{here.year}年{here.month}月{here.day}日 {here:%H:%M}")


def zone_name(zone: tzinfo) -> str:
    """The readers' name for the time zone."""
    if isinstance(zone, ZoneInfo) and zone.key == "Asia/Shanghai":
        return "北京时间（UTC+8）"
    offset = datetime.now(zone).strftime("%z")
    return f"UTC{offset[:3]}:{offset[3:]} 时间"


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
        return Found([_readable(row, zone) for row in page.rows], page.next, zone_name(zone), unit, named)

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
            site = _Site(runtime.settings, offices)
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
        site, zone = _Site(runtime.settings, offices), offices.zone
        if row is None:
            return site.missing()
        return site.page(request, "statement.html", item=_readable(row, zone), zone=zone_name(zone))

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
        site = _Site(runtime.settings, offices)
        body = templates.get_template("feed.atom.xml").render(
            feed_id=_feed_id(runtime, unit),
            title=site.title(page),
            updated=moment(_changed(page.items), UTC).iso,
            base=site.url,
            self_url=site.feed("feed.atom", unit, cursor),
            next=page.next and site.feed("feed.atom", unit, page.next),
            items=page.items,
            zone=page.zone,
        )
        return _answer(request, body.encode(), ATOM)

    @feeds.get("/feed.json", **documents.answers(answers.Feed, media_type="application/feed+json"))
    async def read_json_feed(
        runtime: http.Serving, request: Request, cursor: Cursor = None, unit: Unit = None
    ) -> Response:
        """JSON Feed 1.1, with the same entries."""
        async with runtime.database.read() as connection:
            offices = await runtime.offices(connection)
            page = await found(connection, offices, PER_FEED, cursor, unit)
        return _answer(request, orjson.dumps(_Site(runtime.settings, offices).json_feed(page, cursor)), JSON_FEED)

    @pages.get("/style.css", include_in_schema=False)
    async def style(request: Request) -> Response:
        """The pages' style sheet."""
        return _answer(request, _packaged("style.css"), "text/css; charset=utf-8")

    @pages.get("/icon.svg", include_in_schema=False)
    async def icon(request: Request) -> Response:
        """The pages' icon."""
        return _answer(request, _packaged("icon.svg"), "image/svg+xml")

    return APIRouter(routes=[*pages.routes, *feeds.routes])


def preview(runtime: Runtime, row: Row, offices: Offices) -> Response:
    """The page of a statement that is not published so. It says so, and nobody keeps it."""
    site, zone = _Site(runtime.settings, offices), offices.zone
    body = site.draw("statement.html", item=_readable(row, zone), zone=zone_name(zone), preview=True)
    return Response(body, 200, HEADERS | {"Cache-Control": "no-store"}, HTML)


class _Site:
    """The common data of every page and feed."""

    def __init__(self, settings: Settings, offices: Offices) -> None:
        self.name, self.contact = offices.site_name or settings.site_name, settings.site_contact
        self.url = settings.link("bulletin/")
        self.path = urlsplit(self.url).path
        """Links within the pages name no host, so the style sheet comes from the same place as the page."""

    def feed(self, name: str, unit: str | None, cursor: str | None = None) -> str:
        """The full address of a feed."""
        return self.url + name + _query(unit=unit, cursor=cursor)

    def title(self, page: Found) -> str:
        """The site's name, with the name of the unit if a page shows only one."""
        names = dict(page.units)
        return f"{self.name}：{names.get(page.unit, page.unit)}" if page.unit else self.name

    def page(self, request: Request, template: str, **values: Any) -> Response:
        """A page from its template."""
        return _answer(request, self.draw(template, **values), HTML)

    def missing(self) -> Response:
        """The page for a statement that was never published."""
        return Response(self.draw("missing.html", zone=""), 404, HEADERS, HTML)

    def json_feed(self, page: Found, cursor: str | None) -> dict[str, Any]:
        """JSON Feed 1.1."""
        feed = {
            "version": "https://jsonfeed.org/version/1.1",
            "title": self.title(page),
            "language": "zh-Hans",
            "home_page_url": self.url + _query(unit=page.unit),
            "feed_url": self.feed("feed.json", page.unit, cursor),
            "items": [
                {
                    "id": f"urn:uuid:{item['id'].partition('-')[2]}",
                    "url": f"{self.url}statements/{item['id']}",
                    "title": item["heading"],
                    "content_html": templates.get_template("entry.html").render(
                        item=item, base=self.url, zone=page.zone
                    ),
                    "date_published": item["published"].iso,
                    "date_modified": item["updated"].iso,
                    "authors": [{"name": item["unit_name"]}],
                    "tags": _tags(item),
                    "_huiying": {
                        name: item[name] for name in ("number", "incident_number", "incident_id", "corrections")
                    },
                }
                for item in page.items
            ],
        }
        return feed | ({"next_url": self.feed("feed.json", page.unit, page.next)} if page.next else {})

    def draw(self, template: str, **values: Any) -> bytes:
        """A page's bytes from its template."""
        site = {"title": self.name, "contact": self.contact, "base": self.path, "url": self.url}
        return templates.get_template(template).render(site, **values).encode()


def _query(**named: str | None) -> str:
    given = {name: value for name, value in named.items() if value is not None}
    return f"?{urlencode(given)}" if given else ""


templates.globals["query"] = _query


def _feed_id(runtime: Runtime, unit: str | None) -> str:
    named = (unit,) if unit else ()
    return f"urn:uuid:{derived('bulletin', runtime.settings.source(runtime.service.name), *named)}"


def _readable(row: Row, zone: tzinfo) -> Item:
    """A statement of the public view with its times, its headings, and the text that holds now."""
    said = [release | {"at": moment(parse_instant(release["at"]), zone)} for release in row["said"]]
    texts = [release for release in said if release["text"] is not None]
    withdrawal = next((release for release in said if release["kind"] == "withdrawal"), None)
    correction = texts[-1] if len(texts) > 1 else None
    mark = "已撤回：" if withdrawal else "已更正：" if correction else ""
    return row | {
        "said": said,
        "kind_zh": titled(row["kind"], "zh"),
        "heading": mark + row["title"],
        "published": moment(parse_instant(row["published_at"]), zone),
        "updated": moment(parse_instant(row["updated_at"]), zone),
        "act": ACTS[said[-1]["kind"]],
        "changed": parse_instant(row["updated_at"]),
        "correction": correction,
        "withdrawal": withdrawal,
        "earlier": texts[-2::-1],
        "updates": _neighbour(row["updates"], zone),
        "updated_by": _neighbour(row["updated_by"], zone),
    }


def _neighbour(row: Row | None, zone: tzinfo) -> Item | None:
    if row is None:
        return None
    return {"id": row["id"], "title": row["title"], "published": moment(parse_instant(row["published_at"]), zone)}


def _tags(item: Item) -> list[str]:
    """`status` or `facts`, and `corrected` or `withdrawn` if that applies."""
    marks = [item["kind"]]
    if item["corrections"]:
        marks.append("corrected")
    if item["withdrawal"]:
        marks.append("withdrawn")
    return marks


templates.globals["tags"] = _tags


def _changed(items: Sequence[Item]) -> datetime:
    return max((item["changed"] for item in items), default=NEVER)


def _answer(request: Request, body: bytes, media_type: str) -> Response:
    """200 with a strong `ETag` over the whole body, or 304 if the reader has exactly this body (RFC 9110, 13)."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = HEADERS | {"ETag": tag}
    named = request.headers.get("if-none-match", "")
    tags = [http.tag_as_sent(part) for part in named.split(",")]
    if "*" in tags or tag in tags:
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers, media_type)


@lru_cache
def _packaged(name: str) -> bytes:
    return resources.files("services.publish").joinpath("templates", name).read_bytes()
