"""The rules of a statement: who may bring it forward, what it must rest on, who must agree, and what stays visible.

Rights are roles over the incident's accountable or assigned unit. `ctx.seen` holds `stream`, the statement's id;
`matter`, the `Matter` that it is on, or None where publish has not seen that incident; and `text`, the words of the
draft, or None where there are none or they were erased.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from schemas.envelope import Event
from schemas.fields import Fact, Typed, WordsRef
from schemas.pack import ApprovalStep
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
from services.kernel.core.decider import Ctx, Decided, Decider, Occurred
from services.kernel.core.problems import Malformed, Rejected
from services.kernel.core.units import LoadedPack
from services.publish.commands import Approve, Command, Correct, Draft, Publish, Reject, Revise, Submit, Withdraw


@dataclass(frozen=True, slots=True)
class Matter:
    """An incident as far as publish has seen it."""

    id: str
    version: int
    unit: str
    """The accountable unit."""
    assigned: str | None = None
    level: str | None = None
    rank: int | None = None
    merged_into: str | None = None
    drill: bool = False
    facts: frozenset[str] = frozenset()
    """Keys of the facts that are established."""

    @property
    def units(self) -> tuple[str | None, ...]:
        return self.unit, self.assigned


@dataclass(frozen=True, slots=True)
class State:
    """A statement. `phase`: new, drafted, submitted, approved, published, withdrawn."""

    phase: str = "new"
    incident: str = ""
    unit: str = ""
    """Who wrote it; from publication on, whose statement it is."""
    kind: StatementKind = "status"
    draft: WordsRef | None = None
    facts: tuple[str, ...] = ()
    writers: frozenset[str] = frozenset()
    """Digests of all persons who wrote on the text."""
    level: str | None = None
    steps: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()
    """Digests of the persons who agreed to the text as submitted, one for each step done."""


def initial_state() -> State:
    """Nothing is written yet."""
    return State()


def evolve(state: State, event: Event) -> State:
    """The statement after the event; delivery to further channels changes nothing here."""
    match event.data:
        case StatementDrafted() as data:
            return State("drafted", data.incident, data.unit, data.kind, data.draft, data.facts, frozenset({data.by}))
        case StatementRevised() as data:
            facts = state.facts if data.facts is None else data.facts
            back = replace(state, phase="drafted", level=None, steps=(), approvers=())
            return replace(back, draft=data.draft, facts=facts, writers=state.writers | {data.by})
        case StatementSubmitted() as data:
            return replace(state, phase="submitted", level=data.level, steps=data.steps, approvers=())
        case StatementApproved() as data:
            phase = "approved" if data.last else state.phase
            return replace(state, phase=phase, approvers=(*state.approvers, data.by))
        case StatementRejected():
            return replace(state, phase="drafted", level=None, steps=(), approvers=())
        case StatementPublished() as data:
            return replace(state, phase="published", unit=data.unit)
        case StatementWithdrawn():
            return replace(state, phase="withdrawn")
        case _:
            return state


def decide(state: State, command: Command, ctx: Ctx) -> Decided:
    """One event, or `Rejected` (409), `Forbidden` (403), `Malformed` (422) for an incident that publish does not know.

    Each event names the version of the incident and of the unit tree that it rests on, and the pack in force for the
    accountable unit.
    """
    matter: Matter | None = ctx.seen.get("matter")
    if matter is None:
        raise Malformed(
            "publish has not seen this incident; if it is new, send Huiying-After with its version",
            code="incident-not-seen",
            field="incident_id",
        )
    pack = ctx.offices.pack(matter.unit)
    fact = _decide(state, command, ctx, matter, pack)
    return [Occurred(fact, policy=pack.ref, basis=(f"{matter.id}@{matter.version}", *ctx.offices.basis))]


def _decide(state: State, command: Command, ctx: Ctx, matter: Matter, pack: LoadedPack) -> Fact:
    match command:
        case Draft():
            return _draft(state, command, ctx, matter, pack)
        case Revise():
            return _revise(state, command, ctx, matter, pack)
        case Submit():
            return _submit(state, ctx, matter, pack)
        case Approve():
            return _approve(state, command, ctx, matter, pack)
        case Reject():
            return _reject(state, command, ctx, matter)
        case Publish():
            return _publish(state, ctx, matter, pack)
        case Correct():
            by = _amend(state, ctx, pack, "correct", state.writers.union(state.approvers))
            return StatementCorrected(text=command.text, reason=command.reason, by=by)
        case Withdraw():
            by = _amend(state, ctx, pack, "withdraw", state.writers)
            return StatementWithdrawn(reason=command.reason, by=by)
        case _:
            raise TypeError(f"{type(command).__name__} is no command of a statement")


def _draft(state: State, command: Draft, ctx: Ctx, matter: Matter, pack: LoadedPack) -> Fact:
    ctx.require("handler", units=matter.units, act="draft a statement")
    if state.phase != "new":
        raise Rejected("this statement is drafted already; revise it", code="already-drafted")
    if matter.merged_into:
        raise Rejected(
            f"{matter.id} goes on as {matter.merged_into}; draft the statement there",
            code="merged",
            incident=matter.id,
            into=matter.merged_into,
            act="draft",
        )
    facts = _established(command.kind, command.facts, matter, pack)
    return StatementDrafted(
        incident=matter.id,
        unit=_speaks_for(ctx, matter, "handler"),
        kind=command.kind,
        draft=Typed(text=command.text),
        facts=facts,
        by=_by(ctx),
    )


def _revise(state: State, command: Revise, ctx: Ctx, matter: Matter, pack: LoadedPack) -> Fact:
    ctx.require("handler", units=matter.units, act="revise a statement")
    if state.phase not in ("drafted", "submitted", "approved"):
        raise Rejected(
            "the statement is published; correct it, so that the earlier text stays visible", code="published-already"
        )
    facts = None if command.facts is None else _established(state.kind, command.facts, matter, pack)
    return StatementRevised(draft=Typed(text=command.text), facts=facts, by=_by(ctx))


def _submit(state: State, ctx: Ctx, matter: Matter, pack: LoadedPack) -> Fact:
    """Fixes the chain. A matter that was raised, or a pack that was changed, since then asks for another submission.

    A statement of facts waits for the grading. One of status does not, since it is often owed within hours and a late
    grading must not hold it up: it takes the chain of the lowest level, and once the matter is graded higher it needs
    the chain of that level before it can be published.
    """
    ctx.require("handler", units=matter.units, act="submit a statement")
    if state.phase != "drafted" and not (state.phase in ("submitted", "approved") and _outgrown(state, matter, pack)):
        raise Rejected(
            f"the statement is {state.phase}; only a draft is submitted", code="only-drafts", phase=state.phase
        )
    _established(state.kind, state.facts, matter, pack)
    if matter.level is None and state.kind == "facts":
        raise Rejected(
            "the matter is not graded yet, so nobody knows who must approve; grade it first", code="not-graded"
        )
    level = matter.level or pack.model.levels[0].code
    chain = pack.model.approval.chains.get(level)
    if chain is None:
        raise Rejected(
            f"the pack in force has no level {level}; grade the matter by it first",
            code="level-not-in-pack",
            level=level,
        )
    return StatementSubmitted(level=level, steps=tuple(step.code for step in chain), by=_by(ctx))


def _approve(state: State, command: Approve, ctx: Ctx, matter: Matter, pack: LoadedPack) -> Fact:
    ctx.require("approver", "chief", units=matter.units, act="approve a statement")
    _must_be_submitted(state, "approve")
    _refuse_outgrown(state, matter, pack)
    step = _due(state, pack)
    ctx.require(*step.roles, units=matter.units, act=f"approve the step {step.code}")
    by = _by(ctx)
    if _separates(pack):
        if by in state.writers:
            raise Rejected("you wrote on this text; somebody else approves it", code="drafted-by-you")
        if by in state.approvers:
            raise Rejected(
                "you approved this text at an earlier step; the next step is somebody else's", code="already-approved"
            )
    last = len(state.approvers) + 1 == len(state.steps)
    reason = None if command.reason is None else Typed(text=command.reason)
    return StatementApproved(step=step.code, last=last, reason=reason, by=by)


def _reject(state: State, command: Reject, ctx: Ctx, matter: Matter) -> Fact:
    """Anyone who approves may send a text back at any step, also an own one: a no needs no second person."""
    ctx.require("approver", "chief", units=matter.units, act="reject a statement")
    _must_be_submitted(state, "reject")
    step = state.steps[len(state.approvers)]
    return StatementRejected(step=step, reason=Typed(text=command.reason), by=_by(ctx))


def _publish(state: State, ctx: Ctx, matter: Matter, pack: LoadedPack) -> Fact:
    """Carries exactly the approved words. A matter that was merged meanwhile keeps nobody from answering."""
    ctx.require("spokesperson", units=matter.units, act="publish a statement")
    if state.phase != "approved":
        raise Rejected(
            f"the statement is {state.phase}; only what was approved at every step is published",
            code="not-approved",
            phase=state.phase,
        )
    _refuse_outgrown(state, matter, pack)
    text = ctx.seen.get("text")
    if text is None:
        raise Rejected("the words of the draft were erased; revise it and submit it again", code="words-erased")
    return StatementPublished(
        incident=state.incident,
        unit=_speaks_for(ctx, matter, "spokesperson"),
        kind=state.kind,
        text=text,
        facts=state.facts,
        by=_by(ctx),
    )


def _amend(state: State, ctx: Ctx, pack: LoadedPack, act: str, concerned: frozenset[str]) -> str:
    """Who corrects or withdraws: a spokesperson over the unit whose statement it is.

    An office that was wrong in public must be able to say so at once, so no chain stands before it. Where the pack
    separates persons, it takes one who is not `concerned`: who wrote on the statement does neither, and who agreed to
    it does not correct it, so that two persons at least have read whatever comes to stand in public. A text that is to
    say more than what was wrong is a new statement on the same incident and passes the whole chain.
    """
    ctx.require("spokesperson", units=(state.unit,), act=f"{act} a statement")
    if state.phase == "withdrawn":
        raise Rejected("the statement was withdrawn; say more in a new one", code="withdrawn")
    if state.phase != "published":
        raise Rejected(
            f"the statement is {state.phase}; there is nothing in public to {act}",
            code="not-published",
            phase=state.phase,
            act=act,
        )
    by = _by(ctx)
    if _separates(pack) and by in concerned:
        raise Rejected(
            f"you wrote on this statement or approved it; somebody else must {act} it",
            code="take-another-person",
            act=act,
        )
    return by


def _established(kind: StatementKind, facts: Iterable[str], matter: Matter, pack: LoadedPack) -> tuple[str, ...]:
    """The facts, each once, or `Rejected` with those that are not established."""
    named = tuple(dict.fromkeys(facts))
    if missing := [key for key in named if key not in matter.facts]:
        raise Rejected(
            f"not established yet: {', '.join(missing)}; a verifier establishes facts first",
            code="facts-not-established",
            missing=missing,
        )
    rule = pack.model.publication.facts if kind == "facts" else pack.model.publication.status
    if rule.needs_established_facts and not named:
        raise Rejected(
            "a statement of facts names at least one established fact; without any, say the status", code="facts-needed"
        )
    return named


def _outgrown(state: State, matter: Matter, pack: LoadedPack) -> bool:
    """Whether the chain that was fixed at submission is no longer the one that the matter needs."""
    chain = pack.model.approval.chains.get(state.level or "", ())
    if state.level is None or state.steps != tuple(step.code for step in chain):
        return True
    return matter.rank is not None and matter.rank > pack.model.level(state.level).rank


def _refuse_outgrown(state: State, matter: Matter, pack: LoadedPack) -> None:
    if _outgrown(state, matter, pack):
        raise Rejected(
            f"this was submitted for the level {state.level}; the matter is {matter.level or 'not graded'} now or the "
            "pack has changed. Submit it again for the approvals that count now",
            code="chain-outdated",
            submitted=state.level,
            level=matter.level or "not graded",
        )


def _due(state: State, pack: LoadedPack) -> ApprovalStep:
    chain = pack.model.approval.chains[state.level or ""]
    return chain[len(state.approvers)]


def _separates(pack: LoadedPack) -> bool:
    return pack.model.approval.separation.value == "by_person"


def _speaks_for(ctx: Ctx, matter: Matter, role: str) -> str:
    """The accountable unit, or the assigned one where the actor's right covers that alone.

    So nobody ever speaks for a unit over which they hold no right.
    """
    if ctx.may(role, units=(matter.unit,)) or matter.assigned is None:
        return matter.unit
    return matter.assigned


def _by(ctx: Ctx) -> str:
    return ctx.by(ctx.seen["stream"])


def _must_be_submitted(state: State, act: str) -> None:
    if state.phase != "submitted":
        raise Rejected(
            f"the statement is {state.phase}; {act} it after it was submitted",
            code="not-submitted",
            phase=state.phase,
            act=act,
        )


DECIDER = Decider("statement", initial_state, evolve, decide)
