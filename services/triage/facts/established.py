"""What is established of a matter, as tables folded from events: facts, their values and uses, files, assessments."""

from typing import Any, NamedTuple

from sqlalchemy import Boolean, Column, Float, Integer, MetaData, Table, Text

from schemas import ingest, triage
from schemas.envelope import Event
from schemas.fields import instant
from schemas.publish import StatementPublished
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View


class Tables(NamedTuple):
    """The tables of what is established."""

    facts: Table
    values: Table
    """Every value that a fact had, by the version of the incident. `evidence` has spaces between its references."""
    uses: Table
    """The published statements that rest on a fact. `version` is that of the incident on which the statement rests."""
    evidence: Table
    """The files of reports."""
    assessments: Table
    """The assessments of a matter."""


def tables(metadata: MetaData) -> Tables:
    """Adds the tables to triage's metadata."""
    return Tables(
        facts=Table(
            "incident_facts",
            metadata,
            Column("incident_id", key(), primary_key=True),
            Column("key", key(100), primary_key=True),
            *_value(),
            Column("established_at", key(27), nullable=False),
            Column("revised_at", key(27)),
        ),
        values=Table(
            "fact_values",
            metadata,
            Column("incident_id", key(), primary_key=True),
            Column("version", Integer, primary_key=True),
            Column("key", key(100), nullable=False),
            *_value(),
            Column("evidence", Text, nullable=False),
            Column("actor", key(130), nullable=False),
            Column("unit", key()),
            Column("recorded_at", key(27), nullable=False),
            Column("happened_at", key(27), nullable=False),
        ),
        uses=Table(
            "fact_uses",
            metadata,
            Column("incident_id", key(), primary_key=True),
            Column("key", key(100), primary_key=True),
            Column("statement_id", key(), primary_key=True),
            Column("version", Integer),
            Column("actor", key(130), nullable=False),
            Column("unit", key(), nullable=False),
            Column("at", key(27), nullable=False),
        ),
        evidence=Table(
            "evidence",
            metadata,
            Column("report_id", key(), primary_key=True),
            Column("file", key(128), primary_key=True),
        ),
        assessments=Table(
            "assessments",
            metadata,
            Column("incident_id", key(), primary_key=True),
            Column("version", Integer, primary_key=True),
            Column("cause", key(36), nullable=False),
            Column("truth", key(36), nullable=False),
            Column("trend", key(36), nullable=False),
            Column("impact", key(36), nullable=False),
            Column("at", key(27), nullable=False),
            Column("recorded_at", key(27), nullable=False),
            Column("actor", key(130), nullable=False),
        ),
    )


def _value() -> list[Column[Any]]:
    """The columns of what a fact says, see `_told`."""
    return [
        Column("kind", key(8), nullable=False),
        Column("words", key(36)),
        Column("number", Float),
        Column("at", key(27)),
        Column("code", key(100)),
        Column("yes", Boolean),
        Column("source", key(36), nullable=False),
    ]


def of_one(tables: Tables) -> tuple[View, ...]:
    """The views that fold only an incident's own events."""
    return (
        View(tables.facts, _fact_keys, _fact, ("incident",), one_stream=True),
        View(tables.assessments, _assessment_keys, _assessment, ("incident",), one_stream=True),
    )


def views(tables: Tables) -> tuple[View, ...]:
    """The other views."""
    return (
        View(tables.values, _value_keys, _fact_value, ("incident",), one_stream=True),
        View(tables.uses, _use_keys, _use, ("statement",), one_stream=True),
        View(tables.evidence, _file_keys, _file, ("report",), one_stream=True),
    )


def _fact_keys(event: Event) -> list[Key]:
    match event.data:
        case triage.IncidentFactEstablished() | triage.IncidentFactRevised() as data:
            return [(event.stream, data.key)]
    return []


def _fact(key: Key, row: Row | None, event: Event) -> Row:
    data: triage.IncidentFactEstablished | triage.IncidentFactRevised = event.data
    return {
        "incident_id": key[0],
        "key": key[1],
        **_told(data),
        "established_at": row["established_at"] if row else event.recorded_text,
        "revised_at": event.recorded_text if row else None,
    }


def _told(data: triage.IncidentFactEstablished | triage.IncidentFactRevised) -> Row:
    return {
        "kind": data.kind,
        "words": data.words.ref if data.words else None,
        "number": data.number,
        "at": instant(data.at) if data.at else None,
        "code": data.code,
        "yes": data.yes,
        "source": data.source.ref,
    }


def _value_keys(event: Event) -> list[Key]:
    return [(event.stream, event.version)] if _fact_keys(event) else []


def _fact_value(key: Key, row: Row | None, event: Event) -> Row:
    data: triage.IncidentFactEstablished | triage.IncidentFactRevised = event.data
    return {
        "incident_id": key[0],
        "version": key[1],
        "key": data.key,
        **_told(data),
        "evidence": " ".join(data.evidence),
        "actor": event.actor,
        "unit": event.unit,
        "recorded_at": event.recorded_text,
        "happened_at": event.time_text,
    }


def _use_keys(event: Event) -> list[Key]:
    match event.data:
        case StatementPublished() as data:
            return [(data.incident, fact, event.stream) for fact in data.facts]
    return []


def _use(key: Key, row: Row | None, event: Event) -> Row:
    rests = (stream.rpartition("@") for stream in event.basis)
    return {
        "incident_id": key[0],
        "key": key[1],
        "statement_id": key[2],
        "version": next((int(version) for stream, _, version in rests if stream == key[0]), None),
        "actor": event.actor,
        "unit": event.data.unit,
        "at": event.recorded_text,
    }


def _file_keys(event: Event) -> list[Key]:
    match event.data:
        case ingest.ReportEvidenceAttached() as data:
            return [(event.stream, data.file)]
    return []


def _file(key: Key, row: Row | None, event: Event) -> Row:
    return {"report_id": key[0], "file": key[1]}


def _assessment_keys(event: Event) -> list[Key]:
    assessed = isinstance(event.data, triage.IncidentAssessed)
    return [(event.stream, event.version)] if assessed else []


def _assessment(key: Key, row: Row | None, event: Event) -> Row:
    data: triage.IncidentAssessed = event.data
    return {
        "incident_id": key[0],
        "version": key[1],
        **{name: getattr(data, name).ref for name in ("cause", "truth", "trend", "impact")},
        "at": event.time_text,
        "recorded_at": event.recorded_text,
        "actor": event.actor,
    }
