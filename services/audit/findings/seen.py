"""What rules and decisions on findings read: the record of a matter, and who worked on it."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import catalogue, upcast
from schemas import escalation as e
from schemas import ingest as i
from schemas import publish as p
from schemas import triage as t
from schemas.envelope import Event
from schemas.fields import instant
from schemas.findings import FindingMade
from schemas.operation import OperationSeparationRefused
from schemas.words import WordsErased
from services.audit import queries
from services.audit.findings.matter import Placed, Record, placed
from services.audit.inspections.rights import READ_INSPECTION
from services.audit.matters.marks import ASIDE
from services.audit.views import FINDINGS, JUDGED, LINKS, MARKS, PUBLICATIONS, TIMELINE
from services.kernel.access.approving import acting_posts
from services.kernel.core.decider import Ctx
from services.kernel.core.units import Offices
from services.kernel.delivery import operations
from services.kernel.store.views import Row

REPORTS = 200
"""So many reports of a matter are read: the first ones."""
OWN = 1
"""The row of `judged` with the position up to which the record was judged."""
TEXTS = 200
"""So many earlier statements of a unit are compared with a new one."""
READ = upcast.types_of(
    *(
        e.ClockStarted,
        e.ClockMet,
        e.ClockBreached,
        e.ClockBreachAnnulled,
        e.ClockCancelled,
        e.ClockReminderSent,
        e.ClockReportedUpward,
        e.ClockReceiptGiven,
        e.ClockReceiptRefused,
        i.ReportErased,
        t.IncidentOpened,
        t.IncidentTransferred,
        t.IncidentAssigned,
        t.IncidentReturned,
        t.IncidentAccepted,
        t.IncidentPlanMade,
        t.IncidentTeamNamed,
        t.IncidentPlanStarted,
        t.IncidentHandlingRecorded,
        t.IncidentSolved,
        t.IncidentRegraded,
        t.IncidentFactEstablished,
        t.IncidentFactRevised,
        t.IncidentVerificationConcluded,
        t.IncidentProposed,
        t.IncidentExplained,
        t.IncidentReplied,
        t.IncidentResolved,
        t.IncidentClosed,
        t.IncidentDismissed,
        t.IncidentReopened,
        p.StatementDrafted,
        p.StatementPublished,
    )
)
"""The types of events that rules look at."""
RECEIVED = upcast.types_of(i.ReportReceived)
GAPS = upcast.types_of(e.RosterDutyGapFound)
REVIEWING = upcast.types_of(e.ClockAnnulmentAsked, e.ClockBreachAnnulled)
"""What auditors do there is no work on the matter."""


async def position(connection: AsyncConnection) -> int:
    """Up to which position everything was judged."""
    return (await connection.execute(select(JUDGED.c.position).where(JUDGED.c.id == OWN))).scalar() or 0


async def reached(connection: AsyncConnection, after: int, size: int, until: datetime) -> int:
    """The first position from `after` on whose event was recorded at `until` or later; else `size`."""
    t_ = TIMELINE.c
    chosen = select(func.min(t_.position)).where(
        t_.position >= after, t_.position < size, t_.recordedtime >= instant(until)
    )
    first: int | None = (await connection.execute(chosen)).scalar()
    return size if first is None else first


async def changed(connection: AsyncConnection, after: int, size: int) -> list[str]:
    """The matters and desks with something new at the positions from `after` on and below `size`, in order."""
    t_ = TIMELINE.c
    new = (t_.position >= after, t_.position < size)
    linked = select(LINKS.c.incident_id).join(TIMELINE, LINKS.c.stream_id == t_.stream_id)
    found = set((await connection.execute(linked.where(*new, LINKS.c.position < size))).scalars())
    found |= set((await connection.execute(select(t_.stream_id).where(*new, t_.type.in_(GAPS)))).scalars())
    named = select(MARKS.c.incident_id).where(MARKS.c.kind == ASIDE, MARKS.c.position >= after, MARKS.c.position < size)
    found |= set((await connection.execute(select(LINKS.c.incident_id).where(LINKS.c.stream_id.in_(named)))).scalars())
    return sorted(found)


def _named(data: WordsErased | OperationSeparationRefused) -> str:
    return data.stream if isinstance(data, WordsErased) else data.record


async def record(connection: AsyncConnection, id_: str, size: int, until: datetime, offices: Offices) -> Record:
    """The record of a matter or a desk: what was recorded before `until` and stands in the first `size` positions."""
    t_ = TIMELINE.c
    known = (t_.position < size, t_.recordedtime < instant(until))
    if not id_.startswith("incident-"):
        return Record(id_, await _placed(connection, *known, t_.stream_id == id_), offices)
    # Queries of `known_at` include its instant.
    before = instant(until - timedelta(microseconds=1))
    streams = queries.members([id_], size, before)
    # What was merged into the matter has its own record.
    own = (t_.stream_id.in_(streams), or_(t_.stream_id == id_, ~t_.stream_id.between("incident-", "incident.")))
    events = await _placed(connection, *known, *own, t_.type.in_(READ))
    events += await _placed(connection, *known, *own, t_.type.in_(RECEIVED), limit=REPORTS)
    gone = await queries.gone(connection, [id_], queries.Axes(size, None, before))
    named = select(MARKS.c.position).where(MARKS.c.kind == ASIDE, MARKS.c.incident_id.in_(streams))
    aside = await _placed(connection, *known, t_.position.in_(named))
    events += tuple(one for one in aside if one.data and _named(one.data) not in gone)
    events = tuple(sorted((one for one in events if one.event.stream not in gone), key=lambda one: one.order))
    published = [one for one in events if isinstance(one.data, p.StatementPublished)]
    texts = await _texts(connection, known, published) if published else ()
    return Record(id_, events, offices, texts)


async def _texts(
    connection: AsyncConnection, known: tuple[ColumnElement[bool], ...], published: Iterable[Placed]
) -> tuple[Placed, ...]:
    """For each statement, the last ones that its unit published before it, without those of exercises."""
    t_, found = TIMELINE.c, dict[str, Placed]()
    for one in published:
        before = (PUBLICATIONS, t_.unit == one.event.unit, t_.recordedtime < one.event.recorded_text)
        chosen = select(t_.position, t_.bytes).where(*known, *before)
        chosen = chosen.order_by(t_.recordedtime.desc(), t_.event_id.desc()).limit(TEXTS)
        for row in await connection.execute(chosen):
            text = placed(row.position, row.bytes)
            if not text.event.drill:
                found[text.event.id] = text
    return tuple(sorted((one for one in found.values() if one.data), key=lambda one: one.order))


async def _placed(
    connection: AsyncConnection, *wanted: ColumnElement[bool], limit: int | None = None
) -> tuple[Placed, ...]:
    t_ = TIMELINE.c
    chosen = select(t_.position, t_.bytes).where(*wanted).order_by(t_.recordedtime, t_.event_id)
    rows = await connection.execute(chosen if limit is None else chosen.limit(limit))
    return tuple(placed(row.position, row.bytes) for row in rows)


async def known(connection: AsyncConnection, record_id: str) -> list[Row]:
    """The findings of a record, whoever proposed them."""
    chosen = select(FINDINGS).where(FINDINGS.c.record == record_id).order_by(FINDINGS.c.finding_id)
    return [dict(row) for row in (await connection.execute(chosen)).mappings()]


async def unheard(connection: AsyncConnection, until: datetime, limit: int) -> list[str]:
    """The findings of which the office was to be heard before an instant, the earliest first."""
    of = FINDINGS.c
    chosen = select(of.finding_id).where(of.stage == "proposed", of.hear_by < instant(until))
    return list((await connection.execute(chosen.order_by(of.hear_by, of.finding_id).limit(limit))).scalars())


async def stuck(connection: AsyncConnection, tables: Mapping[str, Any], consumer: str, records: list[str]) -> set[str]:
    """Those of the records of which a stream is parked, or a record waits as a dead letter."""
    parked, aside = tables["parked"], tables["dead_letters"]
    found = set[str]()
    for table, mine in ((parked, parked.c.consumer == consumer), (aside, operations.lacking(tables, consumer))):
        both = union_all(
            select(table.c.correlation.label("id")).where(mine, table.c.correlation.in_(records)),
            select(table.c.stream_id.label("id")).where(mine, table.c.stream_id.in_(records)),
        )
        found |= set((await connection.execute(both)).scalars())
    return found


# for commands


async def for_finding(connection: AsyncConnection, stream: str, made: FindingMade | None, ctx: Ctx) -> dict[str, Any]:
    """The content of `ctx.seen` for a decision of staff on a finding."""
    handled = made is not None and made.incident is not None and await worked(connection, made.incident, ctx)
    return {"stream": stream, "handled": handled}


async def worked(connection: AsyncConnection, incident: str, ctx: Ctx) -> bool:
    """Whether the actor's post, or the person, worked on a matter.

    A person is known within each stream by a keyed digest, which only this person's own acts give again.
    """
    t_ = TIMELINE.c
    streams = select(LINKS.c.stream_id).where(LINKS.c.incident_id == incident)
    of_work = or_(*(t_.stream_id.between(f"{kind}-", f"{kind}.") for kind in sorted(catalogue.WORKED_ON)))
    work = [t_.stream_id.in_(streams), of_work, t_.actor != "system", t_.type.not_in(REVIEWING)]
    chosen = select(t_.position).where(*work, t_.actor.in_(sorted(acting_posts(ctx)))).limit(1)
    if (await connection.execute(chosen)).first() is not None:
        return True
    digests = dict[str, str]()
    for bytes_ in (await connection.execute(select(t_.bytes).where(*work, ~t_.actor.like("integration-%")))).scalars():
        event = Event.parse(bytes_)
        if event.by is not None and event.by == digests.setdefault(event.stream, ctx.by(event.stream)):
            return True
    return False


async def positions(
    connection: AsyncConnection, incident: str, size: int, ids: Collection[str], ctx: Ctx, until: str | None = None
) -> dict[str, int]:
    """Those of the events that stand in a matter's record, as its timeline shows it to the actor by the instant `until`
    -> their positions.
    """
    t_ = TIMELINE.c
    wanted = [t_.event_id.in_(ids), *queries.heard(READ_INSPECTION.units(ctx))]
    there = (await queries.of_incident(connection, incident, size, until, wanted)).subquery()
    chosen = select(t_.event_id, t_.position).join(there, there.c.position == t_.position)
    return {row.event_id: row.position for row in await connection.execute(chosen)}
