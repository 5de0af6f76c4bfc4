"""A unit's part in a matter, as events of the incident change it."""

from typing import Literal, NamedTuple

Part = Literal["accountable", "assigned", "helping", "verifying"]
"""One unit is accountable, and at most one is assigned. Any number help or verify."""


class Change(NamedTuple):
    """From an event on, `unit` has the `part`: alone, or, if it helps or verifies, beside others.

    With `ends`, it has the part no more. Without a unit, nobody has it any more. When nobody verifies any more, nobody
    helps either. With `into`, the matter goes on as another incident.
    """

    part: Part | None = None
    unit: str | None = None
    into: str | None = None
    ends: bool = False
