"""How the services run, dead letters and keys in a browser without script."""

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from schemas.fields import instant
from services.console import calls
from services.console.calls import Calls
from services.console.worklist import many
from services.ingest import keys
from services.ingest.commands import KeyRequest
from services.ingest.keys import Keys
from services.kernel.access import signing, tokens
from services.kernel.core.decider import Actor
from services.kernel.delivery import operations
from services.kernel.delivery.log import Record
from services.kernel.serving.commands import Caller
from services.kernel.store import sql
from tests.console.browser import HOME, Browser, Page
from tests.console.conftest import Town
from tests.console.test_packs import down

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def aside(town: Town, service: str, offset: int, cause: str = "undecodable") -> str:
    """The address of a dead letter that the service has."""
    runtime = town.system.runtimes[service]
    record = Record("ingest.report", 0, 900_000 + offset, b"k", "电话13812345678".encode())
    row = operations.dead_letter(service, record, None, cause, "no event", runtime.time_source.now())
    async with runtime.database.transaction() as connection:
        await sql.insert(connection, runtime.tables["dead_letters"], [row])
    return f"/dead-letters/{service}/{row['id']}"


async def states(town: Town, service: str) -> list[str]:
    table = town.system.runtimes[service].tables["dead_letters"]
    async with town.system.runtimes[service].database.read() as connection:
        return list(await connection.scalars(select(table.c.state).order_by(table.c.since)))


