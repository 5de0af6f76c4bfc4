"""What drafts and decisions on reviews read: the ends of matters, the course of one, and proposals to change packs."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import offices as o
from schemas import upcast
from schemas.envelope import Event
from schemas.triage import IncidentClosed, IncidentOpened, IncidentReopened, IncidentResolved, IncidentTransferred
from services.audit import queries
from services.audit.findings.matter import Placed, placed
from services.audit.naming import offices_at
from services.audit.queries import Axes, happened
from services.audit.review.course import Course
from services.audit.review.rights import LessonState
from services.audit.review.streams import review_of
from services.audit.views import DECIDED, FINDINGS, JUDGED, METADATA, NAMED, TIMELINE
from services.kernel.core.units import Offices

ENDS = upcast.types_of(IncidentResolved, IncidentClosed)
PROPOSED = upcast.types_of(o.PolicyLessonRecorded)
SETTLING = upcast.types_of(o.PolicyLessonDeclined, o.PolicyPackLoaded)
MOVES = upcast.types_of(IncidentOpened, IncidentTransferred, IncidentReopened)
OWN = 2
"""The row of `judged` with the position up to which reviews were drafted."""
PAGE = 2000


async def position(connection: AsyncConnection) -> int:
    """Up to which position everything was drafted."""
    return (await connection.execute(select(JUDGED.c.position).where(JUDGED.c.id == OWN))).scalar() or 0


async def ended(connection: AsyncConnection, begin: int, end: int, limit: int) -> list[Placed]:
    """The events at the positions from `begin` on and below `end` by which a matter was steady or over."""
    t = TIMELINE.c
    chosen = select(t.position, t.bytes).where(t.position >= begin, t.position < end, t.type.in_(ENDS))
    rows = await connection.execute(chosen.order_by(t.position).limit(limit))
    return [placed(row.position, row.bytes) for row in rows]


async def findings_on_their_way(connection: AsyncConnection, incident: str, size: int) -> bool:
    """Whether a finding on the matter has events that the first `size` positions lack."""
    events, t = METADATA.tables["events"], TIMELINE.c
    streams = select(FINDINGS.c.finding_id).where(FINDINGS.c.record == incident)
    own = select(func.count()).select_from(events).where(events.c.stream_id.in_(streams))
    taken = select(func.count()).select_from(TIMELINE).where(t.stream_id.in_(streams), t.position < size)
    return bool((await connection.execute(own)).scalar() != (await connection.execute(taken)).scalar())


async def own(connection: AsyncConnection, incident: str, size: int, offices: Offices) -> Course:
    """What moved the matter itself in the first `size` positions: who was accountable, and in which round it was."""
    t = TIMELINE.c
    chosen = select(t.position, t.bytes).where(t.stream_id == incident, t.position < size, DECIDED, t.type.in_(MOVES))
    rows = await connection.execute(chosen.order_by(t.version))
    return Course(incident, tuple(placed(row.position, row.bytes) for row in rows), offices)


async def course(connection: AsyncConnection, incident: str, axes: Axes, offices: Offices) -> Course:
    """The course of a matter on these axes, without remarks of inspections. `offices` are those of now."""
    found, after = list[Placed](), queries.FIRST
    told = [*happened(axes.as_of), *queries.without_remarks()]
    while True:
        page, next_ = await queries.timeline(connection, incident, axes.size, axes.known_at, told, after, PAGE)
        found += [placed(row.position, row.bytes) for row in page]
        if next_ is None:
            break
        after = next_
    then = await offices_at(connection, axes, offices)
    incidents = await queries.family(connection, incident, axes.size, axes.known_at)
    return Course(incident, tuple(found), then, await queries.gone(connection, incidents, axes))


class Proposals(NamedTuple):
    """The numbered proposals of some matters to change packs."""

    of: Mapping[int, str]
    """Number -> the matter that made it."""
    settled: Mapping[int, LessonState]
    """Those that a version answered (`done`) or that were declined (`dropped`)."""
    by: Mapping[int, str]
    """Number -> the version that answers it, as `pack@version`."""


async def proposals(connection: AsyncConnection, axes: Axes, incidents: Collection[str]) -> Proposals:
    """The proposals of these matters on these axes."""
    t, within = TIMELINE.c, axes.within(TIMELINE)
    named = select(NAMED.c.position).where(NAMED.c.incident_id.in_(incidents))
    chosen = select(t.position, t.bytes).where(t.position.in_(named), t.type.in_(PROPOSED), *within)
    made = (await connection.execute(chosen.order_by(t.position))).all()
    of = {data.lesson: data.incident for data in (Event.parse(row.bytes).data for row in made)}
    settled, by = dict[int, LessonState](), dict[int, str]()
    if not made:
        return Proposals(of, settled, by)
    chosen = select(t.bytes).where(t.type.in_(SETTLING), t.position > made[0].position, *within).order_by(t.position)
    for bytes_ in (await connection.execute(chosen)).scalars():
        match Event.parse(bytes_).data:
            case o.PolicyLessonDeclined() as data if data.lesson in of:
                settled[data.lesson] = "dropped"
            case o.PolicyPackLoaded() as data:
                answered = of.keys() & data.lessons
                settled |= dict.fromkeys(answered, "done")
                by |= dict.fromkeys(answered, f"{data.pack}@{data.version}")
    return Proposals(of, settled, by)


async def for_review(connection: AsyncConnection, incident: str, size: int, draft: Any = None) -> dict[str, Any]:
    """The content of `ctx.seen` for a decision of staff on the review of a matter."""
    found, stream = await proposals(connection, Axes(size), [incident]), review_of(incident)
    return {"stream": stream, "log_size": size, "draft": draft, "proposals": found.of, "settled": found.settled}
