"""The rules of the clock stream: breaches, annulments, the ladder, reports upward."""

import dataclasses
from datetime import timedelta

import pytest

from schemas import escalation as e
from schemas.fields import Typed
from schemas.pack.clocks import Extension
from services.escalation.commands import AnnulBreach, DecideExtension, Receipt, ReportUpward, RequestExtension
from services.escalation.decider import DECIDER
from services.kernel.core.ids import derived
from services.kernel.core.problems import Forbidden, Malformed, Problem, Rejected
from services.kernel.core.units import Offices
from tests.escalation.incident import OFFICES, PACK, REPORTS, Incident, at, brings, graded, milestone, opened, reached
from tests.kit.spec import UUID, staff

OTHERS = tuple(f"incident-{derived(name)}" for name in "xy")
GENERAL, MAJOR = graded(at(1), "general"), graded(at(1), "major")
OFFICER = staff("duty_officer", unit="town-east")
CHIEF = staff("chief", unit="town-east")


def kinds(incident: Incident) -> list[str]:
    return [f"{type(fact).__name__}:{getattr(fact, 'clock', getattr(fact, 'milestone', ''))}" for fact in incident.did]


def general() -> Incident:
    return Incident().hear(opened(at(0)), GENERAL)


def test_the_answer_that_reaches_escalation_before_the_grade_starts_and_meets_the_clock() -> None:
    incident = Incident().hear(opened(at(0)))
    incident.do(reached("status_published", at(2)), at(2))
    assert kinds(incident) == ["ClockMilestoneReached:status_published"]
    incident.do(MAJOR, at(2.5))
    started, met = (fact for fact in incident.did if getattr(fact, "clock", "") == "public_statement")
    assert started == e.ClockStarted(
        clock="public_statement", unit="town-east", since=at(0), due=at(3), first_answer=True
    )
    assert met == e.ClockMet(clock="public_statement", met_at=at(2), late=False)
    assert "public_statement" not in incident.detect(at(9)).breaches()


def test_the_same_answer_before_the_incident_is_known_is_kept_for_it() -> None:
    incident = Incident().do(reached("status_published", at(2)), at(2))
    assert kinds(incident) == ["ClockMilestoneReached:status_published"]
    assert incident.hear(opened(at(0)), MAJOR).detect(at(9)).breaches() == list(REPORTS)


@pytest.mark.requirement("ESC-13")
def test_a_passed_limit_is_a_breach_once_with_its_due_time_also_after_downtime() -> None:
    incident = general()
    assert incident.detect(at(1.9)).did == []
    incident.detect(at(50))
    assert incident.breach("transfer") == e.ClockBreached(
        clock="transfer", unit="town-east", due=at(2), detected_at=at(50), next_at=at(74)
    )
    breached = next(event for event in incident.events if isinstance(event.data, e.ClockBreached))
    assert (breached.time, breached.recorded, breached.policy) == (at(2), at(50), PACK.ref)
    assert [f for f in incident.detect(at(51)).did if isinstance(f, e.ClockBreached)] == []


def test_a_limit_that_was_met_late_is_breached_all_the_same() -> None:
    incident = general().do(reached("accepted", at(5), unit="county-roads"), at(5))
    assert e.ClockMet(clock="transfer", met_at=at(5), late=True) in incident.did
    assert incident.detect(at(6)).breaches() == ["transfer"]


@pytest.mark.requirement("ESC-13")
def test_a_fact_that_was_recorded_in_time_and_arrives_late_annuls_the_breach() -> None:
    incident = general().detect(at(3))
    incident.do(reached("accepted", at(1.5), unit="county-roads"), at(4))
    assert e.ClockBreachAnnulled(clock="transfer", cause="recorded_in_time") in incident.did
    assert e.ClockMet(clock="transfer", met_at=at(1.5), late=False) in incident.did
    assert incident.detect(at(5)).breaches() == []
    assert len(incident.of(e.ClockBreached)) == 1, "the record of it stays"


def test_back_dating_annuls_nothing() -> None:
    incident = general().detect(at(3))
    incident.do(reached("accepted", at(4), happened=at(1.5), unit="county-roads"), at(4))
    assert incident.breaches() == ["transfer"]


def test_an_earlier_discovery_moves_the_limit_and_the_breach() -> None:
    incident = general().detect(at(3))
    incident.do(reached("discovered", at(4), happened=at(-1)), at(4))
    assert e.ClockBreachAnnulled(clock="transfer", cause="start_changed") in incident.did
    assert incident.detect(at(4.5)).breach("transfer").due == at(1)


