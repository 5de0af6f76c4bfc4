"""Which part a unit has in a matter, as events of the incident change it."""

from typing import Literal, NamedTuple

Part = Literal["accountable", "assigned", "verifying"]
"""One unit is accountable, one at most is assigned, any number verify."""


class Change(NamedTuple):
    """From an event on, `unit` has the `part`: alone, or, where it verifies, beside others. Without a unit, nobody has.

    With `into`, the matter goes on as another incident.
    """

    part: Part | None = None
    unit: str | None = None
    into: str | None = None
