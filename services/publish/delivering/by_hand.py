"""The text that was posted by hand, compared with the approved one to the character. Pure."""

from collections.abc import Sequence

from services.kernel.core.difference import Piece
from services.kernel.core.problems import Rejected
from services.publish.verifying.differing import pieces, shortened
from services.publish.verifying.likeness import compared

PIECES, PASSAGE = 41, 300
"""So many pieces of a difference are shown, and so many characters of each."""


def refusal(approved: Sequence[str], pasted: str) -> Rejected | None:
    """The refusal of a text that is none of the approved ones. White space and full-width forms change nothing."""
    told = compared(pasted)
    if told and told in {compared(one) for one in approved}:
        return None
    nearest = min((pieces(one, pasted) for one in approved), key=_changed)
    shown = [{"kind": one["kind"], "text": _cut(one["text"])} for one in shortened(nearest)[:PIECES]]
    marked = "".join(_marked(one["kind"], one["text"]) for one in shown)
    return Rejected(
        f"what stands there is not the approved text: {marked}; mend it there, and confirm again",
        code="posted-text-differs",
        difference=shown,
        marked=marked,
    )


def _cut(text: str) -> str:
    return text if len(text) <= PASSAGE else f"{text[:PASSAGE]}……"


def _changed(found: Sequence[Piece]) -> int:
    return sum(len(one.text) for one in found if one.kind != "equal")


def _marked(kind: str, text: str) -> str:
    return {"delete": f"[−{text}]", "insert": f"[+{text}]"}.get(kind, text)
