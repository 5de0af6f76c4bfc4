"""What escalation knows of clocks, matters, reports upward and rosters: tables as folds of events."""

from pathlib import Path

from sqlalchemy import Boolean, Column, Float, Index, Integer, Table, Text, and_, text

from schemas import escalation as e
from schemas import triage
from schemas.envelope import Event
from schemas.fields import instant
from services.escalation.clock.heirs import links_of, told
from services.escalation.duty.surges import code_of
from services.escalation.notify import outgoing
from services.kernel.core.ids import stream_of
from services.kernel.store import checkpoints, numbers, offices, standings, tables
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View

METADATA = tables.metadata()
standings.tables(METADATA)
numbers.table(METADATA)
outgoing.tables(METADATA)
REVISIONS = Path(__file__).parent / "migrations" / "versions"

CLOCKS = Table(
    "clocks",
    METADATA,
    Column("incident_id", key(), primary_key=True),
    Column("clock", key(100), primary_key=True),
    Column("unit", key(), nullable=False),
    Column("since", key(27), nullable=False),
    Column("due", key(27), nullable=False),
    Column("first_answer", Boolean, nullable=False),
    Column("provisional", Boolean, nullable=False),
    Column("counts_work", Boolean, nullable=False),
    Column("due_is_late", Boolean, nullable=False),
    Column("state", key(16), nullable=False),
    Column("met_at", key(27)),
    Column("happened_at", key(27)),
    Column("paused_at", key(27)),
    Column("warns", Text, nullable=False),
    Column("warned_at", key(27)),
    Column("original_due", key(27)),
    Column("granted", Integer, nullable=False),
    Column("asker_untold", Boolean, nullable=False),
    Column("requested", key(16)),
    Column("requested_due", key(27)),
    Column("requested_by", key(64)),
    Column("late", Boolean, nullable=False),
    Column("cancelled", key(32)),
    Column("cancelled_at", key(27)),
    Column("breached_at", key(27)),
    Column("detected_at", key(27)),
    Column("annulled", key(32)),
    Column("asked_by", key(64)),
    Column("rung", key(16), nullable=False),
    Column("rung_at", key(27)),
    Column("policy", key(200)),
    Column("drill", Boolean, nullable=False),
    Column("goes_on_by", key(200)),
    Column("next_at", key(27)),
    Column("wakes_at", key(27)),
    Index(None, "due"),
    Index(None, "wakes_at", "incident_id"),
    Index(None, "unit", "due"),
    Index(None, "state", "due"),
)
"""One row for each clock. `state` is running, met, breached, annulled or cancelled. `breached_at` is the due instant of
a breach that stands, also if it was met late; `detected_at` is when it was seen. `rung` is the last rung of the ladder,
sent at `rung_at`. `requested` is extension or deferral, until somebody decides. `asker_untold` means that the asker
of the matter must still be told of an extension. `asked_by` is the digest of the person who asked to annul it.
`goes_on_by` is an earlier pack of the matter, if people still decide on the clock by that one. `next_at` is when the
next rung is due, `wakes_at` when time alone changes something; null if it never does."""
COUNTING = text("counts_work AND met_at IS NULL AND cancelled_at IS NULL")
"""Clocks that another calendar may move, also after their breach. SQLite and PostgreSQL write truth values otherwise,
so this is text."""
Index("ix_clocks_counting_work", CLOCKS.c.incident_id, postgresql_where=COUNTING, sqlite_where=COUNTING)
BREACHED = text("state = 'breached'")
MISSED = and_(BREACHED, CLOCKS.c.cancelled_at.is_(None))
"""Clocks that were missed and are not met, of matters whose limits still run."""
Index(
    "ix_clocks_missed",
    CLOCKS.c.state,
    CLOCKS.c.cancelled_at,
    CLOCKS.c.due,
    postgresql_where=BREACHED,
    sqlite_where=BREACHED,
)

