"""The stream of a review: drafted, written, adopted, evaluated; its lessons."""

from datetime import timedelta
from typing import Any

import pytest

from schemas import review as r
from schemas.fields import Fact, Typed
from schemas.findings import Behind
from services.audit.review.commands import (
    AdoptReview,
    AssignLesson,
    ConveneEvaluation,
    DraftReview,
    DropLesson,
    EditReview,
    FinishLesson,
    FollowUpLesson,
    RecordEvaluation,
)
from services.audit.review.decider import DECIDER, Draft
from services.audit.review.rights import adopters
from services.kernel.core.decider import Actor
from services.kernel.core.ids import derived
from services.kernel.core.problems import Forbidden, Malformed, Problem, Rejected
from tests.kit import spec

STREAM = f"review-{spec.UUID}"
INCIDENT = f"incident-{spec.UUID}"
TOWN = "town-east"
OFFICER, CHIEF = spec.staff("duty_officer", unit=TOWN), spec.staff("chief", unit=TOWN)
BY = spec.ctx(OFFICER).by(STREAM)
LATER = spec.NOW + timedelta(days=30)


def behind(name: str) -> Behind:
    return Behind(event=derived("ended", name), position=30)


def drafted(name: str = "resolved", edition: int = 1, round_: int = 1, cause: Any = "steady") -> r.ReviewDrafted:
    return r.ReviewDrafted(
        incident=INCIDENT,
        unit=TOWN,
        cause=cause,
        of=behind(name),
        round=round_,
        edition=edition,
        log_size=31,
    )


def draft(name: str, round_: int = 1, cause: Any = "steady") -> DraftReview:
    return DraftReview(incident=INCIDENT, unit=TOWN, cause=cause, of=behind(name), round=round_, log_size=31)


def edited(edition: int = 2, text: str = "# 经过") -> r.ReviewEdited:
    return r.ReviewEdited(edition=edition, text=Typed(text=text), log_size=40, by=BY)


def adopted(edition: int = 2) -> r.ReviewAdopted:
    return r.ReviewAdopted(edition=edition, log_size=40, by=BY)


def lesson(number: int = 1, kind: Any = "service", numbered: int | None = None) -> r.ReviewLessonAssigned:
    return r.ReviewLessonAssigned(
        lesson=number,
        kind=kind,
        unit=TOWN,
        post=f"handler@{TOWN}",
        text=Typed(text="每周巡查"),
        due=LATER,
        numbered=numbered,
    )


def given(*past: Fact, actor: Actor | None = None, **seen: Any) -> spec.Given:
    told = {"stream": STREAM, "log_size": 40, "draft": None, "proposals": {}, "settled": {}, **seen}
    return spec.given(DECIDER, *past, **({"actor": actor} if actor else {}), seen=told)


def refused(command: spec.When, kind: type[Problem], code: str | None = None) -> None:
    with pytest.raises(kind) as refusal:
        command.decided()
    assert code in (None, refusal.value.code)


# the draft


def test_each_end_of_a_matter_gives_a_draft_once() -> None:
    given().when(draft("resolved")).then(drafted())
    given(drafted()).when(draft("resolved")).then_nothing()
    given(drafted()).when(draft("closed", cause="over")).then(drafted("closed", 2, cause="over"))


def test_a_text_of_the_office_is_not_overtaken_by_a_draft_before_the_matter_is_taken_up_again() -> None:
    given(drafted(), edited()).when(draft("closed", cause="over")).then_nothing()
    given(drafted(), edited(), adopted()).when(draft("again", 2)).then(drafted("again", 3, 2))


# the text


def test_the_office_writes_the_whole_text_and_the_newest_edition_is_adopted() -> None:
    given(drafted(), actor=OFFICER).when(EditReview(text="# 经过")).then(edited())
    given(drafted(), edited(), actor=CHIEF).when(AdoptReview(edition=2)).then(adopted())
    refused(given(drafted(), edited(), actor=CHIEF).when(AdoptReview(edition=1)), Rejected, "edition-old")
    again = given(drafted(), edited(), adopted(), actor=CHIEF).when(AdoptReview(edition=2))
    refused(again, Rejected, "review-adopted")


@pytest.mark.requirement("AUD-04")
def test_a_draft_that_nobody_changed_becomes_the_text_that_was_read_when_it_is_adopted() -> None:
    read = Draft("# 经过", "# What happened", 31)
    text = r.ReviewEdited(
        edition=2, text=Typed(text="# 经过"), english=Typed(text="# What happened"), log_size=31, by=BY
    )
    given(drafted(), actor=CHIEF, draft=read).when(AdoptReview(edition=1)).then(text, adopted())


def test_the_leader_and_members_of_the_leading_group_adopt_and_nobody_else() -> None:
    assert f"chief@{TOWN}" in adopters(TOWN, spec.ctx(CHIEF))
    refused(given(drafted(), edited(), actor=OFFICER).when(AdoptReview(edition=2)), Forbidden)
    beside = spec.staff("chief", unit="town-west")
    refused(given(drafted(), edited(), actor=beside).when(AdoptReview(edition=2)), Forbidden)
    refused(given(drafted(), actor=spec.staff("auditor", unit="county")).when(EditReview(text="x")), Forbidden)


