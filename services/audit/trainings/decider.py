"""The rules of a training's stream."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from schemas import drills as d
from schemas.envelope import Event
from schemas.fields import Typed
from services.audit.trainings.commands import RecordTraining, WithdrawTraining
from services.audit.trainings.rights import RIGHTS, Trained
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx, Decided, Decider
from services.kernel.core.problems import Malformed, Rejected


class Held(NamedTuple):
    """When a drill of the record began and ended."""

    began: datetime
    ended: datetime | None


@dataclass(frozen=True, slots=True)
class State:
    """A training; without `recorded`, there is none yet."""

    recorded: d.TrainingRecorded | None = None
    withdrawn: bool = False

    @property
    def unit(self) -> str | None:
        """The unit that answers for the words of the stream."""
        return self.recorded.unit if self.recorded else None


def evolve(state: State, event: Event) -> State:
    """The state after the event."""
    match event.data:
        case d.TrainingRecorded() as data:
            return State(data)
        case d.TrainingWithdrawn():
            return replace(state, withdrawn=True)
    return state


def trained(state: State) -> Trained:
    """What the table of rights looks at."""
    assert state.recorded is not None, "a stream without a training is refused before"
    return Trained(state.recorded.unit, state.withdrawn)


def authorize(state: State, command: Command, ctx: Ctx) -> None:
    """Raises `Forbidden` if the actor has no right to the command."""
    RIGHTS[type(command)].require(_subject(state, command), ctx)


def _subject(state: State, command: Command) -> Trained:
    return Trained(command.unit) if isinstance(command, RecordTraining) else trained(state)


def decide(state: State, command: Command, ctx: Ctx) -> Decided:
    """The events of a command.

    Where it names a drill, `ctx.seen` holds `drill`, when that began and ended, or None if there is none.
    `trained` says whether a training of the unit by this drill stands.
    """
    authorize(state, command, ctx)
    RIGHTS[type(command)].refuse(_subject(state, command), ctx)
    match command:
        case RecordTraining():
            return [_recorded(command, ctx)]
        case WithdrawTraining():
            return [d.TrainingWithdrawn(reason=Typed(text=command.reason))]
    raise TypeError(f"a training knows no {type(command).__name__}")


def _recorded(command: RecordTraining, ctx: Ctx) -> d.TrainingRecorded:
    ctx.offices.unit(command.unit)
    if command.given_by is not None:
        ctx.offices.unit(command.given_by, "given_by")
    on, minutes = _of_drill(command, ctx) if command.drill is not None else _named(command, ctx)
    for post in command.posts:
        ctx.offices.post(post, "posts")
        if not ctx.offices.within(post.partition("@")[2], command.unit):
            raise Malformed(
                f"posts: {post} is no post of {command.unit} or a unit below it",
                code="post-not-below",
                field="posts",
                post=post,
                unit=command.unit,
            )
    fields = command.model_dump(exclude={"title", "posts"}) | {"on": on, "minutes": minutes}
    return d.TrainingRecorded(**fields, title=Typed(text=command.title), posts=tuple(sorted(set(command.posts))))


def _named(command: RecordTraining, ctx: Ctx) -> tuple[str, int]:
    """The day and the minutes of a training that is no drill of the record."""
    if command.on is None or command.minutes is None:
        field = "on" if command.on is None else "minutes"
        raise Malformed(f"{field} is missing", code="field-missing", field=field)
    today = ctx.now.astimezone(ctx.offices.zone).date().isoformat()
    if command.on > today:
        raise Malformed(
            f"on: {command.on} is still to come; record a training once it was given",
            code="training-to-come",
            field="on",
            on=command.on,
            today=today,
        )
    return command.on, command.minutes


def _of_drill(command: RecordTraining, ctx: Ctx) -> tuple[str, int]:
    """The same of a drill: what the record says of it, in the unit's zone."""
    held: Held | None = ctx.seen["drill"]
    if held is None:
        raise Malformed(
            f"drill: there is no drill {command.drill}; name one of the record, or none",
            code="drill-unknown",
            field="drill",
            drill=command.drill,
        )
    if held.ended is None:
        raise Rejected("the drill goes on; end it before its training is recorded", code="drill-goes-on")
    if ctx.seen["trained"]:
        raise Rejected(
            f"the training of {command.unit} by {command.drill} was recorded already",
            code="training-recorded",
            unit=command.unit,
            drill=command.drill,
        )
    day = held.ended.astimezone(ctx.offices.zone_of(command.unit)).date().isoformat()
    return day, max(1, round((held.ended - held.began) / timedelta(minutes=1)))


DECIDER = Decider("training", State, evolve, decide, authorize)