INCIDENTS = Table(
    "incidents",
    METADATA,
    Column("incident_id", key(), primary_key=True),
    Column("number", key(90)),
    Column("unit", key()),
    Column("assigned", key()),
    Column("lead", key()),
    Column("ended", key(16)),
    Column("asked_to_lead", key()),
    Column("level", key(100)),
    Column("merged_into", key()),
    Column("split_from", key()),
    Column("split_at", key(27)),
    Column("policy", key(200)),
    Column("revision", Integer, nullable=False),
)
"""One row for each incident, from events of triage and of the clock stream. `revision` counts the decisions of staff
here.

For a split-off incident, `split_at` is the earlier of the instants in the events of both incidents.
"""
MERGED, SPLIT = INCIDENTS.c.merged_into.is_not(None), INCIDENTS.c.split_from.is_not(None)
"""Only the few incidents that were merged or split off. An index of all would mostly hold nulls and not be used."""
Index("ix_incidents_merged_into", INCIDENTS.c.merged_into, postgresql_where=MERGED, sqlite_where=MERGED)
Index("ix_incidents_split_from", INCIDENTS.c.split_from, postgresql_where=SPLIT, sqlite_where=SPLIT)
WITHOUT_PACK = and_(INCIDENTS.c.policy.is_(None), INCIDENTS.c.unit.is_not(None))
"""Only matters whose clocks could not be derived yet because their pack has not arrived."""
Index("ix_matters_without_pack", INCIDENTS.c.incident_id, postgresql_where=WITHOUT_PACK, sqlite_where=WITHOUT_PACK)

REPORTS = Table(
    "upward_reports",
    METADATA,
    Column("report", key(36), primary_key=True),
    Column("incident_id", key(), nullable=False),
    Column("unit", key(), nullable=False),
    Column("to", key(), nullable=False),
    Column("addressee", key(60), nullable=False),
    Column("form", key(32), nullable=False),
    Column("informs", Boolean, nullable=False),
    Column("hop", key(100)),
    Column("level", key(100)),
    Column("unverified", Boolean, nullable=False),
    Column("text_ref", key(36)),
    Column("proposal_ref", key(36)),
    Column("at", key(27), nullable=False),
    Column("state", key(16), nullable=False),
    Column("answered_at", key(27)),
    Column("receipts", Integer, nullable=False),
    Column("answered_by", Text, nullable=False),
    Index(None, "incident_id"),
)
"""One row for each report upward, or notice sideways: then it `informs`. `state` is sent, received or refused, by the
latest answer. `receipts` counts confirmations.

`answered_by` holds the posts that confirmed it or sent it back, with a space between them.
"""
UNANSWERED = text("state = 'sent'")
Index(
    "ix_upward_reports_unanswered",
    REPORTS.c.to,
    REPORTS.c.at,
    REPORTS.c.report,
    postgresql_where=UNANSWERED,
    sqlite_where=UNANSWERED,
)

NOTICES = Table(
    "notices",
    METADATA,
    Column("notice", key(36), primary_key=True),
    Column("incident_id", key(), nullable=False),
    Column("unit", key(), nullable=False),
    Column("to", key(), nullable=False),
    Column("at", key(27), nullable=False),
    Column("due", key(27), nullable=False),
    Column("text_ref", key(36)),
    Column("report", key(36)),
    Index(None, "incident_id"),
)
"""One row for each notice of a unit above. `report` is the latest report back."""

PARTS = Table(
    "notice_parts",
    METADATA,
    Column("notice", key(36), primary_key=True),
    Column("part", key(100), primary_key=True),
    Column("text_ref", key(36)),
    Column("at", key(27), nullable=False),
)
"""One row for each part of an answer to a notice, with its latest text."""

DECISIONS = Table(
    "decisions",
    METADATA,
    Column("decision", key(36), primary_key=True),
    Column("incident_id", key(), nullable=False),
    Column("unit", key(), nullable=False),
    Column("state", key(16), nullable=False),
    Column("decides", key(16), nullable=False),
    Column("yes", Boolean, nullable=False),
    Column("took_part", Text, nullable=False),
    Column("confirmed_by", Text, nullable=False),
    Column("persons", Text, nullable=False),
    Column("text_ref", key(36)),
    Column("at", key(27), nullable=False),
    Index(None, "incident_id"),
)
"""One row for each decision. `state` is proposed or recorded. `took_part` and `confirmed_by` hold posts, and `persons`
the digests of those who confirmed it, with a space between them."""

