"""The stream of a referral: proposed, heard, passed on or praised or dropped, received."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from schemas import referrals as r
from schemas.fields import Fact, Typed
from services.audit.referrals.commands import (
    DropReferral,
    NoteReceipt,
    PassOn,
    PraiseWork,
    ProposeReferral,
    StateOwnView,
)
from services.audit.referrals.decider import DECIDER
from services.kernel.core.decider import Actor
from services.kernel.core.problems import Forbidden, Malformed, Rejected
from tests.kit import spec

pytestmark = pytest.mark.requirement("AUD-10")
STREAM, FINDING, OTHER = (f"{kind}-{spec.UUID}" for kind in ("referral", "finding", "finding"))
HEARD_BY = spec.NOW + timedelta(days=5)
AUDITOR = spec.staff("auditor", unit="county", person="auditor")
LEADER = spec.staff("chief", unit="county", person="leader")
CHIEF = spec.staff("chief", unit="town-east", person="chief")


def by(actor: Actor) -> str:
    return spec.ctx(actor).by(STREAM)


NEGLECT = r.ReferralProposed(
    unit="town-east",
    post="duty_officer",
    kind="neglect",
    findings=(FINDING,),
    reason=Typed(text="三次瞒报"),
    hear_by=HEARD_BY,
    by=by(AUDITOR),
)
PRAISE = NEGLECT.model_copy(update={"kind": "praise", "findings": (), "hear_by": None})
PROPOSE = ProposeReferral(unit="town-east", post="duty_officer", kind="neglect", findings=(FINDING,), reason="三次瞒报")
PROPOSE_PRAISE = PROPOSE.model_copy(update={"kind": "praise", "findings": ()})
HEARD = r.ReferralPostHeard(text=Typed(text="有记录"), by=by(CHIEF))
PASS, PASSED = (
    PassOn(body="discipline", reason="移送"),
    r.ReferralPassedOn(body="discipline", reason=Typed(text="移送"), by=by(LEADER)),
)
DROP, DROPPED = DropReferral(reason="属实"), r.ReferralDropped(reason=Typed(text="属实"), by=by(LEADER))
RECEIVED = r.ReferralReceiptNoted(text=Typed(text="收文 118 号"))
STANDING = {FINDING: "town-east"}


def given(*past: Fact, actor: Actor = LEADER, standing: Any = STANDING, **more: Any) -> spec.Given:
    return spec.given(DECIDER, *past, actor=actor, seen={"stream": STREAM, "standing": standing}, **more)


def test_neglect_is_proposed_by_a_reviewer_above_and_rests_on_a_finding_that_stands() -> None:
    given(actor=AUDITOR).when(PROPOSE).then(NEGLECT)
    given(actor=LEADER).when(PROPOSE).then_raises(Forbidden)
    given(actor=spec.staff("auditor", unit="town-east")).when(PROPOSE).then_raises(Forbidden)
    for standing in ({}, {FINDING: "town-west"}):
        given(actor=AUDITOR, standing=standing).when(PROPOSE).then_raises(Malformed, "findings")
    none = PROPOSE.model_copy(update={"findings": ()})
    given(actor=AUDITOR).when(none).then_raises(Malformed, "rests on the record")


def test_it_is_about_a_post_of_the_directory() -> None:
    """A name of a person is no post, and nobody but office-holders has one."""
    stranger = PROPOSE.model_copy(update={"post": "zhang_san"})
    given(actor=AUDITOR).when(stranger).then_raises(Malformed, "no directory has the post")


def test_the_post_or_its_unit_is_heard_once() -> None:
    view = StateOwnView(text="有记录")
    given(NEGLECT, actor=CHIEF).when(view).then(HEARD)
    itself = spec.staff("duty_officer", unit="town-east", person="duty")
    given(NEGLECT, actor=itself).when(view).then(HEARD.model_copy(update={"by": by(itself)}))
    given(NEGLECT, actor=spec.staff("handler", unit="town-east")).when(view).then_raises(Forbidden)
    given(NEGLECT, HEARD, actor=CHIEF).when(view).then_raises(Rejected, "already")
    given(NEGLECT, actor=LEADER).when(view).then_raises(Rejected, "speaks for itself")
    given(NEGLECT, HEARD, actor=itself).when(view).then(HEARD.model_copy(update={"by": by(itself)}))
    own = spec.At(HEARD.model_copy(update={"by": by(itself)}), actor="duty_officer@town-east")
    given(NEGLECT, own, actor=itself).when(view).then_raises(Rejected, "already")
    given(PRAISE, actor=CHIEF).when(view).then_raises(Rejected, "praise")


def test_a_leader_above_passes_it_on_after_the_post_was_heard_or_its_limit_passed() -> None:
    given(NEGLECT).when(PASS).then_raises(Rejected, "not heard")
    given(NEGLECT, HEARD).when(PASS).then(PASSED)
    given(NEGLECT, now=HEARD_BY).when(PASS).then_raises(Rejected, "not heard")
    given(NEGLECT, now=HEARD_BY + timedelta(seconds=1)).when(PASS).then(PASSED)
    given(NEGLECT, HEARD, actor=CHIEF).when(PASS).then_raises(Forbidden)
    given(NEGLECT, HEARD).when(DROP).then(DROPPED)


def test_nothing_is_passed_on_that_rests_on_no_finding_any_more() -> None:
    given(NEGLECT, HEARD, standing={}).when(PASS).then_raises(Rejected, "none of the findings")
    given(NEGLECT, HEARD, standing={}).when(DROP).then(DROPPED)


def test_two_persons_take_part_and_nobody_decides_about_the_own_post() -> None:
    same = spec.staff("chief", unit="county", person="auditor")
    given(NEGLECT, HEARD, actor=same).when(PASS).then_raises(Rejected, "you proposed")
    of_leader = NEGLECT.model_copy(update={"unit": "county", "post": "chief"})
    city = spec.staff("chief", unit="city", person="mayor")
    given(of_leader, HEARD, actor=city).when(PASS).then(PASSED.model_copy(update={"by": by(city)}))
    given(of_leader, HEARD).when(PASS).then_raises(Forbidden)
    own = NEGLECT.model_copy(update={"unit": "city", "post": "chief"})
    given(own, HEARD, actor=spec.staff("chief", unit="city")).when(PASS).then_raises(Rejected, "own post")
    both = spec.staff("chief", unit="city", person="mayor")
    both = replace(both, roles=frozenset({"chief", "duty_officer"}))
    of_other_post = own.model_copy(update={"post": "duty_officer"})
    given(of_other_post, HEARD, actor=both).when(PASS).then_raises(Rejected, "own post")
    spoke = HEARD.model_copy(update={"by": by(LEADER)})
    given(NEGLECT, spoke).when(PASS).then_raises(Rejected, "you spoke")
    mine = PROPOSE_PRAISE.model_copy(update={"post": "chief"})
    given(actor=CHIEF).when(mine).then_raises(Rejected, "own post")


def test_the_receipt_of_the_body_is_noted_once() -> None:
    note = NoteReceipt(text="收文 118 号")
    given(NEGLECT, HEARD, PASSED, actor=AUDITOR).when(note).then(RECEIVED)
    given(NEGLECT, HEARD, PASSED, RECEIVED, actor=AUDITOR).when(note).then_raises(Rejected, "noted already")
    given(NEGLECT, HEARD, actor=AUDITOR).when(note).then_raises(Rejected, "nothing was passed")


def test_good_work_is_praised_by_a_leader_above_and_needs_no_finding() -> None:
    given(actor=AUDITOR).when(PROPOSE_PRAISE).then(PRAISE)
    praised = r.ReferralPraised(reason=Typed(text="一小时回应"), by=by(LEADER))
    given(PRAISE).when(PraiseWork(reason="一小时回应")).then(praised)
    given(PRAISE).when(PASS).then_raises(Rejected, "about praise")
    given(NEGLECT, HEARD).when(PraiseWork(reason="x")).then_raises(Rejected, "about neglect")
    given(PRAISE, praised).when(DROP).then_raises(Rejected, "decided already")
