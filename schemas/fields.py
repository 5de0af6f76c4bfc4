"""The kinds of value that an event may hold.

A string in an event is a code, an identifier, a digest, an instant, a published text or `Words`. Typed text never
stands in an event. The event holds only its reference and salted digest; the words travel apart.
"""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

WIRE = {"wire": True}
"""The validation context for bytes from a store or a topic. There, words must already be a reference."""


class Fact(BaseModel):
    """The data of an event. Producers refuse unknown fields; readers pass `extra="ignore"` and keep the bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def instant(at: datetime) -> str:
    """UTC with microseconds and fixed width, so that texts sort like times. `at` must carry an offset."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_instant(text: str) -> datetime:
    """The aware time in UTC that `instant` wrote."""
    return datetime.fromisoformat(text)


def _utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("time-out-of-range", "the time lies outside the years 1 to 9999 in UTC") from None


Instant = Annotated[
    AwareDatetime,
    AfterValidator(_utc),
    PlainSerializer(instant, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


def _pattern(kind: Any) -> str:
    (constraint,) = (part for part in kind.__metadata__ if isinstance(part, StringConstraints))
    return str(constraint.pattern)


_WRITTEN = re.compile(r"(19[7-9]\d|2\d{3})-\d\d-\d\d[Tt ]\d\d:\d\d.*([Zz]|[+-]\d\d:?\d\d)")


def _written(value: Any) -> Any:
    if isinstance(value, datetime) or (isinstance(value, str) and _WRITTEN.fullmatch(value)):
        return value
    raise PydanticCustomError(
        "wrong-form",
        "write the time with its offset and a year from 1970 on, for example 2026-03-02T09:00:00+08:00",
        {"wanted": "time"},
    )


WrittenInstant = Annotated[Instant, BeforeValidator(_written)]
"""A time in a request: written with its offset, never a bare number."""

CODE = r"^[0-9A-Za-z_一-鿿][0-9A-Za-z_一-鿿.:/@#·、()+-]{0,99}$"
Code = Annotated[str, StringConstraints(pattern=CODE, max_length=100)]
"""A code of a list: no spaces, no punctuation of a sentence, at most 100 characters."""

UnitCode = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$", max_length=64)]
PostCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,59}$", max_length=60)]
"""A post's code within its unit: `duty_officer`."""
Post = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,59}@[a-z0-9][a-z0-9-]{0,63}$", max_length=130)]
"""A post of a unit's directory, `duty_officer@town-east`. It is never a person's name."""


def _of_calendar(day: str, info: ValidationInfo) -> str:
    """Refuses a day that no month has. An event that has one stays readable."""
    try:
        date.fromisoformat(day)
    except ValueError:
        if not (info.context or {}).get("wire"):
            raise PydanticCustomError("wrong-form", "write a day of the calendar", {"wanted": "date"}) from None
    return day


Day = Annotated[str, StringConstraints(pattern=r"^[12]\d{3}-\d{2}-\d{2}$"), AfterValidator(_of_calendar)]
"""A day of the calendar in the office's own time zone: `2026-05-04`."""
Month = Annotated[str, StringConstraints(pattern=r"^[12]\d{3}-(0[1-9]|1[0-2])$")]
"""A month of the calendar in the office's own time zone: `2026-05`."""
TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
"""A time of the office's day, to the minute: `08:30`."""
Addressee = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}(@[a-z0-9][a-z0-9-]{0,63})?$", max_length=130)
]
"""A post or body to which something goes, `leading_group` or `leading_group@county`, or only its unit."""

UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
"""The pattern of a UUID as text. The id of a stream is `<kind>-<uuid>`."""
Uuid = Annotated[str, StringConstraints(pattern=f"^{UUID}$")]
StreamId = Annotated[str, StringConstraints(pattern=f"^[a-z]+-{UUID}$")]
IncidentId = Annotated[str, StringConstraints(pattern=f"^incident-{UUID}$")]
ReportId = Annotated[str, StringConstraints(pattern=f"^report-{UUID}$")]
ReviewId = Annotated[str, StringConstraints(pattern=f"^review-{UUID}$")]
StatementId = Annotated[str, StringConstraints(pattern=f"^statement-{UUID}$")]
NUMBER = r"[a-z0-9][a-z0-9-]{0,63}-[12][0-9]{3}-S?X?[0-9]{5,9}"
"""The pattern of a number that people say, see `schemas.numbers`. No id of a stream has this form."""
Number = Annotated[str, StringConstraints(pattern=f"^{NUMBER}$", max_length=90)]
IncidentRef = Annotated[str, StringConstraints(pattern=f"^(incident-{UUID}|{NUMBER})$", max_length=90)]
"""An incident in a request, by its id or its number."""
StatementRef = Annotated[str, StringConstraints(pattern=f"^(statement-{UUID}|{NUMBER})$", max_length=90)]
StreamRef = Annotated[str, StringConstraints(pattern=f"^([a-z]+-{UUID}|{NUMBER})$", max_length=90)]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
SignatureHex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{128}$")]
"""The 64 bytes of an Ed25519 signature, in their only written form."""
LogName = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z._~:/\[\]-]{1,200}$", max_length=200)]
"""The origin of a log or the name of a witness: a web address without its scheme."""
PeerName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=64)]
"""The name of another deployment: the one that it has in the `source` of its events."""
Proven = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z+/]+={0,2}$", max_length=400_000)]
"""Bytes of another deployment in base64: an event of it, without words, or the proof that its log holds the event."""
SaltHex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""The 16 bytes of a content record's salt."""
PolicyRef = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+@[0-9A-Za-z.]+#[0-9a-f]{12,64}$")]
Token = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_-]{1,128}$")]
"""A random reference, for example to an evidence file. It reveals nothing of the content."""
MediaType = Annotated[str, StringConstraints(pattern=r"^[a-z]+/[a-z0-9.+-]+$", max_length=100)]
WebhookError = Literal["too_slow", "unreachable", "not_taken", "redirected", "private_address", "unreadable", "gone"]
"""Why a receiver has not taken a message."""
Figure = Annotated[int, Field(strict=True, ge=0, le=10**12)]
"""A count. Truth values, texts and fractions are refused."""
REACH = ("clicks", "comments", "mainstream_sites", "shares")
"""The figures that a report counts of a matter's reach."""
PublishedText = Annotated[
    str, StringConstraints(min_length=1, max_length=100_000), Field(json_schema_extra={"x-published": True})
]
"""A text that the office published under its own name. It stays in the event and stays readable."""
PublishedTitle = Annotated[
    str, StringConstraints(min_length=3, max_length=120), Field(json_schema_extra={"x-published": True})
]
"""The title of such a text, one line."""
PublishedRules = Annotated[
    str, StringConstraints(min_length=2, max_length=262_144), Field(json_schema_extra={"x-published": True})
]
"""The rules of an office, as JSON. They stay in the event and stay readable."""


FORMS = {
    _pattern(kind): name
    for kind, name in (
        (Code, "code"),
        (UnitCode, "unit-code"),
        (Post, "post"),
        (Addressee, "addressee"),
        (StreamId, "stream-id"),
        (Number, "number-of-record"),
        (IncidentRef, "incident-ref"),
        (StatementRef, "statement-ref"),
        (StreamRef, "stream-ref"),
        (Uuid, "uuid"),
        (Digest, "digest"),
        (SignatureHex, "signature"),
        (SaltHex, "salt"),
        (LogName, "log-name"),
        (PeerName, "peer-name"),
        (Proven, "proven-bytes"),
        (PolicyRef, "policy-ref"),
        (Token, "token"),
        (MediaType, "media-type"),
        (Day, "date"),
        (TimeOfDay, "time-of-day"),
        (Month, "month-of-year"),
    )
}
"""Pattern -> its name in `titles`. People never see a pattern."""


class LevelKnown(Fact):
    """A level of the pack, and the time of the first fact that proposed it or a higher one."""

    level: Code
    known_at: Instant


class WordsRef(Fact):
    """A reference to words and their digest: SHA-256 over the content record's salt and the words."""

    ref: Uuid
    digest: Digest


class Typed(WordsRef):
    """Words on their way into an event. The kernel seals them into a content record when it appends the event."""

    ref: str = ""
    digest: str = ""
    text: str
    masked: bool = False
    """Whether personal numbers in it are masked already. If not, the kernel masks them."""


class Erasure(Fact):
    """An event that orders the deletion of words. Every service deletes the words of `refs`."""

    refs: tuple[Uuid, ...]


def _typed(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, str) and not (info.context or {}).get("wire"):
        return Typed(text=value)
    return value


Words = Annotated[WordsRef, BeforeValidator(_typed)]


class Done(Fact):
    """An act or a judgement. `late_reason` says why it was entered later than the event's time, when it happened."""

    late_reason: Words | None = None


def words_fields(model: type[BaseModel]) -> tuple[str, ...]:
    """The names of the fields of `model` that hold words, in order."""
    return tuple(name for name, field in model.model_fields.items() if WordsRef in _parts(field.annotation))


def _parts(annotation: Any) -> tuple[Any, ...]:
    inner = getattr(annotation, "__args__", ())
    return (annotation, *(part for arg in inner for part in _parts(arg)))
