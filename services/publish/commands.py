"""The commands on a statement. They are the bodies of the HTTP requests."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, StrictBool, StringConstraints
from pydantic_core import PydanticCustomError

from schemas.fields import Code, IncidentId, IncidentRef, Post, Token, UnitCode, WrittenInstant
from schemas.pack.gates import GateCode
from schemas.publish import StatementForm, StatementKind
from services.kernel.core.commands import Command, example

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")


def readable(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "this holds only blanks; write a text")
    if found := _UNPRINTABLE.search(text):
        raise PydanticCustomError(
            "control-character",
            "a control character ({character}) cannot be published; leave it out",
            {"character": f"U+{ord(found[0]):04X}"},
        )
    return text


def _one_line(title: str) -> str:
    if len(title.splitlines()) > 1 or "\t" in title:
        raise PydanticCustomError("more-than-one-line", "a title is one line; put the rest into the text")
    return readable(title)


Title = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=3, max_length=120), AfterValidator(_one_line)
]
"""The title: one line of 3 to 120 characters. The bulletin shows it first."""
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_one_line)]
"""One line of up to 200 characters: a place, or the name of a medium."""
Text = Annotated[str, StringConstraints(min_length=1, max_length=100_000), AfterValidator(readable)]
"""Text that may go on the bulletin: up to 100,000 characters that XML and JSON can carry."""
Reason = Annotated[str, StringConstraints(min_length=1, max_length=4_000), AfterValidator(readable)]
Facts = Annotated[tuple[Code, ...], Field(max_length=100)]
"""Keys of facts that triage established."""


class Waiver(Command, json_schema_extra=example(figures=["两个", "3月3日12时"], reason="办理安排，不是查明的事实")):
    """Figures, and names of offices, that need no fact, with one reason. What differs from a fact cannot be waived."""

    figures: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\t\r\n]+$")], ...],
        Field(min_length=1, max_length=100),
    ]
    """The figures as they stand in the text, such as `12盏`."""
    reason: Annotated[Reason, Field(max_length=500)]
    """Why they rest on no fact; it is kept."""


Waivers = Annotated[tuple[Waiver, ...], Field(max_length=100)]


class Draft(
    Command,
    json_schema_extra=example(
        incident_id="incident-01890a5d-ac96-774b-bcce-b302099a8057",
        kind="facts",
        title="卫生院门前路灯已修复",
        text="卫生院门前{{fact:lamps}}路灯因线路故障而熄灭，{{fact:restored_at}}已修复。",
        facts=["inspected"],
    ),
):
    """Begin a statement on an incident. `status` tells how it is handled, `facts` what was found.

    `unit` is the unit that speaks. It works on the matter; by default it is the accountable unit. `{{fact:KEY}}` in
    title and text stands for what is established under this key. A `notice` may be about no incident. Then it is a
    `status`, and the unit of its drafter speaks by default.
    """

    incident_id: IncidentRef | None = None
    """The incident that it is about; only a notice has none."""
    unit: UnitCode | None = None
    """The unit that speaks; by default the accountable unit, for a notice about no incident that of the drafter."""
    kind: StatementKind
    """`status` tells how the matter is handled, `facts` what was found."""
    form: StatementForm | None = None
    """What it is for its readers; by default a `reply` if it tells facts, else an `interim_reply`."""
    title: Title
    """The title, one line."""
    text: Text
    """The text."""
    facts: Facts = ()
    """Keys of the established facts on which it rests; `facts` needs at least one."""
    secret: StrictBool = False
    """Whether it touches a secret. A pack may ask for further approvals then."""
    major_information: StrictBool = False
    """Whether it is major information. A pack may ask for further approvals then."""
    waive: Waivers = ()
    """Figures that need no fact. All others are bound as `{{fact:KEY}}` before the submission."""
    next_at: WrittenInstant | None = None
    """When the next statement on the matter comes, if the text promises one. It is published, and it is a limit."""


class Prepare(Command):
    """The matter needs a clarification. `basis` is the incident as `stream@version`."""

    incident: IncidentId
    unit: UnitCode
    basis: str


class Revise(Command, json_schema_extra=example(text="卫生院门前{{fact:lamps}}路灯已于{{fact:restored_at}}修复。")):
    """Change the text before it is published. What the command does not name stays as it is.

    A mark that an approver set stays.
    """

    form: StatementForm | None = None
    """What it is for its readers; without it, that stays."""
    title: Title | None = None
    """The title; without it, the title stays."""
    text: Text
    """The whole new text."""
    facts: Facts | None = None
    """The keys of facts; without it, they stay."""
    secret: StrictBool | None = None
    """Whether it touches a secret."""
    major_information: StrictBool | None = None
    """Whether it is major information."""
    waive: Waivers | None = None
    """Figures that need no fact; without it, the waivers stay."""
    next_at: WrittenInstant | None = None
    """When the next statement on the matter comes; without it, the promise stays."""


class Submit(Command, json_schema_extra=example()):
    """Ask for the approvals that the matter's pack asks for this text."""


