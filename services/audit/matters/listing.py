"""The list of matters as they were: at an instant of what happened, as known at an instant of what was recorded.

A filter asks for the newest mark of a kind among those within the axes. So what arrives late changes no past answer on
the axis of what was known. Rights are as they were known then, too: a matter stands in the list of the units that had
a part in it at `known_at`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import upcast
from schemas.envelope import Event
from schemas.triage import STANDING
from services.audit.matters.marks import CLOCK, CONSULTED, LATE, matter
from services.audit.queries import Axes
from services.audit.rights import standing_after
from services.audit.views import ENTRIES, LINKS, MARKS, METADATA, SAID, TIMELINE
from services.kernel.core.standings import Units
from services.kernel.store import sql, word_index

STEP = 500
"""So many candidates are looked at in one step."""
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


async def page(
    connection: AsyncConnection, wanted: Wanted, axes: Axes, units: Units, before: int | None, limit: int
) -> tuple[list[dict[str, Any]], int | None, bool]:
    """Matters that were opened before the position `before`, newest first.

    Also the position for the next page, or None at the end; and whether all texts with the words were looked at.
    `units` are those for which the actor reads, None for all.
    """
    conditions, complete = await _conditions(connection, wanted, axes)
    rows: list[Any] = []
    while len(rows) <= limit:
        chosen = _candidates(conditions, axes, units, before, min(STEP, 2 * limit + 1))
        candidates = (await connection.execute(chosen)).all()
        if not candidates:
            break
        before = candidates[-1].position
        rows += await _readable(connection, candidates, axes, units)
    shown = rows[:limit]
    next_ = shown[-1].position if len(rows) > limit else None
    return await _described(connection, shown, axes), next_, complete


def _candidates(
    conditions: Sequence[ColumnElement[bool]], axes: Axes, units: Units, before: int | None, limit: int
) -> Select[Any]:
    opened = MARKS
    wanted = [opened.c.kind == "opened", *axes.within(opened), *conditions]
    if before is not None:
        wanted.append(opened.c.position < before)
    if units is not None:
        part = MARKS.alias()
        mine = (part.c.incident_id == opened.c.incident_id, part.c.kind == "part", part.c.value.in_(sorted(units)))
        # Rights follow what was recorded, whenever it happened.
        wanted.append(select(part.c.position).where(*mine, *replace(axes, as_of=None).within(part)).exists())
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
    one = MARKS.alias()
    mine = (one.c.incident_id == MARKS.c.incident_id, one.c.kind == kind, one.c.value.in_(values))
    return select(one.c.position).where(*mine, *axes.within(one), _is_newest(one, axes)).correlate(MARKS).exists()


def _is_newest(one: Any, axes: Axes) -> ColumnElement[bool]:
    later = MARKS.alias()
    mine = (later.c.incident_id == one.c.incident_id, later.c.kind == one.c.kind, later.c.version > one.c.version)
    return ~select(later.c.position).where(*mine, *axes.within(later)).correlate(one).exists()


def _has(kind: str, axes: Axes) -> ColumnElement[bool]:
    """Whether there is a value of a kind."""
    one = MARKS.alias()
    mine = (one.c.incident_id == MARKS.c.incident_id, one.c.kind == kind, one.c.value != "")
    return select(one.c.position).where(*mine, *axes.within(one), _is_newest(one, axes)).correlate(MARKS).exists()


def _in_state(state: str, axes: Axes) -> list[ColumnElement[bool]]:
    """See `marks.matter`."""
    if state == "merged":
        return [_has("merged", axes)]
    if state in ("resolved", "closed", "dismissed"):
        return [~_has("merged", axes), _is("ended", axes, [state])]
    return [~_has("merged", axes), ~_has("ended", axes), _is("work", axes, [state])]


def _has_clock(name: str | None, state: str | None, axes: Axes) -> ColumnElement[bool]:
    """Whether the matter had a limit of this name in this state. `breached` is a missed one, also if met late."""
    one, kind = MARKS.alias(), LATE if state == "breached" else CLOCK
    named = one.c.kind == kind + name if name is not None else one.c.kind.between(kind, kind[:-1] + ";")
    mine = [one.c.incident_id == MARKS.c.incident_id, named, one.c.value == state if state else one.c.value != ""]
    return select(one.c.position).where(*mine, *axes.within(one), _is_newest(one, axes)).correlate(MARKS).exists()


def _has_event(types: Sequence[str] | None, post: str | None, axes: Axes) -> ColumnElement[bool]:
    mine = [ENTRIES.c.incident_id == MARKS.c.incident_id, *axes.within(TIMELINE)]
    if types is not None:
        mine.append(TIMELINE.c.type.in_(types))
    if post is not None:
        mine.append(TIMELINE.c.actor == post)
    of = select(ENTRIES.c.position).join(TIMELINE, TIMELINE.c.position == ENTRIES.c.position)
    return of.where(*mine).correlate(MARKS).exists()


def _saying(refs: Iterable[str], axes: Axes) -> Select[Any]:
    """The matters to whose streams the events belong that refer to these texts."""
    holding = select(sql.mapped(dict.fromkeys(refs, "")).c.key)
    said = select(LINKS.c.incident_id).join(TIMELINE, TIMELINE.c.stream_id == LINKS.c.stream_id)
    said = said.join(SAID, SAID.c.position == TIMELINE.c.position)
    return said.where(SAID.c.ref.in_(holding), LINKS.c.position < axes.size, *axes.within(TIMELINE))


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
    chosen = chosen.where(MARKS.c.incident_id.in_(ids), MARKS.c.kind != CONSULTED, *axes.within(MARKS))
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


async def stands_in_marks(connection: AsyncConnection, kind: str, value: str) -> bool:
    """Whether any matter ever had this value of a kind."""
    chosen = select(MARKS.c.position).where(MARKS.c.kind == kind, MARKS.c.value == value).limit(1)
    return (await connection.execute(chosen)).first() is not None


async def values_of(connection: AsyncConnection, kind: str) -> Sequence[str]:
    """The values of a kind that any matter ever had."""
    chosen = select(MARKS.c.value).distinct().where(MARKS.c.kind == kind, MARKS.c.value != "")
    return (await connection.execute(chosen)).scalars().all()


async def has_clock(connection: AsyncConnection, name: str) -> bool:
    """Whether any matter ever had a limit of this name."""
    chosen = select(MARKS.c.position).where(MARKS.c.kind == CLOCK + name).limit(1)
    return (await connection.execute(chosen)).first() is not None


async def clocks(connection: AsyncConnection) -> Sequence[str]:
    """The names of limits that any matter ever had."""
    chosen = select(MARKS.c.kind).distinct().where(MARKS.c.kind.between(CLOCK, CLOCK[:-1] + ";"))
    return [kind.removeprefix(CLOCK) for kind in (await connection.execute(chosen)).scalars()]
