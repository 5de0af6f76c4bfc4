"""The answers on channels and deliveries, for the API's documents."""

from typing import Any, Literal

from schemas.fields import Code, IncidentId, Instant, Number, ReportId, StatementId, StreamId, UnitCode
from schemas.publish import SendingError
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered, Page
from services.publish.delivering.commands import CHANNEL

Kind = Literal["bulletin", "atom", "json_feed", "cap", "webhook", "by_hand"]
"""The office's own pages, which have each release at once; a webhook; what is posted by hand."""
OWN: tuple[Kind, ...] = ("bulletin", "atom", "json_feed", "cap")
DeliveryState = Literal["due", "failed", "done", "superseded"]
"""It is to be sent or posted; it failed and is not sent by itself any more; it stands there; a newer release came
before it did."""
ReplyState = Literal["due", "done"]

_CHANNEL: dict[str, Any] = {
    "id": CHANNEL,
    "unit": "town-east",
    "code": "county_site",
    "kind": "webhook",
    "title": "县政府门户网站",
    "address": "https://www.example.gov.cn/huiying",
    "state": "open",
    "placed_at": "2026-03-02T01:00:00.000000Z",
    "version": 1,
    "may": ["change-channel", "end-channel"],
}


class Channel(Answered):
    """Where a unit says what it published."""

    id: StreamId | None
    """The channel's id; null for the office's own pages."""
    unit: UnitCode
    """The unit, which speaks there under its own name."""
    code: Code
    """Its code within the unit."""
    kind: Kind
    """What it is."""
    title: str | None
    """How people call it; null for the office's own pages."""
    address: str | None
    """Where messages go, or where it is; null if the words have not arrived."""
    state: Literal["open", "ended", "gone"]
    """`gone`: the receiver answered so, and nothing more is sent."""
    placed_at: Instant | None
    """When it was placed; null for the office's own pages."""
    version: int
    """How many decisions staff took on it. `If-Match` names this number."""
    may: tuple[Literal["change-channel", "end-channel"], ...]
    """The commands that the caller may send now."""


class Channels(Page, json_schema_extra=example(items=[_CHANNEL], next=None, may=["place-channel"])):
    """The channels of a unit, in one page. The office's own pages come first."""

    items: tuple[Channel, ...]
    """The entries."""
    may: tuple[Literal["place-channel"], ...]
    """`place-channel` if the caller may give the unit another one."""


_DONE = {"id": CHANNEL, "version": 1, "secret": "whsec_3q2+7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxg="}


class ChannelDone(
    Answered,
    json_schema_extra=example(**_DONE),
):
    """The channel after a command."""

    id: StreamId
    """The channel."""
    version: int
    """How many decisions staff took on it."""
    secret: str | None
    """A new secret of a webhook, with which its receiver checks the signatures. It is shown only now."""


_DELIVERY: dict[str, Any] = {
    "statement_id": "statement-01890a5d-1829-53a4-8fb0-2b3c4d5e6f70",
    "number": "town-east-2026-S00007",
    "title": "卫生院门前路灯已修复",
    "unit": "town-east",
    "version": 4,
    "release": 4,
    "release_kind": "publication",
    "at": "2026-03-02T10:00:00.000000Z",
    "channel": CHANNEL,
    "channel_code": "county_site",
    "channel_kind": "webhook",
    "channel_title": "县政府门户网站",
    "place": "https://www.example.gov.cn/huiying",
    "state": "done",
    "tries": 1,
    "tried_at": "2026-03-02T10:00:01.000000Z",
    "next_at": None,
    "error": None,
    "address": None,
    "text": None,
    "may": [],
}


class DeliveredRelease(Answered):
    """A release at a channel."""

    statement_id: StatementId
    """The statement."""
    number: Number
    """Its number."""
    title: str | None
    """Its title in public."""
    unit: UnitCode
    """The unit that speaks."""
    version: int
    """How many decisions staff took on the statement. `If-Match` of a confirmation names this number."""
    release: int
    """The place of the release among the statement's events."""
    release_kind: Literal["publication", "correction", "withdrawal"]
    """What it is."""
    at: Instant
    """When it was published."""
    channel: StreamId | None
    """The channel; null for the office's own pages."""
    channel_code: Code
    """Its code."""
    channel_kind: Kind
    """Its kind."""
    channel_title: str | None
    """Its title; null for the office's own pages."""
    place: str | None
    """Where the channel is."""
    state: DeliveryState
    """What became of it."""
    tries: int
    """How often it was tried."""
    tried_at: Instant | None
    """When it was last tried or confirmed."""
    next_at: Instant | None
    """When it is sent next; null if not by itself."""
    error: SendingError | None
    """Why the channel has not taken it."""
    address: str | None
    """Where it stands, as the person who posted it confirmed."""
    text: str | None
    """What is to be posted by hand, or was posted: the newest release's."""
    may: tuple[Literal["confirm", "retry"], ...]
    """The commands that the caller may send now."""


class Deliveries(Page, json_schema_extra=example(items=[_DELIVERY], next=None)):
    """Deliveries, the newest release first."""

    items: tuple[DeliveredRelease, ...]
    """The entries of this page."""


class ReplyDue(Answered):
    """An answer that goes back to where its question was asked."""

    statement_id: StatementId
    """The statement with the answer."""
    number: Number
    """Its number."""
    title: str | None
    """Its title."""
    form: Literal["reply", "interim_reply"]
    """An interim reply, or the result."""
    unit: UnitCode
    """The unit that speaks."""
    version: int
    """How many decisions staff took on the statement. `If-Match` of a confirmation names this number."""
    incident_id: IncidentId
    """The matter."""
    incident_number: Number | None
    """Its number."""
    at: Instant
    """When the newest release was published."""
    report_id: ReportId
    """The report. Its `reply_ref` and `url` are read there, by who may read it."""
    report_channel: Code
    """The channel by which it came."""
    state: ReplyState
    """Whether it is to be posted, or stands there."""
    address: str | None
    """Where it stands, as the person who posted it confirmed."""
    text: str
    """What is to be posted there."""
    may: tuple[Literal["confirm"], ...]
    """`confirm` if the caller may say that it was posted."""


class Replies(
    Page,
    json_schema_extra=example(
        items=[
            {
                "statement_id": "statement-01890a5d-1829-53a4-8fb0-2b3c4d5e6f70",
                "number": "town-east-2026-S00007",
                "title": "卫生院门前路灯已修复",
                "form": "reply",
                "unit": "town-east",
                "version": 4,
                "incident_id": "incident-01890a5d-ac96-774b-bcce-b302099a8057",
                "incident_number": "town-east-2026-00042",
                "at": "2026-03-02T10:00:00.000000Z",
                "report_id": "report-01890a5d-a1b2-7c3d-8e4f-5061728394a5",
                "report_channel": "message_board",
                "state": "due",
                "address": None,
                "text": "卫生院门前路灯已修复\n卫生院门前12盏路灯因线路故障熄灭，今日已修复。",
                "may": ["confirm"],
            }
        ],
        next=None,
    ),
):
    """Answers that go back to where the questions were asked, the newest first."""

    items: tuple[ReplyDue, ...]
    """The entries of this page."""
