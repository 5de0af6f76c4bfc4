"""A matter's press part as readers see it: folded from its events when somebody reads it. Pure."""

from collections.abc import Iterable
from typing import Any

from schemas import press
from schemas.envelope import Event
from schemas.fields import Words, instant

Row = dict[str, Any]

WORDS = ("reason", "place", "changed", "medium", "text", "record", "late_reason")
"""Fields of the rows that hold the reference of words."""


def fixed(events: Iterable[Event]) -> list[Row]:
    """Each time that posts were fixed, in order."""
    return [
        {
            "at": event.time_text,
            "by": event.actor,
            "speaks": data.speaks,
            "approves": data.approves,
            "interviews": data.interviews,
            "reason": _ref(data.reason),
        }
        for event in events
        if isinstance(data := event.data, press.PressSpeakersFixed)
    ]


def conferences(events: Iterable[Event]) -> list[Row]:
    """The press conferences as they stand, in the order in which they were called."""
    found: dict[str, Row] = {}
    for event in events:
        match event.data:
            case press.PressConferenceCalled() as data:
                found[data.conference] = {
                    "conference": data.conference,
                    "state": "called",
                    "at": instant(data.at),
                    "place": data.place.ref,
                    "reason": data.reason.ref,
                    "changed": None,
                    "called_at": event.time_text,
                    "called_by": event.actor,
                    "held_at": None,
                    "statement": None,
                    "spoke": (),
                    "text": None,
                    "record": None,
                    "late_reason": None,
                }
            case press.PressConferencePostponed() as data if known := found.get(data.conference):
                known |= {"at": instant(data.at), "changed": data.reason.ref}
                known |= {"place": data.place.ref} if data.place else {}
            case press.PressConferenceCancelled() as data if known := found.get(data.conference):
                known |= {"state": "cancelled", "changed": data.reason.ref}
            case press.PressConferenceHeld() as data if known := found.get(data.conference):
                known |= {"state": "held", "held_at": event.time_text, "statement": data.statement}
                known |= {"spoke": data.spoke, "text": data.text.ref, "record": _ref(data.record)}
                known |= {"late_reason": _ref(data.late_reason)}
    return list(found.values())


def contacts(events: Iterable[Event]) -> list[Row]:
    """What media were given, the latest first."""
    found = [
        {
            "at": event.time_text,
            "recorded_at": event.recorded_text,
            "by": event.actor,
            "statement": data.statement,
            "medium": data.medium.ref,
            "how": data.how,
            "what": data.what,
            "spoke": data.spoke,
            "text": data.text.ref,
            "late_reason": _ref(data.late_reason),
        }
        for event in events
        if isinstance(data := event.data, press.PressContactLogged)
    ]
    return found[::-1]


def _ref(words: Words | None) -> str | None:
    return words.ref if words else None
