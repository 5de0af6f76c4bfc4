"""The commands on a matter's press part. They are the bodies of the HTTP requests."""

from typing import Annotated

from pydantic import Field

from schemas.fields import Post, StatementRef, Uuid, WrittenInstant
from schemas.press import GivenToMedium, WayToMedium
from services.kernel.core.acts import Act
from services.kernel.core.commands import Command, example
from services.publish.commands import Line, Reason, Text

Posts = Annotated[tuple[Post, ...], Field(max_length=20)]


class FixSpeakers(
    Command,
    json_schema_extra=example(
        speaks=["spokesperson@town-east"],
        approves=["chief@town-east"],
        interviews=["chief@town-east"],
        reason="领导小组会议确定",
    ),
):
    """Fix for a matter who speaks, who also approves, who is interviewed. It replaces what was fixed before.

    While `speaks` names a post, nobody else publishes on the matter. It ends with the matter.
    """

    speaks: Posts = ()
    """The posts that publish. Without any, the roles count."""
    approves: Posts = ()
    """Posts and bodies that must agree, besides the chain of the pack."""
    interviews: Posts = ()
    """The posts that are interviewed. Without any, those that speak."""
    reason: Reason | None = None
    """Why, or by which meeting."""


class CallConference(
    Command,
    json_schema_extra=example(at="2030-03-02T15:00:00+08:00", place="县政府新闻发布厅", reason="影响面大，群众关注"),
):
    """Call a press conference on the matter."""

    at: WrittenInstant
    """When it begins."""
    place: Line
    """Where."""
    reason: Reason
    """Why it is necessary."""


class PostponeConference(
    Command,
    json_schema_extra=example(
        conference="01890a5d-ac96-774b-bcce-b302099a8057", at="2030-03-02T16:00:00+08:00", reason="现场仍在核实"
    ),
):
    """Put a press conference off to another time, or to another place, too."""

    conference: Uuid
    """Which one."""
    at: WrittenInstant
    """When it begins now."""
    place: Line | None = None
    """Where; without it, the place stays."""
    reason: Reason
    """Why."""


class CancelConference(
    Command, json_schema_extra=example(conference="01890a5d-ac96-774b-bcce-b302099a8057", reason="已书面发布")
):
    """Call a press conference off."""

    conference: Uuid
    """Which one."""
    reason: Reason
    """Why."""


class HoldConference(
    Act,
    json_schema_extra=example(
        conference="01890a5d-ac96-774b-bcce-b302099a8057",
        statement="town-east-2026-S00007",
        spoke=["spokesperson@town-east"],
        text="卫生院门前12盏路灯因线路故障熄灭，今日已修复。",
    ),
):
    """Record that a press conference was held, with the text that was read out there.

    The text is refused where it differs from the statement, and the record where it differs from a fact or from a
    statement.
    """

    conference: Uuid
    """Which one."""
    statement: StatementRef
    """The approved or published statement whose text was read out."""
    spoke: Annotated[Posts, Field(min_length=1)]
    """The posts that spoke."""
    text: Text
    """The text that was read out."""
    record: Text | None = None
    """What was asked and answered. It names nobody."""


class LogContact(
    Act,
    json_schema_extra=example(
        statement="town-east-2026-S00007",
        medium="县融媒体中心",
        how="telephone",
        what="text",
        spoke="spokesperson@town-east",
        text="卫生院门前12盏路灯因线路故障熄灭，今日已修复。",
    ),
):
    """Log what a medium was given of a statement. A text that differs from the statement is refused.

    No list is kept of media, nobody searches by one, and no person at a medium is named.
    """

    statement: StatementRef
    """The approved or published statement of which it was given something."""
    medium: Line
    """The medium, in words that can be erased. Never a person's name."""
    how: WayToMedium
    """How."""
    what: GivenToMedium = "text"
    """`text`; or `facts`, if the facts of the statement answer what the medium reported otherwise."""
    spoke: Post
    """The post that gave it."""
    text: Text
    """The text that it was given."""