def test_a_reviewer_annuls_with_a_reason_and_the_breach_does_not_come_back() -> None:
    incident = general().detect(at(3))
    paper = AnnulBreach(clock="transfer", reason="the paper of 9:30 was entered today")
    with pytest.raises(Forbidden):
        incident.do(paper, at(4), CHIEF)
    incident.do(paper, at(4), staff("auditor", unit="county"))
    (fact,) = incident.did
    assert isinstance(fact, e.ClockBreachAnnulled)
    assert (fact.cause, fact.reason is not None) == ("reviewed", True)
    assert incident.detect(at(200)).of(e.ClockBreached)[-1].clock != "transfer"
    with pytest.raises(Rejected, match="no breach of transfer stands"):
        incident.do(paper, at(5), staff("auditor", unit="county"))


PAPER = AnnulBreach(clock="transfer", reason="the paper of 9:30 was entered today")


@pytest.mark.parametrize(
    ("unit", "may"), [("town-east", False), ("town-west", False), ("county", True), ("city", True)]
)
def test_only_an_auditor_of_a_unit_above_annuls_a_breach(unit: str, may: bool) -> None:
    incident = general().detect(at(3))
    if may:
        assert "transfer" not in incident.do(PAPER, at(4), staff("auditor", unit=unit)).breaches()
    else:
        with pytest.raises(Forbidden, match="the role auditor over county"):
            incident.do(PAPER, at(4), staff("auditor", unit=unit))


def test_the_breach_of_the_root_takes_two_auditors_of_it() -> None:
    incident = Incident().hear(opened(at(0), unit="city"), GENERAL).detect(at(3))
    first, second = (staff("auditor", unit="city", person=person) for person in ("wang", "li"))
    (asked,) = incident.do(PAPER, at(4), first).did
    assert isinstance(asked, e.ClockAnnulmentAsked)
    assert "transfer" in incident.breaches()
    with pytest.raises(Rejected, match="another auditor must confirm it"):
        incident.do(PAPER, at(4.1), first)
    with pytest.raises(Forbidden):
        incident.do(PAPER, at(4.1), staff("auditor", unit="county"))
    (annulled,) = incident.do(PAPER, at(4.2), second).did
    assert isinstance(annulled, e.ClockBreachAnnulled)
    assert (annulled.cause, "transfer" in incident.breaches()) == ("reviewed", False)
    assert annulled.by not in (None, asked.by)


def test_what_was_asked_of_one_breach_does_not_count_for_the_next() -> None:
    incident = Incident().hear(opened(at(0), unit="city"), GENERAL).detect(at(3))
    first, second = (staff("auditor", unit="city", person=person) for person in ("wang", "li"))
    incident.do(PAPER, at(4), first)
    incident.do(reached("discovered", at(4.1), happened=at(-1)), at(4.1)).detect(at(4.2))
    assert incident.breach("transfer").due == at(1)
    (asked,) = incident.do(PAPER, at(5), second).did
    assert isinstance(asked, e.ClockAnnulmentAsked)


def test_who_has_no_right_learns_nothing_of_the_clocks() -> None:
    stranger = staff("chief", "auditor", "duty_officer", unit="town-west")
    for command in (
        RequestExtension(clock="nothing", due=at(9), reason="storm"),
        AnnulBreach(clock="nothing", reason="paper"),
        Receipt(),
        Receipt(report=UUID),
        ReportUpward(),
    ):
        with pytest.raises(Forbidden):
            general().do(command, at(1.2), stranger)


def test_regrading_records_the_difference() -> None:
    incident = general().do(graded(at(1.5), "major", "regraded"), at(1.5))
    assert kinds(incident) == [
        "ClockMilestoneReached:regraded",
        "ClockCancelled:transfer",
        "ClockStarted:public_statement",
        "ClockStarted:interim_reply",
        *(f"ClockStarted:{hop}" for hop in REPORTS),
    ]
    assert not incident.state.clocks["explanation"].cancelled


def test_a_breached_first_answer_survives_regrading() -> None:
    incident = Incident().hear(opened(at(0)), MAJOR).detect(at(4))
    incident.do(graded(at(5), "general", "regraded"), at(5))
    assert "public_statement" in incident.breaches()
    assert not incident.state.clocks["public_statement"].cancelled
    assert all(incident.state.clocks[hop].cancelled for hop in REPORTS)


