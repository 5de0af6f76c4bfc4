"""A statement as its rules need it, folded from its events. Pure."""

from dataclasses import dataclass, replace

from schemas.envelope import Event
from schemas.fields import WordsRef, instant
from schemas.publish import (
    Approval,
    Signature,
    StatementApproved,
    StatementChecked,
    StatementCorrected,
    StatementDrafted,
    StatementFileAttached,
    StatementFileCovered,
    StatementFileDetached,
    StatementNoticeDrafted,
    StatementNoticePublished,
    StatementPublished,
    StatementReferred,
    StatementRejected,
    StatementRevised,
    StatementScheduled,
    StatementSubmitted,
    StatementUnscheduled,
    StatementWithdrawn,
    usual_form,
)
from services.kernel.rules.approval import Agreement, Course, Referral
from services.publish.attaching import attached
from services.publish.attaching.attached import NO_FILES, Files
from services.publish.checking.checks import Checks
from services.publish.delivering import public
from services.publish.delivering.public import NOTHING, Public
from services.publish.rights import UNCHECKED, UNSUBMITTED, Statement

MARKS = ("secret", "major_information")
"""What a drafter or an approver may say of a text."""


@dataclass(frozen=True, slots=True)
class State(Statement):
    """A statement as its rules need it."""

    incident: str = ""
    """Empty for a notice, which is about no matter."""
    title: WordsRef | None = None
    draft: WordsRef | None = None
    facts: tuple[str, ...] = ()
    waived: WordsRef | None = None
    next_at: str | None = None
    """When the text promises the next one."""
    agreed_title: WordsRef | None = None
    agreed_text: WordsRef | None = None
    """The words of the submission, if the draft has markers."""
    public: Public = NOTHING
    files: Files = NO_FILES
    submitted: int = 0
    """The version of the submission; 0 before it."""
    answers: tuple[Approval, ...] = ()
    """The signed answers to the submission."""
    scheduled_post: str = ""
    """The post that ordered the publication at an instant."""


def initial_state() -> State:
    """Nothing is written yet."""
    return State()


def evolve(state: State, event: Event) -> State:
    """The statement after the event."""
    after = _evolved(state, event)
    return replace(after, public=public.evolve(state.public, event), files=attached.evolve(state.files, event))


