"""The rules of a channel: a unit places, changes and ends it. Pure."""

from dataclasses import replace

from schemas.channels import ChannelChanged, ChannelEnded, ChannelPlaced
from schemas.envelope import Event
from schemas.fields import Fact, Typed
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx, Decided, Decider, Occurred
from services.kernel.core.ids import derived
from services.kernel.core.problems import Malformed, Rejected
from services.publish.delivering.commands import ChangeChannel, LoseChannel, PlaceChannel
from services.publish.delivering.rights import CHANNELS, Channel


def stream_of_channel(unit: str, code: str) -> str:
    """The stream of a unit's channel. A code that is used again means the same channel."""
    return f"channel-{derived('channel', unit, code)}"


def initial_state() -> Channel:
    """There is no channel yet."""
    return Channel()


def evolve(state: Channel, event: Event) -> Channel:
    """The channel after the event."""
    match event.data:
        case ChannelPlaced() as data:
            return Channel("open", data.unit, data.kind)
        case ChannelEnded() as data:
            return replace(state, phase="gone" if data.cause == "gone" else "ended")
        case _:
            return state


def authorize(state: Channel, command: Command, ctx: Ctx) -> None:
    """Raises `Forbidden` if the actor has no right to the command."""
    if not isinstance(command, LoseChannel):
        CHANNELS[type(command)].require(_subject(state, command), ctx)


def _subject(state: Channel, command: Command) -> Channel:
    return replace(state, unit=command.unit) if isinstance(command, PlaceChannel) else state


def decide(state: Channel, command: Command, ctx: Ctx) -> Decided:
    """At most one event. Raises `Forbidden`, `Malformed` for an unknown unit, and `Rejected`."""
    if isinstance(command, LoseChannel):
        return [Occurred(ChannelEnded(cause="gone"), unit=state.unit)] if state.phase == "open" else []
    right = CHANNELS[type(command)]
    right.require(_subject(state, command), ctx)
    right.refuse(state, ctx)
    return [Occurred(_decide(state, command, ctx), basis=ctx.offices.basis)]


def _decide(state: Channel, command: Command, ctx: Ctx) -> Fact:
    match command:
        case PlaceChannel():
            ctx.offices.unit(command.unit)
            if state.phase == "open":
                raise Rejected(
                    f"{command.unit} has a channel {command.code} already; change it, or choose another code",
                    code="channel-there",
                    unit=command.unit,
                    given=command.code,
                )
            return ChannelPlaced(
                unit=command.unit,
                code=command.code,
                kind=command.kind,
                title=command.title,
                address=_typed(command.address),
            )
        case ChangeChannel():
            if command == ChangeChannel():
                raise Malformed("name what changes: title, address or renew_secret", code="channel-unchanged")
            if command.renew_secret and state.kind != "webhook":
                raise Rejected("only a webhook has a secret; nothing is signed by hand", code="channel-without-secret")
            return ChannelChanged(
                title=command.title,
                address=None if command.address is None else _typed(command.address),
                secret_renewed=command.renew_secret,
            )
        case _:
            return ChannelEnded()


def _typed(address: str) -> Typed:
    """An address is of an office, and its figures are no personal numbers: masked, it would lead nowhere."""
    return Typed(text=address, masked=True)


DECIDER = Decider("channel", initial_state, evolve, decide, authorize)