# the evaluation


@pytest.mark.requirement("AUD-05")
def test_the_leading_group_evaluates_with_departments_and_experts_by_function() -> None:
    convene = ConveneEvaluation(
        members=("leading_group@county",), units=("county-water",), experts="省水利科学研究院", at=LATER
    )
    convened = r.ReviewEvaluationConvened(
        evaluation=1,
        members=("leading_group@county",),
        units=("county-water",),
        experts=Typed(text="省水利科学研究院"),
        at=LATER,
    )
    given(drafted(), actor=CHIEF).when(convene).then(convened)
    say = RecordEvaluation(evaluation=1, conclusion="effective", judgement="及时", took_part=("leading_group@county",))
    said = r.ReviewEvaluated(
        evaluation=1, conclusion="effective", judgement=Typed(text="及时"), took_part=("leading_group@county",)
    )
    refused(given(drafted(), actor=CHIEF).when(say), Rejected, "not-convened")
    given(drafted(), convened, actor=CHIEF).when(say).then(said)
    refused(given(drafted(), convened, said, actor=CHIEF).when(say), Rejected, "not-convened")
    unknown = convene.model_copy(update={"members": ("wizard@county",)})
    refused(given(drafted(), actor=CHIEF).when(unknown), Malformed, "post-unknown")


# lessons


@pytest.mark.requirement("AUD-16")
def test_a_lesson_has_an_owner_and_a_date_and_is_followed_up_until_it_is_done_or_dropped() -> None:
    assign = AssignLesson(kind="service", unit=TOWN, post=f"handler@{TOWN}", text="每周巡查", due=LATER)
    given(drafted(), actor=CHIEF).when(assign).then(lesson())
    elsewhere = assign.model_copy(update={"post": "handler@town-west"})
    refused(given(drafted(), actor=CHIEF).when(elsewhere), Malformed, "post-elsewhere")
    past = assign.model_copy(update={"due": spec.NOW})
    refused(given(drafted(), actor=CHIEF).when(past), Malformed, "due-passed")
    owner = spec.staff("handler", unit=TOWN)
    followed = r.ReviewLessonFollowedUp(lesson=1, text=Typed(text="已排定"))
    given(drafted(), lesson(), actor=owner).when(FollowUpLesson(lesson=1, text="已排定")).then(followed)
    done = r.ReviewLessonDone(lesson=1, text=Typed(text="已实行"))
    finish, drop = FinishLesson(lesson=1, text="已实行"), DropLesson(lesson=1, reason="道路已移交")
    given(drafted(), lesson(), actor=owner).when(finish).then(done)
    refused(given(drafted(), lesson(), done, actor=owner).when(finish), Rejected, "lesson-ended")
    ended = given(drafted(), lesson(), done, lesson(2), actor=owner).when(finish)
    refused(ended, Rejected, "lesson-ended")
    refused(given(drafted(), lesson(), actor=owner).when(drop), Forbidden)
    dropped = r.ReviewLessonDropped(lesson=1, reason=Typed(text="道路已移交"))
    given(drafted(), lesson(), actor=CHIEF).when(drop).then(dropped)
    unknown = given(drafted(), lesson(), actor=CHIEF).when(FollowUpLesson(lesson=7, text="x"))
    refused(unknown, Malformed, "lesson-unknown")


@pytest.mark.requirement("AUD-06")
@pytest.mark.requirement("AUD-16")
def test_a_change_of_the_pack_is_its_numbered_proposal_and_settled_with_that() -> None:
    assign = AssignLesson(kind="pack", unit=TOWN, post=f"handler@{TOWN}", text="提前首次说明", due=LATER, numbered=3)
    told = {"proposals": {3: INCIDENT, 4: "incident-of-others"}}
    made = lesson(kind="pack", numbered=3).model_copy(update={"text": Typed(text="提前首次说明")})
    given(drafted(), actor=CHIEF, **told).when(assign).then(made)
    for number, code in ((4, "lesson-unknown"), (None, "lesson-number-needed")):
        other = assign.model_copy(update={"numbered": number})
        refused(given(drafted(), actor=CHIEF, **told).when(other), Malformed, code)
    service = assign.model_copy(update={"kind": "service"})
    refused(given(drafted(), actor=CHIEF, **told).when(service), Malformed, "lesson-number-needed")
    by_hand = given(drafted(), made, actor=CHIEF, **told).when(FinishLesson(lesson=1, text="x"))
    refused(by_hand, Rejected, "lesson-of-pack")
    settled = given(drafted(), made, actor=CHIEF, settled={3: "done"}).when(FollowUpLesson(lesson=1, text="x"))
    refused(settled, Rejected, "lesson-ended")
