"""The rules of deleting words.

One person asks, and another person of a unit above agrees. Both are events with a reason. The root has no unit above
it, so there two persons of the root are needed. An administrator of a unit above decides alone where a law orders it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from schemas.envelope import Event
from schemas.fields import StreamRef, Typed, Uuid
from schemas.words import Cause, WordsErased, WordsErasureAsked
from services.kernel.access.rights import Right
from services.kernel.core.commands import Command, example
from services.kernel.core.decider import Ctx, Decided, Decider
from services.kernel.core.ids import derived
from services.kernel.core.problems import Malformed, Rejected

KIND = "words"
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]


class EraseWords(
    Command,
    json_schema_extra=example(
        stream="incident-01890a5d-ac96-774b-bcce-b302099a8057",
        refs=["01890a5d-c3d4-7e5f-8a6b-7c8d9e0f1a2b"],
        cause="asked",
        reason="反映人要求删除",
    ),
):
    """Delete words of a stream everywhere. The first call asks; the call of another person of a unit above deletes.

    `refs` are references of words as the stream's events name them. Both calls name the same.
    """

    stream: StreamRef
    """The record that holds the words."""
    refs: Annotated[tuple[Uuid, ...], Field(min_length=1, max_length=500)]
    """References of the words, as the record's events name them."""
    cause: Cause = "asked"
    """`asked` by the person concerned, ordered by `law`, or written by `mistake`."""
    reason: Reason
    """Why the words must go."""

    @property
    def request(self) -> str:
        """The stream of this request. Two people who ask for the same get the same stream."""
        return f"{KIND}-{derived(KIND, self.stream, *sorted(set(self.refs)))}"


@dataclass(frozen=True, slots=True)
class Erasing:
    """The facts on which an erasure depends."""

    unit: str
    """The unit that answers for the stream of the words."""
    asked: str | None = None
    """Digest of the person who asked."""
    by: str = ""
    """Digest of the person who acts."""
    done: bool = False


def _roles(erasing: Erasing, ctx: Ctx) -> tuple[str, ...]:
    return ("chief", "admin")


def _over(erasing: Erasing, ctx: Ctx) -> Sequence[str]:
    """The unit itself may ask. A unit above agrees; at the root, the root itself does."""
    return (erasing.unit if erasing.asked is None else ctx.offices.parent(erasing.unit) or erasing.unit,)


def _another_person(erasing: Erasing, ctx: Ctx, verb: str) -> Rejected | None:
    if erasing.done:
        return Rejected("these words were erased already", code="words-erased-already")
    if erasing.asked is not None and erasing.asked == erasing.by:
        return Rejected(
            "you asked for this erasure; another person of a unit above must agree to it", code="erasure-asked-by-you"
        )
    return None


ERASE: Right[Erasing] = Right("erase", _roles, _over, _another_person)


def step(erasing: Erasing, cause: str, ctx: Ctx) -> Literal["ask", "erase"]:
    """The effect of the actor's word in this state. Raises `Forbidden` or `Rejected` if it has none."""
    ERASE.require(erasing, ctx)
    ERASE.refuse(erasing, ctx)
    above = ctx.offices.parent(erasing.unit)
    ordered = cause == "law" and above is not None and ctx.may("admin", units=[above])
    return "erase" if ordered or erasing.asked is not None else "ask"


@dataclass(frozen=True, slots=True)
class State:
    """A request to delete words."""

    asked: str | None = None
    erased: bool = False


def evolve(state: State, event: Event) -> State:
    """The state after the event."""
    match event.data:
        case WordsErasureAsked(by=by):
            return replace(state, asked=by)
        case WordsErased():
            return replace(state, erased=True)
    return state


def authorize(state: State, command: Command, ctx: Ctx) -> None:
    """Raises `Forbidden` if the actor has no right to the command."""
    ERASE.require(_subject(state, command, ctx), ctx)


def decide(state: State, command: Command, ctx: Ctx) -> Decided:
    """`ctx.seen` holds `unit`, which answers for the stream, and `refs`, the references of all its words."""
    assert isinstance(command, EraseWords)
    erasing = _subject(state, command, ctx)
    doing = step(erasing, command.cause, ctx)
    if strangers := sorted(set(command.refs).difference(ctx.seen["refs"])):
        raise Malformed(
            f"refs: {command.stream} names no words {', '.join(strangers)}; take references from its events",
            code="words-unknown",
            field="refs",
            stream=command.stream,
            given=strangers,
        )
    refs, reason = tuple(sorted(set(command.refs))), Typed(text=command.reason)
    said: dict[str, Any] = {"stream": command.stream, "refs": refs, "cause": command.cause}
    said |= {"reason": reason, "by": erasing.by}
    return [WordsErased(**said) if doing == "erase" else WordsErasureAsked(**said)]


def _subject(state: State, command: Command, ctx: Ctx) -> Erasing:
    assert isinstance(command, EraseWords)
    return Erasing(ctx.seen["unit"], state.asked, ctx.by(command.request), state.erased)


DECIDER = Decider(KIND, State, evolve, decide, authorize)
