"""The two languages: nothing is missing in the catalogue, and no page mixes what it says."""

import asyncio
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from schemas.titles import BETWEEN, FORMS, TITLES
from services.console import forms
from services.console.labels import KINDS
from services.console.matters import report
from services.console.offices.setup import STEPS
from services.console.page import Reader
from services.console.words import CATALOGUE, translations
from services.kernel.rules import pack_words
from tests.console.browser import HOME, Browser, Page
from tests.console.conftest import Town
from tests.console.test_operating import aside
from tests.console.test_subscriptions import subscribed

HAN = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")
HALF = re.compile(r"[\u4e00-\u9fff][,;:?!()]|[,;:?!()][\u4e00-\u9fff]")
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]")
CODE = re.compile(
    r"https://\S+|P\d{6}-\w{6}|[a-z_]+@[a-z-]+|person\d+|[a-z]+(-[a-z]+)*-\d{4}-[SX]?\d+|[a-z][a-z0-9-]*@\d+|"
    r"[a-z_]+(\.[a-z0-9_]+)+|\w+-[0-9a-f]{8}-[0-9a-f-]+"
)
WORD = re.compile(r"[A-Za-z]{2,}")
KEYS = {"Enter"}
SPOKEN = ("aria-label", "placeholder", "alt", "title")
NOT_YET = "report-01890a5d-1829-53a4-8fb0-2b3c4d5e6f70"
VOID = {"meta", "link", "input", "br", "img", "hr"}


def test_the_catalogue_has_each_text_of_today_and_no_other() -> None:
    kept = CATALOGUE.kept()
    assert list(kept) == list(CATALOGUE.extracted()), "run python -m services.console.catalogue"
    assert [text for text, english in kept.items() if not english] == [], "write their English into the catalogue"
    assert CATALOGUE.file.read_bytes() == CATALOGUE.fresh(), "nothing is fuzzy or obsolete, nothing stands twice"


def test_both_languages_have_the_same_placeholders_and_their_own_signs() -> None:
    for text, english in CATALOGUE.kept().items():
        assert sorted(PLACEHOLDER.findall(english)) == sorted(PLACEHOLDER.findall(text)), text
        assert not HAN.search(english), f"Chinese in the English of {text}"
        assert HAN.search(text), f"{text} is no Chinese"
        assert not HALF.search(text), f"half-width punctuation beside Chinese in {text}"


def test_a_template_with_a_text_outside_the_catalogue_is_found() -> None:
    assert translations("en").gettext("待办") == "Inbox" and translations("zh").gettext("待办") == "待办"
    for file in (CATALOGUE.root / "templates").glob("*.html"):
        bare = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", "", file.read_text(), flags=re.DOTALL)
        left = list(HAN.findall(bare.replace('lang="zh-Hans">中文<', "")))
        assert not left, f"{file.name} says {left} in no language's catalogue"


def test_every_code_that_a_form_offers_has_a_title() -> None:
    for operation in forms._operations().values():
        for one in forms.controls(operation, {}, "en"):
            for code, _ in one.choices:
                assert code in {**TITLES, **KINDS, **FORMS, **BETWEEN} or operation.path.endswith("/erase"), (
                    f"{code} of {one.name} in {operation.path}"
                )


ADMINISTERED = (
    "/keys", "/imports", "/dead-letters", "/subscriptions", "/subscriptions/new", "/forms", "/forms/town-east",
    "/forms/town-east/open-form", "/forms/town-east/close-form", "/mailboxes",
    "/accounts", "/health", "/addresses", "/addresses/new", "/units", "/units/town-east",
    "/units/town-east/place-post", "/units/new", "/units/site", "/units/town-east/place-unit",
    "/units/town-east/end-unit", "/setup/pack/assign", "/setup/pack/load", "/tour",
    *(f"/setup/{step}" for step, _ in STEPS),
)  # fmt: skip
"""The pages of an administrator alone."""


