"""Pages of drills and trainings, without script."""

import asyncio
from datetime import UTC, datetime

import pytest

from services.apps.drills import Lead, find
from tests.console.browser import HOME
from tests.console.conftest import Desk, Town, faults

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _never(when: datetime) -> None:
    raise AssertionError(f"nothing waits until {when}")


async def _soon(when: datetime) -> None:
    await asyncio.sleep(max(0.0, (when - datetime.now(UTC)).total_seconds()))


@pytest.mark.requirement("DRL-02")
async def test_a_drill_is_broken_off_scored_and_listed(town: Town) -> None:
    async with town.system.client() as client:
        clients = dict.fromkeys(("ingest", "triage", "audit"), client)
        lead = Lead("county", clients, town.system.token, lambda: datetime.now(UTC), _never, lambda _: None)
        drill = await lead.begin(find(town.system.settings, "burst-main"), seed=1)
        leader, at = await town.at("chief@county"), f"/record/drills/{drill}"
        page = await leader.open(at)
        while page.status == 404:  # the record takes a moment
            await asyncio.sleep(0.05)
            page = await leader.open(at)
        assert "供水主管爆裂" in page.said and "演练中" in page.said and "还没有投放" in page.said
        assert [link for link in page.links if link.startswith(f"{HOME}{at}/")] == [f"{HOME}{at}/end-drill"]
        await town.done(leader, f"{at}/end-drill", cause="stopped", reason="来了真的险情")
        await town.done(leader, f"{at}/judge-drill")
        page = await leader.open(f"{at}?done=judge-drill")
        assert "已评分" in page.said and "来了真的险情" in page.said and "中途停止" in page.said
        listed = await leader.open("/record/drills?scenario=burst-main")
        assert "供水主管爆裂" in listed.said and "已评分" in listed.said
    english = await (await town.at("auditor@county", language="en")).open(at)
    assert "a water main bursts" in english.said
    assert "供水主管爆裂" not in (await (await town.at("chief@town-east")).open("/record/drills")).said


@pytest.mark.chromium
async def test_a_scored_drill_and_trainings_are_read_by_everybody_on_any_screen(desk: Desk) -> None:
    town = desk.town
    async with town.system.client() as client:
        clients = dict.fromkeys(("ingest", "triage", "audit"), client)
        lead = Lead("county", clients, town.system.token, lambda: datetime.now(UTC), _soon, lambda _: None)
        drill = await lead.begin(find(town.system.settings, "burst-main"), seed=1, speed=1000)
        await lead.go_on(drill)
    found = []
    for language, scheme, kind in (("zh-CN", "light", "领导批示"), ("en-GB", "dark", "A leader's instruction")):
        context, page = await desk.at("chief@county", "admin@county", language=language, color_scheme=scheme)
        for path in ("/record/drills", "/record/trainings", "/record/trainings/new", f"/record/drills/{drill}"):
            for width in (320, 1280):
                await page.set_viewport_size({"width": width, "height": 800})
                await desk.open(page, path)
                found += await faults(page)
                assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
        said = await page.inner_text("main")
        assert "供水主管爆裂，路面大量积水" in said and f"{kind}：请一小时内续报抢修进展" in said.replace(": ", "：")
        await context.close()
    assert (found, desk.complaints) == ([], [])


@pytest.mark.requirement("DRL-03")
async def test_a_training_is_recorded_by_post_and_withdrawn(town: Town) -> None:
    leader, new = await town.at("chief@county"), "/record/trainings/new"
    today = datetime.now(UTC).date().isoformat()
    said = {"unit": "county", "kind": "lecture", "title": "信息发布讲座", "on": today, "minutes": "90"}
    page = await leader.send(await leader.open(new), new, **said, posts="spokesperson@county")
    assert page.status == 200, page.said
    async with asyncio.timeout(20):
        while "信息发布讲座" not in (page := await leader.open("/record/trainings")).said:
            await asyncio.sleep(0.05)
    assert "90" in page.said and today in page.said and "专家讲座" in page.said
    (withdraw,) = [link for link in page.links if link.endswith("/withdraw-training")]
    await town.done(leader, withdraw.removeprefix(HOME), reason="日期写错")
    async with asyncio.timeout(20):
        while "日期写错" not in (page := await leader.open("/record/trainings")).said:
            await asyncio.sleep(0.05)
    assert today not in (await leader.open("/record/trainings")).said.partition("登记")[0].partition("各岗位")[2]
