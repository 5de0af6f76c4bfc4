"""Who may read what of the record.

Staff read the acts of their own unit and the units below it. Of a matter, they read as much as the part of these units
allows.
"""

from collections.abc import Iterable
from typing import Any

from schemas.envelope import Event, Undecodable, UnknownType
from schemas.triage import IncidentAbsorbed, IncidentReportDetached, IncidentSplit, standing_of
from services.kernel.access.rights import Read
from services.kernel.core.decider import Ctx
from services.kernel.core.standings import Moment, Reading, Standing, widest

LEAVING = (IncidentSplit, IncidentReportDetached, IncidentAbsorbed)
"""Types of events by which reports leave an incident, or come back with a merged one."""


def reports_left(events: Iterable[Event]) -> dict[str, Moment]:
    """Report -> the event by which it left, from events of `LEAVING` in order."""
    gone: dict[str, Moment] = {}
    for event in events:
        moment = Moment(event.version, event.recorded_text)
        match data_of(event):
            case IncidentSplit(reports=reports):
                gone |= dict.fromkeys(reports, moment)
            case IncidentReportDetached(report=report):
                gone[report] = moment
            case IncidentAbsorbed(reports=reports):
                gone = {report: moment for report, moment in gone.items() if report not in reports}
    return gone


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
"""Who read what citizens wrote: for the unit above the reader's, and for reviewers."""
SEAL_ARCHIVE = Read("seal-archive", ("chief", "auditor"))
"""Leaders and reviewers of a unit with a part in the matter seal its file."""
READ_ARCHIVE = Read("read-archive", ("chief", "approver", "auditor"))
"""They consult it, too, each time for a purpose."""
EXPORT_TIMELINE = Read("export-timeline", ("chief", "auditor"))
"""They give the masked record to somebody outside."""
READ_EVENT = Read("read-event")
"""Events: also those of acts of the reader's units."""

READ_LOG = Read("read-log", ("auditor",))
"""The entries of the log: what was done by all units, and when, without any content."""


def reading_of_event(unit: str | None, of_its_matters: Iterable[Reading | None], ctx: Ctx) -> Reading | None:
    """How much of an event of `unit` the actor reads; None for nothing."""
    return Reading() if READ_EVENT.covers(unit, ctx) else widest(of_its_matters)


def readers(ctx: Ctx) -> frozenset[str]:
    """The units of whose readings the actor learns: those below its own; at the root also its own, for an auditor."""
    units = READ_READINGS.units(ctx)
    if units is None:
        own = set() if "auditor" in ctx.actor.roles else {ctx.actor.unit}
        return frozenset(ctx.offices.ever) - own
    return frozenset(units) - {ctx.actor.unit or ""}


def sees_readings(ctx: Ctx) -> bool:
    """Whether readings stand among the events that the actor lists: for an auditor of the root."""
    return "auditor" in ctx.actor.roles and READ_EVENT.units(ctx) is None
