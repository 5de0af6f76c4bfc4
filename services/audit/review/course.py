"""The course of a matter as a review tells it, from the events of its record. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, Literal, NamedTuple

from schemas import escalation as e
from schemas import ingest as i
from schemas import publish as p
from schemas import triage as t
from schemas.fields import REACH, Fact
from services.audit.findings.matter import Placed
from services.kernel.core.units import Offices

DECISIONS: tuple[type[Fact], ...] = (
    t.IncidentClassified,
    t.IncidentGraded,
    t.IncidentRegraded,
    t.IncidentInstructionGiven,
    t.IncidentAssigned,
    t.IncidentTransferred,
    t.IncidentPlanStarted,
    t.IncidentMeasureApproved,
    t.IncidentProposalApproved,
    p.StatementApproved,
    e.ClockDecisionRecorded,
    e.ClockLeadTaken,
    e.ClockLeadAccepted,
    e.ClockExtended,
    t.IncidentResolved,
    t.IncidentClosed,
)
"""What a person decided."""
CHANGES: tuple[type[Fact], ...] = (
    t.IncidentRegraded,
    t.IncidentFactRevised,
    t.IncidentReturned,
    t.IncidentTransferred,
    t.IncidentPolicyMoved,
    t.IncidentReopened,
    t.IncidentMerged,
    t.IncidentAbsorbed,
    t.IncidentSplit,
    e.ClockBreachAnnulled,
    e.ClockExtended,
    p.StatementCorrected,
    p.StatementWithdrawn,
)
"""What was different afterwards from what it had been."""
KEY: tuple[type[Fact], ...] = (
    t.IncidentOpened,
    t.IncidentVerificationConcluded,
    t.IncidentGraded,
    t.IncidentRegraded,
    t.IncidentInstructionGiven,
    t.IncidentAssigned,
    t.IncidentTransferred,
    t.IncidentPlanStarted,
    e.ClockReportedUpward,
    e.ClockReceiptGiven,
    e.ClockBreached,
    p.StatementPublished,
    p.StatementCorrected,
    p.StatementWithdrawn,
    t.IncidentSolved,
    t.IncidentResolved,
    t.IncidentReopened,
    t.IncidentClosed,
)
"""The moments that the chart of the course shows."""
Ending = Literal["met", "met_late", "missed", "annulled", "cancelled", "running"]


class Limit(NamedTuple):
    """One limit, and how it ended."""

    clock: str
    placed: Placed
    """The event that started it."""
    since: datetime
    due: datetime
    done: datetime | None
    ending: Ending


class Reach(NamedTuple):
    """How far the matter had spread at a time, over all its reports."""

    at: datetime
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Course:
    """The record of a matter, with those merged into it, in order of (`recordedtime`, `id`)."""

    id: str
    events: tuple[Placed, ...]
    offices: Offices = field(default_factory=Offices)
    gone: frozenset[str] = frozenset()
    """The reports that left the matter. Their moves are told, and they themselves are about another one."""

    def of(self, *models: type[Fact]) -> list[Placed]:
        """The events of these types, in order."""
        return [one for one in self.events if isinstance(one.data, models)]

    def own(self, *models: type[Fact]) -> list[Placed]:
        """The same of the matter itself, without those merged into it."""
        return [one for one in self.of(*models) if one.event.stream == self.id]

    @cached_property
    def opened(self) -> Placed | None:
        """The event that opened the matter."""
        return next(iter(self.own(t.IncidentOpened)), None)

    @cached_property
    def unit(self) -> str:
        """The unit that is accountable at the end."""
        found = self.own(t.IncidentOpened, t.IncidentTransferred)
        return found[-1].data.unit if found else ""

    @property
    def round(self) -> int:
        """The round of the matter, from 1."""
        return max((one.data.round for one in self.own(t.IncidentReopened)), default=1)

    @cached_property
    def reports(self) -> list[Placed]:
        """The reports that are of the matter, in order."""
        return self._of_reports(i.ReportReceived)

    def _of_reports(self, model: type[Fact]) -> list[Placed]:
        return [one for one in self.of(model) if one.event.stream not in self.gone]

    @cached_property
    def known_at(self) -> datetime | None:
        """When the office first knew of the matter, by the reports that are of it; without any, by its opening."""
        opened = [] if self.opened is None else [self.opened]
        return min((one.data.discovered_at for one in self.reports or opened), default=None)

    def days(self) -> list[tuple[date, int]]:
        """How many reports came in on each day of the unit's zone, from the first to the last, empty days too."""
        zone = self.offices.zone_of(self.unit) if self.unit in self.offices.ever else self.offices.zone
        counts = Counter(one.event.recorded.astimezone(zone).date() for one in self.reports)
        if not counts:
            return []
        first, last = min(counts), max(counts)
        return [(day, counts[day]) for day in (first + timedelta(n) for n in range((last - first).days + 1))]

    @cached_property
    def reach(self) -> list[Reach]:
        """The reach after each measurement: of each report the newest count, added up over the reports."""
        found, latest, total = list[Reach](), dict[tuple[str, str], int](), dict[str, int]()
        for one in sorted(self._of_reports(i.ReportReachMeasured), key=lambda one: (one.data.measured_at, one.order)):
            for name in REACH:
                if (count := getattr(one.data, name)) is not None:
                    of = one.event.stream, name
                    total[name] = total.get(name, 0) + count - latest.get(of, 0)
                    latest[of] = count
            found.append(Reach(one.data.measured_at, dict(total)))
        return found

    @cached_property
    def limits(self) -> Sequence[Limit]:
        """The limits of the matter itself, in the order in which they began."""
        found = dict[str, dict[str, Any]]()
        own = f"clock-{self.id.partition('-')[2]}"
        for one in self.events:
            if one.event.stream != own:
                continue
            match one.data:
                case e.ClockStarted(clock=clock) as data:
                    found.setdefault(clock, {"done": None, "ending": "running"})
                    found[clock] |= {"placed": one, "since": data.since, "due": data.due}
                case e.ClockMet(clock=clock) as data if clock in found:
                    late = data.late and found[clock]["ending"] != "annulled"
                    found[clock] |= {"done": data.met_at, "ending": "met_late" if late else "met"}
                case e.ClockBreached(clock=clock) if clock in found:
                    found[clock]["ending"] = "missed" if found[clock]["done"] is None else "met_late"
                case e.ClockBreachAnnulled(clock=clock) if clock in found:
                    found[clock]["ending"] = "annulled"
                case e.ClockCancelled(clock=clock) if clock in found and found[clock]["ending"] == "running":
                    found[clock]["ending"] = "cancelled"
        limits = [Limit(clock, **said) for clock, said in found.items()]
        return sorted(limits, key=lambda one: (one.since, one.placed.order))

    @cached_property
    def level(self) -> str | None:
        """The code of the level at the end."""
        found = self.own(t.IncidentGraded, t.IncidentRegraded)
        return found[-1].data.level if found else None

    @cached_property
    def category(self) -> str | None:
        """The code of the category at the end."""
        found = [one.data.category for one in self.own(t.IncidentOpened, t.IncidentCategorized) if one.data.category]
        return found[-1] if found else None


def source_of(one: Placed) -> str | None:
    """The place in the pack of the rule behind a decision, if the event says one."""
    match one.data:
        case t.IncidentGraded() | t.IncidentRegraded():
            return one.data.rule or f"levels.{one.data.level}"
        case p.StatementApproved(step=step) | t.IncidentProposalApproved(step=step):
            return f"approval.{step}"
        case t.IncidentClassified(answer_kind=kind):
            return f"answers.{kind}"
        case t.IncidentClosed() if one.data.evaluated_by:
            return "review.evaluation"
        case t.IncidentResolved():
            return "follow_up.dedicated_post"
        case t.IncidentAssigned():
            return "assigning.lead"
    return None
