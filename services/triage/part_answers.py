"""The parts of triage's answer on a whole incident: facts, counts, reports, notes, judgements, proposals.

Words that have not arrived yet are null, erased ones `[erased]`.
"""

from typing import Literal

from pydantic import Field

from schemas.fields import (
    Code,
    Figure,
    IncidentId,
    Instant,
    PeerName,
    Post,
    ReportId,
    StatementId,
    Token,
    UnitCode,
)
from schemas.handing import Heard, Told
from schemas.triage import Asked, Meeting, Proposable, Track
from schemas.verification import Outcome
from services.kernel.serving.answers import Answered
from services.kernel.serving.approvals import Gate, Step
from services.triage.handling.ball import Awaited


class Assignment(Answered):
    """The unit that handles an incident; for a merged one, the unit at the merger."""

    incident: IncidentId
    """This incident, or one that was merged into it."""
    unit: UnitCode
    """The unit that handles it."""
    assigned_at: Instant
    """Since when."""
    accepted_at: Instant | None
    """When the unit accepted it."""


class CitedLesson(Answered):
    """A lesson that a version of the pack answers."""

    lesson: int
    """Its number."""
    incident: IncidentId
    """The matter or the exercise that taught it."""
    text: str | None
    """What was learned."""
    change: str | None
    """The change of the pack that was proposed."""


class ScreeningOf(Answered):
    """A decision whether a matter needs a reply."""

    needs_reply: bool
    """Whether it needs one."""
    ground: Code | None
    """If not: the reason, from the pack's list; null if every report was refused an answer, each with its own."""
    by: Post | None
    """The post that decided; null if several reports were refused and nobody knows of a last one."""
    at: Instant
    """When it decided."""
    upheld: bool | None
    """Whether another post upheld that it needs none; null before the review. Only then no reply is owed."""
    reviewed_by: Post | None
    """The post that reviewed it last."""


class OrderOf(Answered):
    """An order to explain a matter to the office."""

    unit: UnitCode
    """The unit that explains it."""
    proposed_reply: bool
    """Whether it also proposes a reply."""
    by: Post | None
    """The post that ordered it, if the pack names it."""
    at: Instant
    """When it was ordered."""
    due: Instant | None
    """By when."""


class HandingOf(Answered):
    """Where a matter stands between this deployment and others."""

    to: PeerName | None
    """The deployment to which it was handed over last."""
    since: Instant | None
    """When it was handed over."""
    heard: Heard | None
    """What that deployment said last; null while it has not said whether it accepts."""
    came_from: PeerName | None
    """The deployment that handed it over to this one."""
    told: Told | None
    """What that deployment was told last."""


class BallOf(Answered):
    """Whom a matter waits for."""

    unit: UnitCode
    """The unit that acts next."""
    post: Post | None
    """The post, if one alone can act."""
    since: Instant | None
    """Since when it waits for them."""
    for_: Awaited = Field(alias="for")
    """What it waits for."""


class TeamOf(Answered):
    """The team that handles a matter."""

    head: Post
    """Who heads it."""
    deputy: Post | None
    """The head's deputy."""
    members: tuple[Post, ...]
    """The others."""
    named_at: Instant
    """When it was named."""


class PlanOf(Answered):
    """How a matter is handled."""

    unit: UnitCode
    """The unit that is responsible."""
    post: Post
    """The post that is responsible."""
    text: str | None
    """The procedure and its steps."""
    due: Instant
    """By when."""
    made_at: Instant
    """When the plan was made."""


class EmergencyPlanOf(Answered):
    """An emergency plan that is in force."""

    plan: Code
    """Its code."""
    started_at: Instant
    """Since when."""


class MeetingOf(Answered):
    """A meeting about a matter."""

    meeting: Meeting
    """Who met: the leading group, offices together, or a consultation on a new situation."""
    units: tuple[UnitCode, ...]
    """The units."""
    took_part: tuple[Post, ...]
    """The posts that took part."""
    minutes: str | None
    """The minutes."""
    release_group: tuple[Post, ...]
    """The release group that it formed."""
    spokesperson: Post | None
    """The spokesperson that it named."""
    held_at: Instant
    """When it was held."""


class UnhelpfulAnswer(Answered):
    """An asker whom the answer did not help."""

    report: ReportId
    """The asker's report."""
    at: Instant
    """When the asker said so."""


