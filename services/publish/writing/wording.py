"""What a public text must not contain: invisible characters, direction overrides, personal numbers.

Words of staff are masked before they are stored, so a personal number shows as its marker.
"""

import unicodedata
from typing import NamedTuple

from services.kernel import masking
from services.kernel.core.problems import Rejected
from services.publish.writing.hidden import is_hidden


class Fault(NamedTuple):
    """A fault of a public text: its first character, counted from 1, and its kind."""

    at: int
    what: str
    invisible: bool


def find(text: str, listed: masking.Listed) -> Fault | None:
    """The first fault of a text. Telephones of offices that are `listed` may stand in it."""
    return min([*_invisible(text), *_personal(text, listed)], default=None)


def _invisible(text: str) -> list[Fault]:
    """Invisible characters; some of them turn the text around them."""
    return [
        Fault(at, f"U+{ord(character):04X}", True)
        for at, character in enumerate(text, 1)
        if is_hidden(character) or unicodedata.category(character) in ("Zl", "Zp", "Co")
    ]


def _personal(text: str, listed: masking.Listed) -> list[Fault]:
    found = [(begin, masking.MARKERS[kind]) for begin, _, kind in masking.find(text, listed)]
    masked = [(text.find(marker), marker) for marker in masking.MARKERS.values()]
    return [Fault(at + 1, marker, False) for at, marker in (*found, *masked) if at >= 0]


def check(field: str, text: str, listed: masking.Listed) -> None:
    """Raises `Rejected` with the place if a text must not go public."""
    fault = find(text, listed)
    if fault is None:
        return
    if fault.invisible:
        raise Rejected(
            f"{field} holds an invisible character ({fault.what}) at character {fault.at}; take it out",
            code="invisible-character",
            field=field,
            at=fault.at,
            character=fault.what,
        )
    raise Rejected(
        f"{field} holds a personal number ({fault.what}) at character {fault.at}; nothing personal goes public, "
        "take it out",
        code="personal-number",
        field=field,
        at=fault.at,
        kind=fault.what,
    )
