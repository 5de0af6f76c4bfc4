"""What a roster tells besides its plan: what nobody covers, what was planned before, what a period would change."""

from typing import Any

import pytest

from schemas.fields import instant
from tests.escalation.conftest import LONG_AGO, Desk
from tests.escalation.incident import at
from tests.escalation.test_posting import HEAD, hook, mailbox, place, send
from tests.escalation.test_service import grade, opened
from tests.kit.mailbox import Mailbox
from tests.kit.webhook import Hook

__all__ = ["hook", "mailbox"]
UNIT, OFFICER, HANDLER = "town-east", "duty_officer@town-east", "handler@town-east"


def duty(since: float, until: float, post: str = OFFICER) -> dict[str, str]:
    return {"post": post, "since": at(since).isoformat(), "until": at(until).isoformat()}


async def plan(desk: Desk, *duties: dict[str, str]) -> None:
    answer = await desk.ask("PUT", "/roster", "chief", UNIT, {"unit": UNIT, "duties": duties})
    assert answer.status_code == 200, answer.text


async def roster(desk: Desk, since: float, until: float) -> dict[str, Any]:
    span = f"&since={at(since):%Y-%m-%dT%H:%M:%SZ}&until={at(until):%Y-%m-%dT%H:%M:%SZ}"
    answer = await desk.ask("GET", f"/roster?unit={UNIT}{span}", "handler", UNIT)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_a_week_shows_its_plan_what_it_was_and_what_nobody_covers(desk: Desk) -> None:
    desk.clock.at = at(-1)
    await plan(desk, duty(0, 12), duty(24, 36), duty(48, 60, HANDLER))
    await plan(desk, duty(24, 30))
    off = {"unit": UNIT, "post": HANDLER, "since": at(48).isoformat(), "reason": "会议"}
    assert (await desk.ask("POST", "/roster/cancel-duty", "chief", UNIT, off)).status_code == 200
    week = await roster(desk, -8, 64)
    assert [(one["since"], one["planned_until"]) for one in week["duties"]] == [
        (instant(at(0)), None),
        (instant(at(24)), instant(at(36))),
    ]
    assert week["cancelled"] == [
        {"post": HANDLER, "since": instant(at(48)), "until": instant(at(60)), "at": instant(at(-1))}
    ]
    assert week["asks"]["hours"] == 12.0
    assert [(one["since"], one["until"]) for one in week["uncovered"]] == [
        (instant(at(34)), instant(at(40))),
        (instant(at(52)), instant(at(64))),
    ], "of twelve hours a day, six are missing on the second day, all on the third"
    assert [one["since"] for one in (await roster(desk, 20, 40))["duties"]] == [instant(at(24))]
    late = await desk.ask("GET", f"/roster?unit={UNIT}&since=2026-03-02T00:00:00Z&until=2026-03-01T00:00:00Z", "chief")
    assert late.status_code == 422
    again = duty(48, 60, HANDLER)
    await plan(desk, again)
    assert (await roster(desk, -8, 64))["cancelled"] == [], "it is planned anew"


async def test_a_duty_that_was_taken_off_is_nobodys_to_sign_on_to_and_nobody_is_told_of_it(desk: Desk) -> None:
    desk.clock.at = at(-1)
    await plan(desk, duty(0, 12))
    off = {"unit": UNIT, "post": OFFICER, "since": at(0).isoformat(), "reason": "有误"}
    assert (await desk.ask("POST", "/roster/cancel-duty", "chief", UNIT, off)).status_code == 200
    answer = await desk.ask("POST", "/roster/sign-on", "duty_officer", UNIT, {"unit": UNIT})
    assert answer.status_code == 409
    file = (await desk.ask("GET", f"/roster.ics?unit={UNIT}", "chief", UNIT)).text
    assert "VEVENT" not in file


async def test_the_effect_of_a_period_is_told_before_it_is_opened(desk: Desk) -> None:
    desk.clock.at = at(-1)
    await plan(desk, duty(0, 12))
    asked = "/roster/period-effect?unit=county&period=special"
    effect = (await desk.ask("GET", asked, "chief", "county")).json()
    (one,) = effect["desks"]
    assert (one["unit"], one["hours"], one["hours_then"]) == (UNIT, 12.0, 24.0)
    assert (one["uncovered"][0]["since"], effect["since"]) == (instant(at(-1)), instant(at(-1)))
    assert (effect["limits"], effect["known_at_arrival"]) == ([], False)
    assert (await desk.ask("GET", asked.replace("county&", f"{UNIT}&"), "chief", "town-west")).status_code == 403
    unknown = await desk.ask("GET", asked.replace("special", "festival"), "chief", "county")
    assert (unknown.status_code, "special" in unknown.text) == (422, True)


async def notices(desk: Desk, more: str = "", unit: str = UNIT, of: str = UNIT) -> list[dict[str, Any]]:
    answer = await desk.ask("GET", f"/outgoing-notices?unit={of}{more}", "handler", unit)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def _told(desk: Desk, mailbox: Mailbox, hook: Hook) -> None:
    """A post with two places is told of a matter; one place refuses."""
    desk.clock.at = LONG_AGO
    await place(desk, HEAD, mailbox.address)
    await place(desk, HEAD, hook.address())
    desk.clock.at, mailbox.refuses = at(1), True
    opened(desk)
    await desk.consume()
    (untried,) = await notices(desk)
    assert (untried["rule"], untried["state"], untried["deliveries"]) == ("new", "untried", [])
    await send(desk)
    (failing,) = await notices(desk, "&state=failing")
    tries = {one["way"]: (one["post"], one["delivered"], one["tries"], one["error"]) for one in failing["deliveries"]}
    assert tries == {"mail": (HEAD, False, 1, "not_taken"), "webhook": (HEAD, True, 1, None)}
    desk.clock.at, mailbox.refuses = at(1.1), False
    await send(desk)
    assert await notices(desk, "&state=failing") == []
    (delivered,) = await notices(desk, "&state=delivered", of="town-east")
    assert {(one["tries"], one["error"]) for one in delivered["deliveries"]} == {(2, None), (1, None)}
    assert mailbox.address not in str(delivered)


async def test_a_unit_reads_of_what_its_posts_were_told_and_what_became_of_it(
    desk: Desk, mailbox: Mailbox, hook: Hook
) -> None:
    await _told(desk, mailbox, hook)
    grade(desk)
    await desk.consume()
    await desk.turn(at(5))
    found = await notices(desk, "&rule=breach", unit="county", of="county")
    assert {one["unit"] for one in found} == {UNIT}
    assert {one["state"] for one in found} == {"untried"}
    answer = await desk.ask("GET", f"/outgoing-notices?unit={UNIT}&limit=1", "handler", UNIT)
    first, cursor = answer.json()["items"], answer.json()["next"]
    later = await notices(desk, f"&limit=500&cursor={cursor}")
    everything = await notices(desk, "&limit=500")
    assert first + later == everything and len({one["notice"] for one in everything}) == len(everything)
    assert [one["at"] for one in everything] == sorted((one["at"] for one in everything), reverse=True)
    assert (await desk.ask("GET", f"/outgoing-notices?unit={UNIT}", "chief", "town-west")).status_code == 403


@pytest.mark.postgres
async def test_postgresql_lists_notices_alike(desk_on_postgres: Desk, mailbox: Mailbox, hook: Hook) -> None:
    await _told(desk_on_postgres, mailbox, hook)
