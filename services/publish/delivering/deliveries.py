"""What became of a release at a channel: sent by itself, or posted by hand and confirmed. Pure.

`ctx.seen` holds `channels`, the channels of the unit that speaks, and `question`, the report whose question is answered
with this statement; None if there is none that this command could mean.
"""

from collections.abc import Mapping
from typing import NamedTuple

from schemas.fields import Typed
from schemas.publish import StatementDelivered, StatementDeliveryFailed, StatementDeliveryRetried
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx, Decided, Occurred
from services.kernel.core.problems import Malformed, Rejected
from services.publish.delivering import by_hand
from services.publish.delivering.commands import Confirm, RecordDelivery, Retry
from services.publish.delivering.public import Public, accepted
from services.publish.delivering.rights import DELIVERIES, Channel


class Question(NamedTuple):
    """A report that named a place to which its answer is returned."""

    report: str
    channel: str
    """The channel by which it came."""


def decide(unit: str, public: Public, command: Command, ctx: Ctx) -> Decided:
    """At most one event. Raises `Forbidden`, `Malformed` and `Rejected`."""
    if isinstance(command, RecordDelivery):
        return _recorded(unit, public, command)
    DELIVERIES[type(command)].require(unit, ctx)
    if public.release == 0:
        raise Rejected("the statement is not published, so nothing goes to a channel yet", code="nothing-to-deliver")
    by = ctx.by(ctx.seen["stream"])
    match command:
        case Confirm():
            return [Occurred(_confirmed(public, command, by, ctx), basis=ctx.offices.basis)]
        case Retry():
            _must_await(public, command.channel, "webhook", ctx)
            retried = StatementDeliveryRetried(release=public.release, channel=command.channel, by=by)
            return [Occurred(retried, basis=ctx.offices.basis)]
        case _:
            raise TypeError(f"{type(command).__name__} is no command of a delivery")


def _recorded(unit: str, public: Public, command: RecordDelivery) -> Decided:
    """What a channel made of a release. What it took once, it has."""
    channel, release = command.channel, command.release
    if release == public.release and channel in public.has:
        return []
    attempt = public.tries.get(channel, 0) + 1 if release == public.release else 1
    if command.error is None:
        return [Occurred(StatementDelivered(release=release, channel=channel, attempt=attempt), unit=unit)]
    if release != public.release:
        return []
    failed = StatementDeliveryFailed(
        release=release, channel=channel, attempt=attempt, error=command.error, next_at=command.next_at
    )
    return [Occurred(failed, unit=unit)]


def _confirmed(public: Public, command: Confirm, by: str, ctx: Ctx) -> StatementDelivered:
    via = None
    if command.channel is not None:
        _must_await(public, command.channel, "by_hand", ctx)
    else:
        question: Question | None = ctx.seen.get("question")
        if question is None or question.report != command.report:
            raise Malformed(
                f"{command.report} asks for no answer of this statement: it belongs to another matter, named no place "
                "for its answer, or the statement is no reply",
                code="no-question-of-it",
                field="report",
                report=command.report,
            )
        _must_lack(public, question.report)
        via = question.channel
    if refused := by_hand.refusal(accepted(public), command.text):
        raise refused
    return StatementDelivered(
        release=public.release,
        channel=command.channel,
        report=command.report,
        via=via,
        address=Typed(text=command.address, masked=True),
        by=by,
    )


def _must_await(public: Public, channel: str, kind: str, ctx: Ctx) -> None:
    """Raises unless the newest release is to go to the channel, which is open and of this kind."""
    known: Mapping[str, Channel] = ctx.seen["channels"]
    found = known.get(channel)
    if found is None or channel not in public.channels:
        raise Malformed(
            f"the statement goes to no channel {channel}; its deliveries name those to which it goes",
            code="channel-not-of-it",
            field="channel",
            channel=channel,
        )
    if found.kind != kind:
        raise Rejected(
            "this channel gets its messages by itself; nobody confirms them"
            if kind == "by_hand"
            else "what goes to this channel is posted by hand, and not sent",
            code="channel-of-other-kind",
            kind=found.kind,
        )
    if found.phase != "open":
        raise Rejected("the channel has ended; place it again to use it", code="channel-ended")
    _must_lack(public, channel)


def _must_lack(public: Public, place: str) -> None:
    if place in public.has:
        raise Rejected("what is in public now stands there already", code="delivered-already")
