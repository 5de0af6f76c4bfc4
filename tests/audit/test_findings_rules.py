"""Each kind of finding on a record that shows it, and on one that nearly does and must not."""

import random
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import escalation as e
from schemas import ingest as i
from schemas import publish as p
from schemas import triage as t
from schemas.operation import OperationAccessRefused, OperationSeparationRefused
from schemas.pack.office import Findings
from schemas.words import WordsErased
from services.audit.findings import readings, sentences
from services.audit.findings.matter import Found, Record
from services.audit.findings.queries import source
from services.audit.findings.rules import judge
from services.kernel.core.ids import derived
from tests.audit.matter import COUNTY, PACK, TOWN, Matter, at
from tests.audit.world import id_of, words
from tests.kit import spec

TEXT = (
    "经核实，东街道路积水系排水口被树叶堵塞，养护人员已于当日清理完毕，并增设了两处排水口，今后每周巡查一次，欢迎监督。"
)


def only(found: list[Found]) -> Found:
    (one,) = found
    return one


# limits


@pytest.mark.requirement("AUD-07")
def test_a_report_that_was_not_sent_by_its_limit_is_late() -> None:
    late = only(Matter().known().missed("report_to_town", 1).found("late_report"))
    assert (late.unit, late.rule, late.due) == (TOWN, "reports.report_to_town", at(1))
    assert [type(one.data) for one in late.events] == [e.ClockStarted, e.ClockBreached]


def test_a_limit_that_runs_or_was_met_is_no_late_report() -> None:
    assert Matter().known().clock("report_to_town", 1).found("late_report") == []


@pytest.mark.parametrize("cause", ["recorded_in_time", "reviewed"])
def test_an_annulled_breach_is_no_late_report(cause: Any) -> None:
    matter = Matter().known().missed("report_to_town", 1)
    matter.add(2, e.ClockBreachAnnulled(clock="report_to_town", cause=cause))
    assert judge(matter.record()) == {}


def test_a_breach_that_came_back_after_its_annulment_is_one() -> None:
    matter = Matter().known().missed("report_to_town", 1)
    matter.add(2, e.ClockBreachAnnulled(clock="report_to_town", cause="start_changed"))
    assert len(matter.breach("report_to_town", 3).found("late_report")) == 1


def test_a_report_that_was_sent_in_time_and_not_confirmed_is_a_missed_receipt_of_the_addressee() -> None:
    matter = Matter().known().clock("report_to_town", 1).reported(0.5).breach("report_to_town", 1)
    missed = only(matter.found("receipt_missed"))
    assert (missed.unit, matter.found("late_report")) == (COUNTY, [])


@pytest.mark.parametrize(("sent", "hop"), [(0.5, "report_to_county"), (1.5, "report_to_town")])
def test_a_report_for_another_hop_or_after_the_limit_leaves_it_late(sent: float, hop: str) -> None:
    matter = Matter().known().clock("report_to_town", 1)
    matter = matter.reported(sent, hop).breach("report_to_town", 1, when=2)
    assert (len(matter.found("late_report")), matter.found("receipt_missed")) == (1, [])


def test_a_report_that_was_sent_back_in_time_is_owed_again() -> None:
    matter = Matter().known().clock("report_to_town", 1).reported(0.5)
    back = e.ClockReceiptRefused(report=derived("report", "0.5"), unit=COUNTY, reason=words("no"))
    matter.add(0.7, back)
    matter.breach("report_to_town", 1)
    assert (len(matter.found("late_report")), matter.found("receipt_missed")) == (1, [])


def test_a_report_of_the_round_before_is_none_of_this_round() -> None:
    matter = Matter().known().clock("report_to_town", 1).reported(0.5)
    again = matter.clock("report_to_town#2", 21, since=20).breach("report_to_town#2", 21)
    assert (only(again.found("late_report")).unit, again.found("receipt_missed")) == (TOWN, [])
    again.reported(20.5)
    assert (only(again.found("receipt_missed")).unit, again.found("late_report")) == (COUNTY, [])


