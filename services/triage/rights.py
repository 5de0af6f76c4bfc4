"""The rights over an incident in each of its states.

Decisions need a role over the accountable unit. Work on the matter needs a role over the accountable or the assigned
unit. A helping unit records its work and decides nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from schemas.titles import titled
from schemas.triage import Track
from services.kernel.access.rights import Right
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Rejected
from services.triage import commands as c

Phase = Literal["new", "open", "resolved", "closed", "dismissed", "merged"]
TRACKS: Mapping[Track, str] = {"problem": "solve the real problem", "answer": "explain, reply or publish the facts"}


@dataclass(frozen=True, slots=True)
class Incident:
    """The facts on which the rights over an incident depend."""

    id: str = ""
    phase: Phase = "new"
    unit: str = ""
    """The accountable unit."""
    assigned: str | None = None
    accepted: bool = False
    verifying: frozenset[str] = frozenset()
    """Units that were asked to establish facts."""
    helping: frozenset[str] = frozenset()
    """Units that were asked to help in the present handling."""
    handled: frozenset[Track] = frozenset()
    """Tracks that are completed since the matter was opened, or opened again: it was solved, it was answered."""
    merged_into: str | None = None
    policy: str | None = None
    """The matter's pack; None if none was in force when it was opened."""
    report_count: int = 0
    """The number of its reports. The views hold their ids, which only splits and mergers need."""


Refusal = Rejected | None


def _accountable(incident: Incident, ctx: Ctx) -> Sequence[str | None]:
    return (incident.unit,)


def _above(incident: Incident, ctx: Ctx) -> Sequence[str | None]:
    return (ctx.offices.parent(incident.unit) or incident.unit,)


def _working(incident: Incident, ctx: Ctx) -> Sequence[str | None]:
    return (incident.assigned, incident.unit)


def _handling(incident: Incident, ctx: Ctx) -> Sequence[str | None]:
    return (incident.assigned, incident.unit, *sorted(incident.helping))


def _assigned(incident: Incident, ctx: Ctx) -> Sequence[str | None]:
    return (incident.assigned or incident.unit,)


def _verifying(incident: Incident, ctx: Ctx) -> Sequence[str | None]:
    return (incident.assigned, incident.unit, *sorted(incident.verifying))


