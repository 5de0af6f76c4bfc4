"""The roster in a browser: a plan of several duties, signing on, handing over."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tests.console.conftest import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")
CHINA = timezone(timedelta(hours=8))


async def test_a_plan_has_several_duties_and_whoever_is_planned_signs_on(town: Town) -> None:
    chief, officer = await town.at("chief@town-east"), await town.at("duty_officer@town-east")
    page = await chief.open("/roster")
    assert "无人" in page.said and "/console/roster/plan-duties?unit=town-east" in page.links
    now = datetime.now(UTC).astimezone(CHINA)
    begin, middle, end = (f"{now + timedelta(hours=hours):%Y-%m-%d %H:%M}" for hours in (0.01, 12, 24))
    action = "/roster/plan-duties?unit=town-east"
    form = await chief.open(action)
    typed = {
        "duties.0.post": "duty_officer@town-east",
        "duties.0.since": begin,
        "duties.0.until": middle,
        "duties.1.post": "handler@town-east",
        "duties.1.since": middle,
    }
    missing = await chief.send(form, action, **typed)
    assert missing.status == 422 and "请填写“结束时间”" in missing.said
    planned = await chief.send(missing, action, **{"duties.1.until": end})
    assert "已办：安排值班" in planned.said and planned.said.count("东镇 经办人") >= 1
    on = "/roster/sign-on?unit=town-east"
    assert "已办：到岗" in (await officer.send(await officer.open(on), on)).said
    assert "现在值班：东镇 值班员" in (await officer.open("/inbox")).said
    over = "/roster/hand-over?unit=town-east"
    done = await officer.send(await officer.open(over), over, note="北街积水还在抽")
    assert "done=hand-over" in done.path, done.said