def test_a_limit_that_was_started_anew_with_another_end_is_still_the_same_run() -> None:
    matter = Matter().known().clock("report_to_town#2", 1).reported(0.5).clock("report_to_town#2", 2, when=0.7)
    assert only(matter.breach("report_to_town#2", 2).found("receipt_missed")).unit == COUNTY


def test_a_call_is_no_written_report_and_a_report_with_a_plan_is() -> None:
    def waits(form: str) -> Matter:
        return Matter().known().clock("report_to_town", 1).reported(0.5, form=form).breach("report_to_town", 1)

    assert (len(waits("call").found("late_report")), waits("call").found("receipt_missed")) == (1, [])
    assert len(waits("written_with_plan").found("receipt_missed")) == 1


@pytest.mark.parametrize(("when", "late"), [(0.7, 1), (1.5, 0)])
def test_a_report_that_was_confirmed_by_the_limit_waits_for_nobody(when: float, late: int) -> None:
    matter = Matter().known().clock("report_to_town", 1).reported(0.5).breach("report_to_town", 1)
    matter.add(when, e.ClockReceiptGiven(report=derived("report", "0.5"), unit=COUNTY), unit=COUNTY)
    assert (len(matter.found("late_report")), len(matter.found("receipt_missed"))) == (late, 1 - late)


@pytest.mark.requirement("AUD-07")
def test_an_answer_after_its_limit_is_late_and_says_when_it_came() -> None:
    matter = Matter().known().missed("public_statement", 3)
    matter.add(5, e.ClockMet(clock="public_statement", met_at=at(5), late=True))
    late = only(matter.found("late_reply"))
    assert (late.rule, late.done_at) == ("clocks.public_statement", at(5))
    assert (matter.found("late_report"), matter.found("ineffective_handling")) == ([], [])


def test_a_limit_for_passing_on_is_no_late_answer() -> None:
    assert Matter().known().missed("transfer", 2).found("late_reply") == []


def test_what_was_decided_while_events_were_missing_says_so() -> None:
    matter = Matter().known().clock("public_statement", 3).breach("public_statement", 3, incomplete=True)
    assert only(matter.found("late_reply")).incomplete


@pytest.mark.parametrize(("clock", "kind"), [("statement_update", "corrected_late"), ("promised_update", "late_reply")])
def test_a_correction_after_its_limit_is_late_and_a_promise_is_an_answer(clock: str, kind: str) -> None:
    kinds = {one.kind for one in judge(Matter().known().missed(clock, 24).record()).values()}
    assert kinds == {kind}


# omitted and concealed


@pytest.mark.requirement("AUD-07")
@pytest.mark.parametrize("how", ["closed", "circulated"])
def test_what_reached_an_own_channel_and_was_never_passed_on_is_omitted(how: str) -> None:
    matter = Matter().known().missed("report_to_town", 1)
    if how == "closed":
        matter.add(50, t.IncidentClosed(reason=words("done")), unit=TOWN)
    else:
        matter.rung("report_to_town", "circular", 75)
    omitted = only(matter.found("omitted_report"))
    assert isinstance(omitted.events[0].data, i.ReportReceived)


@pytest.mark.parametrize("near", ["still open", "reported late", "no channel"])
def test_what_is_open_or_was_reported_late_or_came_through_no_channel_is_not_omitted(near: str) -> None:
    matter = Matter().known().missed("report_to_town", 1)
    if near == "reported late":
        matter.reported(30)
    if near == "no channel":
        matter.events = [event for event in matter.events if event.kind != "report"]
    if near != "still open":
        matter.add(50, t.IncidentClosed(reason=words("done")), unit=TOWN)
    assert matter.found("omitted_report") == []


