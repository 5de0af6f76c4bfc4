"""The public bulletin: what the office said under its own name, for everyone, without signing in.

Only published texts appear, with every earlier text, correction and withdrawal; drills never do. Pages need no script
and load nothing from elsewhere. Every answer has an `ETag` and `Last-Modified` and honours conditional requests.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache
from importlib import resources
from typing import Annotated, Any, NamedTuple

import orjson
from fastapi import APIRouter, Query, Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from schemas.fields import parse_instant
from services.kernel.core.ids import derived
from services.kernel.core.problems import Malformed, Unavailable
from services.kernel.core.units import Offices
from services.kernel.delivery.runtime import Runtime
from services.kernel.store.views import Row
from services.publish import queries

PER_PAGE = 20
PER_FEED = 50
TITLE = "回应公告"
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
"""When an empty bulletin was last changed."""
Item = dict[str, Any]
"""A statement of the public view, ready for the templates."""
Cursor = Annotated[str | None, Query(max_length=200)]

templates = Environment(
    loader=PackageLoader("services.publish"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class Moment(NamedTuple):
    """An instant as readers see it: in the office's time zone, and in UTC."""

    iso: str
    local: str
    utc: str


def moment(at: datetime, zone: tzinfo) -> Moment:
    """`2026年3月2日 17:00 (UTC+08:00)`, and the same in UTC."""
    here = at.astimezone(zone)
    offset = here.strftime("%z")
    local = f"{here.year}年{here.month}月{here.day}日 {here:%H:%M} (UTC{offset[:3]}:{offset[3:]})"
    return Moment(at.isoformat().replace("+00:00", "Z"), local, f"{at:%Y-%m-%d %H:%M} UTC")


def router(runtime: Runtime) -> APIRouter:
    """`/bulletin`, public. `GET` and `HEAD`."""
    api = APIRouter(prefix="/bulletin", tags=["bulletin"])
    feed_id = f"urn:uuid:{derived('bulletin', runtime.settings.source(runtime.service.name))}"

    async def page_of(limit: int, cursor: str | None) -> queries.Page:
        async with runtime.database.read() as connection:
            offices = await runtime.offices(connection)
            page = await queries.public_page(connection, limit=limit, cursor=cursor)
        return queries.Page([_readable(row, offices) for row in page.rows], page.next)

    async def index(request: Request, cursor: Cursor = None) -> Response:
        """The statements, what was said last first."""
        try:
            page = await page_of(PER_PAGE, cursor)
        except Malformed:
            return _missing(request)
        return _page(request, "index.html", page.rows, items=page.rows, next=page.next, first=cursor is None)

    async def statement(request: Request, id: str) -> Response:
        """One statement with all its texts, corrections and its withdrawal."""
        async with runtime.database.read() as connection:
            offices = await runtime.offices(connection)
            row = await queries.public_statement(connection, id)
        if row is None:
            return _missing(request)
        item = _readable(row, offices)
        return _page(request, "statement.html", [item], item=item)

    async def atom(request: Request, cursor: Cursor = None) -> Response:
        """Atom (RFC 4287). An entry keeps its id; a correction or withdrawal raises `updated`."""
        page = await page_of(PER_FEED, cursor)
        body = templates.get_template("feed.atom.xml").render(
            feed_id=feed_id,
            title=TITLE,
            updated=moment(_changed(page.rows), UTC).iso,
            base=_base(request),
            self_url=str(request.url),
            next=page.next,
            items=page.rows,
        )
        return _answer(request, body.encode(), ATOM, _changed(page.rows))

    async def json(request: Request, cursor: Cursor = None) -> Response:
        """JSON Feed 1.1, with the same entries."""
        page = await page_of(PER_FEED, cursor)
        body = orjson.dumps(_json_feed(page, _base(request), str(request.url)))
        return _answer(request, body, JSON_FEED, _changed(page.rows))

    async def style(request: Request) -> Response:
        """The pages' style sheet."""
        return _answer(request, _style(), "text/css; charset=utf-8", None)

    async def icon(request: Request) -> Response:
        """The pages' icon."""
        return _answer(request, _icon(), "image/svg+xml", None)

    for path, endpoint in (
        ("/", index),
        ("/statements/{id}", statement),
        ("/feed.atom", atom),
        ("/feed.json", json),
        ("/style.css", style),
        ("/icon.svg", icon),
    ):
        api.add_api_route(path, endpoint, methods=["GET"], response_class=Response)
        api.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False)
    return api


