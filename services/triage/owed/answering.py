"""What is owed to those who ask, folded from a matter's events: screening, explanations, the outcome. Pure."""

from datetime import datetime
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict

from schemas import answering as a
from schemas import triage
from schemas.envelope import Event
from schemas.fields import instant

UNSOLVED: tuple[str, ...] = get_args(a.Unsolved)


class Screening(BaseModel):
    """The last decision whether the matter needs a reply."""

    model_config = ConfigDict(frozen=True)

    needs_reply: bool
    ground: str | None
    post: str
    by: str | None
    at: datetime
    report: str | None = None
    """The report that was refused last, if all were; `by` counts within its stream."""
    report_count: int | None
    """How many reports the matter had by then; None once reports left or joined it with others."""
    upheld: bool | None = None
    """What the last review said; None before it."""
    reviewed_by: str | None = None
    """The post that reviewed it last."""
    reviewer: str | None = None
    """The digest of that person."""

    @property
    def waits(self) -> bool:
        """Whether another post must review it."""
        return not self.needs_reply and self.upheld is None

    @property
    def refuses(self) -> bool:
        """Whether all reports of the matter were refused an answer, so that a review ends it."""
        return not self.needs_reply and self.ground is None

    @property
    def ends_reply(self) -> bool:
        """Whether no reply is owed."""
        return not self.needs_reply and self.upheld is True


class Ordered(BaseModel):
    """An order to explain the matter to the office."""

    model_config = ConfigDict(frozen=True)

    unit: str
    post: str | None
    proposed_reply: bool
    at: datetime
    due: datetime | None


class Answering(BaseModel):
    """What is owed to those who ask. Times are those of the act, except where a review counts from its recording."""

    model_config = ConfigDict(frozen=True)

    screening: Screening | None = None
    ordered: Ordered | None = None
    explained_at: datetime | None = None
    """When the unit concerned first explained the matter to the office."""
    proposed_at: datetime | None = None
    """When it first proposed a reply."""
    proposed_reply: str | None = None
    """The reference of the words that it proposed last."""
    outcome: a.RequestOutcome | None = None
    outcome_at: datetime | None = None
    plan_due: datetime | None = None
    """The date of the plan, if the outcome is planned."""
    told: bool = False
    """Whether an answer followed the outcome."""
    accounted: bool = False
    """Whether a closing account was published."""

    @property
    def is_unsolved(self) -> bool:
        """Whether the outcome leaves the problem unsolved."""
        return self.outcome in UNSOLVED


def after(known: Answering, event: Event) -> Answering:
    """What is owed after an event of the matter; the same object after most events. A reopening begins anew."""
    told: dict[str, Any]
    match event.data:
        case a.IncidentScreened() as data:
            told = data.model_dump(include={"needs_reply", "ground", "report_count", "report", "by"})
            screening = Screening(post=data.post or event.actor, at=event.recorded, **told)
            return known.model_copy(update={"screening": screening})
        case triage.IncidentSplit() | triage.IncidentAbsorbed() if known.screening and known.screening.report_count:
            return known.model_copy(update={"screening": known.screening.model_copy(update={"report_count": None})})
        case a.IncidentScreeningReviewed() as data if known.screening:
            told = {"upheld": data.upheld, "reviewed_by": event.actor, "reviewer": data.by}
            return known.model_copy(update={"screening": known.screening.model_copy(update=told)})
        case a.IncidentExplanationOrdered() as data:
            told = data.model_dump(include={"unit", "post", "proposed_reply", "due"})
            return known.model_copy(update={"ordered": Ordered(at=event.time, **told)})
        case a.IncidentUnitExplained() as data:
            told = {"explained_at": known.explained_at or event.time}
            if data.proposed_reply:
                told |= {"proposed_at": known.proposed_at or event.time, "proposed_reply": data.proposed_reply.ref}
            return known.model_copy(update=told)
        case triage.IncidentSolved() | a.IncidentLeftUnsolved() as data:
            due = getattr(data, "due", None)
            told = {"outcome": data.outcome, "outcome_at": event.time, "plan_due": due, "told": False}
            return known.model_copy(update=told)
        case triage.IncidentExplained() | triage.IncidentReplied() | triage.IncidentHandlingRecorded(statement=str()):
            # What was said before explains nothing of it, also if it is entered afterwards.
            follows = known.outcome_at is not None and event.time >= known.outcome_at
            told = {"told": True} if follows and not known.told else {}
            told |= {"accounted": True} if getattr(event.data, "closing", False) else {}
            return known.model_copy(update=told) if told else known
        case triage.IncidentReopened():
            return Answering()
    return known


def shown(known: Answering) -> dict[str, Any]:
    """The fields of the answer."""
    screening, ordered = known.screening, known.ordered
    return {
        "outcome": known.outcome,
        "outcome_at": _text(known.outcome_at),
        "plan_due": _text(known.plan_due),
        "screening": screening
        and {
            **screening.model_dump(include={"needs_reply", "ground", "upheld", "reviewed_by"}),
            "by": screening.post if "@" in screening.post else None,
            "at": instant(screening.at),
        },
        "explanation_ordered": ordered
        and {
            **ordered.model_dump(include={"unit", "proposed_reply"}),
            "by": ordered.post,
            "at": instant(ordered.at),
            "due": _text(ordered.due),
        },
        "unit_explained_at": _text(known.explained_at),
        "reply_proposed_at": _text(known.proposed_at),
    }


def _text(at: datetime | None) -> str | None:
    return instant(at) if at else None
