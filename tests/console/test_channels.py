"""Channels of a unit, deliveries of a statement and postings by hand, without script."""

import re

import pytest

from tests.console.browser import HOME
from tests.console.conftest import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")
TEXT = "正在抢修。"


async def test_a_text_is_posted_by_hand_and_confirmed_only_as_it_was_approved(town: Town) -> None:
    admin = await town.at("admin@town-east")
    adding = "/channels/new?unit=town-east"
    page = await admin.send(
        await admin.open(adding),
        adding,
        code="site",
        kind="webhook",
        title="县政府网站",
        address="https://desk.example.gov.cn/in",
    )
    assert "只在这里显示一次" in page.said and re.search(r"whsec_[\w+/=]{44}", page.text)
    await town.done(admin, adding, code="wechat", kind="by_hand", title="东镇发布", address="微信公众号：东镇发布")
    listed = await admin.open("/channels?unit=town-east")
    assert "县政府网站" in listed.said and "东镇发布" in listed.said and "whsec" not in listed.text
    change = next(link for link in listed.links if "change-channel" in link)
    assert "换签名密钥" in (await admin.open(change.removeprefix(HOME))).said

    _, statement = await town.handled()
    approver = await town.at("approver@town-east")
    await town.done(approver, f"/statements/{statement}/approve")
    speaker = await town.at("spokesperson@town-east")
    await town.done(speaker, f"/statements/{statement}/publish")
    inbox = await speaker.open("/postings")
    assert "东镇发布" in inbox.said and re.search(
        r"<textarea[^>]*readonly[^>]*>处置情况\n正在抢修。</textarea>", inbox.text
    )
    (confirm,) = [link.removeprefix(HOME) for link in inbox.links if "/confirm?channel=" in link]

    form = await speaker.open(confirm)
    assert "处置情况" in form.said
    refused = await speaker.send(form, confirm, address="https://mp.example.cn/s/1", text="正在抢救。")
    assert refused.status == 409
    assert "与核准的不符" in refused.said and "[−修][+救]" in refused.said
    assert "正在抢救。" in refused.text, "what was typed is still there"
    sent = await speaker.send(refused, confirm, address="https://mp.example.cn/s/1", text=TEXT)
    assert sent.status == 200 and "已办" in sent.said
    assert "没有待贴到渠道的文字" in (await speaker.open("/postings")).said
    shown = await speaker.open(f"/statements/{statement}")
    assert "公告栏" in shown.said and "https://mp.example.cn/s/1" in shown.said and "已送达" in shown.said


async def test_an_answer_goes_back_to_where_the_question_stands(town: Town) -> None:
    desk = await town.at("duty_officer@town-east")
    matter = await town.reported(desk, "路灯不亮", place="学校路", reply_ref="留言板第 42 楼")
    own = matter.path.removeprefix(HOME)
    handler, number = await town.at("handler@town-east"), own.rpartition("/")[2]
    await town.done(
        handler, f"/statements/new?incident={number}", kind="status", title="路灯的处置", text="路灯正在修。"
    )
    await town.system.settle()
    page = await handler.open(own)
    (statement,) = {link.rpartition("/")[2] for link in page.links if re.search(r"/statements/[\w-]+-S\d+$", link)}
    await town.done(handler, f"/statements/{statement}/submit")
    await town.done(await town.at("approver@town-east"), f"/statements/{statement}/approve")
    speaker = await town.at("spokesperson@town-east")
    await town.done(speaker, f"/statements/{statement}/publish")
    await town.system.settle()
    inbox = await speaker.open("/postings")
    assert "留言板第 42 楼" in inbox.said and "热线电话" in inbox.said, "the channel by its title, not by its code"
    (confirm,) = [link.removeprefix(HOME) for link in inbox.links if "/confirm?report=" in link]
    form = await speaker.open(confirm)
    sent = await speaker.send(form, confirm, address="留言板第 43 楼", text="路灯的处置\n路灯正在修。")
    assert sent.status == 200, sent.said
    assert "留言板第 42 楼" not in sent.said
