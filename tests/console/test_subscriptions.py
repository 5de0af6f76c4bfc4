"""Subscriptions on pages without script: made, seen to fail in words, sent again, given another secret, ended."""

import asyncio
import re
from collections.abc import Iterator
from typing import get_args

import pytest

from schemas.fields import WebhookError
from services.audit.subscriptions import told
from services.console.labels import REMEDIES
from services.console.operations.types import SUBJECTS, TYPES
from tests.console.browser import HOME, Browser, Page
from tests.console.conftest import Town
from tests.kit import receiver as kit
from tests.kit.receiver import Receiver

pytestmark = pytest.mark.asyncio(loop_scope="module")
NEW = "/subscriptions/new"
SECRET = re.compile(r"whsec_[\w+/=]{44}")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with kit.listening() as one:
        yield one


async def until(browser: Browser, path: str, said: str) -> Page:
    """The page as soon as it says so."""
    async with asyncio.timeout(20):
        while said not in (page := await browser.open(path)).said:
            await asyncio.sleep(0.05)
    return page


async def subscribed(browser: Browser, address: str = "https://board.example.gov.cn/in") -> str:
    """The path of a new subscription to everything."""
    made = await browser.send(await browser.open(NEW), NEW, address=address, position="0")
    assert SECRET.search(made.text), made.said
    links = (await browser.open("/subscriptions")).links
    return next(one.removeprefix(HOME) for one in reversed(links) if "/subscriptions/subscription-" in one)


async def test_each_type_that_can_be_sent_and_each_reason_has_words() -> None:
    assert TYPES.keys() == {told.short(one) for one in told.TYPES}
    assert SUBJECTS.keys() == {one.partition(".")[0] for one in TYPES}
    assert REMEDIES.keys() == set(get_args(WebhookError))


async def test_a_subscription_from_its_making_to_its_end(town: Town, receiver: Receiver) -> None:
    audit = town.system.runtimes["audit"]
    audit.settings = audit.settings.model_copy(update={"channels_private": True})
    admin = await town.at("admin@town-east")
    listed = await admin.open("/subscriptions")
    assert "还没有系统订阅" in listed.said and f"{HOME}/subscriptions" in listed.links

    form = await admin.open(NEW)
    assert "收到反映" in form.said and "从哪个位置起" in form.said
    wrong = await admin.send(form, NEW, address="ftp://board.example", position="昨天", types=["report.received"])
    assert wrong.status == 422 and "只写阿拉伯数字" in wrong.said
    wrong = await admin.send(wrong, NEW, position="999999")
    assert wrong.status == 422 and "ftp://board.example" in wrong.text, wrong.said
    assert re.search(r'value="report.received" checked', wrong.text), "what was ticked stays"
    assert re.search(r'id="f-address-fault">[^<]*https', wrong.text), "the sentence stands at its field"
    made = await admin.send(wrong, NEW, address=receiver.address, position="0")
    assert made.status == 200 and SECRET.search(made.text) and "只在这里显示一次" in made.said
    again = await admin.send(wrong, NEW, address=receiver.address, position="0")
    assert not SECRET.search(again.text), "loaded again, it makes no second one"
    (own,) = {one.removeprefix(HOME) for one in again.links if "/subscriptions/subscription-" in one}
    assert not SECRET.search(again.text) and "收到反映" in again.said and receiver.address in again.said

    receiver.answers[:] = [500]
    desk = await town.at("duty_officer@town-east")
    await town.reported(desk, "路灯不亮", place="学校路")
    page = await until(admin, own, "◆ 正在重试")
    assert "已试 1 次" in page.said and "请对方查自己的日志" in page.said
    (event,) = [one for one in page.links if "/events/" in one]
    assert (await admin.open(event.removeprefix(HOME))).status == 200

    again = await admin.send(await admin.open(f"{own}/replay"), f"{own}/replay", position="0")
    assert again.status == 200 and "已办：重新推送" in again.said
    page = await until(admin, own, "✓ 已送达")
    assert "✓ 正常" in page.said and "没有送到" not in page.said, page.said
    renewed = await admin.send(await admin.open(f"{own}/renew-secret"), f"{own}/renew-secret")
    assert SECRET.search(renewed.text)
    ended = await admin.send(await admin.open(f"{own}/end-subscription"), f"{own}/end-subscription")
    assert "○ 已退订" in ended.said and "/replay" not in ended.text
    late = await admin.send(await admin.open(f"{own}/replay"), f"{own}/replay", position="0")
    assert late.status == 409 and "已退订" in late.said
    assert (await admin.open(f"{own}/no-such-verb")).status == 404


async def test_what_a_system_subscribed_itself_waits_while_it_has_no_key(town: Town) -> None:
    admin, site = await town.at("admin@town-west"), town.system.console.site  # type: ignore[union-attr]
    made = await admin.send(await admin.open("/keys"), "/keys", unit="town-west", name="board")
    (key,) = re.findall(r'value="(hy_[^"]+)"', made.text)
    await town.system.settle()
    asked = {"address": "https://board.example.gov.cn/in", "types": ["report.received"]}
    said = {"Authorization": f"Bearer {key}"}
    assert (await site.clients["audit"].post("/audit/v1/subscriptions", json=asked, headers=said)).status_code == 201
    listed = await admin.open("/subscriptions")
    assert "board 收到反映 ✓ 正常" in listed.said, "its name, and not its id"
    (revoke,) = [one.removeprefix(HOME) for one in (await admin.open("/keys")).links if one.endswith("/revoke")]
    await admin.send(await admin.open(revoke), revoke, reason="停用")
    assert "‖ 暂不推送" in (await admin.open("/subscriptions")).said


async def test_only_administrators_of_the_unit_see_them(town: Town) -> None:
    other = await town.at("admin@county-water")
    assert "还没有系统订阅" in (await other.open("/subscriptions")).said
    for path in ("", "/new", "/subscription-01890a5d-ac96-774b-bcce-b302099a8057"):
        answer = await (await town.at("chief@town-east")).open(f"/subscriptions{path}")
        assert answer.status == 403 and "无权查看" in answer.said
    missing = await other.open("/subscriptions/subscription-01890a5d-ac96-774b-bcce-b302099a8057")
    assert missing.status == 404
