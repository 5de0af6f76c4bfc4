"""The answers on files of a statement, for the API's documents."""

from schemas.fields import Digest, MediaType, Token
from schemas.publish import Persons
from services.kernel.serving.answers import Answered

SHA256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"


class File(Answered):
    """A file of a statement."""

    file: Token
    """The file."""
    media_type: MediaType
    """Its type."""
    size: int
    """Its bytes."""
    sha256: Digest
    """SHA-256 of its bytes."""
    title: str | None
    """What it shows."""
    persons: Persons | None
    """Of a picture: nobody in it can be recognised, somebody can be and must be covered (`to_cover`), or was."""
    pages: int | None
    """The pages of a document."""
    shown: bool
    """Whether it is in public now."""
    public: bool
    """Whether it is or was in public. Then it stays as it is."""


class AttachedFile(Answered):
    """A file that is in public with a statement."""

    file: Token
    """The file."""
    media_type: MediaType
    """Its type."""
    size: int
    """Its bytes."""
    sha256: Digest
    """SHA-256 of its bytes."""
    title: str
    """What it shows."""
