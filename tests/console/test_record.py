"""Pages of what the record shows, without script: findings, archives, proofs, readings, matters as they were."""

import asyncio
import html
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import orjson
import pytest

from schemas import catalogue
from services.audit.log import signing
from services.console import calls
from services.console.labels import LOOKED_FOR
from services.console.record.archives import due_of
from services.kernel.sealed import one
from services.kernel.sealed.one import proven
from services.kernel.sealed.trust import Trust
from services.kernel.tlog import tree
from services.kernel.tlog.note import Verifier
from tests.console.browser import HOME, Browser, Page
from tests.console.conftest import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")
HERE = ZoneInfo("Asia/Shanghai")
VIEW, REASON = "当日通信中断，已电话报告县值班室。", "首报时间与值班记录不符"


async def until(browser: Browser, path: str, told: str) -> Page:
    """The page as soon as it says something: the record takes a moment."""
    async with asyncio.timeout(20):
        while told not in (page := await browser.open(path)).said:
            await asyncio.sleep(0.05)
    return page


async def signed(town: Town) -> None:
    """Lets the log sign what it holds, as it does each minute."""
    await town.system.settle()
    await signing.sign(town.system.runtimes["audit"])


async def late(town: Town, subject: str, place: str) -> str:
    """The path of a matter of which an office wrote down long after it knew."""
    desk = await town.at("duty_officer@town-east")
    long_ago = (datetime.now(UTC) - timedelta(days=40)).strftime("%Y-%m-%d 08:00")
    own = (await town.reported(desk, subject, place=place, discovered_at=long_ago)).path.removeprefix(HOME)
    await town.done(desk, f"{own}/triage/grade", level="major", reason="路面塌陷")
    return own


async def finding(browser: Browser, own: str, told: str) -> str:
    """The path of a finding that the page of a matter leads to."""
    page = await until(browser, own, told)
    found = [await browser.open(link.removeprefix(HOME)) for link in dict.fromkeys(page.links) if "/findings/f" in link]
    return next(one.path for one in found if told in one.said).removeprefix(HOME)


@pytest.mark.requirement("AUD-07")
async def test_nobody_is_offered_what_they_may_not_do_and_a_reviewer_proposes_with_events(town: Town) -> None:
    own = await late(town, "西街塌陷", "西街")
    reviewer, chief = await town.at("auditor@county"), await town.at("chief@town-east")
    at = await finding(reviewer, own, "瞒报")
    assert "本岗位现在没有可办的事" in (await reviewer.open(at)).said, "nobody decides before the unit was heard"
    assert [link for link in (await chief.open(at)).links if link.startswith(HOME + at)] == [f"{HOME}{at}/state-view"]
    refused = await reviewer.send(await reviewer.open(f"{at}/confirm-finding"), f"{at}/confirm-finding", reason=REASON)
    assert refused.status == 409 and REASON in refused.text and "东镇" in refused.said

    number = own.rpartition("/")[2]
    action = f"/findings/new?incident={number}"
    assert f"{HOME}{action}" in (await reviewer.open(own)).links
    assert f"{HOME}{action}" not in (await chief.open(own)).links
    assert (await chief.open(action)).status == 403
    form = await reviewer.open(action)
    event = form.text.partition('name="events"')[2].partition('value="')[2].partition('"')[0]
    made = await reviewer.send(
        form, action, unit="town-east", finding="concealed_report", events=[event], reason=REASON
    )
    assert made.status == 200 and "由示例县 督查员提请" in made.said and REASON in made.said
    waiting = await chief.open("/inbox")
    assert made.path.partition("?")[0] in waiting.links


@pytest.mark.requirement("AUD-07")
async def test_a_list_is_narrowed_and_says_what_it_does_not_know(town: Town) -> None:
    own = await late(town, "南街塌陷", "南街")
    reviewer, number = await town.at("auditor@county", language="en-GB"), own.rpartition("/")[2]
    await finding(reviewer, own, "had passed already")
    for way, is_there in (
        ("kind=concealed_report", True),
        ("kind=late_report", True),
        ("kind=duty_gap", False),
        ("state=proposed", True),
        ("state=upheld", False),
        ("unit=town-east", True),
        ("unit=town-west", False),
        ("drill=true", False),
        ("known_at=2026-01-01+00:00", False),
        ("state=proposed&known_at=2126-01-01+00:00", True),
    ):
        assert (number in (await reviewer.open(f"/findings?{way}")).said) == is_there, way
    chinese = await town.at("auditor@county")
    assert "没有“nobody”" in (await chinese.open("/findings?unit=nobody")).said
    page = await chinese.open("/findings?unit=town-east&as_of=25-25")
    assert "不是时间" in page.said and f"{HOME}/findings?as_of=25-25" in page.links, (
        "what is left stays as it was typed"
    )
    west = await town.at("chief@town-west")
    assert number not in (await west.open("/findings")).said


