"""Pages of inspections and referrals, without script."""

import pytest

from tests.console.browser import HOME
from tests.console.conftest import Town
from tests.console.test_record import finding, late

pytestmark = pytest.mark.asyncio(loop_scope="module")
DUE = "2099-05-01 10:00"


@pytest.mark.requirement("AUD-19")
async def test_an_office_is_inspected_and_its_remedy_is_judged_by_another_post(town: Town) -> None:
    reviewer, chief = await town.at("auditor@county"), await town.at("chief@town-east")
    new = "/record/inspections/new"
    scope = {"unit": "town-east", "since": "2026-01-01", "until": "2026-03-31", "scope": "来件答复"}
    page = await reviewer.send(await reviewer.open(new), new, **scope)
    assert "对东镇的检查" in page.said, page.said
    at = page.path.removeprefix(HOME).partition("?")[0]
    await town.done(reviewer, f"{at}/make-remark", text="三件迟复", remedy="补充答复", due=DUE)
    page = await chief.open(at)
    assert "待整改" in page.said
    assert [link for link in page.links if link.startswith(HOME + at)] == [f"{HOME}{at}/report-remedy"]
    await town.done(chief, f"{at}/report-remedy", remark="1", text="已补充答复三件")
    await town.done(reviewer, f"{at}/accept-remedy", remark="1")
    await town.done(reviewer, f"{at}/end-inspection", conclusion="问题已整改")
    page = await reviewer.open(f"{at}?done=end-inspection")
    assert "问题已整改" in page.said
    assert "已结束" in page.said
    listed = await (await town.at("chief@town-east")).open("/record/inspections?state=ended")
    assert "来件答复" in listed.said
    assert "来件答复" not in (await (await town.at("chief@town-west")).open("/record/inspections")).said


@pytest.mark.requirement("AUD-10")
async def test_neglect_is_passed_on_after_the_post_was_heard(town: Town) -> None:
    own = await late(town, "北街塌陷", "北街")
    reviewer, leader = await town.at("auditor@county"), await town.at("chief@county")
    behind = (await finding(reviewer, own, "迟报")).rpartition("/")[2]
    new = "/record/referrals/new"
    said = {"unit": "town-east", "post": "duty_officer", "kind": "neglect", "findings": behind, "reason": "三次迟报"}
    form = await reviewer.open(new)
    assert "各列最近的 100 条" in form.said, "the choice says what it leaves off"
    page = await reviewer.send(form, new, **said)
    assert "严重失职" in page.said, page.said
    at = page.path.removeprefix(HOME).partition("?")[0]
    early = await leader.send(await leader.open(f"{at}/pass-on"), f"{at}/pass-on", body="discipline", reason="移送")
    assert "尚未听取" in early.said
    itself = await town.at("duty_officer@town-east")
    await town.done(itself, f"{at}/state-own-view", text="当日已电话报告")
    await town.done(leader, f"{at}/pass-on", body="discipline", reason="情节严重")
    await town.done(reviewer, f"{at}/note-receipt", text="收文 118 号")
    page = await reviewer.open(f"{at}?done=note-receipt")
    assert "对方已收文" in page.said
    assert "当日已电话报告" in page.said
    assert "三次迟报" not in (await (await town.at("handler@town-east")).open("/record/referrals")).said
