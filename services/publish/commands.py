"""What can be asked of a statement. These are the bodies of the HTTP requests."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from schemas.fields import Code, IncidentId, UnitCode
from schemas.publish import StatementKind
from services.kernel.core.commands import Command, example

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")


def _readable(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "blanks alone say nothing; write something")
    if found := _UNPRINTABLE.search(text):
        raise PydanticCustomError(
            "control-character",
            "a control character ({character}) cannot be published; leave it out",
            {"character": f"U+{ord(found[0]):04X}"},
        )
    return text


def _one_line(title: str) -> str:
    if "\n" in title or "\t" in title:
        raise PydanticCustomError("more-than-one-line", "a title is one line; put the rest into the text")
    return _readable(title)


Title = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=3, max_length=120), AfterValidator(_one_line)
]
"""What the statement is about: one line of 3 to 120 characters, which the bulletin shows first."""
Text = Annotated[str, StringConstraints(min_length=1, max_length=100_000), AfterValidator(_readable)]
"""Text that may come to stand on the bulletin: up to 100,000 characters that XML and JSON can carry."""
Reason = Annotated[str, StringConstraints(min_length=1, max_length=4_000), AfterValidator(_readable)]
Facts = Annotated[tuple[Code, ...], Field(max_length=100)]
"""Keys of facts that triage established."""


class Draft(
    Command,
    json_schema_extra=example(
        incident_id="incident-01890a5d-ac96-774b-bcce-b302099a8057",
        kind="facts",
        title="卫生院门前路灯已修复",
        text="卫生院门前12盏路灯因线路故障熄灭，今日已修复。",
        facts=["inspected"],
    ),
):
    """Begin a statement on an incident. `status` says how it is handled, `facts` what was found.

    `unit` is whose statement it is to be: a unit that works on the matter, the accountable one where none is named.
    """

    incident_id: IncidentId
    """What it is about."""
    unit: UnitCode | None = None
    """Whose statement it is; the accountable unit where none is named."""
    kind: StatementKind
    """`status` for how the matter is handled, `facts` for what was found."""
    title: Title
    """What it is about, one line."""
    text: Text
    """What is said."""
    facts: Facts = ()
    """Keys of the established facts on which it rests; `facts` needs at least one."""


class Revise(Command, json_schema_extra=example(text="卫生院门前12盏路灯因线路故障熄灭，3月2日18时已修复。")):
    """Change the text before it is published. `title` or `facts` absent leaves them as they are."""

    title: Title | None = None
    """The title; absent leaves it."""
    text: Text
    """The whole new text."""
    facts: Facts | None = None
    """The keys of facts; absent leaves them."""


class Submit(Command, json_schema_extra=example()):
    """Ask for the approvals of the incident's level."""


class Approve(Command, json_schema_extra=example(reason="属实")):
    """Agree at the step that is due."""

    reason: Reason | None = None
    """What the approver says to it."""


class Reject(Command, json_schema_extra=example(reason="请写明修复时间")):
    """Send the text back, and say why."""

    reason: Reason
    """What is to be changed."""


class Publish(Command, json_schema_extra=example()):
    """Put the approved text on the bulletin."""


class Correct(
    Command,
    json_schema_extra=example(text="卫生院门前11盏路灯因线路故障熄灭，3月2日18时已修复。", reason="路灯数量有误"),
):
    """Say what is right in place of what was wrong; the reason is published with it, and the earlier text stays.

    `title` absent leaves it as it is. What is to say more is a new statement on the same incident, with its own
    approvals.
    """

    title: Title | None = None
    """The title; absent leaves it."""
    text: Text
    """The whole right text."""
    reason: Reason
    """What was wrong; it is published."""


class Withdraw(Command, json_schema_extra=example(reason="发布对象有误")):
    """Take the published statement back; the reason is published, and the text stays, marked as withdrawn."""

    reason: Reason
    """Why it is taken back; it is published."""
