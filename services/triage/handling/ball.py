"""Whom a matter waits for: one answer, derived from its record and the offices of now. Pure."""

from datetime import datetime
from typing import Literal, NamedTuple

from schemas.fields import parse_instant
from services.kernel.access.approving import nearest
from services.kernel.core.units import Offices
from services.triage.handling.assigning import instruction_of
from services.triage.incident import Incident

Awaited = Literal[
    "instruction",
    "assignment",
    "designation",
    "acceptance",
    "verification",
    "approval",
    "review",
    "handling",
    "round",
    "closing",
    "follow_up",
]
"""What a matter waits for."""


class Ball(NamedTuple):
    """The unit or post that has to act next, since when, and what is waited for."""

    unit: str
    post: str | None
    since: datetime | None
    awaited: Awaited


def ball(incident: Incident, offices: Offices) -> Ball | None:
    """Whom the matter waits for; None if it waits for nobody, or goes on in another incident.

    A proposal that waits for approval holds the handling up, so the ball is then with who must agree next. Before that,
    it is with the unit that was asked to verify, since answers wait for the outcome.
    """
    dispatch = incident.dispatch
    after = incident.aftercare
    if incident.phase in ("resolved", "closed", "dismissed") and after.unhelpful:
        since = max(after.unhelpful[0].at, after.ended_at or after.unhelpful[0].at)
        return Ball(incident.unit, None, since, "round")
    if incident.phase == "closed" and after.follows_up and after.ended is None:
        return Ball(after.follows_up.partition("@")[2], after.follows_up, dispatch.since, "follow_up")
    if incident.phase == "resolved" and incident.answering.plan_due and after.follows_up and after.ended is None:
        return Ball(after.follows_up.partition("@")[2], after.follows_up, dispatch.since, "follow_up")
    if incident.phase == "resolved":
        return Ball(incident.unit, None, dispatch.since, "closing")
    if incident.phase != "open":
        return None
    screening = incident.answering.screening
    if screening and screening.refuses and screening.waits:
        return Ball(incident.unit, None, screening.at, "review")
    if unit := dispatch.designates:
        return Ball(unit, _head(unit, offices), dispatch.since, "designation")
    if incident.assigned is None:
        if (rule := instruction_of(incident, offices)) and not dispatch.instructed:
            found = _post(nearest(rule.who, incident.unit, offices), incident.unit)
            return Ball(*found, dispatch.since, "instruction")
        return Ball(incident.unit, None, dispatch.since, "assignment")
    if not incident.accepted:
        return Ball(incident.assigned, None, dispatch.since, "acceptance")
    known = incident.verification
    if known.asked and known.since:
        return Ball(known.asked[0], None, parse_instant(known.since), "verification")
    verified = [known.concluded_at] if known.concluded_at else []
    for proposal in incident.proposals:
        if due := proposal.due():
            asked = [
                *verified,
                proposal.at,
                *(one.at for one in proposal.course.agreed),
                *(one.at for one in proposal.course.referred),
            ]
            found = _post(nearest(due.who, incident.unit, offices), incident.unit)
            return Ball(*found, parse_instant(max(asked)), "approval")
    times = [at for at in (dispatch.since, *map(parse_instant, verified)) if at]
    return Ball(incident.assigned, None, max(times, default=None), "handling")


def _post(posts: list[str], unit: str) -> tuple[str, str | None]:
    """The first of these posts with its unit, or the unit if the directory has none."""
    return (posts[0].partition("@")[2], posts[0]) if posts else (unit, None)


def _head(unit: str, offices: Offices) -> str | None:
    """At the top of the tree, where no unit is above, the post that decides; None anywhere else."""
    if offices.parent(unit) is not None:
        return None
    return next((f"{post.code}@{unit}" for post in offices.posts.get(unit, {}).values() if post.head), None)
