"""The list of matters as they were: at an instant of what happened, as known at an instant of what was recorded.

A filter asks for the newest mark of a kind among those within the axes. So what arrives late changes no past answer on
the axis of what was known. Rights are as they were known then, too: a matter stands in the list of the units that had
a part in it at `known_at`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import ColumnElement, CompoundSelect, ScalarSelect, Select, and_, func, or_, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import upcast
from schemas.envelope import Event
from schemas.triage import STANDING
from services.audit.matters.marks import ASIDE, CLOCK, CONSULTED, DRILL, LATE, matter
from services.audit.queries import Axes, linked, within, without_remarks
from services.audit.rights import standing_after
from services.audit.views import ENTRIES, JOINED, LEFT, LINKS, MARKS, METADATA, NAMED, OPENED, SAID, TIMELINE
from services.kernel.core.standings import Units
from services.kernel.core.units import Offices
from services.kernel.serving.paging import must_be_known
from services.kernel.store import sql, word_index

State = Literal["open", "assigned", "accepted", "resolved", "closed", "dismissed", "merged"]
ClockState = Literal["running", "met", "cancelled", "breached"]
STEP = 500
"""At most so many candidates are looked at in one step. The first step looks at about twice the page."""
SPAN = 2000
"""A filter first looks among so many matters, the newest, and each time among four times as many. So no plan of the
database looks at all of them before it answers with a page."""
FEW = 1000
"""If the units had so few parts in matters, the list looks at these matters alone, however many others there are."""
TEXTS = 1000
"""At most so many texts are looked at for a word, the newest."""
_CONTENTS = METADATA.tables["contents"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filters of the list; None filters nothing."""

    number: str | None = None
    units: frozenset[str] | None = None
    """Accountable units."""
    post: str | None = None
    types: tuple[str, ...] | None = None
    level: str | None = None
    category: str | None = None
    state: str | None = None
    clock: str | None = None
    clock_state: str | None = None
    from_: str | None = None
    to: str | None = None
    words: str | None = None
    drill: bool | None = None
    """Only exercises, or only real matters."""


async def page(
    connection: AsyncConnection, wanted: Wanted, axes: Axes, units: Units, before: int | None, limit: int
) -> tuple[list[dict[str, Any]], int | None, bool]:
    """Matters that were opened before the position `before`, newest first.

    Also the position for the next page, or None at the end; and whether all texts with the words were looked at.
    `units` are those for which the actor reads, None for all.
    """
    conditions, complete = await _conditions(connection, wanted, axes)
    own = await _own(connection, wanted, axes, units)
    rows: list[Any] = []
    step, span = min(STEP, 2 * limit + 1), SPAN
    while len(rows) <= limit:
        first = await _first(connection, before, span) if conditions and wanted.number is None else None
        chosen = _candidates(conditions, axes, own, first, before, step)
        candidates = (await connection.execute(chosen)).all()
        rows += await _readable(connection, candidates, axes, units)
        if len(candidates) == step:
            before = candidates[-1].position
        elif first is not None:
            before, span = first, 4 * span
        else:
            break
        # Where most are not readable, a small page would ask again and again.
        step = min(STEP, 4 * step)
    shown = rows[:limit]
    next_ = shown[-1].position if len(rows) > limit else None
    return await _described(connection, shown, axes), next_, complete


async def _own(connection: AsyncConnection, wanted: Wanted, axes: Axes, units: Units) -> list[Any]:
    """The conditions on matters in which one of the units had a part: by their ids, if they are few."""
    # A number is asked by the index by value, and the newest by the one in the order of the list.
    opened = OPENED if wanted.number is None else MARKS.c.kind == "opened"
    if units is None:
        return [opened]
    part = MARKS.alias()
    # Rights follow what was recorded, whenever it happened.
    had = (part.c.kind == "part", part.c.value.in_(sorted(filter(None, units))))
    known = (*had, *replace(axes, as_of=None).within(part))
    if wanted.number is None:
        # Without DISTINCT: for that, PostgreSQL reads all of them before it answers the first.
        few = select(part.c.incident_id).where(*known).limit(FEW + 1)
        parts = (await connection.execute(few)).scalars().all()
        if len(parts) <= FEW:
            return [MARKS.c.kind == "opened", MARKS.c.incident_id.in_(sorted(set(parts)))]
    of_it = part.c.incident_id == MARKS.c.incident_id
    return [opened, select(part.c.position).where(of_it, *known).correlate(MARKS).exists()]


