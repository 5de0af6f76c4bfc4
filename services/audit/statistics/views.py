"""The tables from which numbers are counted. See `steps` for what events put there."""

from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table

from services.kernel.store.columns import key

UNIT, CODE, POST = 64, 72, 130
"""The length of a code, of one with the version of its event before it, and of a post."""


def tables(metadata: MetaData) -> tuple[Table, Table, Table]:
    """Adds the tables to audit's metadata.

    `at` is the time of the event in seconds since 1970, for a report that of its recording; `since` is since when the
    office knew of a report. In `steps`, and for the unit of a limit, a value begins with the version of its event in
    eight digits.
    """
    steps = Table(
        "steps",
        metadata,
        *_placed(),
        Column("kind", key(12), primary_key=True),
        Column("matter", key(), nullable=False),
        Column("unit", key(CODE)),
        Column("level", key(CODE)),
        Column("category", key(CODE)),
        Column("pack", key(CODE)),
        Index("ix_steps_matter", "matter"),
        Index("ix_steps_kind", "kind", "time", "matter"),
    )
    limits = Table(
        "limits",
        metadata,
        *_placed(),
        Column("matter", key(), nullable=False),
        Column("clock", key(), nullable=False),
        Column("version", Integer, nullable=False),
        Column("unit", key(CODE)),
        Column("rule", key(200)),
        Column("first_answer", Integer, nullable=False),
        Column("met", Integer, nullable=False),
        Column("kept", Integer, nullable=False),
        Column("missed", Integer, nullable=False),
        Column("annulled", Integer, nullable=False),
        Index("ix_limits_matter", "matter", "clock"),
    )
    desk = Table(
        "desk",
        metadata,
        *_placed(),
        Column("kind", key(12), nullable=False),
        Column("unit", key(UNIT), nullable=False),
        Column("post", key(POST)),
        Column("channel", key(UNIT)),
        Column("category", key(UNIT)),
        Column("since", BigInteger),
        Index("ix_desk_unit", "unit", "time"),
        Index("ix_desk_kind", "kind", "time"),
    )
    return steps, limits, desk


def _placed() -> tuple[Column[Any], ...]:
    return (
        Column("position", BigInteger, primary_key=True, autoincrement=False),
        Column("time", key(27), nullable=False),
        Column("recordedtime", key(27), nullable=False),
        Column("at", BigInteger, nullable=False),
    )