def test_reopening_starts_a_round_of_its_own() -> None:
    incident = general().hear(reached("solved", at(5)), reached("reopened", at(9, day=1)))
    assert kinds(incident) == ["ClockMilestoneReached:reopened", "ClockStarted:explanation#2"]
    assert incident.detect(at(10, day=2)).breach("explanation#2").due == at(9, day=2)


def test_merging_cancels_what_runs_and_leaves_the_breaches() -> None:
    incident = general().detect(at(3)).do(reached("merged", at(4)), at(4))
    assert e.ClockCancelled(clock="explanation", cause="merged") in incident.did
    assert incident.detect(at(0, day=9)).breaches() == ["transfer"]
    assert incident.of(e.ClockReminderSent) == [], "the ladder goes on where the matter does"


def test_the_other_matter_takes_the_earlier_first_knowledge() -> None:
    incident = Incident().hear(opened(at(0)), GENERAL)
    incident.do(reached("discovered", at(1.2), happened=at(-2)), at(1.2))
    assert incident.state.clocks["transfer"].started.due == at(0)


@pytest.mark.requirement("ESC-10")
def test_the_ladder_is_climbed_once_rung_by_rung() -> None:
    """The rungs count from the detection. Each follows a day after the one before was sent."""
    incident = general().detect(at(3))
    expected = [
        (26.9, []),
        (27.1, [("reminder", "town-east")]),
        (51.0, []),
        (51.2, [("supervision", "town-east"), ("supervision", "county")]),
        (75.3, [("circular", "town-east"), ("circular", "county")]),
        (999.0, []),
    ]
    for hour, told in expected:
        did = [f for f in incident.detect(at(hour)).did if isinstance(f, e.ClockReminderSent) and f.clock == "transfer"]
        assert [(fact.rung, fact.told) for fact in did] == told


def test_a_breach_that_is_found_anew_waits_for_the_rungs_that_were_not_sent() -> None:
    incident = general().detect(at(3)).detect(at(27.1))
    incident.do(reached("discovered", at(2), happened=at(-1)), at(28)).detect(at(30))
    assert (incident.breach("transfer").due, incident.breach("transfer").next_at) == (at(1), at(78))
    for hour in (78.5, 103):
        incident.detect(at(hour))
    incident.do(reached("discovered", at(2.1), happened=at(-2)), at(104)).detect(at(105))
    assert len({f.rung for f in incident.of(e.ClockReminderSent) if f.clock == "transfer"}) == 3
    assert (incident.breach("transfer").due, incident.breach("transfer").next_at) == (at(0), None)


@pytest.mark.requirement("ESC-10")
@pytest.mark.parametrize("explanation", ["returned", "explained", "replied", "delay_explained"])
def test_a_circular_names_no_unit_that_explained_itself(explanation: str) -> None:
    incident = general().detect(at(3)).do(reached(explanation, at(40), unit="town-east"), at(40))
    for day in range(2, 30):
        incident.detect(at(0, day=day))
    rungs = [fact.rung for fact in incident.of(e.ClockReminderSent) if fact.clock == "transfer"]
    assert rungs == ["reminder", "supervision", "supervision"]
    (spared,) = [fact for fact in incident.of(e.ClockReminderSpared) if fact.clock == "transfer"]
    assert (spared.rung, spared.next_at) == ("circular", None)


def test_each_step_says_when_the_next_one_follows() -> None:
    """The loop wakes at that time and not earlier."""
    incident = general().detect(at(3))
    for hour in range(4, 200):
        incident.detect(at(hour))
    breach = next(fact for fact in incident.of(e.ClockBreached) if fact.clock == "transfer")
    sent = {fact.rung: fact for fact in incident.of(e.ClockReminderSent) if fact.clock == "transfer"}
    assert breach.next_at == sent["reminder"].due
    assert sent["reminder"].next_at == sent["supervision"].due
    assert sent["supervision"].next_at == sent["circular"].due
    assert sent["circular"].next_at is None


@pytest.mark.requirement("ESC-10")
def test_meeting_what_is_owed_ends_the_ladder() -> None:
    incident = general().detect(at(3)).do(reached("accepted", at(10), unit="county-roads"), at(10))
    incident.detect(at(0, day=30))
    assert [fact for fact in incident.of(e.ClockReminderSent) if fact.clock == "transfer"] == []
    assert "transfer" in incident.breaches()


