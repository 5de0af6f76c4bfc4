"""The rights over a matter's clocks, its reports upward, and a roster.

A unit that is charged with a breach cannot annul it. An auditor of a unit above can. The root has no unit above it, so
its breaches take two auditors of the root.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.titles import titled
from services.escalation.commands import (
    AnnulBreach,
    Extend,
    GiveNotice,
    PlanDuties,
    Receipt,
    ReportBack,
    ReportUpward,
    WritePart,
)
from services.kernel.access.rights import Right
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Forbidden, Rejected, Unavailable
from services.kernel.core.units import LoadedPack, Offices

Refusal = Rejected | None


@dataclass(frozen=True, slots=True)
class Reportable:
    """A matter that can be reported upward."""

    unit: str
    """The accountable unit."""
    told: frozenset[str] = frozenset()
    """The units that it was reported to."""
    merged: bool = False
    into: str | None = None
    """The incident into which it was merged, if that is known."""

    notices: bool = False
    """Whether the pack has a rule on notices."""

    def reporting(self, ctx: Ctx) -> str:
        """The unit that reports it: the actor's unit if it got a report of the matter, else the accountable unit."""
        unit = ctx.actor.unit
        return unit if unit in self.told else self.unit


@dataclass(frozen=True, slots=True)
class Reported:
    """A report upward that needs a receipt; without one, the units above that could have got a report."""

    to: tuple[str, ...]
    answered: frozenset[str] | None = None
    """Posts that confirmed it or sent it back; None if there is no report."""
    addressee: str = ""
    """The code of its addressee in that unit."""


@dataclass(frozen=True, slots=True)
class Owed:
    """A clock of a matter."""

    clock: str
    unit: str
    """The unit that is charged with it."""
    due: datetime | None = None
    ended: bool = False
    """Whether the owed act is on record, or the clock ended."""
    breached: bool = False
    asked: str | None = None
    """Digest of the person who asked to annul the breach that stands."""
    by: str = ""
    """Digest of the person who acts."""
    extendable: bool = False
    pack: str | None = None
    """The name of the policy."""
    merged: bool = False
    into: str | None = None


def pack_of(policy: str | None, unit: str, offices: Offices) -> LoadedPack | None:
    """The pack of a matter's clocks: the recorded one, or else the pack of the accountable unit.

    None while it has not come.
    """
    try:
        return offices.pack_of(policy, unit)
    except Unavailable:
        return None


def extendable(pack: LoadedPack | None, clock: str) -> bool:
    """Whether the pack allows an extension of this clock, in any of its runs."""
    name = clock.partition("#")[0]
    return pack is not None and any(spec.name == name and spec.extension is not None for spec in pack.model.clocks)


def _reporting(incident: Reportable, ctx: Ctx) -> Sequence[str]:
    return (incident.reporting(ctx),)


def _told(report: Reported, ctx: Ctx) -> Sequence[str]:
    return report.to


def _charged(clock: Owed, ctx: Ctx) -> Sequence[str]:
    return (clock.unit,)


def _above_charged(clock: Owed, ctx: Ctx) -> Sequence[str]:
    return (ctx.offices.parent(clock.unit) or clock.unit,)


def _planned(unit: str, ctx: Ctx) -> Sequence[str]:
    return (unit,)


@dataclass(frozen=True, slots=True)
class Noticed:
    """A notice that is to be answered; without one, the accountable unit."""

    to: str
    open: bool = False
    """Whether a notice waits for its report back to arrive."""


def _answering(notice: Noticed, ctx: Ctx) -> Sequence[str]:
    return (notice.to,)


def _above(incident: Reportable, ctx: Ctx) -> Sequence[str | None]:
    return (ctx.offices.parent(incident.unit),)


def _can_be_noticed(incident: Reportable, ctx: Ctx, verb: str) -> Refusal:
    if refusal := _merged(incident, verb):
        return refusal
    if not incident.notices:
        return Rejected("the pack of this matter has no rule on notices; instruct the unit instead", code="no-notices")
    return None


def _is_open(notice: Noticed, ctx: Ctx, verb: str) -> Refusal:
    if not notice.open:
        return Rejected(
            "no notice waits for an answer; one whose report back was confirmed is closed", code="no-open-notice"
        )
    return None


