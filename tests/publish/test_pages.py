"""The bulletin in a browser: readable on a phone, by keyboard, without a script, in light and in dark."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import product

import pytest
import uvicorn
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright

from services.publish.bulletin import site
from tests.publish.conftest import INCIDENT, TEXT, TITLE, Office, established

OLD, NEW, WHY = TEXT, "路面塌陷处已围挡，预计明日恢复通行。", "恢复时间写错一天"
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "rules": {"target-size": {"enabled": True}},
    "resultTypes": ["violations"],
}


@asynccontextmanager
async def served(office: Office) -> AsyncIterator[str]:
    """The service on a free port of this machine."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(office.app, log_config=None, lifespan="off"))
        running = asyncio.create_task(server.serve([listening]))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await running


@asynccontextmanager
async def browser(path: str) -> AsyncIterator[Browser]:
    """A Chromium for these tests."""
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield launched
        finally:
            await launched.close()


async def opened(browser: Browser, width: int, **more: object) -> tuple[Page, list[str]]:
    """A page, and the complaints of the browser."""
    page = await browser.new_page(viewport={"width": width, "height": 800}, **more)  # type: ignore[arg-type]
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    def failed(request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the icon, if the next page opens before it came
            complaints.append(f"{request.url}: {request.failure}")

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", failed)
    return page, complaints


async def some_statements(office: Office) -> str:
    """A corrected statement, one that updates it, and one that is withdrawn. Returns the first one's id."""
    first = await office.published(OLD)
    await office.act(first, "correct", "spokesperson", {"text": NEW, "reason": WHY})
    await office.incident(established())
    await office.published("塌陷由供水管破裂引起。\n已更换管道，路面正在回填。", kind="facts", facts=["cause"])
    gone = await office.published("https://" + "a" * 300)
    await office.act(gone, "withdraw", "spokesperson", {"reason": "链接有误"})
    return first


@pytest.mark.chromium
async def test_a_reader_finds_the_correction_and_the_old_text(office: Office, chromium: str) -> None:
    first = await some_statements(office)
    async with served(office) as address, browser(chromium) as chrome:
        page, complaints = await opened(chrome, 1024)
        await page.goto(f"{address}/bulletin/")
        assert await page.title() == "回应公告"
        assert await page.locator("html").get_attribute("lang") == "zh-Hans"
        assert await page.locator("h1").all_inner_texts() == ["回应公告"]
        assert await page.locator("h2").count() == 3
        await page.locator(f"a[href$='{first}']").first.click()
        headings = await page.locator("h1, h2, h3").all_inner_texts()
        assert headings[:4] == [TITLE, "本件已更正", "现行文本", "更正前的文本"]
        shown = await page.locator("main").inner_text()
        for part in (OLD, NEW, WHY, "东镇", "处置情况", INCIDENT):
            assert part in shown
        assert complaints == []


@pytest.mark.chromium
async def test_every_link_is_reached_by_keyboard(office: Office, chromium: str) -> None:
    await some_statements(office)
    async with served(office) as address, browser(chromium) as chrome:
        page, _ = await opened(chrome, 1024)
        await page.goto(f"{address}/bulletin/")
        reached, shown = [], "document.activeElement"
        stops = "a, input:not([type=hidden]), button, summary"
        for _ in range(await page.locator(stops).count()):
            await page.keyboard.press("Tab")
            reached.append(await page.evaluate(f"{shown}.getAttribute('href')"))
            box = await page.evaluate(f"{shown}.getBoundingClientRect().toJSON()")
            assert box["left"] >= 0
            assert box["height"] >= 24
            assert await page.evaluate(f"getComputedStyle({shown}).outlineStyle") == "solid"
        assert reached == [await stop.get_attribute("href") for stop in await page.locator(stops).all()]
        assert reached[0] == "#main"
        await page.goto(f"{address}/bulletin/")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "main"


@pytest.mark.chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_phone_shows_it_without_scrolling_sideways(office: Office, chromium: str, scheme: str) -> None:
    first = await some_statements(office)
    async with served(office) as address, browser(chromium) as chrome:
        page, complaints = await opened(chrome, 360, color_scheme=scheme)
        grounds = set()
        for path in ("", f"statements/{first}", "statements/none"):
            await page.goto(f"{address}/bulletin/{path}")
            assert await page.evaluate("document.documentElement.scrollWidth") <= 360
            grounds.add(await page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert grounds == {"rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 24, 29)"}
        assert [complaint for complaint in complaints if "404" not in complaint] == []


@pytest.mark.chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("query", ["", "lang=en"])
async def test_axe_finds_nothing_and_the_browser_neither(
    office: Office, chromium: str, scheme: str, query: str
) -> None:
    first = await some_statements(office)
    async with served(office) as address, browser(chromium) as chrome:
        page, complaints = await opened(chrome, 320, color_scheme=scheme)
        for path in ("?", "?state=withdrawn&words=%E9%93%BE&", f"statements/{first}?", "statements/none?"):
            await page.goto(f"{address}/bulletin/{path}{query}")
            assert await page.evaluate("document.documentElement.scrollWidth") <= 320
            found = await Axe().run(page, options=RULES)
            assert [
                (one["id"], [node["target"] for node in one["nodes"]]) for one in found.response["violations"]
            ] == []
            linked = await page.locator("script[type='application/ld+json']").count()
            assert linked == (0 if "none" in path else 1)
        assert [complaint for complaint in complaints if "404" not in complaint] == []


@pytest.mark.chromium
async def test_the_form_narrows_the_list_without_script(office: Office, chromium: str) -> None:
    await some_statements(office)
    async with served(office) as address, browser(chromium) as chrome:
        page, complaints = await opened(chrome, 1024, java_script_enabled=False)
        await page.goto(f"{address}/bulletin/?lang=en")
        await page.get_by_label("Words").fill("供水管")
        await page.get_by_text("Filter by").click()
        await page.get_by_label("Kind").select_option("facts")
        await page.get_by_role("button", name="Search").click()
        assert await page.locator("h2").count() == 1
        assert await page.locator("html").get_attribute("lang") == "en"
        assert await page.get_by_label("Kind").input_value() == "facts"
        await page.get_by_role("link", name="Clear all").click()
        assert await page.locator("h2").count() == 3
        assert complaints == []


@pytest.mark.chromium
async def test_it_reads_the_same_without_scripts(office: Office, chromium: str) -> None:
    first = await some_statements(office)
    async with served(office) as address, browser(chromium) as chrome:
        page, _ = await opened(chrome, 1024, java_script_enabled=False)
        await page.goto(f"{address}/bulletin/statements/{first}")
        assert OLD in await page.locator("main").inner_text()


def _luminance(colour: str) -> float:
    full = colour if len(colour) == 6 else "".join(digit * 2 for digit in colour)
    parts = [int(full[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_text_has_the_contrast_of_wcag_aa_in_every_scheme() -> None:
    style = site.packaged("style.css").decode()
    schemes = [
        dict(re.findall(r"--(\w+): #([0-9a-f]+);", block)) for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    ]
    assert len(schemes) == 3  # light, dark, printed
    for scheme in schemes:
        texts = scheme.keys() - {"ground", "raised", "line"}
        assert len(texts) == 6
        for ground, text in product(("ground", "raised"), sorted(texts)):
            dark, light = sorted((_luminance(scheme[ground]), _luminance(scheme[text])))
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (ground, text)


@pytest.mark.chromium
async def test_a_printed_statement_keeps_its_status_address_and_date(office: Office, chromium: str) -> None:
    first = await some_statements(office)
    async with served(office) as address, browser(chromium) as chrome:
        page, _ = await opened(chrome, 1024, color_scheme="dark")
        await page.goto(f"{address}/bulletin/statements/{first}")
        assert not await page.get_by_text("网址：").is_visible()
        await page.emulate_media(media="print")
        shown = await page.locator("body").inner_text()
        for part in (TITLE, "已更正", "本件已更正", WHY, NEW, OLD, "最近变更", "发布时间", "时间均为"):
            assert part in shown
        assert f"http://office.test/bulletin/statements/{first}" in shown
        for part in ("全部公告", "Atom 订阅", "跳到正文"):
            assert part not in shown
        assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        for kept in (".notice", ".meta"):
            assert await page.locator(kept).first.evaluate("e => getComputedStyle(e).breakInside") == "avoid"
