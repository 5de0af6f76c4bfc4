"""A superior's notice to correct something, and its answer: the parts that the pack asks for, and a report back. Pure.

The limit comes with the notice, or from the pack, and is a clock: `notice`, then `notice#2`. It is met by the receipt
of the report back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from schemas import escalation as e
from schemas.envelope import Event
from schemas.fields import Typed
from schemas.pack.reports import Notice as NoticeRule
from services.escalation.clock.clocks import Clock
from services.escalation.clock.milestones import began
from services.escalation.commands import GiveNotice, ReportBack, WritePart
from services.escalation.upward import reporting
from services.kernel.core.acts import must_be_ahead
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Malformed, Rejected
from services.kernel.core.units import LoadedPack
from services.kernel.rules import calendars

NOTICE = "notice"
PLACE = "notice"
"""Where a pack has its rule on notices."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice on a matter."""

    id: str
    by: str
    """The unit that gave it."""
    to: str
    """The unit that answers it."""
    at: datetime
    due: datetime
    parts: frozenset[str] = frozenset()
    """The parts of the answer that are written."""
    reports: frozenset[str] = frozenset()
    """The reports back."""

    def met_at(self, milestones: Iterable[e.ClockMilestoneReached]) -> datetime | None:
        """When the addressee first confirmed a report back."""
        return min((one.recorded_at for one in self._receipts(milestones)), default=None)

    def happened_at(self, milestones: Iterable[e.ClockMilestoneReached]) -> datetime | None:
        """The same by when it happened, if that was before its recording."""
        met_at, done = self.met_at(milestones), [began(one) for one in self._receipts(milestones)]
        return min((at for at in done if met_at and at < met_at), default=None)

    def _receipts(self, milestones: Iterable[e.ClockMilestoneReached]) -> Iterable[e.ClockMilestoneReached]:
        return [one for one in milestones if one.milestone == "received" and one.event in self.reports]


def evolve(known: tuple[Notice, ...], event: Event) -> tuple[Notice, ...]:
    """The matter's notices after the event, in order."""
    match event.data:
        case e.ClockNoticeGiven() as data:
            return (*known, Notice(data.notice, data.unit, data.to, event.time, data.due))
        case e.ClockNoticePartWritten() as data:
            return tuple(replace(one, parts=one.parts | {data.part}) if one.id == data.notice else one for one in known)
        case e.ClockReportedUpward() as data:
            return tuple(
                replace(one, reports=one.reports | {data.report}) if one.id == data.notice else one for one in known
            )
    return known


def clocks(known: Sequence[Notice], milestones: Sequence[e.ClockMilestoneReached]) -> Iterable[Clock]:
    """The limits of the notices."""
    for number, one in enumerate(known, start=1):
        name = NOTICE if number == 1 else f"{NOTICE}#{number}"
        yield Clock(name, one.to, one.at, one.due, False, one.met_at(milestones), one.happened_at(milestones))


def meant(known: Sequence[Notice], named: str | None, milestones: Sequence[e.ClockMilestoneReached]) -> Notice | None:
    """The named notice, or the latest that is not answered. Raises `Malformed` for an unknown one."""
    if named is None:
        return next((one for one in reversed(known) if one.met_at(milestones) is None), None)
    found = next((one for one in known if one.id == named), None)
    if found is None:
        raise Malformed(f"this matter has no notice {named}", code="notice-unknown", field="notice", notice=named)
    return found


def given(command: GiveNotice, to: str, pack: LoadedPack, at: datetime, ctx: Ctx) -> e.ClockNoticeGiven:
    """The notice of the actor's unit, given at `at`.

    Raises `Malformed` for a limit that has passed or that nobody set, and `Rejected` if nobody there could confirm the
    report back.
    """
    rule = pack.model.notice
    assert rule is not None, "the table of rights asks for the pack's rule"
    due = command.due
    if due is None:
        if rule.limit is None or rule.limit.is_open:
            raise Malformed(
                "the pack sets no limit for the answer to a notice; say in `due` by when it must have arrived",
                code="notice-limit-needed",
                rule=f"{PLACE}.limit" if rule.limit and rule.limit.source else PLACE,
                pack=pack.name,
                field="due",
            )
        due = calendars.due(at, rule.limit, pack.model.timezone, pack.model.workday, ctx.offices.own_days(to)).at
    must_be_ahead(due, ctx.now)
    unit = ctx.actor.unit or to
    reporting.must_be_received(rule.to, unit, ctx.offices, rule=PLACE, pack=pack.name)
    return e.ClockNoticeGiven(notice=ctx.ids.new(""), unit=unit, to=to, due=due, text=Typed(text=command.text))


def part(command: WritePart, notice: Notice, rule: NoticeRule, pack: LoadedPack) -> e.ClockNoticePartWritten:
    """A part of the answer. It may be written again. Raises `Malformed` for a part that the pack does not have."""
    parts = [one.code for one in rule.parts]
    if command.part not in parts:
        raise Malformed(
            f"an answer to a notice has no part {command.part}; its parts are {', '.join(parts)}",
            code="part-unknown",
            rule=PLACE,
            pack=pack.name,
            field="part",
            part=command.part,
            known=parts,
        )
    return e.ClockNoticePartWritten(notice=notice.id, unit=notice.to, part=command.part, text=Typed(text=command.text))


def report_back(
    command: ReportBack,
    notice: Notice,
    rule: NoticeRule,
    pack: LoadedPack,
    level: str | None,
    *,
    unverified: bool,
    ctx: Ctx,
) -> e.ClockReportedUpward:
    """The report back to who gave the notice. Raises `Rejected` while a part or its addressee is missing."""
    if missing := [one.code for one in rule.parts if one.code not in notice.parts]:
        raise Rejected(
            f"the report back lacks {', '.join(missing)}; write every part of the answer first",
            code="parts-missing",
            rule=PLACE,
            pack=pack.name,
            missing=missing,
        )
    reporting.must_be_received(rule.to, notice.by, ctx.offices, rule=PLACE, pack=pack.name)
    return e.ClockReportedUpward(
        report=ctx.ids.new(""),
        unit=notice.to,
        to=notice.by,
        addressee=rule.to,
        form="written",
        hop=NOTICE,
        notice=notice.id,
        level=level,
        unverified=unverified,
        text=None if command.text is None else Typed(text=command.text),
    )
