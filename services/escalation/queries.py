"""What answers of escalation read: clocks, reports upward, early warnings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import reduce
from operator import itemgetter
from typing import Any

from sqlalchemy import Select, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from schemas.fields import instant, parse_instant
from services.escalation.clock.leads import Leading, leading
from services.escalation.clock.milestones import accountable, assigned, level_of
from services.escalation.commands import (
    ConfirmDecision,
    Decide,
    GiveNotice,
    InformOffice,
    Receipt,
    ReportBack,
    ReportUpward,
    WritePart,
)
from services.escalation.decider import DECIDER
from services.escalation.rights import (
    OF_A_CLOCK,
    OF_LEAD,
    READ_MATTER,
    RIGHTS,
    Confirming,
    Deciding,
    Noticed,
    Owed,
    Reportable,
    Reported,
    decidable,
    pack_of,
)
from services.escalation.state import State
from services.escalation.upward import obligations
from services.escalation.upward.decisions import deciders, rule_on, stands
from services.escalation.views import (
    CLOCKS,
    DECISIONS,
    INCIDENTS,
    METADATA,
    NOTICES,
    OF_ONE,
    PARTS,
    REPORTS,
    SURGES,
    UNANSWERED,
)
from services.kernel.access.rights import may
from services.kernel.core.decider import Ctx
from services.kernel.core.ids import stream_of
from services.kernel.core.standings import Moment, Reading
from services.kernel.core.units import LoadedPack
from services.kernel.serving import paging
from services.kernel.store import standings
from services.kernel.store.views import Row, folded
from services.kernel.store.words import resolve

COUNTED = 1000
"""Entries are counted up to this number."""
HIDDEN = ("policy", "drill", "goes_on_by", "next_at", "wakes_at", "asked_by", "warns", "granted", "requested_by")
SHOWN = tuple(column.name for column in CLOCKS.columns if column.name not in HIDDEN)


def _row(found: Mapping[Any, Any]) -> Row:
    """A row with plain names: orjson takes SQLAlchemy's quoted names for no strings."""
    return {str(name): value for name, value in found.items()}


async def read_incident(connection: AsyncConnection, incident: str) -> Row | None:
    """The incident's row, or None."""
    found = (await connection.execute(select(INCIDENTS).where(INCIDENTS.c.incident_id == incident))).mappings().first()
    return _row(found) if found else None


