"""What a stranger needs on the first day: what they chose in sight, what they decide on, what comes next."""

import re
from io import BytesIO

import pytest
from PIL import Image

from tests.console.browser import HOME, Page
from tests.console.conftest import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")


def ticked(page: Page, name: str) -> tuple[list[str], list[str]]:
    """The values of the checkboxes of a name in their order, and those that are ticked."""
    boxes = re.findall(rf'<input type="checkbox" name="{name}"[^>]* value="([^"]*)"( checked)?', page.text)
    return [value for value, _ in boxes], [value for value, is_ticked in boxes if is_ticked]


async def test_posts_that_are_chosen_stand_first_in_a_long_list(town: Town) -> None:
    admin = await town.at("admin@city")
    own = await town.person("handler@town-west", "verifier@town-west")
    account = next(one for one in await town.system.console.site.accounts.all() if one.login == own)  # type: ignore[union-attr]
    for path, held in (
        (f"/accounts/{account.id}", {"handler@town-west", "verifier@town-west"}),
        ("/accounts?post=handler@county-water", {"handler@county-water"}),
    ):
        shown, chosen = ticked(await admin.open(path), "posts")
        assert set(chosen) == held == set(shown[: len(held)]), path


async def test_a_password_is_reset_with_a_second_press(town: Town) -> None:
    """One press beside another link must not lock a colleague out."""
    page = await (await town.at("admin@city")).open("/accounts")
    for action, said in (("recover", "确定重置"), ("end", "确定停用")):
        (form, *_) = re.findall(rf'<form method="post" action="{HOME}/accounts/[^/"]+/{action}">.*?</form>', page.text)
        assert (said in form and "不能恢复" in form) or "失效" in form
        assert page.text[: page.text.index(form)].endswith("</summary>"), "it stands folded"


async def test_the_pages_of_an_account_lead_back(town: Town) -> None:
    browser = await town.at("duty_officer@town-east", "verifier@town-east")
    for path in ("/account/password", "/account/codes", "/post"):
        assert f"{HOME}/inbox" in (await browser.open(path)).links, path


async def test_whoever_verifies_reads_what_is_asked_and_the_matter_keeps_what_was_found(town: Town) -> None:
    desk, verifier = await town.at("duty_officer@town-east"), await town.at("verifier@town-east")
    own = (await town.reported(desk, "围墙倾斜", place="西街")).path.removeprefix(HOME)
    await town.done(desk, f"{own}/triage/request-verification", unit="town-east", text="到现场看裂缝多长")
    page = await verifier.open(own)
    assert "要求核实： 到现场看裂缝多长" in page.said
    assert "等您办的 作出核实结论" in page.said, "although the matter waits for its assignment"
    await town.done(verifier, f"{own}/triage/conclude-verification", outcome="confirmed", text="裂缝约三米")
    assert "情况属实" in (said := (await desk.open(own)).said) and "核实情况： 裂缝约三米" in said


async def test_the_form_of_a_fact_says_how_its_value_is_written(town: Town) -> None:
    desk, verifier = await town.at("duty_officer@town-east"), await town.at("verifier@town-east")
    own = (await town.reported(desk, "路面塌陷", place="东街")).path.removeprefix(HOME)
    await town.done(desk, f"{own}/triage/request-verification", unit="town-east")
    form = f"{own}/triage/establish-fact"
    said = (await verifier.open(form)).said
    for listed in (
        "面积（数字，单位平方米）",
        "是否现场核查（是或否）",
        "原因类别（从列出的选）",
        "只写数字，如 4，不写单位",
    ):
        assert listed in said, listed
    refused = await verifier.send(await verifier.open(form), form, key="area", value="四平方米", source="现场查看")
    assert (
        refused.status == 422
        and "只写阿拉伯数字，如 4；单位已经写在事实项里，不用写" in refused.said.partition("还有要改的地方")[2]
    )
    for key, value, shown in (("area", "4平方米", "4平方米"), ("cause_kind", "老化损坏", "老化损坏")):
        await town.done(verifier, form, key=key, value=value, source="现场查看")
        assert shown in (said := (await verifier.open(own)).said) and "wear" not in said


