"""What is owed to those who ask: the outcome of a request, screening, explanations, material; and registration."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from schemas import answering as a
from schemas import triage
from schemas.fields import WordsRef, instant
from schemas.pack import PolicyPack
from services.kernel.core.problems import Forbidden, Malformed, Rejected
from services.kernel.core.units import Delegation
from services.kernel.rules.approval import Course
from services.triage import commands as c
from services.triage.decider import DECIDER
from services.triage.gates import of_proposal
from services.triage.handling.ball import ball
from services.triage.handling.proposals import Proposal
from services.triage.owed import answering_commands as do
from services.triage.owed.explaining import owed
from services.triage.state import State
from tests.kit import access, spec
from tests.kit.spec import NOW, At, Given, given, staff
from tests.triage.conftest import Triage

SOURCE = {"kind": "derived", "reason": "of these tests"}
OTHER = f"incident-{spec.UUID[:-1]}8"
REPORT = f"report-{spec.UUID}"
DUE = NOW + timedelta(days=90)
OPENED = triage.IncidentOpened(unit="town-east", report=REPORT, discovered_at=NOW - timedelta(hours=3))
REGISTERED = triage.IncidentOpened.model_validate(
    {"unit": "town-east", "discovered_at": NOW - timedelta(hours=3), "subject": "s", "text": "t"}
)
VERIFIED = At(triage.IncidentFactEstablished.model_validate({"key": "k", "kind": "yes_no", "yes": True, "source": "s"}),
              unit="town-east")  # fmt: skip
SOLVED = triage.IncidentSolved.model_validate({"text": "t"})
EXPLAINED = triage.IncidentExplained.model_validate({"text": "t", "to": "asker"})
RESOLVED = triage.IncidentResolved.model_validate({"reason": "r"})
MAJOR = triage.IncidentGraded(level="major", rank=2)
SCREENING = "answering.screening"


def unsolved(outcome: str, due: Any = None) -> a.IncidentLeftUnsolved:
    return a.IncidentLeftUnsolved.model_validate({"outcome": outcome, "text": "t", "due": due})


def past(*facts: Any, role: str = "handler", unit: str = "town-east", **answering: Any) -> Given:
    """A matter under county-default, with other rules in the section `answering`."""
    first, *others = facts if isinstance(getattr(facts[0], "discovered_at", None), type(NOW)) else (OPENED, *facts)
    case = given(DECIDER, first, *others, actor=staff(role, unit=unit, person=f"{role}@{unit}"))
    if not answering:
        return case
    model = spec.offices().pack("town-east").model
    whole = {**model.model_dump(by_alias=True, mode="json"), "answering": answering}
    return replace(case, context=replace(case.context, offices=spec.under(PolicyPack.model_validate(whole))))


# the outcome of a request


@pytest.mark.requirement("TRI-14")
@pytest.mark.parametrize("outcome", ["solved", "helped", "adopted"])
def test_a_request_that_is_met_says_how(outcome: a.Solution) -> None:
    told = triage.IncidentSolved.model_validate({"text": "t", "outcome": outcome})
    past(VERIFIED).when(c.Solve(text="t", outcome=outcome)).then(told)
    state = past(told).state
    assert (state.answering.outcome, state.handled) == (outcome, {"problem"})
    past(told).when(c.Resolve(reason="r")).then_raises(Rejected, "explain, reply or publish")
    assert past(told, EXPLAINED).when(c.Resolve(reason="r")).decided()


@pytest.mark.requirement("TRI-14", "TRI-15")
@pytest.mark.parametrize("outcome", ["planned", "not_allowed", "not_ours"])
def test_a_request_that_is_not_met_is_explained_before_it_ends(outcome: a.Unsolved) -> None:
    due = DUE if outcome == "planned" else None
    told, resolve = unsolved(outcome, due), c.Resolve(reason="r")
    past(VERIFIED).when(do.LeaveUnsolved(outcome=outcome, text="t", due=due)).then(told)
    past(VERIFIED, told).when(resolve).then_raises(Rejected, "explain, reply or publish")
    past(VERIFIED, EXPLAINED, told).when(resolve).then_raises(Rejected, "explain that first")
    answer = triage.IncidentHandlingRecorded(track="answer", statement=f"statement-{spec.UUID}")
    for explained in (EXPLAINED, triage.IncidentReplied.model_validate({"text": "t"}), answer):
        assert past(VERIFIED, told, explained).when(resolve).decided()


@pytest.mark.requirement("TRI-14")
def test_an_explanation_that_was_given_before_the_outcome_and_entered_after_it_explains_it_not() -> None:
    told = At(unsolved("not_allowed"), NOW - timedelta(hours=1))
    for hours, explains in ((2, False), (1, True)):
        said = At(EXPLAINED, NOW - timedelta(hours=hours), recorded=NOW)
        case = past(VERIFIED, told, said)
        if explains:
            assert case.when(c.Resolve(reason="r")).decided()
        else:
            case.when(c.Resolve(reason="r")).then_raises(Rejected, "explain that first")


@pytest.mark.requirement("TRI-15")
@pytest.mark.parametrize("outcome", ["planned", "not_ours"])
def test_what_is_not_ours_or_cannot_be_solved_now_is_investigated_first(outcome: a.Unsolved) -> None:
    asks = do.LeaveUnsolved(outcome=outcome, text="t", due=DUE if outcome == "planned" else None)
    asked = triage.IncidentVerificationRequested(unit="county-water")
    for facts in ((), (VERIFIED, asked)):
        past(*facts or (OPENED,)).when(asks).then_raises(Rejected, "investigated first")
    concluded = triage.IncidentVerificationConcluded.model_validate({"unit": "county-water", "outcome": "confirmed"})
    assert past(asked, concluded).when(asks).decided()
    assert past(OPENED).when(do.LeaveUnsolved(outcome="not_allowed", text="t")).decided()


@pytest.mark.requirement("TRI-14")
def test_a_plan_has_a_date_that_becomes_the_follow_up() -> None:
    leave = do.LeaveUnsolved(outcome="planned", text="t", due=DUE)
    for wrong in (leave.model_copy(update={"due": None}), leave.model_copy(update={"outcome": "not_ours"})):
        past(VERIFIED).when(wrong).then_raises(Malformed, "a plan has a date")
    past(VERIFIED).when(leave.model_copy(update={"due": NOW})).then_raises(Malformed, "has passed")
    planned = (VERIFIED, unsolved("planned", DUE), EXPLAINED)
    [ended] = past(*planned).when(c.Resolve(reason="r")).decided()
    assert ended.data.follows_up == "handler@town-east"  # type: ignore[union-attr]
    resolved = (*planned, triage.IncidentResolved.model_validate({"reason": "r", "follows_up": "handler@town-east"}))
    found = ball(past(*resolved).state, spec.offices())
    assert found is not None
    assert (found.post, found.awaited) == ("handler@town-east", "follow_up")
    close = c.Close(reason="r")
    past(*resolved, role="chief").when(close).then_raises(Rejected, "follow it up to its end")
    looked = triage.IncidentFollowedUp.model_validate({"text": "t"})
    past(*resolved, looked, role="chief").when(close).then_raises(Rejected, "follow it up to its end")
    over = triage.IncidentFollowedUp.model_validate({"text": "t", "ends": "over"})
    assert past(*resolved, over, role="chief").when(close).decided()


@pytest.mark.requirement("TRI-14")
def test_an_outcome_changes_until_the_problem_is_solved() -> None:
    leave = do.LeaveUnsolved(outcome="not_allowed", text="t")
    past(SOLVED).when(leave).then_raises(Rejected, "solved already")
    past(unsolved("not_allowed")).when(leave).then_raises(Rejected, "has this outcome already")
    assert past(VERIFIED, unsolved("planned", DUE)).when(leave).decided()
    assert past(VERIFIED, unsolved("planned", DUE)).when(c.Solve(text="t")).decided()
    assert past(VERIFIED, unsolved("planned", DUE), SOLVED).state.answering.plan_due is None
    past(SOLVED, EXPLAINED, RESOLVED).when(leave).then_raises(Rejected, "reopen it first")
    again = past(unsolved("not_allowed"), EXPLAINED, RESOLVED, triage.IncidentReopened.model_validate({"reason": "r"}))
    assert (again.state.handled, again.state.answering.outcome) == (frozenset(), None)


@pytest.mark.requirement("TRI-17")
def test_an_outcome_has_its_own_time_and_a_note_solves_nothing() -> None:
    earlier = NOW - timedelta(hours=1)
    asked = do.LeaveUnsolved(outcome="not_allowed", text="t", happened_at=earlier, late_reason="r")
    [entered] = past(OPENED).when(asked).decided()
    assert entered.time == earlier  # type: ignore[union-attr]
    note = triage.IncidentHandlingRecorded.model_validate({"track": "problem", "text": "t"})
    past(note, EXPLAINED).when(c.Resolve(reason="r")).then_raises(Rejected, "solve the real problem")
    past(SOLVED).when(c.Resolve(reason="r")).then_raises(Rejected, "explain, reply or publish")


def test_a_merger_does_not_take_an_unsolved_problem_for_a_solved_one() -> None:
    leaving = past(VERIFIED, unsolved("planned", DUE), EXPLAINED).state
    case = past(OPENED).seeing(leaving=replace(leaving, id=OTHER), reports=[REPORT])
    absorbed, *_ = case.when(c.Absorb(incident=f"incident-{spec.UUID}")).decided()
    assert getattr(absorbed, "data", absorbed).handled == ("answer",)  # type: ignore[union-attr]


# screening


def screened(needs_reply: bool = False, ground: str | None = "no_request", reports: int = 1, post: str = "") -> At:
    fact = a.IncidentScreened(
        needs_reply=needs_reply,
        ground=ground,
        report_count=reports,
        by=past(OPENED, role="duty_officer").context.by(HERE),
    )
    return At(fact, actor=post or "duty_officer@town-east")


def reviewed(upheld: bool, role: str = "chief") -> At:
    by = past(OPENED, role=role).context.by(HERE)
    fact = a.IncidentScreeningReviewed.model_validate({"upheld": upheld, "reason": "r", "by": by})
    return At(fact, actor=f"{role}@town-east")


HERE = given(DECIDER).stream
OFFICER = {"role": "duty_officer"}
SCREEN = do.Screen(needs_reply=False, ground="no_request", reason="r")


@pytest.mark.requirement("ING-10")
def test_a_post_decides_that_no_reply_is_needed_with_a_reason_of_the_list() -> None:
    [made] = past(OPENED, **OFFICER).when(SCREEN).decided()
    assert (made.data.needs_reply, made.data.ground, made.data.report_count) == (False, "no_request", 1)  # type: ignore[union-attr]
    assert made.policy == spec.offices().assigned["city"]  # type: ignore[union-attr]
    for ground in (None, "nobody_likes_it"):
        wrong = SCREEN.model_copy(update={"ground": ground})
        past(OPENED, **OFFICER).when(wrong).then_raises(Malformed, "no_request, answered_before", rule=SCREENING)
    unneeded = do.Screen(needs_reply=True, ground="no_request")
    past(OPENED, **OFFICER).when(unneeded).then_raises(Malformed, "leave it out", rule=SCREENING)
    past(screened(), **OFFICER).when(SCREEN).then_raises(Rejected, "decided on .* already")
    assert past(screened(), **OFFICER).when(do.Screen(needs_reply=True)).decided()
    assert past(OPENED, **OFFICER).when(do.Screen(needs_reply=True)).decided(), "that it needs one is a decision, too"
    past(screened(True, None), **OFFICER).when(do.Screen(needs_reply=True)).then_raises(Rejected, "already")
    past(OPENED, **OFFICER, explaining=[]).when(SCREEN).then_raises(Rejected, "names no reasons")
    past(OPENED, role="handler").when(SCREEN).then_raises(Forbidden)


@pytest.mark.requirement("ING-10")
def test_no_reply_is_reviewed_by_another_person_at_another_post() -> None:
    review = do.ReviewScreening(upheld=True, reason="r")
    past(OPENED, role="chief").when(review).then_raises(Rejected, "nothing to review")
    past(screened(needs_reply=True, ground=None), role="chief").when(review).then_raises(Rejected, "nothing to review")
    assert past(screened(), role="chief").when(review).decided()
    assert past(screened(), role="approver").when(review).decided(), "the pack names the leader in charge"
    past(screened(), role="handler").when(review).then_raises(
        Forbidden, "chief or leader_in_charge or principal_leader"
    )
    own = given(DECIDER, OPENED, screened(), actor=staff("duty_officer", "chief", unit="town-east", person="else"))
    own.when(review).then_raises(Rejected, "another person", rule=SCREENING)
    same = given(DECIDER, OPENED, screened(), actor=staff("chief", unit="town-east", person="duty_officer@town-east"))
    same.when(review).then_raises(Rejected, "another person", rule=SCREENING)


@pytest.mark.requirement("ING-10")
def test_refusals_of_all_reports_are_reviewed_by_another_person_at_another_post() -> None:
    officer, review = past(OPENED, **OFFICER).context, do.ReviewScreening(upheld=True, reason="r")
    refuse = c.RecordRefusal(report=REPORT, post="duty_officer@town-east", by=officer.by(REPORT), basis=f"{REPORT}@2")
    facts = [getattr(one, "data", one) for one in past(OPENED).when(refuse).decided()]
    assert past(*facts).state.phase == "open", "all limits go on"
    found = ball(past(*facts).state, spec.offices())
    assert found is not None
    assert (found.unit, found.awaited) == ("town-east", "review")
    same = given(DECIDER, OPENED, *facts, actor=staff("chief", unit="town-east", person="duty_officer@town-east"))
    same.when(review).then_raises(Rejected, "another person", rule=SCREENING)
    post = given(DECIDER, OPENED, *facts, actor=staff("duty_officer", "chief", unit="town-east", person="else"))
    post.when(review).then_raises(Rejected, "another person", rule=SCREENING)
    *_, ended = past(*facts, role="chief").when(review).decided()
    assert ended == triage.IncidentDismissed(report_count=1)
    overturned = past(*facts, role="chief").when(review.model_copy(update={"upheld": False})).decided()
    assert len(overturned) == 1


def test_a_review_is_of_the_reports_that_somebody_decided_on() -> None:
    """A report left and another one came, so there are as many as before."""
    left = triage.IncidentSplit(into=OTHER, reports=(f"report-{OTHER[9:]}",))
    came = triage.IncidentReportAttached(report=f"report-{OTHER[9:]}", unit="town-east", discovered_at=NOW)
    case = past(OPENED, came, screened(reports=2), left, came, role="chief")
    assert case.state.report_count == 2
    case.when(do.ReviewScreening(upheld=True, reason="r")).then_raises(Rejected, "other reports than")


def test_refused_reports_that_join_a_registered_matter_wait_for_the_same_review() -> None:
    by = past(OPENED, **OFFICER).context.by(REPORT)
    refuse = c.RecordRefusal(report=REPORT, post="duty_officer@town-east", by=by, basis=f"{REPORT}@2")
    facts = [getattr(one, "data", one) for one in past(OPENED).when(refuse).decided()]
    leaving = replace(past(*facts).state, id=OTHER)
    case = past(REGISTERED, role="chief").seeing(leaving=leaving, reports=[REPORT], discovered=[])
    brought = [getattr(one, "data", one) for one in case.when(c.Absorb(incident=OTHER)).decided()]
    after = past(REGISTERED, *brought)
    waits = after.state.answering.screening
    assert waits is not None
    assert (waits.waits, waits.refuses, waits.report, waits.by) == (True, True, REPORT, by)
    same = given(DECIDER, REGISTERED, *brought, actor=staff("chief", unit="town-east", person="duty_officer@town-east"))
    same.when(do.ReviewScreening(upheld=True, reason="r")).then_raises(Rejected, "another person", rule=SCREENING)


def test_whoever_refused_a_report_does_not_review_it_after_a_split() -> None:
    by = past(OPENED, **OFFICER).context.by(REPORT)
    refused = triage.IncidentReportRefused(report=REPORT, post="duty_officer@town-east", by=by)
    received = c.Received(report=REPORT, unit="town-east", discovered_at=NOW - timedelta(hours=3))
    opens = c.OpenSplit(split_from=OTHER, unit="town-east", reports=(received,), refused=(refused,))
    facts = [getattr(one, "data", one) for one in given(DECIDER).when(opens).decided()]
    another = f"report-{OTHER[9:]}"
    came = triage.IncidentReportAttached(report=another, unit="town-east", discovered_at=NOW)
    before = past(OPENED, came, refused, role="chief").seeing(belonging=[another], into=OTHER)
    split = [getattr(one, "data", one) for one in before.when(c.Split(reports=(another,))).decided()]
    for there in (facts, [OPENED, came, refused, *split]):
        same = given(DECIDER, *there, actor=staff("chief", unit="town-east", person="duty_officer@town-east"))
        same.when(do.ReviewScreening(upheld=True, reason="r")).then_raises(Rejected, "another person", rule=SCREENING)


@pytest.mark.requirement("ING-10")
def test_a_review_stands_until_a_third_overturns_it() -> None:
    review = do.ReviewScreening(upheld=True, reason="r")
    upheld = (screened(), reviewed(True))
    past(*upheld, role="chief").when(review).then_raises(Rejected, "another person", rule=SCREENING)
    past(*upheld, role="chief", unit="county").when(review).then_raises(Rejected, "only be overturned")
    overturn = do.ReviewScreening(upheld=False, reason="r")
    assert past(*upheld, role="chief", unit="county").when(overturn).decided()
    past(screened(), reviewed(False), role="approver").when(overturn).then_raises(Rejected, "nothing to review")
    assert past(screened(), reviewed(False), **OFFICER).when(SCREEN).decided(), "somebody may think again"


@pytest.mark.requirement("ING-10")
def test_only_an_upheld_decision_spares_the_answer() -> None:
    resolve = c.Resolve(reason="r")
    past(SOLVED, screened()).when(resolve).then_raises(Rejected, "explain, reply or publish")
    assert past(SOLVED, screened(), reviewed(True)).when(resolve).decided()
    for more in ((reviewed(False),), (reviewed(True), reviewed(False)), (reviewed(True), screened(True, None))):
        past(SOLVED, screened(), *more).when(resolve).then_raises(Rejected, "explain, reply or publish")
    past(screened(), reviewed(True)).when(resolve).then_raises(Rejected, "solve the real problem")
    left = (VERIFIED, unsolved("not_ours"), screened(), reviewed(True))
    (
        past(*left).when(resolve).then_raises(Rejected, "explain that first"),
        "what stays unsolved is explained to whoever asked",
    )


@pytest.mark.requirement("ING-10")
def test_no_message_falls_under_a_decision_that_did_not_see_it() -> None:
    another = triage.IncidentReportAttached(report=f"report-{spec.UUID[:-1]}8", unit="town-east", discovered_at=NOW)
    review = do.ReviewScreening(upheld=True, reason="r")
    past(screened(), another, role="chief").when(review).then_raises(Rejected, "other reports")
    assert past(screened(), another, **OFFICER).when(SCREEN).decided(), "screened again, with both"
    take = c.TakeReport(unit="town-east", report=another.report, discovered_at=NOW, opens=f"incident-{spec.UUID[:-1]}8",
                        basis=f"{another.report}@1")  # fmt: skip
    with pytest.raises(Exception, match="incident-"):
        past(screened(), reviewed(True), role="chief").when(take).decided()
    assert past(screened(), role="chief").when(take).decided()


def test_what_is_owed_a_reply_is_not_merged_into_what_is_not() -> None:
    merge = c.Merge(into=f"incident-{spec.UUID[:-1]}8")
    free, out = past(OPENED).state, past(screened(), reviewed(True)).state
    waiting = past(screened()).state

    def merged(leaving: tuple[Any, ...], into: State) -> Any:
        return past(*leaving, role="chief", unit="county").seeing(into=replace(into, id=merge.into)).when(merge)

    for into in (out, waiting):
        merged((OPENED,), into).then_raises(Rejected, "needs no reply")
    assert merged((screened(), reviewed(True)), out).decided()
    assert merged((screened(), reviewed(True)), free).decided()


# explanations of the unit concerned

RULES = [
    {"levels": ["general"], "source": SOURCE},
    {"levels": ["major"], "proposed_reply": True, "ordered_by": ["leader_in_charge"], "source": SOURCE},
]
ORDERED = a.IncidentExplanationOrdered(unit="town-east", proposed_reply=True, post="approver@town-east")
DONE = (SOLVED, EXPLAINED)


def told(reply: bool = False) -> a.IncidentUnitExplained:
    words = {"proposed_reply": "t"} if reply else {}
    return a.IncidentUnitExplained.model_validate({"unit": "town-east", "text": "t", **words})


@pytest.mark.requirement("TRI-13")
def test_of_a_general_matter_the_unit_concerned_gives_an_explanation() -> None:
    case = past(*DONE, explaining=RULES)
    assert owed(case.state, case.context.offices) == ["unit_explanation"]
    case.when(c.Resolve(reason="r")).then_raises(
        Rejected, "explanation of the unit concerned", rule="answering.explaining.0"
    )
    case.when(do.ExplainToOffice(text="t")).then(told())
    assert past(*DONE, told(), explaining=RULES).when(c.Resolve(reason="r")).decided()
    assert past(*DONE).when(c.Resolve(reason="r")).decided(), "a pack that says nothing asks for nothing"


@pytest.mark.requirement("TRI-13")
def test_of_a_major_matter_the_leader_in_charge_orders_explanation_and_reply() -> None:
    case = past(MAJOR, *DONE, explaining=RULES)
    assert owed(case.state, case.context.offices) == ["order", "unit_explanation", "proposed_reply"]
    case.when(do.ExplainToOffice(text="t")).then_raises(
        Rejected, "leader_in_charge orders", rule="answering.explaining.1"
    )
    order = do.OrderExplanation()
    past(MAJOR, role="duty_officer", explaining=RULES).when(order).then_raises(Forbidden)
    past(MAJOR, role="approver", explaining=RULES).when(order).then(ORDERED)
    past(MAJOR, ORDERED, role="approver", explaining=RULES).when(order).then_raises(Rejected, "already")
    past(MAJOR, role="approver", explaining=RULES).when(do.OrderExplanation(due=NOW)).then_raises(Malformed, "passed")
    resolve, close = c.Resolve(reason="r"), c.Close(reason="r")
    for facts, missing in ((ORDERED,), "explanation"), ((ORDERED, told()), "the reply that it proposes"):
        past(MAJOR, *facts, *DONE, explaining=RULES).when(resolve).then_raises(Rejected, missing)
    assert past(MAJOR, ORDERED, told(True), *DONE, explaining=RULES).when(resolve).decided()
    grown = past(told(), *DONE, RESOLVED, MAJOR, role="chief", explaining=RULES)
    grown.when(close).then_raises(Rejected, "a leader's order to explain, the reply that it proposes")


@pytest.mark.requirement("TRI-13")
def test_whoever_handles_the_matter_now_is_ordered() -> None:
    assigned = triage.IncidentAssigned(unit="county-roads")
    again = past(MAJOR, ORDERED, assigned, role="approver", explaining=RULES).when(do.OrderExplanation())
    again.then(ORDERED.model_copy(update={"unit": "county-roads"}))
    explain = do.ExplainToOffice(text="t", proposed_reply="t")
    past(MAJOR, ORDERED, assigned, role="handler", explaining=RULES).when(explain).then_raises(Forbidden)
    assert past(MAJOR, ORDERED, assigned, role="handler", unit="county-roads", explaining=RULES).when(explain).decided()


def test_who_only_approves_for_the_leader_orders_and_reviews_nothing() -> None:
    loan = Delegation("approver@town-east", "verifier@town-east", NOW - timedelta(days=1), NOW + timedelta(days=1))
    for case, command in (
        (past(MAJOR, role="verifier", explaining=RULES), do.OrderExplanation()),
        (past(screened(), role="verifier"), do.ReviewScreening(upheld=True, reason="r")),
    ):
        offices = replace(case.context.offices, delegations=(loan,))
        replace(case, context=replace(case.context, offices=offices)).when(command).then_raises(Forbidden)


# material of the responsible department


@pytest.mark.requirement("PUB-11")
def test_where_the_pack_asks_for_both_only_signed_and_sealed_material_is_taken() -> None:
    rule = {"signed_by_head": True, "sealed": True, "source": SOURCE}
    good = c.ReceiveMaterial(unit="county-water", signed=True, sealed=True, signed_by="chief@county-water")

    def asked(material: Any = rule, **changes: Any) -> Any:
        case = past(OPENED, role="duty_officer", material=material)
        return case.when(good.model_copy(update=changes))

    assert asked().decided()
    asked(sealed=False).then_raises(Rejected, "carries the seal")
    for changes in ({"signed": False, "signed_by": None}, {"signed_by": None}, {"signed_by": "handler@county-water"}):
        asked(**changes).then_raises(Rejected, "head of county-water signs")
    asked(signed_by="chief@county-roads").then_raises(Malformed, "name the post of county-water")
    assert asked({**rule, "sealed": False}, sealed=False).decided()
    assert asked(None, sealed=False, signed_by=None).decided(), (
        "a pack that asks for nothing takes it and meets nothing"
    )


@pytest.mark.requirement("CON-02", "PUB-11")
def test_an_approver_sees_whether_the_material_of_each_helping_department_has_come() -> None:
    rule = {"signed_by_head": True, "sealed": True, "source": SOURCE}
    proposal = Proposal(
        number=1,
        of="reply",
        text=WordsRef(ref=spec.UUID, digest="0" * 64),
        course=Course(),
        by="0" * 64,
        desk="handler@town-east",
        unit="town-east",
        at=instant(NOW),
    )

    def state(*facts: Any, material: Any = rule) -> str:
        case = past(OPENED, *facts, role="approver", material=material)
        ctx = case.context
        return {one["check"]: one["state"] for one in of_proposal(proposal, case.state, ctx)}["material"]

    helps = [
        triage.IncidentHelpRequested.model_validate({"unit": unit, "text": "t"})
        for unit in ("county-water", "county-roads")
    ]
    came = [
        triage.IncidentMaterialReceived(unit=unit, signed=True, sealed=True, signed_by=f"chief@{unit}")
        for unit in ("county-water", "county-roads")
    ]
    assert state() == "not_asked"
    assert state(*helps) == state(*helps, came[0]) == "missing"
    assert state(*helps, *came) == "met"
    assert state(*helps, material=None) == "not_asked"


# a matter that nobody has reported yet


@pytest.mark.requirement("ING-07")
def test_a_matter_is_registered_before_anybody_reports_it() -> None:
    register = do.Register(unit="town-east", subject="s", text="t")
    new = given(DECIDER, actor=staff("duty_officer", unit="town-east"))
    [opened] = new.when(register).decided()
    assert (opened.data.report, opened.data.discovered_at, opened.unit) == (None, NOW, "town-east")  # type: ignore[union-attr]
    assert opened.data.policy == spec.offices().assigned["city"]  # type: ignore[union-attr]
    new.when(register.model_copy(update={"unit": "town-west"})).then_raises(Forbidden, "register a matter")
    new.by(staff("handler", unit="town-east")).when(register).then_raises(Forbidden)
    new.when(register.model_copy(update={"category": "nothing"})).then_raises(Malformed, "nothing")
    late = register.model_copy(update={"discovered_at": NOW + timedelta(seconds=1)})
    new.when(late).then_raises(Malformed, "in the future")


@pytest.mark.requirement("ING-07")
def test_a_registered_matter_ends_without_an_answer_as_long_as_nobody_asks() -> None:
    assert past(REGISTERED).state.report_count == 0
    past(REGISTERED).when(c.Resolve(reason="r")).then_raises(Rejected, "solve the real problem")
    assert past(REGISTERED, SOLVED).when(c.Resolve(reason="r")).decided()
    split = c.Split(reports=(REPORT,))
    past(REGISTERED, role="chief").seeing(belonging=[], into=OTHER).when(split).then_raises(Rejected, "no report")


@pytest.mark.requirement("ING-07")
def test_what_a_merger_brings_counts_from_the_report_and_not_from_the_registration() -> None:
    reported, registered = past(OPENED).state, past(REGISTERED).state
    later = replace(reported, id=f"incident-{spec.UUID[:-1]}8", discovered_at=NOW - timedelta(minutes=5))
    absorb = c.Absorb(incident=later.id)
    seen = {"reports": [REPORT], "discovered": [NOW - timedelta(minutes=5)]}
    [absorbed, *_] = past(REGISTERED).seeing(leaving=later, **seen).when(absorb).decided()
    assert getattr(absorbed, "data", absorbed).discovered_at == NOW - timedelta(minutes=5)  # type: ignore[union-attr]
    after = past(REGISTERED, absorbed).state
    assert (after.discovered_at, after.registered_at, after.report_count) == (
        NOW - timedelta(minutes=5),
        NOW - timedelta(hours=3),
        1,
    )
    there = replace(registered, id=later.id)
    nobody = {"reports": [], "discovered": [NOW - timedelta(hours=3)]}
    [absorbed, *_] = past(OPENED).seeing(leaving=there, **nobody).when(absorb).decided()
    assert getattr(absorbed, "data", absorbed).discovered_at == OPENED.discovered_at  # type: ignore[union-attr]
    [absorbed, *_] = past(REGISTERED).seeing(leaving=there, reports=[]).when(absorb).decided()
    assert getattr(absorbed, "data", absorbed).discovered_at is None  # type: ignore[union-attr]
    split = past(after_ := REGISTERED, absorbed_into(later.id), role="chief").seeing(belonging=[REPORT], into=later.id)
    assert split.when(c.Split(reports=(REPORT,))).decided(), f"{after_.unit}: the matter stands by itself"


def absorbed_into(other: str) -> triage.IncidentAbsorbed:
    return triage.IncidentAbsorbed(incident=other, reports=(REPORT,), discovered_at=NOW)


@pytest.mark.requirement("ING-07")
def test_what_was_done_before_the_first_report_stays_done_then() -> None:
    earlier = NOW - timedelta(hours=2)
    acted = do.OrderExplanation(happened_at=earlier, late_reason="r")
    case = past(REGISTERED, absorbed_into(f"incident-{spec.UUID[:-1]}8"), role="chief")
    assert case.when(acted).decided()
    too_early = acted.model_copy(update={"happened_at": NOW - timedelta(hours=4)})
    case.when(too_early).then_raises(Malformed, "before it was known")


# over HTTP


async def registered(office: Triage, **more: Any) -> str:
    body = {"unit": "town-east", "subject": "卫生院停诊检修", "text": "三月五日卫生院停诊一天检修", **more}
    answer = await office.client.post(
        "/triage/v1/incidents", json=body, headers=office.token("duty_officer", "town-east")
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.mark.requirement("ING-07")
async def test_a_registered_matter_is_read_searched_and_merged_like_any_other(triage: Triage) -> None:
    id_ = await registered(triage, place="东镇卫生院", category="roads")
    shown = (await triage.get(f"incidents/{id_}", "town-east")).json()
    assert (shown["report_count"], shown["reports"], shown["subject"], shown["place"]) == (
        0,
        [],
        "卫生院停诊检修",
        "东镇卫生院",
    )
    assert shown["registered_at"] == shown["discovered_at"]
    assert shown["number"].startswith("town-east-")
    listed = (await triage.get("incidents", "town-east")).json()["items"]
    assert [(one["id"], one["subject"]) for one in listed] == [(id_, "卫生院停诊检修")]
    desk = (await triage.get("desk/open", "town-east")).json()["items"]
    assert [one["title"] for one in desk] == ["卫生院停诊检修"]
    asked = {"unit": "town-east", "subject": "卫生院今天停诊", "text": "卫生院停诊检修，看不了病"}
    found = await triage.client.post(
        "/triage/v1/similar", json=asked, headers=triage.token("duty_officer", "town-east")
    )
    assert [one["incident_id"] for one in found.json()["items"]] == [id_]
    searched = await triage.get("search", "town-east", words="停诊", purpose="p")
    assert [one["incident_id"] for one in searched.json()["items"]] == [id_]
    report = triage.report("a")
    await triage.take(report)
    (theirs,) = (await triage.get("incidents", "town-east", report_id=report.stream)).json()["items"]
    merged = await triage.ask(theirs["id"], "merge", {"into": id_}, role="chief", unit="town-east")
    assert merged.status_code == 200, merged.text
    shown = (await triage.get(f"incidents/{id_}", "town-east")).json()
    assert (shown["report_count"], len(shown["reports"])) == (1, 1)
    assert shown["discovered_at"] == theirs["discovered_at"] != shown["registered_at"]
    assert shown["subject"] == "卫生院停诊检修"
    split = await triage.ask(id_, "split", {"reports": [report.stream]}, role="chief", unit="town-east")
    assert split.status_code == 200, split.text
    shown = (await triage.get(f"incidents/{id_}", "town-east")).json()
    assert (shown["report_count"], shown["state"], shown["screening"]) == (0, "open", None)


@pytest.mark.requirement("ING-07")
async def test_a_registered_matter_goes_on_in_the_matter_of_a_report_too(triage: Triage) -> None:
    id_, report = await registered(triage), triage.report("a")
    await triage.take(report)
    (theirs,) = (await triage.get("incidents", "town-east", report_id=report.stream)).json()["items"]
    merged = await triage.ask(id_, "merge", {"into": theirs["id"]}, role="chief", unit="town-east")
    assert merged.status_code == 200, merged.text
    shown = (await triage.get(f"incidents/{theirs['id']}", "town-east")).json()
    assert (shown["report_count"], shown["discovered_at"]) == (1, theirs["discovered_at"])


async def test_a_registration_is_refused_with_a_code(triage: Triage) -> None:
    async def asked(role: str, **changes: Any) -> tuple[int, str]:
        body = {"unit": "town-east", "subject": "s", "text": "t", **changes}
        answer = await triage.client.post("/triage/v1/incidents", json=body, headers=triage.token(role, "town-east"))
        return answer.status_code, answer.json()["type"].rpartition(":")[2]

    assert await asked("handler") == (403, "no-right")
    assert await asked("duty_officer", unit="nowhere") == (422, "unit-unknown")
    assert await asked("duty_officer", category="nothing") == (422, "not-listed")
    assert await asked("duty_officer", discovered_at="2100-01-01T00:00:00Z") == (422, "in-the-future")
    assert await asked("duty_officer", author="x") == (422, "author-not-taken")
    assert await asked("duty_officer", subject=" ") == (422, "blank")


@pytest.mark.requirement("TRI-14", "ING-10")
async def test_desk_and_record_show_what_is_owed(triage: Triage) -> None:
    id_ = await triage.open()

    async def ask(verb: str, role: str, **body: Any) -> int:
        return (await triage.ask(id_, verb, body, role=role, unit="town-east")).status_code

    async def held() -> list[str]:
        found = (await triage.get("desk", "town-east", "chief")).json()["lists"]
        return [name for name, number in found.items() if number and name not in ("open", "inbox", "to_assign")]

    screening = {"needs_reply": False, "ground": "no_request"}
    stale = await triage.ask(id_, "screen", screening, role="duty_officer", unit="town-east", version=9)
    assert stale.status_code == 412
    assert await ask("screen", "duty_officer", **screening) == 200
    assert await held() == ["to_review"]
    # The test's people are one person.
    assert await ask("review-screening", "chief", upheld=True, reason="r") == 409
    headers = access.bearer("town-east", "chief", person="another") | {"If-Match": "1"}
    review = await triage.client.post(
        f"/triage/v1/incidents/{id_}/review-screening", json={"upheld": True, "reason": "r"}, headers=headers
    )
    assert review.status_code == 200, review.text
    assert await held() == []
    told = (await triage.get(f"incidents/{id_}", "town-east")).json()["screening"]
    assert (told["needs_reply"], told["ground"], told["upheld"]) == (False, "no_request", True)
    assert await ask("order-explanation", "chief", text="t") == 200
    assert await held() == ["to_explain"]
    assert await ask("explain-to-office", "handler", text="t", proposed_reply="您反映的情况已核实") == 200
    assert await held() == []
    shown = (await triage.get(f"incidents/{id_}", "town-east")).json()
    assert (shown["proposed_reply"], shown["explanation_ordered"]["unit"]) == ("您反映的情况已核实", "town-east")
    await ask("establish-fact", "verifier", key="confirmed", kind="yes_no", value=True, source="s")
    due = "2100-01-01T00:00:00.000000Z"
    assert await ask("leave-unsolved", "handler", outcome="planned", text="t", due=due) == 200
    assert await ask("explain", "handler", text="t") == 200
    await triage.agree(id_)
    assert await ask("resolve", "handler", reason="r") == 200
    shown = (await triage.get(f"incidents/{id_}", "town-east")).json()
    assert (shown["outcome"], shown["plan_due"], shown["follows_up"]) == ("planned", due, "handler@town-east")
    assert shown["handled"]["problem"] is not None
    assert await held() == ["to_follow_up"]
    assert await ask("close", "chief", reason="r") == 409
    assert await ask("follow-up", "handler", text="t", ends="over") == 200
    assert await ask("close", "chief", reason="r") == 200


@pytest.mark.requirement("ING-10")
async def test_what_is_asked_anew_of_a_matter_without_a_reply_is_a_matter_of_its_own(triage: Triage) -> None:
    id_ = await triage.open("a", match_key="pothole")
    screening = {"needs_reply": False, "ground": "unreachable"}
    asked = await triage.ask(id_, "screen", screening, role="duty_officer", unit="town-east")
    assert asked.status_code == 200, asked.text
    headers = access.bearer("town-east", "chief", person="another") | {"If-Match": "1"}
    review = {"upheld": True, "reason": "r"}
    done = await triage.client.post(f"/triage/v1/incidents/{id_}/review-screening", json=review, headers=headers)
    assert done.status_code == 200, done.text
    other = await triage.open("b", match_key="pothole")
    assert other != id_
    shown = (await triage.get(f"incidents/{other}", "town-east")).json()
    assert (shown["relates_to"], shown["screening"]) == (id_, None)
    again = await triage.open("c", match_key="pothole")
    assert again == other, "the next one joins it"