async def _first(connection: AsyncConnection, before: int | None, span: int) -> int | None:
    """The position of the first of so many matters that were opened before a position; None if there are fewer."""
    earlier = [OPENED] if before is None else [OPENED, MARKS.c.position < before]
    chosen = select(MARKS.c.position).where(*earlier).order_by(MARKS.c.position.desc()).offset(span - 1).limit(1)
    found: int | None = (await connection.execute(chosen)).scalar()
    return found


def _candidates(
    conditions: Sequence[ColumnElement[bool]],
    axes: Axes,
    own: Sequence[Any],
    first: int | None,
    before: int | None,
    limit: int,
) -> Select[Any]:
    opened = MARKS
    wanted = [*own, *axes.within(opened), *conditions]
    if first is not None:
        wanted.append(opened.c.position >= first)
    if before is not None:
        wanted.append(opened.c.position < before)
    chosen = select(opened.c.incident_id, opened.c.position, opened.c.time, opened.c.recordedtime)
    return chosen.where(and_(*wanted)).order_by(opened.c.position.desc()).limit(limit)


async def _conditions(
    connection: AsyncConnection, wanted: Wanted, axes: Axes
) -> tuple[list[ColumnElement[bool]], bool]:
    found: list[ColumnElement[bool]] = []
    complete = True
    if wanted.number is not None:
        found.append(MARKS.c.value == wanted.number)
    if wanted.from_ is not None:
        found.append(MARKS.c.time >= wanted.from_)
    if wanted.to is not None:
        found.append(MARKS.c.time <= wanted.to)
    if wanted.units is not None:
        found.append(_is("unit", axes, sorted(wanted.units)))
    for kind, value in (("level", wanted.level), ("category", wanted.category)):
        if value is not None:
            found.append(_is(kind, axes, [value]))
    if wanted.drill is not None:
        found.append(_has(DRILL, axes) if wanted.drill else ~_has(DRILL, axes))
    if wanted.state is not None:
        found += _in_state(wanted.state, axes)
    if wanted.clock is not None or wanted.clock_state is not None:
        found.append(_has_clock(wanted.clock, wanted.clock_state, axes))
    if wanted.types is not None or wanted.post is not None:
        found.append(_has_event(wanted.types, wanted.post, axes))
    for word in (wanted.words or "").split():
        refs, all_of_them = await word_index.holding(connection, word, (SAID.c.ref,), TEXTS)
        complete = complete and all_of_them
        found.append(MARKS.c.incident_id.in_(_saying(refs, axes)))
    return found, complete


def _is(kind: str, axes: Axes, values: Sequence[str]) -> ColumnElement[bool]:
    """Whether the newest mark of a kind has one of these values."""
    return _newest(kind, axes).in_(values)


def _newest(kind: str, axes: Axes) -> ScalarSelect[str]:
    """The value of the newest mark of a kind."""
    one = MARKS.alias()
    mine = (one.c.incident_id == MARKS.c.incident_id, one.c.kind == kind)
    chosen = select(one.c.value).where(*mine, *axes.within(one)).order_by(one.c.version.desc()).limit(1)
    return chosen.correlate(MARKS).scalar_subquery()


def _is_newest(one: Any, axes: Axes) -> ColumnElement[bool]:
    later = MARKS.alias()
    mine = (later.c.incident_id == one.c.incident_id, later.c.kind == one.c.kind, later.c.version > one.c.version)
    return ~select(later.c.position).where(*mine, *axes.within(later)).correlate(one).exists()