class ShareOf(Answered):
    """The share of a unit in the handling."""

    part: Literal["lead", "helper"]
    """Whether the unit leads or helps."""
    unit: UnitCode
    """The unit."""
    share: str | None
    """Its share in words."""
    due: Instant | None
    """By when it is to be done, if somebody set a limit."""
    asked_at: Instant
    """When the unit was asked."""
    accepted_at: Instant | None
    """When it confirmed that it has its share."""
    completed_at: Instant | None
    """When a helping unit had done its share."""


class VerificationOf(Answered):
    """Who was asked to verify a matter, and how verification ended."""

    asked: tuple[UnitCode, ...]
    """The units that were asked since the last outcome."""
    due: Instant | None
    """By when an outcome is asked for."""
    outcome: Outcome | None
    """The last outcome; null before the first."""
    by: UnitCode | None
    """The unit that established it."""


class Assessment(Answered):
    """An assessment of a matter."""

    incident: IncidentId
    """This incident, or one that was merged into it."""
    cause: str | None
    """The cause."""
    truth: str | None
    """The truth of the problem."""
    trend: str | None
    """The trend."""
    impact: str | None
    """The possible impact on the public."""
    at: Instant
    """When it was assessed."""
    recorded_at: Instant
    """When that was recorded."""
    by: str
    """The post that assessed it."""


class FactUse(Answered):
    """A published statement that rests on a value."""

    statement: StatementId
    """The statement."""
    unit: UnitCode
    """The unit that speaks in it."""
    by: str
    """The post that published it."""
    at: Instant
    """When it was published."""


class FactSheetValue(Answered):
    """A value that a fact has or had."""

    incident: IncidentId
    """This incident, or one that was merged into it."""
    version: int
    """The version of the incident's stream that established the value."""
    value: str | float | bool | None
    """The value, of the fact's kind. A `time` is in UTC."""
    source: str | None
    """The source."""
    evidence: tuple[Token, ...]
    """Files of reports that show it."""
    by: str
    """The post that established it."""
    unit: UnitCode | None
    """Its unit."""
    at: Instant
    """When it was established."""
    recorded_at: Instant
    """When that was recorded."""
    used_by: tuple[FactUse, ...]
    """The published statements that rest on this value."""


class FactOfSheet(Answered):
    """A fact with all its values."""

    key: Code
    """The fact's key."""
    title: str
    """Its title in Chinese."""
    title_en: str
    """Its title in English."""
    kind: Literal["text", "number", "time", "code", "yes_no"]
    """The kind of its values."""
    measure: str | None
    """The measure of a number."""
    codes: tuple[dict[str, str], ...] = ()
    """The codes of a code, each with its titles."""
    values: tuple[FactSheetValue, ...]
    """Its values, oldest first. The last one holds."""


class EstablishedFact(Answered):
    """An established fact."""

    incident: IncidentId
    """This incident, or one that was merged into it."""
    key: Code
    """The fact's key, from the list of facts."""
    kind: Literal["text", "number", "time", "code", "yes_no"]
    """The kind of its value."""
    established_at: Instant
    """When it was established first."""
    revised_at: Instant | None
    """When it was last changed."""
    value: str | float | bool | None
    """The value, of this kind. A `time` is in UTC."""
    source: str | None
    """The source."""


class NewestReach(Answered):
    """How far a report's matter had spread at the last count. Figures that nobody counted are null."""

    clicks: Figure | None
    """How often it was opened."""
    comments: Figure | None
    """How many comments it had."""
    mainstream_sites: Figure | None
    """The number of mainstream sites that carried it."""
    shares: Figure | None
    """How often it was passed on."""
    measured_at: Instant | None
    """When it was counted."""


class CountOf(Answered):
    """A count of a report. Figures that nobody counted are null."""

    clicks: Figure | None
    """How often it was opened."""
    comments: Figure | None
    """How many comments it had."""
    mainstream_sites: Figure | None
    """The number of mainstream sites that carried it."""
    shares: Figure | None
    """How often it was passed on."""
    measured_at: Instant
    """When it was counted."""
    recorded_at: Instant
    """When it was recorded."""


class Refusal(Answered):
    """The decision that a report gets no answer."""

    at: Instant
    """When it was decided."""
    by: str
    """The post that decided it."""
    reason: str | None
    """Why."""