def _unless_merged(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    if incident.phase == "merged":
        return Rejected(
            f"{incident.id} was merged into {incident.merged_into}; {titled(verb, 'en')} there",
            code="merged",
            incident=incident.id,
            into=incident.merged_into,
            act=verb,
        )
    return None


def _unless_closed(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    if incident.phase in ("closed", "dismissed"):
        return _ended(incident, verb)
    return _unless_merged(incident, ctx, verb)


def _can_be_split(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    return _unless_closed(incident, ctx, verb) or (last_report(incident) if incident.report_count < 2 else None)


def last_report(incident: Incident) -> Rejected:
    """Something stays when reports leave."""
    return Rejected(
        f"every report would leave {incident.id}; keep at least one, or merge it into another incident",
        code="last-report",
        incident=incident.id,
    )


def _ended(incident: Incident, verb: str) -> Rejected:
    return Rejected(
        f"{incident.id} is {incident.phase}; reopen it first, then {titled(verb, 'en')}",
        code="ended",
        incident=incident.id,
        phase=incident.phase,
        act=verb,
    )


def _open(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    if incident.phase == "resolved":
        return _ended(incident, verb)
    return _unless_closed(incident, ctx, verb)


def _once_assigned(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    if refusal := _open(incident, ctx, verb):
        return refusal
    if incident.assigned is None:
        return Rejected(
            f"{incident.id} is assigned to no unit; a duty officer must assign it before anyone can {verb} it",
            code="not-assigned",
            incident=incident.id,
            act=verb,
        )
    return None


def _not_accepted(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    if refusal := _once_assigned(incident, ctx, verb):
        return refusal
    if incident.accepted:
        return Rejected(
            f"{incident.assigned} has accepted {incident.id} already; record the handling, or return it",
            code="already-accepted",
            incident=incident.id,
            unit=incident.assigned,
        )
    return None


def _unsolved(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    if refusal := _open(incident, ctx, verb):
        return refusal
    if "problem" in incident.handled:
        return Rejected(
            f"the real problem of {incident.id} is solved already; resolve the matter, then reopen it if it came back",
            code="already-solved",
            incident=incident.id,
        )
    return None


def _handled(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    if refusal := _open(incident, ctx, verb):
        return refusal
    if missing := [track for track in TRACKS if track not in incident.handled]:
        return Rejected(
            f"{incident.id} cannot be resolved yet; first {', and '.join(TRACKS[track] for track in missing)}",
            code="not-handled",
            incident=incident.id,
            missing=missing,
        )
    return None


def _no_longer_open(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    if incident.phase == "open":
        said = {
            "follow-up": f"{incident.id} is still being handled; follow up after it is resolved",
            "reopen": f"{incident.id} is open; only an ended incident can be reopened",
        }
        return Rejected(said[verb], code="still-open", incident=incident.id, act=verb)
    return _unless_merged(incident, ctx, verb)


def _resolved(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    if incident.phase == "open":
        return Rejected(
            f"{incident.id} is not resolved; resolve it first, then close it", code="not-resolved", incident=incident.id
        )
    return _unless_closed(incident, ctx, verb)


RIGHTS: Mapping[type[Command], Right[Incident]] = {
    c.Instruct: Right("instruct", ("chief",), _accountable, _unless_closed),
    c.RequestVerification: Right("request-verification", ("duty_officer", "chief"), _accountable, _unless_closed),
    c.RequestHelp: Right("request-help", ("duty_officer", "chief"), _accountable, _open),
    c.EstablishFact: Right("establish-fact", ("verifier",), _verifying, _unless_closed),
    c.Classify: Right("classify", ("duty_officer",), _accountable, _unless_closed),
    c.Grade: Right("grade", ("duty_officer",), _accountable, _unless_closed),
    c.SetFlag: Right("set-flag", ("duty_officer",), _accountable, _unless_closed),
    c.ClearFlag: Right("clear-flag", ("duty_officer",), _accountable, _unless_closed),
    c.JudgeHarm: Right("judge-harm", ("duty_officer",), _accountable, _unless_closed),
    c.JudgeDoubt: Right("judge-doubt", ("duty_officer",), _accountable, _unless_closed),
    c.Assign: Right("assign", ("duty_officer",), _accountable, _open),
    c.Accept: Right("accept", ("handler",), _assigned, _not_accepted),
    c.Return: Right("return", ("handler",), _assigned, _once_assigned),
    c.Transfer: Right("transfer", ("chief",), _accountable, _open),
    c.MovePolicy: Right("move-policy", ("chief",), _above, _unless_closed),
    c.RecordHandling: Right("record-handling", ("handler",), _handling, _unless_closed),
    c.Explain: Right("explain", ("handler", "approver", "chief"), _working, _unless_closed),
    c.Reply: Right("reply", ("handler", "approver", "chief"), _working, _unless_closed),
    c.Solve: Right("solve", ("handler",), _working, _unsolved),
    c.ExplainDelay: Right("explain-delay", ("handler", "chief"), _working, _unless_merged),
    c.ReceiveMaterial: Right("receive-material", ("handler", "duty_officer"), _working, _unless_closed),
    c.Resolve: Right("resolve", ("handler",), _working, _handled),
    c.FollowUp: Right("follow-up", ("handler", "chief"), _working, _no_longer_open),
    c.Reopen: Right("reopen", ("chief",), _accountable, _no_longer_open),
    c.Close: Right("close", ("chief",), _accountable, _resolved),
    c.Merge: Right("merge", ("chief",), _accountable, _unless_closed),
    c.Split: Right("split", ("chief",), _accountable, _can_be_split),
}
"""The commands of staff on an incident. Merging needs the right over both incidents."""

VERBS: Mapping[str, type[Command]] = {right.verb: command for command, right in RIGHTS.items()}
"""The commands by the last part of their path."""
