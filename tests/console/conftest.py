"""The embedded system with its console, once for a file of tests, and people who sign in."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from services.apps.embedded import Embedded, running
from services.kernel.settings import Settings
from tests.console.browser import Browser, Page

PASSWORD = "a phrase for these tests"


@dataclass
class Town:
    """A running system, with browsers of its people."""

    system: Embedded
    browsers: list[Browser] = field(default_factory=list)

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
        typed = {"channel": "hotline", "subject": subject, "text": text, "discovered_at": "2026-11-25 21:07"} | more
        checked = await browser.send(await browser.open("/reports/new"), "/reports/new", **typed)
        taken = await browser.send(checked, "/reports/new", checked="yes")
        (matter,) = [link for link in taken.links if re.search(r"/reports/report-[0-9a-f-]+$", link)]
        return await browser.open(matter.removeprefix("/console"))


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
