"""The commands on files of a statement. `AttachFile` comes with the file itself."""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from schemas.fields import Digest, Figure, MediaType, Token
from services.kernel.core.commands import Command, example
from services.publish.commands import Title

FILE = "5f0c7d2b9e8a4136a7c1d0e9f8b7a6c5d4e3f2a1b0c9d8e7"
WHOLE = 1_000_000
Part = Annotated[int, Field(strict=True, ge=0, le=WHOLE)]


class AttachFile(Command):
    """A file that is stored under `file`."""

    file: Token
    media_type: MediaType
    size: Figure
    sha256: Digest
    title: Title
    persons: Literal["none", "to_cover"] | None = None
    pages: Figure | None = None


class Area(Command):
    """A part of a picture, in millionths of its width and height, from its upper left corner."""

    left: Part
    """Where it begins, from the left."""
    top: Part
    """Where it begins, from the top."""
    width: Annotated[Part, Field(ge=1)]
    """How wide it is."""
    height: Annotated[Part, Field(ge=1)]
    """How high it is."""

    @model_validator(mode="after")
    def _lies_within(self) -> "Area":
        if self.left + self.width > WHOLE or self.top + self.height > WHOLE:
            raise PydanticCustomError("area-outside", "the area goes beyond the picture; end it at its edge")
        return self


Areas = Annotated[tuple[Area, ...], Field(min_length=1, max_length=100)]


class CoverPersons(
    Command,
    json_schema_extra=example(file=FILE, areas=[{"left": 420_000, "top": 310_000, "width": 80_000, "height": 120_000}]),
):
    """Draw black over areas of a picture. What was below is deleted."""

    file: Token
    """The picture."""
    areas: Areas
    """The areas."""


class Covered(Command):
    """A picture with black areas, stored anew under `stored`."""

    file: Token
    stored: Token
    size: Figure
    sha256: Digest
    areas: Figure


class DetachFile(Command, json_schema_extra=example(file=FILE)):
    """Take a file away that was never in public. It is deleted."""

    file: Token
    """The file."""
