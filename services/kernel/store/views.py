"""Read models as folds: a table whose rows are pure functions of events.

The kernel collects the keys that a transaction's events touch, locks and reads those rows once, folds the events in
memory, and writes each table once. Rows hold nothing that is not in the events, so that a replay gives equal rows;
where one row listens to several topics, `apply` must not depend on their order.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table

from schemas.envelope import Event

Row = dict[str, Any]
Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class View:
    """One table of a read model."""

    table: Table
    """Every column is in every row that `apply` returns; the primary key identifies it."""
    keys: Callable[[Event], Iterable[Key]]
    """Primary keys, in the table's order, of the rows that the event touches."""
    apply: Callable[[Key, Row | None, Event], Row | None]
    """The row after the event; None for no row. Pure."""
    one_stream: bool = False
    """Whether each row listens to one stream alone: then the stream's versions keep writers apart, without a lock."""
    by_command: bool = False
    """Whether the command that causes the event writes its row itself. Then only events from a topic are folded in."""


def folded(view: View, events: Iterable[Event]) -> list[Row]:
    """The rows of a view after these events alone, in order of their keys: what was known then."""
    rows: dict[Key, Row | None] = {}
    for event in events:
        for key in view.keys(event):
            rows[key] = view.apply(key, rows.get(key), event)
    return [row for _, row in sorted(rows.items()) if row is not None]