def _merged(subject: Reportable | Owed, verb: str) -> Refusal:
    if not subject.merged:
        return None
    return Rejected(
        f"the matter was merged into {subject.into or 'another one'}; {titled(verb, 'en')} there",
        code="merged",
        into=subject.into,
        act=verb,
    )


def _goes_on(incident: Reportable, ctx: Ctx, verb: str) -> Refusal:
    return _merged(incident, verb)


class OfAddressee(Right[Reported]):
    """The right of a report's addressee alone: no role replaces it, not even one of the unit above."""

    def holds(self, subject: Reported, ctx: Ctx) -> bool:
        """Whether the actor is the addressee: the post itself, a member of the body, or its duty post."""
        if subject.answered is None:
            return super().holds(subject, ctx)
        return ctx.actor.post in _receivers(subject, ctx)

    def require(self, subject: Reported, ctx: Ctx) -> None:
        """Raises `Forbidden`, naming the posts that have the right."""
        if subject.answered is None:
            return super().require(subject, ctx)
        if not self.holds(subject, ctx):
            posts, where = sorted(_receivers(subject, ctx)), subject.to[0]
            raise Forbidden(
                f"the report went to {subject.addressee} of {where}; only {' or '.join(posts) or 'nobody now'} can "
                f"confirm it, and you act as {ctx.actor.post}",
                code="other-addressee",
                act=self.verb,
                addressee=subject.addressee,
                unit=where,
                posts=posts,
                post=ctx.actor.post,
            )
        return None


def _receivers(report: Reported, ctx: Ctx) -> frozenset[str]:
    return frozenset(post for unit in report.to for post in ctx.offices.receivers(unit, report.addressee))


def _waits(report: Reported, ctx: Ctx, verb: str) -> Refusal:
    if report.answered is None:
        return Rejected("no report waits for a receipt; name the report in `report`", code="no-open-report")
    if ctx.actor.post in report.answered:
        return Rejected(
            f"{ctx.actor.post} has answered this report already", code="already-answered", post=ctx.actor.post
        )
    return None


def _can_be_extended(clock: Owed, ctx: Ctx, verb: str) -> Refusal:
    if refusal := _merged(clock, verb):
        return refusal
    if not clock.extendable:
        return Rejected(
            f"{clock.pack or 'the policy'} does not allow an extension of {clock.clock}",
            code="clock-not-extendable",
            pack=clock.pack,
            clock=clock.clock,
        )
    if clock.ended:
        return Rejected(
            f"{clock.clock} does not run any more; there is nothing to extend",
            code="clock-not-running",
            clock=clock.clock,
        )
    if clock.due is not None and (clock.breached or clock.due < ctx.now):
        return Rejected(
            f"{clock.clock} was due at {clock.due.isoformat()}; a limit can be extended only before it passes",
            code="clock-passed",
            clock=clock.clock,
            due=clock.due,
        )
    return None


def _can_be_annulled(clock: Owed, ctx: Ctx, verb: str) -> Refusal:
    if not clock.breached:
        return Rejected(
            f"no breach of {clock.clock} stands; there is nothing to annul", code="no-breach", clock=clock.clock
        )
    if clock.asked is not None and clock.asked == clock.by and ctx.offices.parent(clock.unit) is None:
        return Rejected(
            f"you asked to annul the breach of {clock.clock} already; another auditor must confirm it",
            code="asked-by-you",
            clock=clock.clock,
        )
    return None


RIGHTS: Mapping[type[Command], Right[Any]] = {
    ReportUpward: Right("report-upward", ("duty_officer",), _reporting, _goes_on),
    Receipt: OfAddressee("receipt", ("duty_officer", "approver", "chief"), _told, _waits),
    Extend: Right("extend", ("chief",), _charged, _can_be_extended),
    AnnulBreach: Right("annul", ("auditor",), _above_charged, _can_be_annulled),
    GiveNotice: Right("give-notice", ("duty_officer", "chief"), _above, _can_be_noticed),
    WritePart: Right("write-part", ("duty_officer", "handler", "chief"), _answering, _is_open),
    ReportBack: Right("report-back", ("duty_officer",), _answering, _is_open),
    PlanDuties: Right("plan-duties", ("duty_officer", "chief", "admin"), _planned),
}
OF_A_CLOCK: Sequence[Right[Owed]] = (RIGHTS[Extend], RIGHTS[AnnulBreach])
"""The commands on one clock of a matter."""