class _Said(HTMLParser):
    """What a page says, in texts and in attributes that are read aloud, with the language of each."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[str, str]] = []
        self._open: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        language = given.get("lang") or (self._open[-1][1] if self._open else "")
        self.said += [(language, str(given[name])) for name in SPOKEN if given.get(name)]
        if tag not in VOID:
            self._open.append((tag, language))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if data.strip() and self._open and self._open[-1][0] not in ("code", "textarea"):
            self.said.append((self._open[-1][1], " ".join(data.split())))


def said(page: Page) -> Iterator[tuple[str, str]]:
    """Language and text of everything that the page says."""
    read = _Said()
    read.feed(page.text)
    yield from read.said


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def names(town: Town) -> list[str]:
    """What people, packs and the tree of units name, the longest first."""
    site = town.system.console.site  # type: ignore[union-attr]
    offices, packs = await site.offices(), await site.packs()
    found = {site.settings.site_name, "王敏", TITLES["office"][0]}
    for one in offices.units.values():
        found |= {one["name"], *(post["title"] for post in one["posts"])}

    def titles(value: object) -> Iterable[str]:
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from (
                    [inner] if key in ("title", "title_zh", "office_does", "measure") and inner else titles(inner)
                )
        elif isinstance(value, list | tuple):
            for inner in value:
                yield from titles(inner)

    told = set(pack_words.words(site.settings.policies).titles)
    return sorted(found | (set(titles(packs)) - told), key=len, reverse=True)


async def pages_of(town: Town, browser: Browser, matter: str, statement: str) -> list[Page]:
    """Every page: the places, a matter and a statement, and the form of each verb; in Chinese also as it is refused."""
    opened = [await browser.open(path) for path in (
        "/inbox", "/board", "/board?list=gaps", "/board?list=open&soon=none&unit=town-east", "/register",
        "/register?reply=waiting", "/supervision", "/reports/new", "/statements", "/roster", "/search", "/packs",
        "/post", "/account/password", "/account/codes", "/no-such-page", f"/reports/{NOT_YET}",
        f"/incidents/{matter}", f"/incidents/{matter}/timeline", f"/incidents/{matter}/timeline?as_of=25-25",
        f"/incidents/{matter}?done=grade", f"/statements/{statement}", f"/statements/new?incident={matter}",
    )]  # fmt: skip
    of_duty = (
        "/roster/sheet",
        "/notices",
        "/addresses",
        "/periods",
        "/periods/open?period=special",
        "/paper",
        "/findings",
    )
    of_record = ("", "/log", "/archives", "/matters", "/inspections", "/referrals", "/drills", "/trainings")
    opened += [await browser.open(path) for path in (*of_duty, *(f"/record{of}" for of in of_record))]
    async with asyncio.timeout(20):
        # Both matters were known long before they were written down.
        while not (found := [link for link in (await browser.open("/findings")).links if "/findings/finding-" in link]):
            await asyncio.sleep(0.05)
    opened += [await browser.open(link.removeprefix(HOME)) for link in found[:2]]
    of_paper = (
        "report",
        "enter",
        f"matter?number={matter}",
        "act",
        f"act?number={matter}",
        f"act?number={matter}&sent=yes",
    )
    opened += [await browser.open(f"/paper/{name}") for name in of_paper]
    opened += [await browser.open(link.removeprefix(HOME)) for link in opened[7].links if "/packs/" in link][:2]
    events = dict.fromkeys(link for link in opened[14].links if "/events/" in link)
    opened += [await browser.open(link.removeprefix(HOME)) for link in [*events][:4]]
    for service, _, path in forms._operations():
        where, _, verb = path.rpartition("/")
        if where == "incidents/{id}" and service in ("triage", "escalation") and verb != "erase":
            opened.append(await browser.open(f"/incidents/{matter}/{service}/{verb}"))
        elif where == "statements/{id}" and service == "publish" and verb not in ("erase", "preview"):
            opened.append(await browser.open(f"/statements/{statement}/{verb}"))
        elif where == "roster" and service == "escalation":
            opened.append(await browser.open(f"/roster/{verb}"))
    for page in opened[19:]:
        if browser.client.headers["Accept-Language"] == "zh-CN" and page.path in [form.action for form in page.forms]:
            opened.append(await browser.send(page, page.path.removeprefix(HOME)))
    return opened


async def pages_of_operating(town: Town, language: str) -> list[Page]:
    """The pages of packs, keys and dead letters that the root's administrator has, in each state."""
    letter = await aside(town, "audit", 77 if language == "zh-CN" else 78)
    browser = await town.at("admin@city", "chief@city", language=language)
    page = await browser.send(await browser.open("/pack-drafts"), "/pack-drafts", base="county-default@2")
    own = page.path.removeprefix(HOME)
    facts = '{"discovered_at": "2026-03-02T09:00:00+08:00"}'
    opened = [page, await browser.send(await browser.open(f"{own}/explain"), f"{own}/explain", facts=facts)]
    opened += [await browser.open(f"{own}/{step}") for step in ("difference", "cases", "dry-run", "adopt")]
    pack = "/packs/county-default@2"
    opened += [await browser.open(pack + of) for of in ("", "/assign", "/set-value", "/difference")]
    opened += [await browser.open(path) for path in ("/pack-drafts", "/dead-letters", letter)]
    opened.append(await browser.send(opened[-2], "/dead-letters", verb="discard", letter=letter[14:]))
    opened.append(await browser.send(opened[-1], "/dead-letters/settle", reason="误"))
    opened.append(await browser.send(await browser.open("/keys"), "/keys", unit="town-east", name="hotline"))
    opened.append(await browser.send(await browser.open(own), own, text="id: a\nid: b"))
    told = await subscribed(browser)
    opened += [await browser.open(path) for path in ("/subscriptions", told, f"{told}/replay", f"{told}/renew-secret")]
    assert {one.status for one in opened} == {200}, [(one.path, one.status) for one in opened]
    return opened


