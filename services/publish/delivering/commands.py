"""The commands on channels and deliveries. Those of staff are the bodies of the HTTP requests."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StrictBool, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from schemas.channels import ChannelKind
from schemas.fields import ReportId, StreamId, UnitCode
from schemas.publish import SendingError
from services.kernel.core.commands import Command, example
from services.publish.commands import Title, readable

ChannelCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{1,39}$", max_length=40)]
Address = Annotated[
    str, StringConstraints(min_length=2, max_length=1_000, strip_whitespace=True), AfterValidator(readable)
]
CHANNEL = "channel-01890a5d-2b3c-5d4e-9f60-718293a4b5c6"


class PlaceChannel(
    Command,
    json_schema_extra=example(
        unit="town-east",
        code="county_site",
        kind="webhook",
        title="县政府门户网站",
        address="https://www.example.gov.cn/huiying",
    ),
):
    """Give a unit a further channel. What it publishes from now on goes there. A channel that ended begins again."""

    unit: UnitCode
    """The unit, which speaks there under its own name."""
    code: ChannelCode
    """A code of its own within the unit."""
    kind: ChannelKind
    """`webhook`: a receiver that gets signed messages. `by_hand`: a site or an account without an open interface."""
    title: Title
    """How people call it."""
    address: Address
    """Of a webhook: where messages go, `https://…`. By hand: where the site or the account is."""


class ChangeChannel(Command, json_schema_extra=example(title="县政府门户网站（新版）", renew_secret=True)):
    """Give a channel another title, another address, or another secret. What the body does not name stays."""

    title: Title | None = None
    """Another title."""
    address: Address | None = None
    """Another address."""
    renew_secret: StrictBool = False
    """Of a webhook: makes another secret, and shows it once. The former one signs nothing any more."""


class EndChannel(Command, json_schema_extra=example()):
    """Nothing more goes to the channel. What it has stays on record."""


class LoseChannel(Command):
    """The receiver of a channel answered that it is gone."""


class RecordDelivery(Command):
    """A channel took a release; with `error`, it did not, and is tried again at `next_at`."""

    release: int
    channel: StreamId
    error: SendingError | None = None
    next_at: datetime | None = None


class Confirm(
    Command,
    json_schema_extra=example(
        channel=CHANNEL,
        address="https://mp.example.cn/s/7Jm2",
        text="卫生院门前12盏路灯因线路故障熄灭，今日已修复。",
    ),
):
    """Say that a release was posted by hand, where it stands, and what stands there.

    The text is compared with the approved one, character by character.
    """

    channel: StreamId | None = None
    """The channel at which it was posted; or `report`."""
    report: ReportId | None = None
    """The report that was answered where its question stands."""
    address: Address
    """Where it stands."""
    text: Annotated[str, Field(min_length=1, max_length=200_000)]
    """The text that stands there, copied from the page."""

    @model_validator(mode="after")
    def _at_one_place(self) -> Self:
        if (self.channel is None) == (self.report is None):
            raise PydanticCustomError("place-or-report", "name either a channel or a report")
        return self


class Retry(Command, json_schema_extra=example(channel=CHANNEL)):
    """Let a release go again to a channel that did not take it."""

    channel: StreamId
    """The channel."""
