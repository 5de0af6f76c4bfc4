"""Delegations: who gives them, until when they hold, and what is refused."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from schemas.fields import instant
from schemas.offices import UnitDelegationEnded, UnitDelegationGiven
from services.kernel.core.decider import Actor
from services.kernel.core.problems import Forbidden, Malformed, NotFound, Rejected
from services.triage.offices.office_commands import Delegate, EndDelegation
from services.triage.offices.units import DECIDER
from tests.kit import spec
from tests.kit.spec import NOW, given, staff
from tests.triage.conftest import Triage

HOUR = timedelta(hours=1)
APPROVER, VERIFIER = "approver@town-east", "verifier@town-east"
HOLDER = staff("approver", unit="town-east")


def delegate(post: str = APPROVER, to: str = VERIFIER, since: Any = None, until: Any = NOW + HOUR) -> Delegate:
    return Delegate.model_validate({"from": post, "to": to, "since": since, "until": until})


def loan(**more: Any) -> UnitDelegationGiven:
    said = {"unit": "town-east", "post": APPROVER, "to": VERIFIER, "since": NOW, "until": NOW + HOUR}
    return UnitDelegationGiven.model_validate({"delegation": spec.ctx().ids.new(""), **said, **more})


def by(actor: Actor) -> Any:
    return given(DECIDER, actor=actor)


@pytest.mark.parametrize(
    "actor", [HOLDER, staff("chief", unit="town-east"), staff("chief", unit="county"), staff("chief", unit="city")]
)
def test_the_holder_of_a_post_and_the_chiefs_over_its_unit_delegate_it(actor: Actor) -> None:
    by(actor).when(delegate()).then(loan())


@pytest.mark.parametrize(
    "actor",
    [
        staff("verifier", unit="town-east"),
        staff("admin", unit="city"),
        staff("approver", unit="county"),
        staff("approver", unit="town-west"),
        staff("chief", unit="town-west"),
    ],
)
def test_nobody_else_does(actor: Actor) -> None:
    by(actor).when(delegate()).then_raises(Forbidden, "delegate")
    given(DECIDER, loan(), actor=actor).when(EndDelegation(delegation=loan().delegation)).then_raises(Forbidden)


def test_a_delegation_begins_when_it_is_recorded_at_the_earliest_and_ends_later() -> None:
    by(HOLDER).when(delegate(since=NOW - HOUR)).then(loan())
    by(HOLDER).when(delegate(since=NOW + HOUR, until=NOW + 2 * HOUR)).then(loan(since=NOW + HOUR, until=NOW + 2 * HOUR))
    for since, until in ((None, NOW), (NOW + HOUR, NOW + HOUR), (None, NOW - HOUR)):
        by(HOLDER).when(delegate(since=since, until=until)).then_raises(Malformed, "before it begins")


def test_it_goes_to_another_post_of_the_same_unit_or_of_one_above() -> None:
    for to in ("chief@county", "approver@city"):
        by(HOLDER).when(delegate(to=to)).then(loan(to=to))
    for to in (APPROVER, "approver@town-west", "verifier@county-roads"):
        by(HOLDER).when(delegate(to=to)).then_raises(Rejected, "another post of town-east")
    by(staff("chief", unit="county")).when(delegate("approver@county", "verifier@town-east")).then_raises(Rejected)


def test_a_body_and_a_post_that_does_not_exist_delegate_nothing() -> None:
    chief = staff("chief", unit="town-east")
    by(chief).when(delegate("leading_group@town-east")).then_raises(Malformed, "is a body")
    by(chief).when(delegate(to="leading_group@town-east")).then_raises(Malformed, "is a body")
    by(chief).when(delegate("nobody@town-east")).then_raises(Malformed, "no directory")


def test_it_is_ended_early_once() -> None:
    end = EndDelegation(delegation=loan().delegation)
    ended = UnitDelegationEnded(delegation=loan().delegation, unit="town-east", post=APPROVER, to=VERIFIER)
    given(DECIDER, loan(), actor=HOLDER).when(end).then(ended)
    given(DECIDER, loan(), ended, actor=HOLDER).when(end).then_nothing()
    given(DECIDER, loan(), actor=HOLDER, now=NOW + HOUR).when(end).then_nothing()
    by(HOLDER).when(end).then_raises(NotFound)


# over HTTP


async def listed(triage: Triage, unit: str = "town-east") -> list[Any]:
    answer = await triage.client.get("/triage/v1/delegations", headers=triage.token("handler", unit))
    return list(answer.json()["items"])


async def post(triage: Triage, path: str, role: str, body: Any = None) -> httpx.Response:
    return await triage.client.post(f"/triage/v1/delegations{path}", headers=triage.token(role, "town-east"), json=body)


async def test_it_is_listed_until_its_end(triage: Triage) -> None:
    until = triage.runtime.time_source.now() + HOUR
    body = {"from": APPROVER, "to": VERIFIER, "until": instant(until), "reason": "外出培训"}
    assert (await post(triage, "", "handler", body)).status_code == 403
    made = await post(triage, "", "approver", body)
    assert made.status_code == 201, made.text
    [item] = await listed(triage)
    assert (item["from"], item["to"], item["until"]) == (APPROVER, VERIFIER, instant(until))
    assert await listed(triage, "county") == [item]
    assert await listed(triage, "town-west") == []
    path = f"/{item['delegation']}/end"
    assert (await post(triage, path, "verifier")).status_code == 403
    assert (await post(triage, path, "chief")).status_code == 200
    assert await listed(triage) == []
    assert (await post(triage, path, "chief")).json()["events"] == []
    assert (await post(triage, "/01890a5d-ac96-774b-bcce-b302099a8057/end", "chief")).status_code == 404


@pytest.mark.postgres
@pytest.mark.parametrize("flow", [test_it_is_listed_until_its_end], ids=lambda flow: flow.__name__)
async def test_triage_answers_alike_on_postgres(
    triage_on_postgres: Triage, flow: Callable[[Triage], Awaitable[None]]
) -> None:
    await flow(triage_on_postgres)


@pytest.mark.parametrize(
    ("change", "status", "type_"),
    [
        ({"from": "approver"}, 422, "wrong-form"),
        ({"from": "leading_group@town-east"}, 422, "body-as-post"),
        ({"from": "nobody@town-east"}, 422, "post-unknown"),
        ({"until": "2020-01-01T00:00:00Z"}, 422, "delegation-ends-early"),
        ({"until": None}, 422, "wrong-form"),
        ({"to": "verifier@town-west"}, 409, "delegated-elsewhere"),
        ({"post": APPROVER}, 422, "field-unknown"),
    ],
)
async def test_what_makes_no_delegation_is_refused_by_name(
    triage: Triage, change: dict[str, Any], status: int, type_: str
) -> None:
    until = instant(triage.runtime.time_source.now() + HOUR)
    answer = await post(triage, "", "chief", {"from": APPROVER, "to": VERIFIER, "until": until, **change})
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (status, type_)