class ReportOf(Answered):
    """A report of an incident."""

    id: ReportId
    """The report's id."""
    unit: UnitCode
    """The office that received it."""
    channel: Code
    """The channel by which it came."""
    category: Code | None
    """Its category."""
    discovered_at: Instant
    """When the office first knew of it."""
    received_at: Instant
    """When it was recorded."""
    entered_late: bool
    """Whether the discovery was already old when it was recorded."""
    subject: str | None
    """The concern in short."""
    text: str | None
    """The text, with personal data masked; null if it is withheld."""
    withheld: bool
    """Whether `text`, `url` and `request` are withheld, since the reader's unit does not work on the matter."""
    url: str | None
    """The web page that the report is about."""
    place: str | None
    """The place, in words."""
    request: str | None
    """The request in short."""
    refused: Refusal | None
    """The decision that it gets no answer, if there is one."""
    reach: NewestReach
    """How far it had spread."""
    counts: tuple[CountOf, ...]
    """All its counts, oldest first."""


class Note(Answered):
    """A text of staff, or a published answer."""

    incident: IncidentId
    """This incident, or one that was merged into it."""
    version: int
    """The event's place in the incident's stream."""
    type: str
    """The event's type, such as `huiying.incident.graded.v1`."""
    recorded_at: Instant
    """When it was recorded."""
    happened_at: Instant | None
    """When it happened, if it was entered later."""
    actor: str
    """The post that wrote it, or the system."""
    unit: UnitCode | None
    """The unit of the post."""
    track: Track | None
    """For handling: the track."""
    statement: StatementId | None
    """For an answer: the statement."""
    text: str | None
    """The text."""
    late_reason: str | None
    """Why it was entered later than it happened."""


class Spread(Answered):
    """How far the matter has spread: for each figure, the highest count of its reports so far. Null is unknown."""

    clicks: Figure | None
    """How often it was opened."""
    comments: Figure | None
    """How many comments it has."""
    mainstream_sites: Figure | None
    """The number of mainstream sites that carry it."""
    shares: Figure | None
    """How often it was passed on."""
    basis: tuple[str, ...]
    """The sources of the figures, as `report@version`."""


class Judged(Answered):
    """A judgement of a person."""

    at: Instant
    """When it was given."""
    by: Post | Literal["system"]
    """The post that gave it; `system` after a merger."""
    reason: str | None
    """The reason."""
    taken_from: IncidentId | None
    """The merged incident that brought it."""


class FlagOf(Judged):
    """A flag that is set on the matter."""

    flag: Code
    """The flag, from the pack."""


class HarmOf(Judged):
    """The harm to the public."""

    harm: Figure
    """The step of the pack's scale."""


class DoubtOf(Judged):
    """Whether the matter is in doubt."""

    doubtful: bool
    """Whether it is."""


class Proposed(Answered):
    """The pack's proposal for the counts, flags and harm. A person decides."""

    level: Code
    """The level."""
    rule: Code
    """The pack's rule."""


class LevelKnown(Answered):
    """A level, and since when it is known."""

    level: Code
    """The level, from the pack of the matter."""
    known_at: Instant
    """The time of the first fact that proposed it, or a higher one."""


class ProposalOf(Answered):
    """A measure, an explanation or a reply that needs approval."""

    proposal: Figure
    """Its number within the incident."""
    of: Proposable
    """Whether it is a measure, an explanation or a reply."""
    state: Literal["proposed", "approved", "rejected", "withdrawn"]
    """How far it is. It is withdrawn if the matter ended while it waited for approval."""
    text: str | None
    """The measure, the explanation or the reply."""
    to: Asked | None
    """Who gets the explanation."""
    post: str
    """The post that proposed it."""
    at: Instant
    """When."""
    chain: Code
    """The chain of approvals that the pack chose for it."""
    steps: tuple[Code, ...]
    """The approvals that it needs, in order."""
    steps_done: int
    """How many of them it has."""
    approval: tuple[Step, ...]
    """The same steps, with who decides and who agreed."""
    due: tuple[Post, ...]
    """The posts and bodies of which one must agree next, each of the nearest unit that has it."""
    gates: tuple[Gate, ...]
    """The checks before its approval, as they stand for the caller; empty if it does not wait for approval."""
    may: tuple[Literal["approve", "reject", "cannot-judge"], ...]
    """What the caller may decide on it now."""