async def reported(town: Town, subject: str) -> str:
    """The path of a new matter."""
    desk = await town.at("duty_officer@town-east")
    return (await town.reported(desk, subject, place=subject)).path.removeprefix(HOME)


async def ended(town: Town, subject: str) -> str:
    """The path of a matter that was merged into another one."""
    own, other = await reported(town, subject), await reported(town, f"{subject}西侧")
    chief = await town.at("chief@town-east")
    await town.done(chief, f"{own}/triage/merge", into=other.rpartition("/")[2], reason="同一处")
    return own


@pytest.mark.requirement("AUD-02", "AUD-13", "AUD-14")
async def test_a_file_is_sealed_with_reasons_consulted_for_a_purpose_and_given_outside(town: Town) -> None:
    own = await ended(town, "南门口")
    chief, clerk = await town.at("chief@town-east"), await town.at("handler@town-east")
    at = f"{own}/archive"
    assert f"{HOME}{at}" in (await chief.open(own)).links
    assert f"{HOME}{at}" not in (await clerk.open(own)).links
    assert (await clerk.open(at)).status == 403
    page = await until(chief, f"{at}/seal-archive", "责任部门回复函")
    lacking = [name for name in page.form(f"{at}/seal-archive").names if name.startswith("reasons.")]
    assert "reasons.original_material" not in lacking and "reasons.department_reply_letters" in lacking
    refused = await chief.send(page, f"{at}/seal-archive")
    assert refused.status == 422 and "请填写“责任部门回复函”" in refused.said
    assert f"{HOME}{at}/read-archive" not in (await chief.open(at)).links, "there is nothing to consult yet"
    reasons = dict.fromkeys(lacking, "当面答复，没有回复函")
    early = await chief.send(page, f"{at}/seal-archive", **reasons)
    assert early.status == 503 and "当面答复，没有回复函" in early.text and "签入记录" in early.said
    await signed(town)
    sealed = await chief.send(early, f"{at}/seal-archive", **reasons)
    assert sealed.status == 200 and "已办：封存卷宗" in sealed.said and "缺少，已说明理由" in sealed.said
    form = await chief.open(f"{at}/read-archive")
    assert (await chief.send(form, f"{at}/read-archive", purpose=" ")).status == 422
    await signed(town)
    given = await chief.send(form, f"{at}/read-archive", purpose="复查同类事项")
    assert given.headers["content-type"] == "application/zip" and "attachment" in given.headers["content-disposition"]
    form = await chief.open(f"{at}/export-timeline")
    assert 'value="peoples_congress"' in form.text
    outside = await chief.send(form, f"{at}/export-timeline", addressee="peoples_congress", purpose="专题询问")
    assert outside.text.startswith('{"') and "南门口" not in outside.text
    told = (await chief.open(at)).said
    assert "整个卷宗，含来信原文" in told and "复查同类事项" in told and "提供给：人大" in told and "专题询问" in told
    read = await until(await town.at("auditor@county"), "/record/readings", "复查同类事项")
    assert "取走整个卷宗" in read.said
    number = own.rpartition("/")[2]
    listed = await until(await town.at("auditor@county"), "/record/archives", number)
    assert f"{HOME}{at}" in listed.links


