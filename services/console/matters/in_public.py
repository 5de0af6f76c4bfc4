"""What a matter has in public: the text that a new one follows, and until when an outdated one is to be updated."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from services.console.calls import Calls, Part, parts
from services.console.page import Reader
from services.kernel.core.difference import Piece, difference

UPDATE = "statement_update"
"""The limit that runs from the revision of a fact on which a public text rests."""
DUE = ("running", "breached")
_MARKER = re.compile(r"\{\{\s*fact\s*:\s*([a-z0-9][a-z0-9_.-]*)\s*\}\}")


def said(calls: Calls, incident: str) -> Any:
    """The public statements of a matter, to be awaited."""
    return calls.get("/publish/v1/statements", incident=incident, state="published", limit=50)


def last(public: Part, but: str = "") -> Mapping[str, Any] | None:
    """The statement that was published last on the matter, other than `but`; None if there is none."""
    known = [one for one in (public.value or {"items": ()})["items"] if one["id"] != but and one["resolved_text"]]
    return max(known, key=lambda one: one["published_at"] or "", default=None)


async def owed(calls: Calls, statement: Mapping[str, Any], look: Reader) -> dict[str, Any]:
    """What an outdated statement shows: each revised fact with its value now, and the limits of the update."""
    own = statement["incident_id"]
    limits, sheet = await parts(
        calls.get(f"/escalation/v1/incidents/{own}"), calls.get(f"/triage/v1/incidents/{own}/facts")
    )
    known = {one["key"]: one for one in _items(sheet)}
    clocks = (limits.value or {"clocks": ()})["clocks"]
    return {
        "facts": [_told(known.get(key), key, look) for key in statement["outdated"]],
        "limits": [one for one in clocks if one["clock"].partition("#")[0] == UPDATE and one["state"] in DUE],
    }


def filled(text: str, sheet: Part, look: Reader) -> str:
    """A text of the editor with the facts in the place of their markers. What is not established stays a marker."""
    known = {one["key"]: look.fact(one, one["values"][-1]["value"]) for one in _items(sheet)}
    return _MARKER.sub(lambda marker: known.get(marker[1], marker[0]), text)


def compared(before: Mapping[str, Any], title: str, text: str) -> dict[str, Sequence[Piece]]:
    """How a text differs from another statement's: the title only where it is another one."""
    was = before["resolved_title"] or before["title"] or ""
    return {
        "titles": difference(was, title) if was != title else (),
        "texts": difference(before["resolved_text"] or "", text),
    }


def _items(sheet: Part) -> Sequence[Mapping[str, Any]]:
    return (sheet.value or {"items": ()})["items"]  # type: ignore[no-any-return]


def _told(fact: Mapping[str, Any] | None, key: str, look: Reader) -> tuple[str, str]:
    if fact is None:
        return key, ""
    name = fact["title_en"] if look.language == "en" else fact["title"]
    return name, look.fact(fact, fact["values"][-1]["value"])
