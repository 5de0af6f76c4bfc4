"""Boxes that are drawn over a picture or a page before it is stored: read and counted. Pure."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal

import orjson
from pydantic import Field, ValidationError

from services.kernel.core.commands import Command, example
from services.kernel.core.problems import Malformed
from services.kernel.serving.validation import malformed
from services.kernel.uploads.pictures import Box

MOST = 100
"""So many boxes a file may have."""
Below = Literal["face", "name", "number", "address", "signature", "minor", "other"]
"""What a box covers: a face, a name, a number of a person, a vehicle or an account, where somebody lives, a signature
or a seal, what shows a child, or else."""
Place = Annotated[int, Field(strict=True, ge=0, le=100_000)]
Length = Annotated[int, Field(strict=True, ge=1, le=100_000)]


class Redaction(Command, json_schema_extra=example(x=120, y=80, w=240, h=60, reason="number")):
    """A box of black, in pixels of the picture as it stands upright, from its upper left corner.

    A page of a PDF has 150 pixels to an inch, as the preview shows it.
    """

    x: Place
    """Where it begins, from the left."""
    y: Place
    """Where it begins, from the top."""
    w: Length
    """How wide it is."""
    h: Length
    """How high it is."""
    page: Annotated[int, Field(strict=True, ge=1, le=10_000)] = 1
    """The page, of a PDF."""
    reason: Below = "other"
    """What is below."""

    @property
    def box(self) -> Box:
        """The place in the picture."""
        return Box(self.x, self.y, self.w, self.h)


Redactions = Annotated[tuple[Redaction, ...], Field(max_length=MOST)]


class _Form(Command):
    redactions: Redactions


def read(text: str) -> tuple[Redaction, ...]:
    """The boxes of a form's field `redactions`: a list in JSON. Raises `Malformed`."""
    try:
        listed = orjson.loads(text) if text.strip() else []
    except orjson.JSONDecodeError:
        raise Malformed(
            'redactions: send a list in JSON, such as [{"x": 120, "y": 80, "w": 240, "h": 60}]',
            code="redactions-unreadable",
            field="redactions",
        ) from None
    try:
        return _Form.model_validate({"redactions": listed}).redactions
    except ValidationError as error:
        raise malformed(error) from None


def written(redactions: Sequence[Redaction]) -> str:
    """The boxes as a text that is the same for the same boxes; empty without any."""
    return ";".join(f"{one.page}:{one.box}:{one.reason}" for one in redactions)


def counted(redactions: Sequence[Redaction]) -> dict[str, int]:
    """What is below -> the number of boxes."""
    return dict(sorted(Counter(one.reason for one in redactions).items()))
