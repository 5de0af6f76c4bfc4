"""The answers of ingest, for the API's documents."""

from typing import Any, Literal

from schemas.fields import (
    Code,
    Digest,
    Figure,
    IncidentId,
    Instant,
    MediaType,
    ReportId,
    SignatureHex,
    StatementId,
    StreamId,
    Token,
    UnitCode,
    Uuid,
)
from schemas.messages import MessageReceipt
from schemas.outages import Site, Symptom, Trouble
from schemas.words import Cause
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered, Page

REPORT = "report-01890a5d-a1b2-7c3d-8e4f-5061728394a5"
KEY = "key-01890a5d-d4e5-7f60-8b7c-8d9e0f1a2b3c"
INTEGRATION = "integration-01890a5d-e5f6-5071-8c8d-9e0f1a2b3c4d"


class Taken(Answered, json_schema_extra=example(report_id=REPORT, receipt="9f2c" * 16)):
    """The report is taken in now, or was taken in before."""

    report_id: ReportId
    """The report's id. For an exact repetition, the id of the first report."""
    receipt: str
    """A code for the sender, to ask for the answer."""


class MessageTaken(
    Answered,
    json_schema_extra=example(
        receipt={
            "by": "city",
            "to": "county",
            "sent": "01890a5d-a1b2-7c3d-8e4f-5061728394a5",
            "digest": "9f2c" * 16,
            "record": "message-5b1f0f6e-1d0a-5d8c-9a55-2d1f2b1f0c11",
            "at": "2026-03-02T01:00:00.000000Z",
        },
        key="9f2c" * 16,
        signature="9f2c" * 32,
    ),
):
    """The message is taken in now, or was taken in before. The receipt is the same."""

    receipt: MessageReceipt
    """What is signed: the message `sent`, whose event has this `digest`, stands on the record since `at`."""
    key: Digest
    """The public key that signed it."""
    signature: SignatureHex
    """The signature by Ed25519 over `huiying-receipt`, an end of line, and the receipt as canonical JSON."""


class EventTaken(
    Answered, json_schema_extra=example(report_id=REPORT, receipt="9f2c" * 16, dropped=["subject", "traceparent"])
):
    """The event's report is taken in now, or was taken in before."""

    report_id: ReportId
    """The report's id. For an exact repetition, the id of the first report."""
    receipt: str
    """A code for the sender, to ask for the answer."""
    dropped: tuple[str, ...]
    """The names of the event's attributes that were not kept."""


class Extension(Answered):
    """A limit of the sender's matter that was extended."""

    title_zh: str | None
    """The limit's title; null while the rules have not arrived."""
    previous: Instant
    """When it ended before."""
    due: Instant
    """When it ends now."""
    at: Instant
    """When that was decided."""
    text: str | None
    """What the office tells the sender; null if it has not arrived yet, or was written before the report came to this
    matter, for others."""


class AnswerOf(Answered):
    """An answer of the office."""

    at: Instant
    """When it was recorded."""
    helps: bool | None
    """Whether the sender said that it helped; null if the sender said nothing."""


class Status(
    Answered,
    json_schema_extra=example(
        state="received",
        received_at="2026-03-02T01:00:00.000000Z",
        answers=[{"at": "2026-03-03T01:00:00.000000Z", "helps": None}],
        extensions=[
            {
                "title_zh": "信访办结",
                "previous": "2026-05-01T16:00:00.000000Z",
                "due": "2026-05-31T16:00:00.000000Z",
                "at": "2026-04-20T02:00:00.000000Z",
                "text": "您反映的事项延期30日办结，原因是等待检测",
            }
        ],
    ),
):
    """What the sender of a report reads with its receipt."""

    state: Literal["received", "refused", "erased"]
    """The report's state."""
    received_at: Instant
    """When it was recorded."""
    answers: tuple[AnswerOf, ...]
    """The office's answers to the report, in order of time, and those in public. The sender may judge the last one."""
    extensions: tuple[Extension, ...]
    """Limits of the matter that were extended, in order of time."""


