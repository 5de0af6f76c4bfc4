"""What follows the end of a matter: rounds, askers whom an answer did not help, the follow-up. Pure."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from schemas import triage
from schemas.envelope import Event
from schemas.fields import Fact


class Unhelpful(BaseModel):
    """The asker of a report whom the answer did not help, since when. The office has not decided on it yet."""

    model_config = ConfigDict(frozen=True)

    report: str
    answer: str
    """The event of the answer."""
    at: datetime


class Aftercare(BaseModel):
    """What follows the end of a matter. Times are those of recording."""

    model_config = ConfigDict(frozen=True)

    round: int = 1
    unhelpful: tuple[Unhelpful, ...] = ()
    follows_up: str | None = None
    """The post that follows the matter until it is over or the risk is gone."""
    ended: triage.FollowUpEnd | None = None
    ended_at: datetime | None = None
    """When the handling last ended."""

    def without(self, *reports: str) -> tuple[Unhelpful, ...]:
        """The askers on whom the office has not decided yet, without the askers of these reports."""
        return tuple(one for one in self.unhelpful if one.report not in reports)


def after(aftercare: Aftercare, event: Event) -> Aftercare:
    """What follows the end of the matter after an event of it; the same object after most events."""
    match event.data:
        case triage.IncidentResolved() as data:
            told = {"follows_up": data.follows_up, "ended": None, "ended_at": event.recorded}
            return aftercare.model_copy(update=told)
        case triage.IncidentDismissed():
            return aftercare.model_copy(update={"ended_at": event.recorded})
        case triage.IncidentFollowedUp(ends=str()) as data:
            return aftercare.model_copy(update={"ended": data.ends})
        case triage.IncidentAnswerJudged() as data:
            others = aftercare.without(data.report)
            unhelpful = (
                others
                if data.helps
                else (*others, Unhelpful(report=data.report, answer=data.answer, at=event.recorded))
            )
            return aftercare.model_copy(update={"unhelpful": unhelpful})
        case triage.IncidentRoundDeclined() as data:
            return aftercare.model_copy(update={"unhelpful": aftercare.without(data.report)})
        case triage.IncidentSplit() as data if aftercare.unhelpful:
            # The matter to which these reports go is open, and will be answered anew.
            return aftercare.model_copy(update={"unhelpful": aftercare.without(*data.reports)})
        case triage.IncidentAbsorbed() as data if data.round > aftercare.round:
            return aftercare.model_copy(update={"round": data.round})
        case triage.IncidentReopened() as data:
            return Aftercare(round=data.round)
    return aftercare


def brought(leaving: Aftercare) -> list[Fact]:
    """What a merger brings: each asker whom an answer did not help, since a merger is no decision on it."""
    return [triage.IncidentAnswerJudged(report=one.report, answer=one.answer, helps=False) for one in leaving.unhelpful]