def test_what_was_reported_in_the_round_before_only_is_omitted_in_this_one() -> None:
    matter = Matter().known().clock("report_to_town", 1).reported(0.5).clock("report_to_town#2", 21, since=20)
    matter.breach("report_to_town#2", 21).add(50, t.IncidentClosed(reason=words("done")), unit=TOWN)
    assert matter.signs("omitted_report") == ["never_reported"]


def revised() -> t.IncidentFactRevised:
    return t.IncidentFactRevised(key="cause", kind="yes_no", yes=True, source=words("record"))


def test_a_fact_that_was_changed_after_the_limit_and_before_the_report_is_a_sign_of_concealing() -> None:
    matter = Matter().known().missed("report_to_town", 1)
    matter.add(2, revised(), unit=TOWN)
    matter.reported(3)
    assert matter.signs("concealed_report") == ["changed_after_limit"]


@pytest.mark.parametrize(("change", "report"), [(0.5, 3), (4, 3)])
def test_a_fact_that_was_changed_before_the_limit_or_after_the_report_is_none(change: float, report: float) -> None:
    matter = Matter().known().missed("report_to_town", 1)
    matter.add(change, revised(), unit=TOWN)
    matter.reported(report)
    assert matter.found("concealed_report") == []


def test_a_discovery_that_was_written_down_after_the_limit_is_a_sign_of_concealing() -> None:
    matter = Matter().known(late=True, when=30)
    matter.clock("report_to_town", 1, when=30).breach("report_to_town", 1, when=31)
    assert matter.signs("concealed_report") == ["known_before"]


@pytest.mark.parametrize(("late", "due"), [(True, 40), (False, 1)])
def test_a_late_entry_within_the_limit_or_a_missed_limit_alone_is_none(late: bool, due: float) -> None:
    matter = Matter().known(late=late, when=30)
    matter.clock("report_to_town", due, when=30).breach("report_to_town", due, when=due + 31)
    assert matter.found("concealed_report") == []


def lowered(to: int) -> t.IncidentRegraded:
    return t.IncidentRegraded(level="general", rank=to, previous="major", previous_rank=2)


def test_a_grade_that_was_lowered_before_the_limit_is_a_sign_of_concealing() -> None:
    matter = Matter().known().clock("report_to_town", 1)
    matter.add(0.5, lowered(1), unit=TOWN)
    matter.add(0.51, e.ClockCancelled(clock="report_to_town", cause="regraded"))
    concealed = only(matter.found("concealed_report"))
    assert (concealed.sign, concealed.due, concealed.done_at) == ("grade_lowered", at(1), at(0.5))


@pytest.mark.parametrize("near", ["raised", "an answer", "after the limit"])
def test_a_grade_that_was_raised_or_ended_another_limit_or_came_after_it_is_none(near: str) -> None:
    clock = "public_statement" if near == "an answer" else "report_to_town"
    when = 1.5 if near == "after the limit" else 0.5
    matter = Matter().known().clock(clock, 1)
    matter.add(when, lowered(3 if near == "raised" else 1), unit=TOWN)
    matter.add(when + 0.01, e.ClockCancelled(clock=clock, cause="regraded"))
    assert matter.found("concealed_report") == []


def lowered_by(unit: str, *, actor: str = "handler@town-east", **clock: Any) -> Matter:
    """A grade that was lowered before the limit of a report of the town."""
    name = clock.get("name", "report_to_town")
    matter = Matter().known().clock(name, 1)
    if reported := clock.get("reported"):
        matter.reported(reported, name)
    matter.add(0.5, lowered(1), unit=unit, actor=actor)
    if clock.get("raised"):
        raised = t.IncidentRegraded(level="extraordinary", rank=3, previous="general", previous_rank=1)
        matter.add(0.6, raised, unit=unit, actor=actor)
    if late := clock.get("reported_late"):
        matter.reported(late, name)
    matter.add(0.9, e.ClockCancelled(clock=name, cause="regraded"))
    return matter


