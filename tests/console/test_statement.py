"""Writing and approving without script: facts beside the text, what changed, two editors, what the public sees."""

import re
from datetime import UTC, datetime

import pytest

from services.console.access import sessions
from tests.console.browser import HOME, Browser
from tests.console.conftest import PASSWORD, Town

pytestmark = pytest.mark.asyncio(loop_scope="module")
FIRST, SECOND = "人民路水管爆裂，正在抢修，预计明天早间恢复。", "人民路水管爆裂，正在抢修，预计明天晚间恢复。请绕行。"


async def _drafted(town: Town, subject: str, place: str) -> tuple[Browser, str, str]:
    """A browser of the handler, the address of a draft, and its number of the matter."""
    desk = await town.at("duty_officer@town-east")
    own = (await town.reported(desk, subject, place=place)).path.removeprefix(HOME)
    await town.done(desk, f"{own}/triage/request-verification", unit="county-water")
    verifier = await town.at("verifier@county-water")
    await town.done(verifier, f"{own}/triage/establish-fact", key="cause", value="水管老化", source="现场查看")
    handler, number = await town.at("handler@town-east"), own.rpartition("/")[2]
    await town.done(handler, f"/statements/new?incident={number}", kind="status", title="处置情况", text=FIRST)
    await town.system.settle()
    matter = await handler.open(own)
    (statement,) = {link.removeprefix(HOME) for link in matter.links if re.search(r"/statements/[\w-]+-S\d+$", link)}
    return handler, statement, own


async def test_a_text_goes_from_draft_to_correction_and_everybody_sees_what_changed(town: Town) -> None:
    handler, statement, _ = await _drafted(town, "人民路水管爆裂", "人民路")
    editor = await handler.open(f"{statement}/revise")
    assert "水管老化" in editor.said and "现场查看" in editor.said and "人民路水管爆裂" in editor.said
    action = f"{statement}/revise"
    await handler.send(editor, action, text=SECOND, facts=["cause"])
    page = await handler.open(statement)
    assert re.search(r"<ins><span class=\"hidden\">（新增）</span>晚", page.text)
    assert re.search(r"<del><span class=\"hidden\">（删去）</span>早", page.text)
    assert "增加依据： 原因" in page.said and "第 2 稿" in page.said
    await town.done(handler, f"{statement}/submit")
    waiting = await handler.open(statement)
    assert "您现在不能“同意”" in waiting.said or "您现在不能“审核" in waiting.said
    assert "分管领导" in waiting.said.partition("您现在不能")[2], "it says who may"
    approver = await town.at("approver@town-east")
    inbox = await approver.open("/inbox")
    assert f"{HOME}{statement}#difference" in inbox.links, "the inbox leads to the difference"
    assert "✓ 写审分离：已过" in inbox.said and "✓ 已标明：不涉密" in inbox.said
    assert "○ 您起草或审核过，须由别人审核" in waiting.said, "the writer sees that somebody else must approve"
    page = await approver.open(statement)
    (reject,) = [link.removeprefix(HOME) for link in page.links if f"{statement}/reject" in link]
    assert re.search(r"\?seen=\d+$", reject)
    await approver.send(
        await approver.open(reject), f"{statement}/reject?{reject.partition('?')[2]}", reason="写明绕行路线"
    )
    page = await handler.open(statement)
    assert "写明绕行路线" in page.said and re.search(r"驳回 第 2 稿", page.said)


async def test_what_was_stated_of_secrecy_comes_back_and_stands_in_words(town: Town) -> None:
    handler, statement, _ = await _drafted(town, "电缆外露", "学校路")
    action = f"{statement}/revise"

    async def stated(browser: Browser, form: str) -> dict[str, str]:
        fields = (await browser.open(f"{statement}/{form}")).form(f"{statement}/{form}").fields
        return {name: value for name, value in fields if name in ("secret", "major_information")}

    assert await stated(handler, "revise") == {"secret": "no", "major_information": "no"}
    assert "是否涉密（可不填）" not in (await handler.open(action)).said, "one of the two is always chosen"
    page = await handler.open(statement)
    assert "✓ 已标明：不涉密" in page.said and "✓ 已标明：不属重大信息" in page.said
    await handler.send(await handler.open(action), action, major_information="yes")
    assert await stated(handler, "revise") == {"secret": "no", "major_information": "yes"}
    assert "◆ 已标明：属重大信息" in (await handler.open(statement)).said
    await town.done(handler, f"{statement}/submit")
    approver = await town.at("approver@town-east")
    assert (await stated(approver, "approve"))["major_information"] == "yes", "who approves sees it, too"