def _evolved(state: State, event: Event) -> State:
    match event.data:
        case StatementDrafted() as data:
            return State(
                "drafted",
                data.unit,
                data.kind,
                data.form or ("clarification" if data.prepared else usual_form(data.kind)),
                frozenset({data.by}),
                frozenset({event.actor}),
                marks=_marked(frozenset(), data, frozenset()),
                incident=data.incident,
                title=data.title,
                draft=data.draft,
                facts=data.facts,
                prepared=data.prepared,
                waived=data.waived,
                next_at=instant(data.next_at) if data.next_at else None,
            )
        case StatementNoticeDrafted() as data:
            return State(
                "drafted",
                data.unit,
                "status",
                "notice",
                frozenset({data.by}),
                frozenset({event.actor}),
                marks=_marked(frozenset(), data, frozenset()),
                title=data.title,
                draft=data.draft,
            )
        case StatementRevised() as data:
            facts = state.facts if data.facts is None else data.facts
            written = replace(
                _back(state),
                form=data.form or state.form,
                writers=state.writers | {data.by},
                desks=state.desks | {event.actor},
                prepared=False,
                marks=_marked(state.marks, data, state.raised),
            )
            waived = data.waived or state.waived
            written = replace(written, next_at=instant(data.next_at) if data.next_at else state.next_at)
            return replace(written, title=data.title or state.title, draft=data.draft, facts=facts, waived=waived)
        case StatementFileAttached() | StatementFileCovered() | StatementFileDetached() as data:
            written = state if state.phase == "published" else _back(state)
            return replace(written, writers=state.writers | {data.by}, desks=state.desks | {event.actor})
        case StatementSubmitted() as data:
            course = Course(chain=data.chain, steps=data.steps)
            phase = "submitted" if data.steps else "approved"
            facts = tuple(dict.fromkeys((*state.facts, *(one.key for one in data.used))))
            agreed = replace(_back(state), agreed_title=data.title, agreed_text=data.text, used=data.used, facts=facts)
            return replace(
                agreed,
                phase=phase,
                level=data.level,
                course=course,
                submitted=event.version,
                checks=Checks(asked=data.gates),
            )
        case StatementApproved() as data:
            phase = "approved" if data.last else state.phase
            given = Agreement(
                step=data.step,
                who=data.who,
                by=data.by,
                post=data.post,
                acted=event.actor,
                took_part=data.took_part,
                at=event.time_text,
                key=_key(data.signature),
            )
            agreed = replace(
                state,
                phase=phase,
                course=state.course.with_agreement(given),
                checks=state.checks.agreed(data.who, data.post, event.time_text),
                approvers=state.approvers | {data.by},
                answers=(*state.answers, *_answer(event)),
            )
            return _raised(agreed, data)
        case StatementReferred() as data:
            course = state.course.with_referral(
                Referral(
                    step=data.step,
                    who=data.who,
                    to=data.to,
                    by=data.by,
                    at=event.time_text,
                    key=_key(data.signature),
                )
            )
            answers = (*state.answers, *_answer(event))
            return replace(state, course=course, approvers=state.approvers | {data.by}, answers=answers)
        case StatementChecked() as data:
            if not data.passed:
                return _back(state)
            return replace(state, checks=state.checks.checked(data.gate, data.post, event.time_text))
        case StatementRejected() as data:
            return _raised(_back(state), data)
        case StatementScheduled() as data:
            return replace(state, scheduled_at=instant(data.at), scheduled_by=data.by, scheduled_post=event.actor)
        case StatementUnscheduled():
            return _unscheduled(state)
        case StatementPublished() | StatementNoticePublished():
            return _unscheduled(replace(state, phase="published"))
        case StatementCorrected() as data:
            return replace(state, approvers=state.approvers | {data.by})
        case StatementWithdrawn():
            return replace(state, phase="withdrawn")
        case _:
            return state


def _back(state: State) -> State:
    """The statement as a draft. Its approvals are void."""
    back = replace(state, phase="drafted", level=None, course=UNSUBMITTED, approvers=frozenset())
    return _unscheduled(
        replace(back, agreed_title=None, agreed_text=None, used=(), submitted=0, answers=(), checks=UNCHECKED)
    )


def _unscheduled(state: State) -> State:
    return replace(state, scheduled_at=None, scheduled_by="", scheduled_post="")


def _key(signature: Signature | None) -> str:
    return signature.key if signature else ""


def _answer(event: Event) -> tuple[Approval, ...]:
    """The answer as a publication carries it, if it was signed."""
    data = event.data
    if data.signature is None:
        return ()
    referred = isinstance(data, StatementReferred)
    answer = Approval(
        act="referred" if referred else "approved",
        version=event.version,
        at=event.time,
        step=data.step,
        who=data.who,
        post=data.post,
        to=data.to if referred else None,
        took_part=() if referred else data.took_part,
        by=data.by,
        signature=data.signature,
    )
    return (answer,)


def _marked(
    marks: frozenset[str],
    said: StatementDrafted | StatementNoticeDrafted | StatementRevised,
    raised: frozenset[str],
) -> frozenset[str]:
    """The marks after their drafter said something of them. Those that an approver set stay."""
    told = {mark: getattr(said, mark) for mark in MARKS}
    return raised | {mark for mark, value in told.items() if value or (value is None and mark in marks)}


def _raised(state: State, said: StatementApproved | StatementRejected) -> State:
    """The statement with the marks that an approver set."""
    set_ = frozenset(mark for mark in MARKS if getattr(said, mark))
    return replace(state, marks=state.marks | set_, raised=state.raised | set_)