async def test_posts_stand_under_their_units_the_own_one_first(town: Town) -> None:
    desk = await town.at("duty_officer@town-east")
    own = (await town.reported(desk, "桥栏松动", place="东桥")).path.removeprefix(HOME)
    page = await desk.open(f"{own}/triage/hold-meeting")
    groups = re.findall(
        r'role="group" aria-label="([^"]+)"', page.text.partition("参加岗位")[2].partition("</fieldset>")[0]
    )
    offices = await town.system.console.site.offices()  # type: ignore[union-attr]
    assert groups[0] == offices.unit("town-east") and len(groups) == len(set(groups)) > 5
    assert re.findall(r'<optgroup label="([^"]+)"', page.text)[0] == groups[0]
    assert "到会的岗位" in page.said
    members = dict(offices.members(["leading_group@city"]))
    assert "chief@city" in members and not offices.members(["chief@city"])


async def test_evidence_of_a_fact_is_chosen_among_the_files_of_the_reports(town: Town) -> None:
    desk, verifier = await town.at("duty_officer@town-east"), await town.at("verifier@town-east")
    own = (await town.reported(desk, "井盖翘起", place="北街")).path.removeprefix(HOME)
    await town.done(desk, f"{own}/triage/request-verification", unit="town-east")
    form = f"{own}/triage/establish-fact"
    page = await verifier.open(form)
    assert "evidence" not in page.form(form).names, "there is no file to choose"
    typed = {"key": "cause", "value": "不明", "source": "现场查看", "evidence": "no-file"}
    assert (await verifier.send(page, form, **typed)).status == 422, "what is typed while ingest is down is not dropped"
    (link,) = {one for one in (await desk.open(own)).links if one.endswith("/evidence")}
    picture = BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    page = await desk.open(link.removeprefix(HOME))
    sent = dict(page.form(link.removeprefix(HOME)).fields) | {"note": "翘起的井盖"}
    kept = await desk.client.post(link, data=sent, files={"file": ("a.png", picture.getvalue(), "image/png")})
    assert kept.status_code == 200
    shown, _ = ticked(await verifier.open(form), "evidence")
    assert len(shown) == 1 and "翘起的井盖" in (await verifier.open(form)).said
    await town.done(verifier, form, key="cause", value="车辆碾压", source="现场查看", evidence=shown)


async def test_whoever_decides_reads_the_whole_text_above_the_form(town: Town) -> None:
    number, statement = await town.handled()
    chief = await town.at("chief@town-east")
    page = await chief.open(f"/statements/{statement}/approve")
    assert f"{statement} 处置情况" in page.said and "正在抢修。" in page.said
    water, text = await town.at("handler@county-water"), "水管已更换。" * 30
    concluding, found = f"/incidents/{number}/triage/conclude-verification", {"outcome": "confirmed", "text": "属实"}
    await town.done(await town.at("verifier@county-water"), concluding, **found)
    replying = f"/incidents/{number}/triage/reply"
    sent = await water.send(await water.open(replying), replying, text=text)
    assert "已送审：回复" in sent.said and "已办：回复" not in sent.said, "it is no reply before the last approval"
    page = await chief.open(f"/incidents/{number}")
    (form,) = {one for one in page.links if "/triage/approve?proposal=" in one}
    assert f'<div class="words">{text}</div>' in (await chief.open(form.removeprefix(HOME))).text


async def test_a_new_draft_leads_to_its_page_where_it_is_submitted(town: Town) -> None:
    desk, handler = await town.at("duty_officer@town-east"), await town.at("handler@town-east")
    own = (await town.reported(desk, "路牌缺字", place="南街")).path.removeprefix(HOME)
    drafting = f"/statements/new?incident={own.rpartition('/')[2]}"
    typed = {"kind": "status", "title": "路牌已更换", "text": "已更换。"}
    page = await handler.send(await handler.open(drafting), drafting, **typed)
    assert re.fullmatch(rf"{HOME}/statements/[^/?]+\?done=draft", page.path), page.path
    assert any(one.partition("?")[0].endswith("/submit") for one in page.links)