async def test_separate_persons_are_no_warning_and_nothing_after_the_approval(town: Town) -> None:
    handler, statement, _ = await _drafted(town, "树枝断落", "公园里")
    for before in ("drafted", "submitted"):
        page = await handler.open(statement)
        assert "您起草或审核过，须由别人审核" in page.said and "▲ 写审分离" not in page.said, before
        assert "您起草或审核过" not in (await (await town.at("approver@town-east")).open(statement)).said
        if before == "drafted":
            await town.done(handler, f"{statement}/submit")
    approver = await town.at("approver@town-east")
    await town.done(approver, f"{statement}/approve")
    for browser in (handler, approver):
        page = await browser.open(statement)
        assert "审核前的检查" in page.said and "您起草或审核过" not in page.said and "写审分离" not in page.said
    speaker, publishing = await town.at("spokesperson@town-east"), f"{statement}/publish"
    timed = await speaker.send(
        await speaker.open(publishing), publishing, at=f"{datetime.now(UTC).year + 1}-01-02 09:00"
    )
    assert "已办：定时发布" in timed.said and "已办：发布" not in timed.said, "nothing is published yet"


async def test_approval_counts_only_for_what_was_read(town: Town) -> None:
    handler, statement, _ = await _drafted(town, "井盖缺失", "幸福里")
    await town.done(handler, f"{statement}/submit")
    approver = await town.at("approver@town-east")
    page = await approver.open(statement)
    (link,) = [link.removeprefix(HOME) for link in page.links if f"{statement}/approve" in link]
    opened = await approver.open(link)
    await town.done(handler, f"{statement}/revise", text=SECOND)
    await town.done(handler, f"{statement}/submit")
    refused = await approver.send(opened, link)
    assert refused.status == 412 and "别人已经办了一步" in refused.said
    late = await approver.open(link)
    assert "别人已经办了一步" in late.said, "the page of the link was older than the text"


async def test_two_editors_lose_no_text(town: Town) -> None:
    one, statement, _ = await _drafted(town, "路灯不亮", "卫生院")
    other = await town.at("handler@town-east")
    action = f"{statement}/revise"
    mine, theirs = await one.open(action), await other.open(action)
    await other.send(theirs, action, text=FIRST.replace("早间", "夜间"))
    stale = await one.send(mine, action, text=SECOND, facts=["cause"])
    assert stale.status == 412 and SECOND in stale.text, "what was typed stays"
    assert "夜" in stale.text and re.search(r"<ins>.*夜", stale.text), "and what the other wrote is shown"
    saved = await one.send(stale, action, text=SECOND, facts=["cause"])
    assert "已办" in saved.said and "晚间恢复" in saved.said


async def test_a_save_without_a_change_says_so_and_unticked_facts_go(town: Town) -> None:
    handler, statement, _ = await _drafted(town, "河道排污", "南桥")
    action = f"{statement}/revise"
    same = await handler.send(await handler.open(action), action)
    assert (same.status == 409 and "没有改动" in same.said) or "没有另存" in same.said
    await handler.send(await handler.open(action), action, facts=["cause"])
    assert "依据的事实 原因" in (await handler.open(statement)).said
    await handler.send(await handler.open(action), action, facts=[])
    assert "依据的事实" not in (await handler.open(statement)).said.partition("公众将看到的样子")[0]


async def test_a_waiver_is_seen_changed_and_taken_back_in_the_editor(town: Town) -> None:
    handler, statement, _ = await _drafted(town, "井盖缺失", "东街")
    action, text = f"{statement}/revise", "出动车三台，17时到场。"
    waived = {"waive.0.figures": "三台\n17时", "waive.0.reason": "办理安排"}
    await handler.send(await handler.open(action), action, text=text, **waived)
    assert "没有引用事实" not in (await handler.open(action)).said, "both are waived"
    await handler.send(await handler.open(action), action, text=text, **{"waive.0.figures": "三台"})
    editor = await handler.open(action)
    assert dict(editor.form(action).fields)["waive.0.figures"] == "三台" and "数字没有引用事实" in editor.said
    await handler.send(editor, action, text=text, **{"waive.0.figures": "", "waive.0.reason": ""})
    assert "办理安排" not in (await handler.open(action)).said


