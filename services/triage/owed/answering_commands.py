"""The commands on what is owed to those who ask, and the registration of a matter that nobody has reported yet."""

from pydantic import StrictBool

from schemas.answering import Unsolved
from schemas.fields import Code, UnitCode, WrittenInstant
from services.kernel.core.acts import Act
from services.kernel.core.commands import Command, example
from services.triage.commands import Text


class Register(
    Command,
    json_schema_extra=example(
        unit="town-east", subject="卫生院3月5日停诊检修", text="3月5日停诊一天，急诊由县医院承担。", place="东镇卫生院"
    ),
):
    """Open a matter before anybody has reported it, since it may become a major one.

    Its facts are then established and its response is drafted as usual. What is owed to askers counts from the first
    report, which joins by a merger.
    """

    unit: UnitCode
    """The accountable unit."""
    subject: Text
    """The matter in short."""
    text: Text
    """What is known of it."""
    place: Text | None = None
    """The place."""
    category: Code | None = None
    """The category, from the deployment's list."""
    discovered_at: WrittenInstant | None = None
    """When the office first knew; now by default."""


class Screen(Command, json_schema_extra=example(needs_reply=False, ground="no_request", reason="仅为表扬，无诉求")):
    """Decide whether the matter needs a reply. Until somebody decides, it does.

    That it needs none is reviewed by another post. Before that, all limits go on.
    """

    needs_reply: StrictBool
    """Whether it needs a reply."""
    ground: Code | None = None
    """If not: the reason, from the list of the matter's pack."""
    reason: Text | None = None
    """A remark."""


class ReviewScreening(Command, json_schema_extra=example(upheld=True, reason="情况属实")):
    """Review, as another post, the decision that the matter needs no reply.

    If it is upheld, the limits that the pack names are owed no more. It can be overturned later, too: then the limits
    are owed with their old start.
    """

    upheld: StrictBool
    """Whether it needs no reply."""
    reason: Text
    """The reason."""


class OrderExplanation(Act, json_schema_extra=example(text="请说明停水原因并提出回复意见")):
    """Order the unit that handles the matter to explain it to the office.

    At the levels for which the pack says so, it must propose a reply, too.
    """

    text: Text | None = None
    """What is to be explained."""
    due: WrittenInstant | None = None
    """By when."""


class ExplainToOffice(
    Act, json_schema_extra=example(text="施工挖断水管，已连夜抢修", proposed_reply="经查，停水系施工损坏水管所致…")
):
    """The unit that handles the matter explains it to the office. A later one stands beside the earlier ones."""

    text: Text
    """The explanation."""
    proposed_reply: Text | None = None
    """What the unit proposes to reply."""


class LeaveUnsolved(
    Act, json_schema_extra=example(outcome="planned", text="列入明年改造计划", due="2030-06-30T18:00:00+08:00")
):
    """The problem is not solved: it is planned for later, not allowed, or no business of the office.

    What is planned or not ours was investigated before. An explanation to the asker or in public must follow.
    """

    outcome: Unsolved
    """`planned` with a date, `not_allowed` by the rules, or `not_ours`."""
    text: Text
    """The plan, the rule that does not allow it, or whose business it is."""
    due: WrittenInstant | None = None
    """The date of the plan. The matter is followed up then."""