def _has(kind: str, axes: Axes) -> ColumnElement[bool]:
    """Whether there is a value of a kind."""
    return func.coalesce(_newest(kind, axes), "") != ""


def _in_state(state: str, axes: Axes) -> list[ColumnElement[bool]]:
    """See `marks.matter`."""
    if state == "merged":
        return [_has("merged", axes)]
    if state in ("resolved", "closed", "dismissed"):
        return [~_has("merged", axes), _is("ended", axes, [state])]
    return [~_has("merged", axes), ~_has("ended", axes), _is("work", axes, [state])]


def _has_clock(name: str | None, state: str | None, axes: Axes) -> ColumnElement[bool]:
    """Whether the matter had a limit of this name in this state. `breached` is a missed one, also if met late."""
    kind = LATE if state == "breached" else CLOCK
    if name is not None:
        return _is(kind + name, axes, [state]) if state else _has(kind + name, axes)
    one = MARKS.alias()
    mine = [one.c.incident_id == MARKS.c.incident_id, one.c.kind.between(kind, kind[:-1] + ";")]
    mine.append(one.c.value == state if state else one.c.value != "")
    return select(one.c.position).where(*mine, *axes.within(one), _is_newest(one, axes)).correlate(MARKS).exists()


def _has_event(types: Sequence[str] | None, post: str | None, axes: Axes) -> ColumnElement[bool]:
    of = axes.within(TIMELINE)
    if types is not None:
        of.append(TIMELINE.c.type.in_(types))
    if post is not None:
        of.append(TIMELINE.c.actor == post)
    entry = select(ENTRIES.c.position).join(TIMELINE, TIMELINE.c.position == ENTRIES.c.position)
    of_stream = and_(LINKS.c.incident_id == ENTRIES.c.incident_id, LINKS.c.stream_id == TIMELINE.c.stream_id)
    entry = entry.join(LINKS, of_stream).where(ENTRIES.c.incident_id == MARKS.c.incident_id, *of, *_belonging(axes))
    alone = select(NAMED.c.position).join(TIMELINE, TIMELINE.c.position == NAMED.c.position)
    alone = alone.where(NAMED.c.incident_id == MARKS.c.incident_id, *of, *without_remarks())
    return or_(entry.correlate(MARKS).exists(), alone.correlate(MARKS).exists())


def _saying(refs: Iterable[str], axes: Axes) -> CompoundSelect[Any]:
    """The matters to which the events belong that refer to these texts."""
    holding = select(sql.mapped(dict.fromkeys(refs, "")).c.key)
    of = (SAID.c.ref.in_(holding), *axes.within(TIMELINE))
    said = select(LINKS.c.incident_id).join(TIMELINE, TIMELINE.c.stream_id == LINKS.c.stream_id)
    said = said.join(SAID, SAID.c.position == TIMELINE.c.position).where(*of, *_belonging(axes))
    alone = select(NAMED.c.incident_id).join(TIMELINE, TIMELINE.c.position == NAMED.c.position)
    alone = alone.join(SAID, SAID.c.position == TIMELINE.c.position).where(*of, *without_remarks())
    return union(said, alone)


def _belonging(axes: Axes) -> list[ColumnElement[bool]]:
    """Whether an event of a linked stream belonged to the matter, by what was known.

    Which streams are of a matter is known from when it was recorded, whenever the events happened. What was recorded on
    a report after it left is about another matter.
    """
    t, gone, back = TIMELINE.c, LEFT.alias(), JOINED.alias()
    of = LINKS.c.incident_id
    # Of one instant, the later position is the later one: a stream may have several events in it.
    again = or_(
        back.c.recordedtime > gone.c.recordedtime,
        and_(back.c.recordedtime == gone.c.recordedtime, back.c.position > gone.c.position),
    )
    came = and_(back.c.incident_id == of, back.c.report_id == t.stream_id, again)
    came_back = select(back.c.position).where(came, *within(back, axes.size, axes.known_at))
    left = and_(gone.c.incident_id == of, gone.c.report_id == t.stream_id, gone.c.recordedtime < t.recordedtime)
    leaving = select(gone.c.position).where(left, *within(gone, axes.size, axes.known_at))
    leaving = leaving.where(~came_back.correlate(gone, LINKS, TIMELINE).exists())
    return [*linked(axes.size, axes.known_at), ~leaving.correlate(LINKS, TIMELINE).exists()]


