"""What triage knows: incidents with their reports, facts and records, as tables folded from events.

The incident's own events and ingest's events of a report have separate rows, so it does not matter which topic arrives
first. Instants are texts in UTC that sort like times. Words are kept as references.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text

from schemas import answering as a
from schemas import ingest, triage
from schemas.envelope import Event
from schemas.fields import REACH, Fact, WordsRef, instant
from schemas.verification import Verification
from schemas.verifying import after as verified
from services.kernel.store import checkpoints, numbers, offices, reach, standings, tables
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View
from services.triage.alike import suggested
from services.triage.facts import established
from services.triage.handling import dispatch, handing, plans
from services.triage.handling.dispatch import Dispatch
from services.triage.handling.handing import Handing
from services.triage.handling.plans import Plans
from services.triage.handling.proposals import Proposal, after
from services.triage.offices import learned
from services.triage.owed import aftercare, answering
from services.triage.owed.aftercare import Aftercare
from services.triage.owed.answering import Answering
from services.triage.worklist import desk, desk_gaps

METADATA = tables.metadata()
standings.tables(METADATA)
reach.table(METADATA)
numbers.table(METADATA)
REVISIONS = Path(__file__).parent / "migrations" / "versions"

INCIDENTS = Table(
    "incidents",
    METADATA,
    Column("id", key(), primary_key=True),
    Column("number", key(90)),
    Column("version", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("state", key(16), nullable=False),
    Column("unit", key(), nullable=False),
    Column("assigned", key()),
    Column("accepted", Boolean, nullable=False),
    Column("level", key(100)),
    Column("rank", Integer),
    Column("policy", key(200)),
    Column("levels_known", key(4000)),
    Column("answer_kind", key(16)),
    Column("category", key(100)),
    Column("channel", key(100)),
    Column("discovered_at", key(27), nullable=False),
    Column("opened_at", key(27), nullable=False),
    Column("updated_at", key(27), nullable=False),
    Column("graded_at", key(27)),
    Column("assigned_at", key(27)),
    Column("accepted_at", key(27)),
    Column("handled_problem", key(27)),
    Column("handled_answer", key(27)),
    Column("resolved_at", key(27)),
    Column("closed_at", key(27)),
    Column("dismissed_at", key(27)),
    Column("merged_into", key()),
    Column("relates_to", key()),
    Column("split_from", key()),
    Column("entered_late", Boolean, nullable=False),
    Column("reports", Integer, nullable=False),
    Column("flags", Text, nullable=False),
    Column("harm", Integer),
    Column("doubtful", Boolean, nullable=False),
    Column("proposals", Text, nullable=False),
    Column("dispatch", Text, nullable=False),
    Column("aftercare", Text, nullable=False),
    Column("plans", Text, nullable=False),
    Column("answering", Text, nullable=False),
    Column("handing", Text, nullable=False),
    Column("verification", Text, nullable=False),
    Column("clarifying", Boolean, nullable=False),
    Column("drill", Boolean, nullable=False),
    Column("registered_at", key(27)),
    Column("subject", key(36)),
    Column("text", key(36)),
    Column("place", key(36)),
    Index(None, "opened_at", "id"),
    Index(None, "subject"),
    Index(None, "text"),
    Index(None, "place"),
)
"""One row for each incident. `revision` counts the decisions of staff, `reports` the reports that belong to it now.

`flags` are codes with spaces between them; `levels_known`, `proposals`, `dispatch`, `aftercare`, `plans`, `answering`,
`handing` and `verification` are JSON. `registered_at`, `subject`, `text` and `place` are of a matter that was
registered before anybody reported it.
"""
for name in ("merged_into", "relates_to", "split_from"):
    # Few incidents name another one. An index of all would mostly hold nulls, and SQLite would read those to find all
    # that were not merged.
    names_one = INCIDENTS.c[name].is_not(None)
    Index(f"ix_incidents_{name}", INCIDENTS.c[name], postgresql_where=names_one, sqlite_where=names_one)

INCIDENT_REPORTS = Table(
    "incident_reports",
    METADATA,
    Column("report_id", key(), primary_key=True),
    Column("incident_id", key(), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("active", Boolean, nullable=False),
    Index(None, "incident_id", "position"),
)
"""The present and past incidents of each report. `position` is the version of the incident that took the report in."""

_ESTABLISHED = established.tables(METADATA)
INCIDENT_FACTS, FACT_VALUES, FACT_USES, EVIDENCE, ASSESSMENTS = _ESTABLISHED

INCIDENT_NOTES = Table(
    "incident_notes",
    METADATA,
    Column("incident_id", key(), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("type", key(100), nullable=False),
    Column("recorded_at", key(27), nullable=False),
    Column("actor", key(130), nullable=False),
    Column("unit", key()),
    Column("track", key(8)),
    Column("statement", key()),
    Column("words", key(36)),
    Column("happened_at", key(27)),
    Column("late_reason", key(36)),
)
"""Texts of staff on an incident (instructions, reasons, handling, follow-ups), and published answers.

