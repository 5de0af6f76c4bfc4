"""Who may ask for what, over which units, and in which state: one table of rights a service.

Its decider judges by the table, and its API shows the table as `may`, so that a client offers what is allowed and
nothing else. What a right looks at (`S`) is less than the decider's state: the row of a view tells it as well.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from schemas.titles import titled
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Forbidden, Rejected

S = TypeVar("S")
Units = Iterable[str | None]


def _never(subject: object, ctx: Ctx, verb: str) -> Rejected | None:
    return None


@dataclass(frozen=True, slots=True)
class Right(Generic[S]):
    """One row of the table."""

    verb: str
    """What is asked for: the last part of the path."""
    roles: tuple[str, ...] | Callable[[S, Ctx], tuple[str, ...]]
    """One of these roles is needed."""
    over: Callable[[S, Ctx], Units]
    """The units over one of which the role is needed; whoever holds it over a unit above holds it there too."""
    refusal: Callable[[S, Ctx, str], Rejected | None] = _never
    """Why the state allows the verb to nobody, whatever the body says; None where it allows it."""

    def holds(self, subject: S, ctx: Ctx) -> bool:
        """Whether the actor has the right."""
        return ctx.may(*self.of(subject, ctx), units=self.over(subject, ctx))

    def require(self, subject: S, ctx: Ctx) -> None:
        """Raises `Forbidden`, with who would have the right, unless the actor `holds` it."""
        roles, units = self.of(subject, ctx), tuple(self.over(subject, ctx))
        if not ctx.may(*roles, units=units):
            where = sorted({unit for unit in units if unit})
            raise Forbidden(
                f"to {titled(self.verb, 'en')} takes the role {' or '.join(roles)} over {' or '.join(where)}; "
                f"you act as {ctx.actor.post} of {ctx.actor.unit} with "
                f"{', '.join(sorted(ctx.actor.roles)) or 'no role'}",
                act=self.verb,
                roles=list(roles),
                units=where,
                post=ctx.actor.post,
                held=sorted(ctx.actor.roles),
            )

    def refuse(self, subject: S, ctx: Ctx) -> None:
        """Raises what the state says against it."""
        if problem := self.refusal(subject, ctx, self.verb):
            raise problem

    def allows(self, subject: S, ctx: Ctx) -> bool:
        """Whether the actor may ask for it now."""
        return self.holds(subject, ctx) and self.refusal(subject, ctx, self.verb) is None

    def of(self, subject: S, ctx: Ctx) -> tuple[str, ...]:
        """The roles of which one is needed."""
        return self.roles(subject, ctx) if callable(self.roles) else self.roles


def may(rights: Iterable[Right[S]], subject: S, ctx: Ctx) -> list[str]:
    """The verbs that the actor may ask for now, in the table's order."""
    return [right.verb for right in rights if right.allows(subject, ctx)]
