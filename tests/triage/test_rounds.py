"""After the end of a matter: what the asker says of the answer, rounds, recurrence, follow-up until it is over."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from schemas import triage
from schemas.fields import Fact, instant
from schemas.ingest import ReportHelpfulnessGiven
from services.kernel.core.ids import derived
from services.kernel.core.problems import Forbidden, Malformed, Rejected
from services.kernel.core.units import Delegation
from services.triage import commands as c
from services.triage.decider import DECIDER
from services.triage.handling.ball import ball
from tests.kit import spec
from tests.kit.spec import NOW, At, Given, given, staff
from tests.triage.conftest import Triage

REPORT = f"report-{spec.UUID}"
OPENED = triage.IncidentOpened(unit="town-east", report=REPORT, discovered_at=NOW - timedelta(days=9))
HANDLED = (triage.IncidentSolved(text="t"), triage.IncidentExplained(text="t", to="asker"))  # type: ignore[arg-type]
RESOLVED = triage.IncidentResolved(reason="r", follows_up="verifier@town-east")  # type: ignore[arg-type]
CLOSED = triage.IncidentClosed(reason="r")  # type: ignore[arg-type]
ENDED = (OPENED, *HANDLED, At(RESOLVED, NOW - timedelta(days=2)))
NO = triage.IncidentAnswerJudged(report=REPORT, answer=spec.UUID, helps=False)
YES = NO.model_copy(update={"helps": True})


def past(*facts: Fact | At, role: str = "chief", **seen: Any) -> Given:
    return given(DECIDER, *facts, actor=staff(role, unit="town-east")).seeing(**seen)


def opens(**more: Any) -> triage.IncidentReopened:
    return triage.IncidentReopened(reason="r", **more)  # type: ignore[arg-type]


@pytest.mark.requirement("AUD-03")
def test_a_recurrence_names_its_report_and_is_known_since_its_discovery() -> None:
    known = NOW - timedelta(hours=3)
    again = c.Reopen(reason="r", report=REPORT)
    past(*ENDED, recurrence=known).when(again).then(opens(report=REPORT, discovered_at=known))
    past(*ENDED, recurrence=None).when(again).then_raises(Malformed, "belongs neither")
    past(*ENDED).when(c.Reopen(reason="r")).then(opens())


def test_a_round_is_not_known_before_the_end_of_the_last_one() -> None:
    before = NOW - timedelta(days=5)
    case = past(*ENDED, recurrence=before).when(c.Reopen(reason="r", report=REPORT))
    case.then(opens(report=REPORT, discovered_at=NOW - timedelta(days=2)))


def test_rounds_are_counted() -> None:
    case = past(*ENDED, opens(), *HANDLED, RESOLVED)
    case.when(c.Reopen(reason="r")).then(opens(round=3))
    assert case.state.aftercare.round == 2


def test_a_merger_brings_the_number_of_rounds_and_an_instruction() -> None:
    told = triage.IncidentInstructionGiven.model_validate({"text": "t", "post": "chief@town-east"})
    leaving = past(*ENDED, opens(round=3), told).state
    other = f"incident-{derived('other')}"
    case = past(OPENED, leaving=replace(leaving, id=other), reports=[REPORT])
    facts = [getattr(one, "data", one) for one in case.when(c.Absorb(incident=other)).decided()]
    after = past(OPENED, *facts).state
    assert (after.aftercare.round, after.dispatch.instructed) == (3, True)
    assert past(*ENDED, opens(round=3), opens(round=4), *facts).state.aftercare.round == 4


@pytest.mark.requirement("ING-12")
def test_a_no_waits_until_it_opens_a_round_or_somebody_says_why_not() -> None:
    said = At(NO, NOW - timedelta(hours=1))
    case = past(*ENDED, said)
    found = ball(case.state, spec.offices())
    assert found is not None
    assert (found.unit, found.awaited, found.since) == ("town-east", "round", NOW - timedelta(hours=1))
    case.when(c.Reopen(reason="r", report=REPORT)).then(opens(report=REPORT, discovered_at=NOW - timedelta(hours=1)))
    decline = c.DeclineRound(report=REPORT, reason="r")
    declined = triage.IncidentRoundDeclined(report=REPORT, reason="r")  # type: ignore[arg-type]
    case.when(decline).then(declined)
    past(*ENDED, said, declined).when(decline).then_raises(Rejected, "no asker waits")
    other = c.DeclineRound(report=f"report-{derived('x')}", reason="r")
    case.when(other).then_raises(Malformed, REPORT)
    assert past(*ENDED, said, opens()).state.aftercare.unhelpful == ()
    assert past(*ENDED, YES).state.aftercare.unhelpful == ()


@pytest.mark.requirement("ING-12")
def test_a_no_goes_with_its_report_and_a_merger_is_no_decision_on_it() -> None:
    other = f"incident-{derived('other')}"
    split = triage.IncidentSplit(into=other, reports=(REPORT,))
    further = triage.IncidentReportAttached(report=f"report-{derived('x')}", unit="town-east", discovered_at=NOW)
    gone = past(OPENED, further, *ENDED[1:], NO, split).state
    assert gone.aftercare.unhelpful == ()
    found = ball(gone, spec.offices())
    assert found is not None
    assert found.awaited == "closing"
    leaving = past(*ENDED, NO).state
    into = past(OPENED, leaving=leaving, reports=[REPORT])
    assert NO in [getattr(one, "data", one) for one in into.when(c.Absorb(incident=other)).decided()]


def test_a_no_that_came_before_the_end_waits_since_the_end() -> None:
    found = ball(past(OPENED, At(NO, NOW - timedelta(days=5)), *ENDED[1:]).state, spec.offices())
    assert found is not None
    assert (found.awaited, found.since) == ("round", NOW - timedelta(days=2))


def test_a_delegate_of_the_named_post_approves_for_it_and_follows_up_nothing() -> None:
    case = past(*ENDED, CLOSED, role="duty_officer")
    loan = Delegation("verifier@town-east", "duty_officer@town-east", NOW - timedelta(days=1), NOW + timedelta(days=1))
    offices = replace(case.context.offices, delegations=(loan,))
    asked = replace(case, context=replace(case.context, offices=offices)).when(c.FollowUp(text="t"))
    asked.then_raises(Forbidden)


@pytest.mark.requirement("AUD-03")
def test_the_named_post_follows_until_it_is_over_or_the_risk_is_gone() -> None:
    found = ball(past(*ENDED, CLOSED).state, spec.offices())
    assert found is not None
    assert (found.post, found.awaited) == ("verifier@town-east", "follow_up")
    looked = c.FollowUp(text="t", ends="risk_gone")
    over = triage.IncidentFollowedUp(text="t", ends="risk_gone")  # type: ignore[arg-type]
    past(*ENDED, CLOSED, role="verifier").when(looked).then(over)
    past(*ENDED, CLOSED, role="duty_officer").when(looked).then_raises(Forbidden)
    past(*ENDED, CLOSED, over).when(c.FollowUp(text="t")).then_raises(Rejected, "has ended")
    assert ball(past(*ENDED, CLOSED, over).state, spec.offices()) is None
    again = past(*ENDED, CLOSED, over, opens(), *HANDLED, RESOLVED, role="verifier")
    again.when(c.FollowUp(text="t")).then(triage.IncidentFollowedUp(text="t"))  # type: ignore[arg-type]


async def test_what_the_asker_says_reaches_the_matter_and_a_recurrence_opens_it_over_http(triage: Triage) -> None:
    first = triage.report("pothole", match_key="k")
    await triage.take(first)
    [item] = (await triage.get("incidents", report_id=first.stream)).json()["items"]
    id_ = item["id"]
    assert (await triage.ask(id_, "assign", {"unit": "town-east"}, role="duty_officer")).status_code == 200
    for verb, body in (("accept", None), ("solve", {"text": "t"}), ("explain", {"text": "t"})):
        done = await triage.ask(id_, verb, body, role="handler")
        assert done.status_code == 200, done.text
    await triage.agree(id_)
    assert (await triage.ask(id_, "resolve", {"reason": "r"}, role="handler")).status_code == 200
    said = ReportHelpfulnessGiven(incident=id_, answer=spec.UUID, helps=False)
    await triage.take(triage.event(first.stream, said, service="ingest"))
    found = (await triage.get(f"incidents/{id_}", role="chief")).json()
    assert [one["report"] for one in found["unhelpful"]] == [first.stream]
    assert "decline-round" in found["may"]
    assert found["ball"]["for"] == "round"
    second = triage.report("pothole again", match_key="k")
    await triage.take(second)
    strange = {"reason": "r", "report": f"report-{derived('strange')}"}
    assert (await triage.ask(id_, "reopen", strange, role="chief")).status_code == 422
    reopened = await triage.ask(id_, "reopen", {"reason": "r", "report": second.stream}, role="chief")
    assert reopened.status_code == 200, reopened.text
    [event] = [one for one in await triage.events(id_) if one.type == "huiying.incident.reopened.v1"]
    assert event.data.report == second.stream
    assert event.data.round == 2
    ended = next(one for one in await triage.events(id_) if one.type == "huiying.incident.resolved.v1")
    assert event.data.discovered_at == max(second.data.discovered_at, ended.recorded)
    found = (await triage.get(f"incidents/{id_}")).json()
    assert (found["round"], found["unhelpful"], found["state"]) == (2, [], "accepted")
    assert instant(event.recorded) == found["ball"]["since"]