`happened_at` and `late_reason` are there if it was entered later than it happened.
"""

INCIDENT_JUDGEMENTS = Table(
    "incident_judgements",
    METADATA,
    Column("incident_id", key(), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("kind", key(16), nullable=False),
    Column("code", key(100)),
    Column("value", Integer, nullable=False),
    Column("at", key(27), nullable=False),
    Column("actor", key(130), nullable=False),
    Column("words", key(36)),
    Column("taken_from", key()),
)
"""Flags, harm and doubt. `kind` is flag, harm or doubt; `value` is 1 or 0 for a flag and doubt, the step for harm."""

HANDOVERS = Table(
    "handovers",
    METADATA,
    Column("incident_id", key(), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("kind", key(10), nullable=False),
    Column("unit", key(), nullable=False),
    Column("ground", key(100)),
    Column("late", Boolean, nullable=False),
    Column("recorded_at", key(27), nullable=False),
    Column("drill", Boolean, nullable=False),
    Index(None, "unit", "recorded_at"),
)
"""Each assignment, designation and return, by the unit that got the matter or gave it back.

`kind` is assigned, designated or returned.
"""

DESK = desk.table(METADATA)
DUTY_GAPS = desk_gaps.table(METADATA)
SUGGESTED = suggested.table(METADATA)
LESSONS = learned.table(METADATA)

MATCH_KEYS = Table(
    "match_keys",
    METADATA,
    Column("match_key", key(64), primary_key=True),
    Column("incident_id", key(), primary_key=True),
    Column("since", key(27), nullable=False),
    Column("split", Boolean, nullable=False),
)
"""The incidents that were opened for a match key, or took it over by a split, and when."""

REPORTS = Table(
    "reports",
    METADATA,
    Column("report_id", key(), primary_key=True),
    Column("unit", key(), nullable=False),
    Column("channel", key(100), nullable=False),
    Column("category", key(100)),
    Column("match_key", key(64)),
    Column("discovered_at", key(27), nullable=False),
    Column("received_at", key(27), nullable=False),
    Column("entered_late", Boolean, nullable=False),
    Column("subject", key(36), nullable=False),
    Column("text", key(36), nullable=False),
    Column("url", key(36)),
    Column("place", key(36)),
    Column("request", key(36)),
    Column("refused_at", key(27)),
    Column("refused_by", key(130)),
    Column("refusal", key(36)),
    Index(None, "subject"),
    Index(None, "text"),
    Index(None, "place"),
    Index(None, "received_at", "report_id"),
    Index(None, "unit", "received_at", "report_id"),
)
"""One row for each report from ingest. `refusal` is the reason why it gets no answer."""

SAID = {name: (REPORTS.c[name], INCIDENTS.c[name]) for name in ("subject", "text", "place")}
"""The texts by which matters are found: of their reports, or of a matter that was registered."""

INCIDENT_LINKS = Table(
    "incident_links",
    METADATA,
    Column("incident_id", key(), primary_key=True),
    Column("to", key(), primary_key=True),
    Column("kind", key(16), nullable=False),
    Column("at", key(27), nullable=False),
    Column("actor", key(130), nullable=False),
    Column("reason", key(36)),
)
"""What a person decided on two incidents, one row on each side; the newest decision counts.

