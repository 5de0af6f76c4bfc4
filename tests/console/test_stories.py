"""Stories in Chromium: answers from the draft to the citizen who checks them, a finding with a hearing, a review."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, expect
from playwright.async_api import Page as Tab

from services.audit.log import signing as log_signing
from tests.console.browser import HOME
from tests.console.conftest import Desk, faults
from tests.console.test_review import steady
from tests.kernel.test_pictures import TAKEN

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.chromium]
TELEPHONE = {"viewport": {"width": 360, "height": 740}}
TITLE = "幸福里小区停水通告"
NOTICE = "因供水管网检修，11月30日8时至17时幸福里小区停水，请提前储水。\n咨询电话见小区公告栏。"
STREET, FIRST, SECOND = "北桥路停水", "北桥路停水的情况", "北桥路停水情况的更正"
COLLAPSED, VIEW = "西桥路塌陷", "当日通信中断，已电话报告县值班室。"
TOLD = "北桥路停水涉及{{fact:households}}，正在抢修。"


@dataclass
class Clerk:
    """A person at a post, who reaches everything by pages."""

    desk: Desk
    context: BrowserContext
    page: Tab

    async def list(self, path: str) -> None:
        """Opens a page that the navigation leads to."""
        await self.desk.open(self.page, "/inbox")
        await self.page.locator(f"nav a[href='{HOME}{path}']").first.click()

    async def follow(self, name: str) -> None:
        """Follows a link of the page, which may take until a view has it."""
        async with asyncio.timeout(15):
            while not await (link := self.page.get_by_role("link", name=name).first).is_visible():
                await self.page.reload()
        await link.click()

    async def does(self, verb: str, **typed: str) -> None:
        """Opens a verb that the page offers, fills in its form and sends it."""
        await self.page.locator("#may").get_by_role("link", name=verb, exact=True).first.click()
        await self.sends(verb, **typed)

    async def sends(self, verb: str, **typed: str) -> None:
        """Fills in the form of the page and sends it."""
        for name, text in typed.items():
            field = self.page.locator(f"main [name='{name}']:not([type=hidden])")
            match await field.first.evaluate("field => field.type"):
                case "radio" | "checkbox":
                    await self.page.locator(f"main [name='{name}'][value='{text}']").check()
                case "select-one":
                    await field.select_option(text)
                case _:
                    await field.fill(text)
        await self.page.locator("button.main").click()
        await expect(self.page.locator("#done")).to_contain_text(f"已办：{verb}")


async def clerk(desk: Desk, *posts: str) -> Clerk:
    """A person with these posts."""
    return Clerk(desk, *(await desk.at(*posts)))


async def citizen(desk: Desk) -> Clerk:
    """Somebody without an account, at a telephone."""
    return Clerk(desk, *(await desk.at(**TELEPHONE)))


async def pastes(one: Clerk, text: str) -> None:
    """Pastes a text on the page of the check, which the bulletin leads to."""
    await one.page.goto(f"{one.desk.address}/bulletin/")
    await one.page.get_by_role("link", name="真伪核验").first.click()
    await one.page.fill("#text", text)
    await one.page.get_by_role("button", name="核验", exact=True).click()
    await expect(one.page.locator(".verdict")).to_be_visible()
    assert await one.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), one.page.url
    assert await faults(one.page) == []


async def test_a_forged_notice_is_found_out_by_a_citizen(desk: Desk, tmp_path: Path) -> None:
    writer = await clerk(desk, "handler@town-east")
    await writer.list("/statements")
    await writer.follow("起草通告（不涉及具体事项）")
    await writer.sends("起草", title=TITLE, text=NOTICE)
    await writer.page.get_by_role("link", name="附件和图片").click()
    picture = tmp_path / "shown.jpg"
    picture.write_bytes(TAKEN)
    await writer.page.locator("[name=file]").set_input_files(picture)
    await writer.page.locator("[name=title]").fill("检修路段示意图")
    await writer.page.get_by_label("没有", exact=True).check()
    await writer.page.get_by_role("button", name="存入").click()
    await writer.page.get_by_role("link", name="回到稿件").click()
    await writer.does("送审")
    number = writer.page.url.rpartition("/")[2].partition("?")[0]
    leader = await clerk(desk, "approver@town-east")
    await leader.list("/inbox")
    await leader.follow(TITLE)
    await leader.does("检查", gate="secrecy_check", passed="yes")
    await leader.does("审核")
    await expect(leader.page.locator(".timeline")).to_contain_text("✓ 已由东镇 分管领导的密钥签名")
    speaker = await clerk(desk, "spokesperson@town-east")
    await speaker.list("/inbox")
    await speaker.follow(TITLE)
    await speaker.does("发布")

    neighbour = await citizen(desk)
    await pastes(neighbour, f"{TITLE}\n{NOTICE.replace('17时', '11时')}")
    verdict = neighbour.page.locator(".verdict")
    await expect(verdict.locator("h2")).to_have_text("没有发布过这样的文字")
    marked = await verdict.locator(".difference").first.locator("del, ins").all_inner_texts()
    assert marked == ["［公告］17", "［粘贴］11"]
    await verdict.get_by_role("link", name="查看公告").click()
    await expect(neighbour.page.locator("h1")).to_have_text(TITLE)
    await expect(neighbour.page.locator("main")).to_contain_text("至17时")
    shown = neighbour.page.locator("main .files img")
    await expect(shown).to_have_attribute("alt", "检修路段示意图")
    assert await shown.evaluate("async image => { await image.decode(); return image.naturalWidth }")
    assert await faults(neighbour.page) == []
    code = tmp_path / "code.png"
    await neighbour.page.locator(".code img").screenshot(path=code)

    await pastes(neighbour, f"{TITLE}\n{NOTICE}")
    await expect(verdict.locator("h2")).to_have_text("发布过，现在仍是这样写的")
    for told in ("东镇", "发布时间", number):
        await expect(verdict).to_contain_text(told)
    await neighbour.page.locator("#picture").set_input_files(code)
    await expect(verdict.locator("h2")).to_have_text("本公告栏发布过这份公告")
    await expect(verdict).to_contain_text("至17时")
    for one in (writer, leader, speaker, neighbour):
        await one.context.close()
    assert desk.complaints == []


@pytest.mark.requirement("PUB-14")
async def test_a_statement_whose_fact_was_revised_is_corrected_for_everybody_to_see(desk: Desk) -> None:
    officer, checker = await desk.town.at("duty_officer@town-east"), await clerk(desk, "verifier@county-water")
    own = (await desk.town.reported(officer, STREET, "早上开始没水", place="北桥路")).path.removeprefix(HOME)
    await desk.town.done(officer, f"{own}/triage/request-verification", unit="county-water")
    await checker.list("/inbox")
    await checker.follow(STREET)
    await checker.does("查明事实", key="households", value="120", source="现场统计")
    await checker.does("作出核实结论", outcome="confirmed", text="北桥路停水属实")
    writer = await clerk(desk, "handler@town-east")
    await writer.list("/board")
    await writer.follow(STREET)
    await writer.does("起草", kind="facts", title=FIRST, text=TOLD, facts="households")
    await expect(writer.page.locator("main")).to_contain_text("事项尚未定级，无法确定由谁审核；请先定级。")
    await desk.town.done(officer, f"{own}/triage/grade", level="general", reason="影响一条街")
    await writer.page.reload()
    await writer.does("送审")
    leader, speaker = await clerk(desk, "approver@town-east"), await clerk(desk, "spokesperson@town-east")
    for one, verb in ((leader, "审核"), (speaker, "发布")):
        await one.list("/inbox")
        await one.follow(FIRST)
        await one.does(verb)

    await checker.page.get_by_label("按编号或收据号打开").fill(own.rpartition("/")[2])
    await checker.page.get_by_role("button", name="打开").click()
    await checker.does("查明事实", key="households", value="150", source="逐户核对")
    await writer.list("/inbox")
    row = writer.page.locator("li", has_text=FIRST)
    await expect(row).to_contain_text("发布之后事实已经更正：涉及户数，现为150户。")
    await expect(row.locator("[data-due]")).to_contain_text("事实更正后的更新")
    await writer.follow(FIRST)
    await expect(writer.page.locator("main")).to_contain_text("涉及户数，现为150户")
    await writer.follow("起草新的一份")
    for name, text in (("title", SECOND), ("text", f"{TOLD}水车已到。")):
        await writer.page.fill(f"main [name={name}]", text)
    await writer.page.get_by_role("button", name="比较：与先前公开的差别").click()
    compared = writer.page.locator("#compared")
    await expect(compared.locator("del").last).to_contain_text("120")
    await expect(compared.locator("ins").nth(-2)).to_contain_text("150")
    await writer.sends("起草", kind="facts", facts="households")
    await writer.does("送审")
    for one, verb in ((leader, "审核"), (speaker, "发布")):
        await one.list("/inbox")
        await one.follow(SECOND)
        if one is leader:
            await expect(one.page.get_by_role("heading", name="与先前公开的差别")).to_be_visible()
        await one.does(verb)
    await writer.list("/inbox")
    await expect(writer.page.locator("main")).not_to_contain_text(FIRST)

    neighbour = await citizen(desk)
    await pastes(neighbour, f"{FIRST}\n北桥路停水涉及120户，正在抢修。")
    verdict = neighbour.page.locator(".verdict")
    await expect(verdict.locator("h2")).to_have_text("发布过，写到的事实后来已更正")
    await verdict.get_by_role("link", name=SECOND).click()
    await expect(neighbour.page.locator("main")).to_contain_text("涉及150户")
    await neighbour.page.get_by_role("link", name=FIRST).click()
    await expect(neighbour.page.locator("main")).to_contain_text("涉及120户")
    await expect(neighbour.page.locator(".notice.corrected")).to_contain_text(SECOND)
    await expect(neighbour.page.locator(".marks")).to_contain_text("事实已更正")
    for one in (checker, writer, leader, speaker, neighbour):
        await one.context.close()
    assert desk.complaints == []


@pytest.mark.requirement("AUD-07")
async def test_a_report_that_was_kept_back_ends_in_a_confirmed_finding_after_the_office_was_heard(desk: Desk) -> None:
    officer = await desk.town.at("duty_officer@town-east")
    long_ago = (datetime.now(UTC) - timedelta(days=40)).strftime("%Y-%m-%d 08:00")
    own = (await desk.town.reported(officer, COLLAPSED, place="西桥路", discovered_at=long_ago)).path.removeprefix(HOME)
    await desk.town.done(officer, f"{own}/triage/grade", level="major", reason="路面塌陷")

    leader = await clerk(desk, "chief@town-east")
    await leader.list("/inbox")
    await leader.follow("获知时间“立即上报（领导小组）”早已到期")
    shown = leader.page.locator("main")
    for told in ("瞒报", "文件没有规定，本系统定的", "东镇立案", "还没有决定"):
        await expect(shown).to_contain_text(told)
    await leader.does("陈述意见", text=VIEW)
    await expect(leader.page.locator("#may")).to_contain_text("本岗位现在没有可办的事")
    await leader.list("/inbox")
    await expect(leader.page.locator("main")).not_to_contain_text("立即上报")

    reviewer = await clerk(desk, "auditor@county")
    await reviewer.list("/findings")
    await reviewer.page.get_by_text("筛选").first.click()
    await reviewer.page.select_option("#by-state", "heard")
    await reviewer.page.get_by_role("button", name="应用").click()
    await reviewer.follow("获知时间“立即上报（领导小组）”早已到期")
    await expect(reviewer.page.locator("main")).to_contain_text(VIEW)
    await reviewer.page.locator("#may").get_by_role("link", name="认定成立", exact=True).click()
    await expect(reviewer.page.locator("main")).to_contain_text(VIEW)
    await reviewer.sends("认定成立", reason="值班记录没有当日电话")
    await expect(reviewer.page.locator("main")).to_contain_text("▲ 已认定成立")
    assert await faults(reviewer.page) == []
    places = (
        "/findings",
        "/record",
        "/record/log",
        "/record/archives",
        "/record/readings",
        "/record/matters",
        f"{own}/archive",
    )
    for path in places:
        await desk.open(reviewer.page, path)
        assert await faults(reviewer.page) == []
        await reviewer.page.set_viewport_size({"width": 320, "height": 740})
        assert await reviewer.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        await reviewer.page.set_viewport_size({"width": 1280, "height": 720})

    teller = await clerk(desk, "duty_officer@town-east")
    await desk.open(teller.page, own)
    await teller.follow("获知时间“立即上报（领导小组）”早已到期")
    for told in (VIEW, "值班记录没有当日电话", "示例县 督查员"):
        await expect(teller.page.locator("main")).to_contain_text(told)
    await teller.page.set_viewport_size({"width": 360, "height": 740})
    assert await teller.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for one in (leader, reviewer, teller):
        await one.context.close()
    assert desk.complaints == []


@pytest.mark.requirement("AUD-04")
async def test_a_review_goes_from_its_draft_to_the_leader_who_signs_for_it(desk: Desk) -> None:
    own = await steady(desk.town, "西桥路积水")
    writer, leader = await clerk(desk, "duty_officer@town-east"), await clerk(desk, "chief@town-east")
    await desk.open(writer.page, own)
    await writer.page.locator(f"a[href='{HOME}{own}/review']").click()
    await expect(writer.page.locator("main")).to_contain_text("系统起草，等单位修改")
    assert await faults(writer.page) == []
    await writer.does("修改总结", text="# 事情经过\n\n首次说明偏迟。", english="")
    await expect(writer.page.locator("main")).to_contain_text("首次说明偏迟。")
    for size in ({"width": 320, "height": 740}, {"width": 1280, "height": 720}):
        await writer.page.set_viewport_size(size)  # type: ignore[arg-type]
        assert await writer.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), size
    async with writer.context.expect_page() as opened:
        await writer.page.get_by_role("link", name="打印样").first.click()
    paper = await opened.value
    await expect(paper.locator("h1")).to_contain_text("总结报告")
    assert await paper.locator("figure svg title").count() > 0

    await desk.open(leader.page, f"{own}/review")
    await leader.does("通过总结")
    await expect(leader.page.locator("main")).to_contain_text("✓ 已通过")
    await desk.open(writer.page, f"{own}/review")
    await writer.page.locator("#may").get_by_role("link", name="送主要领导").click()
    await writer.sends("上报")
    await desk.open(leader.page, f"{own}/review")
    await leader.follow("回执")
    await leader.sends("回执", accepted="yes")
    await desk.open(leader.page, f"{own}/review")
    await expect(leader.page.locator("main")).not_to_contain_text("还没有签收")
    await desk.open(leader.page, "/record/lessons")
    assert await faults(leader.page) == []
    for one in (writer, leader):
        await one.context.close()
    assert desk.complaints == []


async def test_an_event_of_the_timeline_is_checked_in_a_browser_that_sends_nothing(desk: Desk, tmp_path: Path) -> None:
    await desk.town.system.settle()
    await log_signing.sign(desk.town.system.runtimes["audit"])
    reader = await clerk(desk, "auditor@county")
    await desk.open(reader.page, "/record/log")
    key = await reader.page.locator("main table code").first.inner_text()
    await desk.open(reader.page, f"/incidents/{desk.number}/timeline")
    await reader.page.locator("a.proof").first.click()
    saved = {}
    for name in ("存下事件", "存下证明"):
        async with reader.page.expect_download() as given:
            await reader.page.get_by_role("link", name=name).click()
        saved[name] = tmp_path / (await given.value).suggested_filename
        await (await given.value).save_as(saved[name])
    async with reader.context.expect_page() as opened:
        await reader.page.get_by_role("link", name="自己核验").click()
    check, asked = await opened.value, list[str]()
    await check.wait_for_load_state()
    check.on("request", lambda request: asked.append(request.url))
    await check.fill("#key", key)
    await check.set_input_files("#event-file", saved["存下事件"])
    await check.set_input_files("#proof-file", saved["存下证明"])
    await check.locator("button").click()
    await expect(check.locator("#told.good")).to_be_visible()
    assert asked == [], "nothing is sent"
    await reader.context.close()
    assert desk.complaints == []