@pytest.mark.timeout(600)
@pytest.mark.asyncio(loop_scope="module")
async def test_no_page_mixes_its_languages(town: Town, names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    number, statement = await town.handled()
    monkeypatch.setattr(report, "PATIENCE", 0.0)
    posts = ("duty_officer@town-east", "admin@town-east", "auditor@town-east", "chief@town-east")
    mixed = set()
    for language in ("en-GB", "zh-CN"):
        browser = await town.at(*posts, language=language)
        admin = await town.at("admin@town-east", language=language)
        await town.done(admin, "/forms/town-east/open-form", introduction="急事请打值班电话。")
        opened = [await admin.open(path) for path in ADMINISTERED]
        assert [page.status for page in opened] == [200] * len(ADMINISTERED)
        opened += await pages_of_operating(town, language)
        for page in opened + await pages_of(town, browser, number, statement):
            for marked, text in said(page):
                bare = CODE.sub("", text)
                for name in names:
                    bare = bare.replace(name, "")
                if language == "en-GB" and marked != "zh-Hans" and HAN.search(bare):
                    mixed.add(("en", page.path, text))
                if language == "zh-CN" and marked != "en" and set(WORD.findall(bare)) - KEYS:
                    mixed.add(("zh", page.path, text))
    assert not mixed, "\n".join(map(str, sorted(mixed)))


def test_the_value_of_a_fact_is_said_as_people_say_it() -> None:
    look = Reader("zh", ZoneInfo("Asia/Shanghai"), datetime(2026, 11, 27, tzinfo=UTC))
    assert look.value("2026-11-27T04:00:00.000000Z") == "2026年11月27日 12:00"
    assert [look.value(one) for one in (320.0, 0.5, 12, True, "约300户", None)] == [
        "320",
        "0.5",
        "12",
        "是",
        "约300户",
        "",
    ]