`kind` is same, part, whole, related or other, seen from `incident_id`. `reason` is there on the deciding side.
"""

MEASUREMENTS = Table(
    "measurements",
    METADATA,
    Column("report_id", key(), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("at", key(27), nullable=False),
    Column("recorded_at", key(27), nullable=False),
    *(Column(name, BigInteger) for name in REACH),
)
"""How far the matter of a report had spread at a time; one row for each measurement."""


# folds


def _own(event: Event) -> list[Key]:
    return [(event.stream,)]


def _incident(key: Key, row: Row | None, event: Event) -> Row | None:
    if isinstance(event.data, triage.IncidentOpened):
        row = _opened(event, event.data)
    if row is None:
        return None
    row = {
        **row,
        "policy": row["policy"] or event.policy,
        **_dispatched(row, event),
        **_changes(row, event),
        "version": event.version,
        "revision": row["revision"] + (event.actor != "system"),
        "updated_at": event.recorded_text,
    }
    return {**row, "state": _state(row)}


_NEW = {
    **dict.fromkeys(INCIDENTS.columns.keys()),
    "revision": 0,
    "accepted": False,
    "flags": "",
    "doubtful": False,
    "proposals": "[]",
    "dispatch": "{}",
    "aftercare": "{}",
    "plans": "{}",
    "answering": "{}",
    "handing": "{}",
    "verification": Verification().model_dump_json(),
    "clarifying": False,
}


def _opened(event: Event, data: triage.IncidentOpened) -> Row:
    return {
        **_NEW,
        "id": event.stream,
        "number": data.number,
        "unit": data.unit,
        "policy": data.policy,
        "category": data.category,
        "channel": data.channel,
        "discovered_at": instant(data.discovered_at),
        "opened_at": event.recorded_text,
        "relates_to": data.relates_to,
        "split_from": data.split_from,
        "entered_late": data.entered_late,
        "reports": 1 if data.report else 0,
        "registered_at": None if data.report else instant(data.discovered_at),
        "subject": _ref(data.subject),
        "text": _ref(data.text),
        "place": _ref(data.place),
        "drill": event.drill,
    }


def _state(row: Row) -> str:
    if row["merged_into"]:
        return "merged"
    if row["closed_at"]:
        return "closed"
    if row["dismissed_at"]:
        return "dismissed"
    if row["resolved_at"]:
        return "resolved"
    if row["accepted"]:
        return "accepted"
    return "assigned" if row["assigned"] else "open"


def _changes(row: Row, event: Event) -> Row:
    at = event.recorded_text
    match event.data:
        case triage.IncidentReportAttached() as data:
            return {
                "reports": row["reports"] + 1,
                "entered_late": row["entered_late"] or data.entered_late,
                "discovered_at": _earlier(row, data.discovered_at),
            }
        case triage.IncidentReportDetached():
            return {"reports": row["reports"] - 1}
        case triage.IncidentSplit() as data:
            return {"reports": row["reports"] - len(data.reports)}
        case triage.IncidentAbsorbed() as data:
            earlier = _earlier(row, data.discovered_at)
            handled = {f"handled_{track}": row[f"handled_{track}"] or at for track in data.handled}
            late = row["entered_late"] or data.entered_late
            absorbed = {"reports": row["reports"] + len(data.reports), "discovered_at": earlier, "entered_late": late}
            return {**absorbed, **handled, **_verified(row, event)}
        case (
            triage.IncidentVerificationRequested()
            | triage.IncidentVerificationConcluded()
            | triage.IncidentFactEstablished()
            | triage.IncidentFactRevised()
        ):
            return _verified(row, event)
        case triage.IncidentClarificationOpened() as data:
            return {"clarifying": row["clarifying"] or data.cause == "not_in_line"}
        case triage.IncidentClassified() as data:
            return {"answer_kind": data.answer_kind}
        case triage.IncidentCategorized() as data:
            return {"category": data.category}
        case triage.IncidentGraded() | triage.IncidentRegraded() as data:
            return {"level": data.level, "rank": data.rank, "graded_at": at}
        case triage.IncidentLevelsKnown() as data:
            known = [{"level": one.level, "known_at": instant(one.known_at)} for one in data.levels]
            return {"levels_known": json.dumps(known)}
        case triage.IncidentAssigned() as data:
            return {"assigned": data.unit, "accepted": False, "assigned_at": at, "accepted_at": None}
        case triage.IncidentAccepted():
            return {"accepted": True, "accepted_at": at}
        case triage.IncidentReturned():
            return {"assigned": None, "accepted": False, "assigned_at": None, "accepted_at": None}
        case triage.IncidentTransferred() as data:
            return {"unit": data.unit}
        case triage.IncidentPolicyMoved() as data:
            graded = row["graded_at"] if data.level == row["level"] else at if data.level else None
            moved = {"policy": data.policy, "level": data.level, "rank": data.rank, "graded_at": graded}
            return {**moved, "harm": None} if data.changes_rules else moved
        case triage.IncidentHandlingRecorded(statement=str()) as data:
            return {f"handled_{data.track}": at, "clarifying": False}
        case triage.IncidentSolved() | a.IncidentLeftUnsolved():
            return {"handled_problem": at}
        case triage.IncidentExplained() | triage.IncidentReplied():
            return {"handled_answer": at, "clarifying": False}
        case triage.IncidentFlagSet() as data:
            return {"flags": " ".join(sorted({*row["flags"].split(), data.flag}))}
        case triage.IncidentFlagCleared() as data:
            return {"flags": " ".join(sorted({*row["flags"].split()} - {data.flag}))}
        case triage.IncidentHarmJudged() as data:
            return {"harm": data.harm}
        case triage.IncidentDoubtJudged() as data:
            return {"doubtful": data.doubtful}
        case (
            triage.IncidentProposed()
            | triage.IncidentProposalApproved()
            | triage.IncidentProposalReferred()
            | triage.IncidentProposalRejected()
            | triage.IncidentProposalWithdrawn()
        ):
            return {"proposals": written(after(proposals_of(row), event))}
        case triage.IncidentResolved():
            return {"resolved_at": at}
        case triage.IncidentClosed():
            return {"closed_at": at, **_verified(row, event)}
        case triage.IncidentDismissed():
            return {"dismissed_at": at, **_verified(row, event)}
        case triage.IncidentReopened():
            ended = ("resolved_at", "closed_at", "dismissed_at")
            return {**dict.fromkeys((*ended, "handled_problem", "handled_answer")), **_verified(row, event)}
        case triage.IncidentMerged() as data:
            return {"merged_into": data.into}
    return {}


def _earlier(row: Row, at: datetime | None) -> str:
    """When the office first knew by a report, after one of which it knew at an instant."""
    before: list[str] = [row["discovered_at"]] if row["reports"] or row["registered_at"] is None else []
    told = [instant(at)] if at else []
    return min([*before, *told], default=row["discovered_at"])


def _dispatched(row: Row, event: Event) -> Row:
    before, until = dispatch_of(row), aftercare_of(row)
    given, follows = dispatch.after(before, event), aftercare.after(until, event)
    planned_before = plans_of(row)
    planned = plans.after(planned_before, event)
    changed = {} if planned is planned_before else {"plans": planned.model_dump_json(exclude_defaults=True)}
    owed_before = answering_of(row)
    owed = answering.after(owed_before, event)
    changed |= {} if owed is owed_before else {"answering": owed.model_dump_json(exclude_defaults=True)}
    went_before = handing_of(row)
    went = handing.after(went_before, event)
    changed |= {} if went is went_before else {"handing": went.model_dump_json(exclude_defaults=True)}
    changed |= {} if given is before else {"dispatch": given.model_dump_json(exclude_defaults=True)}
    return changed if follows is until else {**changed, "aftercare": follows.model_dump_json(exclude_defaults=True)}


def dispatch_of(row: Row) -> Dispatch:
    """How far an incident is given to units, from its row."""
    return Dispatch.model_validate_json(row["dispatch"])


def aftercare_of(row: Row) -> Aftercare:
    """What follows the end of an incident, from its row."""
    return Aftercare.model_validate_json(row["aftercare"])


def answering_of(row: Row) -> Answering:
    """What is owed to those who ask, from an incident's row."""
    return Answering.model_validate_json(row["answering"])