async def test_an_event_is_proven_and_the_proof_is_checked_without_the_system(town: Town) -> None:
    own = await reported(town, "北门口")
    desk = await town.at("auditor@county")
    links = [link for link in (await until(desk, own, "原始记录")).links if "/events/" in link]
    assert "还没有签到" in (await desk.open(links[-1].removeprefix(HOME))).said
    await signed(town)
    page = await desk.open(links[-1].removeprefix(HOME))
    assert "本页刚才用总账的公钥核对了证明" in page.said
    assert "/bulletin/proof.html" in page.links
    event, proof = [await desk.client.get(links[-1] + end) for end in ("/raw", "/proof")]
    log = await desk.open("/record/log")
    keys = re.findall(r"<code>([^<+]+\+[0-9a-f]{8}\+[^<]+)</code>", html.unescape(log.text))
    held = proven(event.content, proof.content, Trust((Verifier.parse(keys[0]),)))
    assert held.event.id == links[-1].rpartition("/")[2]
    note = (await desk.client.get(f"{HOME}/record/log/checkpoint")).text
    assert note.split("\n")[1] in log.said and "没有设见证方" in log.said


async def test_a_forged_proof_is_told(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    own = await reported(town, "西门口")
    desk = await town.at("auditor@county")
    links = [link for link in (await until(desk, own, "原始记录")).links if "/events/" in link]
    at = links[-1].removeprefix(HOME)
    await signed(town)
    assert "本页刚才用总账的公钥核对了证明" in (await desk.open(at)).said
    parse = tree.must_be_included

    def other(position: int, *more: Any) -> None:
        parse(position ^ 1, *more)

    monkeypatch.setattr(one, "must_be_included", other)
    assert "总账给出的证明与这条记录或公钥不符" in (await desk.open(at)).said


async def test_the_unit_above_sees_who_read_a_letter_and_what_for(town: Town) -> None:
    own = await reported(town, "东门口")
    chief, number = await town.at("chief@county"), own.rpartition("/")[2]
    await until(chief, own, "东门口")
    await chief.open(f"{own}?purpose=督办核对")
    above = await town.at("chief@city")
    page = await until(above, f"/record/readings?record={number}", "督办核对")
    assert "示例县 主要负责人" in page.said and number in page.said
    assert "督办核对" not in (await chief.open("/record/readings")).said, "nobody sees the own unit's"
    assert (await (await town.at("handler@county-water")).open("/record/readings")).status == 403
    past = await above.open(f"/record/readings?record={number}&known_at=2026-01-01+00:00")
    assert past.status == 200 and "督办核对" not in past.said
    assert "没有这个编号" in (await above.open("/record/readings?record=abc")).said


async def test_matters_are_listed_as_they_were_and_as_a_file(town: Town) -> None:
    own = await reported(town, "东桥口")
    number, reviewer = own.rpartition("/")[2], await town.at("auditor@county")
    await until(reviewer, "/record/matters", number)
    before = datetime.now(HERE)
    page = await reviewer.open("/record/matters?unit=town-east&state=open")
    assert number in page.said and "总指纹" in page.said
    assert number not in (await reviewer.open("/record/matters?state=closed")).said
    assert number not in (await reviewer.open(f"/record/matters?to={before - timedelta(days=60):%Y-%m-%d}")).said
    past = f"{before - timedelta(days=1):%Y-%m-%d+%H:%M}"
    assert number not in (await reviewer.open(f"/record/matters?known_at={past}")).said
    for address, told in (
        ("unit=nobody", "应为其中之一"),
        ("as_of=25-25", "不是时间"),
        ("from=2026-03-02&to=2026-03-01", "早于开始的日子"),
    ):
        page = await reviewer.open(f"/record/matters?{address}")
        assert page.status == 200 and told in page.said
    files = [link for link in (await reviewer.open("/record/matters?unit=town-east")).links if "/export" in link]
    table, lines = [await reviewer.client.get(link) for link in files]
    assert number in table.text and table.headers["content-type"].startswith("text/csv")
    assert any(orjson.loads(line)["number"] == number for line in lines.text.splitlines())
    gone = await reviewer.open("/record/matters?unit=former-office")
    assert "former-office（已停用）" in gone.said and "应为其中之一" in gone.said, "the record is asked, and says so"
    assert number not in (await (await town.at("chief@town-west")).open("/record/matters")).said


async def test_a_unit_keeps_a_question_under_a_name_and_asks_it_anew(town: Town) -> None:
    own = await reported(town, "西桥口")
    number, chief = own.rpartition("/")[2], await town.at("chief@town-east")
    page = await until(chief, "/record/matters?unit=town-east", number)
    (saving,) = [link.removeprefix(HOME) for link in page.links if "/matters/save?" in link]
    form = await chief.open(saving)
    assert '<option value="town-east" selected' in form.text, "what the list asked stands in the form"
    kept = await chief.send(form, saving, title="本月未交办", period="this_month", state="open", drill="no")
    assert kept.status == 200 and "本月未交办" in kept.said and "本月" in kept.said
    clerk = await town.at("handler@town-east", language="en-GB")
    page = await clerk.open("/record/matters")
    run, change, remove = [link.removeprefix(HOME) for link in page.links if "/matters/saved/" in link]
    asked = await clerk.open(run)
    first = datetime.now(HERE).replace(day=1)
    assert all(one in asked.path for one in (f"from={first:%Y-%m-%d}", "state=open", "drill=false")), asked.path
    assert number in asked.said
    assert (await (await town.at("chief@town-west")).open(run)).status == 404
    changed = await clerk.send(await clerk.open(change), change, title="昨天的", period="yesterday", state="")
    assert "昨天的" in changed.said and "Yesterday" in changed.said
    assert number not in (await clerk.open(run)).said
    gone = await clerk.send(await clerk.open(remove), remove)
    assert gone.status == 200 and "昨天的" not in gone.said


async def test_a_question_may_ask_for_no_period_and_for_what_no_list_has_any_more(town: Town) -> None:
    own = await reported(town, "南桥口")
    number, chief = own.rpartition("/")[2], await town.at("chief@town-east")
    lists = town.system.runtimes["triage"].lists
    code = next(iter(lists.categories))
    await town.done(await town.at("duty_officer@town-east"), f"{own}/triage/categorize", category=code)
    await until(chief, f"/record/matters?category={code}", number)
    saving = f"/record/matters/save?category={code}"
    assert (await chief.send(await chief.open(saving), saving, title="旧类别的")).status == 200
    page = await chief.open("/record/matters")
    assert page.status == 200 and "旧类别的" in page.said
    run, change, remove = [link.removeprefix(HOME) for link in page.links if "/matters/saved/" in link]
    without = {name: kept for name, kept in lists.categories.items() if name != code}
    with pytest.MonkeyPatch.context() as patch:
        for runtime in town.system.runtimes.values():
            patch.setattr(runtime, "lists", replace(runtime.lists, categories=without))
        asked = await chief.open(run)
        assert number in asked.said and f"{code}（已停用）" in asked.said
        assert f'value="{code}" selected' in (await chief.open(change)).text
        file = await chief.client.get(f"{HOME}/record/matters/export?format=csv&category={code}")
        assert file.status_code == 200 and number in file.text
    assert (await chief.send(await chief.open(remove), remove)).status == 200


async def test_every_kind_of_event_that_is_looked_for_exists() -> None:
    known = {name.rpartition(".v")[0].removeprefix(catalogue.PREFIX) for name in catalogue.types()}
    assert set(LOOKED_FOR) <= known


async def test_sealing_a_file_may_take_longer_than_other_commands() -> None:
    waited = []

    def answer(request: httpx.Request) -> httpx.Response:
        waited.append(request.extensions["timeout"]["read"])
        return httpx.Response(201, json={})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://audit") as client:
        asking = calls.Calls({"audit": client}, lambda: "token", "zh")
        for is_long in (False, True):
            await asking.send("POST", "/audit/v1/incidents/x/archive", is_long=is_long)
    assert waited == [calls.SECONDS, calls.FILE_SECONDS]


async def test_due_is_the_last_archive_of_a_matter_that_is_over() -> None:
    first, last = ({"sha256": name, "kept_until": f"20{year}-03-02"} for name, year in (("a", 36), ("b", 41)))
    closed, again = {"state": "closed"}, {"state": "accepted"}
    assert due_of([first], closed, "2036-03-03") == "a"
    assert due_of([first], closed, "2036-03-02") is None, "the last day is one on which it is kept"
    assert due_of([first], again, "2036-03-03") is None, "it was reopened"
    assert due_of([first, last], closed, "2036-03-03") is None, "it was sealed anew"
    assert due_of([first, last], closed, "2041-03-03") == "b"
    assert due_of([{"sha256": "c", "kept_until": None}], closed, "2041-03-03") is None, "for ever, or nobody said"
    assert due_of([], closed, "2041-03-03") is None
