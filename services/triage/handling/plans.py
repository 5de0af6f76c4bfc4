"""The team, the plan, the emergency plan and the meetings of a matter. Pure."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from schemas import triage
from schemas.envelope import Event
from schemas.fields import Fact, WordsRef


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Team(_Model):
    """The team that handles the matter, by posts."""

    head: str
    deputy: str | None = None
    members: tuple[str, ...] = ()
    named_at: datetime


class Plan(_Model):
    """How the matter is handled."""

    unit: str
    post: str
    due: datetime
    text: WordsRef
    made_at: datetime


class Meeting(_Model):
    """A meeting about the matter."""

    meeting: triage.Meeting
    units: tuple[str, ...]
    took_part: tuple[str, ...]
    minutes: WordsRef
    release_group: tuple[str, ...] = ()
    spokesperson: str | None = None
    held_at: datetime


class Plans(_Model):
    """The team, the plan, the emergency plan and the meetings of a matter, also of its earlier rounds."""

    team: Team | None = None
    plan: Plan | None = None
    emergency: str | None = None
    """The emergency plan that is in force."""
    emergency_at: datetime | None = None
    meetings: tuple[Meeting, ...] = ()


def after(plans: Plans, event: Event) -> Plans:
    """The plans after an event of the matter; the same object after most events."""
    match event.data:
        case triage.IncidentTeamNamed() as data:
            team = Team(head=data.head, deputy=data.deputy, members=data.members, named_at=event.time)
            return plans.model_copy(update={"team": team})
        case triage.IncidentPlanMade() as data:
            plan = Plan(unit=data.unit, post=data.post, due=data.due, text=data.text, made_at=event.time)
            return plans.model_copy(update={"plan": plan})
        case triage.IncidentPlanStarted() as data:
            return plans.model_copy(update={"emergency": data.plan, "emergency_at": event.time})
        case triage.IncidentMeetingHeld() as data:
            held = Meeting(
                meeting=data.meeting,
                units=data.units,
                took_part=data.took_part,
                minutes=data.minutes,
                release_group=data.release_group,
                spokesperson=data.spokesperson,
                held_at=event.time,
            )
            return plans.model_copy(update={"meetings": (*plans.meetings, held)})
    return plans


def brought(plans: Plans, leaving: Plans) -> list[Fact]:
    """What a merger brings: the other matter's team, plan and emergency plan, as far as there is none here.

    Meetings stay with the matter about which they were held; answers show them here as well.
    """
    team, plan, facts = leaving.team, leaving.plan, list[Fact]()
    if team and not plans.team:
        facts.append(triage.IncidentTeamNamed(head=team.head, deputy=team.deputy, members=team.members))
    if plan and not plans.plan:
        facts.append(triage.IncidentPlanMade(unit=plan.unit, post=plan.post, due=plan.due, text=plan.text))
    if leaving.emergency and not plans.emergency:
        facts.append(triage.IncidentPlanStarted(plan=leaving.emergency))
    return facts
