"""Duty at one desk of the demo: a planned day, a day that nobody planned, and what came meanwhile."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from services.demo.desk import Officers, Stage

UNIT, OFFICER, HANDLER = "town-east", "duty_officer@town-east", "handler@town-east"


async def duty(stage: Stage, officers: Officers, at: Callable[[int, float], datetime]) -> None:
    """Monday is staffed, Tuesday is forgotten: the gap is found a day ahead, begins all the same, and is filled late.

    What comes on Tuesday is held for the post that signs on in the afternoon.
    """

    async def desk(role: str, verb: str, unit: str = UNIT, **body: Any) -> None:
        await officers.ask(unit, role, "POST", f"/escalation/v1/roster/{verb}", {"unit": UNIT, **body})
        officers.acts[verb] += 1

    async def plan(post: str, day: int, hour: float, hours: float) -> None:
        begins = at(day, hour)
        shift = {"post": post, "since": begins.isoformat(), "until": (begins + timedelta(hours=hours)).isoformat()}
        await officers.ask(UNIT, "chief", "PUT", "/escalation/v1/roster", {"unit": UNIT, "duties": [shift]})
        officers.acts["plan-duties"] += 1

    async def period(verb: str, reason: str) -> None:
        body = {"unit": "county", "period": "special", "reason": reason}
        await officers.ask("county", "chief", "POST", f"/triage/v1/periods/{verb}", body)
        officers.acts[f"{verb}-period"] += 1

    await stage.until(at(1, 7.6))
    body = {"unit": UNIT, "post": HANDLER}
    await officers.ask(UNIT, "chief", "POST", "/triage/v1/units/name-officer", body)
    officers.acts["name-officer"] += 1
    await plan(OFFICER, 1, 7.75, 12)
    await plan(OFFICER, 3, 7.75, 12)
    await stage.until(at(1, 7.75))
    await desk("duty_officer", "sign-on")
    await stage.until(at(1, 10))
    await desk("chief", "test-reachability", "county", post=OFFICER, way="call", reached=True)
    await stage.until(at(1, 19.5))
    await desk("duty_officer", "hand-over", note="两件待核实，一件等道路管理部门回复")
    await stage.until(at(2, 13))
    await plan(HANDLER, 2, 14, 8)
    await stage.until(at(2, 14))
    await desk("handler", "sign-on")
    await period("open", "上级通知进入特殊时期")
    await stage.until(at(2, 21.5))
    await desk("handler", "hand-over", note="夜间无人接班，明早由值班员接")
    await stage.until(at(3, 7.75))
    await desk("duty_officer", "sign-on")
    await stage.until(at(3, 9))
    await period("close", "特殊时期结束")
