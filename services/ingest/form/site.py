"""How the public pages of ingest are drawn: their templates, their language, and the headers of each answer."""

import hashlib
from datetime import tzinfo
from functools import lru_cache
from importlib import resources
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from fastapi import Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from schemas.fields import parse_instant
from schemas.titles import Language
from services.ingest.form.words import CATALOGUE, TAGS
from services.kernel import languages
from services.kernel.core.units import Offices
from services.kernel.settings import Settings

HTML = "text/html; charset=utf-8"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
"""Nobody keeps a page: it holds a form's token, or what its reader alone may read."""
STYLE = resources.files("services.ingest.form").joinpath("templates", "style.css").read_bytes()


class Moment(NamedTuple):
    """An instant for machines, and for readers."""

    iso: str
    local: str


@lru_cache
def templates(language: Language) -> Environment:
    """The templates in a language."""
    made = Environment(
        loader=PackageLoader("services.ingest.form"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.policies["ext.i18n.trimmed"] = True
    made.install_gettext_translations(CATALOGUE.translations(language), newstyle=True)  # type: ignore[attr-defined]
    said = languages.said(CATALOGUE.translations(language))
    made.globals |= {"_": said, "gettext": said, "lang": TAGS[language], "english": language == "en"}
    made.globals |= {"spoken": _spoken if language == "en" else lambda _: ""}
    return made


def _spoken(text: str) -> Markup:
    """The attribute that tells the language of a text which is not the page's."""
    return Markup(' lang="zh-Hans"') if languages.is_chinese(text) else Markup()


class Site:
    """The common data of every page, in a language. The address alone names the language (`lang=en`)."""

    def __init__(self, settings: Settings, language: Language, offices: Offices | None = None) -> None:
        self.settings, self.language, self.offices = settings, language, offices
        self.name = (offices.site_name if offices else None) or settings.site_name
        self.path = urlsplit(settings.link()).path

    def to(self, path: str, language: Language | None = None) -> str:
        """A link to a page, in its language or another one. It names no host."""
        return f"{self.path}{path}{'?lang=en' if (language or self.language) == 'en' else ''}"

    def page(self, template: str, path: str, status: int = 200, **values: Any) -> Response:
        """An answer with a page. `path` is where the same page stands in the other language."""
        site = {
            "title": self.name,
            "contact": self.settings.site_contact,
            "to": self.to,
            "style": f"{self.path}form/style.css?{mark()}",
            "bulletin": self.settings.link("bulletin/status") + ("?lang=en" if self.language == "en" else ""),
            "other": self.to(path, "zh" if self.language == "en" else "en"),
        }
        body = templates(self.language).get_template(template).render({**site, **values})
        return Response(body, status, HEADERS | {"Content-Language": TAGS[self.language]}, HTML)

    def name_of(self, unit: str) -> str:
        """The name of a unit."""
        return self.offices.ever[unit].name if self.offices and unit in self.offices.ever else unit

    def moment(self, text: str) -> Moment:
        """`2026年3月2日 17:00` in the zone of the deployment, or `2 March 2026, 17:00`."""
        assert self.offices is not None
        zone: tzinfo = self.offices.zone
        at = parse_instant(text)
        here = at.astimezone(zone)
        chinese = self.language == "zh"
        day = f"{here.year}年{here.month}月{here.day}日 " if chinese else f"{here.day} {here:%B} {here.year}, "
        return Moment(at.isoformat().replace("+00:00", "Z"), f"{day}{here:%H:%M}")


@lru_cache
def mark() -> str:
    """A mark of the style sheet's content, so that a browser may keep it for good."""
    return hashlib.sha256(STYLE).hexdigest()[:16]
