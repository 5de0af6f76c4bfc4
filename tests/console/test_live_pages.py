"""The live list in Chromium: one window acts, the other's row changes, and nothing moves under a focus."""

import re
from collections.abc import Callable

import pytest
from playwright.async_api import Page, Route, expect

from tests.console.browser import HOME
from tests.console.conftest import Desk

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.chromium]
FOCUSED = "document.activeElement.closest('tr')?.id || document.activeElement.id || document.activeElement.tagName"


async def row_of(page: Page, number: str) -> str:
    """The id of the row of a matter."""
    found = await page.locator("#rows tr", has_text=number).first.get_attribute("id")
    assert found is not None
    return found


@pytest.mark.requirement("CON-01")
async def test_a_row_changes_in_place_and_new_ones_wait_until_somebody_asks(desk: Desk) -> None:
    officer = await desk.town.at("duty_officer@town-west")
    paths = [
        (await desk.town.reported(officer, subject, place=place)).path.removeprefix(HOME)
        for subject, place in (("井盖缺失", "西街"), ("路灯不亮", "西桥"))
    ]
    await desk.town.system.settle()
    context, page = await desk.at("chief@town-west")
    await desk.open(page, "/board")
    first = await row_of(page, paths[0].rpartition("/")[2])
    await page.focus(f"#{first} [data-row]")
    order = await page.locator("#rows tr[data-place]").evaluate_all("rows => rows.map((row) => row.id)")
    await desk.town.done(officer, f"{paths[0]}/triage/grade", level="major", reason="影响通行")
    level = page.locator(f"#{first} td[data-label='等级']")
    await expect(level).to_have_text("重大", timeout=15_000)
    assert await page.evaluate(FOCUSED) == first, "the focus stays where it was"
    shown = await page.locator("#rows tr[data-place]").evaluate_all("rows => rows.map((row) => row.id)")
    assert shown == order, "a row that is due otherwise than before stays where it is"
    await desk.open(page, "/board")
    await page.focus(f"#{first} [data-row]")
    order = await page.locator("#rows tr[data-place]").evaluate_all("rows => rows.map((row) => row.id)")
    await desk.town.reported(officer, "河道排污", "水发黑", place="西河")
    await expect(page.locator("#waiting")).to_be_visible(timeout=15_000)
    await expect(page.locator("#waiting")).to_contain_text("项有变化，显示")
    shown = await page.locator("#rows tr[data-place]").evaluate_all("rows => rows.map((row) => row.id)")
    assert shown == order, "no row came, went or moved by itself"
    assert "河道排污" not in await page.inner_text("main")
    await page.keyboard.press(".")
    await expect(page.locator("#rows")).to_contain_text("河道排污")
    assert await page.evaluate(FOCUSED) == first, "the focus is on the same row, wherever it is now"
    await expect(page.locator("#waiting")).to_be_hidden()
    await context.close()


async def test_next_and_previous_follow_the_list_and_back_is_the_same_row(desk: Desk) -> None:
    context, page = await desk.at("duty_officer@town-west")
    await desk.open(page, "/board")
    rows = await page.locator("[data-row]").all_inner_texts()
    assert len(rows) > 1
    await page.keyboard.press("j")
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    async with page.expect_navigation():
        await page.keyboard.press("n")
    assert rows[1] in await page.inner_text("h1")
    async with page.expect_navigation():
        await page.keyboard.press("u")
    assert await page.evaluate("document.activeElement.textContent") == rows[1]
    await context.close()


