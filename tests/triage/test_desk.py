"""The lists of a desk: what they hold, their counts, their order and their pages."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from schemas.answering import IncidentExplanationOrdered, IncidentUnitExplained
from schemas.envelope import Event
from schemas.escalation import ClockBreached, ClockCancelled, ClockDeferred, ClockMet, ClockStarted
from schemas.fields import Fact, instant
from schemas.triage import (
    IncidentAbsorbed,
    IncidentAccepted,
    IncidentAnswerJudged,
    IncidentAssigned,
    IncidentDismissed,
    IncidentMerged,
    IncidentOpened,
    IncidentPassedUpward,
    IncidentReopened,
    IncidentResolved,
    IncidentReturned,
    IncidentRoundDeclined,
    IncidentSplit,
    IncidentVerificationRequested,
)
from services.kernel.core.ids import stream_of
from services.kernel.store.views import Row
from services.triage.views import DESK
from services.triage.worklist import desk
from tests.kit.spec import NOW, UUID, events
from tests.triage.conftest import Triage, words

REPORT = f"report-{UUID}"


async def listed(triage: Triage, name: str, **more: Any) -> list[dict[str, Any]]:
    """A list of town-east's desk."""
    answer = await triage.get(f"desk/{name}", **{"unit": "town-east", **more})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def counted(triage: Triage, **more: Any) -> dict[str, int]:
    answer = await triage.get("desk", **{"unit": "town-east", **more})
    assert answer.status_code == 200, answer.text
    return {name: count for name, count in answer.json()["lists"].items() if count}


def clock(triage: Triage, incident: str, data: Fact) -> Event:
    return triage.event(stream_of("clock", incident), data, service="escalation")


def started(triage: Triage, name: str = "accept", hours: float = 1) -> ClockStarted:
    now = triage.runtime.time_source.now()
    return ClockStarted(clock=name, unit="town-east", since=now, due=now + timedelta(hours=hours))


async def test_open_matters_stand_by_their_earliest_limit(triage: Triage) -> None:
    none, late, soon = [await triage.open(name) for name in ("none", "late", "soon")]
    await triage.take(clock(triage, late, started(triage, hours=5)), clock(triage, late, started(triage, "reply", 9)))
    await triage.take(clock(triage, soon, started(triage, hours=2)))
    await triage.say("soon: subject")
    rows = await listed(triage, "open")
    assert [row["incident_id"] for row in rows] == [soon, late, none]
    assert list(rows[0])[:3] == ["number", "incident_id", "title"]
    assert rows[0]["title"] == "soon: subject"
    assert (rows[0]["ball"]["unit"], rows[0]["ball"]["for"]) == ("town-east", "assignment")
    assert [one["clock"] for one in rows[1]["limits"]] == ["accept", "reply"]
    assert 7000 < rows[0]["limits"][0]["seconds_left"] <= 7200
    assert await counted(triage) == {"open": 3, "to_assign": 3, "inbox": 3}
    first = (await triage.get("desk/open", "town-east", limit=2)).json()
    then = (await triage.get("desk/open", "town-east", limit=2, cursor=first["next"])).json()
    assert [row["incident_id"] for row in first["items"] + then["items"]] == [soon, late, none]
    assert then["next"] is None
    assert await listed(triage, "open", unit="town-west") == []