def handing_of(row: Row) -> Handing:
    """Where an incident stands between this deployment and others, from its row."""
    return Handing.model_validate_json(row["handing"])


def plans_of(row: Row) -> Plans:
    """The team, the plan and the meetings of an incident, from its row."""
    return Plans.model_validate_json(row["plans"])


def _verified(row: Row, event: Event) -> Row:
    return {"verification": verified(verification_of(row), event).model_dump_json()}


def verification_of(row: Mapping[str, Any]) -> Verification:
    """The verification of an incident, from its row."""
    return Verification.model_validate_json(row["verification"])


def proposals_of(row: Row) -> tuple[Proposal, ...]:
    """The proposals of an incident, from its row."""
    return _PROPOSALS.validate_json(row["proposals"])


def written(proposals: tuple[Proposal, ...]) -> str:
    """The proposals as a row holds them."""
    return _PROPOSALS.dump_json(proposals).decode()


_PROPOSALS: TypeAdapter[tuple[Proposal, ...]] = TypeAdapter(tuple[Proposal, ...])


def _report_keys(event: Event) -> list[Key]:
    match event.data:
        case (triage.IncidentOpened() | triage.IncidentReportAttached() | triage.IncidentReportDetached()) as data:
            return [(data.report, event.stream)] if data.report else []
        case triage.IncidentAbsorbed() | triage.IncidentSplit() as data:
            return [(report, event.stream) for report in data.reports]
    return []


