"""A roster as an iCalendar file (RFC 5545), for the desk's own calendar. Posts, never persons. Pure."""

from collections.abc import Iterable
from datetime import datetime

from icalendar import Calendar, Event

from services.escalation.desk import Shift
from services.kernel.core.ids import derived
from services.kernel.core.units import Offices


def of_roster(unit: str, shifts: Iterable[Shift], offices: Offices, now: datetime) -> bytes:
    """The duties of a unit. Each keeps its UID, so a calendar that reads the file again changes its entries."""
    found = Calendar()
    found.add("prodid", "-//Huiying//roster//ZH")
    found.add("version", "2.0")
    found.add("name", _name(unit, offices))
    for shift in shifts:
        entry = Event()
        entry.add("uid", derived("duty", unit, shift.post, shift.since.isoformat()))
        entry.add("dtstamp", now)
        entry.add("dtstart", shift.since)
        entry.add("dtend", shift.until)
        entry.add("summary", f"值班：{_title(shift.post, offices)}")
        if shift.substitute:
            entry.add("description", f"替班：{_title(shift.substitute, offices)}")
        found.add_component(entry)
    return bytes(found.to_ical())


def _name(unit: str, offices: Offices) -> str:
    known = offices.ever.get(unit)
    return known.name if known else unit


def _title(post: str, offices: Offices) -> str:
    code, _, unit = post.partition("@")
    known = offices.posts.get(unit, {}).get(code)
    return f"{_name(unit, offices)}{known.title}" if known else post
