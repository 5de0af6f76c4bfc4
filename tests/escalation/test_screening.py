"""Limits of a matter that needs no reply, and of one that nobody has reported yet."""

from typing import Any

import pytest

from schemas import answering as a
from schemas import triage
from schemas.escalation import ClockBreached, ClockCancelled, ClockMet, ClockMilestoneReached, ClockStarted
from schemas.pack import PolicyPack
from services.escalation.clock.clocks import Clock, derive
from services.escalation.commands import RecordMilestones
from services.escalation.reactions import milestones_of
from tests.escalation.incident import PACK, Incident, at, graded, milestone, opened, reached
from tests.kit import spec

REGISTERED = {"unit": "town-east", "subject": "s", "text": "t"}
NONE, ANEW = reached("reply_not_needed", at(3)), reached("reply_needed", at(5))


def clocks(*commands: RecordMilestones, pack: PolicyPack = PACK.model) -> dict[str, Clock]:
    return {clock.name: clock for clock in derive([m for c in commands for m in c.milestones], pack)}


def names(kind: str, *facts: Any) -> list[str]:
    return [one.milestone for event in spec.events(kind, facts) for one in milestones_of(event)]


@pytest.mark.requirement("ING-10")
def test_only_a_review_is_a_milestone_and_a_decision_for_a_reply() -> None:
    by = "0" * 64
    screened = a.IncidentScreened(needs_reply=False, ground="no_request", report_count=1, by=by)
    words = {"reason": "r", "by": by}
    upheld, overturned = (a.IncidentScreeningReviewed.model_validate({"upheld": yes, **words}) for yes in (True, False))
    anew = a.IncidentScreened(needs_reply=True, report_count=1, by=by)
    assert names("incident", screened, upheld, overturned, anew) == [
        "reply_not_needed",
        "reply_needed",
        "reply_needed",
    ]


@pytest.mark.requirement("ING-10")
def test_an_upheld_decision_ends_the_limits_that_the_pack_names_and_no_others() -> None:
    found = clocks(opened(at(0)), NONE)
    assert found["explanation"].cancelled == ("screened", at(3))
    assert found["transfer"].cancelled is None
    major = clocks(opened(at(0)), graded(at(1), "major"), NONE)
    assert major["interim_reply"].cancelled == ("screened", at(3))
    assert major["public_statement"].cancelled is None, "it answers no message"
    bare = PACK.model.model_copy(update={"answering": type(PACK.model.answering)()})
    assert clocks(opened(at(0)), NONE, pack=bare)["explanation"].cancelled is None


@pytest.mark.requirement("ING-10")
def test_an_overturned_decision_brings_the_limit_back_with_its_old_start() -> None:
    before, after = clocks(opened(at(0))), clocks(opened(at(0)), NONE, ANEW)
    assert after["explanation"] == before["explanation"]
    late = clocks(opened(at(0)), NONE, reached("reply_needed", at(30)))["explanation"]
    assert (late.due, late.overdue(at(31))) == (at(24), True)


@pytest.mark.requirement("ING-10")
def test_no_breach_goes_away_and_no_answer_counts_twice() -> None:
    missed = clocks(opened(at(0)), reached("reply_not_needed", at(30)))["explanation"]
    assert missed.overdue(at(31))
    answered = clocks(opened(at(0)), reached("explained", at(2)), NONE)["explanation"]
    assert (answered.met_at, answered.cancelled) == (at(2), None)


@pytest.mark.requirement("ING-10")
def test_a_reopened_matter_owes_a_reply_again() -> None:
    again = clocks(opened(at(0)), NONE, reached("reopened", at(50)))
    assert again["explanation"].cancelled == ("screened", at(3))
    assert (again["explanation#2"].since, again["explanation#2"].cancelled) == (at(50), None)
    never = PACK.model.model_copy(
        update={"clocks": tuple(one.model_copy(update={"again": None}) for one in PACK.model.clocks)}
    )
    first = clocks(opened(at(0)), NONE, reached("reopened", at(50)), pack=never)
    assert (first["explanation#2"].since, first["explanation#2"].cancelled) == (at(50), None), "never answered"


