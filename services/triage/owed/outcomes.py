"""The outcome of a request, and what each asks for before the matter ends. Pure."""

from schemas.answering import IncidentLeftUnsolved
from schemas.fields import Typed
from services.kernel.core.acts import must_be_ahead
from services.kernel.core.decider import Ctx, Decided
from services.kernel.core.problems import Malformed, Rejected
from services.triage.incident import TRACKS, Incident
from services.triage.owed.answering_commands import LeaveUnsolved

INVESTIGATED = ("planned", "not_ours")
"""Outcomes that nobody gives before the matter was investigated."""


def why_solved(incident: Incident) -> Rejected | None:
    """Why the problem has no other outcome: it is solved. None if it may have another one."""
    if "problem" not in incident.handled or incident.answering.is_unsolved:
        return None
    return Rejected(
        f"the real problem of {incident.id} is solved already; resolve the matter, then reopen it if it came back",
        code="already-solved",
        incident=incident.id,
    )


def left_unsolved(state: Incident, command: LeaveUnsolved, ctx: Ctx) -> Decided:
    """The problem stays unsolved. A plan has a date that is still to come; nothing else has one."""
    if (command.outcome == "planned") != (command.due is not None):
        raise Malformed(
            "due: a plan has a date" if command.due is None else "due: only a plan has a date; leave it out",
            code="plan-date",
            field="due",
            outcome=command.outcome,
        )
    must_be_ahead(command.due, ctx.now)
    known = state.verification
    if command.outcome in INVESTIGATED and (known.asked or not (known.outcome or known.facts)):
        raise Rejected(
            f"{state.id} is investigated first, even if it is not ours or cannot be solved now: "
            "establish facts, or conclude the verification",
            code="not-investigated",
            incident=state.id,
            outcome=command.outcome,
        )
    before = state.answering
    if (before.outcome, before.plan_due) == (command.outcome, command.due):
        raise Rejected(
            f"{state.id} has this outcome already; decide otherwise, or explain it",
            code="already-unsolved",
            incident=state.id,
            outcome=command.outcome,
        )
    return [IncidentLeftUnsolved(outcome=command.outcome, text=Typed(text=command.text), due=command.due)]


def why_not_resolved(incident: Incident) -> Rejected | None:
    """Which track the matter still lacks, or the explanation of its outcome; None if it lacks nothing.

    Nobody asks where no report came, and a matter that needs no reply owes none. An unsolved problem is explained
    nevertheless.
    """
    known = incident.answering
    unasked = incident.report_count == 0 or (known.screening is not None and known.screening.ends_reply)
    needed = [track for track in TRACKS if track == "problem" or not unasked]
    if missing := [track for track in needed if track not in incident.handled]:
        return Rejected(
            f"{incident.id} cannot be resolved yet; first {', and '.join(TRACKS[track] for track in missing)}",
            code="not-handled",
            incident=incident.id,
            missing=missing,
        )
    if known.is_unsolved and not known.told and incident.report_count:
        return Rejected(
            f"{incident.id} stays unsolved ({known.outcome}); explain that first, in an answer that follows it",
            code="outcome-unexplained",
            incident=incident.id,
            outcome=known.outcome,
        )
    return None


def why_not_closed(incident: Incident) -> Rejected | None:
    """Why a planned matter stays open for the follow-up; None if it may be closed."""
    known = incident.answering
    if known.outcome != "planned" or incident.aftercare.ended:
        return None
    return Rejected(
        f"{incident.id} is planned for {known.plan_due.isoformat() if known.plan_due else 'later'}; "
        "follow it up to its end before you close it",
        code="plan-not-followed",
        incident=incident.id,
        due=known.plan_due,
    )
