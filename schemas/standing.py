"""Which part a unit has in a matter, as events of the incident change it."""

from typing import Literal, NamedTuple

Part = Literal["accountable", "assigned", "helping", "verifying"]
"""One unit is accountable, one at most is assigned, any number help or verify."""


class Change(NamedTuple):
    """From an event on, `unit` has the `part`: alone, or, where it helps or verifies, beside others.

    Without a unit, nobody has it any more; where nobody verifies any more, nobody helps either. With `into`, the matter
    goes on as another incident.
    """

    part: Part | None = None
    unit: str | None = None
    into: str | None = None
