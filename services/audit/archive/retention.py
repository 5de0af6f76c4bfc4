"""How long the archive of a matter is kept, by its pack. Pure. Nothing is deleted when the time is over."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from schemas.envelope import Event
from services.kernel.core.units import LoadedPack
from services.kernel.sealed.first_day import ENDINGS


class Kept(NamedTuple):
    """What the pack says; without it, nobody has fixed how long."""

    until: str | None
    """The last day, in the pack's zone; None for ever."""
    by: str
    """The pack, as a reference."""

    @property
    def text(self) -> str:
        """In a line of `bag-info.txt`."""
        return f"{self.until or 'permanent'} (archive.kept of {self.by.partition('#')[0]})"


def kept(own: Sequence[Event], pack: LoadedPack | None) -> Kept | None:
    """Until when the archive of an ended matter is kept: whole years from the day of its last end."""
    archive = pack.model.archive if pack else None
    years = archive.kept.value if archive and archive.kept else None
    ends = [event.time for event in own if event.type in ENDINGS]
    if pack is None or years is None or not ends:
        return None
    if years == "permanent":
        return Kept(None, pack.ref)
    return Kept(_later(max(ends).astimezone(pack.model.timezone).date(), years).isoformat(), pack.ref)


def _later(day: date, years: int) -> date:
    """The same day of a later year; after 29 February, 1 March where there is none."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)
