"""What answers of triage read: lists of incidents, and one incident with its words."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Table, TextClause, and_, case, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from schemas.fields import REACH, instant
from schemas.triage import IncidentAbsorbed, IncidentSplit
from services.kernel.access.approving import nearest
from services.kernel.access.rights import may
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Unavailable
from services.kernel.core.standings import Moment, Standing
from services.kernel.core.units import Offices
from services.kernel.rules.conditions import Figures
from services.kernel.rules.grading import gravity, proposed
from services.kernel.serving import paging
from services.kernel.serving.approvals import shown
from services.kernel.store import reach, standings
from services.kernel.store.tables import READ
from services.kernel.store.views import Row, folded
from services.kernel.store.words import resolve
from services.triage.alike import linked
from services.triage.gates import of_proposal
from services.triage.handling import handing
from services.triage.handling.ball import ball
from services.triage.handling.dispatch import Dispatch, Share
from services.triage.handling.plans import Meeting, Plans
from services.triage.handling.proposals import Proposal
from services.triage.incident import TRACKS, Incident
from services.triage.owed import answering, closing_account, explaining
from services.triage.owed.aftercare import Aftercare
from services.triage.rights import APPROVING, READ_MATTER, RIGHTS
from services.triage.seen import absorbed_by, counts_in, judged_in, measured, measurements, rows_of
from services.triage.views import (
    ASSESSMENTS,
    INCIDENT_FACTS,
    INCIDENT_JUDGEMENTS,
    INCIDENT_LINKS,
    INCIDENT_NOTES,
    INCIDENT_REPORTS,
    INCIDENTS,
    LESSONS,
    MEASUREMENTS,
    METADATA,
    OF_ONE,
    REPORTS,
    aftercare_of,
    answering_of,
    dispatch_of,
    handing_of,
    plans_of,
    proposals_of,
    verification_of,
)

_LAST = "~"
"""Sorts after every instant."""
ASSESSED = ("cause", "truth", "trend", "impact")
SHOWN_REPORTS = 500
"""The answer for one incident holds at most this many reports."""


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of a list of incidents."""

    unit: str | None = None
    assigned: str | None = None
    level: str | None = None
    state: str | None = None
    report_id: str | None = None
    entered_late: bool | None = None


