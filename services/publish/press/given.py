"""What a medium is given is what was approved: a text that differs is refused, and both are shown. Pure."""

from typing import NamedTuple

from services.kernel.core.problems import Rejected
from services.publish.verifying import differing
from services.publish.verifying.likeness import compared, visible, with_places

SHOWN = 80
"""So many characters of a passage are shown."""


class Approved(NamedTuple):
    """A statement as it may be given: the published words, or the approved ones before that."""

    id: str
    number: str
    unit: str
    state: str
    title: str
    text: str


def refusal_of(field: str, text: str, statement: Approved) -> Rejected | None:
    """Why a text may not be given: the first place where it differs from the statement, with both passages."""
    title, said = statement.title, statement.text
    told = compared(text)
    if told in (compared(said), compared(f"{title}\n{said}")):
        return None
    at, given, approved = max(_first(one, text) for one in (said, f"{title}\n{said}")), "", ""
    for kind, passage in differing.differences(title, said, text):
        if kind == "equal" and (given or approved):
            break
        given += passage if kind == "insert" else ""
        approved += passage if kind == "delete" else ""
    given, approved = (visible(one.strip())[:SHOWN] or "—" for one in (given, approved))
    return Rejected(
        f"{field}, character {at}: {given} stands where statement {statement.number} says {approved}; give the "
        "approved text, or have the statement corrected first",
        code="differs-from-approved",
        field=field,
        at=at,
        given=given,
        approved=approved,
        statement=statement.number,
    )


def _first(said: str, text: str) -> int:
    """The first character of a text that is not as in another one, counted from 1; of a figure, its first digit."""
    (before, _), (after, places) = with_places(said), with_places(text)
    same = next((at for at, (one, other) in enumerate(zip(before, after, strict=False)) if one != other), None)
    at = places[min(len(before), len(after)) if same is None else same]
    while 0 < at < len(text) and text[at - 1].isdecimal() and text[at].isdecimal():
        at -= 1
    return at + 1
