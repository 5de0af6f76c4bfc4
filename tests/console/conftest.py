"""The embedded system with its console, once for a file of tests, and people who sign in, in Chromium too."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser as Chrome
from playwright.async_api import BrowserContext, ConsoleMessage, async_playwright
from playwright.async_api import Page as Tab

from services.apps.embedded import Embedded, running
from services.apps.up import served
from services.kernel.settings import Settings
from tests.console.browser import HOME, Browser, Page
from tests.publish.test_pages import FLAGS

PASSWORD = "a phrase for these tests"
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "rules": {"target-size": {"enabled": True}},
    "resultTypes": ["violations"],
}
MISSING = "/no-such-page"


@dataclass
class Town:
    """A running system, with browsers of its people."""

    system: Embedded
    browsers: list[Browser] = field(default_factory=list)
    discovered_at: str = "2026-11-25 21:07"
    """When the office learned of what is reported, as a person types it."""

    def browser(self, language: str = "zh-CN", reaching: Sequence[str] = ()) -> Browser:
        """A browser in which nobody is signed in."""
        self.browsers.append(Browser(self.system.site, language, reaching))
        return self.browsers[-1]

    async def person(self, *posts: str, login: str = "") -> str:
        """The login of somebody with these posts."""
        assert self.system.console is not None
        login = login or f"person{len(await self.system.console.site.accounts.all())}"
        await self.system.console.site.accounts.make(login, "王敏", PASSWORD, posts, must_change=False)
        return login

    async def at(self, *posts: str, language: str = "zh-CN") -> Browser:
        """A browser of a new person, whose first post acts."""
        browser = self.browser(language)
        await browser.sign_in(await self.person(*posts), PASSWORD, posts[0])
        return browser

    async def reported(self, browser: Browser, subject: str, text: str = "照原话", **more: str) -> Page:
        """The page of the matter of a new report."""
        typed = {"channel": "hotline", "subject": subject, "text": text, "discovered_at": self.discovered_at} | more
        checked = await browser.send(await browser.open("/reports/new"), "/reports/new", **typed)
        taken = await browser.send(checked, "/reports/new", checked="yes")
        (matter,) = [link for link in taken.links if re.search(r"/reports/report-[0-9a-f-]+$", link)]
        return await browser.open(matter.removeprefix("/console"))

    async def done(self, browser: Browser, verb: str, **typed: str) -> None:
        """Does what a form does. Who got a matter a moment ago may have to wait until the desk shows it."""
        async with asyncio.timeout(20):
            while (page := await browser.open(verb)).status == 404:
                await asyncio.sleep(0.05)
        answer = await browser.send(page, verb, **typed)
        assert answer.status == 200, (verb, answer.said)

    async def handled(self) -> tuple[str, str]:
        """Numbers of a matter on which much was done, and of a statement on it."""
        desk, water = await self.at("duty_officer@town-east"), await self.at("handler@county-water")
        verifier = await self.at("verifier@county-water")
        matter = await self.reported(desk, "人民路水管爆裂", "人民路漫水", place="人民路")
        await self.reported(desk, "人民路水管爆裂漫水", "人民路水管爆了", place="人民路")
        own = matter.path.removeprefix(HOME)
        number = own.rpartition("/")[2]
        for browser, verb, typed in (
            (desk, "request-verification", {"unit": "county-water"}),
            (desk, "assign", {"unit": "county-water", "reason": "归口水利"}),
            (water, "accept", {}),
            (verifier, "establish-fact", {"key": "cause", "value": "水管老化", "source": "现场查看"}),
            (water, "record-handling", {"track": "problem", "text": "已到现场"}),
        ):
            await self.done(browser, f"{own}/triage/{verb}", **typed)
        drafting = f"/statements/new?incident={number}"
        typed = {"kind": "status", "title": "处置情况", "text": "正在抢修。"}
        await self.done(water, drafting, **typed)
        (statement,) = {link.rpartition("/")[2] for link in (await water.open("/statements")).links if "-S0" in link}
        await self.done(await self.at("handler@town-east"), f"/statements/{statement}/submit")
        return number, statement


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """One system for the tests of a file."""
    async with running(Settings(data=tmp_path_factory.mktemp("console"))) as system:
        made = Town(system)
        try:
            yield made
        finally:
            for browser in made.browsers:
                await browser.client.aclose()


@dataclass
class Desk:
    """A served town with a Chromium."""

    town: Town
    chrome: Chrome
    address: str
    number: str
    statement: str
    complaints: list[str]

    async def at(self, *posts: str, language: str = "zh-CN", **more: object) -> tuple[BrowserContext, Tab]:
        """A page of a new person, whose first post acts; of nobody, if there is no post."""
        context = await self.chrome.new_context(locale=language, reduced_motion="reduce", **more)  # type: ignore[arg-type]
        if posts:
            name, value = "huiying", (await self.town.at(*posts)).client.cookies["huiying"]
            await context.add_cookies([{"name": name, "value": value, "domain": "127.0.0.1", "path": HOME}])
        page = await context.new_page()
        page.set_default_timeout(15_000)

        def note(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning") and "status of 4" not in message.text:
                self.complaints.append(f"{page.url}: {message.text}")

        page.on("console", note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return context, page

    async def open(self, page: Tab, path: str) -> None:
        """Opens a page of the console, and no refusal in its place."""
        answer = await page.goto(f"{self.address}{HOME}{path}")
        assert answer is not None and answer.status == (404 if path == MISSING else 200), path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(town: Town, chromium: str) -> AsyncIterator[Desk]:
    """One town for the file, on a port of this machine."""
    number, statement = await town.handled()
    with socket.socket() as on:
        on.bind(("127.0.0.1", 0))
        on.listen()
        async with served(town.system, on) as address, async_playwright() as playwright:
            chrome = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            try:
                yield Desk(town, chrome, address, number, statement, [])
            finally:
                await chrome.close()


async def faults(page: Tab) -> list[str]:
    """What axe finds on the page as it stands."""
    found = await Axe().run(page, options=RULES)
    return [
        f"{page.url} {one['id']}: {[(node['target'], node['failureSummary'][:200]) for node in one['nodes'][:3]]}"
        for one in found.response["violations"]
    ]
