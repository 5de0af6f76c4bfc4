"""Publishes an approved text at an instant. Pure."""

from schemas.fields import Fact, instant
from schemas.publish import StatementScheduled
from services.kernel.core.acts import must_be_ahead
from services.kernel.core.decider import Ctx
from services.publish.commands import Publish
from services.publish.releasing.release import agreed
from services.publish.rights import Case
from services.publish.state import State


def schedule(state: State, command: Publish, case: Case, ctx: Ctx) -> Fact:
    """Names the instant, for a text that could be published now."""
    assert command.at is not None, "without an instant it is published now"
    must_be_ahead(command.at, ctx.now, "at")
    agreed(state, case, ctx)
    return StatementScheduled(at=command.at, by=case.by)


def is_due(state: State, ctx: Ctx) -> bool:
    """Whether the instant has come."""
    return state.scheduled_at is not None and state.scheduled_at <= instant(ctx.now)
