"""What is printed, in Chromium: one sheet of A4 without the frame; and a plan that is made by keyboard alone."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from playwright.async_api import Page

from tests.console.conftest import Desk

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.chromium]
CHINA = timezone(timedelta(hours=8))
POSTS = ("duty_officer", "handler", "verifier", "approver", "chief")
FRAME = (".top", ".nav", ".on-duty", "footer", ".screen", ".verbs")


async def sheets(page: Page) -> int:
    """How many sheets of paper a page takes; nothing of the frame is on them."""
    await page.emulate_media(media="print")
    for part in FRAME:
        for one in await page.locator(part).all():
            assert not await one.is_visible(), part
    pdf = await page.pdf(prefer_css_page_size=True)
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf))


@pytest.mark.requirement("CON-03")
async def test_a_full_week_is_one_sheet_in_both_languages(desk: Desk) -> None:
    chief, officer = await desk.town.at("chief@town-east"), await desk.town.at("duty_officer@town-east")
    plan, begin = "/roster/plan-duties?unit=town-east", datetime.now(UTC).astimezone(CHINA) + timedelta(minutes=3)
    for first in (0, 7):
        typed = {}
        for at in range(first, first + 7):
            since, until = (f"{begin + timedelta(hours=12 * of):%Y-%m-%d %H:%M}" for of in (at, at + 1))
            row = {"post": f"{POSTS[at % 5]}@town-east", "since": since, "until": until}
            typed |= {f"duties.{at - first}.{name}": value for name, value in row.items()}
        assert "done=" in (await chief.send(await chief.open(plan), plan, **typed)).path
    sign, over = (f"/roster/{verb}?unit=town-east" for verb in ("sign-on", "hand-over"))
    assert "done=" in (await officer.send(await officer.open(sign), sign)).path
    for at in range(14):
        await desk.town.reported(officer, f"第{at}处路灯不亮，夜里看不清路，老人摔过一次", place=f"北街{at}号")
    note = "北街积水还在抽，水务局二十一点回话。三件待核实，都在东街，材料在桌上。" * 8
    assert "done=" in (await officer.send(await officer.open(over), over, note=note)).path
    await desk.town.system.settle()
    day = f"{begin:%Y-%m-%d}"
    for language in ("zh-CN", "en-GB"):
        context, page = await desk.at("chief@town-east", language=language)
        await desk.open(page, f"/roster/sheet?day={day}")
        assert await page.locator("table.open tbody tr").count() >= 10
        assert await sheets(page) == 1
        await context.close()


async def test_each_paper_form_is_one_sheet(desk: Desk) -> None:
    for language in ("zh-CN", "en-GB"):
        context, page = await desk.at("duty_officer@town-east", language=language)
        of_matter = f"/paper/matter?number={desk.number}"
        for path, count in (("/paper/report", 1), ("/paper/report?copies=3", 3), (of_matter, 1)):
            await page.emulate_media(media="screen")
            await desk.open(page, path)
            assert await sheets(page) == count, path
            code = page.locator(".number img").first
            assert await code.evaluate("e => e.complete && e.naturalWidth > 50"), "the code is drawn under the policy"
        await context.close()


async def test_a_gap_is_filled_by_keyboard_alone(desk: Desk) -> None:
    context, page = await desk.at("chief@town-west")
    officer = await desk.town.at("chief@town-west")
    plan, begin = "/roster/plan-duties?unit=town-west", datetime.now(UTC).astimezone(CHINA) + timedelta(minutes=3)
    typed = {"post": "handler@town-west", "since": f"{begin:%Y-%m-%d %H:%M}"}
    typed["until"] = f"{begin + timedelta(hours=1):%Y-%m-%d %H:%M}"
    await officer.send(await officer.open(plan), plan, **{f"duties.0.{name}": text for name, text in typed.items()})
    press, shown = page.keyboard.press, "document.activeElement"
    await desk.open(page, f"/roster?day={begin + timedelta(days=7):%Y-%m-%d}")
    for _ in range(60):
        await press("Tab")
        if await page.evaluate(f"{shown}.textContent.startsWith('补排')"):
            break
    async with page.expect_navigation():
        await press("Enter")
    await page.focus("#f-duties\\.0\\.post")
    while await page.input_value("#f-duties\\.0\\.post") != "duty_officer@town-west":
        await press("ArrowDown")
    for _ in range(80):
        await press("Tab")
        if await page.evaluate(f"{shown}.matches('main form .main')"):
            break
    async with page.expect_navigation():
        await press("Enter")
    assert "已办：安排值班" in await page.inner_text("main")
    assert await page.evaluate(f"{shown}.tagName") != "BODY"
    await context.close()