ROSTER = Table(
    "roster",
    METADATA,
    Column("unit", key(), primary_key=True),
    Column("post", key(130), primary_key=True),
    Column("since", key(27), primary_key=True),
    Column("until", key(27), nullable=False),
    Column("planned_until", key(27)),
    Column("cancelled", key(27)),
    Column("substitute", key(130)),
    Column("by", key(130)),
    Column("signed_on", key(27)),
    Column("handed_over", key(27)),
    Column("handed_to", key(130)),
    Column("note_ref", key(36)),
    Column("open", Integer),
    Column("incidents", Text, nullable=False),
    Column("ended", Boolean, nullable=False),
    Column("note_missing", Boolean, nullable=False),
    Index(None, "unit", "until"),
)
"""One row for each planned duty. `planned_until` is its end by an earlier plan, and `cancelled` when it was taken off;
such a row is history. `by` took it up. `open` and `incidents` are what was open at the hand-over."""

GAPS = Table(
    "duty_gaps",
    METADATA,
    Column("unit", key(), primary_key=True),
    Column("since", key(27), primary_key=True),
    Column("until", key(27), primary_key=True),
    Column("cause", key(16), primary_key=True),
    Column("post", key(130)),
    Column("found_ahead", key(27)),
    Column("found", key(27)),
    Column("closed", key(27)),
    Index(None, "until"),
)
"""One row for each gap. `found` is when it was found after it had begun, `closed` when a plan closed it before."""

HELD = Table(
    "held_reports",
    METADATA,
    Column("unit", key(), primary_key=True),
    Column("incident_id", key(), primary_key=True),
    Column("report_id", key(), nullable=False),
    Column("since", key(27), nullable=False),
    Column("told", key(130)),
    Column("taken_by", key(130)),
    Column("taken_at", key(27)),
)
"""One row for each matter of which a report came while nobody was on duty, by the last such time."""

ARRIVALS = Table(
    "arrivals",
    METADATA,
    Column("unit", key(), primary_key=True),
    Column("by", key(16), primary_key=True),
    Column("code", key(100), primary_key=True),
    Column("hour", key(27), primary_key=True),
    Column("reports", Integer, nullable=False),
    Column("incident_id", key(), nullable=False),
    Index(None, "hour"),
)
"""Reports of each hour of discovery, on a matter, in a category or from a place. `incident_id` is the latest matter."""

SURGES = Table(
    "surges",
    METADATA,
    Column("unit", key(), primary_key=True),
    Column("by", key(16), primary_key=True),
    Column("code", key(100), primary_key=True),
    Column("reports", Integer, nullable=False),
    Column("usual", Float, nullable=False),
    Column("since", key(27), nullable=False),
    Column("until", key(27), nullable=False),
    Column("told", key(130)),
    Column("incident_id", key()),
)
"""The last early warning of each matter, category and place."""

REACHABILITY = Table(
    "reachability",
    METADATA,
    Column("unit", key(), primary_key=True),
    Column("post", key(130), primary_key=True),
    Column("way", key(16), nullable=False),
    Column("reached", Boolean, nullable=False),
    Column("at", key(27), nullable=False),
)
"""The last test of each duty post."""

ROSTERS = Table(
    "rosters",
    METADATA,
    Column("stream_id", key(), primary_key=True),
    Column("unit", key()),
    Column("revision", Integer, nullable=False),
    Column("version", Integer, nullable=False),
)
"""Each roster. `revision` counts the decisions of staff, `version` all events."""


# folds


def _incident(event: Event) -> str:
    return stream_of("incident", event.stream)


def _clock_keys(event: Event) -> list[Key]:
    # A milestone is of no clock. A model looks long for a field that it does not have.
    name = None if isinstance(event.data, e.ClockMilestoneReached) else getattr(event.data, "clock", None)
    return [(_incident(event), name)] if name else []


_DECIDED = dict.fromkeys(("requested", "requested_by", "requested_due"))
_NO_CLOCK = {**dict.fromkeys(CLOCKS.columns.keys()), "rung": "", "granted": 0, "asker_untold": False}