async def test_a_refused_stream_is_tried_again_and_a_silent_one_is_said_and_replaced_by_polling(desk: Desk) -> None:
    context, page = await desk.at("duty_officer@town-west")
    refusals: list[str] = []
    asked: list[str] = []
    is_down = True

    async def refuse(route: Route) -> None:
        refusals.append(route.request.url)
        if is_down:
            await route.fulfill(status=503, body="<h1>down</h1>")
        else:
            await route.continue_()

    await page.clock.install()
    await page.route("**/changes", refuse)
    page.on("request", lambda one: asked.append(one.url) if "/desk/rows" in one.url else None)
    await desk.open(page, "/board")

    async def until(seconds: int, reached: Callable[[], bool]) -> None:
        """Moves the page's clock on, a little at a time, since answers come in real time."""
        for _ in range(seconds):
            if reached():
                return
            await page.clock.run_for(1000)
            await page.evaluate("1")
        raise AssertionError(f"not within {seconds} s: {len(refusals)} streams, {asked}")

    await until(60, lambda: len(refusals) > 1)
    assert "down" not in await page.inner_text("main"), "a refusal is swapped in nowhere"
    state = page.locator("#live-state")
    await page.clock.run_for(45_000)
    await expect(state).to_have_text("实时已断，改为每 30 秒刷新")
    polled = len(asked)
    await until(120, lambda: len(asked) >= polled + 2)
    assert all(re.fullmatch(r".*/desk/rows\?[a-z=&]*", one) for one in asked), "no word stands in an address"
    is_down = False
    tried = len(refusals)
    await until(60, lambda: len(refusals) > tried)
    await expect(state).to_have_text("", timeout=10_000)
    await context.close()
    desk.complaints[:] = [one for one in desk.complaints if "503" not in one]


async def test_similar_matters_are_offered_while_somebody_types_and_half_pinyin_asks_nothing(desk: Desk) -> None:
    officer = await desk.town.at("duty_officer@town-west")
    known = (await desk.town.reported(officer, "文化广场喷泉漏水", "喷泉一直漏水", place="文化广场")).path.rpartition(
        "/"
    )[2]
    await desk.town.system.settle()
    context, page = await desk.at("duty_officer@town-west")
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.post_data or "") if one.url.endswith("/reports/similar") else None)
    await desk.open(page, "/reports/new")
    await page.locator("#f-text").evaluate(
        """field => {
          field.form.elements.subject.value = "文化广场pen";
          const told = { bubbles: true, isComposing: true };
          field.form.elements.subject.dispatchEvent(new InputEvent("input", told));
        }"""
    )
    await page.wait_for_timeout(1200)
    assert asked == [], "what an input method has not confirmed is not asked for"
    await page.locator("#f-subject").evaluate(
        """field => {
          field.value = "文化广场的喷泉漏水";
          field.dispatchEvent(new CompositionEvent("compositionend", { bubbles: true, data: "喷泉漏水" }));
        }"""
    )
    await expect(page.locator("#similar")).to_contain_text(known, timeout=15_000)
    assert "有 1 件相似的事项" in await page.inner_text("#similar-count")
    assert len(asked) == 1 and "text=" in asked[0]
    assert page.url.endswith("/reports/new"), "no word stands in an address"
    assert await page.evaluate("document.activeElement.tagName") == "BODY", "nothing took the focus"
    await page.fill("#f-subject", "另一件")
    await page.wait_for_timeout(1200)
    assert len(asked) == 1, "too little to compare"
    await context.close()


FILES = "document.querySelector('#file').files.length"
PASTED = """([place, text]) => {
  const data = new DataTransfer();
  if (text) data.setData("text/plain", text);
  data.items.add(new File(["x"], "image.png", { type: "image/png" }));
  const told = { clipboardData: data, bubbles: true, cancelable: true };
  document.querySelector(place).dispatchEvent(new ClipboardEvent("paste", told));
}"""
DROPPED = """(withFile) => {
  const data = new DataTransfer();
  data.setData("text/plain", "words");
  if (withFile) data.items.add(new File(["x"], "a.png", { type: "image/png" }));
  const told = { dataTransfer: data, bubbles: true, cancelable: true }, note = document.querySelector("#note");
  return ["dragover", "drop"].map((name) => note.dispatchEvent(new DragEvent(name, told)));
}"""


async def test_pasted_and_dragged_text_stays_text_and_only_files_are_added(desk: Desk) -> None:
    context, page = await desk.at("duty_officer@town-east")
    await desk.open(page, f"/incidents/{desk.number}")
    await page.locator("a[href$='/evidence']").first.click()
    await page.wait_for_selector("#file")
    await page.evaluate(PASTED, ["#note", "a\tb"])
    assert await page.evaluate(FILES) == 0, "cells of a spreadsheet are text in a field, and no picture"
    assert await page.evaluate(DROPPED, False) == [True, True], "the browser moves text as it always does"
    await page.evaluate(PASTED, ["#note", ""])
    await page.evaluate(PASTED, ["h1", "a\tb"])
    assert await page.evaluate(DROPPED, True) == [False, False] and await page.evaluate(FILES) == 3
    await context.close()
