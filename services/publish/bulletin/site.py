"""The common data of every page and feed of the bulletin, and how an answer is made of it."""

import hashlib
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlencode, urlsplit

from fastapi import Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from schemas.publish import StatementKind
from schemas.titles import Language, titled
from services.kernel import languages
from services.kernel.core.units import Offices
from services.kernel.serving import http
from services.kernel.settings import Settings
from services.publish.bulletin.shown import ACTS, STATES, Found, tags
from services.publish.bulletin.words import TAGS, is_chinese, translations

HTML = "text/html; charset=utf-8"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "public, max-age=0, s-maxage=5, must-revalidate",
}
"""A browser asks at each visit, so its reader sees a correction at once. A proxy in front may answer all others for
five seconds: a rush then costs one page, and a correction is late by no more than that."""
FOR_GOOD = "public, max-age=31536000, immutable"
"""For a file whose address changes with its content."""
FORM = "form-action 'self'"
"""The list has a form, which asks for the list again."""


@lru_cache
def templates(language: Language) -> Environment:
    """The templates in a language."""
    made = Environment(
        loader=PackageLoader("services.publish.bulletin"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.policies["ext.i18n.trimmed"] = True
    made.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    said = languages.said(translations(language))
    made.globals |= {
        "_": said,
        "gettext": said,
        "tags": tags,
        "acts": ACTS,
        "lang": TAGS[language],
        "english": language == "en",
    }
    made.globals |= {
        "kinds": [(kind, titled(kind, language)) for kind in get_args(StatementKind)],
        "states": [(state, said(title)) for state, title in STATES.items()],
    }
    made.globals |= {"spoken": _spoken if language == "en" else lambda _: ""}
    return made


def _spoken(text: str) -> Markup:
    """The attribute that tells the language of a text which is not the page's."""
    return Markup(' lang="zh-Hans"') if is_chinese(text) else Markup()


class Site:
    """The common data of every page and feed, in a language. The address alone names the language (`lang=en`)."""

    def __init__(self, settings: Settings, offices: Offices, language: Language = "zh") -> None:
        self.name, self.contact = offices.site_name or settings.site_name, settings.site_contact
        self.language = language
        self.url = settings.link("bulletin/")
        self.path = urlsplit(self.url).path
        """Links within the pages name no host, so the style sheet comes from the same place as the page."""
        self.logo = f"logo?{_mark(settings.site_logo)}" if settings.site_logo else None
        self.office = offices.ever[offices.root].name if offices.units else self.name

    def to(self, path: str = "", /, **named: str | None) -> str:
        """A link within the pages, in their language."""
        return self.path + path + self._query(named)

    def full(self, path: str = "", /, **named: str | None) -> str:
        """The full address of a page or feed, in the same language."""
        return self.url + path + self._query(named)

    def _query(self, named: dict[str, str | None]) -> str:
        wanted = {**named, "lang": named.get("lang", "en" if self.language == "en" else None)}
        given = {name: value for name, value in wanted.items() if value}
        return f"?{urlencode(given)}" if given else ""

    def title(self, page: Found) -> str:
        """The site's name, with the name of the unit if a page shows only one."""
        colon = ": " if self.language == "en" else "："
        return f"{self.name}{colon}{page.unit_name}" if page.unit_name else self.name

    def page(self, request: Request, template: str, path: str = "", **values: Any) -> Response:
        """A page from its template. `path` is its place below the bulletin; `narrowed` holds its query.

        `form` is true for the page with a form.
        """
        return answer(request, self.draw(template, path, **values), HTML, self.language, values.get("form", False))

    def missing(self) -> Response:
        """The page for a statement that was never published."""
        return Response(self.draw("missing.html", zone=""), 404, headers(self.language), HTML)

    def draw(self, template: str, path: str = "", **values: Any) -> bytes:
        """A page's bytes from its template."""
        narrowed = values.get("narrowed", {})
        site = {
            "title": self.name,
            "contact": self.contact,
            "base": self.path,
            "url": self.url,
            "style": f"{self.path}style.css?{_mark('style.css')}",
            "logo": self.logo and self.path + self.logo,
            "to": self.to,
            "narrowed": narrowed,
            "address": self.full(path, **narrowed),
            "in_chinese": self.url + path + self._query({**narrowed, "lang": None}),
            "in_english": self.url + path + self._query({**narrowed, "lang": "en"}),
            "in_other": self.to(path, **narrowed, lang=None if self.language == "en" else "en"),
        }
        return templates(self.language).get_template(template).render({**site, **values}).encode()


def headers(language: Language) -> dict[str, str]:
    """The headers of an answer in a language."""
    return HEADERS | {"Content-Language": TAGS[language]}


def answer(
    request: Request,
    body: bytes,
    media_type: str,
    language: Language | None = None,
    form: bool = False,
    mark: str | None = None,
    is_file: bool = False,
) -> Response:
    """200 with a strong `ETag` over the whole body, or 304 if the reader has exactly this body (RFC 9110, 13).

    Only a file is kept for good: a page at an address with its own mark would hide its correction for a year.
    """
    mark = mark or digest(body)
    tag = f'"{mark}"'
    told = (headers(language) if language else HEADERS) | {"ETag": tag}
    if is_file and request.scope["query_string"].decode("latin-1") == mark:
        told["Cache-Control"] = FOR_GOOD
    if form:
        told["Content-Security-Policy"] = told["Content-Security-Policy"].replace("form-action 'none'", FORM)
    named = request.headers.get("if-none-match", "")
    tags = [http.tag_as_sent(part) for part in named.split(",")]
    if "*" in tags or tag in tags:
        return Response(status_code=304, headers=told)
    return Response(body, 200, told, media_type)


def unchanged(request: Request, mark: str) -> Response | None:
    """304 if the reader has the file with this mark; else None."""
    named = request.headers.get("if-none-match", "")
    tags = [http.tag_as_sent(part) for part in named.split(",")]
    if "*" in tags or f'"{mark}"' in tags:
        return Response(status_code=304, headers=HEADERS | {"ETag": f'"{mark}"'})
    return None


def digest(body: bytes) -> str:
    """A mark of exactly these bytes."""
    return hashlib.sha256(body).hexdigest()[:32]


@lru_cache
def read(file: Path) -> bytes:
    """A file that the settings name, as it was at its first reading."""
    return file.read_bytes()


@lru_cache
def _mark(file: Path | str) -> str:
    return digest(packaged(file) if isinstance(file, str) else read(file))


@lru_cache
def packaged(name: str) -> bytes:
    return resources.files("services.publish.bulletin").joinpath("templates", name).read_bytes()
