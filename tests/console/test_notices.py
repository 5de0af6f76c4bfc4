"""Notices with their delivery, the places to which they go, and the switch of special periods, without script."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from tests.console.browser import HOME, Browser, Page
from tests.console.conftest import Town
from tests.kit.webhook import opened as opened_hook

pytestmark = pytest.mark.asyncio(loop_scope="module")
SHOWN = {"form.shown": "yes"}
CHINA = timezone(timedelta(hours=8))


async def becomes(browser: Browser, path: str, said: str) -> Page:
    """The page once it says something."""
    async with asyncio.timeout(20):
        while said not in (page := await browser.open(path)).said:
            await asyncio.sleep(0.05)
    return page


async def test_an_administrator_sets_where_notices_go_and_all_see_what_became_of_them(town: Town) -> None:
    admin, officer = await town.at("admin@town-east"), await town.at("duty_officer@town-east")
    page = await officer.open("/addresses")
    assert "由管理员设置和停用" in page.said and f"{HOME}/addresses/new?unit=town-east" not in page.links
    with opened_hook() as hook:
        new = "/addresses/new?unit=town-east"
        typed = {"post": "chief@town-east", "language": "zh"}
        wrong = await admin.send(await admin.open(new), new, address="gopher://x.example", **typed)
        assert 400 <= wrong.status < 500 and "地址" in wrong.said
        done = await admin.send(wrong, new, address=hook.address(), **typed)
        assert "已办：设置通知地址" in done.said and "东镇 主要负责人" in done.said and hook.address() not in done.text
        matter = await town.reported(officer, "河堤塌方", place="石门")
        number = matter.path.rpartition("/")[2]
        page = await becomes(officer, "/notices?state=delivered", number)
        assert "✓ 已送达" in page.said and "网络回调：" in page.said and "新事项" in page.said
        assert "河堤塌方" not in page.text, "a notice has no word of a report"
        assert number not in (await officer.open("/notices?state=failing")).said
        assert number not in (await officer.open("/notices?rule=gap")).said
        nonsense = await officer.open("/notices?state=nonsense&rule=nonsense")
        assert nonsense.status == 422 and number not in nonsense.said
    (end,) = [link for link in (await admin.open("/addresses")).links if "/end?" in link]
    place = end.removeprefix(HOME).replace("&amp;", "&")
    assert "已办：停用通知地址" in (await admin.send(await admin.open(place), place)).said
    refused = await officer.send(await officer.open(place), place)
    assert refused.status == 404
    west = await town.at("duty_officer@town-west")
    assert (await west.open("/notices?unit=town-east")).status in (403, 404)
    assert (await west.open("/addresses?unit=town-east")).status in (403, 404)


@pytest.mark.requirement("CON-03")
async def test_a_special_period_shows_its_effect_before_it_is_opened_and_is_ended(town: Town) -> None:
    chief, officer = await town.at("chief@town-east"), await town.at("duty_officer@town-east")
    since = datetime.now(UTC).astimezone(CHINA) + timedelta(hours=1)
    plan = "/roster/plan-duties?unit=town-east"
    duty = {"post": "duty_officer@town-east", "since": f"{since:%Y-%m-%d %H:%M}"}
    duty["until"] = f"{since + timedelta(hours=12):%Y-%m-%d %H:%M}"
    await chief.send(await chief.open(plan), plan, **{f"duties.0.{name}": value for name, value in duty.items()})
    assert "由单位主要负责人宣布和结束" in (await officer.open("/periods")).said
    opening = "/periods/open"
    typed = {"unit": "town-east", "period": "special", "reason": "汛期，县防指通知"}
    looked = await chief.send(await chief.open(opening), opening, **typed)
    for told in ("每天值班由 12 小时 改为 24 小时", "段无人排班", "办理时限不变"):
        assert told in looked.said
    assert "没有宣布过特殊时期" in (await chief.open("/periods")).said, "looking opens nothing"
    other = await chief.send(looked, opening, unit="county-water", **SHOWN)
    assert "县水利局" in other.said and "done=" not in other.path, "what is sent is what was looked at"
    done = await chief.send(looked, opening, **SHOWN)
    assert "已办：宣布特殊时期" in done.said and "正在进行" in done.said
    await becomes(officer, "/roster", "◇ 特殊时期")
    again = await chief.send(await chief.open(opening), opening, **typed)
    assert "再宣布一次没有作用" in again.said
    (link,) = [link for link in done.links if "/periods/close" in link]
    close = link.removeprefix(HOME).replace("&amp;", "&")
    ended = await chief.send(await chief.open(close), close, reason="汛情解除")
    assert "已办：结束特殊时期" in ended.said and "已结束" in ended.said
    refused = await officer.send(
        await officer.open(opening), opening, **typed, **SHOWN, **{"form.seen": "town-east special "}
    )
    assert refused.status == 403 and "汛期" in refused.text