async def test_what_stands_against_a_text_is_named_in_the_language_of_the_page(town: Town) -> None:
    handler, statement, own = await _drafted(town, "路灯不亮", "西门外")
    verifier = await town.at("verifier@county-water")
    await town.done(verifier, f"{own}/triage/establish-fact", key="lamps", value="12", source="现场查看")
    await town.system.settle()
    action = f"{statement}/revise"
    await handler.send(await handler.open(action), action, text="13盏路灯不亮，县教育局参与。")
    english = await town.at("handler@town-east", language="en-GB")
    for page in (statement, action):
        said = (await english.open(page)).said
        assert "differs from an established fact" in said and "Street lamps" in said and "路灯数量" not in said, page
        assert "no reason is given" in said, "it says what is missing"


async def test_who_approves_sees_what_was_waived_and_the_writer_finds_what_came_back(town: Town) -> None:
    handler, statement, _ = await _drafted(town, "路沿石松动", "西关")
    action = f"{statement}/revise"
    waived = {"waive.0.figures": "三台", "waive.0.reason": "办理安排"}
    await handler.send(await handler.open(action), action, text="出动车三台。", **waived)
    number = statement.rpartition("/")[2]
    assert number not in (await handler.open("/inbox")).said, "a draft lies where its writer left it"
    await town.done(handler, f"{statement}/submit")
    approver = await town.at("approver@town-east")
    for page in (statement, f"{statement}/approve", f"{statement}/reject"):
        said = (await approver.open(page)).said
        waiver = said.partition("没有引用事实的数字和单位：")[2]
        assert re.match(r"\s*三台\s*：\s*办理安排", waiver), (page, waiver[:60])
    back = {"gate": "text_check", "passed": "no", "reason": "没有讲清"}
    await town.done(approver, f"{statement}/check", **back)
    inbox = (await handler.open("/inbox")).said
    assert number in inbox and "没有讲清" in inbox.partition("待我处理")[0]
    assert "检查未通过，退回 文字审核" in (await handler.open(statement)).said
    await town.done(handler, f"{statement}/submit")
    assert number not in (await handler.open("/inbox")).said


async def test_a_preview_is_the_page_of_the_bulletin(town: Town) -> None:
    handler, statement, _ = await _drafted(town, "垃圾清运不及时", "北街")
    saved = await handler.open(f"{statement}/preview")
    assert saved.status == 200 and FIRST in saved.text and "还没有公开" in saved.text
    assert "/bulletin/style.css" in saved.text and "default-src 'none'" in saved.headers["content-security-policy"]
    editor = await handler.open(f"{statement}/revise")
    form = dict(editor.form(f"{statement}/revise").fields)
    typed = await handler.client.post(f"{HOME}{statement}/preview", data=form | {"text": "还没有保存的<b>"})
    assert "还没有保存的&lt;b&gt;" in typed.text
    stranger = await town.at("handler@town-west")
    assert (await stranger.open(f"{statement}/preview")).status == 404


async def test_who_drafts_sees_the_page_of_the_bulletin_before_anything_is_saved(town: Town) -> None:
    desk, handler = await town.at("duty_officer@town-east"), await town.at("handler@town-east")
    own = (await town.reported(desk, "公厕停用", place="西街")).path.removeprefix(HOME)
    address = f"/statements/new?incident={own.rpartition('/')[2]}"
    editor = await handler.open(address)
    (to,) = re.findall(r'formaction="([^"]+)" formtarget="_blank"', editor.text)
    form = dict(editor.form(address).fields)
    for typed in ({}, {"kind": "status", "title": "公厕维修", "text": "写了一半<b>", "facts": []}):
        looked = await handler.client.post(to, data=form | typed)
        assert looked.status_code == 200 and "还没有公开" in looked.text and "保存以后才有" in looked.text
    assert "写了一半&lt;b&gt;" in looked.text and "公厕维修" in looked.text and "处置情况" in looked.text
    assert "/bulletin/style.css" in looked.text and looked.headers["cache-control"] == "no-store"
    assert "公厕维修" not in (await handler.open("/statements")).said, "nothing is stored"
    stranger = await town.at("handler@town-west")
    assert (await stranger.client.post(to, data=form)).status_code in (403, 404)