def _belongs(key: Key, row: Row | None, event: Event) -> Row:
    leaves = isinstance(event.data, triage.IncidentSplit | triage.IncidentReportDetached)
    position = row["position"] if row and leaves else event.version
    return {"report_id": key[0], "incident_id": key[1], "position": position, "active": not leaves}


TRACK_OF: Mapping[type[Fact], triage.Track] = {
    triage.IncidentSolved: "problem",
    a.IncidentLeftUnsolved: "problem",
    triage.IncidentExplained: "answer",
    triage.IncidentReplied: "answer",
}
"""The acts that complete a track."""


def _handover_keys(event: Event) -> list[Key]:
    match event.data:
        case triage.IncidentAssigned(taken_from=None) | triage.IncidentReturned():
            return [(event.stream, event.version)]
    return []


def _handover(key: Key, row: Row | None, event: Event) -> Row:
    match event.data:
        case triage.IncidentReturned() as data:
            told = {"kind": "returned", "unit": data.unit, "ground": data.ground, "late": data.late}
        case data:
            kind = "designated" if data.designated_by else "assigned"
            told = {"kind": kind, "unit": data.unit, "ground": None, "late": False}
    at = {"recorded_at": event.recorded_text, "drill": event.drill}
    return {"incident_id": key[0], "version": key[1], **told, **at}


def _judgement_keys(event: Event) -> list[Key]:
    return [(event.stream, event.version)] if _judged(event) else []


def _judgement(key: Key, row: Row | None, event: Event) -> Row:
    kind, code, value = _judged(event) or ("", None, 0)
    return {
        "incident_id": key[0],
        "version": key[1],
        "kind": kind,
        "code": code,
        "value": value,
        "at": instant(event.time),
        "actor": event.actor,
        "words": _noted(event),
        "taken_from": getattr(event.data, "taken_from", None),
    }


def _judged(event: Event) -> tuple[str, str | None, int] | None:
    match event.data:
        case triage.IncidentFlagSet() as data:
            return "flag", data.flag, 1
        case triage.IncidentFlagCleared() as data:
            return "flag", data.flag, 0
        case triage.IncidentHarmJudged() as data:
            return "harm", None, data.harm
        case triage.IncidentDoubtJudged() as data:
            return "doubt", None, int(data.doubtful)
    return None


def _note_keys(event: Event) -> list[Key]:
    told = isinstance(event.data, triage.IncidentHandlingRecorded) or _noted(event) or event.words.get("late_reason")
    return [(event.stream, event.version)] if told else []


def _note(key: Key, row: Row | None, event: Event) -> Row:
    track = getattr(event.data, "track", None) or TRACK_OF.get(type(event.data))
    statement = getattr(event.data, "statement", None)
    return {
        "incident_id": key[0],
        "version": key[1],
        "type": event.type,
        "recorded_at": event.recorded_text,
        "actor": event.actor,
        "unit": event.unit,
        "track": track,
        "statement": statement,
        "words": _noted(event),
        "happened_at": event.time_text if event.words.get("late_reason") else None,
        "late_reason": event.words.get("late_reason"),
    }


