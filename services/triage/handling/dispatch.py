"""How far a matter is given to units: its lead and helpers, dispatches, returns, and the designation. Pure."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from schemas import triage
from schemas.envelope import Event
from schemas.fields import WordsRef


class Share(BaseModel):
    """The part of a unit in the handling."""

    model_config = ConfigDict(frozen=True)

    unit: str
    text: WordsRef | None = None
    due: datetime | None = None
    asked_at: datetime
    accepted_at: datetime | None = None
    completed_at: datetime | None = None
    material_at: datetime | None = None
    """When its material came. Material that the pack does not accept never comes."""


class Dispatch(BaseModel):
    """How far a matter is given to units. Times are those of recording."""

    model_config = ConfigDict(frozen=True)

    first: str = ""
    """The unit that received the first report."""
    number: int = 0
    """How often the matter was given to a unit since it was opened, or opened again."""
    returns: int = 0
    """How often it was given back in all."""
    lead: Share | None = None
    helpers: tuple[Share, ...] = ()
    instructed: bool = False
    """Whether the leader has given the instruction that the pack asks for before an assignment."""
    designates: str | None = None
    """The unit that must say who handles the matter."""
    designated_by: str | None = None
    """The unit that designated the lead, which cannot give the matter back."""
    since: datetime | None = None
    """When the matter last passed on: since then it waits for whoever has it now."""

    @property
    def is_handled(self) -> bool:
        """Whether the lead has accepted. Before, the matter waits for that, and not for any approval."""
        return self.lead is not None and self.lead.accepted_at is not None

    def helper(self, unit: str) -> Share | None:
        """The share of a unit that helps; None if it does not."""
        return next((share for share in self.helpers if share.unit == unit), None)

    def with_helper(self, unit: str, **changes: datetime) -> "Dispatch":
        """The same with another state of a helper's share."""
        helpers = (one.model_copy(update=changes) if one.unit == unit else one for one in self.helpers)
        return self.model_copy(update={"helpers": tuple(helpers)})


def after(dispatch: Dispatch, event: Event) -> Dispatch:
    """How far the matter is given to units after an event of it; the same object after most events."""
    at = event.recorded
    # While a unit above must say who handles the matter, it waits for that, whatever else happens.
    here = dispatch.since if dispatch.designates else at
    match event.data:
        case triage.IncidentOpened() as data:
            return Dispatch(first=data.unit, since=at)
        case triage.IncidentInstructionGiven(post=str()):
            return _passed(dispatch, here if dispatch.lead is None else dispatch.since, instructed=True)
        case triage.IncidentAssigned() as data:
            lead = Share(unit=data.unit, text=data.share, due=data.due, asked_at=at)
            # What another matter brings along decides nothing here.
            number = dispatch.number + (data.taken_from is None)
            designates = dispatch.designates if data.taken_from else None
            given = {"number": number, "designates": designates, "designated_by": data.designated_by}
            return _passed(dispatch, here if designates else at, lead=lead, **given)
        case triage.IncidentPassedUpward() as data:
            return _passed(dispatch, at, designates=data.designates)
        case triage.IncidentAccepted() if dispatch.lead:
            return _passed(dispatch, here, lead=dispatch.lead.model_copy(update={"accepted_at": at}))
        case triage.IncidentReturned() as data:
            given = {"lead": None, "designates": data.designates, "designated_by": None}
            return _passed(dispatch, at, returns=dispatch.returns + 1, **given)
        case triage.IncidentHelpRequested() as data:
            share = Share(unit=data.unit, text=data.text, due=data.due, asked_at=at)
            others = (one for one in dispatch.helpers if one.unit != data.unit)
            return dispatch.model_copy(update={"helpers": (*others, share)})
        case triage.IncidentHelpAccepted() as data:
            return dispatch.with_helper(data.unit, accepted_at=at)
        case triage.IncidentHelpCompleted() as data:
            return dispatch.with_helper(data.unit, completed_at=at)
        case triage.IncidentMaterialReceived() as data:
            return dispatch.with_helper(data.unit, material_at=at)
        case triage.IncidentHelpReturned() as data:
            others = (one for one in dispatch.helpers if one.unit != data.unit)
            return dispatch.model_copy(update={"helpers": tuple(others)})
        case triage.IncidentReopened():
            # The limit for returning counts anew, and what was to be done by then was of the round before.
            again = {"lead": dispatch.lead and dispatch.lead.model_copy(update={"asked_at": at, "due": None})}
            return _passed(dispatch, at, number=0, helpers=(), instructed=False, designates=None, **again)
        case triage.IncidentAbsorbed() as data:
            number, returns = max(dispatch.number, data.dispatches), dispatch.returns + data.returns
            instructed = dispatch.instructed or data.instructed
            told = dispatch.model_copy(update={"number": number, "returns": returns, "instructed": instructed})
            if dispatch.designates or dispatch.designated_by or data.designates is None:
                return told
            return _passed(told, at, designates=data.designates)
        case triage.IncidentTransferred() if dispatch.lead is None:
            return _passed(dispatch, here)
        case triage.IncidentProposalRejected() | triage.IncidentProposalApproved(last=True) if dispatch.is_handled:
            return _passed(dispatch, here)
        case triage.IncidentResolved() | triage.IncidentClosed() | triage.IncidentDismissed():
            return _passed(dispatch, at)
    return dispatch


def _passed(dispatch: Dispatch, at: datetime | None, **changes: object) -> Dispatch:
    return dispatch.model_copy(update={"since": at, **changes})