@pytest.mark.requirement("ESC-02", "ESC-03")
def test_a_report_goes_up_step_by_step_and_each_step_has_its_receipt() -> None:
    incident = Incident().hear(opened(at(0), unit="town-east"), MAJOR)
    incident.do(ReportUpward(text="塌方，正在核实"), at(1.2), OFFICER)
    report = incident.of(e.ClockReportedUpward)[0]
    assert (report.unit, report.to, report.level, report.unverified) == ("town-east", "county", "major", True)
    assert (report.addressee, report.form, report.hop) == ("leading_group", "written", "report_to_county")
    assert not incident.of(e.ClockMet), "sending is not arriving"
    approver, chief = staff("approver", unit="county", person="a"), staff("chief", unit="county", person="b")
    incident.do(Receipt(), at(1.3), approver)
    assert e.ClockMet(clock="report_to_county", met_at=at(1.3), late=True) in incident.did
    incident.do(Receipt(report=report.report), at(1.4), chief)
    assert incident.of(e.ClockReceiptGiven) == [e.ClockReceiptGiven(report=report.report, unit="county")] * 2
    with pytest.raises(Rejected, match="already"):
        incident.do(Receipt(report=report.report), at(1.5), chief)
    incident.do(ReportUpward(), at(1.6), staff("duty_officer", unit="county"))
    further = incident.of(e.ClockReportedUpward)[1]
    assert (further.unit, further.to) == ("county", "city")


def test_a_report_after_a_fact_was_established_is_not_unverified() -> None:
    incident = Incident().hear(opened(at(0)), MAJOR, reached("fact_established", at(1.1)))
    incident.do(ReportUpward(to="city"), at(1.2), OFFICER)
    report = incident.of(e.ClockReportedUpward)[0]
    assert (report.to, report.unverified) == ("city", False)


def test_sending_a_report_back_takes_a_reason() -> None:
    with pytest.raises(ValueError, match="with a reason"):
        Receipt(accepted=False)
    incident = general().do(ReportUpward(), at(1.2), OFFICER)
    with pytest.raises(Forbidden):
        incident.do(Receipt(), at(1.3), CHIEF)
    incident.do(Receipt(accepted=False, reason="no place is named"), at(1.3), staff("duty_officer", unit="county"))
    assert isinstance(incident.did[0], e.ClockReceiptRefused)


@pytest.mark.parametrize(
    ("command", "actor", "problem", "says"),
    [
        (ReportUpward(), staff("handler", unit="town-east"), Forbidden, "duty_officer"),
        (ReportUpward(), staff("duty_officer", unit="town-west"), Forbidden, "town-east"),
        (ReportUpward(to="nowhere"), OFFICER, Malformed, "nowhere"),
        (ReportUpward(to="town-west"), OFFICER, Rejected, "is not above"),
        (Receipt(), staff("chief", unit="county"), Rejected, "no report waits"),
        (
            Receipt(report=UUID),
            staff("chief", unit="county"),
            Malformed,
            "has no report",
        ),
        (RequestExtension(clock="transfer", due=at(9), reason="storm"), CHIEF, Rejected, "does not allow"),
        (RequestExtension(clock="nothing", due=at(9), reason="storm"), CHIEF, Malformed, "has no clock"),
    ],
)
def test_what_staff_may_not_do(command: object, actor: object, problem: type[Problem], says: str) -> None:
    with pytest.raises(problem, match=says):
        general().do(command, at(1.2), actor)  # type: ignore[arg-type]


def test_after_a_merger_the_answer_names_where_the_matter_goes_on() -> None:
    incident = general().do(reached("merged", at(1.1)), at(1.1))
    with pytest.raises(Rejected, match="merged into incident-b"):
        incident.do(ReportUpward(), at(1.2), OFFICER, seen={"into": "incident-b"})


EXTENSION = Extension.model_validate(
    {
        "approved_by": "chief",
        "at_most": {"mode": "elapsed", "duration": "P10D"},
        "source": {"kind": "derived", "reason": "of these tests"},
    }
)


def extendable() -> Offices:
    clocks = tuple(clock.model_copy(update={"extension": EXTENSION}) for clock in PACK.model.clocks)
    pack = dataclasses.replace(PACK, model=PACK.model.model_copy(update={"clocks": clocks}))
    return dataclasses.replace(OFFICES, packs={pack.ref: pack})


