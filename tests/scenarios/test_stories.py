"""Stories of an office in Chromium, told by people who never saw an API: each one goes by what the pages offer."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import async_playwright, expect

from tests.kit.stack import World, get, until
from tests.publish.test_pages import FLAGS
from tests.scenarios.people import NAME, Person, Town, served

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.chromium, pytest.mark.timeout(300)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(world: World, chromium: str) -> AsyncIterator[Town]:
    """One world for each substrate, and one Chromium."""
    async with served(world) as (address, accounts), async_playwright() as playwright:
        chrome = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        try:
            yield Town(world, address, accounts, chrome)
        finally:
            await chrome.close()


async def takes_a_call(officer: Person, **typed: str) -> str:
    """Registers what a caller said, and opens its matter. Gives the receipt that the caller is told."""
    await officer.goes_to("登记")
    await officer.fills({"来源渠道": "热线电话"} | typed)
    await officer.presses("下一步：核对")
    await officer.presses("送出")
    receipt = await officer.main.locator("dd strong").inner_text()
    await officer.touches(officer.main.get_by_role("link", name="打开事项"))
    await officer.sees(typed["事由"], "可以办理")
    return receipt


async def chiefs(town: Town) -> tuple[Person, Person]:
    """Those of the town and of the county, who are rarely at a desk."""
    held = town.is_embedded
    return await town.person("chief@town-east", has_telephone=held), await town.person(
        "chief@county", has_telephone=held
    )


def is_on_the_bulletin(town: Town, *words: str) -> str:
    """Waits until the public can read it."""

    def found() -> str:
        text = get(f"{town.world.url('publish')}/bulletin/").text
        return text if all(word in text for word in words) else ""

    return str(until(found, f"the bulletin says {words}", 20))


def anybody_can_verify(town: Town, text: str, folder: Path) -> None:
    """By the text that circulates, and by a saved file alone, also after the bulletin's key changed."""
    site = town.world.url("publish")
    shown = httpx.post(f"{site}/bulletin/verify", data={"text": text}).text
    assert "发布过，现在仍是这样写的" in shown
    (link,) = re.findall(r"/bulletin/statements/[\w-]+/manifest\.json", shown)
    for number in (1, 2):
        told = get(f"{site}/.well-known/huiying.json").content
        assert len(json.loads(told)["keys"]) == number
        (folder / "manifest.json").write_bytes(get(site + link).content)
        (folder / "huiying.json").write_bytes(told)
        done = town.world.run("verify", "statement", str(folder / "manifest.json"))
        assert (done.returncode, "published by 东镇" in done.stdout) == (0, True), done.stdout + done.stderr
        assert town.world.run("keys", "bulletin", "rotate").returncode == 0


