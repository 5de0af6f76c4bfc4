"""Who may read what of the record. Nothing can be asked of it.

Staff read what their own unit and those below it did, and of a matter what these may read by their part in it.
"""

from collections.abc import Iterable

from schemas.envelope import Event, Undecodable, UnknownType
from schemas.triage import standing_of
from services.kernel.core.standings import Moment, Reading, Standing, Units, widest


def standing_after(events: Iterable[Event]) -> Standing:
    """The units that have to do with an incident, from its events in order. What cannot be read changes nothing."""
    standing = Standing()
    for event in events:
        try:
            change = standing_of(event.data)
        except (Undecodable, UnknownType):
            continue
        if change is not None:
            standing = standing.after(change, Moment(event.version, event.recorded_text))
    return standing


def reading_of_event(unit: str | None, of_its_matters: Iterable[Reading | None], overseen: Units) -> Reading | None:
    """What is read by whoever oversees these units, of an event with which `unit` acted; None for nothing."""
    return Reading() if overseen is None or unit in overseen else widest(of_its_matters)