@pytest.mark.parametrize("unit", [COUNTY, "city"])
def test_a_grade_that_a_unit_above_lowered_hides_nothing_from_it(unit: str) -> None:
    assert lowered_by(unit).found("concealed_report") == []


def test_a_lowered_grade_is_held_against_the_unit_that_lowered_it() -> None:
    assert only(lowered_by("county-roads").found("concealed_report")).unit == "county-roads"


def test_a_grade_that_the_addressee_in_the_own_unit_lowered_hides_nothing_from_it() -> None:
    name = "report_to_leader_in_charge"
    (addressee,) = spec.offices().receivers(TOWN, "leader_in_charge")
    by_addressee = lowered_by(TOWN, actor=addressee, name=name)
    by_another = lowered_by(TOWN, name=name)
    assert by_addressee.found("concealed_report") == []
    assert only(by_another.found("concealed_report")).unit == TOWN


def test_a_grade_that_was_lowered_after_the_report_was_sent_hides_nothing() -> None:
    assert lowered_by(TOWN, reported=0.4).found("concealed_report") == []
    assert len(lowered_by(TOWN, reported_late=0.8).found("concealed_report")) == 1


def test_a_grade_that_was_raised_again_before_the_limit_ended_is_no_sign() -> None:
    assert lowered_by(TOWN, raised=True).found("concealed_report") == []


def elsewhere(discovered: float) -> Matter:
    matter = Matter().known(unit=COUNTY, when=5)
    report = i.ReportReceived(
        unit=TOWN, channel="board", discovered_at=at(discovered), subject=words("s"), text=words("t"), receipt="1" * 64
    )
    matter.add(6, report, stream=id_of("report", "again"), unit=TOWN)
    return matter.clock("report_to_town", 1, when=6).breach("report_to_town", 1, when=7)


def test_what_another_unit_recorded_first_and_this_one_knew_before_is_a_sign_of_concealing() -> None:
    assert elsewhere(-2).signs("concealed_report") == ["known_elsewhere"]


def test_what_another_unit_knew_first_is_none() -> None:
    assert elsewhere(0.5).found("concealed_report") == []


# handling


@pytest.mark.requirement("AUD-07")
def test_a_limit_of_handling_that_came_under_supervision_was_handled_without_effect() -> None:
    matter = Matter().known().missed("transfer", 2).rung("transfer", "supervision", 50)
    assert matter.signs("ineffective_handling") == ["supervised"]


@pytest.mark.parametrize(("clock", "rung"), [("transfer", "reminder"), ("public_statement", "supervision")])
def test_a_reminder_or_supervision_of_an_answer_is_none(clock: str, rung: str) -> None:
    assert Matter().known().missed(clock, 2).rung(clock, rung, 50).found("ineffective_handling") == []


def reopened(rounds: int) -> Matter:
    matter = Matter().known()
    matter.add(1, t.IncidentAssigned(unit="county-roads"), unit=TOWN)
    for round_ in range(2, rounds + 1):
        matter.add(round_ * 10, t.IncidentResolved(reason=words("done")), unit=TOWN)
        matter.add(round_ * 10 + 1, t.IncidentReopened(reason=words("again"), round=round_), unit=TOWN)
    return matter


def test_a_matter_that_came_back_twice_was_handled_without_effect() -> None:
    back = only(reopened(3).found("ineffective_handling"))
    assert (back.sign, back.unit, back.count, back.beyond) == ("came_back", "county-roads", 3, 3)


def test_a_matter_that_came_back_once_is_none() -> None:
    assert reopened(2).found("ineffective_handling") == []


# cooperation


def gave_back(*units: str, late: bool = False) -> Matter:
    matter = Matter().known()
    for index, unit in enumerate(units):
        matter.add(index * 2 + 1, t.IncidentAssigned(unit=unit), unit=TOWN)
        back = t.IncidentReturned(unit=unit, reason=words("no"), returns=index + 1, late=late)
        matter.add(index * 2 + 2, back, unit=unit)
    return matter


