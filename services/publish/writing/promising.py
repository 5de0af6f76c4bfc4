"""When the next statement on a matter comes: what a text promises is a limit, so it is named and lies ahead. Pure."""

from schemas.fields import instant
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Rejected
from services.publish.rights import Case
from services.publish.state import State


def must_name(state: State, case: Case) -> None:
    """Raises `Rejected` for a progress statement without a next one, where the pack asks for it."""
    said = case.pack.model.publication
    rule = said.progress if said else None
    if state.form == "progress" and state.next_at is None and rule and rule.names_next:
        raise Rejected(
            "a statement of progress says when the next one comes; name the time in `next_at`",
            code="next-needed",
            rule="publication.progress",
            pack=case.pack.name,
            field="next_at",
        )


def must_lie_ahead(state: State, ctx: Ctx) -> None:
    """Raises `Rejected` for a promise that has passed before it is given."""
    if state.next_at is not None and state.next_at <= instant(ctx.now):
        raise Rejected(
            f"the text promises the next one by {state.next_at}, which has passed; revise it with another time",
            code="promise-passed",
            at=state.next_at,
        )
