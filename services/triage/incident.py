"""The facts of an incident on which the rights over it depend. A row of the view holds them, and the state does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from schemas.triage import AnswerKind, Track
from schemas.verification import Verification
from services.kernel.rules.conditions import Figures
from services.triage.handling.dispatch import Dispatch
from services.triage.handling.handing import Handing
from services.triage.handling.plans import Plans
from services.triage.handling.proposals import Proposal
from services.triage.owed.aftercare import Aftercare
from services.triage.owed.answering import Answering

UNKNOWN, UNVERIFIED = Figures(), Verification()
GIVEN_TO_NOBODY = Dispatch()
NOT_HANDED = Handing()
NOTHING_AFTER = Aftercare()
NO_PLANS = Plans()
NOTHING_OWED = Answering()
Phase = Literal["new", "open", "resolved", "closed", "dismissed", "merged"]
TRACKS: Mapping[Track, str] = {
    "problem": "solve the real problem",
    "answer": "explain, reply or publish the facts",
}


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
    level: str | None = None
    answer_kind: AnswerKind | None = None
    category: str | None = None
    channel: str | None = None
    flags: frozenset[str] = frozenset()
    harm: int | None = None
    figures: Figures = UNKNOWN
    """The highest counts so far of its reports."""
    doubtful: bool = False
    verification: Verification = UNVERIFIED
    clarifying: bool = False
    """Whether what was reported is not in line with the facts and the office has not said so yet."""
    proposals: tuple[Proposal, ...] = ()
    """Measures, explanations and replies that need approval, in order."""
    dispatch: Dispatch = GIVEN_TO_NOBODY
    """Its lead and helpers, and how often it was given on and back."""
    aftercare: Aftercare = NOTHING_AFTER
    """What follows its end: rounds, follow-up, and what askers said of the answer."""
    plans: Plans = NO_PLANS
    """Its team, plan, emergency plan and meetings."""
    answering: Answering = NOTHING_OWED
    """What is owed to those who ask: screening, explanations, the outcome."""
    handing: Handing = NOT_HANDED
    """Where it stands between this deployment and others."""
    registered: bool = False
    """Whether a post registered it before anybody reported it."""
    report_count: int = 0
    """The number of its reports. The views hold their ids, which only splits and mergers need."""
