"""Commands on referrals."""

from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.fields import IncidentRef, PostCode, StreamId, UnitCode
from schemas.referrals import CompetentBody, ReferralKind
from services.kernel.core.commands import Command, example

Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000)]


class ProposeReferral(
    Command,
    json_schema_extra=example(
        unit="town-east",
        post="chief",
        kind="neglect",
        findings=["finding-01890a5d-ac96-774b-bcce-b302099a8057"],
        reason="同类事项第三次瞒报",
    ),
):
    """Propose to pass serious neglect of a post's duty on, or to praise the post's work."""

    unit: UnitCode
    """The unit of the post."""
    post: PostCode
    """The post: an office-holder, never somebody who spoke."""
    kind: ReferralKind
    """Neglect, or praise."""
    reason: Said
    """Why."""
    incident: IncidentRef | None = None
    """The matter in which it was shown."""
    findings: Annotated[tuple[StreamId, ...], Field(max_length=50)] = ()
    """The findings on which it rests. Neglect takes at least one that stands."""


class StateOwnView(Command, json_schema_extra=example(text="当日已电话报告县值班室，有记录。")):
    """Say what there is to say on a proposal, before anybody decides."""

    text: Said
    """What the post, or its unit for it, says."""


class PassOn(Command, json_schema_extra=example(body="discipline", reason="情节严重，按程序移送")):
    """Have it passed on to the competent body."""

    body: CompetentBody
    """The body. It decides by its own procedure."""
    reason: Said
    """Why it is passed on."""


class NoteReceipt(Command, json_schema_extra=example(text="县纪委监委收文 2026-118 号")):
    """Note that the competent body has it."""

    text: Said
    """Its receipt, and nothing that it found about anybody."""


class PraiseWork(Command, json_schema_extra=example(reason="一小时内回应并办结，经验可推广")):
    """Praise the work of the post."""

    reason: Said
    """What is praised."""


class DropReferral(Command, json_schema_extra=example(reason="通信中断属实")):
    """Pass nothing on, and praise nobody."""

    reason: Said
    """Why."""
