"""The units that take part in a matter, or did, and how much of it each may read.

Rights follow the matter. A unit that has a part in it reads all of it, also what was recorded earlier; so does every
unit above. A unit that had a part reads what was recorded until its part ended. A merged matter goes on in another
incident: the units that had a part at the merge read on there.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from schemas.standing import Change

Units = Collection[str] | None
"""A unit and all units below it; None for all units."""


class Moment(NamedTuple):
    """An event of the incident: its version, and the time when it was recorded, as text."""

    version: int
    at: str


class Reading(NamedTuple):
    """How much may be read: everything, or what was recorded up to and including the event `until`."""

    until: Moment | None = None

    def covers(self, at: str) -> bool:
        """Whether this covers what was recorded at an instant, given as text."""
        return self.until is None or at <= self.until.at

    def ending(self, end: Moment | None) -> "Reading":
        """The same, but not beyond another event, if one is given."""
        return self if end is None else Reading(min(self.until or end, end, key=lambda moment: moment.at))


@dataclass(frozen=True, slots=True)
class Standing:
    """The units that take part, or took part, in one incident."""

    accountable: str | None = None
    assigned: str | None = None
    verifying: frozenset[str] = frozenset()
    helping: frozenset[str] = frozenset()
    past: Mapping[str, Moment] = field(default_factory=dict)
    """Former units -> the event that ended their last part."""
    merged: Moment | None = None
    into: str | None = None

    @property
    def units(self) -> frozenset[str]:
        """The units that have a part, or had one at the merge."""
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
            case "helping" if change.ends:
                new = replace(self, helping=self.helping - {change.unit})
            case "helping":
                new = replace(self, helping=self.helping | {change.unit} if change.unit else frozenset())
            case _:
                return replace(self, merged=moment, into=change.into)
        now = new.units
        past = {unit: at for unit, at in self.past.items() if unit not in now} | dict.fromkeys(self.units - now, moment)
        return new if past == self.past else replace(new, past=past)

    def reading(self, units: Units) -> Reading | None:
        """How much of the incident a caller may read who oversees these units; None for nothing."""
        if units is None:
            return Reading()
        if not self.units.isdisjoint(units):
            return Reading(self.merged)
        ended = [moment for unit, moment in self.past.items() if unit in units]
        return Reading(max(ended)) if ended else None


def widest(readings: Iterable[Reading | None]) -> Reading | None:
    """The widest of them; None if there is none."""
    found = (reading for reading in readings if reading is not None)
    return max(found, key=lambda reading: reading.until.at if reading.until else "~", default=None)


def reading_of(standings: Mapping[str, Standing], incident: str, units: Units) -> Reading | None:
    """How much of an incident `units` may read.

    A merged incident goes on in another one; then a part in that one counts as well, as far as it lasted beyond the
    merger.
    """
    found: list[Reading | None] = []
    at, merged, asked = incident, None, set[str]()
    while (standing := standings.get(at)) is not None and at not in asked:
        asked.add(at)
        reading = standing.reading(units)
        found.append(reading if at == incident else _beyond(reading, merged, standings[incident].merged))
        at, merged = standing.into or "", standing.merged
    return widest(found)


def _beyond(reading: Reading | None, merged: Moment | None, end: Moment | None) -> Reading | None:
    """The part of a reading that covers a merged incident. `end` is that incident's last event.

    The reading is of the incident where it goes on. `merged` is the merger that led there.
    """
    if reading is None or reading.until is None or merged is None or end is None:
        return reading
    return Reading(Moment(end.version, reading.until.at)) if reading.covers(merged.at) else None
