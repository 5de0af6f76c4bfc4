"""The note of how each mailbox is."""

from sqlalchemy import BigInteger, Column, MetaData, Table, Text

from services.kernel.store.columns import key


def table(metadata: MetaData) -> Table:
    """Adds the table to ingest's metadata. No event tells it, so it is lost with the database."""
    return Table(
        "mailboxes",
        metadata,
        Column("unit", key(64), primary_key=True),
        Column("address", key(320), nullable=False),
        Column("aside_in", Text, nullable=False),
        Column("read_at", key(27)),
        Column("trouble", Text),
        Column("trouble_at", key(27)),
        Column("reports", BigInteger, nullable=False),
        Column("aside", BigInteger, nullable=False),
        Column("aside_at", key(27)),
    )