def _clock_row(key: Key, row: Row | None, event: Event) -> Row | None:
    match event.data:
        case e.ClockStarted() as data:
            row = {
                **(row or _NO_CLOCK),
                "incident_id": key[0],
                "clock": key[1],
                "unit": data.unit,
                "since": instant(data.since),
                "due": instant(data.due),
                "first_answer": data.first_answer,
                "provisional": data.provisional,
                "counts_work": data.counts_work,
                "due_is_late": data.due_is_late,
                "paused_at": instant(data.paused_at) if data.paused_at else None,
                "warns": " ".join(map(instant, data.warns)),
                "met_at": None,
                "happened_at": None,
                "late": False,
                "cancelled": None,
                "cancelled_at": None,
                "policy": event.policy,
                "drill": event.drill,
                "goes_on_by": data.policy,
            }
        case _ if row is None:
            return None
        case e.ClockMet() as data:
            happened = instant(data.happened_at) if data.happened_at else None
            row = {**row, "met_at": instant(data.met_at), "late": data.late, "happened_at": happened}
        case e.ClockWarned():
            row = {**row, "warned_at": event.recorded_text}
        case e.ClockCancelled() as data:
            row = {**row, "cancelled": data.cause, "cancelled_at": event.time_text}
        case e.ClockBreached() as data:
            since = {"breached_at": event.time_text, "detected_at": instant(data.detected_at), "next_at": _next(data)}
            row = {**row, **since, "annulled": None, "asked_by": None}
        case e.ClockAnnulmentAsked() as data:
            row = {**row, "asked_by": data.by}
        case e.ClockBreachAnnulled() as data:
            row = {**row, "breached_at": None, "detected_at": None, "annulled": data.cause, "asked_by": None}
        case e.ClockExtensionRequested() as data:
            row = {**row, "requested": "extension", "requested_by": data.by, "requested_due": instant(data.due)}
        case e.ClockDeferralRequested() as data:
            row = {**row, "requested": "deferral", "requested_by": data.by, "requested_due": instant(data.review)}
        case e.ClockExtensionRefused() | e.ClockDeferralRefused() | e.ClockDeferred():
            row = {**row, **_DECIDED}
        case e.ClockExtended() as data:
            moved = {"due": instant(data.due), "original_due": instant(data.original), "granted": row["granted"] + 1}
            row = {**row, **moved, **_DECIDED, "asker_untold": True}
        case e.ClockAskerTold():
            row = {**row, "asker_untold": False}
        case e.ClockPaused() as data:
            row = {**row, "original_due": row["original_due"] or instant(data.due)}
        case e.ClockReminderSent() as data:
            row = {**row, "rung": data.rung, "rung_at": event.recorded_text, "next_at": _next(data)}
        case e.ClockReminderSpared() as data:
            row = {**row, "next_at": _next(data)}
    return {**row, "state": _state(row), "wakes_at": _wakes_at(row)}


def _next(data: e.ClockBreached | e.ClockReminderSent | e.ClockReminderSpared) -> str | None:
    return instant(data.next_at) if data.next_at else None


def _state(row: Row) -> str:
    if row["met_at"]:
        return "met"
    if row["breached_at"]:
        return "breached"
    if row["cancelled"]:
        return "cancelled"
    return "annulled" if row["annulled"] == "reviewed" else "running"


def _wakes_at(row: Row) -> str | None:
    """When a breach or a rung of the ladder follows from time alone."""
    ended = row["met_at"] or row["cancelled_at"]
    if row["annulled"] == "reviewed":
        return None
    if row["breached_at"]:
        wakes_at: str | None = row["next_at"] if ended is None else None
        return wakes_at
    if ended is None and row["paused_at"] and row["paused_at"] <= row["due"]:
        return None
    if ended is None:
        coming = [at for at in row["warns"].split() if at >= row["since"] and at > (row["warned_at"] or "")]
        return min(str(at) for at in (*coming, row["due"]))
    late = ended > row["due"] or (row["due_is_late"] and ended == row["due"])
    return str(row["due"]) if late else None


def _matter_keys(event: Event) -> list[Key]:
    if event.kind == "incident":
        return [(incident,) for incident in sorted({event.stream, *map(told, links_of(event))})]
    return [(_incident(event),)]


_NO_INCIDENT = {**dict.fromkeys(INCIDENTS.columns.keys()), "revision": 0}


