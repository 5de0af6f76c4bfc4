"""What can be asked of a report and of keys.

All but `ReceiveReport` and `AttachEvidence` are request bodies; none has a field for an author. Lengths are in
characters, before masking. Times are ISO 8601 with an offset; a number or a time without one is refused.
"""

import unicodedata
from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, StringConstraints
from pydantic_core import PydanticCustomError

from schemas.fields import Code, Digest, Figure, MediaType, Token, UnitCode, WrittenInstant
from schemas.words import Cause
from services.kernel.core.commands import Command

Subject = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100_000)]
Address = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]
Note = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]


def _plain(value: object) -> object:
    """The same id for the same id: no width, no white space around it, nothing that nobody sees."""
    if not isinstance(value, str):
        return value
    seen = "".join(char for char in unicodedata.normalize("NFKC", value) if unicodedata.category(char) != "Cf")
    return " ".join(seen.split())


def _web(address: str) -> str:
    try:
        parts = urlsplit(address)
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        known = False
    if not known or any(char.isspace() for char in address):
        raise PydanticCustomError("no-web-address", "write one address that begins with http:// or https://")
    return address


ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=200), BeforeValidator(_plain)]
Source = Annotated[Code, BeforeValidator(_plain)]
WebAddress = Annotated[Address, AfterValidator(_web)]


class Report(Command):
    """A concern about a matter, as someone sent it in (ING-01).

    `unit` is the receiving office, `subject` the gist of the concern, `request` the gist of what is asked for.
    `discovered_at` is when the office first knew (ING-03). `source` and `external_id` come together and make an exact
    repetition known. `reply_ref` is the sender's own handle for returning the answer.
    """

    unit: UnitCode
    channel: Code
    subject: Subject
    text: Text
    discovered_at: WrittenInstant
    source: Source | None = None
    external_id: ExternalId | None = None
    url: WebAddress | None = None
    place: Subject | None = None
    category: Code | None = None
    request: Note | None = None
    reply_ref: Subject | None = None


class ReceiveReport(Command):
    """A report with its words masked and its digests made; what the decider judges.

    A discovery that lies back longer than `late_entry` is marked as entered late.
    """

    report: Report
    match_key: Digest | None
    duplicate: Digest | None
    sent: Digest | None
    receipt: Digest
    masked: dict[Code, Figure]
    late_entry: timedelta


class Reach(Command):
    """How far the matter had spread at a time, as totals; at least one of them."""

    clicks: Figure | None = None
    comments: Figure | None = None
    mainstream_sites: Figure | None = None
    measured_at: WrittenInstant


class AttachEvidence(Command):
    """A file that lies in the blob store under `file`."""

    file: Token
    media_type: MediaType
    size: Figure
    sha256: Digest
    note: Note | None = None


class Refuse(Command):
    """The office gives this report no answer, and says why."""

    reason: Note


class Erase(Command):
    """Delete the words and files of this report everywhere: the first call asks, another person's of a unit above does.

    Alone may delete: who sent it, within an hour, as a `mistake`; an administrator of a unit above where a `law` orders
    it.
    """

    cause: Cause = "asked"
    reason: Note


class KeyRequest(Command):
    """A key for an integration that reports to `unit` and the units below it.

    A further key for the same `name` in the unit is a further key of the same integration; without a name, the key is
    an integration by itself.
    """

    unit: UnitCode
    scope: Literal["ingest"] = "ingest"
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,59}$")] | None = None


class KeyListing(Command):
    """The keys of a unit and those below it."""


class KeyRevocation(Command):
    """A key is valid no longer."""