class BatchLine(Answered, json_schema_extra=example(line=1, status=201, report_id=REPORT, receipt="9f2c" * 16)):
    """The result of a line of a batch: a report, or a problem."""

    line: int
    """The line's number in the request, from 1 on."""
    status: int
    """The status that a single request would have got."""
    report_id: ReportId | None = None
    """The report's id, if it was taken in."""
    receipt: str | None = None
    """A code for the sender, to ask for the answer, if the report was taken in."""
    problem: dict[str, Any] | None = None
    """The `Problem`, if the line was refused."""
    dropped: tuple[str, ...] | None = None
    """The names of the event's attributes that were not kept, if the line is an event that was taken in."""


class MeasuredReach(Answered):
    """How far the matter had spread at a time. Figures that nobody counted are absent."""

    clicks: Figure | None = None
    """How often it was opened."""
    comments: Figure | None = None
    """How many comments it had."""
    mainstream_sites: Figure | None = None
    """The number of mainstream sites that carried it."""
    shares: Figure | None = None
    """How often it was passed on."""
    measured_at: Instant
    """When it was counted."""


class Helpfulness(Answered):
    """What the sender said of an answer."""

    incident: IncidentId
    """The matter that was answered."""
    answer: Uuid
    """The event of the answer."""
    helps: bool
    """Whether it helped."""
    reason: str | None = None
    """Why it did not."""
    at: Instant
    """When the sender said so."""


class EvidenceFile(Answered):
    """A file of a report's evidence."""

    file: Token
    """The last part of its path."""
    media_type: MediaType
    """Its media type."""
    size: Figure
    """Its size in bytes, as stored."""
    sha256: str
    """SHA-256 of the stored bytes."""
    note: str | None = None
    """The note that came with it."""
    covered: dict[Code, Figure] | None = None
    """The number of boxes that were drawn over it, by what is below."""
    attached_at: Instant
    """When it was added."""


class MaskedReport(
    Answered,
    json_schema_extra=example(
        subject="卫生院门前路灯不亮",
        text="卫生院门前的路灯已经四天不亮。请联系[手机号]。",
        place="卫生院",
        request=None,
        url=None,
        masked={"mobile": 1},
    ),
):
    """The words of a report that is not sent yet, with personal data masked."""

    subject: str
    """The concern in short."""
    text: str
    """The text."""
    place: str | None
    """The place, in words."""
    request: str | None
    """The request in short."""
    url: str | None
    """The web page that the report is about."""
    masked: dict[str, int]
    """The number of masked places of each kind."""


