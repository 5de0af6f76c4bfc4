"""The roster in a browser: the week, a plan of several duties, signing on, handing over, the sheet for the wall."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from services.console import frame
from tests.console.browser import HOME
from tests.console.conftest import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")
CHINA = timezone(timedelta(hours=8))
PLAN = "/roster/plan-duties?unit=town-east"


def typed(hours: float) -> str:
    """A time so many hours from now, as a person types it."""
    return f"{datetime.now(UTC).astimezone(CHINA) + timedelta(hours=hours):%Y-%m-%d %H:%M}"


@pytest.mark.requirement("CON-03")
async def test_a_plan_has_several_duties_and_whoever_is_planned_signs_on(town: Town) -> None:
    chief, officer = await town.at("chief@town-east"), await town.at("duty_officer@town-east")
    page = await chief.open("/roster")
    assert "无人" in page.said and HOME + PLAN in page.links
    begin, middle, end = typed(0.02), typed(12), typed(24)
    form = await chief.open(PLAN)
    filled = {
        "duties.0.post": "duty_officer@town-east",
        "duties.0.since": begin,
        "duties.0.until": middle,
        "duties.1.post": "handler@town-east",
        "duties.1.since": middle,
    }
    missing = await chief.send(form, PLAN, **filled)
    assert missing.status == 422 and "请填写“结束时间”" in missing.said
    planned = await chief.send(missing, PLAN, **{"duties.1.until": end})
    assert "已办：安排值班" in planned.said and "day=" + begin[:10] in planned.path
    assert "东镇 经办人" in (await chief.open(f"/roster?day={middle[:10]}")).said, "it may begin in the week after"
    assert "下一班：东镇 值班员" in planned.said, "the frame knows it at once"
    on = "/roster/sign-on?unit=town-east"
    assert "已办：到岗" in (await officer.send(await officer.open(on), on)).said
    inbox = (await officer.open("/inbox")).said
    assert "现在值班 ：东镇 值班员，至" in inbox and "下一班：东镇 经办人" in inbox
    await town.reported(officer, "北街积水", place="北街")
    await town.system.settle()
    over = "/roster/hand-over?unit=town-east"
    form = await officer.open(over)
    assert "北街积水" in form.said and "下一班：东镇 经办人" in form.said, "what is open stands beside the note"
    useless = await officer.send(form, over, note="北街积水还在抽", to="duty_officer@town-east")
    assert useless.status == 422 and "接班岗位就是本岗位" in useless.said and "北街积水还在抽" in useless.text
    done = await officer.send(useless, over, note="北街积水还在抽", to="")
    assert "done=hand-over" in done.path and "北街积水还在抽" in done.said and "已交班" in done.said
    assert "东镇 值班员 → 东镇 经办人，未结 1 件" in done.said


async def test_whoever_plans_another_week_sees_that_week_afterwards(town: Town) -> None:
    chief, plan = await town.at("chief@town-west"), "/roster/plan-duties?unit=town-west"
    begin = typed(21 * 24)
    duty = {"post": "handler@town-west", "since": begin, "until": typed(21 * 24 + 4)}
    planned = await chief.send(
        await chief.open(plan), plan, **{f"duties.0.{name}": text for name, text in duty.items()}
    )
    assert "已办：安排值班" in planned.said and "西镇 经办人" in planned.said and begin[5:10] in planned.said
    (cancel, *_) = [link for link in planned.links if "/cancel-duty" in link and "since=" in link]
    form = await chief.open(cancel.removeprefix(HOME).replace("&amp;", "&"))
    where = next(one.action for one in form.forms if "/cancel-duty" in one.action).removeprefix(HOME)
    cancelled = await chief.send(form, where, reason="改期")
    assert "已取消" in cancelled.said and begin[5:10] in cancelled.said


async def test_an_entry_without_effect_is_told_before_it_is_written_down(town: Town) -> None:
    chief = await town.at("chief@town-west")
    action = "/roster/plan-duties?unit=town-west"
    filled = {"duties.0.post": "handler@town-west", "duties.0.since": typed(2), "duties.0.until": typed(6)}
    assert "done=" in (await chief.send(await chief.open(action), action, **filled)).path
    again = await chief.send(await chief.open(action), action, **filled)
    assert again.status == 422 and "已经这样排了" in again.said
    own = await chief.send(again, action, **filled | {"duties.0.substitute": "handler@town-west"})
    assert own.status == 422 and "替班岗位就是值班岗位" in own.said
    day = typed(2)[:10]
    links = (await chief.open(f"/roster?day={day}")).links
    (link,) = [link for link in links if "/name-substitute" in link and "post" in link]
    form = await chief.open(link.removeprefix(HOME).replace("&amp;", "&"))
    where = next(one.action for one in form.forms if "/name-substitute" in one.action).removeprefix(HOME)
    same = await chief.send(form, where, substitute="handler@town-west", reason="请假")
    assert same.status == 422 and "替班岗位就是原定岗位" in same.said
    named = await chief.send(same, where, substitute="chief@town-west", reason="请假")
    assert "可替班：" in named.said
    stranger = await town.at("chief@town-west", "handler@town-east")
    unable = await stranger.open("/roster/sign-on?unit=town-west")
    assert "到岗不会记下" in unable.said


async def test_who_took_a_duty_over_is_shown_and_who_was_planned_is_struck_through(town: Town) -> None:
    chief, officer = await town.at("chief@town-west"), await town.at("duty_officer@town-west")
    plan, other = (f"/roster/{verb}?unit=town-west" for verb in ("plan-duties", "name-substitute"))
    begin = typed(0.5)
    duty = {"post": "approver@town-west", "since": begin, "until": typed(1.5)}
    await chief.send(await chief.open(plan), plan, **{f"duties.0.{name}": text for name, text in duty.items()})
    named = {"post": "approver@town-west", "since": begin, "substitute": "duty_officer@town-west", "reason": "出差"}
    await chief.send(await chief.open(other), other, **named)
    on = "/roster/sign-on?unit=town-west"
    await officer.send(await officer.open(on), on)
    page = await officer.open(f"/roster?day={begin[:10]}")
    assert "由西镇 值班员值班" in page.said and "原定 西镇 分管领导" in " ".join(page.said.split())
    assert re.search(r"<del>\d\d:\d\d–[\d: -]+</del>", page.text) and "<del>西镇 分管领导</del>" in page.text
    assert "● 在岗" in page.said


async def test_a_week_that_is_over_is_read_from_the_record_and_gaps_are_rows_with_a_word(town: Town) -> None:
    chief = await town.at("chief@town-west")
    page = await chief.open("/roster?day=2026-03-04")
    assert "2026-03-02 至 2026-03-08" in page.said and "这一周没有排班" in page.said
    links = [link.replace("&amp;", "&") for link in page.links]
    assert f"{HOME}/roster?unit=town-west&day=2026-02-23" in links
    assert f"{HOME}/roster?unit=town-west&day=2026-03-09" in links
    following = f"{datetime.now(UTC).astimezone(CHINA).date() + timedelta(days=7)}"
    ahead = await chief.open(f"/roster?day={following}")
    assert "▲ 无人排班" in ahead.said and "补排" in ahead.said
    (fill, *_) = [link for link in ahead.links if "duties.0.since" in link]
    form = await chief.open(fill.removeprefix(HOME).replace("&amp;", "&"))
    assert re.search(r'name="duties.0.since"[^>]*value="\d{4}-\d\d-\d\d \d\d:\d\d"', form.text)
    for wrong in ("2026-13-40", "x", "0001-01-01", "9999-12-31", "%0A"):
        assert (await chief.open(f"/roster?day={wrong}")).status == 200, "what is no day is this week"


async def test_a_sheet_for_the_wall_has_the_plan_the_open_matters_and_how_to_reach_posts(town: Town) -> None:
    chief = await town.at("chief@town-east")
    page = await chief.open("/roster/sheet")
    assert "东镇值班表" in page.said and "北街积水" in page.said and "电话（手写）" in page.said
    assert "北街积水还在抽" in page.said


async def test_a_matter_without_a_limit_stands_on_every_list_and_sheet(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    officer, site = await town.at("duty_officer@town-east"), town.system.console.site  # type: ignore[union-attr]
    asked = site.clients["triage"].request

    async def answer(method: str, path: str, **more: Any) -> httpx.Response:
        found = await asked(method, path, **more)
        if path != "/triage/v1/desk/open":
            return found
        body = found.json()
        return httpx.Response(200, json=body | {"items": [row | {"limits": []} for row in body["items"]]})

    monkeypatch.setattr(site.clients["triage"], "request", answer)
    for path in ("/board", "/roster/sheet", "/roster/hand-over"):
        page = await officer.open(path)
        assert page.status == 200 and "北街积水" in page.said, path


async def test_the_frame_says_so_while_the_service_is_down_and_no_page_waits_for_it(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    officer = await town.at("duty_officer@town-east")
    site = town.system.console.site  # type: ignore[union-attr]
    frame.forget(site, "town-east")
    away = site.clients["escalation"]
    monkeypatch.setitem(site.clients, "escalation", type(away)(base_url="http://127.0.0.1:9"))
    page = await officer.open("/packs")
    assert page.status == 200 and "值班情况暂时看不到" in page.said
    monkeypatch.undo()
    frame.forget(site, "town-east")
    assert "现在值班" in (await officer.open("/packs")).said