def _incident_row(key: Key, row: Row | None, event: Event) -> Row:
    row = row or {**_NO_INCIDENT, "incident_id": key[0]}
    if event.kind == "clock" and event.actor != "system":
        row = {**row, "revision": row["revision"] + 1}
    if event.kind == "clock" and event.policy:
        row = {**row, "policy": event.policy}
    elif isinstance(event.data, e.ClockMilestoneReached) and event.data.milestone == "policy_moved":
        # The new pack has not come yet.
        row = {**row, "policy": None}
    for link in links_of(event):
        if told(link) != key[0]:
            continue
        if link.split_at is None:
            row = {**row, "merged_into": link.heir}
        else:
            at = instant(link.split_at)
            row = {**row, "split_from": link.source, "split_at": min(at, row["split_at"] or at)}
    if event.stream != key[0] and event.kind == "incident":
        return row
    match event.data:
        case triage.IncidentOpened() as data:
            row = {**row, "unit": data.unit, "number": data.number}
        case triage.IncidentTransferred() as data:
            row = {**row, "unit": data.unit}
        case e.ClockLeadAsked() as data:
            row = {**row, "asked_to_lead": data.of}
        case e.ClockLeadAccepted() | e.ClockLeadTaken() as data:
            row = {**row, "lead": data.unit}
        case triage.IncidentAssigned() as data:
            row = {**row, "assigned": data.unit}
        case triage.IncidentReturned():
            row = {**row, "assigned": None}
        case triage.IncidentGraded() | triage.IncidentRegraded() | triage.IncidentPolicyMoved() as data:
            row = {**row, "level": data.level}
        case triage.IncidentClosed():
            row = {**row, "ended": "closed"}
        case triage.IncidentDismissed():
            row = {**row, "ended": "dismissed"}
        case triage.IncidentReopened():
            row = {**row, "ended": None}
    return row


def _report_keys(event: Event) -> list[Key]:
    match event.data:
        case (
            e.ClockReportedUpward() | e.ClockOfficeInformed() | e.ClockReceiptGiven() | e.ClockReceiptRefused()
        ) as data:
            return [(data.report,)]
    return []


def _report_row(key: Key, row: Row | None, event: Event) -> Row | None:
    match event.data:
        case (e.ClockReportedUpward() | e.ClockOfficeInformed()) as data:
            upward = data if isinstance(data, e.ClockReportedUpward) else None
            return {
                "report": data.report,
                "incident_id": _incident(event),
                "unit": data.unit,
                "to": data.to,
                "addressee": data.addressee,
                "form": upward.form if upward else "written",
                "informs": upward is None,
                "hop": upward.hop if upward else None,
                "level": upward.level if upward else None,
                "unverified": upward is not None and upward.unverified,
                "text_ref": data.text.ref if data.text else None,
                "proposal_ref": upward.proposal.ref if upward and upward.proposal else None,
                "at": event.time_text,
                "state": "sent",
                "answered_at": None,
                "receipts": 0,
                "answered_by": "",
            }
        case e.ClockReceiptGiven() | e.ClockReceiptRefused() if row:
            confirmed = isinstance(event.data, e.ClockReceiptGiven)
            return {
                **row,
                "state": "received" if confirmed else "refused",
                "answered_at": event.time_text,
                "receipts": row["receipts"] + confirmed,
                "answered_by": " ".join(sorted({*row["answered_by"].split(), event.actor})),
            }
    return row


def _notice_keys(event: Event) -> list[Key]:
    match event.data:
        case e.ClockNoticeGiven() | e.ClockReportedUpward(notice=str()) as data:
            return [(data.notice,)]
    return []


def _notice_row(key: Key, row: Row | None, event: Event) -> Row | None:
    match event.data:
        case e.ClockNoticeGiven() as data:
            return {
                "notice": data.notice,
                "incident_id": _incident(event),
                "unit": data.unit,
                "to": data.to,
                "at": event.time_text,
                "due": instant(data.due),
                "text_ref": data.text.ref,
                "report": None,
            }
        case e.ClockReportedUpward() as data if row:
            return {**row, "report": data.report}
    return row


def _part_keys(event: Event) -> list[Key]:
    match event.data:
        case e.ClockNoticePartWritten() as data:
            return [(data.notice, data.part)]
    return []


