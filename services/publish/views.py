"""What publish knows: triage's incidents, its own statements, and their public texts."""

from pathlib import Path
from typing import Any

from sqlalchemy import Boolean, Column, Index, Integer, Table, Text

from schemas.envelope import Event
from schemas.publish import (
    StatementApproved,
    StatementCorrected,
    StatementDrafted,
    StatementPublished,
    StatementRejected,
    StatementRevised,
    StatementSubmitted,
    StatementWithdrawn,
)
from schemas.triage import (
    IncidentAssigned,
    IncidentClassified,
    IncidentClosed,
    IncidentDismissed,
    IncidentFactEstablished,
    IncidentFactRevised,
    IncidentGraded,
    IncidentMerged,
    IncidentOpened,
    IncidentRegraded,
    IncidentReopened,
    IncidentResolved,
    IncidentReturned,
    IncidentTransferred,
    standing_of,
)
from services.kernel.store import offices, standings, tables
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View

METADATA = tables.metadata()
standings.tables(METADATA)
REVISIONS = Path(__file__).parent / "migrations" / "versions"

incidents = Table(
    "incidents",
    METADATA,
    Column("id", key(), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("unit", key(), nullable=False),
    Column("assigned", key()),
    Column("level", key(100)),
    Column("rank", Integer),
    Column("answer_kind", key(16)),
    Column("state", key(16), nullable=False),
    Column("merged_into", key()),
    Column("drill", Boolean, nullable=False),
)
"""`state` is open, resolved, closed, dismissed or merged. `version` is the last event that was seen, of any type."""

incident_facts = Table(
    "incident_facts",
    METADATA,
    Column("incident_id", key(), primary_key=True),
    Column("key", key(100), primary_key=True),
    Column("version", Integer, nullable=False),
)
"""The established facts, each with the incident's version that established or last revised it."""

statements = Table(
    "statements",
    METADATA,
    Column("id", key(), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("incident_id", key(), nullable=False),
    Column("unit", key(), nullable=False),
    Column("kind", key(16), nullable=False),
    Column("state", key(16), nullable=False),
    Column("title_ref", key(36), nullable=False),
    Column("draft_ref", key(36), nullable=False),
    Column("facts", Text, nullable=False),
    Column("level", key(100)),
    Column("steps", Text, nullable=False),
    Column("steps_done", Integer, nullable=False),
    Column("writers", Text, nullable=False),
    Column("approvers", Text, nullable=False),
    Column("rejection_ref", key(36)),
    Column("drafted_at", key(27), nullable=False),
    Column("title", Text),
    Column("text", Text),
    Column("published_at", key(27)),
    Column("updated_at", key(27)),
    Column("corrections", Integer, nullable=False),
    Column("withdrawn_at", key(27)),
    Column("drill", Boolean, nullable=False),
    Index(None, "incident_id"),
    Index(None, "updated_at", "id"),
    Index(None, "unit", "updated_at", "id"),
)
"""`facts` and `steps` are codes, `writers` and `approvers` digests of persons, each with a space between them. `title`
and `text` are the published ones that hold now.
"""

releases = Table(
    "releases",
    METADATA,
    Column("statement_id", key(), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("kind", key(16), nullable=False),
    Column("at", key(27), nullable=False),
    Column("title", Text),
    Column("text", Text),
    Column("reason", Text),
)
"""The public texts in order: publication, correction, withdrawal. A withdrawal has no text. A correction has a title
only if it changes the title."""


def _incident_keys(event: Event) -> list[Key]:
    return [(event.stream,)] if event.kind == "incident" else []


def _incident(_: Key, row: Row | None, event: Event) -> Row | None:
    data = event.data
    if isinstance(data, IncidentOpened):
        return {
            "id": event.stream,
            "version": event.version,
            "unit": data.unit,
            "assigned": None,
            "level": None,
            "rank": None,
            "answer_kind": None,
            "state": "open",
            "merged_into": None,
            "drill": event.drill,
        }
    return None if row is None else row | {"version": event.version} | _change(data)


def _change(data: Any) -> Row:
    match data:
        case IncidentGraded() | IncidentRegraded():
            return {"level": data.level, "rank": data.rank}
        case IncidentClassified():
            return {"answer_kind": data.answer_kind}
        case IncidentAssigned():
            return {"assigned": data.unit}
        case IncidentReturned():
            return {"assigned": None}
        case IncidentTransferred():
            return {"unit": data.unit}
        case IncidentResolved():
            return {"state": "resolved"}
        case IncidentReopened():
            return {"state": "open"}
        case IncidentClosed():
            return {"state": "closed"}
        case IncidentDismissed():
            return {"state": "dismissed"}
        case IncidentMerged():
            return {"state": "merged", "merged_into": data.into}
        case _:
            return {}


def _fact_keys(event: Event) -> list[Key]:
    if event.kind == "incident" and isinstance(event.data, IncidentFactEstablished | IncidentFactRevised):
        return [(event.stream, event.data.key)]
    return []


def _fact(key: Key, _: Row | None, event: Event) -> Row | None:
    return {"incident_id": key[0], "key": key[1], "version": event.version}


def _statement_keys(event: Event) -> list[Key]:
    return [(event.stream,)] if event.kind == "statement" else []


def _statement(_: Key, row: Row | None, event: Event) -> Row | None:
    data = event.data
    if isinstance(data, StatementDrafted):
        return {
            "id": event.stream,
            "version": event.version,
            "revision": _staff(event),
            "incident_id": data.incident,
            "unit": data.unit,
            "kind": data.kind,
            "state": "drafted",
            "title_ref": data.title.ref,
            "draft_ref": data.draft.ref,
            "facts": " ".join(data.facts),
            "level": None,
            "steps": "",
            "steps_done": 0,
            "writers": data.by,
            "approvers": "",
            "rejection_ref": None,
            "drafted_at": event.time_text,
            "title": None,
            "text": None,
            "published_at": None,
            "updated_at": None,
            "corrections": 0,
            "withdrawn_at": None,
            "drill": event.drill,
        }
    if row is None:
        return None
    counted = {"version": event.version, "revision": row["revision"] + _staff(event)}
    return row | counted | _progress(row, event)


def _staff(event: Event) -> int:
    return int(event.actor != "system")


def _progress(row: Row, event: Event) -> Row:
    unapproved = {"steps_done": 0, "approvers": ""}
    back = {"state": "drafted", "level": None, "steps": "", **unapproved}
    match event.data:
        case StatementRevised() as data:
            facts = row["facts"] if data.facts is None else " ".join(data.facts)
            title = data.title.ref if data.title else row["title_ref"]
            writers = " ".join(sorted({*row["writers"].split(), data.by}))
            return back | {"title_ref": title, "draft_ref": data.draft.ref, "facts": facts, "writers": writers}
        case StatementSubmitted() as data:
            steps = " ".join(data.steps)
            return {"state": "submitted", "level": data.level, "steps": steps, "rejection_ref": None, **unapproved}
        case StatementApproved() as data:
            state = "approved" if data.last else row["state"]
            approvers = f"{row['approvers']} {data.by}".strip()
            return {"state": state, "steps_done": row["steps_done"] + 1, "approvers": approvers}
        case StatementRejected() as data:
            return back | {"rejection_ref": data.reason.ref}
        case StatementPublished() as data:
            at, said = event.time_text, {"title": data.title, "text": data.text}
            return {"state": "published", "unit": data.unit, **said, "published_at": at, "updated_at": at}
        case StatementCorrected() as data:
            said = {"title": data.title or row["title"], "text": data.text}
            said |= {"approvers": f"{row['approvers']} {data.by}".strip()}
            return said | {"updated_at": event.time_text, "corrections": row["corrections"] + 1}
        case StatementWithdrawn():
            return {"state": "withdrawn", "updated_at": event.time_text, "withdrawn_at": event.time_text}
        case _:
            return {}


def _release_keys(event: Event) -> list[Key]:
    if event.kind == "statement" and isinstance(
        event.data, StatementPublished | StatementCorrected | StatementWithdrawn
    ):
        return [(event.stream, event.version)]
    return []


def _release(key: Key, _: Row | None, event: Event) -> Row | None:
    row = {"statement_id": key[0], "version": key[1], "at": event.time_text}
    match event.data:
        case StatementPublished() as data:
            return row | {"kind": "publication", "title": data.title, "text": data.text, "reason": None}
        case StatementCorrected() as data:
            return row | {"kind": "correction", "title": data.title, "text": data.text, "reason": data.reason}
        case StatementWithdrawn() as data:
            return row | {"kind": "withdrawal", "title": None, "text": None, "reason": data.reason}
        case _:
            return None


OF_ONE = (
    View(statements, _statement_keys, _statement, one_stream=True),
    View(releases, _release_keys, _release, one_stream=True),
)
"""Views that fold only a statement's own events."""

VIEWS = (
    *offices.views(METADATA),
    *standings.views(METADATA, standing_of),
    View(incidents, _incident_keys, _incident, one_stream=True),
    View(incident_facts, _fact_keys, _fact, one_stream=True),
    *OF_ONE,
)