async def test_a_statement_that_was_published_leads_to_its_page_on_the_bulletin(town: Town) -> None:
    handler, statement, _ = await _drafted(town, "桥面裂缝", "南桥")
    public = f"/bulletin{statement}"
    await town.done(handler, f"{statement}/submit")
    await town.done(await town.at("approver@town-east"), f"{statement}/approve")
    assert public not in (await handler.open(statement)).links, "there is no such page yet"
    await town.done(await town.at("spokesperson@town-east"), f"{statement}/publish")
    assert public in (await handler.open(statement)).links
    site = town.system.console.site  # type: ignore[union-attr]
    shown = await site.clients["publish"].get(public)
    assert shown.status_code == 200 and FIRST in shown.text


async def test_a_session_that_ends_in_a_form_loses_no_word_and_shows_it_to_nobody_else(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, one = await town.at("duty_officer@town-east"), town.browser()
    own = (await town.reported(desk, "噪声扰民到深夜", place="北街夜市")).path.removeprefix(HOME)
    login, other = await town.person("duty_officer@town-east"), await town.person("duty_officer@town-east")
    await one.sign_in(login, PASSWORD)
    action = f"{own}/triage/grade"
    page = await one.open(action)
    with monkeypatch.context() as ended:
        ended.setattr(sessions, "IDLE", -1)
        signed_out = await one.send(page, action, level="major", reason="写了很久的理由")
    assert signed_out.path.startswith(f"{HOME}/sign-in?next=") and "写了很久" not in signed_out.text
    stranger = town.browser()
    await stranger.sign_in(other, PASSWORD)
    assert "写了很久的理由" not in (await stranger.open(action)).text
    back = await one.send(signed_out, "/sign-in", login=login, password=PASSWORD)
    assert back.path == HOME + action and "写了很久的理由" in back.text and "已放回" in back.said
    assert "已办" in (await one.send(back, action)).said
    assert "写了很久的理由" not in (await one.open(action)).text, "it is given back once"


async def test_one_person_keeps_one_form_so_that_nobody_takes_the_room_of_others(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, one = await town.at("duty_officer@town-east"), town.browser()
    own = (await town.reported(desk, "占道经营", place="南街")).path.removeprefix(HOME)
    login = await town.person("duty_officer@town-east")
    await one.sign_in(login, PASSWORD)
    action = f"{own}/triage/grade"
    page = await one.open(action)
    assert town.system.console is not None
    monkeypatch.setattr(sessions, "IDLE", -1)
    for number in range(4):
        typed = dict(page.form(action).fields) | {"reason": f"理由{number}"}
        await one.client.post(f"{HOME}{action}?again={number}", data=typed, follow_redirects=False)
    assert [form["reason"] for form, _ in town.system.console.site._typed.values()] == ["理由3"]
    long = dict(page.form(action).fields) | {"reason": "x" * 150_000}
    await one.client.post(HOME + action, data=long, follow_redirects=False)
    assert not town.system.console.site._typed, "what no service would take is not kept"


async def test_the_form_says_whose_key_signs_and_the_history_whether_it_holds(town: Town) -> None:
    handler, statement, _ = await _drafted(town, "护栏松动", "滨河路")
    await town.done(handler, f"{statement}/submit")
    approver = await town.at("approver@town-east")
    assert "密钥签名，签的就是这段文字" in (await approver.open(f"{statement}/approve")).said
    assert "密钥签名" not in (await handler.open(f"{statement}/revise")).said, "a draft is signed by nobody"
    await town.done(approver, f"{statement}/approve")
    page = await handler.open(statement)
    (key,) = re.findall(r'✓ 已由[^<]+的密钥签名</span> <code title="([0-9a-f]{64})">', page.text)
    listed = await (await town.at("admin@county")).open("/keys")
    assert key[:16] in listed.said and "正在使用" in listed.said
    assert "huiying keys post list" in listed.said
