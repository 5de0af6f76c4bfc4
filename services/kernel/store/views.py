"""Read models as folds: tables whose rows are pure functions of events.

The kernel collects the keys that a transaction's events touch, and locks and reads those rows once. It folds the events
in memory and writes each table once. Rows hold only data of events, so a replay gives equal rows. If a row listens to
several topics, `apply` must not depend on their order.
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
    """Each row that `apply` returns has every column. The primary key identifies it."""
    keys: Callable[[Event], Iterable[Key]]
    """Primary keys, in the table's order, of the rows that an event of `kinds` touches."""
    apply: Callable[[Key, Row | None, Event], Row | None]
    """The row after the event; None for no row. Pure."""
    kinds: tuple[str, ...] | None = None
    """The kinds of the streams of these events; None for all. `keys` is asked only for such events."""
    one_stream: bool = False
    """Whether each row listens to only one stream. Then the stream's versions keep writers apart, without a lock."""
    by_command: bool = False
    """Whether the command itself writes the row of its event. Then only events from a topic are folded in."""

    def listens_to(self, event: Event) -> bool:
        """Whether the event is of a stream of these kinds."""
        return self.kinds is None or event.kind in self.kinds

    def touched(self, event: Event) -> Iterable[Key]:
        """Primary keys of the rows that the event touches; none for an event of other streams."""
        return self.keys(event) if self.listens_to(event) else ()


def folded(view: View, events: Iterable[Event]) -> list[Row]:
    """The rows of a view after only these events, in order of their keys: what was known at that time."""
    rows: dict[Key, Row | None] = {}
    for event in events:
        for key in view.touched(event):
            rows[key] = view.apply(key, rows.get(key), event)
    return [row for _, row in sorted(rows.items()) if row is not None]
