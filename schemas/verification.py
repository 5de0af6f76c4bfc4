"""What is known of the verification of a matter."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Outcome = Literal["confirmed", "not_in_line", "not_established"]
"""How verification ended: what was reported is so, it is not in line with the facts, or nobody can say yet."""


class Verification(BaseModel):
    """What a matter's events say of its verification so far."""

    model_config = ConfigDict(frozen=True)

    asked: tuple[str, ...] = ()
    """The units that were asked since the last outcome, in order of their codes."""
    due: str | None = None
    """By when an outcome is asked for; the earliest of the open requests."""
    since: str | None = None
    """When the first of them was recorded."""
    outcome: Outcome | None = None
    """The last outcome. A new request leaves it, and is open until the next one."""
    by: str | None = None
    """The unit that established it."""
    ended: bool = False
    """Whether the matter ended while requests were open. Then a reopening drops them."""
    concluded_at: str | None = None
    """When the last open request got its outcome, as recorded."""
    facts: tuple[str, ...] = ()
    """The units that established facts, in order of their codes."""
