"""The rules after the end of a matter: a further round, or why there is none. Pure."""

from datetime import datetime

from schemas import triage
from schemas.fields import Typed
from services.kernel.core.decider import Ctx, Decided
from services.kernel.core.problems import Malformed
from services.triage import commands as c
from services.triage.incident import Incident


def reopened(state: Incident, command: c.Reopen, ctx: Ctx) -> Decided:
    """A further round. It was known since the discovery, or since the asker said so, and never before the end.

    `ctx.seen["recurrence"]` is when the office learned of the named report; None if that report is of another matter.
    """
    known: datetime | None = None
    if command.report is not None:
        told = next((one.at for one in state.aftercare.unhelpful if one.report == command.report), None)
        known = told or ctx.seen.get("recurrence")
        if known is None:
            raise Malformed(
                f"report: {command.report} belongs neither to {state.id} nor to a matter that follows it",
                code="recurrence-unknown",
                field="report",
                report=command.report,
                incident=state.id,
            )
        known = max(known, state.aftercare.ended_at or known)
    fact = triage.IncidentReopened(
        reason=Typed(text=command.reason),
        report=command.report,
        discovered_at=known,
        round=state.aftercare.round + 1,
    )
    return [fact]


def declined(state: Incident, command: c.DeclineRound, ctx: Ctx) -> Decided:
    """The office says why an answer that did not help opens no round of its own."""
    known = [one.report for one in state.aftercare.unhelpful]
    if command.report not in known:
        raise Malformed(
            f"report: no judgement of {command.report} waits for a decision; {', '.join(known)} do",
            code="not-unhelpful",
            field="report",
            report=command.report,
            known=known,
        )
    return [triage.IncidentRoundDeclined(report=command.report, reason=Typed(text=command.reason))]
