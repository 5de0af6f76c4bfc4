"""Paper for when everything is down, and its entry later: the same order, and both times. Without script."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest

from services.console.matters.paper import ON_PAPER
from services.console.matters.report import FIELDS
from tests.console.browser import HOME
from tests.console.conftest import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")
CHINA = timezone(timedelta(hours=8))
ENTER = "/paper/enter"


def ago(hours: float) -> str:
    return f"{datetime.now(UTC).astimezone(CHINA) - timedelta(hours=hours):%Y-%m-%d %H:%M}"


async def test_the_paper_has_the_fields_of_the_screen_in_its_order_and_a_number_each(town: Town) -> None:
    officer = await town.at("duty_officer@town-east")
    assert [name for name in ON_PAPER if name != "written_at"] == list(FIELDS)
    page = await officer.open("/paper/report?copies=3")
    numbers = re.findall(r"<strong>(P\d{6}-[2-9A-Z]{6})</strong>", page.text)
    assert len(set(numbers)) == 3 and page.text.count("data:image/svg+xml") == 3
    printed = re.findall(r"(\d+)\. (\w+)", re.sub(r"<[^>]+>", " ", page.text.partition("</article>")[0]))
    screen = re.findall(r'(?:<label for="f-\w+"|<legend)[^>]*>(\d+)\. (\w+)', (await officer.open(ENTER)).text)
    assert printed == screen and [int(at) for at, _ in screen] == list(range(1, len(ON_PAPER) + 2))
    for copies in ("0", "x", "-1", "9999", "9" * 4000):
        page = await officer.open(f"/paper/report?copies={copies}")
        assert page.status in (200, 414) and page.text.count("<article") in (0, 1, 20)


async def test_what_was_written_down_is_entered_with_both_times_and_once(town: Town) -> None:
    officer = await town.at("duty_officer@town-east")
    page = await officer.open("/paper/report")
    (number,) = re.findall(r"<strong>(P\d{6}-[2-9A-Z]{6})</strong>", page.text)
    known, written = ago(9), ago(8.5)
    typed = {
        "paper": number,
        "channel": "hotline",
        "subject": "停电中登记的井盖缺失",
        "text": "东街口井盖没了",
        "discovered_at": known,
        "written_at": ago(10),
        "place": "东街口",
    }
    form = await officer.open(f"{ENTER}?paper={number}")
    assert number in form.text
    for wrong, told in (({"paper": "A-1"}, "P261126-7K3FQ2"), ({"discovered_at": "昨天"}, "写成 11-25 21:07")):
        page = await officer.send(form, ENTER, **typed | wrong)
        assert page.status == 422 and told in page.said and "东街口井盖没了" in page.text
    looked = await officer.send(form, ENTER, **typed)
    refused = await officer.send(looked, ENTER, checked="yes")
    assert refused.status == 422 and "早于得知的时间" in refused.said and "东街口井盖没了" in refused.text
    looked = await officer.send(refused, ENTER, written_at=written)
    assert "得知后 30 分" in looked.said and "得知后 9 小时" in looked.said
    back = await officer.send(looked, ENTER, checked="back")
    done = await officer.send(await officer.send(back, ENTER), ENTER, checked="yes")
    assert "已补录" in done.said and number in done.said and "何时写下" in done.said and "得知后 9 小时" in done.said
    (report,) = {link for link in done.links if re.search(r"/reports/report-[0-9a-f-]+$", link)}
    calls = town.system.console.site.operator()  # type: ignore[union-attr]
    assert calls is not None
    matter = await officer.open(report.removeprefix(HOME))
    assert "停电中登记的井盖缺失" in matter.said
    again = await officer.send(await officer.open(ENTER), ENTER, **typed | {"written_at": written})
    twice = await officer.send(again, ENTER, checked="yes")
    assert report in twice.links, "one paper that is entered twice is one report"
    other = await officer.send(await officer.open(ENTER), ENTER, **typed | {"written_at": written, "text": "另一件事"})
    conflict = await officer.send(other, ENTER, checked="yes")
    assert conflict.status == 409 and "另一件事" in conflict.text


async def test_a_paper_for_a_matter_bears_its_number_and_no_stranger_prints_it(town: Town) -> None:
    officer, stranger = await town.at("duty_officer@town-east"), await town.at("duty_officer@town-west")
    number = (await town.reported(officer, "路灯不亮", place="西街")).path.rpartition("/")[2]
    page = await officer.open(f"/paper/matter?number={number}")
    assert number in page.said and page.text.count("实际办理时间") == 3 and "data:image/svg+xml" in page.text
    assert (await stranger.open(f"/paper/matter?number={number}")).status == 404
    for wrong in ("", "x%2F..", "%0A", "nothing-2026-00001"):
        assert (await officer.open(f"/paper/matter?number={wrong}")).status in (200, 404, 400, 422)


async def test_a_line_of_a_matters_paper_is_entered_with_when_it_was_done_and_when_it_was_entered(town: Town) -> None:
    officer, other = await town.at("duty_officer@town-east"), await town.at("auditor@town-east")
    matter = await town.reported(officer, "停电时漏水", place="南街", discovered_at=ago(9))
    number = matter.path.rpartition("/")[2]
    page = await officer.open(f"/paper/act?number={number}")
    assert 'value="triage/assign"' in page.text and "停电时漏水" in page.said
    asked = f"/paper/act?number={number}&sent=yes&act=triage/assign&cause=power"
    for more, told in (
        ("&done_at=" + ago(-5), "还没有到这个时间"),
        (f"&done_at={ago(2)}&written_at={ago(4)}", "在办理之后"),
        ("", "请填写“实际办理时间”"),
    ):
        wrong = await officer.open(asked + more)
        assert wrong.status == 422 and told in wrong.said, wrong.said
    for act in ("triage/nothing", "../../accounts", "audit/assign"):
        assert (await officer.open(f"{asked.replace('triage/assign', act)}&done_at={ago(2)}")).status == 422, act
    unlisted = await officer.open(f"{asked.replace('power', 'whim')}&done_at={ago(2)}")
    assert unlisted.status == 422 and "为何写在纸上：请从列出的里面选" in unlisted.said, unlisted.said
    done, written = ago(3), ago(2.5)
    form = await officer.open(f"{asked}&done_at={done}&written_at={written}")
    assert form.path.startswith(f"{HOME}/incidents/{number}/triage/assign?"), form.path
    assert f'value="{done}"' in form.text and f"停电，{written} 写在纸上" in form.text and "<details open" in form.text
    sent = await officer.send(form, form.path.removeprefix(HOME), unit="county-water", reason="归口水利")
    assert "done=assign" in sent.path, sent.said
    await town.system.settle()
    passed = await officer.open(f"/incidents/{number}/timeline")
    assert f"发生于 {done[5:]}" in passed.said, "the page shows both times: this one, and that of the entry"
    assert "没有能在这件事项上补录的" in (await other.open(f"/paper/act?number={number}")).said
    assert "事项编号" in (await officer.open("/paper/act")).said
    assert (await (await town.at("duty_officer@town-west")).open(f"/paper/act?number={number}")).status == 404


async def test_a_paper_that_was_not_printed_here_is_entered_without_a_number(town: Town) -> None:
    officer = await town.at("duty_officer@town-east")
    typed = {"channel": "visit", "subject": "菜市场占道", "text": "消防车过不去", "discovered_at": ago(5)}
    looked = await officer.send(await officer.open(ENTER), ENTER, **typed)
    done = await officer.send(looked, ENTER, checked="yes")
    assert done.status == 200 and "已补录" in done.said and "收据号" in done.said and "纸表编号" not in done.said


async def test_papers_number_is_kept_while_the_service_is_down(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    officer = await town.at("duty_officer@town-east")
    site = town.system.console.site  # type: ignore[union-attr]
    typed = {"channel": "hotline", "subject": "断电", "text": "断电", "discovered_at": ago(1)}
    looked = await officer.send(await officer.open(ENTER), ENTER, **typed)
    away = site.clients["ingest"]
    monkeypatch.setitem(site.clients, "ingest", type(away)(base_url="http://127.0.0.1:9"))
    page = await officer.send(looked, ENTER, checked="yes")
    assert page.status == 503 and "断电" in page.text
