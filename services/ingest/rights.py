"""The rights over reports and keys, and who may read a report."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from schemas.fields import instant
from services.ingest.commands import (
    AttachEvidence,
    Erase,
    FormClosing,
    FormOpening,
    ImportListing,
    KeyListing,
    KeyRequest,
    KeyRevocation,
    Reach,
    ReceiveReport,
    Refuse,
)
from services.ingest.outages.commands import Tell
from services.kernel.access.erasure import ERASE as ERASE_WORDS
from services.kernel.access.erasure import Erasing
from services.kernel.access.rights import Read, Right
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Rejected
from services.kernel.core.standings import Moment, Reading, Standing, Units, widest

Refusal = Rejected | None
REGRET = timedelta(hours=1)
"""For this long, the sender may take a report back alone."""


@dataclass(frozen=True, slots=True)
class Filed:
    """The facts on which the rights over a report depend."""

    unit: str | None = None
    """The unit that received it."""
    sender: str = ""
    """The post that sent it."""
    person: str | None = None
    """Digest of the person who entered it; None for an integration."""
    refused: bool = False
    erased: bool = False
    received: datetime | None = None
    asked: str | None = None
    """Digest of the person who asked to erase it."""
    by: str = ""
    """Digest of the person who acts."""
    standing: Standing | None = None
    """The standing of its incident; None as long as it belongs to none."""

    @property
    def accountable(self) -> str | None:
        """The unit that answers for it: the receiving unit, until the report belongs to an incident."""
        return self.standing.accountable if self.standing else self.unit

    @property
    def erasing(self) -> Erasing:
        """The facts on which its erasure depends."""
        return Erasing(self.accountable or "", self.asked, self.by)

    def sent_just_now(self, ctx: Ctx) -> bool:
        """Whether the actor sent it less than an hour ago, and may take it back as a mistake."""
        sent_it = ctx.actor.post == self.sender and self.person in (None, self.by)
        return sent_it and self.received is not None and ctx.now - self.received <= REGRET


def _named(unit: str, ctx: Ctx) -> Sequence[str]:
    return (unit,)


def _accountable(report: Filed, ctx: Ctx) -> Sequence[str | None]:
    return (report.accountable,)


def _sent_it(report: Filed, ctx: Ctx) -> bool:
    return ctx.actor.post == report.sender and "integration" in ctx.actor.roles


def _following(report: Filed, ctx: Ctx) -> tuple[str, ...]:
    """The integration that sent a report may add to it. So may the officers who work on the matter."""
    return ("integration",) if _sent_it(report, ctx) else ("duty_officer", "verifier", "handler")


def _working(report: Filed, ctx: Ctx) -> Sequence[str | None]:
    if report.standing is None or _sent_it(report, ctx):
        return (report.unit,)
    return sorted(report.standing.units)


def _not_erased(report: Filed, ctx: Ctx, verb: str) -> Refusal:
    return Rejected("this report was erased; nothing can be added to it", code="erased") if report.erased else None


def _not_refused(report: Filed, ctx: Ctx, verb: str) -> Refusal:
    return Rejected("this report was refused an answer already", code="already-refused") if report.refused else None


def _erasing(report: Filed, ctx: Ctx) -> tuple[str, ...]:
    return tuple(ctx.actor.roles) if report.sent_just_now(ctx) else ERASE_WORDS.of(report.erasing, ctx)


def _erasing_over(report: Filed, ctx: Ctx) -> Sequence[str | None]:
    return (report.unit,) if report.sent_just_now(ctx) else tuple(ERASE_WORDS.over(report.erasing, ctx))


def _another_person(report: Filed, ctx: Ctx, verb: str) -> Refusal:
    return None if report.sent_just_now(ctx) else ERASE_WORDS.refusal(report.erasing, ctx, verb)


RIGHTS: Mapping[type[Command], Right[Any]] = {
    ReceiveReport: Right("report", ("integration", "duty_officer"), _named),
    Reach: Right("reach", _following, _working),
    AttachEvidence: Right("evidence", _following, _working, _not_erased),
    Refuse: Right("refuse", ("duty_officer", "chief"), _accountable, _not_refused),
    Erase: Right("erase", _erasing, _erasing_over, _another_person),
    ImportListing: Right("list-imports", ("admin",), _named),
    FormOpening: Right("open-form", ("admin",), _named),
    FormClosing: Right("close-form", ("admin",), _named),
    Tell: Right("tell-outages", ("probe",), _named),
    KeyRequest: Right("make-key", ("admin",), _named),
    KeyListing: Right("list-keys", ("admin",), _named),
    KeyRevocation: Right("revoke-key", ("admin",), _named),
}


class Belonging(NamedTuple):
    """A report's place in an incident, up to the event `until` of the incident if the report has left it."""

    standing: Standing
    since: str
    """When the incident's event that took it in was recorded, as text."""
    until: Moment | None = None

    def reading(self, units: Units) -> Reading | None:
        """How much of the report a caller may read by it. A part that had ended before it came gives nothing."""
        found = self.standing.reading(units)
        return found.ending(self.until) if found and found.covers(self.since) else None


READ_REPORT = Read("read-report")


def reading(report: Filed, belongings: Iterable[Belonging], ctx: Ctx) -> Reading | None:
    """How much of a report the actor may read; None for nothing.

    The integration that sent it reads everything. Rights of staff follow the matter. The receiving unit always reads
    what it received.
    """
    if not ctx.actor.is_staff:
        return Reading() if _sent_it(report, ctx) and ctx.may("integration", units=[report.unit]) else None
    units, of = READ_REPORT.units(ctx), list(belongings)
    found = [belonging.reading(units) for belonging in of]
    if READ_REPORT.covers(report.unit, ctx):
        received = Moment(0, instant(report.received)) if report.received else None
        found.append(Reading(received) if of else Reading())
    return widest(found)
