"""How far the sending to each other deployment is. No event tells it."""

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table

from services.kernel.store.columns import key


def table(metadata: MetaData) -> Table:
    """Adds the table."""
    return Table(
        "peer_progress",
        metadata,
        Column("peer", key(64), primary_key=True),
        Column("position", BigInteger, nullable=False),
        Column("tries", Integer, nullable=False),
        Column("since", key(27)),
        Column("next_at", key(27)),
        Column("error", key(40)),
    )
