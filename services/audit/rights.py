"""Who may read what of the record.

Staff read the acts of their own unit and the units below it. Of a matter, they read as much as the part of these units
allows.
"""

from collections.abc import Iterable
from typing import Any

from schemas import upcast
from schemas.envelope import Event, Undecodable, UnknownType
from schemas.operation import OperationArchiveRead, OperationRecordRead
from schemas.triage import standing_of
from services.audit.referrals.rights import READ_REFERRAL, STAGES
from services.kernel.access.rights import Read
from services.kernel.core.decider import Ctx
from services.kernel.core.standings import Moment, Reading, Standing, widest


def standing_after(events: Iterable[Event]) -> Standing:
    """The units that take part in an incident, from its events in order."""
    standing = Standing()
    for event in events:
        if change := standing_of(data_of(event)):
            standing = standing.after(change, Moment(event.version, event.recorded_text))
    return standing


def data_of(event: Event) -> Any:
    """The data of an event; None if it cannot be read."""
    try:
        return event.data
    except (Undecodable, UnknownType):
        return None


READ_MATTER = Read("read-incident")
"""The record of matters in which a unit of the reader has a part, or had one."""
READ_READINGS = Read("read-readings", ("auditor", "chief"))
"""Who read what citizens wrote: for the unit above the reader's, and for auditors."""
SEAL_ARCHIVE = Read("seal-archive", ("chief", "auditor"))
"""Leaders and auditors of a unit with a part in the matter seal its file."""
READ_ARCHIVE = Read("read-archive", ("chief", "approver", "auditor"))
"""They consult it, too, each time for a purpose."""
EXPORT_TIMELINE = Read("export-timeline", ("chief", "auditor"))
"""They give the masked record to somebody outside."""
READ_STATISTICS = Read("read-statistics")
"""Numbers of a unit of the reader, with those below it."""
CIRCULATE_STATISTICS = Read("circulate-statistics", ("chief", "auditor"))
"""Leaders and auditors of a unit, or of one above it, circulate its yearly table."""
COMMENT_ANALYSIS = Read("comment-analysis", ("chief", "auditor"))
"""They write the comment of an analysis, too."""
KEEP_QUERIES = Read("keep-queries")
"""The questions to the list of matters that the reader's own unit keeps."""
SUBSCRIBE = Read("subscribe", ("admin",))
"""The subscriptions of the reader's own unit, also those of its integrations."""
READ_EVENT = Read("read-event")
"""Events: also those of acts of the reader's units."""

READINGS = upcast.types_of(OperationRecordRead, OperationArchiveRead)
"""The types of events about readings. Consultations of archives stand with the archive as well."""
REFERRALS = upcast.types_of(*STAGES)
"""The types of events about posts."""
READ_LOG = Read("read-log", ("auditor",))
"""The entries of the log: what was done by all units, and when, without any content."""


def reading_of_event(unit: str | None, of_its_matters: Iterable[Reading | None], ctx: Ctx) -> Reading | None:
    """How much of an event of `unit` the actor reads; None for nothing."""
    return Reading() if READ_EVENT.covers(unit, ctx) else widest(of_its_matters)


def readers(ctx: Ctx) -> frozenset[str]:
    """The units of whose readings the actor learns: those below its own; at the root also its own, for an auditor."""
    listed = READ_READINGS.listed(ctx)
    units = frozenset(ctx.offices.ever if listed is None else filter(None, listed))
    is_auditor = READ_READINGS.units(ctx) is None and "auditor" in ctx.actor.roles
    return units if is_auditor else units - {ctx.actor.unit or ""}


def hidden_types(ctx: Ctx) -> frozenset[str]:
    """The types of events that stand in lists of their own, for fewer people, and not among all events.

    Readings are told among the events to an auditor of the root. Referrals are told to those who read them anyhow.
    """
    sees_readings = "auditor" in ctx.actor.roles and READ_EVENT.units(ctx) is None
    hidden = set() if sees_readings else set(READINGS)
    return frozenset(hidden if READ_REFERRAL.of_role(ctx) else hidden | REFERRALS)
