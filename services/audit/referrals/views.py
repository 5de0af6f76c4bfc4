"""The table of referrals as they are now, folded from their own events."""

from sqlalchemy import Boolean, Column, Index, Integer, MetaData, Table

from schemas import referrals as r
from schemas.envelope import Event
from services.audit.referrals.rights import STAGES
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View


def tables(metadata: MetaData) -> Table:
    """Adds the table to audit's metadata."""
    return Table(
        "referrals",
        metadata,
        Column("referral_id", key(), primary_key=True),
        Column("unit", key(), nullable=False),
        Column("post", key(60), nullable=False),
        Column("kind", key(16), nullable=False),
        Column("stage", key(16), nullable=False),
        Column("drill", Boolean, nullable=False),
        Column("revision", Integer, nullable=False),
        Index("ix_referrals_unit", "unit"),
    )


def _keys(event: Event) -> list[Key]:
    return [(event.stream,)]


def _row(key: Key, row: Row | None, event: Event) -> Row | None:
    if isinstance(event.data, r.ReferralProposed):
        said = event.data.model_dump(include={"unit", "post", "kind"})
        row = {"referral_id": key[0], **said, "drill": event.drill}
    return row and {**row, "stage": STAGES[type(event.data)], "revision": row.get("revision", 0) + 1}


def view(table: Table) -> View:
    """The view of the table."""
    return View(table, _keys, _row, ("referral",), one_stream=True)
