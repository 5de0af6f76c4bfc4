"""How a page is made: templates, languages, times, the frame with its navigation, and the headers of every answer."""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from schemas.fields import parse_instant
from schemas.titles import TITLES, Language
from services.console import frame, words
from services.console.labels import (
    CHECKS,
    CLOCK_STATES,
    GATE_STATES,
    GATES,
    GATES_SAID,
    LISTS,
    MEMBERS,
    PARTS,
    PHASES,
    REPLIES,
    SHAPES,
    SOURCES,
    STATES,
    WAITS,
    WAITS_OF_LIST,
)
from services.console.site import HOME, here, language, site_of
from services.console.words import N_
from services.kernel import languages

MOST_PURPOSE = 1000
"""The longest purpose of a reading, in characters."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""With `no-referrer` the `Origin` of a form would be `null`."""
STATIC = ("console.css", "console.js", "live.js", "redact.js", "icon.svg")
NAVIGATION = (
    ("inbox", N_("待办"), None),
    ("board", N_("事项"), None),
    ("register", N_("台账"), None),
    ("supervision", N_("督办"), None),
    ("findings", N_("认定"), ("chief", "approver", "auditor")),
    ("reports/new", N_("登记"), ("duty_officer", "information_officer")),
    ("statements", N_("说明稿"), None),
    ("postings", N_("人工发布"), ("spokesperson", "handler", "admin")),
    ("roster", N_("值班"), None),
    ("search", N_("检索"), None),
    ("statistics", N_("统计"), None),
    ("record", N_("记录"), None),
    ("packs", N_("制度"), None),
    ("accounts", N_("人员"), ("admin",)),
    ("units", N_("单位"), ("admin",)),
    ("setup", N_("设置"), ("admin",)),
    ("keys", N_("密钥"), ("admin",)),
    ("subscriptions", N_("推送"), ("admin",)),
    ("forms", N_("网上表单"), ("admin",)),
    ("mailboxes", N_("邮箱"), ("admin",)),
    ("health", N_("运行"), ("admin", "auditor")),
)
"""Path, title and the roles that see it: one navigation by what a post does."""


INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
"""An instant as services write it."""
_HAN = re.compile("([\u3000-\u303f\u3400-\u9fff\uff00-\uffef]+)")


