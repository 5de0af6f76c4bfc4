"""What the figures are counted from: one row for each matter, no exercises."""

from sqlalchemy import Column, Index, MetaData, Table, Text

from schemas import triage
from schemas.envelope import Event
from schemas.fields import instant
from schemas.publish import StatementPublished
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View


def tables(metadata: MetaData) -> None:
    """Adds the table.

    `since` is when the office learned of the matter from a report. `answered_at` is the first published statement,
    reply or explanation, and `answered_by` the unit that gave it. `ended_at` is since when the matter is handled,
    closed or merged; null while it is open. `turns` is there if the matter changed its unit or was opened again:
    `instant=unit;` for each change, without a unit where it ended.
    """
    Table(
        "accounts",
        metadata,
        Column("incident_id", key(), primary_key=True),
        Column("opened_at", key(27)),
        Column("opened_by", key()),
        Column("category", key(100)),
        Column("unit", key()),
        Column("since", key(27)),
        Column("answered_at", key(27)),
        Column("answered_by", key()),
        Column("ended_at", key(27)),
        Column("turns", Text),
        Index(None, "opened_at", "opened_by", "category", "ended_at"),
        Index(None, "answered_at", "answered_by", "since"),
    )


def views(metadata: MetaData) -> tuple[View, ...]:
    """The fold that fills it. Triage's events and publish's own commute: the earliest answer is the first."""
    return (View(metadata.tables["accounts"], _keys, _row, ("incident", "statement")),)


_ENDING = triage.IncidentResolved | triage.IncidentClosed | triage.IncidentDismissed | triage.IncidentMerged
_COUNTED = (
    triage.IncidentOpened
    | triage.IncidentReportAttached
    | triage.IncidentAbsorbed
    | triage.IncidentCategorized
    | triage.IncidentTransferred
    | triage.IncidentReopened
    | triage.IncidentReplied
    | triage.IncidentExplained
    | _ENDING
)


def _keys(event: Event) -> list[Key]:
    if event.drill:
        return []
    match event.data:
        case StatementPublished() as data:
            return [(data.incident,)]
        case data if isinstance(data, _COUNTED):
            return [(event.stream,)]
    return []


def _row(key: Key, row: Row | None, event: Event) -> Row:
    names = ("opened_at", "opened_by", "category", "unit", "since", "answered_at", "answered_by", "ended_at", "turns")
    row = row or {"incident_id": key[0], **dict.fromkeys(names)}
    at = event.recorded_text
    match event.data:
        case triage.IncidentOpened() as data:
            known = {"opened_at": at, "opened_by": data.unit, "unit": data.unit, "category": data.category}
            return row | known | ({"since": instant(data.discovered_at)} if data.report else {})
        case triage.IncidentReportAttached() as data:
            return row | {"since": row["since"] or instant(data.discovered_at)}
        case triage.IncidentAbsorbed(discovered_at=discovered) if discovered:
            return row | {"since": min(filter(None, (row["since"], instant(discovered))))}
        case triage.IncidentCategorized() as data:
            return row | {"category": data.category}
        case StatementPublished(unit=unit):
            return row | _answered(row, at, unit)
        case triage.IncidentReplied() | triage.IncidentExplained():
            return row | _answered(row, at, event.unit or "")
        case triage.IncidentTransferred() as data:
            return row | {"unit": data.unit} | ({} if row["ended_at"] else _turned(row, at, data.unit))
        case triage.IncidentReopened() if row["ended_at"]:
            return row | _turned(row, at, row["unit"]) | {"ended_at": None}
        case data if isinstance(data, _ENDING) and not row["ended_at"]:
            return row | {"ended_at": at} | (_turned(row, at, "") if row["turns"] else {})
    return row


def _answered(row: Row, at: str, unit: str) -> Row:
    first = min(one for one in ((row["answered_at"], row["answered_by"]), (at, unit)) if one[0])
    return dict(zip(("answered_at", "answered_by"), first, strict=True))


def _turned(row: Row, at: str, unit: str) -> Row:
    ended = f"{row['ended_at']}=;" if row["ended_at"] else ""
    before = row["turns"] or f"{row['opened_at']}={row['opened_by']};{ended}"
    return {"turns": f"{before}{at}={unit};"}


def unit_at(turns: str, end: str) -> str | None:
    """The unit with which a matter with these turns was open just before an instant; None if it was not open."""
    unit = ""
    for turn in turns.split(";"):
        at, _, then = turn.partition("=")
        if turn and at < end:
            unit = then
    return unit or None
