"""Local holidays, make-up days and other working hours: who sets them, and what is refused."""

from typing import Any

import pytest

from tests.triage.conftest import Triage

HOURS = [{"since": "08:30", "to": "12:00"}, {"since": "14:30", "to": "18:00"}]
HOLIDAY = {"unit": "town-east", "since": "2099-03-03", "until": "2099-03-04", "days": "free", "reason": "县里放假通知"}


async def set_days(triage: Triage, body: dict[str, Any], unit: str = "county", role: str = "chief") -> Any:
    return await triage.client.post("/triage/v1/days", headers=triage.token(role, unit), json=body)


async def test_a_unit_above_sets_days_and_the_newest_word_of_the_nearest_unit_stands_first(triage: Triage) -> None:
    assert (await set_days(triage, HOLIDAY)).status_code == 200
    summer = {"unit": "county", "since": "2099-07-01", "until": "2099-08-31", "windows": HOURS, "reason": "夏季作息"}
    assert (await set_days(triage, summer, "city")).status_code == 200
    assert (await set_days(triage, {**HOLIDAY, "days": "as_usual"})).status_code == 200
    answer = (await triage.client.get("/triage/v1/days?unit=town-east", headers=triage.token("handler"))).json()
    assert [(item["unit"], item["days"], item["windows"]) for item in answer["items"]] == [
        ("town-east", "as_usual", None),
        ("town-east", "free", None),
        ("county", None, HOURS),
    ]


@pytest.mark.parametrize(("unit", "role"), [("town-east", "chief"), ("town-west", "chief"), ("county", "handler")])
async def test_nobody_sets_the_days_by_which_the_own_limits_are_judged(triage: Triage, unit: str, role: str) -> None:
    assert (await set_days(triage, HOLIDAY, unit, role)).status_code == 403


@pytest.mark.parametrize(
    ("change", "type_"),
    [
        ({"since": "2020-01-01", "until": "2020-01-02"}, "day-passed"),
        ({"until": "2099-03-02"}, "days-end-early"),
        ({"until": "2100-03-05"}, "days-too-many"),
        ({"days": None}, "days-say-nothing"),
        ({"since": "2099-02-30"}, "wrong-form"),
        ({"since": "tomorrow"}, "wrong-form"),
        ({"unit": "nowhere"}, "unit-unknown"),
        ({"windows": HOURS[::-1]}, "windows-out-of-order"),
        ({"windows": [{"since": "24:00", "to": "25:00"}]}, "wrong-form"),
    ],
)
async def test_what_makes_no_days_is_refused_by_name(triage: Triage, change: dict[str, Any], type_: str) -> None:
    answer = await set_days(triage, {**HOLIDAY, **change})
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (422, type_)
