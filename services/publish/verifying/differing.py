"""The differences of a text that circulates, or was posted, to the one that was published. Pure."""

from collections.abc import Mapping, Sequence

from services.kernel.core.difference import Piece, difference
from services.publish.verifying import likeness

STEPS = 2_000_000
"""The most steps of one comparison, a tenth of a second: anybody may ask, and no text may take long."""
LONGEST = 60
"""So many equal characters are shown beside a difference in a long text."""


def differences(title: str, said: str, pasted: str) -> list[Piece]:
    """The differences of a text to a release, with its title if the text has it. What does not count is not marked."""
    plain, titled = (pieces(old, pasted) for old in (said, f"{title}\n{said}"))
    return min((plain, titled), key=lambda found: sum(len(one.text) for one in found if one.kind != "equal"))


def pieces(old: str, new: str) -> list[Piece]:
    """The differences of the compared forms, in the words of both texts with their white space."""
    (before, old_at), (after, new_at) = likeness.with_places(old), likeness.with_places(new)
    at_old = at_new = 0
    found: list[Piece] = []
    for piece in difference(before, after, STEPS):
        size = len(piece.text)
        if piece.kind == "insert":
            found.append(Piece("insert", new[new_at[at_new] : new_at[at_new + size]]))
        else:
            found.append(Piece(piece.kind, old[old_at[at_old] : old_at[at_old + size]]))
        at_old += size if piece.kind != "insert" else 0
        at_new += size if piece.kind != "delete" else 0
    return found


def shortened(found: Sequence[Piece]) -> list[Mapping[str, str]]:
    """The pieces for a reader: hidden characters as marks, of long equal passages only what stands beside a change."""
    shown: list[Mapping[str, str]] = []
    for at, (kind, words) in enumerate(found):
        first, last = at == 0, at == len(found) - 1
        told = words
        if kind == "equal" and len(words) > 3 * LONGEST:
            begin, end = ("" if first else words[:LONGEST]), ("" if last else words[-LONGEST:])
            told = f"{begin}……{end}"
        shown.append({"kind": kind, "text": likeness.visible(told)})
    return shown