async def test_filters_narrow_a_list_and_the_counts_follow_them(triage: Triage) -> None:
    late, soon, day, later, never = [
        await triage.open(f"matter {number}", unit=unit)
        for number, unit in enumerate(("town-east", "town-east", "town-west", "town-west", "county"))
    ]
    for incident, hours in ((late, -1.0), (soon, 0.5), (day, 5.0), (later, 50.0)):
        await triage.take(clock(triage, incident, started(triage, hours=hours)))
    each = dict.fromkeys(("overdue", "hour", "day", "later", "none"), 1)
    whole = (await triage.get("desk/open", "county")).json()
    assert [row["soon"] for row in whole["items"]] == list(each) and whole["counts"] == each
    assert [bool(row["due"]) for row in whole["items"]] == [True, True, True, True, False]
    for name, incident in zip(each, (late, soon, day, later, never), strict=True):
        some = (await triage.get("desk/open", "county", soon=name)).json()
        assert [row["incident_id"] for row in some["items"]] == [incident] and some["counts"] == each, name
    headers = triage.token("duty_officer", "county")
    for unit, of in (("town-east", [late, soon]), ("county", [late, soon, day, later, never]), ("city", None)):
        town = await triage.client.get("/triage/v1/desk/open", params={"unit": unit}, headers=headers)
        assert [row["incident_id"] for row in town.json()["items"]] == (of or [late, soon, day, later, never]), unit
    named = (await triage.get("desk/open", "county", incidents=f"{day},{never}")).json()
    assert [row["incident_id"] for row in named["items"]] == [day, never]
    foreign = (await triage.get("desk/open", "town-east", incidents=f"{late},{day}")).json()
    assert [row["incident_id"] for row in foreign["items"]] == [late]
    assert (await triage.ask(soon, "grade", {"level": "major", "reason": "r"}, role="duty_officer")).status_code == 200
    graded = (await triage.get("desk/open", "county", level="major")).json()
    assert [row["incident_id"] for row in graded["items"]] == [soon] and sum(graded["counts"].values()) == 1
    for wrong in ({"level": "none"}, {"category": "none"}, {"soon": "never"}, {"incidents": "x"}):
        assert (await triage.get("desk/open", "county", **wrong)).status_code == 422, wrong


async def test_each_step_moves_a_matter_to_the_list_where_it_waits(triage: Triage) -> None:
    one = await triage.open("one")
    new = {"open": 1, "to_assign": 1, "inbox": 1}
    steps: tuple[tuple[str, dict[str, Any], str, str, dict[str, int]], ...] = (
        ("request-verification", {"unit": "town-east"}, "duty_officer", "town-east", {**new, "to_verify": 1}),
        ("conclude-verification", {"outcome": "confirmed", "text": "现场核查"}, "verifier", "town-east", new),
        ("assign", {"unit": "town-east", "reason": "属本镇"}, "duty_officer", "town-east", {"open": 1, "to_accept": 1}),
    )
    for verb, body, role, unit, there in steps:
        answer = await triage.ask(one, verb, body, role=role, unit=unit)
        assert answer.status_code == 200, (verb, answer.text)
        assert await counted(triage) == there, verb
    assert (await listed(triage, "to_accept"))[0]["ball"]["for"] == "acceptance"
    assert await counted(triage, role="handler") == {"inbox": 1, "open": 1, "to_accept": 1}
    assert [row["incident_id"] for row in await listed(triage, "inbox", role="handler")] == [one]
    answer = await triage.ask(one, "accept", role="handler", unit="town-east")
    assert answer.status_code == 200, answer.text
    handled = {"open": 1, "to_handle": 1}
    assert await counted(triage) == handled
    assert await counted(triage, role="handler") == {"inbox": 1, **handled}
    assert (await listed(triage, "inbox", role="handler"))[0]["ball"]["for"] == "handling"
    asked = {"unit": "town-east"}
    assert (await triage.ask(one, "request-verification", asked, role="duty_officer")).status_code == 200
    assert await listed(triage, "inbox", role="handler") == [], "the ball is with the verifier"
    found = {"outcome": "confirmed", "text": "复核"}
    assert (await triage.ask(one, "conclude-verification", found, role="verifier")).status_code == 200
    assert await counted(triage, role="handler") == {"inbox": 1, **handled}


async def test_a_notice_of_a_superior_is_on_the_desk_of_the_unit_that_answers_it_until_it_is_answered(
    triage: Triage,
) -> None:
    one = await triage.open("one")
    now = triage.runtime.time_source.now()
    for name in ("notice", "notice#2"):
        await triage.take(clock(triage, one, started(triage, name)))
    assert await counted(triage) == {"open": 1, "to_assign": 1, "to_correct": 1, "inbox": 1}
    assert [row["incident_id"] for row in await listed(triage, "inbox")] == [one]
    # the answer stays owed wherever the matter goes, and after its end
    for verb, role, unit, body in (
        ("transfer", "chief", "county", {"unit": "town-west", "reason": "r"}),
        ("merge", "chief", "county", {"into": await triage.open("two", unit="town-west")}),
    ):
        assert (await triage.ask(one, verb, body, role=role, unit=unit)).status_code == 200
        assert await counted(triage) == {"to_correct": 1, "inbox": 1}
    due = now - timedelta(minutes=1)
    breached = ClockBreached(clock="notice", unit="town-east", due=due, detected_at=now)
    await triage.take(clock(triage, one, breached), clock(triage, one, ClockMet(clock="notice", met_at=now, late=True)))
    assert [row["incident_id"] for row in await listed(triage, "to_correct")] == [one]
    await triage.take(clock(triage, one, ClockMet(clock="notice#2", met_at=now, late=False)))
    assert await counted(triage) == {}


