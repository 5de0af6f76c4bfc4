"""The stream of a finding: computed, proposed, heard, decided, lapsed."""

from datetime import timedelta
from typing import Any

import pytest

from schemas import findings as f
from schemas.fields import Fact, Typed
from services.audit.findings.commands import (
    ConfirmFinding,
    EndHearing,
    LapseFinding,
    ProposeFinding,
    RaiseFinding,
    RejectFinding,
    StateView,
)
from services.audit.findings.decider import DECIDER
from services.kernel.core.decider import Actor
from services.kernel.core.ids import derived
from services.kernel.core.problems import Forbidden, Malformed, Rejected
from tests.kit import spec

STREAM = f"finding-{spec.UUID}"
INCIDENT = f"incident-{spec.UUID}"
EVENT = derived("behind")
HEARD_BY = spec.NOW + timedelta(days=5)


def made(finding: Any = "late_reply", unit: str = "town-east", **more: Any) -> dict[str, Any]:
    behind = (f.Behind(event=EVENT, position=3),)
    said = {"incident": INCIDENT, "record": INCIDENT, "unit": unit, "finding": finding, "sign": "limit_passed"}
    return {**said, "rule": "clocks.public_statement", "events": behind, "log_size": 9, **more}


COMPUTED = f.FindingComputed(**made())
PROPOSED = f.FindingProposed(**made("omitted_report"), hear_by=HEARD_BY)
AT_ROOT = f.FindingProposed(**made("omitted_report", "city"), hear_by=HEARD_BY)
UNHEARD = f.FindingOfficeHeard(unit="town-east", answered=False)
COUNTY, CITY = spec.staff("auditor", unit="county"), spec.staff("auditor", unit="city")
CHIEF = spec.staff("chief", unit="town-east", person="chief")


def by(actor: Actor) -> str:
    return spec.ctx(actor).by(STREAM)


def heard(actor: Actor = CHIEF) -> f.FindingOfficeHeard:
    return f.FindingOfficeHeard(unit="town-east", answered=True, text=Typed(text="通信中断"), by=by(actor))


def given(*past: Fact, actor: Any = None, **seen: Any) -> spec.Given:
    told = {"stream": STREAM, "handled": False, **seen}
    return spec.given(DECIDER, *past, **({"actor": actor} if actor else {}), seen=told)


def raised(finding: Any = "late_reply") -> RaiseFinding:
    return RaiseFinding(made=f.FindingMade(**made(finding)))


LAPSE = LapseFinding(cause="annulled", event=f.Behind(event=EVENT, position=4))
LAPSED = f.FindingLapsed(cause="annulled", event=f.Behind(event=EVENT, position=4))
CONFIRM, REJECT = ConfirmFinding(reason="成立"), RejectFinding(reason="不成立")


# the loop


def test_what_follows_from_a_limit_stands_at_once_and_the_same_again_gives_nothing() -> None:
    given().when(raised()).then(COMPUTED)
    given(COMPUTED).when(raised()).then_nothing()


@pytest.mark.requirement("AUD-07")
@pytest.mark.requirement("AUD-17")
@pytest.mark.parametrize("kind", ["omitted_report", "concealed_report", "non_cooperation", "perfunctory_answer"])
def test_what_a_person_must_judge_is_only_proposed_and_the_office_has_five_days(kind: str) -> None:
    given().when(raised(kind)).then(f.FindingProposed(**made(kind), hear_by=HEARD_BY))


@pytest.mark.parametrize("past", [(COMPUTED,), (PROPOSED,), (PROPOSED, UNHEARD)])
def test_a_finding_lapses_with_what_it_rests_on(past: tuple[Fact, ...]) -> None:
    given(*past).when(LAPSE).then(LAPSED)


def test_a_confirmed_finding_lapses_too_and_a_rejected_or_lapsed_one_or_one_by_hand_does_not() -> None:
    yes = f.FindingConfirmed(unit="county", reason=Typed(text="成立"), by=by(COUNTY))
    no = f.FindingRejected(unit="county", reason=Typed(text="不成立"), by=by(COUNTY))
    given(PROPOSED, UNHEARD, yes).when(LAPSE).then(LAPSED)
    given(PROPOSED, UNHEARD, no).when(LAPSE).then_nothing()
    given(COMPUTED, LAPSED).when(LAPSE).then_nothing()
    by_hand = PROPOSED.model_copy(update={"by": by(COUNTY)})
    given(by_hand).when(LAPSE).then_nothing()


def test_what_lapsed_comes_back_and_what_was_rejected_does_not() -> None:
    no = f.FindingRejected(unit="county", reason=Typed(text="不成立"), by=by(COUNTY))
    given(COMPUTED, LAPSED).when(raised()).then(COMPUTED)
    given(PROPOSED, UNHEARD, no).when(raised("omitted_report")).then_nothing()


def test_a_hearing_ends_when_its_limit_has_passed_and_not_before_and_once() -> None:
    given(PROPOSED).when(EndHearing(until=HEARD_BY)).then_nothing()
    late = EndHearing(until=HEARD_BY + timedelta(seconds=1))
    given(PROPOSED).when(late).then(UNHEARD)
    given(PROPOSED, heard()).when(late).then_nothing()
    given(COMPUTED).when(late).then_nothing()


# the office


def test_the_office_is_heard_once() -> None:
    said = StateView(text="通信中断")
    given(PROPOSED, actor=CHIEF).when(said).then(heard())
    given(PROPOSED, heard(), actor=CHIEF).when(said).then_raises(Rejected, "already")


def test_an_office_that_let_its_limit_pass_is_heard_until_somebody_decides() -> None:
    given(PROPOSED, UNHEARD, actor=CHIEF).when(StateView(text="通信中断")).then(heard())


