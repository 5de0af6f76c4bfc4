"""The rules of a training's stream."""

from dataclasses import dataclass, replace

from schemas import drills as d
from schemas.envelope import Event
from schemas.fields import Typed
from services.audit.trainings.commands import RecordTraining, WithdrawTraining
from services.audit.trainings.rights import RIGHTS, Trained
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx, Decided, Decider
from services.kernel.core.problems import Malformed


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
    """The events of a command."""
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
    today = ctx.now.astimezone(ctx.offices.zone).date().isoformat()
    if command.on > today:
        raise Malformed(
            f"on: {command.on} is still to come; record a training once it was given",
            code="training-to-come",
            field="on",
            on=command.on,
            today=today,
        )
    for post in command.posts:
        ctx.offices.post(post)
        if not ctx.offices.within(post.partition("@")[2], command.unit):
            raise Malformed(
                f"posts: {post} is no post of {command.unit} or a unit below it",
                code="post-not-below",
                field="posts",
                post=post,
                unit=command.unit,
            )
    fields = command.model_dump(exclude={"title", "posts"})
    return d.TrainingRecorded(**fields, title=Typed(text=command.title), posts=tuple(sorted(set(command.posts))))


DECIDER = Decider("training", State, evolve, decide, authorize)
