"""Publishes an approved text at an instant. Pure."""

from datetime import timedelta

from schemas.fields import Fact, instant
from schemas.publish import StatementScheduled
from services.kernel.core.acts import must_be_ahead
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Rejected
from services.publish.commands import Publish
from services.publish.releasing.release import agreed
from services.publish.rights import Case
from services.publish.state import State

LATE = timedelta(hours=1)
"""So long after its instant a text is still published by itself. Later somebody decides: it may be out of date."""


def schedule(state: State, command: Publish, case: Case, ctx: Ctx) -> Fact:
    """Names the instant, for a text that could be published now."""
    assert command.at is not None, "without an instant it is published now"
    must_be_ahead(command.at, ctx.now, "at")
    agreed(state, case, ctx)
    return StatementScheduled(at=command.at, by=case.by)


def is_due(state: State, ctx: Ctx) -> bool:
    """Whether the instant has come, and has not passed for long."""
    return state.scheduled_at is not None and state.scheduled_at <= instant(ctx.now) and missed(state, ctx) is None


def missed(state: State, ctx: Ctx) -> Rejected | None:
    """Why a text is not published by itself any more."""
    if state.scheduled_at is None or state.scheduled_at > instant(ctx.now - LATE):
        return None
    return Rejected(
        "it could not be published at its instant, and that has passed for long; publish it now, name another instant, "
        "or take this one back",
        code="instant-missed",
    )


def must_still_speak(state: State, case: Case) -> None:
    """Raises `Rejected` if other posts were fixed to speak since a post named the instant: nobody else publishes."""
    posts = case.incident.speaking.speaks
    if posts and state.scheduled_post not in posts:
        raise Rejected(
            f"{state.scheduled_post} named this instant, and {' or '.join(posts)} speaks on the matter now; only "
            "that may publish it",
            code="speaker-changed",
            post=state.scheduled_post,
            posts=list(posts),
        )
