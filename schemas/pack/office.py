"""How the office speaks, watches a matter afterwards, reviews and keeps it, and when its desk is staffed."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from schemas.pack.clocks import Limit, Window, in_order
from schemas.pack.source import Addressee, Duration, Model, Place, Rule, Setting, Slug, Text
from schemas.said import Said


def _always(value: bool) -> bool:
    if not value:
        raise ValueError(Said("this holds in every pack; write true", "这一条在每个规则包里都成立，请写 true"))
    return value


class StatementRule(Rule):
    """What a kind of statement rests on."""

    needs_established_facts: bool


class NoticeRule(Rule):
    """Who puts an approved notice on the bulletin. A notice is about no matter."""

    uploaded_by: tuple[Addressee, ...] = Field(min_length=1)


class Progress(Rule):
    """Whether a progress statement names when the next one comes. What it names is a limit, also where it need not."""

    names_next: bool


class Update(Rule):
    """Within which limit a statement is corrected, or followed by a new one, after a fact in it was revised."""

    limit: Limit


class ClosingAccount(Rule):
    """A matter of these levels is closed only after a closing account was published; None means every matter."""

    levels: tuple[Slug, ...] | None = None


class Publication(Model):
    """How the office speaks. In every pack it speaks as itself, with one text for a matter."""

    speaks_as: Setting[Literal["unit"]]
    single_text: Setting[Annotated[bool, AfterValidator(_always)]]
    status: StatementRule
    facts: StatementRule
    notices: NoticeRule | None = None
    corrections: Setting[Literal["new_statement"]]
    progress: Progress | None = None
    update: Update | None = None
    closing_account: ClosingAccount | None = None


class FollowUp(Model):
    """How long the office watches a matter after the answer."""

    dedicated_post: Setting[bool]
    ends_with: Setting[Literal["decision"]]
    recurrence: Setting[Literal["reopen"]]


class WrittenReport(Rule):
    """The closing report on origin, spread and handling."""

    levels: tuple[Slug, ...] | None = None
    to: Addressee
    at: Place = "unit"
    limit: Limit


class Evaluation(Rule):
    """Who evaluates the handling afterwards."""

    levels: tuple[Slug, ...] | None = None
    who: tuple[Addressee, ...] = Field(min_length=1)
    title_zh: Text


class Review(Model):
    written_report: WrittenReport | None = None
    evaluation: Evaluation | None = None


class ArchivePart(Rule):
    """The parts of a matter's file. A missing part needs a reason."""

    code: Slug
    title_zh: Text


class Archive(Model):
    """What the file of a matter holds, and how long it is kept."""

    parts: tuple[ArchivePart, ...]
    kept: Setting[Annotated[int, Field(ge=1, le=100)] | Literal["permanent"]] | None = None
    """Years from the day on which the matter ended, or `permanent`. Nothing is deleted when they are over."""


class Findings(Model):
    """From which numbers on something counts against an office. What is not here follows readings of our own."""

    hearing: Setting[Duration] | None = None
    """How long an office is heard before somebody decides."""
    returns: Setting[Annotated[int, Field(ge=2)]] | None = None
    """So many returns of one matter by one unit are no cooperation."""
    rounds: Setting[Annotated[int, Field(ge=2)]] | None = None
    """In so many rounds a matter was handled without effect."""
    apart: Setting[Duration] | None = None
    """Handling and answering that begin farther apart did not begin together."""
    alike: Setting[Annotated[int, Field(ge=50, le=100)]] | None = None
    """A text that is so many per cent the same as one on another matter is perfunctory."""


class Coverage(Rule):
    """Hours of duty a day in a special period."""

    period: Slug
    hours: Duration


class Surge(Rule):
    """An early warning: more reports on a matter or in a category, within a window, than usual for as long a time."""

    window: Duration
    compared_over: Duration
    """The time before the window that tells what is usual."""
    factor: int = Field(ge=2)
    """How many times the usual number it takes."""
    at_least: int = Field(ge=2)
    """How many reports it takes at all."""
    to: Addressee
    """Who is warned, within the office."""


Telling = Literal[
    "new", "assigned", "warn", "due", "breach", "rung", "hop", "informed", "approval", "gap", "held", "surge"
]
"""Of what posts are told outside of the product."""


class Outgoing(Rule):
    """Posts are told of this outside of the product: those of `to`, or else the post that has to act."""

    rule: Telling
    to: tuple[Addressee, ...] = ()


class Roster(Model):
    """Duty at the intake desk: hours a day, and more in a special period.

    `outside_hours` says when the office knows of a report that arrives while nobody is on duty.
    """

    coverage: Setting[Duration]
    sign_on: Setting[Duration] | None = None
    """How long after its begin a duty that nobody took up is a gap."""
    windows: tuple[Window, ...] = ()
    """The daily duty, in local time. Without windows, somebody is on duty round the clock."""
    special: tuple[Coverage, ...] = ()
    outside_hours: Setting[Literal["arrival", "window_start"]]

    @field_validator("windows")
    @classmethod
    def _in_order(cls, windows: tuple[Window, ...]) -> tuple[Window, ...]:
        return in_order(windows)
