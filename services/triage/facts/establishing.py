"""Verification before an answer: who is asked, how it ended, and which clarification it asks for. Pure."""

from dataclasses import replace

from schemas import triage
from schemas.fields import Fact, Typed, parse_instant
from services.kernel.core.acts import must_be_ahead
from services.kernel.core.decider import Ctx, Decided, Moved, Occurred
from services.kernel.core.problems import Rejected, Unavailable
from services.triage import commands as c
from services.triage.levels import moves
from services.triage.state import State


def requested(command: c.RequestVerification, ctx: Ctx) -> Decided:
    """The request. Its time limit lies ahead."""
    ctx.offices.unit(command.unit)
    must_be_ahead(command.due, ctx.now)
    text = None if command.text is None else Typed(text=command.text)
    asked = triage.IncidentVerificationRequested(unit=command.unit, text=text, due=command.due)
    return [Occurred(asked, basis=ctx.offices.basis)]


def concluded(state: State, command: c.ConcludeVerification, ctx: Ctx) -> Decided:
    """The outcome. What is not in line with the facts opens a clarification."""
    known, unit = state.verification, ctx.actor.unit or state.unit
    if (command.outcome, unit) == (known.outcome, known.by) and not known.asked:
        raise Rejected(
            f"the verification of {state.id} has this outcome already; ask for another one if it is open again",
            code="already-concluded",
            incident=state.id,
        )
    outcome = triage.IncidentVerificationConcluded(unit=unit, outcome=command.outcome, text=Typed(text=command.text))
    opened = _opened(state, "not_in_line") if command.outcome == "not_in_line" and not state.clarifying else []
    return [Occurred(fact, policy=state.policy, basis=ctx.offices.basis) for fact in (outcome, *opened)]


def assessed(command: c.Assess) -> Decided:
    """The assessment record."""
    fields = ("cause", "truth", "trend", "impact")
    return [triage.IncidentAssessed(**{name: Typed(text=getattr(command, name)) for name in fields})]


def prepared(state: State, command: c.PrepareClarification, ctx: Ctx) -> Decided:
    """The clarification beside a report upward, once, if the matter's pack asks for it."""
    if state.merged_into:
        raise Moved(state.merged_into)
    if state.phase != "open" or "dual_report" in state.clarified_for:
        return []
    try:
        pack = moves.of_matter(state, ctx)
    except Unavailable:
        return []
    rule = pack.model.verification.clarification if pack.model.verification else None
    if rule is None or command.addressee not in rule.beside:
        return []
    basis = (*ctx.offices.basis, command.basis)
    return [Occurred(fact, policy=pack.ref, basis=basis) for fact in _opened(state, "dual_report")]


def brought(state: State, leaving: State) -> list[Fact]:
    """What a merger brings: open requests, an outcome if there is none here, and a clarification that is owed."""
    ours, theirs = state.verification, leaving.verification
    asked = [unit for unit in theirs.asked if unit not in ours.asked]
    done = sorted(leaving.verifying - state.verifying - {*asked})
    facts: list[Fact] = []
    if theirs.outcome and theirs.by and not ours.outcome and not ours.asked:
        facts.append(
            triage.IncidentVerificationConcluded(unit=theirs.by, outcome=theirs.outcome, taken_from=leaving.id)
        )
    due = parse_instant(theirs.due) if theirs.due else None
    facts += [triage.IncidentVerificationRequested(unit=unit, due=due) for unit in asked]
    facts += [triage.IncidentVerificationRequested(unit=unit, taken_from=leaving.id) for unit in done]
    if leaving.clarifying and not state.clarifying:
        facts += _opened(state, "not_in_line")
    return facts


def taken_over(state: State, unit: str) -> list[Fact]:
    """A clarification that was opened and not given yet is begun anew by the unit that becomes accountable."""
    if state.clarifying:
        return _opened(replace(state, unit=unit), "not_in_line")
    if state.clarified_for and "answer" not in state.handled:
        return _opened(replace(state, unit=unit), min(state.clarified_for))
    return []


def _opened(state: State, cause: triage.ClarifiedFor) -> list[Fact]:
    return [triage.IncidentClarificationOpened(unit=state.unit, cause=cause)]