async def test_a_burst_main_from_the_first_call_at_night_to_the_last_answer(town: Town, tmp_path: Path) -> None:
    """Five people of three units: the town's desk, leader and spokesperson, the county's desk, the water bureau."""
    town.at("2026-01-02 21:15")
    subject = "人民路自来水主管爆裂"
    desk = await town.person("duty_officer@town-east", "handler@town-east")
    county = await town.person("duty_officer@county")
    water = await town.person("handler@county-water")
    leader = await town.person("approver@town-east")
    spokesperson = await town.person("spokesperson@town-east")

    said = {"事由": subject, "内容": "人民路口漫水，三栋楼停水，请回电13812345678", "地点": "人民路口"}
    receipt = await takes_a_call(desk, **said, 何时得知="21:07")
    assert "[手机号]" in await desk.main.inner_text() and "13812345678" not in await desk.page.content()
    await desk.does("定级", {"等级": "一般", "理由": "影响三栋楼"})
    await desk.does("确定答复类型", {"答复类型": "答复"})
    await desk.does("上报", {"报给谁": "示例县 值班员", "上报方式": "书面", "内容": "人民路主管爆裂，已通知水利局"})
    await desk.does("交办", {"承办单位": "县水利局", "理由": "管网归水利局"})

    await county.goes_to("待办")
    await county.main.get_by_role("link", name="待回执").click()
    await county.sees("人民路主管爆裂，已通知水利局")
    await county.does("回执", {"是否确认收到": "是"})

    town.at("2026-01-02 21:30")
    await water.finds(subject)
    await water.does("接办")
    town.at("2026-01-03 04:30")
    await water.does("记录办理", {"办理线": "问题处理", "内容": "02:10 关阀，04:30 换管完毕恢复供水"})
    await water.does("解决问题", {"内容": "已换管，恢复供水"})
    await water.does("解释", {"内容": "主管老化爆裂，已换管，四时三十分恢复供水。", "对象": "提问人"}, told="已送审")
    await leader.finds(subject)
    await leader.does("审核")

    await desk.acts_as("东镇 经办人")
    await desk.finds(subject, "事项")
    said = {"种类": "处置情况", "标题": "人民路供水恢复情况", "内容": "人民路主管已换管，四时三十分恢复供水。"}
    await desk.does("起草", said)
    await desk.finds("人民路供水恢复情况", "说明稿")
    # No fact was established here, so the time stands on the record of the handling.
    await desk.does("修改", {"文中的数字（一行一个）": "四时三十分", "理由": "见办理记录"})
    await desk.does("送审")
    await leader.finds("人民路供水恢复情况", "说明稿")
    await leader.does("审核")
    await spokesperson.finds("人民路供水恢复情况", "说明稿")
    await spokesperson.does("发布")
    is_on_the_bulletin(town, "人民路供水恢复情况", "四时三十分恢复供水")
    anybody_can_verify(town, "人民路主管已换管，四时三十分恢复供水。", tmp_path)

    def answered() -> bool:
        return bool(get(f"{town.world.url('ingest')}/ingest/v1/receipts/{receipt}").json()["answers"])

    until(answered, "the caller learns by the receipt that there is an answer", 20)
    await desk.finds(subject, "事项")
    await desk.main.get_by_role("link", name=re.compile("全部经过")).click()
    await desk.sees("经热线电话收到反映")
    assert "人民路" not in desk.page.url


async def test_a_rumour_about_a_school_meal_is_clarified_with_facts(town: Town) -> None:
    """The office says what is so. It asks nobody to remove anything, and names nobody.

    Since what was reported is not in line with the facts, a draft of a clarification waits for its writer. All five are
    out and have only a telephone at hand.
    """
    town.at("2026-01-05 11:40")
    subject, title = "网传东镇中学午餐变质", "关于东镇中学午餐情况的说明"
    desk, verifier, writer, leader, spokesperson = [
        await town.person(f"{post}@county-education", has_telephone=town.is_embedded)
        for post in ("duty_officer", "verifier", "handler", "approver", "spokesperson")
    ]
    said = {"来源渠道": "网络留言板", "事由": subject, "内容": "有人说今天的学校午餐发酸，好几个孩子肚子疼。"}
    await takes_a_call(desk, **said, 何时得知="11:30", 地点="东镇中学")
    await desk.does("定级", {"等级": "一般", "理由": "尚无人就诊"})
    await desk.does("确定答复类型", {"答复类型": "澄清"})
    await desk.does("交办", {"承办单位": "县教育局", "理由": "学校食堂归口教育"})
    offered = await desk.offered()

    await verifier.finds(subject, "事项")
    fact = {"事实项": "核查情况（文字）", "值": "东镇中学当日留样检测合格，无人就诊", "来源": "留样检测报告和校医记录"}
    await verifier.does("查明事实", fact)
    await verifier.does("作出核实结论", {"结论": "与事实不符或出入较大", "内容": "留样合格，当日无人就诊"})
    offered += await verifier.offered()

    await writer.finds(subject)
    await writer.does("接办")
    text = "经核查，当日午餐留样检测合格，无人就诊。检测报告可到校查看。"
    offered += await writer.offered()
    await writer.touches(writer.main.get_by_role("link", name=re.compile(r"-S\d+$")))
    await writer.does(
        "修改", {"标题": title, "内容": text, "事项已查明的事实": ["核查情况：东镇中学当日留样检测合格，无人就诊"]}
    )
    await writer.does("送审")
    await leader.finds(title, "说明稿")
    await leader.does("审核")
    offered += await leader.offered()
    await spokesperson.finds(title, "说明稿")
    await spokesperson.does("发布")
    offered += await spokesperson.offered()
    public = is_on_the_bulletin(town, title, "留样检测合格", "县教育局")
    await writer.finds(subject, "事项")
    await writer.does("解决问题", {"内容": "核查无误，已公开澄清"})
    await writer.does("办结", {"理由": "已公开澄清"})
    text = await writer.main.inner_text()
    assert "系统，按规则（答复）" in text and "system" not in text
    if town.is_embedded:
        await writer.touches(writer.main.get_by_role("link", name="可以办理"))
        await expect(writer.main.get_by_role("heading", name="可以办理")).to_be_in_viewport()
    assert not [verb for verb in offered if re.search("删|屏蔽|封|处罚", verb)], "no verb is against who wrote"
    assert "网传" not in public and NAME not in public and "孩子肚子疼" not in public