@pytest.mark.requirement("AUD-17")
def test_a_unit_that_gives_a_matter_back_twice_does_not_cooperate() -> None:
    again = only(gave_back("county-roads", "county-roads").found("non_cooperation"))
    assert (again.sign, again.unit, again.count) == ("returned_again", "county-roads", 2)


@pytest.mark.requirement("AUD-17")
def test_a_return_after_the_limit_is_no_cooperation() -> None:
    assert gave_back("county-roads", late=True).signs("non_cooperation") == ["returned_late"]


def test_two_units_that_each_give_it_back_once_in_time_are_none() -> None:
    assert gave_back("county-roads", "county-water").found("non_cooperation") == []


@pytest.mark.requirement("AUD-17")
def test_a_unit_that_is_silent_until_the_circular_does_not_cooperate() -> None:
    matter = Matter().known().missed("public_statement", 3).rung("public_statement", "circular", 75)
    assert matter.signs("non_cooperation") == ["silent"]


def test_a_unit_that_explained_itself_is_spared_and_is_none() -> None:
    matter = Matter().known().missed("public_statement", 3).rung("public_statement", "supervision", 50)
    spared = e.ClockReminderSpared(clock="public_statement", rung="circular", unit=TOWN, due=at(75))
    matter.add(75, spared)
    assert matter.found("non_cooperation") == []


def test_a_notice_that_nobody_answered_is_no_cooperation_and_one_in_time_is() -> None:
    assert Matter().known().missed("notice", 48).signs("non_cooperation") == ["notice_unanswered"]
    assert Matter().known().clock("notice", 48).found("non_cooperation") == []


# answers


@pytest.mark.requirement("AUD-17")
def test_nearly_the_same_text_on_two_matters_is_perfunctory() -> None:
    other = Matter("bridge").published(10, TEXT.replace("东街", "西街")).events[-1]
    same = only(Matter().known().published(20, TEXT).found("perfunctory_answer", other))
    assert (same.sign, same.beyond) == ("same_text", 90)
    assert same.count is not None
    assert 90 <= same.count < 100


def test_the_same_status_on_two_matters_is_no_perfunctory_answer() -> None:
    other = Matter("bridge").published(10, TEXT).events[-1]
    status = Matter("bridge").published(10, TEXT, kind="status").events[-1]
    assert Matter().known().published(20, TEXT, kind="status").found("perfunctory_answer", other) == []
    assert Matter().known().published(20, TEXT).found("perfunctory_answer", status) == []


def test_another_text_or_another_unit_or_an_earlier_statement_or_the_same_matter_is_not() -> None:
    mine = Matter().known().published(20, TEXT)
    differs = TEXT.replace("排水口被树叶堵塞，养护人员已于当日清理", "施工单位未设围挡，城管执法人员已责令停工整改")
    others = (
        Matter("bridge").published(10, differs),
        Matter("bridge").published(10, TEXT, unit=COUNTY),
        Matter("bridge").published(30, TEXT),
        Matter().published(10, TEXT),
    )
    for other in others:
        assert mine.found("perfunctory_answer", other.events[-1]) == []


@pytest.mark.requirement("AUD-17")
@pytest.mark.parametrize("how", ["replied", "published"])
def test_an_answer_without_any_fact_is_perfunctory(how: str) -> None:
    matter = Matter().known()
    if how == "replied":
        matter.add(5, t.IncidentReplied(text=words("thank you")), unit=TOWN)
    else:
        matter.published(5, TEXT, facts=())
    assert matter.signs("perfunctory_answer") == ["no_fact"]