def _noted(event: Event) -> str | None:
    return (
        event.words.get("text") or event.words.get("reason") or event.words.get("measure") or event.words.get("minutes")
    )


def _ref(words: WordsRef | None) -> str | None:
    return words.ref if words else None


def _of_match_key(event: Event) -> list[Key]:
    match event.data:
        case triage.IncidentOpened(match_key=str()) as data:
            return [(data.match_key, event.stream)]
        case triage.IncidentSplit() as data:
            return [(match_key, data.into) for match_key in data.match_keys]
    return []


def _match_key(key: Key, row: Row | None, event: Event) -> Row:
    split = isinstance(event.data, triage.IncidentSplit)
    return {"match_key": key[0], "incident_id": key[1], "since": event.recorded_text, "split": split}


def _link_keys(event: Event) -> list[Key]:
    linked = isinstance(event.data, triage.IncidentLinked)
    return [(event.stream, event.data.to)] if linked else []


def _link(key: Key, row: Row | None, event: Event) -> Row:
    data: triage.IncidentLinked = event.data
    return {
        "incident_id": key[0],
        "to": key[1],
        "kind": data.kind,
        "at": event.recorded_text,
        "actor": event.actor,
        "reason": _ref(data.reason),
    }


def _received_keys(event: Event) -> list[Key]:
    told = isinstance(event.data, ingest.ReportReceived | ingest.ReportRefused)
    return [(event.stream,)] if told else []


def _report(key: Key, row: Row | None, event: Event) -> Row | None:
    match event.data:
        case ingest.ReportReceived() as data:
            return {
                **dict.fromkeys(REPORTS.columns.keys()),
                "report_id": event.stream,
                "unit": data.unit,
                "channel": data.channel,
                "category": data.category,
                "match_key": data.match_key,
                "discovered_at": instant(data.discovered_at),
                "received_at": event.recorded_text,
                "entered_late": data.entered_late,
                "subject": data.subject.ref,
                "text": data.text.ref,
                "url": _ref(data.url),
                "place": _ref(data.place),
                "request": _ref(data.request),
            }
        case ingest.ReportRefused() as data if row:
            return {
                **row,
                "refused_at": event.recorded_text,
                "refused_by": event.actor,
                "refusal": data.reason.ref,
            }
    return row


def _measured_keys(event: Event) -> list[Key]:
    measured = isinstance(event.data, ingest.ReportReachMeasured)
    return [(event.stream, event.version)] if measured else []


def _measurement(key: Key, row: Row | None, event: Event) -> Row:
    figures = {name: getattr(event.data, name) for name in REACH}
    return {
        "report_id": key[0],
        "version": key[1],
        "at": instant(event.data.measured_at),
        "recorded_at": event.recorded_text,
        **figures,
    }


REACHED = reach.view(METADATA, triage.reach_of)
OF_ONE = (
    View(INCIDENTS, _own, _incident, ("incident",), one_stream=True),
    View(INCIDENT_REPORTS, _report_keys, _belongs, ("incident",), one_stream=True),
    View(INCIDENT_NOTES, _note_keys, _note, ("incident",), one_stream=True),
    View(INCIDENT_JUDGEMENTS, _judgement_keys, _judgement, ("incident",), one_stream=True),
    View(INCIDENT_LINKS, _link_keys, _link, ("incident",), one_stream=True),
    *established.of_one(_ESTABLISHED),
)
"""Views that fold only an incident's own events."""

VIEWS: tuple[View, ...] = (
    *offices.views(METADATA),
    *checkpoints.views(METADATA),
    *standings.views(METADATA, triage.standing_of),
    *numbers.views(METADATA, own="incident"),
    REACHED,
    *OF_ONE,
    View(HANDOVERS, _handover_keys, _handover, ("incident",), one_stream=True),
    desk.view(DESK),
    desk_gaps.view(DUTY_GAPS),
    suggested.view(SUGGESTED),
    learned.view(LESSONS),
    View(MATCH_KEYS, _of_match_key, _match_key, ("incident",), one_stream=True),
    *established.views(_ESTABLISHED),
    View(REPORTS, _received_keys, _report, ("report",), one_stream=True),
    View(MEASUREMENTS, _measured_keys, _measurement, ("report",), one_stream=True),
)