def _part_row(key: Key, row: Row | None, event: Event) -> Row:
    return {"notice": key[0], "part": key[1], "text_ref": event.data.text.ref, "at": event.time_text}


def _decision_keys(event: Event) -> list[Key]:
    match event.data:
        case e.ClockDecisionProposed() | e.ClockDecisionConfirmed() as data:
            return [(data.decision,)]
        case e.ClockDecisionRecorded() as data:
            return [(data.decision or event.id,)]
    return []


def _decision_row(key: Key, row: Row | None, event: Event) -> Row | None:
    match event.data:
        case e.ClockDecisionRecorded() if row:
            return {**row, "state": "recorded", "at": event.time_text}
        case (e.ClockDecisionProposed() | e.ClockDecisionRecorded()) as data:
            together = isinstance(data, e.ClockDecisionProposed)
            return {
                "decision": key[0],
                "incident_id": _incident(event),
                "unit": data.unit,
                "state": "proposed" if together else "recorded",
                "decides": data.decides,
                "yes": data.yes,
                "took_part": " ".join(data.took_part),
                "confirmed_by": event.actor,
                "persons": data.by if isinstance(data, e.ClockDecisionProposed) else "",
                "text_ref": data.reason.ref,
                "at": event.time_text,
            }
        case e.ClockDecisionConfirmed() as data if row:
            told = {"confirmed_by": event.actor, "persons": data.by}
            return {**row, **{name: f"{row[name]} {more}" for name, more in told.items()}}
    return row


def _duty_keys(event: Event) -> list[Key]:
    match event.data:
        case (
            e.RosterDutyPlanned()
            | e.RosterDutyCancelled()
            | e.RosterSubstituteNamed()
            | e.RosterSignedOn()
            | e.RosterDutyHandedOver()
            | e.RosterDutyEnded()
        ) as data:
            return [(data.unit, data.post, instant(data.since))]
    return []


def _duty_row(key: Key, row: Row | None, event: Event) -> Row | None:
    match event.data:
        case e.RosterDutyPlanned() as data:
            unit, post, since = key
            known = {"unit": unit, "post": post, "since": since, "until": instant(data.until)}
            before = row["until"] if row and row["until"] != known["until"] and not row["cancelled"] else None
            known |= {"planned_until": before, "cancelled": None}
            empty = dict.fromkeys(("by", "signed_on", "handed_over", "handed_to", "note_ref", "open"))
            none = {"incidents": "", "ended": False, "note_missing": False}
            return {**known, **empty, **none, "substitute": data.substitute}
        case e.RosterDutyCancelled() if row:
            return {**row, "cancelled": event.recorded_text}
        case e.RosterSubstituteNamed() as data if row:
            return {**row, "substitute": data.substitute}
        case e.RosterSignedOn() as data if row:
            return {**row, "by": data.by, "signed_on": event.recorded_text}
        case e.RosterDutyHandedOver() as data if row:
            told = {"handed_to": data.to, "note_ref": data.note.ref, "open": data.open}
            return {**row, **told, "handed_over": event.recorded_text, "incidents": " ".join(data.incidents)}
        case e.RosterDutyEnded() as data if row:
            return {**row, "ended": True, "note_missing": data.note_missing}
    return row


def _gap_keys(event: Event) -> list[Key]:
    match event.data:
        case e.RosterDutyGapFound() as data:
            return [(data.unit, instant(data.since), instant(data.until), data.cause)]
        case e.RosterDutyGapClosed() as data:
            return [(data.unit, instant(data.since), instant(data.until), "not_planned")]
    return []


def _gap_row(key: Key, row: Row | None, event: Event) -> Row | None:
    match event.data:
        case e.RosterDutyGapFound() as data:
            unit, since, until, cause = key
            known = row or {
                "unit": unit,
                "since": since,
                "until": until,
                "cause": cause,
                "found_ahead": None,
                "found": None,
            }
            at = "found_ahead" if data.ahead else "found"
            return {**known, "post": data.post, "closed": None, at: event.recorded_text}
    return row and {**row, "closed": event.recorded_text}


