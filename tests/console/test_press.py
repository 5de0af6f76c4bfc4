"""The press part of a matter without script: who speaks, a conference, what media were given."""

import re

import pytest

from tests.console.browser import HOME
from tests.console.conftest import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")
TEXT = "人民路水管已修好，恢复供水。"


@pytest.mark.requirement("PUB-18")
async def test_a_speaker_is_fixed_a_text_that_differs_is_refused_and_the_approved_one_is_kept(town: Town) -> None:
    desk = await town.at("duty_officer@town-east")
    own = (await town.reported(desk, "人民路停水", place="人民路")).path.removeprefix(HOME)
    number = own.rpartition("/")[2]
    handler = await town.at("handler@town-east")
    await town.done(handler, f"/statements/new?incident={number}", kind="status", title="供水情况", text=TEXT)
    await town.system.settle()
    matter = await handler.open(own)
    assert f"{HOME}{own}/press" in matter.links
    (statement,) = {link.removeprefix(HOME) for link in matter.links if "-S0" in link}
    chief = await town.at("chief@town-east")
    assert "按职务发布" in (await chief.open(f"{own}/press")).said
    fixed = {"speaks": ["publicity@town-east"], "interviews": ["chief@town-east"], "reason": "会议"}
    await town.done(chief, f"{own}/press/fix-speakers", **fixed)
    page = await chief.open(f"{own}/press")
    assert "只由这些岗位发布" in page.said and "宣传部门" in page.said
    await town.done(chief, f"{own}/press/call-conference", at="1-2 9:00", place="会议室", reason="通报情况")
    (called,) = [link for link in (await chief.open(f"{own}/press")).links if "postpone-conference" in link]
    shown = (await chief.open(called.removeprefix(HOME))).text
    assert re.search(r">东镇 会议室 [^<T]*09:00</option>", shown), "in the zone of the unit"
    await town.done(handler, f"{statement}/submit")
    await town.done(await town.at("approver@town-east"), f"{statement}/approve")
    publisher = await town.at("spokesperson@town-east")
    assert f"{HOME}{statement}/publish" not in " ".join((await publisher.open(statement)).links)
    action = f"{own}/press/log-contact"
    given = {
        "statement": statement.rpartition("/")[2], "medium": "县融媒体中心", "how": "telephone",
        "spoke": "publicity@town-east",
    }  # fmt: skip
    form = await handler.open(action)
    refused = await handler.send(form, action, **given, text=TEXT.replace("已修好", "未修好"))
    assert "“未”" in refused.said and "“已”" in refused.said
    await handler.send(refused, action, **given, text=TEXT)
    page = await handler.open(f"{own}/press")
    assert "县融媒体中心" in page.said and TEXT in page.text
    english = await handler.open(f"{own}/press?lang=en")
    assert english.path


async def test_a_public_text_with_a_revised_fact_comes_into_the_inbox_until_it_is_corrected(town: Town) -> None:
    desk = await town.at("duty_officer@town-east")
    own = (await town.reported(desk, "新华路停水", place="新华路")).path.removeprefix(HOME)
    number, handler = own.rpartition("/")[2], await town.at("handler@town-east")
    await town.done(desk, f"{own}/triage/request-verification", unit="county-water")
    verifier = await town.at("verifier@county-water")
    await town.done(verifier, f"{own}/triage/establish-fact", key="cause", value="水管老化", source="现场查看")
    await town.system.settle()
    told = {"kind": "status", "title": "停水情况", "text": "停水的有关情况已经查明。", "facts": ["cause"]}
    await town.done(handler, f"/statements/new?incident={number}", **told)
    await town.system.settle()
    (statement,) = {link.removeprefix(HOME) for link in (await handler.open(own)).links if "-S0" in link}
    publisher = await town.at("spokesperson@town-east")
    await town.done(handler, f"{statement}/submit")
    await town.done(await town.at("approver@town-east"), f"{statement}/approve")
    await town.done(publisher, f"{statement}/publish")
    assert f"{HOME}{statement}" not in (await publisher.open("/inbox")).links
    await town.done(verifier, f"{own}/triage/establish-fact", key="cause", value="施工挖断", source="开挖查看")
    await town.system.settle()
    for who in (publisher, handler):
        assert f"{HOME}{statement}" in (await who.open("/inbox")).links
    assert "事实更正后的更新" in (await handler.open(own)).said
    await town.done(publisher, f"{statement}/correct", text="停水的起因已经更正。", reason="起因有误")
    assert f"{HOME}{statement}" not in (await publisher.open("/inbox")).links