def test_a_limit_that_is_extended_after_a_split_and_a_merger_ends_when_it_says() -> None:
    other = brings(milestone("discovered", at(6), at(5), incident=OTHERS[1]))
    split = brings(*opened(at(10)).milestones, milestone("split_off", at(10), incident=OTHERS[0]))
    merged = brings(milestone("discovered", at(12), at(5)), milestone("absorbed", at(12), incident=OTHERS[1]))
    incident = Incident(offices=extendable()).hear(other, split, merged)
    assert incident.state.clocks["explanation"].started.due == at(5, day=1)
    asked = RequestExtension(clock="explanation", due=at(20, day=2), reason="the road is cut")
    incident.do(asked, at(13), staff("handler", unit="town-east", person="wang"))
    incident.do(DecideExtension(clock="explanation", granted=True, reason="so be it", notice="later"), at(13), CHIEF)
    assert incident.state.clocks["explanation"].started.due == at(20, day=2)
    assert "explanation" not in incident.detect(at(19, day=2)).breaches()
    assert incident.detect(at(21, day=2)).breach("explanation").due == at(20, day=2)


def test_reactions_are_never_refused_even_where_no_pack_is_in_force() -> None:
    bare = Offices(OFFICES.units, {}, {})
    incident = Incident(offices=bare).hear(opened(at(0)), GENERAL).detect(at(9))
    assert [type(fact) for fact in incident.of(e.ClockStarted)] == []
    incident.offices = OFFICES
    incident.detect(at(9, day=1))
    assert incident.breaches() == ["transfer", "explanation"]
    assert incident.breach("transfer").due == at(2)


def test_a_milestone_that_comes_again_changes_nothing() -> None:
    incident = general()
    assert incident.do(GENERAL, at(3)).did == []
    assert incident.do(opened(at(0)), at(3)).did == []


def test_a_later_discovery_is_not_worth_an_event() -> None:
    assert general().do(reached("discovered", at(3), happened=at(2)), at(3)).did == []


def test_an_earlier_discovery_that_arrives_first_does_not_hide_what_was_owed_before_it_was_recorded() -> None:
    earlier = reached("discovered", at(9), happened=at(-1))
    history = (opened(at(0)), MAJOR, graded(at(2), "general", "regraded"))
    ahead = Incident().do(earlier, at(9))
    for command in history:
        ahead.do(command, at(9.5))
    assert ahead.detect(at(10)).standing() == Incident().hear(*history, earlier).detect(at(10)).standing()
    assert "public_statement" in ahead.breaches()


def test_words_stay_words() -> None:
    incident = general()
    ctx = incident.context(at(1.2), OFFICER)
    first = DECIDER.decide(incident.state, ReportUpward(text="塌方"), ctx)[0]
    assert first.data.text == Typed(text="塌方")  # type: ignore[union-attr]


def test_after_a_long_silence_the_ladder_begins_with_its_first_rung() -> None:
    """An old discovery, or a judge who was away, makes no circular without reminders before it."""
    incident = general().detect(at(0, day=60))
    assert incident.of(e.ClockReminderSent) == []
    for day, rungs in ((61.5, ["reminder"]), (70, ["reminder", "supervision"]), (70.9, ["reminder", "supervision"])):
        incident.detect(at(24 * day))
        told = [fact for fact in incident.of(e.ClockReminderSent) if fact.clock == "transfer"]
        assert [fact.rung for fact in told if fact.told == "town-east"] == rungs
    incident.detect(at(0, day=90))
    due = {fact.rung: fact.due for fact in incident.of(e.ClockReminderSent) if fact.clock == "transfer"}
    assert due == {"reminder": at(0, day=61), "supervision": at(36, day=61), "circular": at(0, day=71)}


def test_what_is_done_counts_although_the_discovery_was_stamped_ahead() -> None:
    discovered = at(0) + timedelta(seconds=50)
    incident = Incident().hear(opened(at(0), discovered=discovered))
    incident.do(reached("accepted", at(0) + timedelta(seconds=10), unit="county-roads"), at(0) + timedelta(seconds=10))
    transfer = incident.state.clocks["transfer"]
    assert (transfer.started.since, transfer.met_at) == (at(0), at(0) + timedelta(seconds=10))
    assert "transfer" not in incident.detect(at(3)).breaches()
