"""The closing account tells facts: what happened and how it was handled. So it comes after the handling. Pure."""

from services.kernel.core.problems import Rejected
from services.publish.rights import Case
from services.publish.state import State


def must_be_at_the_end(state: State, case: Case) -> None:
    """Raises `Rejected` for a closing account without facts, or of a matter that is still being handled."""
    if state.form != "closing_account":
        return
    if state.kind != "facts":
        raise Rejected(
            "a closing account tells what happened and how it was handled; begin it as a statement of facts",
            code="account-of-facts",
        )
    if case.incident.state == "open":
        raise Rejected(
            f"{case.incident.id} is still being handled; a closing account is published after that, and until then a "
            "statement of progress tells how far it is",
            code="account-too-early",
            incident=case.incident.id,
        )