TookPart = Annotated[tuple[Post, ...], Field(max_length=100)]


class Approve(Command, json_schema_extra=example(reason="属实")):
    """Agree at the present step."""

    reason: Reason | None = None
    """A remark of the approver."""
    took_part: TookPart = ()
    """If a body decides: the posts of the other members who took part, such as `chief@county`."""
    secret: StrictBool = False
    """Marks the text as one that touches a secret. If it then needs another chain, it is submitted again."""
    major_information: StrictBool = False
    """Marks the text as major information. If it then needs another chain, it is submitted again."""


class Check(
    Command,
    json_schema_extra=example(
        gate="text_check", passed=True, items=["states_facts", "gives_reasons", "courteous", "does_not_avoid"]
    ),
):
    """Pass a gate of a submitted text, or send the text back at it, with the reason."""

    gate: GateCode
    """The gate."""
    passed: StrictBool
    """Whether the text passes; if not, it goes back to its writer."""
    items: Annotated[tuple[Code, ...], Field(max_length=20)] = ()
    """The lines of the gate's list that hold. To pass, each of them must."""
    reason: Reason | None = None
    """What must be changed, or a remark."""


class Reject(Command, json_schema_extra=example(reason="请写明修复时间")):
    """Send the text back, with the reason."""

    reason: Reason
    """What must be changed."""
    secret: StrictBool = False
    """Marks the text as one that touches a secret."""
    major_information: StrictBool = False
    """Marks the text as major information."""


class CannotJudge(Command, json_schema_extra=example(reason="涉及其他部门，把握不准")):
    """Say that the present step cannot be judged here. The text goes to the post that the pack names for this."""

    reason: Reason
    """Why it cannot be judged."""


class Publish(Command, json_schema_extra=example(at="2026-03-02T18:00:00+08:00")):
    """Put the approved text on the bulletin, now or at an instant.

    No limit waits for that instant. If the text may not be published then, it stays, and the statement says why.
    """

    at: WrittenInstant | None = None
    """When to publish it; without it, now."""


class PublishDue(Command):
    """Publish a text whose instant has come."""


class Unschedule(Command, json_schema_extra=example()):
    """Publish the approved text not at the instant that was named. It stays approved."""


class Correct(
    Command,
    json_schema_extra=example(text="卫生院门前{{fact:lamps}}路灯已于{{fact:restored_at}}修复。", reason="路灯数量有误"),
):
    """Replace a wrong text by the right one. The reason is published with it, and the earlier text stays.

    Without `title`, the title stays. Further news needs a new statement on the same incident, with its own approvals.
    """

    title: Title | None = None
    """The title; without it, the title stays."""
    text: Text
    """The whole corrected text."""
    reason: Reason
    """What was wrong; it is published."""
    waive: Waivers = ()
    """Figures of the corrected text that need no fact."""
    attachments: Annotated[tuple[Token, ...], Field(max_length=20)] | None = None
    """The files that hold from now on, in order; without it, those that are in public stay."""


class Withdraw(Command, json_schema_extra=example(reason="发布对象有误")):
    """Take the published statement back. The reason is published. The text stays, marked as withdrawn."""

    reason: Reason
    """Why it is taken back; it is published."""


class Preview(Command, json_schema_extra=example(title="卫生院门前路灯已修复", text="路灯今日已修复。")):
    """Look at a statement as the public will see it. What the body does not name is as the statement has it."""

    title: str | None = Field(default=None, max_length=120)
    """Another title."""
    text: str | None = Field(default=None, max_length=100_000)
    """Another text."""
    reason: str | None = Field(default=None, max_length=4_000)
    """Why it is corrected or withdrawn."""


class PreviewAlert(Command, json_schema_extra=example()):
    """Look at the alert of an exercise's statement."""


class PreviewDraft(
    Command,
    json_schema_extra=example(
        incident_id="incident-01890a5d-ac96-774b-bcce-b302099a8057", kind="facts", title="卫生院门前路灯已修复"
    ),
):
    """Look at a statement as the public will see it before it is begun. What is not written yet is left out."""

    incident_id: IncidentRef | None = None
    """The incident that it is about; only a notice has none."""
    unit: UnitCode | None = None
    """The unit that speaks; by default the accountable unit, for a notice about no incident that of the drafter."""
    kind: StatementKind | None = None
    """`status` tells how the matter is handled, `facts` what was found."""
    form: StatementForm | None = None
    """What it is for its readers."""
    title: str = Field(default="", max_length=120)
    """The title, one line."""
    text: str = Field(default="", max_length=100_000)
    """The text."""