def _held_keys(event: Event) -> list[Key]:
    match event.data:
        case e.RosterReportHeld() as data:
            return [(data.unit, data.incident)]
        case e.RosterSignedOn() as data:
            return [(data.unit, incident) for incident in data.held]
    return []


def _held_row(key: Key, row: Row | None, event: Event) -> Row | None:
    match event.data:
        case e.RosterReportHeld() as data:
            told = {"report_id": data.report, "since": event.time_text, "told": data.told}
            return {"unit": key[0], "incident_id": key[1], **told, "taken_by": None, "taken_at": None}
        case e.RosterSignedOn() as data if row:
            return {**row, "taken_by": data.by, "taken_at": event.recorded_text}
    return row


def _arrival_keys(event: Event) -> list[Key]:
    data = event.data
    if not isinstance(data, triage.IncidentOpened | triage.IncidentReportAttached) or event.drill:
        return []
    if isinstance(data, triage.IncidentOpened) and (data.split_from or data.report is None):
        return []
    hour = instant(min(data.discovered_at, event.recorded).replace(minute=0, second=0, microsecond=0))
    found = {"matter": event.stream, "category": data.category, "place": data.place_key}
    return [(data.unit, by, code, hour) for by, code in found.items() if code]


def _arrival_row(key: Key, row: Row | None, event: Event) -> Row:
    unit, by, code, hour = key
    reports = (row["reports"] if row else 0) + 1
    return {"unit": unit, "by": by, "code": code, "hour": hour, "reports": reports, "incident_id": event.stream}


def _surge_keys(event: Event) -> list[Key]:
    match event.data:
        case e.SurgeNoticed() as data:
            return [(data.unit, data.by, code_of(data))]
    return []


def _surge_row(key: Key, row: Row | None, event: Event) -> Row:
    data: e.SurgeNoticed = event.data
    named = {"unit": key[0], "by": key[1], "code": key[2], "reports": data.reports, "usual": data.usual}
    span = {"since": instant(data.since), "until": instant(data.until)}
    return {**named, **span, "told": data.told, "incident_id": data.incident}


def _reachability_keys(event: Event) -> list[Key]:
    match event.data:
        case e.RosterReachabilityTested() as data:
            return [(data.unit, data.post)]
    return []


def _reachability_row(key: Key, row: Row | None, event: Event) -> Row:
    data: e.RosterReachabilityTested = event.data
    return {"unit": key[0], "post": key[1], "way": data.way, "reached": data.reached, "at": event.time_text}


def _roster_keys(event: Event) -> list[Key]:
    return [(event.stream,)]


def _roster_row(key: Key, row: Row | None, event: Event) -> Row:
    revision = (row["revision"] if row else 0) + (event.actor != "system")
    return {"stream_id": key[0], "unit": event.data.unit, "revision": revision, "version": event.version}


OF_ONE = (
    View(CLOCKS, _clock_keys, _clock_row, ("clock",), one_stream=True),
    View(REPORTS, _report_keys, _report_row, ("clock",), one_stream=True),
    View(NOTICES, _notice_keys, _notice_row, ("clock",), one_stream=True),
    View(PARTS, _part_keys, _part_row, ("clock",), one_stream=True),
    View(DECISIONS, _decision_keys, _decision_row, ("clock",), one_stream=True),
)
"""Views that fold only a clock stream's own events."""

VIEWS = (
    *offices.views(METADATA),
    *checkpoints.views(METADATA),
    *standings.views(METADATA, triage.standing_of),
    *numbers.views(METADATA),
    *OF_ONE,
    *outgoing.views(METADATA),
    View(INCIDENTS, _matter_keys, _incident_row, ("incident", "clock")),
    View(ROSTER, _duty_keys, _duty_row, ("roster",), one_stream=True),
    View(GAPS, _gap_keys, _gap_row, ("roster",), one_stream=True),
    View(HELD, _held_keys, _held_row, ("roster",), one_stream=True),
    View(REACHABILITY, _reachability_keys, _reachability_row, ("roster",), one_stream=True),
    View(ARRIVALS, _arrival_keys, _arrival_row, ("incident",)),
    View(SURGES, _surge_keys, _surge_row, ("surge",), one_stream=True),
    View(ROSTERS, _roster_keys, _roster_row, ("roster",), one_stream=True),
)