async def test_what_a_matter_waits_for_stands_first(town: Town) -> None:
    desk, handler = await town.at("duty_officer@town-east"), await town.at("handler@town-east")
    page = await town.reported(desk, "花坛垃圾", place="中街")
    own = page.path.removeprefix(HOME)

    def first(page: Page) -> list[str]:
        """What stands under "等您办的"."""
        found = re.search(r"<h3>等您办的</h3><ul>(.*?)</ul>", page.text)
        return re.findall(r"<a [^>]*>([^<]+)</a>", found[1]) if found else []

    assert first(page) == ["要求核实", "定级", "交办"], "in the order of the work"
    await town.done(desk, f"{own}/triage/grade", level="general", reason="只影响一处")
    assert first(await desk.open(own)) == ["要求核实", "交办"]
    await town.done(desk, f"{own}/triage/request-verification", unit="town-east")
    verifier = await town.at("verifier@town-east")
    assert (inbox := await verifier.open("/inbox")).said.count("花坛垃圾") and "本岗位 等待：核实" in inbox.said
    await town.done(verifier, f"{own}/triage/conclude-verification", outcome="confirmed", text="属实")
    assert first(await desk.open(own)) == ["交办"]
    await town.done(desk, f"{own}/triage/assign", unit="town-east", reason="属本镇")
    assert first(await handler.open(own)) == ["接办"]
    await town.done(handler, f"{own}/triage/accept")
    assert first(await handler.open(own)) == ["解决问题", "回复", "解释", "起草"], "all that leads on is named"
    assert first(await desk.open(own)) == [], "the handling does not wait for the desk"
    await town.done(handler, f"{own}/triage/solve", text="已清扫")
    page = await handler.open(own)
    assert first(page) == ["回复", "解释", "起草"] and "等待：办理" in page.said
    await town.done(handler, f"/statements/new?incident={page.path.rpartition('/')[2]}",
                    kind="status", title="花坛已清扫", text="已清扫。")  # fmt: skip
    await town.system.settle()
    assert first(await handler.open(own)) == ["回复", "解释", "送审"]


async def test_a_handler_goes_on_while_others_verify_or_approve(town: Town) -> None:
    desk, handler = await town.at("duty_officer@town-east"), await town.at("handler@county-water")
    verifier = await town.at("verifier@town-east")
    own = (await town.reported(desk, "水压不足", place="高处小区")).path.removeprefix(HOME)
    await town.done(desk, f"{own}/triage/request-verification", unit="town-east")
    await town.done(desk, f"{own}/triage/assign", unit="county-water")
    await town.done(handler, f"{own}/triage/accept")

    async def waits() -> list[str]:
        found = re.search(r"<h3>等您办的</h3><ul>(.*?)</ul>", (await handler.open(own)).text)
        return re.findall(r"<a [^>]*>([^<]+)</a>", found[1]) if found else []

    assert await waits() == ["解决问题", "解释", "起草"], "of all this, only a reply waits for the verification"
    await town.done(verifier, f"{own}/triage/conclude-verification", outcome="confirmed", text="属实")
    await town.done(handler, f"{own}/triage/reply", text="正在加装水泵")
    assert await waits() == ["解决问题"], "one reply waits for its approval"


async def test_a_form_says_before_it_is_sent_what_it_needs_and_how_long_texts_may_be(town: Town) -> None:
    desk, handler = await town.at("duty_officer@town-east"), await town.at("handler@town-east")
    own = (await town.reported(desk, "台阶破损", place="东街")).path.removeprefix(HOME)
    assigning = f"{own}/triage/assign"
    page = await desk.open(assigning)
    assert ">承办单位</label>" in page.text and "不选就由" not in page.said, "this pack lets the desk choose"
    refused = await desk.send(page, assigning)
    assert refused.status == 422 and "请填写“承办单位”" in refused.said
    await town.done(desk, assigning, unit="town-east")
    returning = f"{own}/triage/return"
    page = await handler.open(returning)
    assert ">退回理由</label>" in page.text, "this pack has reasons for a return"
    drafting = f"/statements/new?incident={own.rpartition('/')[2]}"
    page = await handler.open(drafting)
    assert "3 至 120 字" in page.said and "最多 100000 字" in page.said
    short = await handler.send(page, drafting, kind="status", title="台阶", text="已修。")
    assert short.status == 422 and "至少 3 字，现在有 2 字" in short.said
    english = await (await town.at("handler@town-east", language="en")).open(drafting)
    assert "3 to 120 characters" in english.said
    await town.done(handler, f"{own}/triage/accept")
    for verb in ("explain", "reply"):
        assert "反映人提问的地方" in (await handler.open(f"{own}/triage/{verb}")).said, "how the two differ"


