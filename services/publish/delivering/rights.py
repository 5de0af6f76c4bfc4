"""The rights over channels, and over the deliveries of a unit that speaks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.channels import ChannelKind
from services.kernel.access.approving import answering
from services.kernel.access.rights import Right
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Rejected
from services.publish.delivering.commands import ChangeChannel, Confirm, EndChannel, PlaceChannel, Retry

Refusal = Rejected | None


@dataclass(frozen=True, slots=True)
class Channel:
    """The facts on which the rights over a channel depend. `phase` is new, open, ended or gone."""

    phase: str = "new"
    unit: str = ""
    kind: ChannelKind = "by_hand"


def _of_channel(channel: Channel, ctx: Ctx) -> Sequence[str]:
    return (channel.unit,)


def _is_open(channel: Channel, ctx: Ctx, verb: str) -> Refusal:
    if channel.phase == "open":
        return None
    return Rejected("the channel has ended; place it again to use it", code="channel-ended")


PLACE_CHANNEL: Right[Channel] = Right("place-channel", ("admin", "chief"), _of_channel)
CHANNELS: Mapping[type[Command], Right[Channel]] = {
    PlaceChannel: PLACE_CHANNEL,
    ChangeChannel: Right("change-channel", ("admin", "chief"), _of_channel, _is_open),
    EndChannel: Right("end-channel", ("admin", "chief"), _of_channel, _is_open),
}
"""Over a channel."""
ADMINISTRATOR = "site_administrator"
"""The post that posts by hand. Where no directory has one, the spokesperson does."""


def _has_administrator(unit: str, ctx: Ctx) -> bool:
    return any(ctx.offices.answering(at, ADMINISTRATOR) for at in ctx.offices.above(unit))


def _posting(unit: str, ctx: Ctx) -> tuple[str, ...]:
    return (ADMINISTRATOR,) if _has_administrator(unit, ctx) else ("spokesperson",)


def _posts(unit: str, ctx: Ctx) -> bool:
    return _has_administrator(unit, ctx) and any(answering((ADMINISTRATOR,), unit, ctx))


def _of_unit(unit: str, ctx: Ctx) -> tuple[str, ...]:
    return (unit,)


DELIVERIES: Mapping[type[Command], Right[str]] = {
    Confirm: Right("confirm", _posting, _of_unit, also=_posts),
    Retry: Right("retry", ("spokesperson", "admin"), _of_unit),
}
"""Over the unit that speaks."""