async def _readable(connection: AsyncConnection, candidates: Sequence[Any], axes: Axes, units: Units) -> list[Any]:
    """Those in which one of the units had a part at `known_at`, or at the merger."""
    if units is None:
        return list(candidates)
    t = TIMELINE.c
    known = [t.position < axes.size]
    if axes.known_at is not None:
        known.append(t.recordedtime <= axes.known_at)
    ids = [row.incident_id for row in candidates]
    says = t.type.in_(upcast.types_of(*STANDING))
    chosen = select(t.stream_id, t.bytes).where(t.stream_id.in_(ids), says, *known).order_by(t.version)
    events: dict[str, list[Event]] = defaultdict(list)
    for row in await connection.execute(chosen):
        events[row.stream_id].append(Event.parse(row.bytes))
    return [row for row in candidates if not standing_after(events[row.incident_id]).units.isdisjoint(units)]


async def _described(connection: AsyncConnection, rows: Sequence[Any], axes: Axes) -> list[dict[str, Any]]:
    ids = [row.incident_id for row in rows]
    chosen = select(MARKS.c.incident_id, MARKS.c.kind, MARKS.c.value)
    chosen = chosen.where(MARKS.c.incident_id.in_(ids), MARKS.c.kind.not_in((CONSULTED, ASIDE)), *axes.within(MARKS))
    chosen = chosen.order_by(MARKS.c.version)
    newest: Mapping[str, dict[str, str]] = defaultdict(dict)
    for incident, kind, value in await connection.execute(chosen):
        newest[incident][kind] = value
    return [
        {
            "incident_id": row.incident_id,
            **matter(newest[row.incident_id])._asdict(),
            "opened_at": row.time,
            "recorded_at": row.recordedtime,
            "position": row.position,
        }
        for row in rows
    ]


async def must_stand(
    connection: AsyncConnection,
    offices: Offices,
    level: str | None = None,
    category: str | None = None,
    clock: str | None = None,
) -> None:
    """Raises `Malformed` for a level, a category or a limit that no pack or list has, and that no matter ever had."""
    packs = [pack.model for pack in offices.packs.values()]
    asked = (
        ("level", level, {one.code for pack in packs for one in pack.levels}),
        ("category", category, set(offices.lists.categories)),
        ("clock", clock, {name for pack in packs for name in pack.timed}),
    )
    for kind, value, known in asked:
        if value is not None and value not in known and not await _stands(connection, kind, value):
            must_be_known(kind, value, known.union(await _values(connection, kind)))


async def _stands(connection: AsyncConnection, kind: str, value: str) -> bool:
    """Whether any matter ever had this value of a kind, or a limit of this name."""
    mine = [MARKS.c.kind == CLOCK + value] if kind == "clock" else [MARKS.c.kind == kind, MARKS.c.value == value]
    return (await connection.execute(select(MARKS.c.position).where(*mine).limit(1))).first() is not None


async def _values(connection: AsyncConnection, kind: str) -> list[str]:
    """The values of a kind that any matter ever had, or the names of its limits."""
    if kind != "clock":
        chosen = select(MARKS.c.value).distinct().where(MARKS.c.kind == kind, MARKS.c.value != "")
        return list((await connection.execute(chosen)).scalars())
    chosen = select(MARKS.c.kind).distinct().where(MARKS.c.kind.between(CLOCK, CLOCK[:-1] + ";"))
    return [name.removeprefix(CLOCK) for name in (await connection.execute(chosen)).scalars()]