def test_an_office_speaks_for_itself_and_nobody_above_closes_its_hearing() -> None:
    above = spec.staff("chief", unit="county")
    given(PROPOSED, actor=above).when(StateView(text="x")).then_raises(Rejected, "speaks for itself")
    handler = spec.staff("handler", unit="town-east")
    given(PROPOSED, actor=handler).when(StateView(text="x")).then_raises(Forbidden)
    other = spec.staff("chief", unit="town-west")
    given(PROPOSED, actor=other).when(StateView(text="x")).then_raises(Forbidden)


# the reviewer


def test_who_proposed_it_by_hand_does_not_decide() -> None:
    by_hand = PROPOSED.model_copy(update={"by": by(COUNTY)})
    given(by_hand, heard(), actor=COUNTY).when(CONFIRM).then_raises(Rejected, "you proposed")
    other = spec.staff("auditor", unit="county", person="another")
    yes = f.FindingConfirmed(unit="county", reason=Typed(text="成立"), by=by(other))
    given(by_hand, heard(), actor=other).when(CONFIRM).then(yes)


@pytest.mark.requirement("AUD-07")
def test_a_reviewer_above_decides_after_the_office_was_heard_or_its_limit_passed() -> None:
    yes = f.FindingConfirmed(unit="county", reason=Typed(text="成立"), by=by(COUNTY))
    no = f.FindingRejected(unit="county", reason=Typed(text="不成立"), by=by(COUNTY))
    for answer in (heard(), UNHEARD):
        given(PROPOSED, answer, actor=COUNTY).when(CONFIRM).then(yes)
        given(PROPOSED, answer, actor=COUNTY).when(REJECT).then(no)
    given(PROPOSED, actor=COUNTY).when(CONFIRM).then_raises(Rejected, "not heard yet")


@pytest.mark.parametrize("unit", ["town-east", "town-west"])
def test_nobody_of_the_unit_or_beside_it_decides(unit: str) -> None:
    given(PROPOSED, UNHEARD, actor=spec.staff("auditor", unit=unit)).when(CONFIRM).then_raises(Forbidden)


@pytest.mark.parametrize("role", ["chief", "approver", "duty_officer", "admin"])
def test_only_an_auditor_decides(role: str) -> None:
    given(PROPOSED, UNHEARD, actor=spec.staff(role, unit="county")).when(CONFIRM).then_raises(Forbidden)


def test_who_worked_on_the_matter_or_spoke_for_the_office_does_not_decide() -> None:
    given(PROPOSED, UNHEARD, actor=COUNTY, handled=True).when(CONFIRM).then_raises(Rejected, "worked on")
    spoke = spec.staff("auditor", unit="county", person="chief")
    given(PROPOSED, heard(), actor=spoke).when(REJECT).then_raises(Rejected, "worked on")


def test_what_stands_or_is_decided_or_lapsed_is_not_decided_on() -> None:
    given(COMPUTED, actor=COUNTY).when(CONFIRM).then_raises(Rejected, "by its rule")
    yes = f.FindingConfirmed(unit="county", reason=Typed(text="成立"), by=by(COUNTY))
    given(PROPOSED, UNHEARD, yes, actor=COUNTY).when(REJECT).then_raises(Rejected, "already")
    given(PROPOSED, LAPSED, actor=COUNTY).when(REJECT).then_raises(Rejected, "no more")


def test_at_the_root_two_persons_decide_alike() -> None:
    first, second = (spec.staff("auditor", unit="city", person=name) for name in ("first", "second"))
    unheard = UNHEARD.model_copy(update={"unit": "city"})
    asked = f.FindingDecisionAsked(confirms=True, reason=Typed(text="成立"), by=by(first))
    given(AT_ROOT, unheard, actor=first).when(CONFIRM).then(asked)
    given(AT_ROOT, unheard, asked, actor=first).when(CONFIRM).then_raises(Rejected, "another person")
    yes = f.FindingConfirmed(unit="city", reason=Typed(text="成立"), by=by(second))
    given(AT_ROOT, unheard, asked, actor=second).when(CONFIRM).then(yes)
    other = f.FindingDecisionAsked(confirms=False, reason=Typed(text="不成立"), by=by(second))
    given(AT_ROOT, unheard, asked, actor=second).when(REJECT).then(other)
    given(AT_ROOT, unheard, asked, other, actor=second).when(REJECT).then_raises(Rejected, "another person")


# by hand


def test_a_reviewer_proposes_by_hand_on_events_of_the_matter() -> None:
    body: dict[str, Any] = {"incident": INCIDENT, "unit": "town-east", "finding": "concealed_report", "reason": "不符"}
    seen: dict[str, Any] = {"positions": {EVENT: 3}, "log_size": 9}
    proposed = f.FindingProposed(
        **made("concealed_report", rule="reading.reviewer", sign="reviewer"),
        hear_by=HEARD_BY,
        reason=Typed(text="不符"),
        by=by(COUNTY),
    )
    given(actor=COUNTY, **seen).when(ProposeFinding(**body, events=(EVENT,))).then(proposed)
    stranger = ProposeFinding(**body, events=(derived("other"),))
    given(actor=COUNTY, **seen).when(stranger).then_raises(Malformed, "no ")
    given(actor=CITY, **seen).when(ProposeFinding(**{**body, "unit": "nowhere"}, events=(EVENT,))).then_raises(
        Forbidden
    )
    below = spec.staff("auditor", unit="town-east")
    given(actor=below, **seen).when(ProposeFinding(**body, events=(EVENT,))).then_raises(Forbidden)
