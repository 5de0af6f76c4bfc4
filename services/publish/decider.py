"""The rules of a statement: its facts, its approvals, and the texts that stay visible.

`rights` says who may ask for what, and in which phase. `ctx.seen` holds `stream`, the statement's id, and `matter`, the
`Matter` of the statement; None if publish has not seen that incident. It also holds `title` and `text`, the words of
the draft; None if there are none or they were erased.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from schemas.envelope import Event
from schemas.fields import Fact, Typed, WordsRef
from schemas.publish import (
    StatementApproved,
    StatementCorrected,
    StatementDrafted,
    StatementKind,
    StatementPublished,
    StatementRejected,
    StatementRevised,
    StatementSubmitted,
    StatementWithdrawn,
)
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx, Decided, Decider, Occurred
from services.kernel.core.problems import Malformed, Rejected
from services.publish import wording
from services.publish.commands import Approve, Correct, Draft, Publish, Reject, Revise, Submit, Withdraw
from services.publish.rights import RIGHTS, Case, Incident, Statement, chain_of


@dataclass(frozen=True, slots=True)
class State(Statement):
    """A statement as its rules need it."""

    incident: str = ""
    kind: StatementKind = "status"
    title: WordsRef | None = None
    draft: WordsRef | None = None
    facts: tuple[str, ...] = ()


def initial_state() -> State:
    """Nothing is written yet."""
    return State()


def evolve(state: State, event: Event) -> State:
    """The statement after the event. Delivery to further channels changes nothing here."""
    match event.data:
        case StatementDrafted() as data:
            return State(
                "drafted",
                data.unit,
                frozenset({data.by}),
                incident=data.incident,
                kind=data.kind,
                title=data.title,
                draft=data.draft,
                facts=data.facts,
            )
        case StatementRevised() as data:
            facts = state.facts if data.facts is None else data.facts
            back = replace(state, phase="drafted", level=None, steps=(), approvers=())
            writers, title = state.writers | {data.by}, data.title or state.title
            return replace(back, title=title, draft=data.draft, facts=facts, writers=writers)
        case StatementSubmitted() as data:
            return replace(state, phase="submitted", level=data.level, steps=data.steps, approvers=())
        case StatementApproved() as data:
            phase = "approved" if data.last else state.phase
            return replace(state, phase=phase, approvers=(*state.approvers, data.by))
        case StatementRejected():
            return replace(state, phase="drafted", level=None, steps=(), approvers=())
        case StatementPublished():
            return replace(state, phase="published")
        case StatementCorrected() as data:
            return replace(state, approvers=(*state.approvers, data.by))
        case StatementWithdrawn():
            return replace(state, phase="withdrawn")
        case _:
            return state


def authorize(state: State, command: Command, ctx: Ctx) -> None:
    """Raises `Forbidden` if the actor has no right to the command."""
    RIGHTS[type(command)].require(_case(state, ctx), ctx)


def _case(state: State, ctx: Ctx) -> Case:
    incident: Incident | None = ctx.seen.get("incident")
    if incident is None:
        raise Malformed(
            "publish has not seen this incident; if it is new, send Huiying-After with its version",
            code="incident-not-seen",
            field="incident_id",
        )
    return Case(state, incident, ctx.offices.pack(incident.unit), ctx.by(ctx.seen["stream"]))


def decide(state: State, command: Command, ctx: Ctx) -> Decided:
    """One event. Raises `Rejected` (409), `Forbidden` (403), or `Malformed` (422) for an unknown incident.

    Each event names the versions of the incident and of the unit tree on which it rests, and the pack in force for the
    accountable unit.
    """
    case, right = _case(state, ctx), RIGHTS[type(command)]
    right.require(case, ctx)
    right.refuse(case, ctx)
    fact = _decide(state, command, case, ctx)
    basis = (f"{case.incident.id}@{case.incident.version}", *ctx.offices.basis)
    return [Occurred(fact, policy=case.pack.ref, basis=basis)]


def _decide(state: State, command: Command, case: Case, ctx: Ctx) -> Fact:
    by = case.by
    match command:
        case Draft():
            return _draft(command, case)
        case Revise():
            facts = None if command.facts is None else _established(state.kind, command.facts, case)
            title = None if command.title is None else Typed(text=command.title)
            return StatementRevised(title=title, draft=Typed(text=command.text), facts=facts, by=by)
        case Submit():
            _check_wording(ctx, title=ctx.seen.get("title"), text=ctx.seen.get("text"))
            return _submit(state, case)
        case Approve():
            return _approve(state, command, case)
        case Reject():
            step = state.steps[len(state.approvers)]
            return StatementRejected(step=step, reason=Typed(text=command.reason), by=by)
        case Publish():
            return _publish(state, case, ctx.seen.get("title"), ctx.seen.get("text"))
        case Correct():
            _check_wording(ctx, title=command.title, text=command.text, reason=command.reason)
            return StatementCorrected(title=command.title, text=command.text, reason=command.reason, by=by)
        case Withdraw():
            _check_wording(ctx, reason=command.reason)
            return StatementWithdrawn(reason=command.reason, by=by)
        case _:
            raise TypeError(f"{type(command).__name__} is no command of a statement")


def _check_wording(ctx: Ctx, **texts: str | None) -> None:
    for field, text in texts.items():
        if text is not None:
            wording.check(field, text, ctx.offices.lists.telephones)


def _draft(command: Draft, case: Case) -> Fact:
    """Fixes the unit that speaks: the accountable one, unless the drafter names another."""
    incident = case.incident
    unit = command.unit or incident.unit
    if unit not in incident.units:
        raise Rejected(
            f"{unit} does not work on {incident.id}; a statement on it speaks for {' or '.join(incident.units)}",
            code="not-its-incident",
            field="unit",
            unit=unit,
            incident=incident.id,
            known=list(incident.units),
        )
    return StatementDrafted(
        incident=incident.id,
        unit=unit,
        kind=command.kind,
        title=Typed(text=command.title),
        draft=Typed(text=command.text),
        facts=_established(command.kind, command.facts, case),
        by=case.by,
    )


def _submit(state: State, case: Case) -> Fact:
    """Fixes the chain of approvals. If the level rises or the pack changes later, another submission is needed.

    A statement of facts waits for the grading. A statement of status does not: it is often due within hours, and a late
    grading must not hold it up. It takes the chain of the lowest level. If the matter is then graded higher, the
    statement needs the higher level's chain before it is published.
    """
    _established(state.kind, state.facts, case)
    if case.incident.level is None and state.kind == "facts":
        raise Rejected(
            "the matter is not graded yet, so nobody knows who must approve; grade it first", code="not-graded"
        )
    level = case.incident.level or case.pack.model.lowest
    chain = chain_of(case.pack, level)
    if not chain or level not in {of.code for of in case.pack.model.levels}:
        raise Rejected(
            f"the pack in force has no level {level}; grade the matter by it first",
            code="level-not-in-pack",
            level=level,
        )
    return StatementSubmitted(level=level, steps=tuple(step.code for step in chain), by=case.by)


def _approve(state: State, command: Approve, case: Case) -> Fact:
    assert case.due is not None, "the table of rights allows an approval only when a step is due"
    last = len(state.approvers) + 1 == len(state.steps)
    reason = None if command.reason is None else Typed(text=command.reason)
    return StatementApproved(step=case.due.code, last=last, reason=reason, by=case.by)


def _publish(state: State, case: Case, title: str | None, text: str | None) -> Fact:
    """Publishes exactly the approved words. A merge in the meantime does not stop an answer."""
    if title is None or text is None:
        raise Rejected("the words of the draft were erased; revise it and submit it again", code="words-erased")
    return StatementPublished(
        incident=state.incident,
        unit=state.unit,
        kind=state.kind,
        title=title,
        text=text,
        facts=state.facts,
        by=case.by,
    )


def _established(kind: StatementKind, facts: Iterable[str], case: Case) -> tuple[str, ...]:
    """The facts, each once. Raises `Rejected` with the facts that are not established."""
    named = tuple(dict.fromkeys(facts))
    if missing := [key for key in named if key not in case.incident.facts]:
        raise Rejected(
            f"not established yet: {', '.join(missing)}; a verifier must establish facts first",
            code="facts-not-established",
            missing=missing,
        )
    said = case.pack.model.publication
    rule = said and (said.facts if kind == "facts" else said.status)
    if rule and rule.needs_established_facts and not named:
        raise Rejected(
            "a statement of facts must name at least one established fact; without any, publish a statement of status",
            code="facts-needed",
        )
    return named


DECIDER = Decider("statement", initial_state, evolve, decide, authorize)