async def test_notices_to_several_units_are_each_on_the_desk_of_the_unit_that_answers(triage: Triage) -> None:
    one, now = await triage.open("one"), triage.runtime.time_source.now()
    later = started(triage, "notice#2").model_copy(update={"unit": "town-west"})
    await triage.take(clock(triage, one, started(triage, "notice")), clock(triage, one, later))
    for unit in ("town-east", "town-west"):
        assert [row["incident_id"] for row in await listed(triage, "to_correct", unit=unit)] == [one]
        assert (await counted(triage, unit=unit))["to_correct"] == 1
    await triage.take(clock(triage, one, ClockMet(clock="notice#2", met_at=now, late=False)))
    assert len(await listed(triage, "to_correct")) == 1
    assert await listed(triage, "to_correct", unit="town-west") == []


def test_an_ordered_explanation_is_on_the_desk_of_whoever_handles_the_matter_until_all_is_said() -> None:
    ordered = IncidentExplanationOrdered(unit="town-east", proposed_reply=True)
    told = IncidentUnitExplained.model_validate({"unit": "county-roads", "text": "t"})
    assigned = IncidentAssigned(unit="county-roads")
    row = row_after(ordered, assigned)
    assert row["explaining"] == "county-roads"
    back = IncidentReturned.model_validate({"unit": "county-roads", "reason": "r"})
    assert row_after(ordered, assigned, back)["explaining"] == "town-east"
    assert "to_explain" in lists_after(ordered, assigned, told), "it proposes a reply, too"
    whole = told.model_copy(update={"proposed_reply": words("reply")})
    assert "to_explain" not in lists_after(ordered, assigned, whole)
    assert "to_explain" not in lists_after(ordered.model_copy(update={"proposed_reply": False}), told)


def test_an_asker_whom_an_answer_did_not_help_waits_for_a_decision_after_the_end() -> None:
    no = IncidentAnswerJudged(report=REPORT, answer=UUID, helps=False)
    end = IncidentResolved.model_validate({"reason": "r"})
    declined = IncidentRoundDeclined.model_validate({"report": REPORT, "reason": "r"})
    again = IncidentReopened.model_validate({"reason": "r"})
    assert "unhelpful" not in lists_after(no)
    assert "unhelpful" in lists_after(no, end)
    other = f"incident-{UUID}"
    gone = IncidentSplit(into=other, reports=(REPORT,))
    for over in (declined, again, gone, no.model_copy(update={"helps": True}), IncidentMerged(into=other)):
        assert "unhelpful" not in lists_after(no, end, over)


def row_after(*facts: Fact) -> Row:
    """The row of a matter after these events of it."""
    fold, row = desk.view(DESK), None
    for event in events("incident", [IncidentOpened(unit="town-east", report=REPORT, discovered_at=NOW), *facts]):
        for key in fold.touched(event):
            row = fold.apply(key, row, event)
    assert row is not None
    return row


def lists_after(*facts: Fact) -> list[str]:
    """The lists that hold it, besides those that are open or wait to be assigned."""
    row = row_after(*facts)
    return [name for name in desk.NAMES if row[name] and name not in ("open", "to_assign")]


