"""The common data of every page and feed of the bulletin, and how an answer is made of it."""

import hashlib
from functools import lru_cache
from importlib import resources
from typing import Any
from urllib.parse import urlencode, urlsplit

from fastapi import Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from services.kernel.core.units import Offices
from services.kernel.serving import http
from services.kernel.settings import Settings
from services.publish.bulletin.shown import Found, tags

HTML = "text/html; charset=utf-8"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

templates = Environment(
    loader=PackageLoader("services.publish.bulletin"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def query(**named: str | None) -> str:
    given = {name: value for name, value in named.items() if value is not None}
    return f"?{urlencode(given)}" if given else ""


templates.globals |= {"query": query, "tags": tags}


class Site:
    """The common data of every page and feed."""

    def __init__(self, settings: Settings, offices: Offices) -> None:
        self.name, self.contact = offices.site_name or settings.site_name, settings.site_contact
        self.url = settings.link("bulletin/")
        self.path = urlsplit(self.url).path
        """Links within the pages name no host, so the style sheet comes from the same place as the page."""

    def feed(self, name: str, unit: str | None, cursor: str | None = None) -> str:
        """The full address of a feed."""
        return self.url + name + query(unit=unit, cursor=cursor)

    def title(self, page: Found) -> str:
        """The site's name, with the name of the unit if a page shows only one."""
        names = dict(page.units)
        return f"{self.name}：{names.get(page.unit, page.unit)}" if page.unit else self.name

    def page(self, request: Request, template: str, **values: Any) -> Response:
        """A page from its template."""
        return answer(request, self.draw(template, **values), HTML)

    def missing(self) -> Response:
        """The page for a statement that was never published."""
        return Response(self.draw("missing.html", zone=""), 404, HEADERS, HTML)

    def draw(self, template: str, **values: Any) -> bytes:
        """A page's bytes from its template."""
        site = {"title": self.name, "contact": self.contact, "base": self.path, "url": self.url}
        return templates.get_template(template).render(site, **values).encode()


def answer(request: Request, body: bytes, media_type: str) -> Response:
    """200 with a strong `ETag` over the whole body, or 304 if the reader has exactly this body (RFC 9110, 13)."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = HEADERS | {"ETag": tag}
    named = request.headers.get("if-none-match", "")
    tags = [http.tag_as_sent(part) for part in named.split(",")]
    if "*" in tags or tag in tags:
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers, media_type)


@lru_cache
def packaged(name: str) -> bytes:
    return resources.files("services.publish.bulletin").joinpath("templates", name).read_bytes()