async def test_a_receipt_tells_how_far_the_answer_is(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = await town.at("duty_officer@town-east")
    typed = {"channel": "hotline", "subject": "公厕停水", "text": "停水两天", "discovered_at": town.discovered_at}
    checked = await desk.send(await desk.open("/reports/new"), "/reports/new", **typed)
    taken = await desk.send(checked, "/reports/new", checked="yes")
    (receipt,) = set(re.findall(r"[A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{4}", taken.text))
    found = await desk.send(await desk.open("/inbox"), "/search", number=receipt)
    assert found.status == 200 and f"收据号 {receipt}" in found.said and "还没有答复" in found.said
    wrong = await desk.send(found, "/search", number="不是编号")
    assert wrong.status == 422 and "编号或收据号" in wrong.said and "number" not in wrong.said
    site = town.system.console.site  # type: ignore[union-attr]
    monkeypatch.setitem(site.clients, "ingest", type(site.clients["ingest"])(base_url="http://127.0.0.1:9"))
    away = await desk.send(found, "/search", number=receipt)
    assert "暂时不能用" in away.said and "没有办成" not in away.said, "the receipt is not wrong because ingest is away"


async def test_a_refusal_names_fields_as_the_form_does(town: Town) -> None:
    desk = await town.at("duty_officer@town-east")
    plan = "/roster/plan-duties?unit=town-east"
    typed = {"duties.0.post": "duty_officer@town-east", "duties.0.since": "22:00", "duties.0.until": "07:00"}
    page = await desk.send(await desk.open(plan), plan, **typed)
    assert page.status == 422 and "请把“结束时间”改到“开始时间”之后" in page.said, page.said


async def test_a_refusal_that_says_nothing_else_says_which_field_it_is_about(town: Town) -> None:
    admin = await town.at("admin@city")
    page = await admin.send(await admin.open("/keys"), "/keys", unit="town-east", name="12345热线")
    assert page.status == 422 and "“名称”" in page.said


async def test_the_check_of_a_report_shows_what_will_be_stored(town: Town) -> None:
    desk = await town.at("duty_officer@town-east")
    typed = {
        "channel": "hotline",
        "subject": "公厕漏水",
        "text": "请打13812345678",
        "discovered_at": "2026-11-25 21:07",
    }
    checked = await desk.send(await desk.open("/reports/new"), "/reports/new", **typed)
    assert "请打[手机号]" in checked.said and "13812345678" not in checked.said
    assert "2026年11月25日 21:07" in checked.said, "the day that was meant"
    back = await desk.send(checked, "/reports/new", checked="back")
    assert "请打13812345678" in back.text, "whoever goes back finds what was typed"
    late = await desk.send(
        await desk.open("/reports/new"), "/reports/new", **typed | {"discovered_at": "2027-11-25 21:07"}
    )
    assert late.status == 422 and "核对后送出" not in late.said, "a refusal comes before the check"


async def test_a_matter_shows_acts_and_no_milestones_that_repeat_them(town: Town) -> None:
    desk, handler = await town.at("duty_officer@town-east"), await town.at("handler@town-east")
    own = (await town.reported(desk, "站牌倒伏", place="东站")).path.removeprefix(HOME)
    await town.done(desk, f"{own}/triage/grade", level="general", reason="一处站牌")
    await town.done(desk, f"{own}/triage/assign", unit="town-east", reason="属本镇")
    await town.system.settle()
    page = await desk.open(own)
    assert "东镇经热线电话收到反映" in page.said and "节点" not in page.said
    assert "节点" in (await desk.open(f"{own}/timeline")).said, "the whole timeline has them"
    drafting = f"/statements/new?incident={own.rpartition('/')[2]}"
    await town.done(handler, drafting, kind="status", title="站牌已扶正", text="已扶正。")
    listed = await handler.open("/statements")
    assert re.search(r"站牌已扶正 起草中 阶段答复 东镇：送审", listed.said), listed.said
