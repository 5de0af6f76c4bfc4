"""Pages of numbers: charts beside their text, the month of a desk, a year circulated, an analysis with its comment."""

import asyncio

import pytest

from tests.console.browser import HOME
from tests.console.conftest import Desk, Town, faults

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def seven(town: Town) -> None:
    """Seven matters of an office."""
    desk = await town.at("duty_officer@town-east")
    for at in range(7):
        await town.reported(desk, f"路灯不亮第{at}处", place=f"东街{at}号")


@pytest.mark.requirement("AUD-09", "AUD-11")
async def test_numbers_stand_on_pages_as_text_with_their_formulas_and_charts(town: Town) -> None:
    await seven(town)
    chief = await town.at("chief@county")
    async with asyncio.timeout(20):
        while ">7<" not in (page := await chief.open("/statistics?by=month")).text:
            await asyncio.sleep(0.1)
    assert 'role="img" aria-label="立案事项: ' in page.text
    assert "期内立案的事项数。" in page.said and "不排名" in page.said
    for way in ("unit", "level", "category", "subcategory", "pack"):
        assert (await chief.open(f"/statistics?by={way}")).status == 200, way
    by_unit = (await chief.open("/statistics?by=unit")).said
    assert "示例县（含下级）" in by_unit and "示例县本级" in by_unit and "东镇（含下级）" not in by_unit
    file = await chief.open("/statistics/file?by=unit")
    assert file.status == 200 and "formula_en" in file.text
    english = await town.at("auditor@county", language="en-GB")
    assert "Matters opened in the period." in (await english.open("/statistics")).said
    desk = (await chief.open("/statistics/duty-desk?unit=town-east")).said
    assert "漏报" in desk and "本单位以外的情况没有发现，不算漏报" in desk
    assert (await chief.open("/statistics?unit=city")).status == 403, "another unit's numbers"
    for place in ("statistics", "statistics/duty-desk", "statistics/year", "statistics/analysis"):
        then = await chief.open(f"/{place}?as_of=2026-03-01+09:00&known_at=2026-03-01+09:30")
        assert then.status == 200 and 'name="as_of" value="2026-03-01 09:00"' in then.text, place
        assert "09:00 前发生的" in then.said and "09:30 前记录的" in then.said, "the numbers of then, and not of now"
        refused = await chief.open(f"/{place}?as_of=25-25")
        assert refused.status == 422 and "不是时间" in refused.said, place
    then = await chief.open("/statistics/file?by=unit&as_of=2026-03-01+09:00")
    assert then.status == 200 and "2026-03-01T01:00:59" in then.text

    path = "/statistics/analysis?unit=town-east"
    page = await chief.open(path)
    for chapter in ("概述", "数量", "渠道分布", "走势", "高频词", "主题分布", "关注焦点", "地域分布", "分析意见"):
        assert f">{chapter}</h2>" in page.text
    (form,) = [link.removeprefix(HOME) for link in page.links if "/statistics/comment" in link]
    sent = await chief.send(await chief.open(form), form, text="路灯事项集中在东街。")
    assert sent.status == 200
    async with asyncio.timeout(20):
        while "路灯事项集中在东街。" not in (page := await chief.open(path)).said:
            await asyncio.sleep(0.1)
    assert page.said.partition("路灯事项集中在东街。")[2].startswith(" 示例县 主要负责人")
    clerk = await town.at("handler@town-east")
    assert not [link for link in (await clerk.open("/statistics/analysis")).links if "/comment" in link]


@pytest.mark.requirement("AUD-08")
async def test_a_year_is_circulated_from_its_page_and_every_unit_of_it_reads_it(town: Town) -> None:
    chief = await town.at("chief@county")
    page = await chief.open("/statistics/year?year=2025")
    assert "示例县（含下级）" in page.said and "成立的认定（只算本级）" in page.said
    (form,) = [link.removeprefix(HOME) for link in page.links if "/statistics/circulate" in link]
    assert not [
        link for link in (await chief.open("/statistics/year?year=2026")).links if "/statistics/circulate" in link
    ]
    shown = (await chief.open(form)).said
    assert "示例县（含下级）" in shown and "表里没有数字" in shown
    early = form.replace("2025", "2026")
    refused = await chief.send(await chief.open(early), early, unit="county", year="2026")
    assert refused.status == 409 and "还没有结束" in refused.said
    made = await chief.send(await chief.open(form), form, unit="county", year="2025", praise="城东镇办理及时")
    assert made.status == 200, made.said
    town_chief = await town.at("chief@town-east")
    async with asyncio.timeout(20):
        while not (found := [x for x in (await town_chief.open("/statistics/year")).links if "/circulations/" in x]):
            await asyncio.sleep(0.1)
    read = await town_chief.open(found[0].removeprefix(HOME))
    assert "城东镇办理及时" in read.said and "与通报的表相同" in read.said
    assert not [link for link in read.links if "/statistics/circulate?" in link]


PAGES = (
    "/statistics?by=month",
    "/statistics",
    "/statistics/duty-desk?unit=town-east",
    "/statistics/year?year=2026",
    "/statistics/analysis",
    "/statistics/circulate?unit=county&year=2025",
)


@pytest.mark.chromium
@pytest.mark.parametrize(("language", "scheme"), [("zh-CN", "light"), ("en-GB", "dark")])
async def test_charts_are_for_everybody_in_each_form(desk: Desk, language: str, scheme: str) -> None:
    if language == "zh-CN":
        await seven(desk.town)
    context, page = await desk.at("chief@county", language=language, color_scheme=scheme)
    found = []
    for path in PAGES:
        await desk.open(page, path)
        found += await faults(page)
    await desk.open(page, PAGES[0])
    columns = page.locator("main .chart svg[role=img]").first
    async with asyncio.timeout(20):
        while not await columns.locator("rect").count():
            await asyncio.sleep(0.1)
            await page.reload()
    assert await columns.get_attribute("aria-label")
    row = page.locator("main .chart table tr").nth(-1)
    assert await row.is_visible(), "the text stands beside the chart"
    await page.set_viewport_size({"width": 360, "height": 700})
    for path in PAGES:
        await desk.open(page, path)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    await page.emulate_media(media="print")
    await desk.open(page, "/statistics/analysis")
    assert not await page.locator("form.screen").is_visible()
    await context.close()
    assert found == []
    assert desk.complaints == []