async def test_the_health_of_each_service_is_said_in_words_with_what_to_do(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = await town.at("admin@town-east")
    await town.system.settle()
    page = await browser.open("/health")
    assert page.said.count("✓ 正常") == 5 and "程序版本" in page.said
    assert (await (await town.at("duty_officer@town-east")).open("/health")).status == 403
    monkeypatch.setattr(town.system.runtimes["publish"], "lost", "publish.statement was lost")
    site = town.system.console.site  # type: ignore[union-attr]
    monkeypatch.setitem(site.clients, "audit", down())
    page = await browser.open("/health")
    assert page.status == 200 and page.said.count("✓ 正常") == 3
    assert "◆ 暂不受理" in page.said and "按上面写的原因处理" in page.said
    assert "▲ 没有应答" in page.said and "请检查这个服务的进程" in page.said


@pytest.mark.requirement("ING-13")
async def test_what_probes_see_is_said_and_since_when_they_tell_nothing(town: Town) -> None:
    """A probe that is silent says nothing good: what the public sees is then not known."""
    runtime = town.system.runtimes["ingest"]
    now = runtime.time_source.now()
    browser, english = [await town.at("admin@city", language=language) for language in ("zh-CN", "en")]

    async def said() -> str:
        return (await browser.open("/health")).said

    assert "还没有探测点" in await said() and "◆ 不知道" in await said()
    admin = Caller(actor=Actor("admin@city", "city", frozenset({"admin"})))
    key = (await Keys(runtime).make(admin, KeyRequest(unit="city", scope="probe", name="one")))["key"]
    assert "探测点 one 还没有来过消息" in await said() and "◆ 不知道" in await said()
    async with town.system.client(key) as client:

        async def tell(**told: Any) -> None:
            answer = await client.post("/ingest/v1/outages", json={"at": instant(now), **told})
            assert answer.status_code == 200, answer.text

        await tell(well=["bulletin"])
        assert "✓ 没有中断" in await said() and "探测点 one 最近的消息：" in await said()
        found = {"site": "bulletin", "trouble": "unreachable", "symptom": "no_answer", "since": instant(now)}
        await tell(seen=[found])
        assert re.search(r"▲ 有中断 公告栏：连不上，自 [-\d]+ [:\d]+ 起（没有应答）", await said())
        page = (await english.open("/health")).said
        assert re.search(r"Outage Bulletin. Cannot be reached since \d+ \w+ [:\d]+ ?\. No answer in time.", page)
        await tell(well=["bulletin"])
    table = runtime.tables["heard"]
    async with runtime.database.transaction() as connection:
        await connection.execute(update(table).values(at=instant(now - timedelta(hours=2))))
    assert "探测点 one 已有 2 小时 没有消息" in await said() and "◆ 不知道" in await said()


async def test_a_dead_letter_is_shown_masked_with_what_each_act_does(town: Town) -> None:
    own = await aside(town, "publish", 1)
    browser = await town.at("admin@city")
    page = await browser.open("/dead-letters")
    assert "读不出" in page.said and f"{HOME}{own}" in page.links
    one = await browser.open(own)
    assert "[手机号]" in one.said and "13812345678" not in one.text
    assert "不会更坏" in one.said and "不能收回" in one.said
    assert (await browser.send(one, own, verb="redrive", reason="")).status == 422
    again = await browser.send(one, own, verb="redrive", reason="新版本")
    assert again.status == 409 and "与之前一样失败" in again.said and 'value="新版本"' in again.text
    done = await browser.send(again, own, verb="discard", reason="不是本系统发出的")
    assert "已办：弃置" in done.said and await states(town, "publish") == ["discarded"]
    settled = await browser.open(own)
    assert "已经处理过" in settled.said and "f-reason" not in settled.text


async def test_many_are_chosen_by_id_shown_once_more_and_then_done(town: Town) -> None:
    chosen = [await aside(town, "audit", at) for at in range(2)]
    browser = await town.at("admin@city")
    page = await browser.open("/dead-letters")
    left = await aside(town, "audit", 9)
    none = await browser.send(page, "/dead-letters", verb="discard")
    assert none.status == 422 and "请先选中" in none.said
    names = [one.removeprefix("/dead-letters/") for one in chosen]
    asked = await browser.send(page, "/dead-letters", verb="discard", letter=names)
    assert "弃置这 2 条消息？" in asked.said and await states(town, "audit") == ["open"] * 3, "nothing was done yet"
    assert [value for name, value in asked.form("/dead-letters/settle").fields if name == "letter"] == names
    assert (await _settle(browser, asked, names, "")).status == 422
    done = await _settle(browser, asked, names, "误发")
    assert "2 条都已办" in done.said and await states(town, "audit") == ["discarded", "discarded", "open"]
    twice = await _settle(browser, asked, names, "误发")
    assert "2 条中有 2 条没有办成" in twice.said
    assert "undecodable" not in done.path and await states(town, "audit") == ["discarded", "discarded", "open"]
    auditor = await (await town.at("auditor@city")).open("/dead-letters")
    assert left.rpartition("-")[2][-8:] in auditor.said and 'type="checkbox"' not in auditor.text
    outsider = await (await town.at("admin@town-east")).open("/dead-letters")
    assert "只有最上级单位" in outsider.said and HOME + left not in outsider.links


async def test_a_service_that_does_not_answer_is_asked_once_for_all_its_records(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [(await aside(town, "audit", at)).removeprefix("/dead-letters/") for at in range(20, 23)]
    browser = await town.at("admin@city")
    asked = await browser.send(await browser.open("/dead-letters"), "/dead-letters", verb="discard", letter=names)
    sent, tries = Calls.send, list[str]()

    async def away(self: Calls, method: str, path: str, **more: Any) -> Any:
        if method == "POST" and "/dead-letters/" in path:
            tries.append(path)
            raise calls.Down("audit")
        return await sent(self, method, path, **more)

    monkeypatch.setattr(Calls, "send", away)
    done = await _settle(browser, asked, names, "误发")
    assert "3 条中有 3 条没有办成" in done.said and len(tries) == 1
    assert done.said.count("不知道这一条办成没有") == 1 and done.said.count("这一条没有办") == 2, (
        "what was sent without an answer may be done; what was not sent is not"
    )


async def _settle(browser: Browser, page: Page, names: list[str], reason: str) -> Page:
    return await browser.send(page, "/dead-letters/settle", letter=names, reason=reason)


async def test_more_than_are_done_at_once_are_counted_and_left(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "MOST", 2)
    names = [(await aside(town, "triage", at)).removeprefix("/dead-letters/") for at in range(3)]
    browser = await town.at("admin@city")
    asked = await browser.send(await browser.open("/dead-letters"), "/dead-letters", verb="discard", letter=names)
    assert "弃置这 2 条消息？" in asked.said and "另外选中的 1 条这次不处理" in asked.said
    assert [value for name, value in asked.form("/dead-letters/settle").fields if name == "letter"] == names[:2]
    assert "2 条都已办" in (await _settle(browser, asked, names, "误发")).said
    assert sorted(await states(town, "triage")) == ["discarded", "discarded", "open"]


async def test_a_key_is_made_shown_once_used_and_withdrawn_with_a_reason(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "COUNT_SECONDS", 0)
    browser = await town.at("admin@county")
    page = await browser.open("/keys")
    assert (await browser.send(page, "/keys", unit="town-east", name="")).status == 422
    bad = await browser.send(page, "/keys", unit="town-east", name="热线")
    assert bad.status == 422 and 'value="热线"' in bad.text
    made = await browser.send(page, "/keys", unit="town-east", name="hotline")
    (key,) = set(re.findall(r"hy_[\w-]+", made.text))
    listed = await browser.open("/keys")
    assert key not in listed.text and "hotline" in listed.said and "没有用过" in listed.said
    now = town.system.time_source.now().isoformat()
    body = {"unit": "town-east", "channel": "hotline", "subject": "x", "text": "y", "discovered_at": now}
    async with town.system.client(key) as client:
        assert (await client.post("/ingest/v1/reports", json=body)).status_code == 201
        shown = await browser.open("/keys")
        assert "没有用过" not in shown.said and "1 件" not in shown.said
        assert (await client.post("/ingest/v1/reports", json=body | {"unit": "city"})).status_code == 403
    async with asyncio.timeout(20):
        while "1 件" not in (shown := await browser.open("/keys")).said:
            await asyncio.sleep(0.05)
    assert re.search(r"1 件 最近 [^：]*：无权操作", shown.said), "how much was refused, and why the last time"
    (link,) = [link.removeprefix(HOME) for link in listed.links if link.endswith("/revoke")]
    form = await browser.open(link)
    assert (await browser.send(form, link, reason="")).status == 422
    done = await browser.send(form, link, reason="对接单位更换系统")
    assert "已办：注销密钥" in done.said or "已注销" in done.said
    async with town.system.client(key) as client:
        assert (await client.post("/ingest/v1/reports", json=body)).status_code == 401
    for post in ("chief@county", "duty_officer@town-east"):
        assert (await (await town.at(post)).open("/keys")).status == 403
    elsewhere = await (await town.at("admin@town-west")).open("/keys")
    assert "hotline" not in elsewhere.said.partition("发放密钥")[0]


async def test_a_page_of_a_new_key_that_is_loaded_again_makes_no_second_key(town: Town) -> None:
    browser = await town.at("admin@county")
    page = await browser.open("/keys")
    made = await browser.send(page, "/keys", unit="county-roads", name="sensors")
    assert "hy_" in made.text
    again = await browser.send(page, "/keys", unit="county-roads", name="sensors")
    assert again.status == 409 and "只显示一次" in again.said and "hy_" not in again.text
    assert (await browser.open("/keys")).said.partition("发放密钥")[0].count("sensors") == 2, "its row and its link"
    wanted = await browser.send(again, "/keys", unit="county-roads", name="sensors")
    assert "hy_" in wanted.text, "the form that comes back asks for another key"


async def test_a_signing_key_that_is_dropped_ends_no_work_at_the_console(town: Town) -> None:
    officer, settings = await town.at("duty_officer@town-east"), town.system.settings
    matter = (await town.reported(officer, "路灯不亮", place="东街")).path.removeprefix(HOME)
    former = signing.SigningKey.read(signing.signing_key_file(settings))
    said = tokens.claims(
        settings.deployment, person="p", unit="town-east", post="duty_officer", roles=("duty_officer",)
    )
    headers = {"Authorization": f"Bearer {tokens.sign(former, said)}"}
    await asyncio.to_thread(signing.rotate, settings)
    await asyncio.to_thread(signing.drop, settings, former.kid)
    async with asyncio.timeout(20), town.system.client() as client:
        while (await client.get("/triage/v1/desk/open", headers=headers)).status_code != 401:
            await asyncio.sleep(0.05)
    page = await officer.open(matter)
    assert page.status == 200 and "路灯不亮" in page.said, "nobody signs in again"
    assert "路灯不亮" in (await officer.open("/board")).said