@pytest.mark.parametrize("near", ["a fact", "an outcome", "a status", "a fact in it"])
def test_an_answer_on_a_fact_or_an_outcome_and_a_status_are_not(near: str) -> None:
    matter = Matter().known()
    if near == "a fact":
        fact = t.IncidentFactEstablished(key="cause", kind="yes_no", yes=True, source=words("record"))
        matter.add(1, fact, unit=TOWN)
    if near == "an outcome":
        matter.add(1, t.IncidentVerificationConcluded(unit=TOWN, outcome="confirmed"), unit=TOWN)
    if near.startswith("a status"):
        matter.published(5, TEXT, kind="status", facts=())
    elif near == "a fact in it":
        matter.published(5, TEXT)
    else:
        matter.add(5, t.IncidentReplied(text=words("done")), unit=TOWN)
    assert matter.found("perfunctory_answer") == []


def begun(handled: float, answered: float, policy: str = PACK) -> Matter:
    matter = Matter(policy=policy).known()
    acts = [(handled, t.IncidentAccepted(unit=TOWN)), (answered, t.IncidentExplained(text=words("so"), to="asker"))]
    for when, fact in sorted(acts, key=lambda one: one[0]):
        matter.add(when, fact, unit=TOWN)
    return matter


@pytest.mark.requirement("AUD-18")
@pytest.mark.parametrize(("handled", "answered"), [(1, 30), (30, 1)])
def test_handling_and_answering_more_than_a_day_apart_are_measured(handled: float, answered: float) -> None:
    apart = only(begun(handled, answered).found("answer_apart"))
    assert (apart.count, apart.beyond, apart.since) == (29, 24, at(1))


@pytest.mark.requirement("AUD-18")
def test_a_pack_says_from_which_number_on_something_counts() -> None:
    three_days = Findings.model_validate({"apart": {"value": "P3D", "source": {"kind": "derived", "reason": "r"}}})
    usual = next(iter(spec.offices().packs.values())).model
    offices = spec.under(usual.model_copy(update={"findings": three_days}))
    (ref,) = offices.packs
    for answered, count in ((60, 0), (90, 1)):
        matter = begun(1, answered, policy=ref)
        found = [one for one in judge(matter.record(offices=offices)).values() if one.kind == "answer_apart"]
        assert [(one.rule, one.policy, one.beyond) for one in found] == [("findings.apart", ref, 72)] * count


@pytest.mark.requirement("AUD-18")
def test_handling_and_answering_on_one_day_are_together_and_a_measure_is_no_answer() -> None:
    assert begun(1, 25).found("answer_apart") == []
    matter = Matter().known()
    matter.add(1, t.IncidentHandlingRecorded(track="problem"), unit=TOWN)
    matter.add(40, t.IncidentHandlingRecorded(track="problem"), unit=TOWN)
    assert matter.found("answer_apart") == []


# words, duty


def erased(when: float, cause: Any = "asked") -> Matter:
    matter = Matter().known().clock("public_statement", 3)
    matter.add(2, e.ClockMet(clock="public_statement", met_at=at(2), late=False))
    gone = WordsErased(stream=matter.id, refs=(), cause=cause, reason=words("r"), by="3" * 64)
    matter.add(when, gone, unit=COUNTY)
    return matter


def test_words_that_were_deleted_while_a_limit_ran_are_shown() -> None:
    shown = only(erased(1).found("erased_in_limit"))
    assert (shown.unit, shown.clock) == (COUNTY, "public_statement")


def test_words_that_were_deleted_after_the_limit_was_met_or_by_law_are_not() -> None:
    assert erased(2.5).found("erased_in_limit") == []
    assert erased(1, "law").found("erased_in_limit") == []


def attempted(fact: Any) -> Matter:
    matter = Matter().known()
    matter.add(4, fact, unit=TOWN, actor="approver@town-east")
    return matter


def test_who_wrote_a_text_and_would_approve_it_is_held_against_the_unit() -> None:
    refused = OperationSeparationRefused(
        record=id_of("statement", "road"), refusal="drafted-by-you", rule="approval.separation"
    )
    attempt = only(attempted(refused).found("separation_attempt"))
    assert (attempt.unit, attempt.rule) == (TOWN, "approval.separation")