def test_what_waits_for_a_designation_stands_among_what_came_back() -> None:
    """The unit above finds it there, whichever way it came to it."""
    lead = IncidentAssigned(unit="county-roads")
    passed = IncidentPassedUpward(unit="county-roads", designates="county", reason="r")  # type: ignore[arg-type]
    other = stream_of("incident", f"clock-{UUID}")
    absorbed = IncidentAbsorbed(incident=other, reports=(REPORT,), discovered_at=NOW, designates="county")
    brought = IncidentAssigned(unit="county-water", taken_from=other)
    assert lists_after(lead, IncidentAccepted(unit="county-roads"), passed) == ["returned"]
    assert lists_after(passed, IncidentAssigned(unit="county-roads", designated_by="county")) == ["to_accept"]
    assert lists_after(absorbed, brought) == ["to_accept", "returned"]


def test_what_was_verified_elsewhere_or_ended_waits_for_no_verifier() -> None:
    asked = IncidentVerificationRequested(unit="county-water")
    again = IncidentReopened(reason="r")  # type: ignore[arg-type]
    over = (IncidentDismissed(report_count=1), again)
    assert lists_after(asked) == ["to_verify"]
    assert lists_after(asked.model_copy(update={"taken_from": f"incident-{UUID}"})) == []
    assert lists_after(asked, *over) == []
    assert lists_after(asked, IncidentResolved(reason="r"), again) == ["to_verify"]  # type: ignore[arg-type]


async def test_a_limit_that_is_met_is_gone_a_breached_one_stays_and_a_deferred_one_has_its_review(
    triage: Triage,
) -> None:
    one = await triage.open("one")
    now = triage.runtime.time_source.now()
    await triage.take(clock(triage, one, started(triage)), clock(triage, one, started(triage, "reply", 2)))
    await triage.take(clock(triage, one, ClockMet(clock="accept", met_at=now, late=False)))
    due = now - timedelta(minutes=1)
    await triage.take(clock(triage, one, ClockBreached(clock="reply", unit="town-east", due=due, detected_at=now)))
    [row] = await listed(triage, "open")
    assert [(limit["clock"], limit["state"]) for limit in row["limits"]] == [("reply", "breached")]
    assert row["limits"][0]["seconds_left"] < 0
    review = now + timedelta(days=30)
    deferred = ClockDeferred(clock="reply", post="chief@county", review=review, reason=words("plan"))
    await triage.take(clock(triage, one, deferred), clock(triage, one, ClockCancelled(clock="reply", cause="deferred")))
    [row] = await listed(triage, "deferred")
    assert row["limits"][0]["due"] == instant(review)
    assert await counted(triage) == {"open": 1, "to_assign": 1, "deferred": 1, "inbox": 1}


@pytest.mark.postgres
async def test_the_lists_are_the_same_on_postgres(triage_on_postgres: Triage) -> None:
    triage = triage_on_postgres
    late, soon = [await triage.open(name) for name in ("late", "soon")]
    await triage.take(clock(triage, late, started(triage, hours=5)), clock(triage, soon, started(triage, hours=2)))
    body = {"unit": "town-east", "reason": "属本镇"}
    assert (await triage.ask(soon, "assign", body, role="duty_officer", unit="town-east")).status_code == 200
    for unit in ("town-east", "city"):
        assert [row["incident_id"] for row in await listed(triage, "open", unit=unit)] == [soon, late]
        first = (await triage.get("desk/open", unit, limit=1)).json()
        then = (await triage.get("desk/open", unit, limit=1, cursor=first["next"])).json()
        assert [row["incident_id"] for row in first["items"] + then["items"]] == [soon, late]
        assert await counted(triage, unit=unit, role="handler") == {
            "inbox": 1,
            "open": 2,
            "to_accept": 1,
            "to_assign": 1,
        }
    assert await counted(triage, unit="town-west") == {}


async def test_a_row_is_the_same_whichever_topic_comes_first(triage: Triage) -> None:
    one = await triage.open("one")
    (opened,) = await triage.events(one)
    events = [opened, clock(triage, one, started(triage))]
    fold = desk.view(DESK)
    rows = []
    for order in permutations(events):
        row = None
        for event in order:
            row = fold.apply((one,), row, event)
        rows.append(row)
    assert rows[0] == rows[1]


@pytest.mark.parametrize("name", ["nothing", "OPEN", "drill"])
async def test_an_unknown_list_is_refused_with_the_known_ones(triage: Triage, name: str) -> None:
    answer = await triage.get(f"desk/{name}", "town-east")
    assert answer.status_code == 422 and "to_accept" in answer.text