async def test_a_matter_returned_twice_is_designated_by_the_unit_above(town: Town) -> None:
    town.at("2026-01-06 09:00")
    subject = "河堤路灯杆倾斜"
    desk = await town.person("duty_officer@town-east", "handler@town-east")
    head, chief = await chiefs(town)
    await desk.acts_as("东镇 值班员")
    await takes_a_call(desk, 事由=subject, 内容="河堤上一根灯杆歪了，要倒", 何时得知="08:55", 地点="河堤")
    for unit, code in (("县交通运输局", "county-roads"), ("县住房和城乡建设局", "county-housing")):
        await desk.does("交办", {"承办单位": unit, "理由": "请核实灯杆权属"})
        bureau = await town.person(f"handler@{code}")
        await bureau.finds(subject)
        await bureau.does("退回", {"退回理由": "不属本单位职责", "理由": "灯杆不在本局名录"})
        await desk.sees("第 1 次退回" if code == "county-roads" else "第 2 次退回")
    await desk.sees("退回 2 次")
    await head.finds(subject, "事项")
    await head.does("提请上级解决", {"理由": "两个部门都说不归自己管"})
    await desk.sees("等待：指定承办")
    assert "交办" not in await desk.offered()

    await chief.finds(subject)
    await chief.does("指定承办", {"单位": "县水利局", "理由": "河堤设施由水利局管护"})
    water = await town.person("handler@county-water")
    await water.finds(subject)
    assert "退回" not in await water.offered(), "who was designated cannot give it back"
    await water.does("接办")
    await water.does("解决问题", {"内容": "灯杆已扶正加固"})


async def test_a_special_period_shows_the_hours_that_nobody_covers(town: Town) -> None:
    """By day somebody is at the desk. The period asks for the night too: one night is planned, the next one is not."""
    town.at("2026-01-08 07:50")
    head, county = await chiefs(town)
    desk = await town.person("duty_officer@town-east", "handler@town-east")
    await head.goes_to("值班")
    await head.plans(
        ("东镇 值班员", "2026-01-08 08:00", "2026-01-08 20:00"), ("东镇 值班员", "2026-01-09 08:00", "2026-01-09 20:00")
    )
    town.at("2026-01-08 08:00")
    await desk.goes_to("值班")
    await desk.does("到岗")
    await desk.sees("现在值班：东镇 值班员")

    await county.goes_to("值班")
    await county.main.get_by_role("link", name="特殊时期", exact=True).click()
    await county.opens("宣布特殊时期")
    await county.fills({"单位": "示例县", "特殊时期": "特殊时期", "理由": "大型活动"})
    await county.presses("下一步：看会变什么")
    await county.sees("改为 24 小时", "段无人排班")
    await county.presses("宣布特殊时期")
    await county.sees("已办：宣布特殊时期", "正在进行")

    await head.goes_to("值班")
    await head.sees("▲ 无人排班")
    await head.main.get_by_role("link", name=re.compile("^补排")).first.click()
    await head.plans(("东镇 经办人", "2026-01-08 20:00", "2026-01-09 08:00"))

    town.at("2026-01-09 20:30")
    await county.goes_to("事项")
    await county.main.get_by_role("link", name="值班缺岗").click()
    await county.sees("东镇", "01-09 20:00")
    await county.goes_to("值班")
    await county.main.get_by_role("link", name="特殊时期", exact=True).click()
    await county.does("结束特殊时期", {"理由": "活动结束"})
    await county.sees("已结束")


async def test_no_story_made_a_browser_complain_and_the_record_is_whole(town: Town) -> None:
    assert town.complaints == []
    town.world.check()