@lru_cache
def environment(spoken: Language) -> Environment:
    """The templates in a language."""
    made = Environment(
        loader=PackageLoader("services.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.policies["ext.i18n.trimmed"] = True
    made.install_gettext_translations(words.translations(spoken), newstyle=True)  # type: ignore[attr-defined]
    said = languages.said(words.translations(spoken))
    made.globals |= {
        "_": said,
        "gettext": said,
        "HOME": HOME,
        "static": static,
        "dict": dict,
        "parts": PARTS,
        "states": STATES,
        "waits": WAITS,
        "waits_of_list": WAITS_OF_LIST,
    }
    made.globals |= {"phases": PHASES, "lists": LISTS, "replies": REPLIES, "sources": SOURCES}
    made.globals |= {"shapes": SHAPES, "clock_states": CLOCK_STATES}
    made.globals |= {"gate_titles": GATES, "gate_states": GATE_STATES, "gates_said": GATES_SAID, "check_states": CHECKS}
    made.globals |= {"members": frozenset(MEMBERS.values()), "mixed": mixed}
    return made


@lru_cache
def content(name: str) -> bytes:
    """A file that pages load."""
    return resources.files("services.console").joinpath("static", name).read_bytes()


@lru_cache
def static(name: str) -> str:
    """The address of such a file. It changes with the content, so browsers keep it for good."""
    return f"{HOME}/static/{sha256(content(name)).hexdigest()[:12]}/{name}"


def mixed(text: str) -> Markup:
    """A text of two languages, with the language of each part."""
    english = sum(sign.isascii() and sign.isalpha() for sign in text)
    if english < len(text) / 3:
        return Markup('<span lang="zh-Hans">{}</span>').format(text)
    parts = _HAN.split(text)
    marked = [
        Markup('<span lang="zh-Hans">{}</span>').format(one) if at % 2 else escape(one) for at, one in enumerate(parts)
    ]
    return Markup('<span lang="en">{}</span>').format(Markup().join(marked))


class Reader:
    """How codes, times and names are shown to whoever reads the page."""

    def __init__(self, spoken: Language, zone: ZoneInfo, now: datetime) -> None:
        self.language, self.zone, self.now = spoken, zone, now

    def title(self, code: str | None) -> str:
        """The title of a fixed code."""
        return words.title(code, self.language)

    def form(self, code: str) -> str:
        """The title of a form of statements."""
        return words.form_title(code, self.language)

    def problem(self, code: str) -> str:
        """What a refusal of the APIs is called."""
        return words.problem_title(code, self.language)

    def done(self, verb: str) -> str:
        """The title of a verb that was just done; empty for what is none, since it comes from the address."""
        return words.title(verb, self.language) if verb in TITLES else ""

    @property
    def units(self) -> str:
        """The words of a length of time, for the script that counts on."""
        return " ".join(words.UNITS[self.language])

    def moment(self, written: str | None) -> str:
        """A time in short."""
        return words.moment(written, self.zone, self.now, self.language)

    def day(self, written: str) -> str:
        """The day of an instant, in the unit's zone."""
        return words.day(written, self.zone, self.language)

    def clock(self, written: str, *, exact: bool = False) -> str:
        """The time of an instant within its day, to the minute, or `exact` to the second."""
        return parse_instant(written).astimezone(self.zone).strftime("%H:%M:%S" if exact else "%H:%M")

    def full(self, written: str | None) -> str:
        """A time in full."""
        return words.full_moment(written, self.zone, self.language)

    def left(self, written: str) -> float:
        """The seconds until an instant; below 0 after it."""
        return (parse_instant(written) - self.now).total_seconds()

    def span(self, seconds: float) -> str:
        """A length of time."""
        return words.span(seconds, self.language)

    def tongue(self, text: str | None) -> Markup:
        """The attribute that tells the language of a text that is not the page's: typed words, titles of packs."""
        return Markup(' lang="zh-Hans"' if self.language == "en" and words.is_chinese(text) else "")  # noqa: S704

    def value(self, given: Any) -> str:
        """The value of a fact: a time in the zone of the unit, a whole number without a fraction."""
        if isinstance(given, bool):
            return self.gettext(N_("是") if given else N_("否"))
        if isinstance(given, float) and given.is_integer():
            return str(int(given))
        if isinstance(given, str) and INSTANT.fullmatch(given):
            return self.full(given)
        return "" if given is None else str(given)

    def fact(self, one: Mapping[str, Any], given: Any) -> str:
        """A value of a fact as people read it: a code by its title, a number with its measure."""
        name = "title_en" if self.language == "en" else "title"
        titles = {code["code"]: code[name] or code["title"] for code in one["codes"]}
        return str(titles[given]) if given in titles else self.value(given) + (one["measure"] or "")

    def count(self, given: int | None) -> str:
        """A count; in words if nobody counted."""
        return self.gettext(N_("未统计")) if given is None else str(given)

    def gettext(self, text: str) -> str:
        """A text of the catalogue."""
        return str(words.translations(self.language).gettext(text))


async def reader(request: Request) -> Reader:
    """The reader of a page: language of the person, time zone of the unit."""
    site, signed = site_of(request), getattr(request.state, "staff", None)
    zone = await site.zone(signed.unit) if signed else ZoneInfo("Asia/Shanghai")
    return Reader(language(request), zone, site.now())


async def render(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """A page. A template gets `me` (None before sign-in), `reader`, and what the page hands over."""
    site, signed, spoken = site_of(request), getattr(request.state, "staff", None), language(request)
    session = getattr(request.state, "session", None)
    shown = {
        "on_duty": await frame.on_duty(site, signed) if signed else None,
        "me": signed,
        "reader": await reader(request),
        "language": spoken,
        "site_name": await site.name(),
        "navigation": [one for one in NAVIGATION if signed and (one[2] is None or set(one[2]) & set(signed.roles))],
        "csrf": site.csrf(session.digest) if session else "",
        "here": here(request),
        "path": request.scope["path"],
        "error": None,
    }
    text = environment(spoken).get_template(template).render(**shown | values)
    return HTMLResponse(text, status, headers=HEADERS)


def go(path: str, headers: Mapping[str, str] | None = None) -> RedirectResponse:
    """To another page of the console, after a form."""
    return RedirectResponse(f"{HOME}/{path}", 303, headers=dict(headers or {}) | {"Cache-Control": "no-store"})
