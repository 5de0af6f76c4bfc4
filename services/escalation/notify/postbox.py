"""The record of a post, one stream for each: its addresses, and the notices to it that belong to no matter. Pure.

The addresses themselves are settings (`places.py`), and no event holds one.
"""

from dataclasses import dataclass

from schemas import escalation as e
from schemas.envelope import Event
from services.escalation.commands import KeepAddress, RecordAttempt
from services.escalation.notify.attempts import TRIED
from services.kernel.core.decider import Ctx, Decided, Decider, Occurred
from services.kernel.core.ids import derived


@dataclass(frozen=True, slots=True)
class State:
    """Nothing of the past decides anything here."""


def stream_of_post(post: str) -> str:
    """The stream of a post, such as `duty_officer@town-east`."""
    return f"post-{derived('post', post)}"


def initial_state() -> State:
    """Nothing is known of the post."""
    return State()


def evolve(state: State, event: Event) -> State:
    """The same state."""
    return state


def decide(state: State, command: KeepAddress | RecordAttempt, ctx: Ctx) -> Decided:
    """The one event of the command."""
    return [Occurred(_recorded(command), unit=command.post.partition("@")[2])]


def _recorded(
    command: KeepAddress | RecordAttempt,
) -> e.PostAddressSet | e.PostAddressEnded | e.PostNoticeDelivered | e.PostNoticeFailed:
    match command:
        case KeepAddress(ended=True):
            return e.PostAddressEnded(post=command.post, way=command.way, place=command.place)
        case KeepAddress():
            return e.PostAddressSet(post=command.post, way=command.way, place=command.place, language=command.language)
    tried = command.model_dump(include=TRIED)
    if command.error is None:
        return e.PostNoticeDelivered(**tried)
    return e.PostNoticeFailed(**tried, error=command.error)


DECIDER = Decider("post", initial_state, evolve, decide)
