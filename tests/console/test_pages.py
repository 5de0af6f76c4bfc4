"""The console in Chromium: accessible in every state, by keyboard alone, magnified and narrow, under its own policy."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Page

from tests.console.browser import HOME
from tests.console.conftest import MISSING, PASSWORD, Desk, faults
from tests.console.test_operating import aside
from tests.console.test_subscriptions import subscribed
from tests.console.test_words import ADMINISTERED

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.chromium]
POSTS = ("duty_officer@town-east", "admin@town-east", "auditor@town-east", "chief@town-east")


@pytest.mark.parametrize(("language", "scheme"), [("zh-CN", "light"), ("en-GB", "dark")])
async def test_axe_finds_nothing_on_any_page_in_any_state(desk: Desk, language: str, scheme: str) -> None:
    matter, found = f"/incidents/{desk.number}", []
    context, page = await desk.at(*POSTS, language=language, color_scheme=scheme)
    for path in (
        "/inbox", "/board", "/board?list=gaps", "/board?list=open&soon=none&unit=town-east", "/register",
        "/register?reply=waiting", "/supervision", "/reports/new", "/statements", "/roster", "/roster/plan-duties",
        "/roster/hand-over", "/roster/sheet", "/notices", "/addresses", "/periods", "/periods/open?period=special",
        "/paper", "/paper/report", "/paper/enter", "/paper/act", "/receipts",
        "/search", "/findings", "/packs", "/post", "/account/password", "/account/codes", MISSING, matter,
        f"{matter}/similar",
        f"{matter}/timeline", f"{matter}/timeline?as_of=25-25", f"{matter}?done=grade", f"{matter}/triage/grade",
        f"{matter}/triage/hold-meeting", f"/statements/{desk.statement}", "/packs/county-default@2",
        f"/statements/{desk.statement}/revise", f"/statements/new?incident={desk.number}",
    ):  # fmt: skip
        await desk.open(page, path)
        found += await faults(page)
    await desk.open(page, f"{matter}/timeline")
    await page.click("a.proof >> nth=0")
    found += await faults(page)
    await desk.open(page, f"{matter}/triage/grade")
    await page.click("main form .main")
    await page.wait_for_selector("#faults:focus")  # Who is told of a fault is led to it.
    found += await faults(page)
    subject, place = ("井盖缺失", "幸福里") if language == "zh-CN" else ("噪声扰民", "北街夜市")
    rival = await desk.town.at("duty_officer@town-east")
    disputed = (await desk.town.reported(rival, subject, place=place)).path.removeprefix(HOME)
    await desk.open(page, f"{disputed}/triage/assign")
    await desk.town.done(rival, f"{disputed}/triage/assign", unit="county-roads", reason="先交交通")
    await page.select_option("#f-unit", "county-water")
    await page.fill("#f-reason", "应是水利的井")
    await page.click("main form .main")
    assert await page.input_value("#f-reason") == "应是水利的井"
    await page.wait_for_selector("#error:focus")
    assert not await page.is_visible("#draft"), "what stands in the form is not offered once more"
    found += await faults(page)
    await desk.open(page, "/reports/new")
    await page.select_option("#f-channel", "hotline")
    await page.fill("#f-subject", "人民路水管爆裂")
    await page.fill("#f-text", "人民路漫水")
    await page.fill("#f-discovered_at", "2026-11-25 21:07")
    await page.click("main form .main")
    found += await faults(page)
    await page.click("main form .main")
    found += await faults(page)
    rows = "工单编号,标题,内容,受理时间\nA-1,路灯,东街路灯不亮,2026-03-02 08:00\nA-2,井盖,,昨天\n"
    await desk.open(page, "/imports")
    await page.set_input_files("#f-file", {"name": "rows.csv", "mimeType": "text/csv", "buffer": rows.encode()})
    await page.click("main form .main")
    async with page.expect_download() as saved:
        await page.click("a[download]")
    assert "A-2" in await asyncio.to_thread(Path(await (await saved.value).path()).read_text)
    found += await faults(page)
    await context.close()
    context, page = await desk.at("duty_officer@county-education", language=language, color_scheme=scheme)
    for path in ("/inbox", "/board", "/statements"):
        await desk.open(page, path)
        found += await faults(page)
    await context.close()
    context, page = await desk.at("admin@town-east", language=language, color_scheme=scheme)
    admin = await desk.town.at("admin@town-east")
    told = await subscribed(admin)
    await desk.town.done(admin, "/forms/town-east/open-form", introduction="急事请打值班电话。")
    for path in (*ADMINISTERED, told, f"{told}/replay", f"{told}/end-subscription"):
        await desk.open(page, path)
        found += await faults(page)
    await context.close()
    context, page = await desk.at(language=language, color_scheme=scheme)
    await desk.open(page, "/sign-in")
    found += await faults(page)
    await page.click("main form .main")
    found += await faults(page)
    await context.close()
    assert not found, "\n".join(found)


async def seen(page: Page) -> list[str]:
    """What axe finds, and whether more than a table scrolls sideways on a telephone."""
    found, size = await faults(page), page.viewport_size
    assert size is not None
    await page.set_viewport_size({"width": 320, "height": 700})
    if (width := await page.evaluate("document.documentElement.scrollWidth")) > 320:
        found.append(f"{page.url} is {width} wide on a telephone")
    await page.set_viewport_size(size)
    return found


@pytest.mark.parametrize(("language", "scheme"), [("zh-CN", "light"), ("en-GB", "dark")])
async def test_axe_finds_nothing_where_packs_are_written_and_services_repaired(
    desk: Desk, language: str, scheme: str
) -> None:
    letter, found = await aside(desk.town, "audit", 77 if language == "zh-CN" else 78), []
    context, page = await desk.at("admin@city", "chief@city", language=language, color_scheme=scheme)
    await desk.open(page, "/pack-drafts")
    await page.select_option("#base", "county-default@2")
    await page.click("main form button.main")
    own = page.url.partition(HOME)[2]
    await page.fill("#f-text", "# 三小时改为两小时\n" + await page.input_value("#f-text"))
    await page.click("main form .main")
    found += await seen(page)
    steps = [f"{own}/{step}" for step in ("difference?to=county-default@2", "dry-run?since=2026-11-01")]
    reader = "/packs/county-default@2/difference"
    for path in ("/pack-drafts", reader, "/dead-letters", letter, *steps):
        await desk.open(page, path)
        found += await seen(page)
    await desk.open(page, f"{own}/cases")
    await page.click("main form .main")
    found += await seen(page)
    await desk.open(page, f"{own}/explain")
    await page.click("main form .main")
    found += await seen(page)
    await desk.open(page, f"{own}/adopt")
    await page.fill("#f-lessons", "eins")
    await page.click("main form .main")
    await page.wait_for_selector("#error:focus")
    found += await seen(page)
    await desk.open(page, own)
    await page.fill("#f-text", "id: a\nversion: 1\nid: b\n")
    await page.click("main form .main")
    found += await seen(page)
    await desk.open(page, "/dead-letters")
    await page.check(f"input[value='{letter[14:]}']")
    await page.click("button[value=discard]")
    found += await seen(page)
    await desk.open(page, "/keys")
    await page.fill("#f-name", f"hotline-{scheme}")
    await page.click("main form .main")
    found += await seen(page)
    await desk.open(page, "/keys")
    found += await seen(page)
    await page.click("a[href$='/revoke'] >> nth=0")
    found += await seen(page)
    await desk.open(page, "/tour")
    await page.click("main form button >> nth=0") if language == "zh-CN" else await page.click("main a.main")
    await page.wait_for_url("**/tour/1")
    found += await seen(page)
    await desk.open(page, "/tour")
    found += await seen(page)
    for start, link in (("/accounts", "main td a >> nth=0"), ("/setup/pack", "a[href*='pack/value'] >> nth=0")):
        await desk.open(page, start)
        await page.click(link)
        found += await seen(page)
    await context.close()
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("language", "scheme"), [("zh-CN", "light"), ("en-GB", "dark")])
async def test_axe_finds_nothing_where_a_statement_changes(desk: Desk, language: str, scheme: str) -> None:
    own = f"/statements/{desk.statement}"
    writer = await desk.town.at("handler@town-east")
    await desk.town.done(writer, f"{own}/revise", text=f"水管老化，{'今晚' if language == 'zh-CN' else '明早'}恢复。")
    context, page = await desk.at("handler@town-east", language=language, color_scheme=scheme)
    found = []
    act = f"/paper/act?number={desk.number}"
    for path in (own, f"{own}/preview", f"/paper/matter?number={desk.number}", act):
        await desk.open(page, path)
        found += await seen(page)
    await context.close()
    assert not found, "\n".join(found)


async def test_a_pack_is_mended_by_keyboard_alone(desk: Desk) -> None:
    context, page = await desk.at("chief@city")
    press, focused = page.keyboard.press, "document.activeElement.id"

    async def tab_to(selector: str) -> None:
        for _ in range(60):
            await press("Tab")
            if await page.evaluate("on => document.activeElement.matches(on)", selector):
                return
        raise AssertionError(f"the Tab key leads not to {selector}")

    await desk.open(page, "/packs")
    await press("j")
    async with page.expect_navigation():
        await press("Enter")
    await desk.open(page, "/pack-drafts")
    await tab_to("main form.row button")
    async with page.expect_navigation():
        await press("Enter")
    await tab_to("#f-text")
    await page.keyboard.type("id: a\nversion: 1\nid: b\n")
    await tab_to("main form .main")
    async with page.expect_navigation():
        await press("Enter")
    await page.wait_for_selector("#faults:focus")  # Who is told of a fault is led to it.
    await tab_to("[data-line]")
    await press("Enter")
    assert await page.evaluate(focused) == "f-text"
    before = "document.activeElement.value.slice(0, document.activeElement.selectionStart)"
    assert await page.evaluate(before) == "id: a\nversion: 1\n", "the fault leads to its line"
    await desk.open(page, "/pack-drafts")
    await press("j")
    async with page.expect_navigation():
        await press("Enter")
    assert "/pack-drafts/" in page.url
    await context.close()


async def test_similar_matters_come_into_the_page_of_a_matter_after_the_rest(desk: Desk) -> None:
    browser = await desk.town.at("duty_officer@town-west")
    known, own = [
        (await desk.town.reported(browser, subject, place="西街桥头")).path.rpartition("/")[2]
        for subject in ("西街桥头护栏断了两根", "西街桥头护栏断了，很危险")
    ]
    await desk.town.system.settle()
    listed = await browser.open(f"/incidents/{own}/similar")
    assert known in listed.said and f"{HOME}/incidents/{own}/triage/link?to={known}" in listed.links
    assert f"{HOME}/incidents/{own}/similar" in (await browser.open(f"/incidents/{own}")).links
    context, page = await desk.at("duty_officer@town-west")
    await desk.open(page, f"/incidents/{own}")
    await page.wait_for_selector(f"#near a:text-is('{known}')")
    await context.close()


async def test_x_ticks_the_row_in_focus_and_the_ticked_are_receipted(desk: Desk) -> None:
    officer = await desk.town.at("duty_officer@town-west")
    matter = (await desk.town.reported(officer, "河坝漏水", place="西坝")).path.removeprefix(HOME)
    action = f"{matter}/escalation/report-upward"
    for text in ("已到现场", "正在堵漏"):
        await officer.send(await officer.open(action), action, to="office@county", form="written", text=text)
    context, page = await desk.at("duty_officer@county")
    await desk.open(page, "/receipts")
    ticked = "[...document.querySelectorAll('input[name=report]')].map((one) => one.checked)"
    boxes = len(await page.evaluate(ticked))
    await page.keyboard.press("x")
    assert await page.evaluate(ticked) == [False] * boxes, "without a row in focus nothing is ticked"
    for key in ("j", "x", "x", "x", "j", "x"):
        await page.keyboard.press(key)
    assert await page.evaluate(ticked) == [True, True] + [False] * (boxes - 2)
    await page.focus("input[name=report] >> nth=0")
    await page.keyboard.press("j")
    assert await page.evaluate("document.activeElement === document.querySelectorAll('[data-row]')[1]")
    assert not await faults(page)
    for step in range(2):
        async with page.expect_navigation():
            await page.locator("main form button").click()
        assert not await faults(page), step
    assert "✓ 2 条都已办" in await page.inner_text("main")
    await context.close()


async def test_the_job_is_done_by_keyboard_alone(desk: Desk) -> None:
    login = await desk.town.person("duty_officer@town-west")
    browser = await desk.town.at("duty_officer@town-west")
    for subject in ("路灯不亮", "井盖缺失"):
        await desk.town.reported(browser, subject, place="北街")
    context, page = await desk.at()
    press, shown = page.keyboard.press, "document.activeElement"

    async def focused() -> str:
        return str(await page.evaluate(f"{shown}.id || {shown}.textContent.trim() || {shown}.tagName"))

    await desk.open(page, "/board")
    await press("Tab")
    assert await focused() == "跳到正文"
    await press("Enter")
    for typed in (login, PASSWORD):
        await press("Tab")
        await page.keyboard.type(typed)
    async with page.expect_navigation():
        await press("Enter")
    assert page.url.endswith("/console/board"), "sign-in leads to where the person wanted to go"
    await press("Shift+Slash")
    assert await page.locator("#keys").evaluate("e => e.open")
    await press("Escape")
    assert not await page.locator("#keys").evaluate("e => e.open")
    for turned, opened in (("停用快捷键", False), ("启用快捷键", True)):
        await page.click("#show-keys")
        await page.click(f"#keys button:text-is('{turned}')")
        await page.click("#keys button:text-is('关闭')")
        await press("?")
        assert await page.locator("#keys").evaluate("e => e.open") is opened, turned
    await press("Escape")
    rows = await page.locator("[data-row]").all_inner_texts()
    await press("j")
    assert await focused() == rows[0]
    await press("j")
    assert await focused() == rows[1]
    await press("k")
    async with page.expect_navigation():
        await press("Enter")
    assert rows[0] in await page.inner_text("h1")
    await press("e")
    verbs = await page.locator(".verbs a").all_inner_texts()
    assert await focused() == verbs[0]
    for _ in range(verbs.index("交办")):
        await press("Tab")
    async with page.expect_navigation():
        await press("Enter")
    await page.focus("#f-unit")
    while await page.input_value("#f-unit") != "county-water":
        await press("ArrowDown")
    await page.focus("#f-reason")
    await page.keyboard.type("归口水利")
    while await focused() != "交办":
        await press("Tab")
    async with page.expect_navigation():
        await press("Enter")
    assert "已办：交办" in await page.inner_text("main")
    assert await page.evaluate(f"{shown}.tagName") != "BODY", "after an act the focus is on what it did"
    async with page.expect_navigation():
        await press("u")
    assert page.url.endswith("/console/board")
    await press("g")
    async with page.expect_navigation():
        await press("i")
    assert page.url.endswith("/console/inbox")
    await press("/")
    await page.keyboard.type("gnjk")
    assert await page.input_value("#number") == "gnjk", "in a field a key is a letter"
    await context.close()


@pytest.mark.parametrize("width", [640, 320])
async def test_only_tables_scroll_sideways_at_200_percent_and_on_a_telephone(desk: Desk, width: int) -> None:
    """640 pixels are what 1280 leave at 200 percent."""
    matter = f"/incidents/{desk.number}"
    context, page = await desk.at(*POSTS, viewport={"width": width, "height": 700})
    for path in (
        "/inbox", "/board?list=open&soon=none", "/supervision", "/register", "/reports/new", "/statements",
        "/roster", "/roster/plan-duties", "/search", "/packs",
        "/roster/sheet", "/notices", "/addresses", "/periods", "/periods/open?period=special",
        "/paper", "/paper/report", "/paper/enter", "/paper/act", "/roster/hand-over", "/receipts",
        "/post", "/account/codes", matter, f"{matter}/timeline", f"{matter}/triage/grade",
        f"/statements/{desk.statement}", "/packs/county-default@2",
        f"/statements/{desk.statement}/revise", f"/statements/new?incident={desk.number}",
    ):  # fmt: skip
        await desk.open(page, path)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
    await desk.open(page, f"{matter}/timeline")
    await page.click("a.proof >> nth=0")
    assert await page.evaluate("document.documentElement.scrollWidth") <= width, page.url
    await context.close()
    context, page = await desk.at("admin@town-east", viewport={"width": width, "height": 700})
    for path in ADMINISTERED:
        await desk.open(page, path)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
    await context.close()


async def test_short_words_stay_whole_and_times_beside_their_texts(desk: Desk) -> None:
    officer = await desk.town.at("duty_officer@town-east")
    await desk.town.done(officer, f"/incidents/{desk.number}/triage/grade", level="general", reason="影响一条街")
    await desk.town.reported(officer, "人民路东段自来水主管道爆裂路面严重积水并影响周边多个小区居民用水", place="东段")
    context, page = await desk.at("duty_officer@town-east", viewport={"width": 700, "height": 700})
    await desk.open(page, "/board?list=open")
    lines = """cells => cells.map(cell => {
        const words = document.createRange(); words.selectNodeContents(cell);
        return [cell.textContent, new Set([...words.getClientRects()].map(line => Math.round(line.top))).size];
    })"""
    levels = await page.locator("td[data-label=等级]").evaluate_all(lines)
    assert ["一般", 1] in levels and {count for _, count in levels} == {1}
    await page.set_viewport_size({"width": 1280, "height": 700})
    await desk.open(page, f"/statements/{desk.statement}")
    beside = """acts => acts.map(act => {
        const time = document.createRange(); time.selectNodeContents(act.firstElementChild);
        return time.getBoundingClientRect().right <= act.children[1].getBoundingClientRect().left;
    })"""
    told = await page.locator(".timeline > li").evaluate_all(beside)
    assert told and all(told)
    await context.close()


async def test_no_page_made_the_browser_complain(desk: Desk) -> None:
    context, page = await desk.at("duty_officer@town-east")
    await desk.open(page, "/inbox")
    refused = (
        "let bad = document.createElement('script'); bad.textContent = 'window.bad = 1'; document.head.append(bad)"
    )
    await page.evaluate(refused)
    assert await page.evaluate("window.bad") is None
    complaints = [one for one in desk.complaints if "refused" not in one]
    assert len(desk.complaints) > 0 and "Content Security Policy" in desk.complaints[-1]
    assert complaints[:-1] == []
    await context.close()


async def test_a_draft_goes_when_its_form_was_taken_and_stays_when_it_was_not(desk: Desk) -> None:
    context, page = await desk.at("handler@town-east")
    path = f"/statements/{desk.statement}/revise"
    kept = "Object.keys(localStorage).filter((key) => key.startsWith('draft '))"
    await desk.open(page, path)
    await page.fill("#f-title", "短")
    await page.click("main form .main")
    assert len(await page.evaluate(kept)) == 1, "a title of one character is refused"
    await page.click("text=插入到文中 >> nth=0")
    assert await page.is_checked("input[name=facts] >> nth=0"), "the text rests on what was inserted"
    await page.fill("#f-title", "处置情况更新")
    await page.click("main form .main")
    assert "已办" in await page.inner_text("main") and "水管老化" in await page.inner_text("main")
    assert await page.evaluate(kept) == []
    await context.close()


async def test_a_draft_keeps_what_was_unticked(desk: Desk) -> None:
    context, page = await desk.at("handler@town-east")
    await desk.open(page, f"/statements/{desk.statement}/revise")
    fact = page.locator("input[name=facts] >> nth=0")
    await fact.check()
    await fact.uncheck()
    await page.reload()
    await fact.evaluate("(box) => { box.checked = true; }")  # As a form shows it whose statement rests on the fact.
    await page.click("#draft [data-take]")
    assert not await fact.is_checked()
    await context.close()


async def test_two_tabs_of_one_form_keep_a_draft_each_and_a_third_is_offered_both(desk: Desk) -> None:
    context, first = await desk.at("duty_officer@town-west")
    subject, take = "#f-subject", "#draft [data-take]"
    tabs = [first, await context.new_page()]
    for tab, words in zip(tabs, ("西街积水", "北街断电"), strict=True):
        await desk.open(tab, "/reports/new")
        assert not await tab.is_visible("#draft") or words == "北街断电", (
            "what the first tab keeps is offered to the second"
        )
        await tab.fill(subject, words)
    for tab, words in zip(tabs, ("西街积水", "北街断电"), strict=True):
        await tab.reload()
        await tab.click(take)
        assert await tab.input_value(subject) == words, "each tab has its own"
    third = await context.new_page()
    await desk.open(third, "/reports/new")
    await third.click("#draft [data-drop]")
    await third.click(take)
    assert await third.input_value(subject) == "西街积水", "the newest was dropped, so the other one is offered"
    await context.close()


async def test_a_slider_says_its_instant_and_opens_it(desk: Desk) -> None:
    context, page = await desk.at("duty_officer@town-east")
    await desk.open(page, f"/incidents/{desk.number}/timeline")
    last = await page.get_attribute("#slider", "aria-valuetext")
    await page.focus("#slider")
    async with page.expect_navigation():
        await page.keyboard.press("ArrowLeft")
        assert await page.get_attribute("#slider", "aria-valuetext") != last
    assert "known_at=" in page.url
    await page.wait_for_selector("#slider:focus")  # The next step needs no search for it.
    async with page.expect_navigation():
        await page.keyboard.press("BracketRight")
    assert await page.get_attribute("#slider", "aria-valuetext") == last
    await context.close()


async def test_what_is_left_of_a_limit_counts_on(desk: Desk) -> None:
    context, page = await desk.at("duty_officer@town-east")
    await page.clock.install()
    await desk.open(page, f"/incidents/{desk.number}")
    shown = page.locator("[data-due] >> nth=0")
    before = await shown.inner_text()
    await page.clock.run_for(3 * 3600 * 1000)
    assert await shown.inner_text() != before
    await context.close()


async def test_the_field_of_a_value_says_how_the_chosen_fact_is_written(desk: Desk) -> None:
    context, page = await desk.at("verifier@county-water")
    await desk.open(page, f"/incidents/{desk.number}/triage/establish-fact")
    usual = await page.inner_text("#f-value-hint")
    await page.select_option("#f-key", "area")
    assert "如 4；单位已经写在事实项里，不用写。单位：平方米" in await page.inner_text("#f-value-hint")
    await page.select_option("#f-key", "")
    assert await page.inner_text("#f-value-hint") == usual
    assert not await faults(page)
    await context.close()