async def incidents(
    connection: AsyncConnection, ctx: Ctx, filters: Filters, cursor: str | None, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """Incidents in which a unit that the actor oversees has a part, newest first, and the cursor of the next page.

    A filter by report finds the incident to which the report belongs now.
    """
    table, overseen = INCIDENTS, READ_MATTER.listed(ctx)
    chosen = select(table).where(standings.concerns(METADATA, table.c.id, overseen))
    for name in ("unit", "assigned", "level", "state", "entered_late"):
        if (value := getattr(filters, name)) is not None:
            chosen = chosen.where(table.c[name] == value)
    if filters.report_id is not None:
        chosen = chosen.join(INCIDENT_REPORTS, INCIDENT_REPORTS.c.incident_id == table.c.id).where(
            INCIDENT_REPORTS.c.report_id == filters.report_id,
            INCIDENT_REPORTS.c.active,
            table.c.merged_into.is_(None),
        )
    if cursor is not None:
        chosen = chosen.where(tuple_(table.c.opened_at, table.c.id) < paging.place_of(cursor, str, str))
    chosen = chosen.order_by(table.c.opened_at.desc(), table.c.id.desc()).limit(limit + 1)
    found = [dict(row) for row in (await connection.execute(chosen)).mappings()]
    rows, further = paging.page(found, limit, lambda row: (row["opened_at"], row["id"]))
    ids = [row["id"] for row in rows]
    titles, known = await subjects(connection, ids), await standings.read(connection, METADATA, ids)
    figures = await reach.read(connection, METADATA, ids)
    refusals = await _refusals(connection, [row["id"] for row in rows if row["state"] == "dismissed"])
    items = [
        {
            **_shown(row, titles.get(row["id"])),
            "refusal": refusals.get(row["id"]),
            **_waiting(asked_of(row, known[row["id"]], figures.get(row["id"])), ctx),
        }
        for row in rows
    ]
    return items, further


def _waiting(asked: Incident, ctx: Ctx) -> dict[str, Any]:
    """Whom the matter waits for, and what the actor may do."""
    return {**_owing(asked, ctx.offices), "may": may(RIGHTS.values(), asked, ctx)}


def _owing(asked: Incident, offices: Offices) -> dict[str, Any]:
    account = ["closing_account"] if closing_account.is_owed(asked, offices) else []
    return {"ball": _shown_ball(asked, offices), "owes": [*explaining.owed(asked, offices), *account]}


async def waits(connection: AsyncConnection, ctx: Ctx, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Incident -> whom it waits for, and the checks of each of its proposals that wait for approval."""
    rows = await rows_of(connection, INCIDENTS, INCIDENTS.c.id.in_(ids))
    figures = await reach.read(connection, METADATA, [row["id"] for row in rows if proposals_of(row)])
    found = [asked_of(row, Standing(), figures.get(row["id"])) for row in rows]
    return {
        one.id: {
            "ball": _shown_ball(one, ctx.offices),
            "checks": [
                {"proposal": proposal.number, "gates": of_proposal(proposal, one, ctx)}
                for proposal in one.proposals
                if proposal.due()
            ],
        }
        for one in found
    }


def _shown_ball(asked: Incident, offices: Offices) -> dict[str, Any] | None:
    """Whom the matter waits for, and since when; None if it waits for nobody."""
    found = ball(asked, offices)
    if found is None:
        return None
    since = instant(found.since) if found.since else None
    return {"unit": found.unit, "post": found.post, "since": since, "for": found.awaited}


def asked_of(row: Row, standing: Standing, figures: Figures | None) -> Incident:
    """The facts that the rights over an incident look at, from its row and the counts of its reach."""
    phase = row["state"]
    return Incident(
        id=row["id"],
        phase="open" if phase in ("open", "assigned", "accepted") else phase,
        unit=row["unit"],
        assigned=row["assigned"],
        accepted=row["accepted"],
        verifying=standing.verifying,
        helping=standing.helping,
        handled=frozenset(track for track in TRACKS if row[f"handled_{track}"]),
        merged_into=row["merged_into"],
        policy=row["policy"],
        level=row["level"],
        answer_kind=row["answer_kind"],
        category=row["category"],
        channel=row["channel"],
        figures=figures or Figures(),
        flags=frozenset(row["flags"].split()),
        harm=row["harm"],
        doubtful=row["doubtful"],
        proposals=proposals_of(row),
        dispatch=dispatch_of(row),
        aftercare=aftercare_of(row),
        plans=plans_of(row),
        answering=answering_of(row),
        handing=handing_of(row),
        registered=row["registered_at"] is not None,
        verification=verification_of(row),
        clarifying=row["clarifying"],
        report_count=row["reports"],
    )


async def subjects(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, str | None]:
    """Incident -> the subject under which it was registered, or else that of the first of its reports."""
    of, table = INCIDENT_REPORTS, INCIDENTS
    first = (
        select(REPORTS.c.subject)
        .join(of, of.c.report_id == REPORTS.c.report_id)
        .where(of.c.incident_id == table.c.id, of.c.active)
        .order_by(of.c.position, of.c.report_id)
        .limit(1)
        .scalar_subquery()
    )
    named = select(table.c.id, func.coalesce(table.c.subject, first).label("subject"))
    found = await connection.execute(named.where(table.c.id.in_(ids)))
    refs = {row.id: row.subject for row in found}
    words = await resolve(connection, METADATA, refs.values())
    return {id_: words(ref) for id_, ref in refs.items()}


async def _refusals(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Incident -> the latest refusal of an answer among its reports."""
    of = INCIDENT_REPORTS
    chosen = (
        select(of.c.incident_id, REPORTS)
        .join(REPORTS, REPORTS.c.report_id == of.c.report_id)
        .where(of.c.incident_id.in_(ids), of.c.active, REPORTS.c.refused_at.is_not(None))
        .order_by(REPORTS.c.refused_at, REPORTS.c.report_id)
    )
    last = {row["incident_id"]: dict(row) for row in (await connection.execute(chosen)).mappings()}
    words = await resolve(connection, METADATA, [row["refusal"] for row in last.values()])
    return {id_: _shown_refusal(row, words) for id_, row in last.items()}


def _shown_refusal(report: Row, words: Callable[[str | None], str | None]) -> dict[str, Any]:
    return {"at": report["refused_at"], "by": report["refused_by"], "reason": words(report["refusal"])}


_TIMES = (
    "discovered_at",
    "registered_at",
    "opened_at",
    "updated_at",
    "graded_at",
    "assigned_at",
    "accepted_at",
    "resolved_at",
    "closed_at",
    "dismissed_at",
)


def _shown(row: Mapping[str, Any], subject: str | None) -> dict[str, Any]:
    plain = ("number", "id", "state", "unit", "assigned", "level", "rank", "policy", "answer_kind", "category", *_TIMES)
    return {
        **{name: row[name] for name in plain},
        "subject": subject,
        "handled": {"problem": row["handled_problem"], "answer": row["handled_answer"]},
        **_shown_counts(dispatch_of(dict(row))),
        **_shown_aftercare(aftercare_of(dict(row))),
        **answering.shown(answering_of(dict(row))),
        "verification": verification_of(row).model_dump(mode="json", include={"asked", "due", "outcome", "by"}),
        "clarifying": row["clarifying"],
        "handing": handing.shown(handing_of(dict(row))),
        "merged_into": row["merged_into"],
        "relates_to": row["relates_to"],
        "split_from": row["split_from"],
        "entered_late": row["entered_late"],
        "report_count": row["reports"],
        "drill": row["drill"],
        "version": row["revision"],
        "revision": row["revision"],
    }


def _shown_counts(dispatch: Dispatch) -> dict[str, Any]:
    plain = ("returns", "designates", "designated_by")
    return {"dispatches": dispatch.number, **{name: getattr(dispatch, name) for name in plain}}


def _shown_aftercare(aftercare: Aftercare) -> dict[str, Any]:
    return {
        "round": aftercare.round,
        "unhelpful": [{"report": one.report, "at": instant(one.at)} for one in aftercare.unhelpful],
        "follows_up": aftercare.follows_up,
        "follow_up_ended": aftercare.ended,
    }


class Record(NamedTuple):
    """The rows of one incident."""

    row: Row
    facts: list[Row]
    notes: list[Row]
    reports: list[Row]
    """At most `SHOWN_REPORTS`."""
    judgements: list[Row]
    assessments: list[Row]
    links: list[Row]
    measured: list[Row]
    absorbed: list[str]
    """The incidents that were merged into it."""
    before: list[Row]
    """These, those that were merged into them, and so on."""
    related: list[str]
    """The incidents that were opened after it had ended."""
    split_off: list[str]


async def incident(connection: AsyncConnection, ctx: Ctx, id_: str) -> dict[str, Any] | None:
    """An incident with all its records and words, and the proposal for its figures; None if the actor may read none.

    A former unit reads it as it was when that unit's part ended.
    """
    known = await standings.read(connection, METADATA, [id_])
    reading = READ_MATTER.of_matter(known, id_, ctx)
    if reading is None or id_ not in known:
        return None
    if reading.until is None:
        record = await _now(connection, id_)
        counted = await reach.read(connection, METADATA, [id_])
        asked = asked_of(record.row, known[id_], counted.get(id_))
        told = await _told(connection, record)
        for item, proposal in zip(told["proposals"], asked.proposals, strict=True):
            item.update(_due(proposal, asked, ctx))
        waiting = _waiting(asked, ctx)
    else:
        record = await _then(connection, id_, reading.until)
        told = await _told(connection, record)
        waiting = {**_owing(asked_of(record.row, Standing(), None), ctx.offices), "may": []}
    links = await linked.shown(connection, ctx, record.links)
    learned = await lessons_of(connection, record.row["policy"])
    return {**told, "links": links, "lessons": learned, **_proposed(record, ctx.offices), **waiting}


def _due(proposal: Proposal, asked: Incident, ctx: Ctx) -> dict[str, Any]:
    """Who must agree next, and what the actor may decide on the proposal."""
    due = proposal.due()
    return {
        "due": nearest(due.who, asked.unit, ctx.offices) if due else [],
        **_titled(proposal, asked, ctx),
        "gates": of_proposal(proposal, asked, ctx) if due else [],
        "may": may((right(proposal) for right in APPROVING.values()), asked, ctx),
    }


async def _now(connection: AsyncConnection, id_: str) -> Record:
    (row,) = await rows_of(connection, INCIDENTS, INCIDENTS.c.id == id_)
    of_it = {"absorbed": "merged_into", "related": "relates_to", "split_off": "split_from"}
    named = or_(*(INCIDENTS.c[column] == id_ for column in of_it.values()))
    found = await rows_of(connection, INCIDENTS, named, INCIDENTS.c.opened_at)
    others = {name: [one for one in found if one[column] == id_] for name, column in of_it.items()}
    before = await absorbed_by(connection, others["absorbed"])
    family = [id_, *(one["id"] for one in before)]
    return Record(
        row=row,
        facts=await rows_of(connection, INCIDENT_FACTS, INCIDENT_FACTS.c.incident_id.in_(family)),
        notes=await rows_of(connection, INCIDENT_NOTES, INCIDENT_NOTES.c.incident_id.in_(family)),
        judgements=await rows_of(connection, INCIDENT_JUDGEMENTS, INCIDENT_JUDGEMENTS.c.incident_id == id_),
        assessments=await rows_of(connection, ASSESSMENTS, ASSESSMENTS.c.incident_id.in_(family)),
        links=await linked.links_of(connection, family),
        reports=await _reports(connection, id_),
        measured=await measurements(connection, id_),
        before=before,
        **{name: [one["id"] for one in rows] for name, rows in others.items()},
    )


async def _then(connection: AsyncConnection, id_: str, until: Moment) -> Record:
    """The record at the time of an event of the incident, from its events until then.

    Of the attached reports, it reads only as many as are shown.
    """
    events = await _until(connection, id_, until, READ)
    leaving = sum(len(event.data.reports) for event in events if isinstance(event.data, IncidentSplit))
    counted = METADATA.tables["events"].c.counted
    attached = await _until(connection, id_, until, counted, SHOWN_REPORTS + leaving)
    unread = until.version - len(events) - len(attached)
    past = sorted([*events, *attached], key=attrgetter("version"))
    then = {view.table: folded(view, past) for view in OF_ONE}
    (row,), belonging = then[INCIDENTS], then[INCIDENT_REPORTS]
    of, left = INCIDENT_REPORTS, [one["report_id"] for one in belonging if not one["active"]]
    belonged = and_(of.c.incident_id == id_, of.c.position <= until.version, of.c.report_id.not_in(left))
    row |= {"reports": row["reports"] + unread, "updated_at": until.at}
    if unread:
        told = select(func.min(REPORTS.c.discovered_at)).join(of, of.c.report_id == REPORTS.c.report_id).where(belonged)
        first, late = (await connection.execute(told.add_columns(_any(REPORTS.c.entered_late)))).one()
        row |= {
            "discovered_at": first if first and row["registered_at"] else min(row["discovered_at"], first or _LAST),
            "entered_late": row["entered_late"] or bool(late),
        }
    absorbed = list(dict.fromkeys(event.data.incident for event in events if isinstance(event.data, IncidentAbsorbed)))
    # Merged incidents have not changed since.
    before = await absorbed_by(connection, await rows_of(connection, INCIDENTS, INCIDENTS.c.id.in_(absorbed)))
    merged = [one["id"] for one in before]

    async def of_merged(table: Table) -> list[Row]:
        return await rows_of(connection, table, table.c.incident_id.in_(merged))

    belonging = sorted((one for one in belonging if one["active"]), key=itemgetter("position", "report_id"))
    ids = [one["report_id"] for one in belonging][:SHOWN_REPORTS]
    known = {one["report_id"]: one for one in await rows_of(connection, REPORTS, REPORTS.c.report_id.in_(ids))}
    figures = await measured(connection, and_(belonged, MEASUREMENTS.c.recorded_at <= until.at))
    return Record(
        row=row,
        facts=[
            *then[INCIDENT_FACTS],
            *await rows_of(connection, INCIDENT_FACTS, INCIDENT_FACTS.c.incident_id.in_(merged)),
        ],
        notes=[
            *then[INCIDENT_NOTES],
            *await rows_of(connection, INCIDENT_NOTES, INCIDENT_NOTES.c.incident_id.in_(merged)),
        ],
        judgements=then[INCIDENT_JUDGEMENTS],
        assessments=[
            *then[ASSESSMENTS],
            *await rows_of(connection, ASSESSMENTS, ASSESSMENTS.c.incident_id.in_(merged)),
        ],
        reports=[_report_then(known[id_], until) for id_ in ids if id_ in known],
        links=[*then[INCIDENT_LINKS], *await linked.links_of(connection, merged)],
        measured=figures,
        absorbed=absorbed,
        before=before,
        related=[],
        split_off=[event.data.into for event in events if isinstance(event.data, IncidentSplit)],
    )


def _any(column: ColumnElement[bool]) -> ColumnElement[int]:
    return func.max(case((column, 1), else_=0))


async def _until(
    connection: AsyncConnection,
    id_: str,
    until: Moment,
    wanted: ColumnElement[bool] | TextClause,
    limit: int | None = None,
) -> list[Event]:
    """The first events of an incident up to a moment, filtered by `wanted`, in order."""
    table = METADATA.tables["events"]
    chosen = select(table.c.bytes).where(table.c.stream_id == id_, table.c.version <= until.version, wanted)
    ordered = (await connection.execute(chosen.order_by(table.c.version).limit(limit))).scalars()
    return [Event.parse(bytes_) for bytes_ in ordered]


def _report_then(report: Row, until: Moment) -> Row:
    """A report without a later refusal."""
    later = (report["refused_at"] or "") > until.at
    return {**report, "refused_at": None, "refused_by": None, "refusal": None} if later else report


async def _told(connection: AsyncConnection, record: Record) -> dict[str, Any]:
    reports = record.reports
    facts = sorted(record.facts, key=itemgetter("key", "established_at", "incident_id"))
    notes = sorted(record.notes, key=itemgetter("recorded_at", "incident_id", "version"))
    named = ("subject", "text", "url", "place", "request")
    words = await resolve(
        connection,
        METADATA,
        [
            *(report[name] for report in reports for name in (*named, "refusal")),
            *(fact[name] for fact in facts for name in ("words", "source")),
            *(note[name] for note in notes for name in ("words", "late_reason")),
            *(record.row[name] for name in ("subject", "place")),
            answering_of(record.row).proposed_reply,
            *(one["words"] for one in record.judgements),
            *(one[name] for one in record.assessments for name in ASSESSED),
            *(one.text.ref for one in proposals_of(record.row)),
            *(one.minutes.ref for one in _meetings(record)),
            *(plan.text.ref for plan in (plans_of(record.row).plan,) if plan),
            *(one.text.ref for one in _shares(record.row).values() if one.text),
        ],
    )
    written = [_shown_note(note, words) for note in notes]
    newest, counts = _newest(record.measured), _counts(record.measured)
    judgements = sorted(record.judgements, key=itemgetter("version"))
    # A move to another pack ends what was judged on the scale of the pack before.
    harm = [one for one in judgements if one["kind"] == "harm" and record.row["harm"] is not None]
    doubt = [one for one in judgements if one["kind"] == "doubt"]
    when = ("discovered_at", "received_at", "entered_late")
    return {
        **_shown(record.row, words(record.row["subject"] or (reports[0]["subject"] if reports else None))),
        "place": words(record.row["place"]),
        "proposed_reply": words(answering_of(record.row).proposed_reply),
        "absorbed": record.absorbed,
        "related": record.related,
        "split_off": record.split_off,
        "assignments": [_shown_assignment(one) for one in (record.row, *record.before) if one["assigned"]],
        "shares": [_shown_share(part, share, words) for part, share in _shares(record.row).items()],
        **_shown_plans(plans_of(record.row), _meetings(record), words),
        "facts": [_shown_fact(fact, words) for fact in facts],
        "reports": [
            {
                "id": report["report_id"],
                **{name: report[name] for name in ("unit", "channel", "category", *when)},
                **{name: words(report[name]) for name in named},
                "withheld": False,
                "refused": _shown_refusal(report, words) if report["refused_at"] else None,
                "reach": newest.get(report["report_id"], dict.fromkeys((*REACH, "measured_at"))),
                "counts": counts.get(report["report_id"], []),
            }
            for report in reports
        ],
        "proposals": [_shown_proposal(one, words) for one in proposals_of(record.row)],
        "flags": [{"flag": one["code"], **_shown_judgement(one, words)} for one in _present(judgements)],
        "harm": {"harm": harm[-1]["value"], **_shown_judgement(harm[-1], words)} if harm else None,
        "doubt": {"doubtful": bool(doubt[-1]["value"]), **_shown_judgement(doubt[-1], words)} if doubt else None,
        "assessments": [
            {
                "incident": one["incident_id"],
                **{name: words(one[name]) for name in ASSESSED},
                **{name: one[name] for name in ("at", "recorded_at")},
                "by": one["actor"],
            }
            for one in sorted(record.assessments, key=itemgetter("recorded_at", "incident_id", "version"))
        ],
        "handling": [note for note in written if note["track"]],
        "notes": [note for note in written if not note["track"]],
    }


def _proposed(record: Record, offices: Offices) -> dict[str, Any]:
    """How far the matter has spread, and its pack's proposal; nulls if nothing is known."""
    facts, reports = [*counts_in(record.measured), *judged_in(record.judgements)], record.row["reports"]
    now, proposal = gravity(facts), proposed(offices.pack_of(record.row["policy"], record.row["unit"]), facts, reports)
    return {
        "levels_known": json.loads(record.row["levels_known"] or "[]"),
        "reach": {**now.figures.model_dump(include=set(REACH)), "basis": now.basis} if now and now.basis else None,
        "proposed": {"level": proposal.level, "rule": proposal.rule} if proposal else None,
    }


def _titled(proposal: Proposal, asked: Incident, ctx: Ctx) -> dict[str, Any]:
    """The approvals with the titles of their steps; nothing new if the pack is not at hand."""
    with suppress(Unavailable):
        return shown(proposal.course, ctx.offices.pack_of(asked.policy, asked.unit), proposal.of)
    return {}


def _shown_proposal(proposal: Proposal, words: Callable[[str | None], str | None]) -> dict[str, Any]:
    return {
        "proposal": proposal.number,
        "of": proposal.of,
        "state": proposal.state,
        "text": words(proposal.text.ref),
        "to": proposal.to,
        "post": proposal.desk,
        "at": proposal.at,
        **shown(proposal.course),
        "due": [],
        "gates": [],
        "may": [],
    }


def _present(judgements: Iterable[Row]) -> list[Row]:
    """The flags that are set now, each with its last setting."""
    flags: dict[str, Row] = {one["code"]: one for one in judgements if one["kind"] == "flag"}
    return [flags[code] for code in sorted(flags) if flags[code]["value"]]


def _shown_judgement(one: Row, words: Callable[[str | None], str | None]) -> dict[str, Any]:
    return {"at": one["at"], "by": one["actor"], "reason": words(one["words"]), "taken_from": one["taken_from"]}


def _counts(measured: Iterable[Row]) -> dict[str, list[dict[str, Any]]]:
    """Report -> all its counts, oldest first."""
    counts: dict[str, list[dict[str, Any]]] = {}
    for row in measured:
        figures = {name: row[name] for name in REACH}
        counts.setdefault(row["report_id"], []).append(
            {**figures, "measured_at": row["at"], "recorded_at": row["recorded_at"]}
        )
    return counts


def _newest(measured: Iterable[Row]) -> dict[str, dict[str, Any]]:
    """Report -> its latest figures."""
    newest: dict[str, dict[str, Any]] = {}
    for row in measured:
        of_it = newest.setdefault(row["report_id"], dict.fromkeys((*REACH, "measured_at")))
        of_it |= {name: row[name] for name in REACH if row[name] is not None}
        of_it["measured_at"] = row["at"]
    return newest


def _shown_assignment(row: Row) -> dict[str, Any]:
    """The unit that handles an incident; for a merged one, the unit at the merger."""
    return {
        "incident": row["id"],
        "unit": row["assigned"],
        **{name: row[name] for name in ("assigned_at", "accepted_at")},
    }


def _shares(row: Row) -> dict[tuple[str, str], Share]:
    """The shares in the handling, the lead's first: part and unit -> share."""
    given = dispatch_of(row)
    lead = {("lead", given.lead.unit): given.lead} if given.lead else {}
    return {**lead, **{("helper", share.unit): share for share in given.helpers}}


def _meetings(record: Record) -> list[Meeting]:
    """The meetings about an incident and those that were merged into it, in order of their times."""
    held = [one for row in (record.row, *record.before) for one in plans_of(row).meetings]
    return sorted(held, key=attrgetter("held_at"))


def _shown_plans(
    plans: Plans, meetings: Iterable[Meeting], words: Callable[[str | None], str | None]
) -> dict[str, Any]:
    team, plan = plans.team, plans.plan
    return {
        "team": team and {**team.model_dump(exclude={"named_at"}), "named_at": instant(team.named_at)},
        "plan": plan
        and {
            **plan.model_dump(include={"unit", "post"}),
            "text": words(plan.text.ref),
            "due": instant(plan.due),
            "made_at": instant(plan.made_at),
        },
        "emergency_plan": plans.emergency
        and {"plan": plans.emergency, "started_at": plans.emergency_at and instant(plans.emergency_at)},
        "meetings": [
            {
                **one.model_dump(exclude={"minutes", "held_at"}),
                "minutes": words(one.minutes.ref),
                "held_at": instant(one.held_at),
            }
            for one in meetings
        ],
    }


def _shown_share(part: tuple[str, str], share: Share, words: Callable[[str | None], str | None]) -> dict[str, Any]:
    times = ("due", "asked_at", "accepted_at", "completed_at")
    return {
        "part": part[0],
        "unit": share.unit,
        "share": words(share.text.ref) if share.text else None,
        **{name: instant(at) if (at := getattr(share, name)) else None for name in times},
    }


def _shown_note(note: Row, words: Callable[[str | None], str | None]) -> dict[str, Any]:
    plain = ("version", "type", "recorded_at", "happened_at", "actor", "unit", "track", "statement")
    return {
        "incident": note["incident_id"],
        **{name: note[name] for name in plain},
        "text": words(note["words"]),
        "late_reason": words(note["late_reason"]),
    }


def _shown_fact(fact: Row, words: Callable[[str | None], str | None]) -> dict[str, Any]:
    values = {
        "text": words(fact["words"]),
        "number": fact["number"],
        "time": fact["at"],
        "code": fact["code"],
        "yes_no": fact["yes"],
    }
    plain = ("key", "kind", "established_at", "revised_at")
    return {
        "incident": fact["incident_id"],
        **{name: fact[name] for name in plain},
        "value": values[fact["kind"]],
        "source": words(fact["source"]),
    }


async def lessons_of(connection: AsyncConnection, policy: str | None) -> list[dict[str, Any]]:
    """The lessons that a version of a pack answers, with their words, in order of their numbers."""
    name = (policy or "").partition("#")[0]
    rows = await rows_of(connection, LESSONS, LESSONS.c.answered_by == name) if name else []
    words = await resolve(connection, METADATA, [row[field] for row in rows for field in ("text", "change")])
    return [
        {"lesson": row["lesson"], "incident": row["incident_id"], **{f: words(row[f]) for f in ("text", "change")}}
        for row in rows
    ]


async def _reports(connection: AsyncConnection, id_: str) -> list[Row]:
    of = INCIDENT_REPORTS
    found = await connection.execute(
        select(REPORTS)
        .join(of, of.c.report_id == REPORTS.c.report_id)
        .where(of.c.incident_id == id_, of.c.active)
        .order_by(of.c.position, of.c.report_id)
        .limit(SHOWN_REPORTS)
    )
    return [dict(row) for row in found.mappings()]
