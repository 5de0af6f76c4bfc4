"""A roster as an iCalendar file (RFC 5545), for the desk's own calendar. Posts, never persons. Pure."""

from collections.abc import Iterable
from datetime import datetime

from icalendar import Calendar, Event

from services.escalation.duty.desk import Shift
from services.kernel.core.ids import derived
from services.kernel.core.units import Offices


def of_roster(unit: str, shifts: Iterable[Shift], offices: Offices, now: datetime) -> bytes:
    """The duties of a unit: who was or is there, or else who is planned, and until when.

    Each keeps its UID, so a calendar that reads the file again changes its entries. A duty that was handed over before
    its begin is left out.
    """
    found = Calendar()
    found.add("prodid", "-//Huiying//roster//ZH")
    found.add("version", "2.0")
    found.add("name", _name(unit, offices))
    for shift in shifts:
        ends = min(shift.handed_over or shift.until, shift.until)
        if ends <= shift.since:
            continue
        entry, there = Event(), shift.by or shift.post
        entry.add("uid", derived("duty", unit, shift.post, shift.since.isoformat()))
        entry.add("dtstamp", now)
        entry.add("dtstart", shift.since)
        entry.add("dtend", ends)
        entry.add("summary", f"值班：{_title(there, offices)}")
        if there != shift.post:
            entry.add("description", f"原定：{_title(shift.post, offices)}")
        elif shift.substitute and not shift.by:
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