@pytest.mark.requirement("ING-10")
def test_the_record_says_that_a_limit_ended_and_that_it_is_back() -> None:
    matter = Incident().do(opened(at(0)), at(0)).do(NONE, at(3))
    assert ClockCancelled(clock="explanation", cause="screened") in matter.did
    matter.do(ANEW, at(5))
    assert [(one.clock, one.due) for one in matter.did if isinstance(one, ClockStarted)] == [("explanation", at(24))]
    matter.detect(at(25))
    assert "explanation" in [one.clock for one in matter.did if isinstance(one, ClockBreached)]


@pytest.mark.requirement("ING-07")
def test_nothing_is_owed_to_askers_before_the_first_report() -> None:
    fact = triage.IncidentOpened.model_validate({**REGISTERED, "discovered_at": at(0)})
    assert names("incident", fact) == ["opened"]
    alone = RecordMilestones(milestones=(milestone("opened", at(0), unit="town-east"),))
    assert clocks(alone, graded(at(1), "major")) == {}
    receipt = PACK.model.clocks[0].model_copy(update={"name": "receipt", "from_": "opened", "first_answer": True})
    with_it = PACK.model.model_copy(update={"clocks": (receipt,)})
    assert clocks(alone, pack=with_it) == {}
    usual = clocks(opened(at(0)), pack=with_it)["receipt"]
    assert usual.since == at(0)
    told = reached("discovered", at(9))
    assert clocks(alone, told, pack=with_it)["receipt"].since == at(9)


@pytest.mark.requirement("ING-07")
def test_the_limits_run_from_the_discovery_of_the_first_report() -> None:
    other = f"incident-{spec.UUID}"
    absorbed = triage.IncidentAbsorbed(incident=other, reports=(f"report-{spec.UUID}",), discovered_at=at(48))
    assert names("incident", absorbed) == ["discovered", "absorbed"]
    nobody = triage.IncidentAbsorbed(incident=other, reports=())
    assert names("incident", nobody) == ["absorbed"]
    matter = Incident().do(RecordMilestones(milestones=(milestone("opened", at(0), unit="town-east"),)), at(0))
    matter.do(reached("facts_published", at(20), unit="town-east"), at(20))
    assert not any(isinstance(one, ClockStarted) for one in matter.did)
    theirs = milestone("discovered", at(49), at(48), incident=other)
    joined: tuple[ClockMilestoneReached, ...] = (
        milestone("discovered", at(50), at(48)),
        milestone("absorbed", at(50), incident=other),
    )
    matter.do(RecordMilestones(milestones=(theirs, *joined)), at(50))
    started = {one.clock: one.due for one in matter.did if isinstance(one, ClockStarted)}
    assert started["explanation"] == at(72)
    assert not any(isinstance(one, ClockMet) for one in matter.did), "what was published before answers no report"


@pytest.mark.requirement("TRI-15")
def test_a_transfer_keeps_the_limit() -> None:
    before = clocks(opened(at(0)))["explanation"]
    moved = clocks(opened(at(0)), reached("transferred", at(20), unit="town-west"))["explanation"]
    assert (moved.since, moved.due) == (before.since, before.due)
    assert moved.unit == "town-west"


@pytest.mark.requirement("TRI-15")
def test_a_complaint_is_passed_on_in_two_hours_at_every_level() -> None:
    def complaint(channel: str, level: str) -> dict[str, Clock]:
        told = RecordMilestones(
            milestones=(
                milestone("discovered", at(0), unit="town-east"),
                milestone("opened", at(0), unit="town-east", channel=channel),
            )
        )
        return clocks(told, graded(at(1), level))

    assert complaint("complaint", "major")["complaint_transfer"].due == at(2)
    assert complaint("complaint", "general")["transfer"].due == at(2)
    assert "complaint_transfer" not in complaint("hotline", "major")