class StoredReport(
    Answered,
    json_schema_extra=example(
        state="received",
        reach=[{"clicks": 1200, "comments": 86, "measured_at": "2026-03-02T04:00:00.000000Z"}],
        evidence=[],
        helpfulness=[],
        id=REPORT,
        received_at="2026-03-02T01:05:00.000000Z",
        unit="town-east",
        channel="board",
        discovered_at="2026-03-02T01:00:00.000000Z",
        entered_late=False,
        subject="卫生院门前路灯不亮",
        text="卫生院门前的路灯已经四天不亮。请联系[手机号]。",
        source="mayor-board",
        external_id="2026-0317",
        category="roads.lighting",
        masked={"mobile": 1},
        version=0,
        revision=0,
    ),
):
    """A report. Fields that were not sent are absent. Deleted words are `[erased]`."""

    state: Literal["received", "refused", "erased"]
    """`received`, or how the report ended: refused an answer, or erased."""
    reach: tuple[MeasuredReach, ...]
    """The figures of its spread, in order of arrival."""
    evidence: tuple[EvidenceFile, ...]
    """Its files, in order of arrival."""
    helpfulness: tuple[Helpfulness, ...]
    """What the sender said of answers, in order."""
    id: ReportId
    """The report's id."""
    received_at: Instant
    """When it was recorded."""
    unit: UnitCode
    """The office that received it."""
    channel: Code
    """The channel by which it came."""
    discovered_at: Instant
    """When the office first knew."""
    written_at: Instant | None = None
    """When it was written on paper, if it was entered from paper."""
    entered_late: bool
    """Whether the discovery was already old when it was recorded."""
    subject: str | None
    """The concern in short."""
    text: str | None
    """The text, with personal data masked; null if it is withheld."""
    withheld: bool | None = None
    """True if `text`, `url` and `request` are withheld, since the reader's unit does not work on the matter."""
    source: Code | None = None
    """The sending system, which gave the `external_id`."""
    external_id: str | None = None
    """The sender's number for the report."""
    url: str | None = None
    """The web page that the report is about."""
    place: str | None = None
    """The place, in words."""
    category: Code | None = None
    """The category of the matter."""
    request: str | None = None
    """The request in short."""
    reply_ref: str | None = None
    """The sender's own handle, to return the answer."""
    masked: dict[str, int]
    """The number of masked places of each kind."""
    refused: str | None = None
    """Why the report gets no answer."""
    erasure_asked: Cause | None = None
    """A request to erase the report, with its ground; another person has to agree."""
    erased: Cause | None = None
    """The ground on which it was erased."""
    version: int
    """The same number as `revision`."""
    revision: int
    """How many actions on the report were recorded. `If-Match` may name this number."""


class Form(Answered):
    """The public form of a unit."""

    unit: UnitCode
    """The unit."""
    open: bool
    """Whether it takes reports."""
    introduction: str | None
    """What stands above it."""
    at: Instant
    """Since when it is so."""


class Forms(
    Page,
    json_schema_extra=example(
        items=[
            {
                "unit": "town-east",
                "open": True,
                "introduction": "工作日当天受理，急事请打值班电话。",
                "at": "2026-03-01T01:00:00.000000Z",
            }
        ],
        next=None,
    ),
):
    """Forms, in the order of their units."""

    items: tuple[Form, ...]
    """The entries."""


class Mailbox(Answered):
    """A mailbox whose mails become reports."""

    unit: UnitCode
    """The unit."""
    address: str
    """Its address."""
    aside_in: str
    """The folder of the mails that became no reports."""
    read_at: Instant | None
    """When it was read last; null if it never was."""
    trouble: str | None
    """Why it cannot be read, or why replies wait; null if nothing is wrong."""
    trouble_at: Instant | None
    """Since when that is so."""
    reports: int
    """How many reports came from it. A note, not the record."""
    aside: int
    """How many of its mails were set aside."""
    aside_at: Instant | None
    """When one was set aside last."""


class Mailboxes(
    Page,
    json_schema_extra=example(
        items=[
            {
                "unit": "town-east",
                "address": "letters@town-east.example",
                "aside_in": "Huiying-Aside",
                "read_at": "2026-03-02T01:00:00.000000Z",
                "trouble": None,
                "trouble_at": None,
                "reports": 120,
                "aside": 3,
                "aside_at": "2026-03-01T02:00:00.000000Z",
            }
        ],
        next=None,
    ),
):
    """Mailboxes, in the order of their units."""

    items: tuple[Mailbox, ...]
    """The entries."""


class FormTurned(Answered, json_schema_extra=example(unit="town-east", open=True)):
    """How the form is now."""

    unit: UnitCode
    """The unit."""
    open: bool
    """Whether it takes reports."""


class Key(Answered):
    """A key of an integration, without the key itself."""

    id: StreamId
    """The key's id; it is needed to revoke the key."""
    integration: str | None
    """The integration whose key it is."""
    name: str | None
    """The name of the integration within its unit."""
    unit: UnitCode | None
    """The unit for which it reports."""
    scope: str | None
    """What the key is for."""
    made_at: Instant | None
    """When it was made."""
    revoked_at: Instant | None
    """When it was revoked; null while it is valid."""
    used_at: Instant | None
    """When it was last used, to the hour; null if it never was."""
    refused: int
    """How many requests, lines of batches and messages of its integration were refused, by all its keys together."""
    refusal: str | None
    """The code of the problem for which the last of these was refused; null if none was."""
    refused_at: Instant | None
    """When that was."""


