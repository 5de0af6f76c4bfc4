"""The table of findings as they are now, folded from their own events; and how far loops read the record."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, Table

from schemas import findings as f
from schemas.envelope import Event
from schemas.fields import Fact, instant
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View


def tables(metadata: MetaData) -> tuple[Table, Table]:
    """Adds the tables to audit's metadata."""
    findings = Table(
        "findings",
        metadata,
        Column("finding_id", key(), primary_key=True),
        Column("record", key(), nullable=False),
        Column("incident_id", key()),
        Column("unit", key(), nullable=False),
        Column("kind", key(32), nullable=False),
        Column("stage", key(16), nullable=False),
        Column("by_hand", Boolean, nullable=False),
        Column("hear_by", key(27)),
        Column("drill", Boolean, nullable=False),
        Column("revision", Integer, nullable=False),
        Index("ix_findings_record", "record"),
        Index("ix_findings_unit", "unit", "kind"),
        Index("ix_findings_hearing", "stage", "hear_by"),
    )
    judged = Table(
        "judged",
        metadata,
        Column("id", Integer, primary_key=True, autoincrement=False),
        Column("position", BigInteger, nullable=False),
    )
    return findings, judged


def _keys(event: Event) -> list[Key]:
    return [(event.stream,)]


STAGES: dict[type[Fact], str] = {
    f.FindingComputed: "stands",
    f.FindingProposed: "proposed",
    f.FindingOfficeHeard: "heard",
    f.FindingConfirmed: "upheld",
    f.FindingRejected: "rejected",
    f.FindingLapsed: "lapsed",
}
"""Type of event -> the stage after it. A first word at the root changes none."""


def _row(key: Key, row: Row | None, event: Event) -> Row | None:
    data = event.data
    revision = (row["revision"] if row else 0) + (event.actor != "system")
    if isinstance(data, f.FindingMade):
        made = data.model_dump(include={"record", "unit"})
        proposed = data if isinstance(data, f.FindingProposed) else None
        made |= {"incident_id": data.incident, "kind": data.finding, "by_hand": bool(proposed and proposed.by)}
        row = {"finding_id": key[0], **made, "hear_by": proposed and instant(proposed.hear_by), "drill": event.drill}
    return row and {**row, "stage": STAGES.get(type(data), row.get("stage")), "revision": revision}


def view(table: Table) -> View:
    """The view of the table of findings."""
    return View(table, _keys, _row, ("finding",), one_stream=True)
