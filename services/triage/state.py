"""The state of an incident for later decisions, folded from its events. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from schemas import answering as a
from schemas import triage
from schemas.envelope import Event
from schemas.fields import REACH
from schemas.triage import FactValue
from schemas.verifying import after as verified
from services.kernel.rules.conditions import Figures
from services.kernel.rules.grading import Counted, Fact, Flagged, Grade, Harmed, highest, without, without_harm
from services.triage.handling import dispatch, handing, plans
from services.triage.handling.proposals import after
from services.triage.incident import Incident
from services.triage.owed import aftercare, answering

Series = Literal["level", "answer_kind", "phase", "assigned", "resolved"]
"""What is decided again and again, so that the newest decision holds."""
SERIES: Mapping[type, Series] = {
    triage.IncidentGraded: "level",
    triage.IncidentRegraded: "level",
    triage.IncidentClassified: "answer_kind",
    triage.IncidentResolved: "phase",
    triage.IncidentClosed: "phase",
    triage.IncidentDismissed: "phase",
    triage.IncidentReopened: "phase",
    triage.IncidentAssigned: "assigned",
}


@dataclass(frozen=True, slots=True)
class State(Incident):
    """The facts of an incident on which later decisions depend."""

    rank: int = 0
    grades: tuple[Grade, ...] = ()
    """Each level of the incident, in order."""
    gravity: tuple[Fact, ...] = ()
    """Counts, flags and harm, each with its time. Of the counts, those that added something."""
    known: Mapping[str, datetime] = field(default_factory=dict)
    """The levels above the lowest that facts proposed, and since when."""
    discovered_at: datetime | None = None
    """When the office first knew by a report; of a matter that nobody has reported yet, when it knew by itself."""
    registered_at: datetime | None = None
    """When it knew by itself of a matter that it registered."""
    refusals: Mapping[str, triage.IncidentReportRefused] = field(default_factory=dict)
    """Report that was ever refused an answer -> the refusal."""
    refused: frozenset[str] = frozenset()
    """The reports that get no answer. A matter that is reopened after a dismissal has none."""
    left: Mapping[str, str] = field(default_factory=dict)
    """Reports that left -> the incident that they joined."""
    facts: Mapping[str, FactValue] = field(default_factory=dict)
    statements: frozenset[str] = frozenset()
    """Published statements that were recorded as the answer."""
    links: Mapping[str, triage.Linked] = field(default_factory=dict)
    """Other incidents -> how this one and they belong together."""
    offered: frozenset[str] = frozenset()
    """The units above to which the matter was offered."""
    drill: bool = False
    clarified_for: frozenset[triage.ClarifiedFor] = frozenset()
    """Why clarifications were opened since the matter was opened, or opened again."""
    last: Mapping[Series, datetime] = field(default_factory=dict)
    """When the latest grading happened, the latest choice of a kind of answer, and so on."""

    @property
    def reported_at(self) -> datetime | None:
        """When the office first knew by a report; None before the first one."""
        return self.discovered_at if self.report_count or not self.registered else None

    def refused_of(self, reports: Collection[str]) -> tuple[triage.IncidentReportRefused, ...]:
        """The refusals of those of these reports that get no answer, in order."""
        return tuple(one for report, one in self.refusals.items() if report in self.refused and report in reports)


def initial_state() -> State:
    """An incident that does not exist yet."""
    return State()


def evolve(state: State, event: Event) -> State:
    """The state after the event. A matter that was opened without a pack keeps the first by which it was judged."""
    if state.policy is None and event.policy:
        state = replace(state, policy=event.policy)
    if (given := dispatch.after(state.dispatch, event)) is not state.dispatch:
        state = replace(state, dispatch=given)
    if (handed := handing.after(state.handing, event)) is not state.handing:
        state = replace(state, handing=handed)
    if (follows := aftercare.after(state.aftercare, event)) is not state.aftercare:
        state = replace(state, aftercare=follows)
    if (planned := plans.after(state.plans, event)) is not state.plans:
        state = replace(state, plans=planned)
    if (asked := answering.after(state.answering, event)) is not state.answering:
        state = replace(state, answering=asked)
    if (proposals := after(state.proposals, event)) is not state.proposals:
        return replace(state, proposals=proposals)
    if (verification := verified(state.verification, event)) is not state.verification:
        state = replace(state, verification=verification)
    if series := SERIES.get(type(event.data)):
        state = replace(state, last={**state.last, series: event.time})
    if isinstance(event.data, triage.IncidentResolved):
        state = replace(state, last={**state.last, "resolved": event.time})
    match event.data:
        case triage.IncidentOpened() as data:
            return replace(
                state,
                id=event.stream,
                phase="open",
                unit=data.unit,
                policy=data.policy,
                category=data.category,
                channel=data.channel,
                discovered_at=data.discovered_at,
                registered=data.report is None,
                registered_at=None if data.report else data.discovered_at,
                report_count=1 if data.report else 0,
                drill=event.drill,
            )
        case triage.IncidentReportAttached():
            return counted(state, 1)
        case triage.IncidentReportDetached() as data:
            return replace(state, report_count=state.report_count - 1, refused=state.refused - {data.report})
        case triage.IncidentReportRefused() as data:
            others = {report: one for report, one in state.refusals.items() if report != data.report}
            refusals = {**others, data.report: data}
            return replace(state, refused=state.refused | {data.report}, refusals=refusals)
        case triage.IncidentSplit() as data:
            return replace(
                state,
                report_count=state.report_count - len(data.reports),
                refused=state.refused.difference(data.reports),
                left={**state.left, **dict.fromkeys(data.reports, data.into)},
                gravity=(staying := without(state.gravity, data.reports)),
                figures=highest(staying),
            )
        case triage.IncidentAbsorbed() as data:
            return replace(
                state,
                report_count=state.report_count + len(data.reports),
                left={report: into for report, into in state.left.items() if report not in data.reports},
                discovered_at=_earlier(state, data.discovered_at),
                refused=state.refused.union(data.refused),
                refusals={**{one: triage.IncidentReportRefused(report=one) for one in data.refused}, **state.refusals},
                handled=state.handled.union(data.handled),
            )
        case triage.IncidentVerificationRequested() as data:
            return replace(state, verifying=state.verifying | {data.unit})
        case triage.IncidentHelpRequested() as data:
            return replace(state, helping=state.helping | {data.unit})
        case triage.IncidentHelpReturned() as data:
            return replace(state, helping=state.helping - {data.unit})
        case triage.IncidentFactEstablished() | triage.IncidentFactRevised() as data:
            return replace(state, facts={**state.facts, data.key: data})
        case triage.IncidentClarificationOpened() as data:
            owed = state.clarifying or data.cause == "not_in_line"
            return replace(state, clarifying=owed, clarified_for=state.clarified_for | {data.cause})
        case triage.IncidentClassified() as data:
            return replace(state, answer_kind=data.answer_kind)
        case triage.IncidentCategorized() as data:
            return replace(state, category=data.category)
        case triage.IncidentGraded() as data:
            grade = Grade(data.level, data.known_at)
            return replace(state, level=data.level, rank=data.rank, grades=(*state.grades, grade))
        case triage.IncidentRegraded() as data:
            grade = Grade(data.level, data.known_at or event.time)
            return replace(state, level=data.level, rank=data.rank, grades=(*state.grades, grade))
        case triage.IncidentLevelsKnown() as data:
            return replace(state, known={one.level: one.known_at for one in data.levels})
        case triage.IncidentReachCounted() as data:
            figures = Figures(**{name: getattr(data, name) for name in REACH})
            counted_ = Counted(data.counted_at, data.report, figures, next(iter(event.basis), ""))
            return replace(state, gravity=(*state.gravity, counted_), figures=state.figures.highest(figures))
        case triage.IncidentFlagSet() as data:
            gravity = (*state.gravity, Flagged(event.time, data.flag))
            return replace(state, flags=state.flags | {data.flag}, gravity=gravity)
        case triage.IncidentFlagCleared() as data:
            gravity = (*state.gravity, Flagged(event.time, data.flag, present=False))
            return replace(state, flags=state.flags - {data.flag}, gravity=gravity)
        case triage.IncidentHarmJudged() as data:
            return replace(state, harm=data.harm, gravity=(*state.gravity, Harmed(event.time, data.harm)))
        case triage.IncidentDoubtJudged() as data:
            return replace(state, doubtful=data.doubtful)
        case triage.IncidentAssigned() as data:
            return replace(state, assigned=data.unit, accepted=False)
        case triage.IncidentAccepted():
            return replace(state, accepted=True)
        case triage.IncidentReturned():
            return replace(state, assigned=None, accepted=False)
        case triage.IncidentTransferred() as data:
            return replace(state, unit=data.unit)
        case triage.IncidentPolicyMoved() as data:
            grades = (Grade(data.level, data.known_at),) if data.level else ()
            moved = replace(state, policy=data.policy, level=data.level, rank=data.rank or 0, grades=grades)
            return replace(moved, harm=None, gravity=without_harm(state.gravity)) if data.changes_rules else moved
        case triage.IncidentHandlingRecorded() as data:
            if data.statement is None:
                return state
            published = replace(state, handled=state.handled | {data.track}, clarifying=False)
            return replace(published, statements=state.statements | {data.statement})
        case triage.IncidentSolved() | a.IncidentLeftUnsolved():
            return replace(state, handled=state.handled | {"problem"})
        case triage.IncidentExplained() | triage.IncidentReplied():
            return replace(state, handled=state.handled | {"answer"}, clarifying=False)
        case triage.IncidentResolved():
            return replace(state, phase="resolved", helping=frozenset())
        case triage.IncidentClosed():
            return replace(state, phase="closed", verifying=frozenset())
        case triage.IncidentDismissed():
            return replace(state, phase="dismissed", verifying=frozenset(), helping=frozenset())
        case a.IncidentScreeningReviewed(upheld=False) if (
            state.answering.screening and state.answering.screening.refuses
        ):
            # Its reports will be answered.
            return replace(state, refused=frozenset())
        case triage.IncidentReopened():
            # The reopening of a dismissed matter means that its reports will be answered.
            refused = frozenset[str]() if state.phase == "dismissed" else state.refused
            again = replace(state, phase="open", handled=frozenset(), clarified_for=frozenset())
            return replace(again, refused=refused)
        case triage.IncidentLinked() as data:
            return replace(state, links={**state.links, data.to: data.kind})
        case triage.IncidentOffered() as data:
            return replace(state, offered=state.offered | {data.to})
        case triage.IncidentMerged() as data:
            return replace(state, phase="merged", merged_into=data.into)
    return state


def _earlier(state: State, at: datetime | None) -> datetime | None:
    """When the office first knew by a report, after one of which it knew at an instant."""
    reported = [one for one in (state.reported_at, at) if one]
    return min(reported, default=state.discovered_at)


def counted(state: State, number: int) -> State:
    """The state after this many reports were attached."""
    return replace(state, report_count=state.report_count + number)
