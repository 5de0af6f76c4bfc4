"""The commands on reports and keys.

All except `ReceiveReport` and `AttachEvidence` are request bodies. None has a field for an author. Lengths are in
characters, before masking. Times are ISO 8601 with an offset; a number or a time without offset is refused.
"""

import unicodedata
from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, StrictBool, StringConstraints
from pydantic_core import PydanticCustomError

from schemas.fields import Code, Digest, Figure, MediaType, Token, UnitCode, WrittenInstant
from schemas.handing import Handed
from schemas.words import Cause
from services.kernel.core.commands import Command, example

Subject = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100_000)]
Address = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]
Note = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]


def _plain(value: object) -> object:
    """The normal form of an external id: no wide characters, no white space around it, nothing invisible."""
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


Scope = Literal["ingest", "probe"]
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

    `unit` is the receiving office, `subject` the concern in short, `request` the request in short. `discovered_at` is
    when the office first knew (ING-03). `source` and `external_id` come together; they identify an exact repetition.
    `reply_ref` is the sender's own handle, to return the answer.
    """

    unit: UnitCode
    """The office that receives it."""
    channel: Code
    """The channel by which it came, from the deployment's list."""
    subject: Subject
    """The concern in short."""
    text: Text
    """The text, word for word. Personal data in it is masked."""
    discovered_at: WrittenInstant
    """When the office first knew. The time limits run from then."""
    written_at: WrittenInstant | None = None
    """When it was written on paper, for what is entered from paper."""
    source: Source | None = None
    """The sending system, which gave the `external_id`. Its code belongs to the integration that used it first."""
    external_id: ExternalId | None = None
    """The sender's number for the report."""
    url: WebAddress | None = None
    """The web page that the report is about."""
    place: Subject | None = None
    """The place, in words."""
    category: Code | None = None
    """The category of the matter, from the deployment's list."""
    request: Note | None = None
    """The request in short."""
    reply_ref: Subject | None = None
    """The sender's own handle, to return the answer."""


class ReceiveReport(Command):
    """A report with masked words and its digests. The decider judges it.

    A discovery that is older than `late_entry` is marked as entered late.
    """

    report: Report
    match_key: Digest | None
    place_key: Digest | None = None
    duplicate: Digest | None
    sent: Digest | None
    receipt: Digest
    masked: dict[Code, Figure]
    late_entry: timedelta
    by: Digest | None = None
    handed: Handed | None = None


class Reach(
    Command,
    json_schema_extra=example(clicks=1200, comments=86, mainstream_sites=1, measured_at="2026-03-02T12:00:00+08:00"),
):
    """How far the matter had spread at a time, as totals. At least one figure is needed."""

    clicks: Figure | None = None
    """How often it was opened."""
    comments: Figure | None = None
    """How many comments it has."""
    mainstream_sites: Figure | None = None
    """The number of mainstream sites that carry it."""
    shares: Figure | None = None
    """How often it was passed on."""
    measured_at: WrittenInstant
    """When it was counted."""


class AttachEvidence(Command):
    """A file that is in the blob store under `file`."""

    file: Token
    media_type: MediaType
    size: Figure
    sha256: Digest
    note: Note | None = None
    covered: dict[Code, Figure] | None = None


class Refuse(Command, json_schema_extra=example(reason="与本单位职责无关，已告知向何处反映")):
    """The office gives this report no answer, and says why."""

    reason: Note
    """Why no answer is given."""


class JudgeAnswer(Command, json_schema_extra=example(helps=False, reason="路灯仍然不亮")):
    """The sender of a report says whether the latest answer helped. It counts once for each answer."""

    helps: StrictBool
    """Whether it helped."""
    reason: Note | None = None
    """Why it did not help."""


class Erase(Command, json_schema_extra=example(cause="asked", reason="反映人要求删除")):
    """Delete the words and files of this report everywhere.

    The first call asks; another person of a unit above deletes.

    Two may delete alone: the sender, within an hour, as a `mistake`; an administrator of a unit above, if a `law`
    orders it.
    """

    cause: Cause = "asked"
    """`asked` by the person concerned, ordered by `law`, or sent in by `mistake`."""
    reason: Note
    """Why the words must go."""


class KeyRequest(Command, json_schema_extra=example(unit="town-east", name="hotline")):
    """A key for an integration that reports to `unit` and the units below it.

    A second key for the same `name` in the unit belongs to the same integration. Without a name, the key is an
    integration by itself.
    """

    unit: UnitCode
    """The unit for which the integration reports."""
    scope: Scope = "ingest"
    """What the key is for: `ingest` sends reports, `probe` tells of outages and nothing else."""
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,59}$")] | None = None
    """The name of the integration within its unit."""


class FormOpening(
    Command, json_schema_extra=example(unit="town-east", introduction="工作日当天受理，急事请打值班电话。")
):
    """A unit takes reports by its public form. If it does already, the introduction changes."""

    unit: UnitCode
    """The unit."""
    introduction: Note | None = None
    """What stands above the form."""


class FormClosing(Command, json_schema_extra=example(reason="表单停用维护，期间请到服务窗口反映")):
    """A unit takes no reports by its public form."""

    reason: Note
    """Why. It becomes part of the record."""


class KeyListing(Command):
    """The keys of a unit and those below it."""


class ImportListing(Command):
    """The files of reports that were sent for a unit and those below it."""


class KeyRevocation(Command, json_schema_extra=example(reason="对接单位更换系统")):
    """A key is not valid any more."""

    reason: Note | None = None
    """Why. It becomes part of the record."""
