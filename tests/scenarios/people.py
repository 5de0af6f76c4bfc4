"""People at their browsers: each in a context of their own, going by what the pages offer and call it."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from playwright.async_api import Browser, ConsoleMessage, Locator, Page

from schemas.catalogue import SERVICES
from services.apps import web
from services.console.access.accounts import Accounts
from services.console.serving import Console
from services.kernel.access.keys import Keys
from services.kernel.core.time_source import TimeSource
from services.kernel.settings import Settings
from services.kernel.store.database import Database
from tests.kit import substrate
from tests.kit.stack import SECRET, World
from tests.scenarios.matter import Desk

NAME = "敏"
"""The narrowest name: a link must still be wide enough for a finger."""
PASSWORD = "a phrase for these tests"
LIMIT = 20.0
TELEPHONE = {"viewport": {"width": 390, "height": 844}, "screen": {"width": 390, "height": 844}}
TELEPHONE |= {"device_scale_factor": 3, "is_mobile": True, "has_touch": True}
HELD_IN_A_HAND = """addEventListener('load', () => {
  const wide = document.documentElement.scrollWidth
  if (wide > screen.width) console.error(`the page is ${wide} wide on a telephone`)
  for (const one of document.querySelectorAll('a:not(.skip), button, input, select, textarea, summary')) {
    const box = one.getBoundingClientRect()
    if (!one.checkVisibility({visibilityProperty: true}) || box.width < 2) continue
    if (box.left < 0 || box.right > screen.width && !one.closest('.wide'))
      console.error(`outside of a telephone: ${one.outerHTML.slice(0, 90)}`)
    if (getComputedStyle(one).display !== 'inline' && (box.height < 24 || box.width < 24) && !one.labels?.length)
      console.error(`too small for a finger: ${one.outerHTML.slice(0, 90)}`)
  }
})"""
"""A page says what a person with a telephone would miss. Links in running text may be as small as its line."""
Typed = Mapping[str, str | Sequence[str]]
"""Title of a field -> what is typed or chosen there, as the page calls it."""


@dataclass
class Town:
    """A world with its console, and a Chromium in which people sign in."""

    world: World
    address: str
    accounts: Accounts
    chrome: Browser
    complaints: list[str] = field(default_factory=list)
    people: dict[tuple[str, ...], "Person"] = field(default_factory=dict)

    def at(self, when: str) -> None:
        """Lets it be this time. A story goes only forward."""
        Desk(self.world).at(when)

    @property
    def is_embedded(self) -> bool:
        """Whether all is one process, and not five services."""
        return "HUIYING_KAFKA" not in self.world.environment

    async def person(self, *posts: str, has_telephone: bool = False) -> "Person":
        """The person with these posts, signed in with the first one; the same one in all stories of a file."""
        if posts not in self.people:
            login = f"person{len(self.people)}"
            await self.accounts.make(login, NAME, PASSWORD, posts, must_change=False)
            held: dict[str, Any] = TELEPHONE if has_telephone else {}
            context = await self.chrome.new_context(locale="zh-CN", reduced_motion="reduce", **held)
            page = await context.new_page()
            if has_telephone:
                await page.add_init_script(HELD_IN_A_HAND)
            page.set_default_timeout(LIMIT * 1000)

            def note(message: ConsoleMessage) -> None:
                if message.type in ("error", "warning") and "status of" not in message.text:
                    self.complaints.append(f"{page.url}: {message.text}")

            page.on("console", note)
            page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
            self.people[posts] = Person(page, has_telephone)
            await self.people[posts].signs_in(self.address, login)
        return self.people[posts]


@asynccontextmanager
async def served(world: World) -> AsyncIterator[tuple[str, Accounts]]:
    """The address of the console of a world, and its accounts.

    Embedded it is part of the world. The five services are reached over HTTP, by a console in this process.
    """
    if "HUIYING_KAFKA" not in world.environment:
        store = Database(world.folder / "data" / "console.sqlite")
        try:
            yield world.url("triage"), Accounts(store, Keys(SECRET.encode()))
        finally:
            await store.close()
        return
    databases = substrate.new_databases("console", services=["console"])
    clients = {service: httpx.AsyncClient(base_url=world.url(service), timeout=20) for service in SERVICES}
    with web.bound("127.0.0.1", 0) as on:
        address = web.address_of(on)
        settings = Settings(
            data=world.folder, signing_key=world.folder / "signing-key.pem", clock=world.clock, public_url=address
        )
        store = Database(databases.format(service="console"))
        console = Console(settings, store, SECRET.encode(), clients, TimeSource(world.clock).now)
        server = uvicorn.Server(web.config(console.alone, settings))
        try:
            await console.start()
            serving = asyncio.create_task(server.serve([on]))
            yield address, console.site.accounts
            server.should_exit = True
            await serving
        finally:
            await console.stop()
            substrate.drop_databases(databases, services=["console"])


class Person:
    """A person at a browser, who has a mouse or a finger."""

    def __init__(self, page: Page, has_telephone: bool = False) -> None:
        self.page, self.has_telephone = page, has_telephone

    @property
    def main(self) -> Locator:
        """What the page is about, without the frame."""
        return self.page.locator("main")

    async def touches(self, one: Locator) -> None:
        """Follows a link or presses a button."""
        await (one.tap() if self.has_telephone else one.click())

    async def signs_in(self, address: str, login: str) -> None:
        """Opens the only address that people are told, and signs in."""
        await self.page.goto(f"{address}/console/")
        await self.page.get_by_label("登录名").fill(login)
        await self.page.get_by_label("密码").fill(PASSWORD)
        await self.presses("登录")
        if await self.page.get_by_role("radio").count():
            await self.page.get_by_role("radio").first.check()
            await self.presses("继续")
        await self.sees("待办")

    async def acts_as(self, post: str) -> None:
        """Changes to another of the own posts."""
        await self.touches(self.page.get_by_role("link", name="换岗位"))
        await self.page.get_by_label(post, exact=True).check()
        await self.presses("继续")

    async def goes_to(self, place: str) -> None:
        """Follows the navigation."""
        async with self.page.expect_navigation():
            await self.touches(self.page.get_by_role("navigation").get_by_role("link", name=place, exact=True))

    async def sees(self, *words: str) -> None:
        """Waits until the page says so, and asks for it anew meanwhile, as somebody does who waits."""

        async def all_there() -> bool:
            text = await self.main.inner_text()
            return all(one in text for one in words)

        await self._waits(all_there, f"it says {words}")

    async def finds(self, subject: str, place: str = "待办") -> None:
        """Opens a matter or a statement from a list, as soon as the list has it."""
        await self.goes_to(place)
        await self.sees(subject)
        row = self.main.get_by_role("row").filter(has_text=subject)
        async with self.page.expect_navigation():
            await self.touches(row.first.get_by_role("link").first)

    async def offered(self) -> list[str]:
        """What the page of a record offers."""
        return [one.strip() for one in await self.page.locator(".verbs a").all_inner_texts()]

    async def opens(self, verb: str) -> None:
        """Opens the form of a verb, as soon as the page offers it."""
        # In a list, what the verb is about stands in the name of its link, for who does not see the row.
        link = self.main.get_by_role("link", name=re.compile(rf"^{re.escape(verb)}(\s.*)?$"))
        await self._waits(link.count, f"it offers {verb}")
        async with self.page.expect_navigation():
            await self.touches(link.first)

    async def does(self, verb: str, typed: Typed | None = None, told: str = "已办") -> None:
        """Opens a form, fills it in, sends it, and reads that it was done, or that it waits for an approval."""
        await self.opens(verb)
        await self.fills(typed or {})
        await self.presses(verb)
        text = await self.main.inner_text()
        assert f"{told}：{verb}" in text, text[:800]

    async def fills(self, typed: Typed) -> None:
        """Fills in fields by their titles."""
        for title, value in typed.items():
            name = re.compile(rf"^{re.escape(title)}(（可不填）)?$")
            group = self.main.get_by_role("group", name=name)
            if await group.count():
                for option in [value] if isinstance(value, str) else value:
                    await group.get_by_label(option, exact=True).check()
                continue
            one = self.main.get_by_label(name)
            if await one.evaluate("one => one.tagName") == "SELECT":
                options = await one.locator("option").all_inner_texts()
                assert value in options, f"{title}: no {value} among {options}"
                await one.select_option(label=str(value))
            else:
                await one.fill(str(value))

    async def plans(self, *duties: tuple[str, str, str]) -> None:
        """Plans duties: of which post, from when, until when."""
        if not await self.main.get_by_role("button", name="安排值班").count():
            await self.opens("安排值班")
        for number, (post, since, until) in enumerate(duties):
            row = self.main.locator(".entry").nth(number)
            await row.get_by_label("负责岗位").select_option(label=post)
            await row.get_by_label("开始时间").fill(since)
            await row.get_by_label("结束时间").fill(until)
        await self.presses("安排值班")
        await self.sees("已办：安排值班")

    async def presses(self, button: str) -> None:
        """Presses a button and waits for the next page."""
        async with self.page.expect_navigation():
            await self.touches(self.main.get_by_role("button", name=button, exact=True))

    async def _waits(self, holds: Callable[[], Awaitable[object]], what: str) -> None:
        end = asyncio.get_running_loop().time() + LIMIT
        while not await holds():
            text = await self.main.inner_text()
            assert asyncio.get_running_loop().time() < end, f"{self.page.url}: not yet {what}, but: {text[:1000]}"
            await asyncio.sleep(0.3)  # a page asks all services, and so takes time from what it waits for
            await self.page.reload()