def test_who_has_no_right_to_approve_is_not() -> None:
    refused = OperationAccessRefused(act="approve", roles=("handler",), minute=at(4), count=1)
    assert attempted(refused).found("separation_attempt") == []


@pytest.mark.parametrize(("ahead", "count"), [(False, 1), (True, 0)])
def test_a_duty_that_began_without_anybody_is_a_gap_and_one_that_was_found_ahead_is_not(
    ahead: bool, count: int
) -> None:
    desk = Matter()
    gap = e.RosterDutyGapFound(unit=TOWN, since=at(0), until=at(12), cause="not_planned", ahead=ahead)
    desk.add(0, gap)
    record = Record(id_of("roster", "road"), desk.record().events, desk.record().offices)
    assert [one.kind for one in judge(record).values()] == ["duty_gap"] * count


# all of them


def everything() -> Matter:
    """A matter with nearly everything."""
    matter = Matter().known(late=True, when=0.2).missed("report_to_town", 0.1).missed("public_statement", 3)
    matter.add(2, revised(), unit=TOWN)
    matter.rung("report_to_town", "circular", 75).missed("transfer", 2).rung("transfer", "supervision", 50)
    matter.add(40, t.IncidentAccepted(unit=TOWN), unit=TOWN)
    matter.add(77, t.IncidentReplied(text=words("x")), unit=TOWN)
    matter.add(120, p.StatementDrafted(**drafted(matter)), unit=TOWN)
    matter.published(121, TEXT, facts=())
    return matter


def drafted(matter: Matter) -> dict[str, Any]:
    made = {"incident": matter.id, "unit": TOWN, "number": "town-east-2026-S00001", "kind": "facts", "by": "2" * 64}
    return {**made, "title": words("t"), "draft": words("d")}


def test_a_reading_of_our_own_gives_its_reason_in_the_language_that_was_asked() -> None:
    assert readings.ZH.keys() == readings.NAMED.keys()
    offices: Any = None
    for rule, (setting, *_) in readings.NAMED.items():
        zh, en = (source(rule, None, offices, language) for language in ("zh", "en"))
        assert zh and en and "\u4e00" <= zh["reason"][-2] <= "\u9fff", rule
        assert en["reason"] == setting.source.reason


@settings(max_examples=40, deadline=timedelta(seconds=2))
@given(seed=st.integers(0, 10**6))
def test_the_order_in_which_events_were_taken_in_changes_no_finding(seed: int) -> None:
    matter = everything()
    other = Matter("bridge").published(10, TEXT).events[-1]
    usual = judge(matter.record(other))
    shuffled = list(matter.events)
    random.Random(seed).shuffle(shuffled)
    matter.events = shuffled
    again = judge(matter.record(other))
    assert {one.kind for one in usual.values()} >= {"late_report", "late_reply", "perfunctory_answer", "answer_apart"}
    assert shown(again) == shown(usual)


def shown(found: Any) -> Any:
    """Findings with the events behind them; positions follow the order in which events were taken in."""
    return {id_: (one.kind, one.sign, one.unit, [x.event.id for x in one.events]) for id_, one in found.items()}


@pytest.mark.parametrize(
    ("late", "zh", "en"),
    [
        (timedelta(milliseconds=300), "迟 不足 1 秒", "less than a second late"),
        (timedelta(seconds=1), "迟 1 秒", "1 second late"),
        (timedelta(seconds=90), "迟 1 分钟", "1 minute late"),
        (timedelta(minutes=61), "迟 61 分钟", "61 minutes late"),
        (timedelta(hours=47), "迟 47 小时", "47 hours late"),
        (timedelta(days=3), "迟 3 天", "3 days late"),
    ],
)
def test_a_finding_says_how_late_it_was(late: timedelta, zh: str, en: str) -> None:
    for language, said in (("zh", zh), ("en", en)):
        assert said in sentences._late(late, cast(Any, SimpleNamespace(language=language)))