def _readable(row: Row, offices: Offices) -> Item:
    """A statement of the public view with its times, its title, and which of its texts still holds."""
    zone = _zone(offices, row["unit"])
    said = [release | {"at": moment(parse_instant(release["at"]), zone)} for release in row["said"]]
    texts = [release for release in said if release["text"] is not None]
    withdrawal = next((release for release in said if release["kind"] == "withdrawal"), None)
    correction = texts[-1] if len(texts) > 1 else None
    kind = "事实说明" if row["kind"] == "facts" else "处置情况"
    return row | {
        "said": said,
        "kind_zh": kind,
        "title": f"{row['unit_name']}：{kind}",
        "published": moment(parse_instant(row["published_at"]), zone),
        "updated": moment(parse_instant(row["updated_at"]), zone),
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
    return {"id": row["id"], "published": moment(parse_instant(row["published_at"]), zone)}


def _zone(offices: Offices, unit: str) -> tzinfo:
    """The zone of the unit's pack; UTC where this unit has none any more."""
    try:
        return offices.pack(unit).model.timezone
    except Unavailable:
        return UTC


def _json_feed(page: queries.Page, base: str, self_url: str) -> dict[str, Any]:
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": TITLE,
        "language": "zh",
        "home_page_url": base,
        "feed_url": self_url,
        "items": [
            {
                "id": f"urn:uuid:{item['id'].partition('-')[2]}",
                "url": f"{base}statements/{item['id']}",
                "title": item["title"],
                "content_html": templates.get_template("said.html").render(item=item, base=base, heading=2),
                "date_published": item["published"].iso,
                "date_modified": item["updated"].iso,
                "authors": [{"name": item["unit_name"]}],
                "tags": _tags(item),
                "_huiying": {"incident_id": item["incident_id"], "corrections": item["corrections"]},
            }
            for item in page.rows
        ],
    }
    return feed | ({"next_url": f"{base}feed.json?cursor={page.next}"} if page.next else {})


def _tags(item: Item) -> list[str]:
    """`status` or `facts`, and `corrected` or `withdrawn` where it is."""
    marks = [item["kind"]]
    if item["corrections"]:
        marks.append("corrected")
    if item["withdrawal"]:
        marks.append("withdrawn")
    return marks


templates.globals["tags"] = _tags


def _base(request: Request) -> str:
    return f"{request.base_url}bulletin/"


def _changed(items: Sequence[Item]) -> datetime:
    return max((item["changed"] for item in items), default=NEVER)


def _page(request: Request, template: str, shown: Sequence[Item], **values: Any) -> Response:
    body = templates.get_template(template).render(title=TITLE, base="/bulletin/", **values)
    return _answer(request, body.encode(), HTML, _changed(shown))


def _missing(request: Request) -> Response:
    body = templates.get_template("missing.html").render(title=TITLE, base="/bulletin/")
    return Response(body, 404, HEADERS, HTML)


def _answer(request: Request, body: bytes, media_type: str, changed: datetime | None) -> Response:
    """200 with validators, or 304 where the reader has this very body (RFC 9110, 13)."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = HEADERS | {"ETag": tag}
    if changed is not None:
        changed = min(changed, datetime.now(UTC)).replace(microsecond=0)
        headers["Last-Modified"] = format_datetime(changed, usegmt=True)
    if _has(request, tag, changed):
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers, media_type)


def _has(request: Request, tag: str, changed: datetime | None) -> bool:
    if (named := request.headers.get("if-none-match")) is not None:
        tags = [part.strip().removeprefix("W/") for part in named.split(",")]
        return "*" in tags or tag in tags
    if changed is None or (since := request.headers.get("if-modified-since")) is None:
        return False
    try:
        return parsedate_to_datetime(since) >= changed
    except (TypeError, ValueError):
        return False


@lru_cache
def _style() -> bytes:
    return _packaged("style.css")


@lru_cache
def _icon() -> bytes:
    return _packaged("icon.svg")


def _packaged(name: str) -> bytes:
    return resources.files("services.publish").joinpath("templates", name).read_bytes()
