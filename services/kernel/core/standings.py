"""Which units have to do with a matter, which had, and what each may read of it.

Rights follow the matter. Whoever has a part in it, and every unit above, reads all of it, what was recorded before
included. Whoever had one reads what was recorded until it ended. A matter that was merged goes on elsewhere: there
the others read on.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from schemas.standing import Change

Units = Collection[str] | None
"""A unit and all below it; None for all units there are."""


class Moment(NamedTuple):
    """An event of the incident: its version, and when it was recorded, as text."""

    version: int
    at: str


class Reading(NamedTuple):
    """What may be read: all, or what was recorded `until` an event, itself included."""

    until: Moment | None = None

    def covers(self, at: str) -> bool:
        """Whether that holds what was recorded at an instant, given as text."""
        return self.until is None or at <= self.until.at

    def ending(self, end: Moment | None) -> "Reading":
        """The same, but no further than another event, where one is given."""
        return self if end is None else Reading(min(self.until or end, end, key=lambda moment: moment.at))


@dataclass(frozen=True, slots=True)
class Standing:
    """The units that have to do with one incident."""

    accountable: str | None = None
    assigned: str | None = None
    verifying: frozenset[str] = frozenset()
    helping: frozenset[str] = frozenset()
    past: Mapping[str, Moment] = field(default_factory=dict)
    """Units that have no part any more -> the event that ended their last one."""
    merged: Moment | None = None
    into: str | None = None

    @property
    def units(self) -> frozenset[str]:
        """Those that have a part in it, or had when it was merged."""
        return self.verifying.union(self.helping, (unit for unit in (self.accountable, self.assigned) if unit))

    def after(self, change: Change, moment: Moment) -> "Standing":
        """The standing after an event of the incident."""
        match change.part:
            case "accountable":
                new = replace(self, accountable=change.unit)
            case "assigned":
                new = replace(self, assigned=change.unit)
            case "verifying" if change.unit:
                new = replace(self, verifying=self.verifying | {change.unit})
            case "verifying":
                new = replace(self, verifying=frozenset(), helping=frozenset())
            case "helping":
                new = replace(self, helping=self.helping | {change.unit} if change.unit else frozenset())
            case _:
                return replace(self, merged=moment, into=change.into)
        past = {**self.past, **dict.fromkeys(self.units, moment)}
        return replace(new, past={unit: at for unit, at in past.items() if unit not in new.units})

    def reading(self, units: Units) -> Reading | None:
        """What is read of it by whoever oversees these units; None for nothing."""
        if units is None:
            return Reading()
        if not self.units.isdisjoint(units):
            return Reading(self.merged)
        ended = [moment for unit, moment in self.past.items() if unit in units]
        return Reading(max(ended)) if ended else None


def widest(readings: Iterable[Reading | None]) -> Reading | None:
    """The one that covers most; None where there is none."""
    found = (reading for reading in readings if reading is not None)
    return max(found, key=lambda reading: reading.until.at if reading.until else "~", default=None)


def reading_of(standings: Mapping[str, Standing], incident: str, units: Units) -> Reading | None:
    """What is read of an incident by `units`: by its own standing, or by that of where it goes on."""
    found: list[Reading | None] = []
    standing = standings.get(incident)
    while standing is not None and len(found) <= len(standings):
        found.append(standing.reading(units))
        standing = standings.get(standing.into or "")
    return widest(found)
