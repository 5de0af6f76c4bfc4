"""Special periods through HTTP: who opens and closes them, and what every service then knows of its offices."""

from datetime import timedelta
from typing import Any

import pytest

from schemas.fields import instant
from services.triage.offices.packs import POLICIES
from tests.triage.conftest import Triage
from tests.triage.test_api import problem
from tests.triage.test_packs_api import send

BODY = {"unit": "county", "period": "special", "reason": "国庆前后"}


async def at(triage: Triage, unit: str) -> frozenset[str]:
    async with triage.runtime.database.read() as connection:
        return (await triage.runtime.offices(connection)).periods_at(unit, triage.runtime.time_source.now())


async def listed(triage: Triage, role: str = "chief", unit: str = "county") -> list[dict[str, Any]]:
    answer = await triage.client.get("/triage/v1/periods", headers=triage.token(role, unit))
    return list(answer.json()["items"])


async def test_a_period_holds_for_a_unit_and_those_below_it_until_it_is_closed(triage: Triage) -> None:
    problem(await send(triage, "periods/open", BODY, "chief", "town-east"), 403, "role chief over county")
    opened = await send(triage, "periods/open", BODY, "chief", "county")
    assert opened.status_code == 200, opened.text
    event = (await triage.events(POLICIES))[-1]
    assert (event.data.unit, event.data.period, str(event.policy)[:14]) == ("county", "special", "county-default")
    assert [await at(triage, unit) for unit in ("county", "town-east", "city")] == [{"special"}, {"special"}, set()]
    (item,) = await listed(triage)
    assert (item["until"], item["now"], item["may"]) == (None, True, ["close-period"])
    assert [one["may"] for one in await listed(triage, "handler")] == [[]]
    assert (await send(triage, "periods/close", BODY, "chief", "county")).status_code == 200
    assert await at(triage, "town-east") == set()
    (item,) = await listed(triage)
    assert (item["until"] is not None, item["now"], item["may"]) == (True, False, [])
    problem(await send(triage, "periods/close", BODY, "chief", "county"), 409, "no special period special that goes on")
    assert (await send(triage, "periods/open", BODY, "chief", "county")).status_code == 200, "and again"
    assert len(await listed(triage)) == 2


async def test_a_period_is_declared_ahead_and_its_end_moves_until_it_has_come(triage: Triage) -> None:
    now = triage.runtime.time_source.now()
    begins, ends, later = (instant(now + timedelta(days=days)) for days in (2, 9, 12))
    assert (await send(triage, "periods/open", {**BODY, "since": begins}, "chief", "county")).status_code == 200
    assert await at(triage, "county") == set()
    for until in (ends, later):
        closed = await send(triage, "periods/close", {**BODY, "until": until}, "chief", "county")
        assert closed.status_code == 200, closed.text
    (item,) = await listed(triage)
    assert (item["since"], item["until"], item["now"], item["may"]) == (begins, later, False, ["close-period"])
    assert (await send(triage, "periods/close", BODY, "chief", "county")).status_code == 200
    (item,) = await listed(triage)
    assert item["since"] == item["until"], "it never was"


@pytest.mark.parametrize(
    ("change", "status", "sentence"),
    [
        ({"period": "festival"}, 422, "has no special period festival; it has special"),
        ({"unit": "nowhere"}, 422, "nowhere"),
        ({"reason": ""}, 422, "reason"),
        ({"since": "2026-03-02T09:00:00"}, 422, "since"),
        ({"author": "x"}, 422, "author"),
    ],
)
async def test_what_no_pack_or_list_has_is_refused(
    triage: Triage, change: dict[str, Any], status: int, sentence: str
) -> None:
    problem(await send(triage, "periods/open", {**BODY, **change}, "chief", "county"), status, sentence)


async def test_it_is_not_opened_twice(triage: Triage) -> None:
    assert (await send(triage, "periods/open", BODY, "chief", "county")).status_code == 200
    problem(await send(triage, "periods/open", BODY, "chief", "county"), 409, "special of county goes on")
    below = {**BODY, "unit": "town-east"}
    problem(await send(triage, "periods/open", below, "chief", "town-east"), 409, "special of county goes on")


@pytest.mark.requirement("ING-04")
async def test_a_unit_has_exactly_one_information_officer(triage: Triage) -> None:
    async def officer() -> str | None:
        async with triage.runtime.database.read() as connection:
            return (await triage.runtime.offices(connection)).officer("town-east")

    body = {"unit": "town-east", "post": "handler@town-east"}
    problem(await send(triage, "units/name-officer", body, "chief", "town-west"), 403, "over town-east")
    for post, status in (("handler@county", 422), ("nobody@town-east", 422)):
        answer = await send(triage, "units/name-officer", {**body, "post": post}, "chief", "town-east")
        assert answer.status_code == status, answer.text
    assert await officer() is None
    for post in ("handler@town-east", "duty_officer@town-east"):
        answer = await send(triage, "units/name-officer", {**body, "post": post}, "chief", "town-east")
        assert (answer.status_code, len(answer.json()["events"])) == (200, 1)
        assert await officer() == post
        again = await send(triage, "units/name-officer", {**body, "post": post}, "chief", "town-east")
        assert again.json()["events"] == []