class Keys(
    Page,
    json_schema_extra=example(
        items=[
            {
                "id": KEY,
                "integration": INTEGRATION,
                "name": "hotline",
                "unit": "town-east",
                "scope": "ingest",
                "made_at": "2026-03-01T01:00:00.000000Z",
                "revoked_at": None,
                "used_at": "2026-03-02T01:00:00.000000Z",
                "refused": 0,
                "refusal": None,
                "refused_at": None,
            }
        ],
        next=None,
    ),
):
    """Keys, in the order in which they were made."""

    items: tuple[Key, ...]
    """The entries of this page."""


class KeyMade(
    Answered, json_schema_extra=example(key="hy_q7Jm2xVt0aYkRzB4", id=KEY, integration=INTEGRATION, name="hotline")
):
    """A new key. It is shown only now."""

    key: str
    """The key, for `Authorization: Bearer`."""
    id: StreamId
    """The key's id; it is needed to revoke the key."""
    integration: str
    """The integration whose key it is."""
    name: str
    """The name of the integration within its unit."""


class KeyRevoked(Answered, json_schema_extra=example(id=KEY, revoked=True)):
    """The key is not valid any more."""

    id: StreamId
    """The key's id."""
    revoked: Literal[True]
    """Always true."""


OUTAGE = "outage-01890a5d-f6a7-7182-8d9e-0f1a2b3c4d5e"


class OutagesTold(Answered, json_schema_extra=example(recorded=[OUTAGE], at="2026-03-02T01:03:00.000000Z")):
    """What a probe told is recorded."""

    recorded: tuple[StreamId, ...]
    """The outages of which something new was recorded."""
    at: Instant
    """What the clock of the deployment shows."""


class Outage(Answered):
    """A public address that probes found unreachable or altered."""

    id: StreamId
    """The outage's id."""
    site: Site
    """What was probed."""
    trouble: Trouble
    """Whether it was not reached, or altered."""
    symptom: Symptom
    """How it showed at first."""
    status: int | None
    """The HTTP status of the answer; null without one."""
    statement: StatementId | None
    """The statement that was altered."""
    since: Instant
    """When a probe saw it first, by its clock."""
    until: Instant | None
    """When the last probe saw the address as it should be again; null while it does not."""
    probes: int
    """How many probes saw it."""
    told_at: Instant
    """What the clock of the first probe showed when it told of it."""
    clock_ahead: float
    """How many seconds that clock was ahead of the deployment's, with the time on the way."""


class Probe(Answered):
    """A probe that has a valid key."""

    unit: UnitCode
    """The unit of its key."""
    name: str
    """Its name within the unit."""
    heard_at: Instant | None
    """When it told last, by the clock of the deployment; null if it never did."""
    silent: bool
    """Whether it never told, or told nothing for three times as long as it usually takes."""


class Outages(
    Page,
    json_schema_extra=example(
        items=[
            {
                "id": OUTAGE,
                "site": "bulletin",
                "trouble": "unreachable",
                "symptom": "no_answer",
                "status": None,
                "statement": None,
                "since": "2026-03-02T01:00:00.000000Z",
                "until": "2026-03-02T01:20:00.000000Z",
                "probes": 2,
                "told_at": "2026-03-02T01:03:00.000000Z",
                "clock_ahead": -0.4,
            }
        ],
        next=None,
        probes=[{"unit": "city", "name": "one", "heard_at": "2026-03-02T01:30:00.000000Z", "silent": False}],
    ),
):
    """Outages, the latest first, and the probes that tell of them."""

    items: tuple[Outage, ...]
    """The entries of this page."""
    probes: tuple[Probe, ...]
    """All probes that have a valid key, in the order of their units and names."""
