"""The stream of an inspection: opened, remarked, remedied, judged, ended."""

from datetime import timedelta
from typing import Any

import pytest

from schemas import inspections as i
from schemas.fields import Fact, Typed
from services.audit.inspections.commands import (
    AcceptRemedy,
    EndInspection,
    MakeRemark,
    OpenInspection,
    ReportRemedy,
    ReturnRemedy,
    WithdrawRemark,
)
from services.audit.inspections.decider import DECIDER
from services.kernel.core.decider import Actor
from services.kernel.core.problems import Forbidden, Malformed, Rejected
from tests.kit import spec

pytestmark = pytest.mark.requirement("AUD-19")
STREAM, FINDING = f"inspection-{spec.UUID}", f"finding-{spec.UUID}"
DUE = spec.NOW + timedelta(days=10)
AUDITOR, CHIEF = spec.staff("auditor", unit="county"), spec.staff("chief", unit="town-east", person="chief")
OPENED = i.InspectionOpened(unit="town-east", since="2026-01-01", until="2026-03-31", scope=Typed(text="答复"))
OPEN = OpenInspection(unit="town-east", since="2026-01-01", until="2026-03-31", scope="答复")
REMARK = MakeRemark(text="迟复", remedy="补复", due=DUE)


def by(actor: Actor) -> str:
    return spec.ctx(actor).by(STREAM)


MADE = i.InspectionRemarkMade(remark=1, text=Typed(text="迟复"), remedy=Typed(text="补复"), due=DUE)
REPORTED = i.InspectionRemedyReported(remark=1, text=Typed(text="已补"), by=by(CHIEF))
ACCEPTED = i.InspectionRemedyAccepted(remark=1, by=by(AUDITOR))
RETURNED = i.InspectionRemedyReturned(remark=1, reason=Typed(text="未补"), due=DUE + timedelta(days=5))
WITHDRAWN = i.InspectionRemarkWithdrawn(remark=1, reason=Typed(text="非其办理"))
ENDED = i.InspectionEnded(conclusion=Typed(text="已整改"))


def given(*past: Fact, actor: Actor = AUDITOR, **seen: Any) -> spec.Given:
    return spec.given(DECIDER, *past, actor=actor, seen={"stream": STREAM, "finding_unit": None, **seen})


def test_a_unit_above_opens_it_and_nobody_else() -> None:
    given().when(OPEN).then(OPENED)
    given(actor=CHIEF).when(OPEN).then_raises(Forbidden)
    given(actor=spec.staff("handler", unit="county")).when(OPEN).then_raises(Forbidden)


def test_of_the_root_a_superior_outside_is_named_and_of_others_none() -> None:
    city = spec.staff("auditor", unit="city")
    named = OPEN.model_copy(update={"unit": "city", "superior": "省政府办公厅"})
    noted = OPENED.model_copy(update={"unit": "city", "superior": Typed(text="省政府办公厅")})
    given(actor=city).when(named).then(noted)
    given(actor=city).when(named.model_copy(update={"superior": None})).then_raises(Malformed, "superior")
    given().when(OPEN.model_copy(update={"superior": "省政府"})).then_raises(Malformed, "superior")


def test_its_first_day_comes_first() -> None:
    given().when(OPEN.model_copy(update={"until": "2025-12-31"})).then_raises(Malformed, "until")


def test_remarks_are_numbered_and_their_remedies_have_a_date_ahead() -> None:
    given(OPENED).when(REMARK).then(MADE)
    given(OPENED, MADE).when(REMARK).then(MADE.model_copy(update={"remark": 2}))
    given(OPENED).when(REMARK.model_copy(update={"due": spec.NOW})).then_raises(Malformed, "due")
    given(OPENED, actor=CHIEF).when(REMARK).then_raises(Forbidden)


def test_a_remark_rests_on_a_finding_about_this_office_only() -> None:
    on = REMARK.model_copy(update={"finding": FINDING})
    given(OPENED, finding_unit="town-east").when(on).then(MADE.model_copy(update={"finding": FINDING}))
    given(OPENED, finding_unit="town-west").when(on).then_raises(Malformed, "finding")
    given(OPENED).when(on).then_raises(Malformed, "finding")


def test_the_office_reports_and_the_unit_above_accepts_or_sends_back_with_a_new_date() -> None:
    said = ReportRemedy(remark=1, text="已补")
    given(OPENED, MADE, actor=CHIEF).when(said).then(REPORTED)
    given(OPENED, MADE, REPORTED).when(AcceptRemedy(remark=1)).then(ACCEPTED)
    back = ReturnRemedy(remark=1, reason="未补", due=DUE + timedelta(days=5))
    given(OPENED, MADE, REPORTED).when(back).then(RETURNED)
    given(OPENED, MADE, REPORTED, RETURNED, actor=CHIEF).when(said).then(REPORTED)
    given(OPENED, MADE, REPORTED, actor=CHIEF).when(AcceptRemedy(remark=1)).then_raises(Forbidden)


def test_nobody_accepts_what_the_same_person_reported() -> None:
    both = spec.staff("chief", unit="county", person="chief")
    given(OPENED, MADE, REPORTED, actor=both).when(AcceptRemedy(remark=1)).then_raises(Rejected, "you reported")


def test_what_is_not_at_that_step_is_refused() -> None:
    other = MADE.model_copy(update={"remark": 2})
    given(OPENED, MADE, actor=CHIEF).when(ReportRemedy(remark=7, text="x")).then_raises(Malformed, "no remark 7")
    given(OPENED, MADE).when(AcceptRemedy(remark=1)).then_raises(Rejected, "no remedy")
    given(OPENED, MADE, other, REPORTED).when(AcceptRemedy(remark=2)).then_raises(Rejected, "remark 2 is due")
    given(OPENED, actor=CHIEF).when(ReportRemedy(remark=1, text="x")).then_raises(Rejected, "no remedy is due")
    given(OPENED).when(WithdrawRemark(remark=1, reason="x")).then_raises(Rejected, "every remark")


def test_it_ends_when_every_remark_is_remedied_or_withdrawn_and_then_nothing_follows() -> None:
    end = EndInspection(conclusion="已整改")
    for done in ((), (MADE, WITHDRAWN), (MADE, REPORTED, ACCEPTED)):
        given(OPENED, *done).when(end).then(ENDED)
    given(OPENED, MADE).when(end).then_raises(Rejected, "1 remarks")
    given(OPENED, MADE, REPORTED).when(end).then_raises(Rejected, "1 remarks")
    given(OPENED, MADE).when(WithdrawRemark(remark=1, reason="非其办理")).then(WITHDRAWN)
    given(OPENED, ENDED).when(REMARK).then_raises(Rejected, "has ended")