async def clocks(
    connection: AsyncConnection,
    ctx: Ctx,
    *,
    incident: str | None = None,
    units: Iterable[str] | None = None,
    state: str | None = None,
    due_before: datetime | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> tuple[list[Row], str | None]:
    """Clocks with which the actor's office is charged, or of matters in which it has a part, by due instant.

    It includes the units below the office, and returns the place of the next page. `units` filters by the charged unit.
    """
    overseen, order = READ_MATTER.listed(ctx), (CLOCKS.c.due, CLOCKS.c.incident_id, CLOCKS.c.clock)
    chosen = _of_incidents().order_by(*order).limit(limit + 1)
    if overseen is not None:
        charged = CLOCKS.c.unit.in_(sorted(overseen))
        chosen = chosen.where(or_(charged, standings.concerns(METADATA, CLOCKS.c.incident_id, overseen)))
    if incident is not None:
        chosen = chosen.where(CLOCKS.c.incident_id == incident)
    if units is not None:
        chosen = chosen.where(CLOCKS.c.unit.in_(sorted(units)))
    if state is not None:
        chosen = chosen.where(CLOCKS.c.state == state)
    if due_before is not None:
        chosen = chosen.where(CLOCKS.c.due < instant(due_before))
    if cursor is not None:
        chosen = chosen.where(tuple_(*order) > paging.place_of(cursor, str, str, str))
    found = [_row(row) for row in (await connection.execute(chosen)).mappings()]
    rows, further = paging.page(found, limit, lambda row: [row[column.name] for column in order])
    known = await standings.read(connection, METADATA, [row["incident_id"] for row in rows])
    return [_shown(row, READ_MATTER.of_matter(known, row["incident_id"], ctx), ctx) for row in rows], further


OF_MATTER = ("number", "unit", "level", "assigned", "merged_into", "policy", "ended")
"""The columns of a matter that are read with its clocks."""


def _of_incidents() -> Select[Any]:
    """Clocks, each with its matter's columns under the names `of_…`."""
    incident = [INCIDENTS.c[name].label(f"of_{name}") for name in OF_MATTER]
    joined = CLOCKS.outerjoin(INCIDENTS, INCIDENTS.c.incident_id == CLOCKS.c.incident_id)
    return select(*CLOCKS.columns, *incident).select_from(joined)


def _shown(row: Row, reading: Reading | None, ctx: Ctx) -> Row:
    """A clock as the API shows it. Of the matter, it holds only what the charged unit may still know."""
    whole = reading is not None and reading.until is None
    return {
        "number": row["of_number"],
        **{name: row[name] for name in SHOWN},
        "late_by": _late_by(row, row["met_at"]),
        "late_by_happened": _late_by(row, row["happened_at"] or row["met_at"]),
        "level": row["of_level"] if whole else None,
        "assigned": row["of_assigned"] if whole else None,
        "may": may(OF_A_CLOCK, _owed(row, ctx), ctx),
    }


def _late_by(row: Row, done: str | None) -> float | None:
    """Seconds from the due instant to the act, if it was late."""
    if done is None or done < row["due"] or (done == row["due"] and not row["due_is_late"]):
        return None
    return (parse_instant(done) - parse_instant(row["due"])).total_seconds()


def _owed(row: Row, ctx: Ctx) -> Owed:
    """The facts that the rights over a clock look at, from its row."""
    policy = row["goes_on_by"] or row["of_policy"]
    pack = pack_of(policy, row["of_unit"] or row["unit"], ctx.offices)
    return Owed(
        row["clock"],
        row["unit"],
        parse_instant(row["due"]),
        ended=bool(row["met_at"] or row["cancelled"]),
        breached=row["breached_at"] is not None,
        asked=row["asked_by"],
        by=ctx.by(stream_of("clock", row["incident_id"])),
        spec=decidable(pack, row["clock"]),
        accountable=row["of_unit"] or "",
        requested=row["requested"],
        requested_by=row["requested_by"],
        granted=row["granted"],
        asker_untold=row["asker_untold"],
        paused=row["paused_at"] is not None,
        deferred=row["cancelled"] == "deferred",
        pack=policy,
        merged=row["of_merged_into"] is not None,
        into=row["of_merged_into"],
        closed=row["of_ended"] == "closed",
    )


async def incident(connection: AsyncConnection, ctx: Ctx, id_: str) -> Row | None:
    """A matter's clocks and reports upward with the actor's `may`; None if the actor may read none of it.

    A former unit reads the state at the end of its part, and the present state of clocks with which it is charged.
    """
    reading = READ_MATTER.of_matter(await standings.read(connection, METADATA, [id_]), id_, ctx)
    row = await read_incident(connection, id_)
    if row is None:
        return None
    if reading is None:
        return await _told(connection, ctx, id_)
    chosen = _of_incidents().where(CLOCKS.c.incident_id == id_).order_by(CLOCKS.c.due, CLOCKS.c.clock)
    now = [_row(found) for found in (await connection.execute(chosen)).mappings()]
    if reading.until is not None:
        return await _then(connection, ctx, row, reading.until, now)
    told = select(REPORTS).where(REPORTS.c.incident_id == id_).order_by(REPORTS.c.at, REPORTS.c.report)
    reports = await _reports(connection, [_row(found) for found in (await connection.execute(told)).mappings()], ctx)
    pack = pack_of(row["policy"], row["unit"], ctx.offices)
    asked = _asked(await _state(connection, id_), pack, ctx)
    reportable = Reportable(
        row["unit"],
        frozenset(report["to"] for report in reports) | {one["owed_by"] for one in asked if one["owed"]},
        row["merged_into"] is not None,
        row["merged_into"],
        pack is not None and pack.model.notice is not None,
    )
    verbs = may([RIGHTS[ReportUpward], RIGHTS[InformOffice], RIGHTS[GiveNotice]], reportable, ctx)
    notices = await rows_of(connection, select(NOTICES).where(NOTICES.c.incident_id == id_).order_by(NOTICES.c.at))
    made = await rows_of(connection, select(DECISIONS).where(DECISIONS.c.incident_id == id_).order_by(DECISIONS.c.at))
    written = PARTS.c.notice.in_([notice["notice"] for notice in notices])
    parts = await rows_of(connection, select(PARTS).where(written).order_by(PARTS.c.at)) if notices else []
    return {
        "number": row["number"],
        "id": id_,
        "version": row["revision"],
        "revision": row["revision"],
        **{name: row[name] for name in ("unit", "assigned", "lead", "asked_to_lead", "level", "merged_into")},
        "may": verbs
        + ["decide"] * any(RIGHTS[Decide].allows(one, ctx) for one in _deciding(row, pack, ctx))
        + may(OF_LEAD, _leading(row, pack, ctx), ctx)
        + ["receipt"] * any(report["may"] for report in reports),
        "clocks": [_shown(clock, reading, ctx) for clock in now],
        "report_to": asked,
        "reports": reports,
        "notices": await _notices(connection, notices, parts, reports, pack, ctx),
        "decisions": await _decisions(connection, made, row, pack, ctx),
    }


async def _state(connection: AsyncConnection, incident: str, until: str | None = None) -> State:
    """The state of the matter's clock stream now, or by the records until an instant."""
    state: State = reduce(DECIDER.evolve, await _events(connection, incident, until), DECIDER.initial_state())
    return state


async def _events(connection: AsyncConnection, incident: str, until: str | None = None) -> list[Event]:
    table = METADATA.tables["events"]
    chosen = select(table.c.bytes).where(table.c.stream_id == stream_of("clock", incident)).order_by(table.c.version)
    if until is not None:
        chosen = chosen.where(table.c.recordedtime <= until)
    return [Event.parse(bytes_) for bytes_ in (await connection.execute(chosen)).scalars()]


def _asked(state: State, pack: LoadedPack | None, ctx: Ctx) -> list[Row]:
    """The hops that the matter's level and nature ask for, as the API shows them. An open limit has no clock."""
    if pack is None:
        return []
    past = state.past
    owed = obligations.owed(past, pack.model, ctx.offices)
    return [
        {
            "hop": one.hop.code,
            "to": one.hop.to,
            "unit": one.unit,
            "owed_by": one.owed_by,
            "form": one.hop.form,
            "with_proposal": one.hop.with_proposal,
            "owed": one in owed,
            "clock": one.hop.code if one.hop.code in state.clocks else None,
        }
        for one in obligations.report_to(past, pack.model, ctx.offices)
    ]


async def reports_owed(
    connection: AsyncConnection, ctx: Ctx, units: frozenset[str], cursor: str | None, limit: int
) -> tuple[list[Row], str | None]:
    """Matters with the hops that these units owe now, whether or not a limit runs, and the place of the next page.

    A page looks at `limit` matters, and shows those on which something is owed.
    """
    told = select(REPORTS.c.incident_id).where(REPORTS.c.to.in_(sorted(units)))
    concerned = or_(standings.concerns(METADATA, INCIDENTS.c.incident_id, units), INCIDENTS.c.incident_id.in_(told))
    chosen = select(INCIDENTS).where(concerned, INCIDENTS.c.ended.is_(None), INCIDENTS.c.merged_into.is_(None))
    if removed := ctx.offices.removed:
        chosen = chosen.where(or_(INCIDENTS.c.unit.is_(None), INCIDENTS.c.unit.not_in(sorted(removed))))
    if cursor is not None:
        chosen = chosen.where(INCIDENTS.c.incident_id > paging.place_of(cursor, str)[0])
    found = await rows_of(connection, chosen.order_by(INCIDENTS.c.incident_id).limit(limit + 1))
    rows, further = paging.page(found, limit, lambda row: (row["incident_id"],))
    shown = []
    for row in rows:
        pack = pack_of(row["policy"], row["unit"] or "", ctx.offices)
        asked = _asked(await _state(connection, row["incident_id"]), pack, ctx)
        if mine := [one for one in asked if one["owed"] and one["owed_by"] in units]:
            named = {"number": row["number"], "incident_id": row["incident_id"]}
            shown.append({**named, "report_to": mine})
    return shown, further


async def reports_to_confirm(
    connection: AsyncConnection, ctx: Ctx, units: frozenset[str], cursor: str | None, limit: int
) -> tuple[list[Row], str | None, int]:
    """The reports and notices to these units that nobody has answered, the oldest first, and the next page's place.

    The last number says how many there are on all pages, counted up to `COUNTED`.
    """
    order = (REPORTS.c.at, REPORTS.c.report)
    chosen = select(REPORTS).where(UNANSWERED, REPORTS.c.to.in_(sorted(units)))
    if removed := ctx.offices.removed:
        gone = select(INCIDENTS.c.incident_id).where(INCIDENTS.c.unit.in_(sorted(removed)))
        chosen = chosen.where(REPORTS.c.incident_id.not_in(gone))
    some = chosen.with_only_columns(REPORTS.c.report).limit(COUNTED).subquery()
    count = (await connection.execute(select(func.count()).select_from(some))).scalar_one()
    if cursor is not None:
        chosen = chosen.where(tuple_(*order) > paging.place_of(cursor, str, str))
    found = await rows_of(connection, chosen.order_by(*order).limit(limit + 1))
    rows, further = paging.page(found, limit, lambda row: (row["at"], row["report"]))
    of = select(INCIDENTS.c.incident_id, INCIDENTS.c.number, INCIDENTS.c.revision).where(
        INCIDENTS.c.incident_id.in_([row["incident_id"] for row in rows])
    )
    matters = {
        row.incident_id: {"number": row.number, "revision": row.revision} for row in await connection.execute(of)
    }
    reports = await _reports(connection, rows, ctx)
    return [matters[row["incident_id"]] | row for row in reports], further, count


async def _told(connection: AsyncConnection, ctx: Ctx, id_: str) -> Row | None:
    """What a unit reads to which the matter was reported and that has no other part in it: the reports to it.

    At the root, everybody has a part in every matter.
    """
    units = sorted(READ_MATTER.units(ctx) or ())
    chosen = select(REPORTS).where(REPORTS.c.incident_id == id_, REPORTS.c.to.in_(units))
    reports = await _reports(
        connection, await rows_of(connection, chosen.order_by(REPORTS.c.at, REPORTS.c.report)), ctx
    )
    if not reports:
        return None
    row = await read_incident(connection, id_) or {}
    revision = row["revision"]
    nothing = dict.fromkeys(("unit", "assigned", "lead", "asked_to_lead", "level", "merged_into"))
    return {
        "number": row["number"],
        "id": id_,
        "version": revision,
        "revision": revision,
        **nothing,
        "may": ["receipt"] * any(report["may"] for report in reports),
        "clocks": [],
        "report_to": [],
        "reports": reports,
        "notices": [],
        "decisions": [],
    }


async def _then(connection: AsyncConnection, ctx: Ctx, row: Row, until: Moment, now: Sequence[Row]) -> Row:
    """The same at the time of an event of the incident, from the clock stream's events until then.

    What the unit was told afterwards and the limits with which it is charged are shown as they are now. If it may act
    on one of these, the revision is that of now, too.
    """
    id_, number = row["incident_id"], row["number"]
    events = await _events(connection, id_, until.at)
    state = reduce(DECIDER.evolve, events, DECIDER.initial_state())
    past = state.past
    rows, reports, notices, parts, made = (folded(view, events) for view in OF_ONE)
    of = {**{f"of_{name}": None for name in OF_MATTER}, "of_number": number}
    shown = [{**_shown({**row, **of}, None, ctx), "may": []} for row in rows]
    charged = [_shown(row, None, ctx) for row in now if READ_MATTER.covers(row["unit"], ctx)]
    clocks = {clock["clock"]: clock for clock in (*shown, *charged)}
    known = await _reports(connection, sorted(reports, key=itemgetter("at", "report")), ctx)
    told = (await _told(connection, ctx, id_) or {"reports": []})["reports"]
    waits = [report for report in told if report["may"]]
    acts = bool(waits) or any(clock["may"] for clock in charged)
    revision = row["revision"] if acts else sum(event.actor != "system" for event in events)
    return {
        "number": number,
        "id": id_,
        "version": revision,
        "revision": revision,
        "unit": accountable(past),
        "assigned": assigned(past),
        "lead": state.lead,
        "asked_to_lead": state.asked_to_lead,
        "level": level_of(past),
        "merged_into": None,
        "may": ["receipt"] * bool(waits),
        "clocks": sorted(clocks.values(), key=itemgetter("due", "clock")),
        "report_to": _asked(state, pack_of(state.policy, accountable(past) or "", ctx.offices), ctx),
        "reports": list({report["report"]: report for report in (*known, *told)}.values()),
        "notices": await _notices(connection, sorted(notices, key=itemgetter("at")), parts, reports, None, ctx),
        "decisions": await _decisions(connection, sorted(made, key=itemgetter("at")), None, None, ctx),
    }


async def _reports(connection: AsyncConnection, rows: Sequence[Row], ctx: Ctx) -> list[Row]:
    """Reports upward as the API shows them, with their words, or null until these arrive."""
    words = await resolve(connection, METADATA, [row[ref] for row in rows for ref in ("text_ref", "proposal_ref")])
    return [
        {
            **{name: value for name, value in row.items() if name not in ("text_ref", "proposal_ref", "answered_by")},
            "text": words(row["text_ref"]),
            "proposal": words(row["proposal_ref"]),
            "may": may([RIGHTS[Receipt]], _reported(row), ctx),
        }
        for row in rows
    ]


async def rows_of(connection: AsyncConnection, chosen: Select[Any]) -> list[Row]:
    """The rows that are chosen, with plain names."""
    return [_row(found) for found in (await connection.execute(chosen)).mappings()]


def _leading(row: Row, pack: LoadedPack | None, ctx: Ctx) -> Leading:
    model = pack.model if pack else None
    found = leading(model, row["level"], row["unit"], row["asked_to_lead"], row["lead"], ctx.offices)
    ended = replace(found, merged=row["merged_into"] is not None, into=row["merged_into"], ended=row["ended"])
    return replace(ended, pack=pack.name if pack else None)


def _deciding(row: Row, pack: LoadedPack | None, ctx: Ctx) -> list[Deciding]:
    """The decisions for which the pack has a rule now."""
    units = (*ctx.offices.below(row["unit"]), row["assigned"])
    rules = [rule_on(pack.model if pack else None, what, row["level"]) for what in ("report", "meet")]
    return [
        Deciding(row["unit"], deciders(rule, units, ctx.offices), row["merged_into"] is not None, row["merged_into"])
        for rule in rules
        if rule
    ]


async def _decisions(
    connection: AsyncConnection, rows: Sequence[Row], matter: Row | None, pack: LoadedPack | None, ctx: Ctx
) -> list[Row]:
    """Decisions as the API shows them. Without the matter's row, nobody may confirm one."""
    words = await resolve(connection, METADATA, [row["text_ref"] for row in rows])
    return [
        {
            **{name: row[name] for name in ("decision", "state", "decides", "yes", "unit", "at")},
            "took_part": row["took_part"].split(),
            "confirmed_by": row["confirmed_by"].split(),
            "reason": words(row["text_ref"]),
            "may": may([RIGHTS[ConfirmDecision]], _confirming(row, matter, pack, ctx), ctx)
            if matter and row["state"] == "proposed"
            else [],
        }
        for row in rows
    ]


def _confirming(row: Row, matter: Row, pack: LoadedPack | None, ctx: Ctx) -> Confirming:
    rule = rule_on(pack.model if pack else None, row["decides"], matter["level"])
    posts = deciders(rule, (*ctx.offices.below(matter["unit"]), matter["assigned"]), ctx.offices) if rule else ()
    return Confirming(
        row["unit"],
        frozenset(row["took_part"].split()),
        matter["merged_into"] is not None,
        matter["merged_into"],
        confirmed=frozenset(row["confirmed_by"].split()),
        persons=frozenset(row["persons"].split()),
        by=ctx.by(stream_of("clock", row["incident_id"])),
        stands=stands(rule, row["took_part"].split(), posts),
    )


async def _notices(
    connection: AsyncConnection,
    rows: Sequence[Row],
    parts: Sequence[Row],
    reports: Sequence[Row],
    pack: LoadedPack | None,
    ctx: Ctx,
) -> list[Row]:
    """Notices as the API shows them. What is missing, and what the actor may do, is known with the pack alone."""
    words = await resolve(connection, METADATA, [row["text_ref"] for row in (*rows, *parts)])
    confirmed = {report["report"] for report in reports if report["receipts"]}
    sent = {report["report"] for report in reports if report["state"] == "sent"}
    asked = [part.code for part in (pack.model.notice.parts if pack and pack.model.notice else ())]
    shown = []
    for row in rows:
        written = {part["part"]: part for part in parts if part["notice"] == row["notice"]}
        answered = row["report"] in confirmed
        subject = Noticed(row["to"], open=not answered and bool(asked), sent=row["report"] in sent)
        shown.append(
            {
                **{name: row[name] for name in ("notice", "unit", "to", "at", "due", "report")},
                "text": words(row["text_ref"]),
                "parts": [
                    {"part": code, "at": part["at"], "text": words(part["text_ref"])} for code, part in written.items()
                ],
                "missing": [code for code in asked if code not in written],
                "answered": answered,
                "may": may([RIGHTS[WritePart], RIGHTS[ReportBack]], subject, ctx),
            }
        )
    return shown


def _reported(row: Row) -> Reported:
    return Reported((row["to"],), frozenset(row["answered_by"].split()), row["addressee"])


async def surges(connection: AsyncConnection, units: Iterable[str]) -> list[Row]:
    """The last early warnings of units, the newest first."""
    chosen = select(SURGES).where(SURGES.c.unit.in_(sorted(units))).order_by(SURGES.c.until.desc(), SURGES.c.code)
    return await rows_of(connection, chosen.limit(500))
