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
from services.kernel.core.commands import Command, example

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


class Report(
    Command,
    json_schema_extra=example(
        unit="town-east",
        channel="board",
        subject="卫生院门前路灯不亮",
        text="卫生院门前的路灯已经四天不亮，晚上看病的人走路不安全。",
        discovered_at="2026-03-02T09:00:00+08:00",
        source="mayor-board",
        external_id="2026-0317",
        category="roads.lighting",
        request="请尽快修复",
    ),
):
    """A concern about a matter, as someone sent it in (ING-01).

    `unit` is the receiving office, `subject` the gist of the concern, `request` the gist of what is asked for.
    `discovered_at` is when the office first knew (ING-03). `source` and `external_id` come together and make an exact
    repetition known. `reply_ref` is the sender's own handle for returning the answer.
    """

    unit: UnitCode
    """The office that receives it."""
    channel: Code
    """The channel by which it came, one of the deployment's list."""
    subject: Subject
    """The gist of the concern."""
    text: Text
    """What was written, word for word; what is personal in it is masked."""
    discovered_at: WrittenInstant
    """When the office first knew; the limits run from then."""
    source: Source | None = None
    """Whose numbering `external_id` belongs to; it stays with the integration that first used it."""
    external_id: ExternalId | None = None
    """The number under which the sender keeps the report."""
    url: WebAddress | None = None
    """The web page on which it stands."""
    place: Subject | None = None
    """Where it is, in words."""
    category: Code | None = None
    """What it is about, one of the deployment's list."""
    request: Note | None = None
    """The gist of what is asked for."""
    reply_ref: Subject | None = None
    """The sender's own handle for returning the answer."""


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


class Reach(
    Command,
    json_schema_extra=example(clicks=1200, comments=86, mainstream_sites=1, measured_at="2026-03-02T12:00:00+08:00"),
):
    """How far the matter had spread at a time, as totals; at least one of them."""

    clicks: Figure | None = None
    """How often it was opened."""
    comments: Figure | None = None
    """How many comments it has."""
    mainstream_sites: Figure | None = None
    """On how many mainstream sites it stands."""
    measured_at: WrittenInstant
    """When it was counted."""


class AttachEvidence(Command):
    """A file that lies in the blob store under `file`."""

    file: Token
    media_type: MediaType
    size: Figure
    sha256: Digest
    note: Note | None = None


class Refuse(Command, json_schema_extra=example(reason="与本单位职责无关，已告知向何处反映")):
    """The office gives this report no answer, and says why."""

    reason: Note
    """Why no answer is given."""


class Erase(Command, json_schema_extra=example(cause="asked", reason="反映人要求删除")):
    """Delete the words and files of this report everywhere: the first call asks, another person's of a unit above does.

    Alone may delete: who sent it, within an hour, as a `mistake`; an administrator of a unit above where a `law` orders
    it.
    """

    cause: Cause = "asked"
    """`asked` by whoever it concerns, ordered by `law`, or sent in by `mistake`."""
    reason: Note
    """Why the words are to go."""


class KeyRequest(Command, json_schema_extra=example(unit="town-east", name="hotline")):
    """A key for an integration that reports to `unit` and the units below it.

    A further key for the same `name` in the unit is a further key of the same integration; without a name, the key is
    an integration by itself.
    """

    unit: UnitCode
    """The unit for which the integration reports."""
    scope: Literal["ingest"] = "ingest"
    """What the key is for."""
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,59}$")] | None = None
    """What the integration is called, within its unit."""


class KeyListing(Command):
    """The keys of a unit and those below it."""


class KeyRevocation(Command):
    """A key is valid no longer."""
